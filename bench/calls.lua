-- Counts the system calls of one operation of each workload, by strace, and compares those of this library with
-- those of the C reference; `make bench-calls` runs it, and WORKLOAD=x takes only some. A count is (those of 2 n
-- operations - those of n) / n: what start and end cost cancels out.
local config = require "bench.workloads"
local here = require "bench.here"
local pair = require "bench.pair"

local SLACK = 0.03
local TRIES = 3 -- in how many pieces a stream arrives is chance, for C too

-- Where memory comes from is the business of Lua and of malloc.
local memory = { brk = true, mmap = true, munmap = true, mremap = true, madvise = true }

--- Name of a call -> how often, of a whole run; nil and what failed.
local function count(workload, library, n, pin)
  local name = os.tmpname()
  local values, message = pair.run(workload, library.command, n, pin, "strace -f -c -o " .. name .. " ")
  local counts = {}
  for line in io.lines(name) do
    -- % time, seconds, usecs/call, calls, errors (or nothing), syscall
    local calls, call = line:match "^%s*[%d.]+%s+[%d.]+%s+%d+%s+(%d+)%s+%d*%s*([%w_]+)$"
    if calls and call ~= "total" and not memory[call] then counts[call] = tonumber(calls) end
  end
  os.remove(name)
  return values and counts, message
end

--- Name of a call -> how often for one operation, and their sum; nil and what failed.
local function each(workload, library, pin)
  local n = workload.few
  local once, message = count(workload, library, n, pin)
  local twice
  if once then twice, message = count(workload, library, 2 * n, pin) end
  if not twice then return nil, message end
  local result, sum = {}, 0
  for call, calls in pairs(twice) do
    result[call] = (calls - (once[call] or 0)) / n
    sum = sum + result[call]
  end
  return result, sum
end

local function show(name, counts, sum, verdict)
  local parts = {}
  for call, n in pairs(counts) do
    if math.abs(n) >= sum / 1000 then parts[#parts + 1] = ("%s %.4g"):format(call, n) end
  end
  table.sort(parts)
  print(("  %-10s %8.4g   %s%s"):format(name, sum, table.concat(parts, ", "), verdict))
end

local passed, failed, skipped = 0, 0, 0
local pin = here.pin()
local c, ours
for _, library in ipairs(config.libraries) do
  if library.name == "C" then c = here.library(library) end
  if library.name == "bsdsocket" then ours = here.library(library) end
end

if here.output "strace -o /dev/null true" then
  for _, workload in ipairs(config.workloads) do
    if workload.few and here.wanted(workload.name, "WORKLOAD") and here.can(ours, workload) then
      print(workload.title)
      local wanted, sum, counts, oursum, good
      for _ = 1, TRIES do
        wanted, sum = each(workload, c, pin)
        counts, oursum = each(workload, ours, pin)
        good = wanted and counts and oursum <= sum * (1 + SLACK)
        if good then break end
      end
      if wanted and counts then
        passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
        show("C", wanted, sum, "")
        show("bsdsocket", counts, oursum, good and "" or "   FAILED: more than C's")
      else
        failed = failed + 1
        print("  FAILED: " .. (wanted and oursum or sum))
      end
    end
  end
else
  print "1 skipped: strace is not here, or may not look at other processes"
  skipped = 1
end

print(("\n%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0, true)
