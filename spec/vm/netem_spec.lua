-- A network that loses and delays, on loopback.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local vm = require "spec.vm.vm"

local function udp()
  return assert(vm.socket("AF_INET", "SOCK_DGRAM"):bind("127.0.0.1", 0))
end

describe("on a network that loses", function()
  it("UDP datagrams are lost as netem counts them, and no other", function()
    local a <close> = udp()
    local b <close> = udp()
    local arrived = 0
    local dropped = vm.netem("lo", "loss 30%", function()
      for i = 1, 300 do assert.equal(100, assert(a:sendto(vm.data(i, 100), b:getsockname()))) end
      local last = 0
      while true do
        local got, from, code = b:settimeout(0):recvfrom()
        if not got then
          assert.equal("EAGAIN", code)
          break
        end
        assert.equal(a:getsockname(), from)
        -- what does arrive is intact and in order
        repeat last = last + 1 until got == vm.data(last, 100) or last > 300
        assert.is_true(last <= 300)
        arrived = arrived + 1
      end
    end)
    assert.equal(300, arrived + dropped)
    assert.is_true(dropped > 50 and dropped < 130)
  end)

  it("a call that waits for a lost datagram gives up with timeout", function()
    local a <close> = udp()
    local b <close> = udp()
    local dropped = vm.netem("lo", "loss 100%", function()
      assert.equal(1, a:sendto("x", b:getsockname()))
      helper.fails("s:recv", "timeout", b:settimeout(0.1):recv())
    end)
    assert.equal(1, dropped)
  end)

  for _, protocol in ipairs { "IPPROTO_TCP", "IPPROTO_SCTP" } do
    it("a stream of " .. protocol .. " arrives whole", function()
      -- SCTP waits seconds before it sends again, unless told
      vm.run "cd /proc/sys/net/sctp && echo 100 >rto_min && echo 200 >rto_initial && echo 400 >rto_max"
      local listener <close> = assert(vm.socket("AF_INET", "SOCK_STREAM", protocol):bind("127.0.0.1", 0)):listen()
      local client <close> = assert(vm.socket("AF_INET", "SOCK_STREAM", protocol):connect(listener:getsockname()))
      local server <close> = assert(listener:accept())
      local data = vm.data(9, 1 << 17)
      vm.run "ip link set lo mtu 1500 gso_max_segs 1" -- for many packets
      local dropped, got = vm.netem("lo", "loss 5%", function() return vm.pump(client, server, data, 1000) end)
      vm.run "ip link set lo mtu 65536 gso_max_segs 65535"
      assert.is_true(got == data)
      assert.is_true(dropped > 0)
    end)
  end
end)

describe("on a network that delays", function()
  it("an answer takes both ways, and a deadline that is shorter passes first", function()
    local a <close> = udp()
    local b <close> = udp()
    vm.netem("lo", "delay 500ms", function()
      local start = socket.monotime()
      assert(a:sendto("ping", b:getsockname()))
      helper.fails("s:recv", "timeout", b:settimeout(0.02):recv())
      local got, from = b:settimeout(30):recvfrom()
      assert.equal("ping", got)
      assert(b:sendto("pong", from))
      assert.equal("pong", a:recv())
      assert.is_true(socket.monotime() - start >= 1)
    end)
  end)

  it("connect under timeout 0 is in progress and can be waited for", function()
    local listener <close> = assert(vm.socket("AF_INET", "SOCK_STREAM"):bind("127.0.0.1", 0)):listen()
    vm.netem("lo", "delay 300ms", function()
      local client <close> = vm.socket("AF_INET", "SOCK_STREAM")
      local start = socket.monotime()
      helper.fails("s:connect", "EINPROGRESS", client:settimeout(0):connect(listener:getsockname()))
      helper.fails("s:connect", "timeout", client:settimeout(0.02):connect(listener:getsockname()))
      assert(client:settimeout(30):connect(listener:getsockname()))
      assert.is_true(socket.monotime() - start >= 0.6)
      local server <close> = assert(listener:accept())
      assert.equal(client:getsockname(), server:getpeername())
    end)
  end)
end)
