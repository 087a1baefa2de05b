-- vsock over its loopback, context 1.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local vm = require "spec.vm.vm"

local ANY <const> = 0xffffffff

local function vsock(kind, port)
  return assert(vm.socket("AF_VSOCK", kind):bind(vm.vsock(socket.VMADDR_CID_LOCAL, port or ANY)))
end

for _, kind in ipairs { "SOCK_STREAM", "SOCK_SEQPACKET" } do
  describe("vsock " .. kind, function()
    it("connects two; bytes and addresses are the other end's", function()
      local listener <close> = vsock(kind):listen()
      local cid, port = vm.vsocket(listener:getsockname())
      assert.equal(1, cid)
      assert.is_true(port > 0 and port < ANY)
      local client <close> = vsock(kind)
      assert(client:connect(vm.vsock(cid, port)))
      local s, peer = assert(listener:accept())
      local server <close> = s:settimeout(30)
      assert.equal(client:getsockname(), peer)
      assert.equal(client:getsockname(), server:getpeername())
      assert.equal(listener:getsockname(), client:getpeername())
      local data = vm.data(3, 50000)
      assert.equal(#data, client:sendall(data))
      assert.is_true(server:recv(#data, "MSG_WAITALL") == data)
      assert.equal(5, server:send "reply")
      assert.equal("reply", client:recv())
      client:close()
      assert.equal("", server:recv())
    end)

    it("resets where nobody listens", function()
      local nobody <close> = vsock(kind)
      local client <close> = vsock(kind)
      helper.fails("s:connect", "ECONNRESET", client:connect(nobody:getsockname()))
    end)
  end)
end

describe("vsock SOCK_STREAM", function()
  it("carries a megabyte, byte by byte the same", function()
    local listener <close> = vsock "SOCK_STREAM":listen()
    local client <close> = assert(vsock "SOCK_STREAM":connect(listener:getsockname()))
    local server <close> = assert(listener:accept())
    local data = vm.data(4, 1 << 20)
    assert.is_true(vm.pump(client, server, data) == data)
  end)
end)

describe("vsock SOCK_SEQPACKET", function()
  it("keeps the bounds of messages", function()
    local listener <close> = vsock "SOCK_SEQPACKET":listen()
    local client <close> = assert(vsock "SOCK_SEQPACKET":connect(listener:getsockname()))
    local server <close> = assert(listener:accept())
    server:settimeout(30)
    for i = 1, 50 do assert.equal(i, client:send(vm.data(i, i))) end
    for i = 1, 50 do assert.is_true(server:recv() == vm.data(i, i)) end
  end)
end)
