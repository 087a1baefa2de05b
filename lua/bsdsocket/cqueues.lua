--- bsdsocket.cqueues: calls of bsdsocket wait in coroutines of cqueues, as the sockets of cqueues itself do.
-- Requiring it is enough: it installs itself by socket.setwaiter. What it gives, {wait=, wake=}, is what setwaiter
-- got.

local cqueues = require "cqueues"
local socket = require "bsdsocket"

local bridge = {}

--- Outside of a controller the call blocks, as if this were not here.
function bridge.wait(object, events, timeout)
  if not cqueues.running() then return nil end
  timeout = timeout or math.huge
  return cqueues.poll({pollfd = object:fileno(), events = events}, timeout) ~= timeout
end

--- Whoever waits for the descriptor goes on when its controller steps, and no registration is left.
function bridge.wake(object)
  cqueues.cancel(object:fileno())
end

socket.setwaiter(bridge.wait, bridge.wake)

return bridge
