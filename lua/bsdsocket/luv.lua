--- bsdsocket.luv: calls of bsdsocket wait in coroutines, which the loop of luv resumes (uv.run).
-- Requiring it is enough: it installs itself by socket.setwaiter. What it gives, {wait=, wake=}, is what setwaiter
-- got. An error of a coroutine that the loop has resumed is raised, with its traceback, in luv's callback: luv
-- prints it, and ends the program.
--
-- libuv knows one handle for a descriptor, whoever waits for it. So each descriptor has a place here: a handle, and
-- the array of those who wait. The handle stays when the descriptor is closed, for the next one of that number: the
-- luv of 2022 frees a handle too early that is being closed when the program ends. And since starting and stopping
-- cost libuv a system call each, a handle stays started for what was asked last, until it tells what nobody wants to
-- know.

local uv = require "luv"
local socket = require "bsdsocket"

local bridge = {}

local places = {} -- by descriptor, until that is closed
local handles = {} -- by the number of a descriptor
local timers = {} -- those that are not set

--- One that a program has closed along with all of its own is of no use.
local function usable(handle)
  return handle and not handle:is_closing() and handle
end

local function resume(waiter, ready)
  local thread = waiter.thread
  if not thread or coroutine.status(thread) ~= "suspended" then return end
  waiter.ready = ready
  local ok, message = coroutine.resume(thread)
  if not ok then
    message = debug.traceback(thread, message)
    coroutine.close(thread)
    error(message, 0)
  end
end

--- Lets the handle tell what those who wait want, and no more.
local function ask(place)
  local asked = ""
  for _, event in ipairs {"r", "w"} do
    for _, waiter in ipairs(place) do
      if waiter.events:find(event, 1, true) then
        asked = asked .. event
        break
      end
    end
  end
  place.asked = asked
  if asked ~= "" then
    assert(place.handle:start(asked, place.told))
  elseif usable(place.handle) then
    place.handle:stop()
  end
end

--- The handle tells which of "r" and "w" are true, or that something is wrong with the descriptor: then it has
--- stopped.
local function told(place, failure, events)
  local wanted = false
  if failure then place.asked = "" end
  for i = #place, 1, -1 do -- those who wait again meanwhile are behind
    local waiter = place[i]
    if waiter and (failure or events:find("[" .. waiter.events .. "]")) then
      wanted = true
      resume(waiter, true)
    end
  end
  if not wanted then ask(place) end
end

-- At the end of Lua a handle may be gone before the sockets, and a timer made then would never be. But a place is
-- younger than what it was made for, and goes first.
local place_meta = {__gc = function(self) self.over = true end}

local function placeof(fd)
  local place = places[fd]
  if not place or not usable(place.handle) then
    handles[fd] = usable(handles[fd]) or assert(uv.new_poll(fd))
    place = {handle = handles[fd], asked = ""}
    place.told = function(...) return told(place, ...) end
    places[fd] = setmetatable(place, place_meta)
  end
  return place
end

--- Calls f when so much time has gone by from now, and not from when the loop looked at the clock last.
local function after(seconds, f)
  local timer = usable(table.remove(timers)) or assert(uv.new_timer())
  uv.update_time()
  timer:start(math.ceil(seconds * 1000), 0, f)
  return timer
end

local function release(timer)
  timer:stop()
  timers[#timers + 1] = timer
end

local waiter_meta = {
  --- However the waiting has ended. After `wake` there is no place: the handle may be the next descriptor's.
  __close = function(self)
    local place = self.place
    if place then
      for i = #place, 1, -1 do
        if place[i] == self then table.remove(place, i) end
      end
      if not place[1] then place.handle:unref() end
    end
    if self.timer then release(self.timer) end
    self.thread = nil -- the timer remembers its last function
  end,
}

function bridge.wait(object, events, timeout)
  local place = placeof(object:fileno())
  local waiter <close> = setmetatable({thread = coroutine.running(), place = place, events = events}, waiter_meta)
  place[#place + 1] = waiter
  if not place.asked:find(events, 1, true) then ask(place) end
  place.handle:ref()
  if timeout then waiter.timer = after(timeout, function() resume(waiter, false) end) end
  coroutine.yield()
  return waiter.ready ~= false -- nil: somebody else has resumed it
end

--- The handle must be stopped before its descriptor is closed. Whoever waits goes on in the loop's next turn, after
--- that.
function bridge.wake(object)
  local fd = object:fileno()
  local place = places[fd]
  if not place or place.over then return end
  places[fd] = nil
  local list = table.move(place, 1, #place, 1, {})
  for i, waiter in ipairs(list) do place[i], waiter.place = nil, nil end
  ask(place)
  if not list[1] then return end
  local timer
  timer = after(0, function()
    release(timer)
    for _, waiter in ipairs(list) do resume(waiter, true) end
  end)
end

socket.setwaiter(bridge.wait, bridge.wake)

return bridge
