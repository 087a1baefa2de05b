-- TIPC within one machine; spec/vm/wire_spec.lua has two.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local vm = require "spec.vm.vm"

-- Below 64 they are TIPC's own. No two specs share an instance.
local SERVICE <const> = 18888

local function service(instance, upper)
  return vm.tipc { type = SERVICE, instance = instance, upper = upper }
end

for kind, instance in pairs { SOCK_RDM = 100, SOCK_DGRAM = 200 } do
  describe("TIPC " .. kind, function()
    it("carries messages of 1 to 66,000 bytes to a service, and answers to their sender", function()
      local server <close> = assert(vm.socket("AF_TIPC", kind):bind(service(instance)))
      local client <close> = vm.socket("AF_TIPC", kind)
      for i, size in ipairs { 1, 1000, 1500, 65536, 66000 } do
        local data = vm.data(i, size)
        assert.equal(size, assert(client:sendto(data, service(instance))))
        local got, from, cut = server:recvfrom(66000)
        assert.is_true(got == data)
        assert.equal(client:getsockname(), from)
        assert.falsy(cut)
        assert.equal(2, assert(server:sendto("ok", from)))
        local answer, whom = client:recvfrom()
        assert.equal("ok", answer)
        assert.equal(server:getsockname(), whom)
      end
      helper.fails("s:sendto", "EMSGSIZE", client:sendto(vm.data(1, 66001), service(instance)))
    end)

    it("keeps order and bounds, and tells that a message was cut", function()
      local server <close> = assert(vm.socket("AF_TIPC", kind):bind(service(instance + 1)))
      local client <close> = vm.socket("AF_TIPC", kind)
      for i = 1, 100 do assert(client:sendto(vm.data(i, i), service(instance + 1))) end
      for i = 1, 50 do assert.is_true(server:recv() == vm.data(i, i)) end
      for i = 51, 100 do
        local got, from, cut = server:recvfrom(10)
        assert.is_true(got == vm.data(i, i):sub(1, 10))
        assert.equal(client:getsockname(), from)
        assert.is_true(cut)
      end
      helper.fails("s:recv", "EAGAIN", server:settimeout(0):recv())
    end)

    it("takes a service as the one to send to, by connect", function()
      local server <close> = assert(vm.socket("AF_TIPC", kind):bind(service(instance + 2)))
      local client <close> = assert(vm.socket("AF_TIPC", kind):connect(service(instance + 2)))
      assert.equal(5, client:send "hello")
      local got, from = server:recvfrom()
      assert.equal("hello", got)
      assert.equal(client:getsockname(), from)
    end)

    it("reaches everybody in a range of services", function()
      local servers = {}
      finally(function() for _, s in ipairs(servers) do s:close() end end)
      for i = 1, 3 do
        servers[i] = assert(vm.socket("AF_TIPC", kind):bind(service(instance + 10 + i)))
      end
      local client <close> = vm.socket("AF_TIPC", kind)
      local data = vm.data(7, 2000)
      assert.equal(#data, assert(client:sendto(data, service(instance + 11, instance + 12))))
      for i = 1, 2 do
        local got, from = servers[i]:recvfrom()
        assert.is_true(got == data)
        assert.equal(client:getsockname(), from)
      end
      helper.fails("s:recv", "EAGAIN", servers[3]:settimeout(0):recv())
    end)
  end)
end

describe("TIPC SOCK_RDM", function()
  it("says that nobody offers a service", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_RDM")
    helper.fails("s:sendto", "EHOSTUNREACH", s:settimeout(0):sendto("x", service(99)))
  end)

  it("gives a message back, without its data, whose receiver went away, if asked to", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_RDM")
    assert(s:setsockopt("SOL_TIPC", "TIPC_DEST_DROPPABLE", false))
    local server = assert(vm.socket("AF_TIPC", "SOCK_RDM"):bind(service(98)))
    local ref, node = vm.tipcsocket(server:getsockname())
    assert(s:sendto("nobody read this", vm.tipc { ref = ref, node = node }))
    server:close()
    assert.equal("", s:recv())
  end)
end)

for kind, instance in pairs { SOCK_SEQPACKET = 300, SOCK_STREAM = 400 } do
  describe("TIPC " .. kind, function()
    local listener, client, server, peer

    before_each(function()
      listener = assert(vm.socket("AF_TIPC", kind):bind(service(instance))):listen()
      client = vm.socket("AF_TIPC", kind)
      server, peer = vm.connect(client, service(instance), listener)
    end)

    after_each(function()
      listener:close()
      client:close()
      server:close()
    end)

    it("cannot connect where nobody offers the service", function()
      local s <close> = vm.socket("AF_TIPC", kind)
      helper.fails("s:connect", "EHOSTUNREACH", s:connect(service(instance + 50)))
    end)

    it("connects to a service; both ends know each other's address", function()
      assert.equal(client:getsockname(), peer)
      assert.equal(client:getsockname(), server:getpeername())
      assert.equal(server:getsockname(), client:getpeername())
      local ref, node = vm.tipcsocket(peer)
      assert.is_true(ref > 0)
      assert.equal(select(2, vm.tipcsocket(server:getsockname())), node)
    end)

    it("carries data both ways until one end shuts down", function()
      assert.equal(5, client:send "hello")
      assert.equal("hello", server:recv())
      local data = vm.data(instance, 66000)
      assert.equal(#data, server:sendall(data))
      assert.is_true(client:recv(66000, "MSG_WAITALL") == data)
      assert(client:send "last")
      assert(client:shutdown())
      assert.equal("last", server:recv())
      assert.equal("", server:recv())
    end)

    it("takes a close without a shutdown for a reset, as TIPC does", function()
      assert(client:send "last")
      client:close()
      assert.equal("last", server:recv())
      helper.fails("s:recv", "ECONNRESET", server:recv())
    end)
  end)
end

describe("TIPC SOCK_SEQPACKET", function()
  it("keeps the bounds of messages, and tells that one was cut", function()
    local listener <close> = assert(vm.socket("AF_TIPC", "SOCK_SEQPACKET"):bind(service(310))):listen()
    local client <close> = vm.socket("AF_TIPC", "SOCK_SEQPACKET")
    local server <close> = vm.connect(client, service(310), listener)
    for i = 1, 50 do assert.equal(i, client:send(vm.data(i, i))) end
    for i = 1, 49 do assert.is_true(server:recv() == vm.data(i, i)) end
    local got, cut = server:recv(10)
    assert.is_true(got == vm.data(50, 50):sub(1, 10))
    assert.is_true(cut)
  end)
end)

describe("TIPC SOCK_STREAM", function()
  it("carries a megabyte, byte by byte the same", function()
    local listener <close> = assert(vm.socket("AF_TIPC", "SOCK_STREAM"):bind(service(410))):listen()
    local client <close> = vm.socket("AF_TIPC", "SOCK_STREAM")
    local server <close> = vm.connect(client, service(410), listener)
    local data = vm.data(1, 1 << 20)
    assert.is_true(vm.pump(client, server, data) == data)
  end)
end)

describe("TIPC socketpair", function()
  it("has an end for each", function()
    local one, other = assert(socket.socketpair("AF_TIPC", "SOCK_SEQPACKET"))
    finally(function() one:close() other:close() end)
    assert(one:send "to the other")
    assert.equal("to the other", other:recv())
    assert(other:send "and back")
    assert.equal("and back", one:recv())
  end)
end)
