-- bsdsocket.cqueues, bsdsocket.luv and bsdsocket.copas with the real libraries. What they do is in
-- spec/support/bridges.lua, each scenario in a process of its own.
local helper = require "spec.support.helper"
local bridges = require "spec.support.bridges"
local trace = require "spec.support.trace"

local SLACK <const> = helper.instrumented and 0.5 or 0.02 -- a deadline may be so late

local function command(engine, scenario)
  return ("env SLACK=%g %s"):format(SLACK, helper.command("-W", "-e",
    ("require 'spec.support.bridges'.run(%q, %q)"):format(engine, scenario)))
end

--- What it said, and its status; skips where the engine is not here.
local function run(engine, scenario, before)
  local output, status = helper.shell((before or "") .. command(engine, scenario))
  local missing = output:match "^([^\n]+ is not here)\n$"
  if missing then helper.skip(missing) end
  return output, status
end

local special = {} -- name -> what is to come of it

special["an error in a coroutine that waited goes where the engine has them"] = function(engine, name)
  local output, status = run(engine, name)
  assert.match("here it is", output)
  assert.match("stack traceback:", output)
  if engine == "luv" then -- the traceback is that of the coroutine, and not only of the callback
    assert.match("in function 'error'\n[^\n]*spec/support/bridges.lua:%d+", output)
  end
  assert.not_equal(0, status)
end

special["descriptors that select does not know are an error, and no crash"] = function(engine, name)
  if select(2, helper.shell "ulimit -n 1100") ~= 0 then
    helper.skip "more than 1024 descriptors are not allowed here"
  end
  assert.same({"ok\n", 0}, {run(engine, name, "ulimit -n 1100; ")})
end

local waits = {} -- system calls
for name in ("epoll_wait epoll_pwait epoll_pwait2 select _newselect pselect6 poll ppoll kevent"):gmatch "%S+" do
  waits[name] = true
end

--- While it waits for a second, there is no system call but the engine's own waiting.
function special.idle(engine, name)
  trace.needs()
  local file = helper.tmpname()
  run(engine, name, ("strace -f -o %s "):format(file))
  local lines, began, over = {}, false, false
  for line in io.lines(file) do
    local call = line:match "^%d+ +([%w_]+)%("
    began = began or line:find('(2, "begin', 1, true)
    over = over or began and line:find('"x"', 1, true)
    if began and not over and (waits[call] or lines[1]) then lines[#lines + 1] = line end
  end
  local all = table.concat(lines, "\n")
  assert(lines[1], "nothing was traced")
  for _, line in ipairs(lines) do assert(waits[line:match "^%d+ +([%w_]+)%("], all) end
  -- that of copas itself looks up ten times a second
  if not engine:find "copas" then assert(#lines <= 2, all) end
end

for _, engine in ipairs(bridges.engines) do
  describe("under " .. engine .. " #process", function()
    for _, scenario in ipairs(bridges.scenarios) do
      if not scenario.except[engine] then
        it(scenario.name, function()
          if helper.engine() == "poll" and scenario.unpolled[engine] then helper.skip(helper.NO_DESCRIPTOR) end
          local f = special[scenario.name]
          if f then return f(engine, scenario.name) end
          assert.same({"ok\n", 0}, {run(engine, scenario.name)})
        end)
      end
    end
  end)
end
