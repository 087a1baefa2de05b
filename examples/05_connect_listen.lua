-- 05_connect_listen.lua: the short way. socket.listen does socket, bind and listen, socket.connect does
-- socket and connect (and tries every address that a name has), and clients() accepts in a loop.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local server <close> = assert(socket.listen("127.0.0.1", 0))
print("listening at", server:getsockname())

-- The system accepts connections before the program does; until then they wait in a queue. So one script
-- can be server and clients at once.
local port = server:getsockname().port
local waiting = {}
for i = 1, 3 do
  waiting[i] = assert(socket.connect("localhost", port, {timeout = 5}))
  assert(waiting[i]:sendall("client number " .. i))
  assert(waiting[i]:shutdown("SHUT_WR"))
end

local served = 0
for connection, address in server:clients() do
  served = served + 1
  print("client", served, address == waiting[served]:getsockname() and "from the right address")
  local data = connection:recv()
  while data and data ~= "" do -- a stream may come in pieces; "" is its end
    print("  says", data)
    data = connection:recv()
  end
  connection:close()
  if served == #waiting then break end
end

for _, client in ipairs(waiting) do client:close() end
