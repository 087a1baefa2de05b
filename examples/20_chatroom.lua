-- 20_chatroom.lua: whoever comes in says a name, and then each line goes to all others. (07_chat.lua does it by a
-- poller; here every guest has a task, and the program reads as if there were one guest only.)
--
--   lua5.4 examples/20_chatroom.lua [port]
--
-- Until Ctrl-C; come in by `nc 127.0.0.1 8001`. As port "demo" three guests of this script talk, and it ends.
-- run: demo

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

local HOST = "127.0.0.1" -- this machine only; "*" is for everybody
local demo = arg[1] == "demo"
local port = demo and 0 or arg[1] or 8001

local names = {} -- of the connections in the room

-- Nobody is waited for, as `serve` sets the timeout for sending to 0: who does not read what is said, until the system
-- can keep no more of it, has to go.
local function tell(everyone_but, text)
  local list = {} -- a copy: another task may change `names` meanwhile
  for connection in pairs(names) do list[#list + 1] = connection end
  for _, connection in ipairs(list) do
    if connection ~= everyone_but and not connection:sendall(text .. "\n") then
      connection:close() -- its own task, which waits for a line, gets EBADF, and sees to the rest
    end
  end
end

-- A line; nothing in it does anything to a terminal.
local function hear(connection)
  local line = connection:read "l"
  return line and line:gsub("%c", "?")
end

local function serve(accepted)
  local connection <close> = accepted
  connection:setmaxline(1000) -- nobody can make us keep more than that
  connection:settimeout(0, "w")
  connection:settimeout(60, "r")
  connection:sendall "your name, please\n"
  local name = hear(connection)
  if not name then return end
  connection:settimeout(nil, "r")
  names[connection] = name
  print("room", name .. " came")
  tell(connection, name .. " came")
  local line = hear(connection)
  while line do
    tell(connection, name .. ": " .. line)
    line = hear(connection)
  end
  names[connection] = nil -- the end, or a failure, which is another kind of end
  print("room", name .. " left")
  tell(nil, name .. " left")
end

-- Here tasks wait for each other by what they read, so that the talk is the same each time.
local function talk(server)
  local guests, list = {}, {"Ada", "Bob", "Eve"}
  local function reads(name)
    print(name .. " reads", (assert(guests[name]:read "l")))
  end
  for i, name in ipairs(list) do
    guests[name] = assert(socket.connect(server:getsockname())):settimeout(5)
    assert(guests[name]:read "l") -- "your name, please"
    assert(guests[name]:write(name, "\n"))
    for k = i - 1, 1, -1 do reads(list[k]) end
  end
  for _, name in ipairs(list) do
    assert(guests[name]:write("here is ", name, "\n"))
    for _, other in ipairs(list) do
      if other ~= name then reads(other) end
    end
  end
  guests.Bob:close()
  reads "Ada"
  reads "Eve"
  guests.Ada:close()
  reads "Eve"
  guests.Eve:close()
  server:close() -- the loop of `clients` ends
end

local function main()
  local server <close> = assert(socket.listen(HOST, port))
  print("listen", server:getsockname())
  if demo then loop.spawn(talk, server) end
  for connection in server:clients() do loop.spawn(serve, connection) end
end

io.stdout:setvbuf "line"
loop.run(main)
