--- bsdsocket.copas: calls of bsdsocket wait in coroutines of copas, whose loop resumes them.
-- Requiring it is enough: it installs itself by socket.setwaiter. What it gives, {wait=, wake=}, is what setwaiter
-- got. It needs copas 4; the one of 2009 has no timers, and a call under a timeout raises an error there.
--
-- copas.receive and copas.send take what looks like a socket of LuaSocket: they ask it, and when it says "timeout"
-- they wait until LuaSocket's select finds its descriptor ready, and ask again. So each wait makes such an object.

local copas = require "copas"
local luasocket = require "socket"
local socket = require "bsdsocket"

local bridge = {}

local MOST = luasocket._SETSIZE or 1024 -- select knows the descriptors below
local sleep = copas.pause or copas.sleep

-- A descriptor that is always ready, for those whose waiting is over before their own is.
local ready, other = assert(socket.socketpair())
other:close()

local waiting = setmetatable({}, {__mode = "k"}) -- object -> set of those who wait for it

local waiter_meta = {
  __index = {
    getfd = function(self) return self.over and ready:fileno() or self.object:fileno() end,
    dirty = function() return false end,
    close = function() end, -- the old copas closes what a coroutine waited for last, when that ends
    receive = function(self)
      if self.asked then return true end
      self.asked = true
      return nil, "timeout", 0
    end,
  },
  --- However the waiting has ended.
  __close = function(self)
    self.over = true
    self.set[self] = nil
    if self.timer then copas.removethread(self.timer) end
  end,
}
waiter_meta.__index.send = waiter_meta.__index.receive

local function expire(waiter, deadline)
  local left = deadline - socket.monotime()
  while left > 0 do -- copas looks at another clock
    sleep(left)
    left = deadline - socket.monotime()
  end
  waiter.late, waiter.over = not waiter.over, true
end

function bridge.wait(object, events, timeout)
  if timeout and timeout > 0 and not copas.removethread then
    error("this copas has no timers: a call under a timeout cannot wait in a coroutine of it, that needs copas 4", 0)
  end
  -- copas waits for one or the other; a poller is readable when either is true
  local either <close> = events == "rw" and assert(assert(socket.poller()):add(object, "rw")) or nil
  local waiter <close> = setmetatable({object = either or object, set = waiting[object] or {}}, waiter_meta)
  local fd = waiter:getfd()
  if not fd then
    error("copas cannot wait for this here: the engine of this system, poll, has no descriptor", 0)
  elseif fd >= MOST then
    error(("copas waits by LuaSocket's select, which knows no descriptor beyond %d: this is %d"):format(
      MOST - 1, fd), 0)
  end
  waiting[object] = waiter.set
  waiter.set[waiter] = true
  if timeout == 0 then -- it is only the others' turn
    waiter.over = true
  elseif timeout then
    waiter.timer = copas.addthread(expire, waiter, socket.monotime() + timeout)
  end
  copas[events == "w" and "send" or "receive"](waiter, 1)
  return not waiter.late
end

--- Whoever waits goes on in copas's next step.
function bridge.wake(object)
  for waiter in pairs(waiting[object] or {}) do waiter.over = true end
end

socket.setwaiter(bridge.wait, bridge.wake)

return bridge
