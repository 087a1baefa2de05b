-- What there is on this machine: the names of its programs, the libraries, one processor to tie programs to.
local config = require "bench.workloads"

local here = {
  LUA = os.getenv "LUA" or "lua5.4",
  BUILD = os.getenv "BSDSOCKET_BUILD" or "build",
}

--- The value of a variable of the environment, nil if it is empty.
function here.variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- Whether a name holds the pattern that a variable of the environment gives, if it gives one.
function here.wanted(name, variable)
  return name:lower():find((here.variable(variable) or ""):lower()) ~= nil
end

--- The output of a shell command without its last newline, nil if it failed.
function here.output(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>/dev/null"))
  local text = pipe:read "a"
  return pipe:close() and text:gsub("\n$", "") or nil
end

--- Debian's Python, where there is one: others on the path are often built otherwise.
here.PYTHON = here.output "ls /usr/bin/python3" or "python3"

--- The start of a command for a program on one processor, and which that is; "" where it cannot be had.
function here.pin()
  local core = here.variable "CORE" or ("%d"):format(tonumber(here.output "nproc" or "1") - 1)
  local pin = "taskset -c " .. core .. " "
  if here.output(pin .. "true") then return pin, tonumber(core) end
  print "nothing can be tied to one processor here (taskset): the figures are worth little"
  return "", "any"
end

--- A library of bench/workloads.lua as it is here: its command, version, and `can`, the set of workloads that it
--- can do; nil where it is not.
function here.library(library)
  for _, template in ipairs { library.command, library.instead } do
    local command = template:gsub("%u+", here)
    local text = here.output(command .. " about")
    if text then
      local can = {}
      for name in text:gmatch "\n([%w_]+)" do can[name] = true end
      return { name = library.name, command = command, version = text:match "^[^\n]*", can = can,
        connections = library.connections or math.huge }
    end
  end
end

--- Those that are here and are wanted, in the order of the table; the first three, C and this library, always.
function here.libraries()
  local list = {}
  for i, library in ipairs(config.libraries) do
    if i <= 3 or here.wanted(library.name, "LIBRARY") then
      list[#list + 1] = here.library(library) or print(library.name .. " is not here")
    end
  end
  return list
end

--- As many descriptors as a process may have; pair.lua raises the soft limit to it.
local descriptors = tonumber(here.output "ulimit -Hn") or math.huge
local SPARE = 100

--- Whether a library can do a workload.
function here.can(library, workload)
  local connections = workload.connections or 0
  return library.can[workload.work or workload.name] and connections <= library.connections
    and connections + SPARE <= descriptors
end

--- How many operations a round has; where both ends of every connection are in one process, as many as fit.
function here.count(workload)
  return workload.alone and math.min(workload.count, (descriptors - SPARE) // 2) or workload.count
end

function here.machine()
  local cpuinfo = io.open "/proc/cpuinfo"
  local processor = cpuinfo and cpuinfo:read "a":match "model name%s*:%s*([^\n]*)"
  if cpuinfo then cpuinfo:close() end
  return {
    kernel = here.output "uname -srm", processor = processor or "unknown",
    processors = tonumber(here.output "nproc"), lua = here.output(here.LUA .. " -v"):match "^Lua [%d.]+",
    compiler = here.output "${CC:-cc} --version | sed 1q",
    commit = here.output "git rev-parse HEAD" or "unknown",
    changed = here.output "git status --porcelain -uno" ~= "",
    date = os.date "!%Y-%m-%dT%H:%M:%SZ",
  }
end

return here
