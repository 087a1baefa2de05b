-- Draws bench/results.svg from bench/results.json: the data comes from here, what it looks like from
-- bench/plot.gp.
--   lua5.4 bench/plot.lua [results.json [results.svg]]
local json = require "bench.json"
local report = require "bench.report"
local statistics = require "bench.statistics"

local from, to = arg[1] or "bench/results.json", arg[2] or "bench/results.svg"

-- From the upper to the lower within a row; the colours differ for the colour-blind, too.
local LIBRARIES = {
  { "C", "#000000" }, { "bsdsocket", "#d55e00" }, { "LuaSocket", "#0072b2" }, { "luaposix", "#56b4e9" },
  { "cqueues", "#009e73" }, { "luv", "#cc79a7" }, { "copas", "#e69f00" }, { "Python", "#999999" },
}
local PLACES = {}
for i, library in ipairs(LIBRARIES) do PLACES[library[1]] = i end

local file <close> = io.open(from)
if not file then
  io.stderr:write(from, " is not here: `make bench` makes it\n")
  os.exit(1, true)
end
local results = json.decode(file:read "a")

local script = {}
local function say(...) script[#script + 1] = string.format(...) end

--- Text as gnuplot has to be given it.
local function plain(text)
  return (text:gsub("[_^@&~{}]", "\\\\%0"):gsub('"', "'"))
end

-- The ratios that have goals, a row for each: name -> lines of x, low, high, y.
local points, tics, goals, spread, rows = {}, {}, {}, {}, 0

local function add(lists, name, line)
  lists[name] = lists[name] or {}
  table.insert(lists[name], line)
end

local function addrow(figure)
  local ours = "?"
  for _, row in ipairs(figure.rows) do
    if row.name == "C again" then spread[#spread + 1] = ("%g %g %g"):format(row.low, row.high, rows) end
    if row.name == "bsdsocket" then ours = ("%.3f"):format(row.median) end
    local place = PLACES[row.name]
    if place then
      local offset = (place - #LIBRARIES / 2 - 1) / (#LIBRARIES + 0.5)
      add(points, row.name, ("%g %g %g %g"):format(row.median, row.low, row.high, rows + offset))
    end
  end
  local title = plain(figure.title):gsub(": ", "\\n")
  tics[#tics + 1] = ('"%s\\n{/:Bold %s}, goal %.2f" %d'):format(title, ours, figure.goal, rows)
  goals[#goals + 1] = ("%g %g"):format(figure.goal, rows)
  rows = rows + 1
end

-- What a request costs an echo server: name -> lines of connections, microseconds, low, high.
local curves = {}

local function addcurve(workload)
  local scale = 1e6 / workload.count
  for name, values in pairs(workload.rounds) do
    if values.cpu then
      local one = statistics.median(values.cpu)
      add(curves, name, ("%d %g %g %g"):format(workload.connections, one.median * scale, one.low * scale,
        one.high * scale))
    end
  end
end

for _, workload in ipairs(results.workloads) do
  for _, figure in ipairs(report.figures(workload)) do
    if figure.goal then addrow(figure) end
  end
  if workload.connections then addcurve(workload) end
end

--- A block of data, of several parts: gnuplot finds the first as "index 0".
local function block(name, parts)
  for i, part in ipairs(parts) do parts[i] = table.concat(part, "\n") end
  say("$%s << EOD\n%s\nEOD", name, table.concat(parts, "\n\n\n"))
end

--- The block of what each library has, and a word list of their names and colours in turn.
local function libraries(name, lists)
  local words, parts = {}, {}
  for _, library in ipairs(LIBRARIES) do
    if lists[library[1]] then
      words[#words + 1] = library[1] .. " " .. library[2]
      parts[#parts + 1] = lists[library[1]]
    end
  end
  block(name, parts)
  say('%s = "%s"', name, table.concat(words, " "))
end

say('set output "%s"', to)
say("rows = %d", rows)
say('caption = "%s"', plain(("%d rounds, %s, %s, %s"):format(results.rounds, results.machine.processor,
  results.machine.kernel, results.machine.lua)))
say("set ytics (%s)", table.concat(tics, ", "))

block("goals", { goals })
block("spread", { spread })
libraries("points", points)
libraries("curves", curves)
say("load 'bench/plot.gp'")

local gnuplot = io.popen("gnuplot", "w")
gnuplot:write(table.concat(script, "\n"), "\n")
if not gnuplot:close() then
  io.stderr:write "not drawn: gnuplot is not here, or did not like it\n"
  os.exit(1, true)
end
print("drawn in " .. to)
