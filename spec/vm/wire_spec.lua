-- Two machines, joined by an Ethernet wire that loses every fifth packet, and TIPC over it. The other
-- machine runs spec/vm/peer.lua. What is reliable here is shown to be: nothing is lost, though much is.
local vm = require "spec.vm.vm"
local wire = require "spec.vm.wire"

local EXPECTED <const> = "500 of 500 in order, intact, and from their sender"
local PEER <const> = vm.tipc(wire.PEER)

describe("TIPC over a wire that loses a fifth of all packets", function()
  local peer

  setup(function()
    wire.join()
    peer = wire.await(wire.PEER, 60)
  end)

  it("delivers 500 of 500 reliable datagrams to the other machine", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_RDM"):settimeout(60)
    local dropped, answer, from = vm.netem("eth0", wire.LOSS, function()
      assert(s:sendto("take", PEER))
      wire.give(s, PEER)
      return assert(s:recvfrom())
    end)
    assert.equal(EXPECTED, answer)
    assert.equal(peer, from)
    assert.is_true(dropped > 50)
    local _, other = vm.tipcsocket(from)
    local _, own = vm.tipcsocket(s:getsockname())
    assert.is_true(other ~= 0 and own ~= 0 and other ~= own)
  end)

  it("delivers 500 of 500 reliable datagrams from the other machine", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_RDM"):settimeout(60)
    local function count()
      assert(s:sendto("dropped", PEER))
      return tonumber(assert(s:recv()))
    end
    vm.netem("eth0", wire.LOSS, function()
      local before = count()
      assert(s:sendto("give", PEER))
      assert.equal(EXPECTED, wire.take(s, peer))
      assert.is_true(count() - before > 50)
    end)
  end)

  it("carries a stream there and back", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_STREAM"):settimeout(60)
    local data = vm.data(1, 100000)
    local dropped, got = vm.netem("eth0", wire.LOSS, function()
      local asking <close> = vm.socket("AF_TIPC", "SOCK_RDM"):settimeout(60)
      assert(asking:sendto("echo", PEER))
      assert(s:connect(vm.tipc(wire.LISTENER)))
      assert.equal(#data, s:sendall(data))
      return assert(s:recv(#data, "MSG_WAITALL"))
    end)
    assert.is_true(got == data)
    assert.is_true(dropped > 5)
    assert(s:shutdown())
  end)
end)
