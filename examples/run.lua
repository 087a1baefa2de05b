-- run.lua: runs the numbered examples one after the other, and fails if one of them fails. `make examples`
-- runs it. Each example says in one comment line how it is run so that it ends by itself:
--
--   -- run: 127.0.0.1 0 3      with these arguments (often none)
--   -- run by: demo.lua        together with others, by that script
--
-- `lua5.4 examples/run.lua 03_udp.lua` runs this one only.

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local here = arg[0]:match "^.*/" or ""
local child = dofile(here .. "child.lua")

local SECONDS = 60 -- for each

local function examples()
  if arg[1] then return arg end
  local list <close> = assert(io.popen("cd " .. child.quote(here == "" and "." or here) .. " && ls [0-9][0-9]_*.lua"))
  local names = {}
  for name in list:lines() do names[#names + 1] = name end
  return names
end

-- The script that runs an example, and its arguments.
local function how(name)
  for line in io.lines(here .. name) do
    local arguments = line:match "^%-%- run:(.*)$"
    if arguments then return name, arguments end
    local script = line:match "^%-%- run by: (%S+)$"
    if script then return script, "" end
  end
  error(name .. " does not say how to run it: it needs a line '-- run:' or '-- run by:'", 0)
end

local function run(script, arguments)
  print("== " .. script .. arguments)
  local program <close> = child.start(child.quote(arg[-1]) .. " " .. child.quote(here .. script) .. arguments)
  local deadline = socket.monotime() + SECONDS
  local line, why = program:line(deadline)
  while line do
    print(line)
    line, why = program:line(deadline)
  end
  if why then error(("%s did not end within %g s"):format(script, SECONDS), 0) end
  local status = program:wait()
  if status ~= 0 then error(("%s ended with status %d"):format(script, status), 0) end
end

local function main()
  local done = {}
  for _, name in ipairs(examples()) do
    local script, arguments = how(name)
    if not done[script .. arguments] then run(script, arguments) end
    done[script .. arguments] = true
  end
end

io.stdout:setvbuf "line"
local ok, message = pcall(main)
if not ok and tostring(message):find "interrupted!" then os.exit(130, true) end -- Ctrl-C
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1, true)
end
