-- 25_lines.lua: a protocol of lines, as mail and the web have them. A socket reads and writes like a file: lines()
-- gives one line after the other, however the pieces arrive, and write() takes strings and numbers.
--
--   lua5.4 examples/25_lines.lua [port]
--
-- With a port it serves one client after the other until Ctrl-C: come by `nc 127.0.0.1 8001`, and type `set colour
-- blue`, `get colour`, `add 2 40`, `quit`. Without one, a client of this script does that, and it ends.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local store = {}
local commands = {}

function commands.set(name, value)
  store[name] = value
  return "done"
end

function commands.get(name)
  return store[name] or "there is no such name"
end

function commands.add(a, b)
  return (tonumber(a) or 0) + (tonumber(b) or 0)
end

local function serve(connection)
  connection:settimeout(60) -- who says nothing for a minute has left
  for line in connection:lines() do
    local command, a, b = line:match "^(%a+) *(%S*) *(.*)$"
    if command == "quit" then break end
    local f = commands[command]
    assert(connection:write(f and f(a, b) or "what?", "\n"))
  end
end

local function main()
  local server <close> = assert(socket.listen("127.0.0.1", arg[1] or 0))
  if arg[1] then
    print("listening at", server:getsockname())
    for guest, address in server:clients() do
      local connection <close> = guest -- closed at the end of each round
      local ok, message = pcall(serve, connection) -- lines() raises when the connection breaks
      print(address, ok and "has left" or message)
      if not ok and message:find "interrupted!" then error(message, 0) end
    end
  end

  -- The client need not wait for each answer. What it has to say goes out at once, and "quit" is the last of it.
  local client <close> = assert(socket.connect(server:getsockname()))
  assert(client:write("set colour blue\n", "get colour\r\n", "add 2 40\n", "dance\n", "quit\n"))
  local connection = assert(server:accept())
  serve(connection)
  connection:close()
  print("the first answer", client:read "l")
  print("the next word", client:read(4), client:read "L" == "\n" and "and its newline")
  print("a number", client:read "n")
  client:read "l" -- the rest of that line, which is nothing
  for answer in client:lines() do print("another answer", answer) end
end

io.stdout:setvbuf "line"
main()
