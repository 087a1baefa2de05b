-- demo.lua: the server of 01_server.lua and the client of 02_client.lua talk for five rounds, and what both
-- print is shown in the order in which one thing leads to the next. `make demo` runs it. It succeeds only if
-- every answer came back right.

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local here = arg[0]:match "^.*/" or ""
local child = dofile(here .. "child.lua")

local ROUNDS, SECONDS = 5, 20
local deadline = socket.monotime() + SECONDS

local function start(script, host, port)
  local words = {child.quote(arg[-1]), child.quote(here .. script), host, port, ROUNDS}
  return child.start(table.concat(words, " "))
end

-- Shows the next line of a side, which has to match the pattern; gives what the pattern captures.
local function hear(side, name, pattern)
  local line, why = side:line(deadline)
  if not line then error(("the %s is silent (%s)"):format(name, why or "it has ended"), 0) end
  local step, rest = line:match "^([^\t]*)\t?(.*)$"
  print((("%s | %-8s %s"):format(name, step, rest):gsub(" +$", "")))
  return line:match("^" .. pattern .. "$") or error(("the %s should have said '%s'"):format(name, pattern), 0)
end

local function main()
  local server <close> = start("01_server.lua", "127.0.0.1", 0)
  local at = hear(server, "server", "socket, bind, listen\t(127%.0%.0%.1:%d+)")
  local client <close> = start("02_client.lua", "localhost", at:match "%d+$")

  for _ = 1, ROUNDS do
    hear(server, "server", "accept\twaiting for a client")
    hear(client, "client", "socket")
    local from = hear(client, "client", "connect\t(127%.0%.0%.1:%d+) to " .. at)
    hear(server, "server", "accept\t" .. from .. " came")
    hear(client, "client", "send\thihihi")
    hear(server, "server", "recv\thihihi")
    hear(server, "server", "send\thello, " .. from)
    hear(client, "client", "recv\thello, " .. from)
    hear(server, "server", "close\tconnection")
    hear(client, "client", "close")
  end

  for name, side in pairs {server = server, client = client} do
    local more, why = side:line(deadline)
    if more or why then error(("the %s does not end: %s"):format(name, more or why), 0) end
    local status = side:wait()
    if status ~= 0 then error(("the %s ended with status %d"):format(name, status), 0) end
  end
end

io.stdout:setvbuf "line"
local ok, message = pcall(main)
if not ok and tostring(message):find "interrupted!" then os.exit(130, true) end -- Ctrl-C
if not ok then
  io.stderr:write("the demo failed: ", tostring(message), "\n")
  os.exit(1, true)
end
print(ROUNDS .. " rounds, and every answer came back right")
