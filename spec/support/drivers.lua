-- The ways in which calls of several coroutines wait side by side, for specs of what holds in all of them. Each has
-- run(f), which fails when it hangs; inside of f: spawn(f, ...) gives a handle, join(handle) the results or the error,
-- cancel(handle), settle(), by which every other goes on until it waits.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local scheduler = require "spec.support.scheduler"
local tasks = require "spec.support.tasks"

local drivers = {}

drivers[1] = {
  name = "in tasks", run = tasks.run, spawn = loop.spawn, join = tasks.join, settle = tasks.settle,
  cancel = function(task) return task:cancel() end,
}

drivers[2] = setmetatable({
  name = "in loop.wrap", spawn = function(f, ...) return loop.spawn(loop.wrap(f), ...) end,
}, { __index = drivers[1] })

local SECONDS = 60 -- what takes longer hangs

local function setwaiter()
  local s
  local driver = { name = "under setwaiter" }

  function driver.spawn(f, ...)
    local handle, args = {}, table.pack(...)
    handle.co = s.spawn(function() handle.results = table.pack(pcall(f, table.unpack(args, 1, args.n))) end)
    return handle
  end

  function driver.join(handle)
    local till = socket.monotime() + SECONDS
    while not handle.results do
      assert(socket.monotime() < till, "still waiting")
      s.pause(0.001)
    end
    if not handle.results[1] then error(handle.results[2], 0) end
    return table.unpack(handle.results, 2, handle.results.n)
  end

  function driver.settle()
    for _ = 1, 5 do s.pause() end
  end

  function driver.cancel(handle)
    if handle.results then return false end
    return coroutine.close(handle.co)
  end

  function driver.run(f)
    s = scheduler()
    socket.setwaiter(s.wait, s.wake)
    local main = driver.spawn(f)
    local ok, err = pcall(function()
      while not main.results do s.step() end
    end)
    socket.setwaiter(nil)
    if not ok then error(err, 0) end
    if not main.results[1] then error(main.results[2], 0) end
  end

  return driver
end

drivers[3] = setwaiter()

return drivers
