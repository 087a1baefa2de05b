-- 19_echo.lua: a server of many clients at once. Each client is served by a *task*, a function that runs beside the
-- others. The calls in it are the same as ever; one that has to wait suspends its task, and meanwhile the others run.
--
--   lua5.4 examples/19_echo.lua [port [guests]]
--
-- Until Ctrl-C; try `nc 127.0.0.1 8001` in several terminals. With a number of guests the script brings its own, each
-- of which talks for a second, and ends when the last one has left.
-- run: 0 100

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

local HOST = "127.0.0.1" -- this machine only; "*" is for everybody
local PAUSE, WORDS = 0.25, 4
local port, guests = arg[1] or 8001, math.tointeger(arg[2])

-- What a server of one client would do with it.
local function serve(accepted)
  local connection <close> = accepted -- closed however this function ends
  local data = connection:recv()
  while data and data ~= "" and connection:sendall(data) do
    data = connection:recv()
  end
end

local function guest(address, name)
  local client <close> = assert(socket.connect(address))
  for word = 1, WORDS do
    local said = ("guest %d, word %d"):format(name, word)
    assert(client:sendall(said))
    local heard = assert(client:recv(#said, "MSG_WAITALL"))
    assert(heard == said, "the echo is wrong: " .. heard)
    loop.sleep(PAUSE) -- this task only
  end
end

-- All guests come at once; when the last one has left, the server closes.
local function party(server)
  local start, tasks = loop.now(), {}
  for name = 1, guests do tasks[name] = loop.spawn(guest, server:getsockname(), name) end
  for _, task in ipairs(tasks) do assert(task:join()) end
  print("party", ("%d guests heard %d echoes in %.1f s"):format(guests, guests * WORDS, loop.now() - start))
  server:close() -- the loop of `clients` ends
end

local function main()
  local server <close> = assert(socket.listen(HOST, port))
  print("listen", server:getsockname())
  if guests then loop.spawn(party, server) end
  for connection in server:clients() do loop.spawn(serve, connection) end
end

io.stdout:setvbuf "line"
loop.run(main)
