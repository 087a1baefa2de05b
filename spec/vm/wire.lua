-- What both machines of spec/vm/wire_spec.lua have to agree on.
local socket = require "bsdsocket"
local vm = require "spec.vm.vm"

local wire = {
  LOSS = "loss 20%",
  PEER = { type = 19999, instance = 1 },
  LISTENER = { type = 19999, instance = 2 },
  COUNT = 500,
  SIZE = 1200, -- too long for two of them to share a packet
}

--- Gives TIPC the wire.
function wire.join()
  vm.run "tipc bearer enable media eth device eth0"
end

--- Waits until somebody in the network offers the service; gives the address of that socket. TIPC tells.
function wire.await(service, seconds)
  local s <close> = assert(vm.socket("AF_TIPC", "SOCK_SEQPACKET"):connect(vm.tipc {
    type = socket.TIPC_TOP_SRV, instance = socket.TIPC_TOP_SRV }))
  -- struct tipc_subscr: type, lower, upper, timeout in ms, filter, handle
  assert(s:send(("=I4 I4 I4 I4 I4 c8"):pack(service.type, service.instance, service.instance, seconds * 1000,
    socket.TIPC_SUB_SERVICE, "")))
  -- struct tipc_event begins: what happened, to which instances, by which socket
  local event, _, _, ref, node = ("=I4 I4 I4 I4 I4"):unpack(assert(s:settimeout(seconds + 10):recv()))
  assert(event == socket.TIPC_PUBLISHED, "nobody offers it")
  return vm.tipc { ref = ref, node = node }
end

function wire.give(s, whom)
  for i = 1, wire.COUNT do assert(s:sendto(vm.data(i, wire.SIZE), whom)) end
end

--- Takes them; tells in words whether they are all there, in order, intact, and from whom they had to be.
function wire.take(s, whom)
  local timeout = s:gettimeout()
  s:settimeout(60)
  for i = 1, wire.COUNT do
    local data, from = s:recvfrom()
    if not data then return ("datagram %d: %s"):format(i, from) end
    if data ~= vm.data(i, wire.SIZE) then return ("datagram %d is another one or damaged"):format(i) end
    if from ~= whom then return ("datagram %d is from somebody else"):format(i) end
  end
  s:settimeout(timeout)
  return ("%d of %d in order, intact, and from their sender"):format(wire.COUNT, wire.COUNT)
end

return wire
