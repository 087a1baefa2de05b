-- Prints the figures of a run: what the medians are, how sure they are, and which goals are met.
--   lua5.4 bench/report.lua [bench/results.json]
local statistics = require "bench.statistics"

local report = {}

-- What is compared with C by its ratio, and how its row is called.
local RATIOS = { { value = "seconds", goal = "goal", suffix = "" },
  { value = "cpu", goal = "cpugoal", suffix = ": processor time of the server" } }

local REFERENCE, OURS = "C", "bsdsocket"

--- The figures of a workload, each {title, unit, goal, most, met, rows = {{name, median, low, high}, ...}}, the
--- rows from the best to the worst.
function report.figures(workload)
  local list = {}
  local rounds = workload.rounds
  local function figure(title, unit, value, goal, most, of)
    local rows, met = {}, nil
    for name, values in pairs(rounds) do
      if values[value] and name ~= REFERENCE then
        local row = of(values[value])
        row.name = name
        rows[#rows + 1] = row
        if name == OURS and goal then met = row.high >= goal end
        if name == OURS and most then met = row.low <= most end
      end
    end
    if #rows == 0 then return end
    table.sort(rows, function(a, b)
      if a.median ~= b.median then return (a.median > b.median) == not most end
      return a.name < b.name
    end)
    list[#list + 1] = { title = title, value = value, unit = unit, goal = goal, most = most, met = met, rows = rows }
  end
  for _, r in ipairs(RATIOS) do
    local reference = rounds[REFERENCE] and rounds[REFERENCE][r.value]
    if reference then
      figure(workload.title .. r.suffix, "of C's speed", r.value, workload[r.goal], nil,
        function(values) return statistics.ratio(reference, values) end)
    end
  end
  for value, most in pairs(workload.most or {}) do
    figure(workload.title, value, value, nil, most, statistics.median)
  end
  return list
end

local function verdict(figure)
  local wanted = figure.goal and ("goal >= %g"):format(figure.goal)
    or figure.most and ("goal <= %g"):format(figure.most)
  return not wanted and "" or wanted .. (figure.met == nil and "" or figure.met and ": met" or ": MISSED")
end

--- Prints one workload.
function report.print(workload)
  for _, figure in ipairs(report.figures(workload)) do
    print(("\n%s, %s   %s"):format(figure.title, figure.unit, verdict(figure)))
    for _, row in ipairs(figure.rows) do
      local places = figure.most and "%.4g" or "%.3f"
      print(("  %-12s " .. places .. "   " .. places .. " .. " .. places):format(row.name, row.median, row.low,
        row.high))
    end
  end
end

--- Prints which goals are met.
function report.summary(results)
  local met, missed = 0, {}
  for _, workload in ipairs(results.workloads) do
    for _, figure in ipairs(report.figures(workload)) do
      if figure.met then met = met + 1 end
      if figure.met == false then missed[#missed + 1] = figure.title end
    end
  end
  print(("\nMedians of %d rounds; beside each its %g %% interval, by order statistics. \"C again\" is the same\n"
    .. "program once more: so much is chance. A goal is met when the interval of bsdsocket reaches it."):format(
    results.rounds, statistics.CONFIDENCE * 100))
  print(("%d goals met, %d missed%s%s"):format(met, #missed, #missed > 0 and ": " or "", table.concat(missed, "; ")))
end

if arg and arg[0]:find "report%.lua$" then
  local file <close> = assert(io.open(arg[1] or "bench/results.json"))
  local results = require "bench.json".decode(file:read "a")
  for _, workload in ipairs(results.workloads) do report.print(workload) end
  report.summary(results)
end

return report
