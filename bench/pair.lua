-- Runs one round: the program that is measured, and its counterpart. What they say and how they end is here;
-- what they do is in their own files.
local here = require "bench.here"

local pair = {}

local LIMIT = 60 -- seconds; after that both are ended

--- The pid and a pipe with the output of a program. `prefix` is the start of a command, as "taskset -c 1 ".
local function start(prefix, command)
  -- the shell says its process id, and then becomes the program
  local pipe = assert(io.popen(("ulimit -n $(ulimit -Hn); exec timeout %d %ssh -c 'echo $$; exec %s'"):format(
    LIMIT, prefix, command)))
  return pipe:read "l", pipe
end

--- One round of a workload: what was measured, name -> number; or nil and what failed. `count` is how often it
--- is done, `pin` the start of a command for both programs, `prefix` one for the measured program only.
function pair.run(workload, command, count, pin, prefix)
  local work = (" %s %d "):format(workload.work or workload.name, count)
  local counterpart = here.BUILD .. "/bench/counterpart" .. work
  local said, ok = "", nil
  if workload.alone then
    local _, pipe = start(pin .. (prefix or ""), command .. work)
    said = pipe:read "a"
    ok = pipe:close()
  elseif workload.server then
    local pid, subject = start(pin .. (prefix or ""), command .. work)
    local place = subject:read "l"
    if place then
      local _, pipe = start(pin, ("%s %s %s %d"):format(counterpart, place, pid, workload.connections or 0))
      said = pipe:read "a"
      ok = pipe:close()
    end
    if not ok then os.execute("kill " .. pid .. " 2>/dev/null") end
    ok = (subject:close() or workload.endless) and ok
  else
    local pid, pipe = start(pin, counterpart)
    local place = pipe:read "l"
    if place then
      local _, subject = start(pin .. (prefix or ""), command .. work .. place)
      subject:read "a"
      ok = subject:close()
      if not ok then os.execute("kill " .. pid .. " 2>/dev/null") end
    end
    said = pipe:read "a"
    ok = pipe:close() and ok
  end
  if not ok then return nil, command .. work .. "failed" end
  local values = {}
  for name, value in said:gmatch "(%a+) ([%d.]+)" do values[name] = tonumber(value) end
  return values
end

return pair
