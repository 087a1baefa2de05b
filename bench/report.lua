-- Prints the figures of a run: what the medians are, how sure they are, and which goals are met.
--   lua5.4 bench/report.lua [bench/results.json]
local statistics = require "bench.statistics"

local report = {}

-- What is compared with C by its ratio, and how its row is called.
local RATIOS = { { value = "seconds", goal = "goal", suffix = "" },
  { value = "cpu", goal = "cpugoal", suffix = ": processor time" } }

-- Where C is farther from itself than this, from one end of the interval to the other, the machine was not quiet,
-- and an interval of ours that reaches the goal says nothing.
local NOISE = 0.1

local REFERENCE, AGAIN, OURS = "C", "C again", "bsdsocket"

local function named(rows, name)
  for _, row in ipairs(rows) do
    if row.name == name then return row end
  end
end

--- Whether a goal is met: "met", "MISSED" or "noise"; nil where there is no goal, or nothing to judge.
local function verdict(rows, goal, most)
  local ours, again = named(rows, OURS), named(rows, AGAIN)
  if not ours or not (goal or most) then return nil end
  if most then return ours.low <= most and "met" or "MISSED" end
  if ours.high < goal then return "MISSED" end
  if ours.low < goal and again and again.high - again.low > NOISE then return "noise" end
  return "met"
end

--- The figures of a workload, each {title, value, goal, most, verdict, rows = {{name, median, low, high}, ...}}, the
--- rows from the best to the worst.
function report.figures(workload)
  local list = {}
  local rounds = workload.rounds
  local function figure(title, value, goal, most, of)
    local rows = {}
    for name, values in pairs(rounds) do
      if values[value] and name ~= REFERENCE then
        local row = of(values[value])
        row.name = name
        rows[#rows + 1] = row
      end
    end
    if #rows == 0 then return end
    table.sort(rows, function(a, b)
      if a.median ~= b.median then return (a.median > b.median) == not most end
      return a.name < b.name
    end)
    list[#list + 1] = { title = title, value = value, goal = goal, most = most,
      verdict = verdict(rows, goal, most), rows = rows }
  end
  for _, r in ipairs(RATIOS) do
    local reference = rounds[REFERENCE] and rounds[REFERENCE][r.value]
    if reference then
      figure(workload.title .. r.suffix, r.value, workload[r.goal], nil,
        function(values) return statistics.ratio(reference, values) end)
    end
  end
  for value, most in pairs(workload.most or {}) do
    figure(workload.title .. ", " .. value, value, nil, most, statistics.median)
  end
  return list
end

local function wanted(figure)
  local goal = figure.goal and ("%.2f"):format(figure.goal) or figure.most and ("<= %g"):format(figure.most) or ""
  return goal .. (figure.verdict and " " .. figure.verdict or "")
end

local function range(figure, row)
  return ((figure.most and "%.4g %.4g..%.4g" or "%.3f %.3f..%.3f"):format(row.median, row.low, row.high))
end

--- Prints one workload: every library, from the best to the worst.
function report.print(workload)
  for _, figure in ipairs(report.figures(workload)) do
    print(("\n%s%s   %s"):format(figure.title, figure.most and "" or " (C = 1)", wanted(figure)))
    for _, row in ipairs(figure.rows) do print(("  %-12s %s"):format(row.name, range(figure, row))) end
  end
end

local function bestpeer(figure)
  for _, row in ipairs(figure.rows) do
    if row.name ~= OURS and row.name ~= AGAIN then return row end
  end
end

--- Prints a line for each figure: this library, how far C is from itself, the goal, and the best of the others.
function report.summary(results)
  local line = "%-56s %-20s %-20s %-12s %s"
  print("\n" .. line:format("median and interval of " .. results.rounds .. " rounds", OURS, "C against itself", "goal",
    "best of the others"))
  local count = { met = 0, MISSED = 0, noise = 0 }
  for _, workload in ipairs(results.workloads) do
    for _, figure in ipairs(report.figures(workload)) do
      local ours, again, peer = named(figure.rows, OURS), named(figure.rows, AGAIN), bestpeer(figure)
      print(line:format(figure.title, ours and range(figure, ours) or "", again and range(figure, again) or "",
        wanted(figure), peer and ("%s " .. (figure.most and "%.4g" or "%.3f")):format(peer.name, peer.median) or ""))
      if figure.verdict then count[figure.verdict] = count[figure.verdict] + 1 end
    end
  end
  print(("\nRatios are C's time divided by the other's in the same round: 1 is as fast as C, more is faster. The\n"
    .. "interval holds the true median with %g %% (by order statistics); a goal is met when it reaches it."):format(
    statistics.CONFIDENCE * 100))
  print(("%d goals met, %d missed, %d not to be told: there C itself varied too much."):format(count.met,
    count.MISSED, count.noise))
end

if arg and arg[0]:find "report%.lua$" then
  local file <close> = assert(io.open(arg[1] or "bench/results.json"))
  local results = require "bench.json".decode(file:read "a")
  for _, workload in ipairs(results.workloads) do report.print(workload) end
  report.summary(results)
end

return report
