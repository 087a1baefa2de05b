-- The benchmark: `make bench` runs it. Every workload goes round by round through C, through this library and
-- through its peers, all in the same minutes, so that what disturbs the machine disturbs all alike. Only the raw
-- values are kept (bench/results.json); bench/report.lua and bench/plot.lua make figures of them. The environment
-- tells it:
--
--   ROUNDS=15              of each workload
--   WORKLOAD=x LIBRARY=y   only those whose names hold these patterns of Lua's; C and this library always
--   CORE=1                 the processor that both programs are tied to
--   RESULTS=file           where the values go; a run that is not complete keeps them only if this is said
local config = require "bench.workloads"
local here = require "bench.here"
local json = require "bench.json"
local pair = require "bench.pair"
local report = require "bench.report"

local ROUNDS = tonumber(here.variable "ROUNDS") or 15

--- All rounds of a workload: library -> name of a value -> array, one for each round. A library that fails once
--- is out. The one that begins is another one in each round.
local function measure(workload, libraries, pin)
  local taking, rounds = {}, {}
  for _, library in ipairs(libraries) do
    if here.can(library, workload) then
      taking[#taking + 1] = library
      rounds[library.name] = {}
    end
  end
  for round = 1, ROUNDS do
    for i = 1, #taking do
      local library = taking[(round + i) % #taking + 1]
      local all = rounds[library.name]
      local values, message = {}, nil
      if all then values, message = pair.run(workload, library.command, here.count(workload), pin) end
      if not values then
        io.stderr:write(message, "\n")
        rounds[library.name] = nil
      end
      for name, value in pairs(values or {}) do
        all[name] = all[name] or {}
        all[name][round] = value
      end
    end
  end
  return rounds
end

local libraries = here.libraries()
local pin, core = here.pin()
local results = { machine = here.machine(), rounds = ROUNDS, core = core, libraries = {}, workloads = {} }
for _, library in ipairs(libraries) do results.libraries[library.name] = library.version end

for _, workload in ipairs(config.workloads) do
  if here.wanted(workload.name, "WORKLOAD") then
    local result = { rounds = measure(workload, libraries, pin) }
    for key, value in pairs(workload) do result[key] = value end
    results.workloads[#results.workloads + 1] = result
    report.print(result)
  end
end
report.summary(results)

local complete = not here.variable "WORKLOAD" and not here.variable "LIBRARY" and ROUNDS >= 15
local name = here.variable "RESULTS" or complete and "bench/results.json"
if name then
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(json.encode(results)))
  file:close()
  print("kept in " .. name)
  os.execute(('%s bench/plot.lua "%s" "%s"'):format(here.LUA, name, name:gsub("%.json$", "") .. ".svg"))
else
  print "not kept: the run was not complete"
end
