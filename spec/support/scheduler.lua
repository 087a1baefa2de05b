-- A scheduler for socket.setwaiter in a few lines: coroutines that wait are on its list, and select tells which are
-- ready. `asked` is what it was given to wait for, `woken` the descriptors that it was told of.
local socket = require "bsdsocket"

return function()
  local self = {asked = {}, woken = {}}
  local list, old = {}, {} -- old: of the step that is under way

  function self.wait(object, events, timeout)
    local waiter = {co = coroutine.running(), fd = object:fileno(), object = object, events = events}
    waiter.till = timeout and socket.monotime() + timeout or math.huge
    self.asked[#self.asked + 1] = waiter
    waiter.timeout = timeout
    list[#list + 1] = waiter
    return coroutine.yield()
  end

  function self.wake(object)
    self.woken[#self.woken + 1] = object:fileno()
    for _, each in ipairs { list, old } do
      for _, waiter in ipairs(each) do
        if waiter.object == object then waiter.over = true end
      end
    end
  end

  --- The others go on first.
  function self.pause(seconds)
    list[#list + 1] = {co = coroutine.running(), events = "", till = seconds and socket.monotime() + seconds or 0}
    coroutine.yield()
  end

  function self.resume(co, ...)
    if coroutine.status(co) ~= "suspended" then return end -- closed meanwhile
    local ok, err = coroutine.resume(co, ...)
    if not ok then error(debug.traceback(co, err), 0) end
  end

  function self.spawn(f)
    local co = coroutine.create(f)
    self.resume(co)
    return co
  end

  --- One of those who wait goes on, or several do.
  function self.step()
    local readers, writers, till = {}, {}, math.huge
    for _, waiter in ipairs(list) do
      if waiter.over then
        till = 0
      else
        if waiter.events:find "r" then readers[#readers + 1] = waiter.fd end
        if waiter.events:find "w" then writers[#writers + 1] = waiter.fd end
        till = math.min(till, waiter.till)
      end
    end
    local readable, writable = assert(socket.select(readers, writers, math.max(0, till - socket.monotime())))
    local ready = {r = {}, w = {}}
    for _, fd in ipairs(readable) do ready.r[fd] = true end
    for _, fd in ipairs(writable) do ready.w[fd] = true end
    old, list = list, {}
    local now = socket.monotime()
    for _, waiter in ipairs(old) do
      local isready = waiter.over or waiter.events:find "r" and ready.r[waiter.fd]
        or waiter.events:find "w" and ready.w[waiter.fd] or false
      if isready or now >= waiter.till then
        self.resume(waiter.co, isready)
      else
        list[#list + 1] = waiter
      end
    end
    old = {}
  end

  function self.run()
    while list[1] do self.step() end
  end

  return self
end
