-- The second machine of spec/vm/wire_spec.lua: does what the first asks, until the host ends it. Its own
-- datagrams are lost as often as the first one's; the wire is as bad both ways.
local vm = require "spec.vm.vm"
local wire = require "spec.vm.wire"

wire.join()
vm.run("tc qdisc add dev eth0 root netem " .. wire.LOSS)

local s = assert(vm.socket("AF_TIPC", "SOCK_RDM"):bind(vm.tipc(wire.PEER))):settimeout(nil)
local listener = assert(vm.socket("AF_TIPC", "SOCK_STREAM"):bind(vm.tipc(wire.LISTENER))):listen()

while true do
  local command, whom = assert(s:recvfrom())
  if command == "take" then
    assert(s:sendto(wire.take(s, whom), whom))
  elseif command == "give" then
    wire.give(s, whom)
  elseif command == "dropped" then
    assert(s:sendto(tostring(vm.dropped "eth0"), whom))
  elseif command == "echo" then
    local stream <close> = assert(listener:accept())
    local data = assert(stream:recv())
    while data and data ~= "" do
      assert(stream:sendall(data))
      data = stream:recv()
    end
  end -- anything else was left by a take that failed
end
