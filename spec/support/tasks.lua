-- What specs of bsdsocket.loop need: tasks whose failures are the spec's own, and marks of what ran when.
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"

local tasks = {}

local SECONDS = 60 -- what takes longer hangs

--- loop.run(f, ...), which fails when it hangs.
function tasks.run(f, ...)
  return loop.run(function(...)
    local ended = false
    local function tell(...)
      ended = true
      return ...
    end
    local results = table.pack(loop.timeout(SECONDS, function(...) return tell(f(...)) end, ...))
    if not ended then error(("still waiting after %d s"):format(SECONDS), 0) end
    return table.unpack(results, 1, results.n)
  end, ...)
end

--- The results of the task, whose error is raised.
function tasks.join(task)
  local results = table.pack(task:join())
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs each function in a task of its own, until all have ended; the first error is raised.
function tasks.all(...)
  local list = {}
  for i, f in ipairs { ... } do list[i] = loop.spawn(f) end
  for _, task in ipairs(list) do tasks.join(task) end
end

--- Lets every other task run until it waits.
function tasks.settle()
  for _ = 1, 5 do loop.sleep(0) end
end

--- A task that does nothing but run again and again; `ticks.n` tells how often. `ticks:cancel()` ends it.
function tasks.ticks(seconds)
  local ticks = { n = 0 }
  local task = loop.spawn(function()
    while true do
      loop.sleep(seconds or 0)
      ticks.n = ticks.n + 1
    end
  end)
  function ticks.cancel() return task:cancel() end
  return ticks
end

--- A log, and a maker of variables to be closed that write their name into it.
function tasks.log()
  local log = {}
  return log, function(name, f)
    return setmetatable({}, { __close = function(_, err)
      log[#log + 1] = name
      if f then f(err) end
    end })
  end
end

--- What the code says in a Lua of its own, where `socket` and `loop` are there, errors too; and its exit status.
function tasks.lua(code, ...)
  return helper.lua(helper.saved("local socket, loop = require 'bsdsocket', require 'bsdsocket.loop'\n", code), ...)
end

return tasks
