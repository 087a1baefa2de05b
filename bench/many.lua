-- Very many connections at once, in several processes, each a bsdsocket.loop that has both ends of its own:
--   many.lua [PROCESSES [CONNECTIONS]]     12 processes with 9000 connections each, unless told otherwise
-- A connection counts when it has echoed a number of its own, and again when all of them are there.
local socket, loop = require "bsdsocket", require "bsdsocket.loop"

--- One process: `count` connections, opened by 50 tasks. `gate` is where it meets the others.
local function child(port, count)
  loop.run(function()
    local gate <close> = assert(socket.connect("127.0.0.1", port))
    local server <close> = assert(socket.listen("127.0.0.1", 0))
    local address = server:getsockname()
    local serving = loop.spawn(function()
      for connection in server:clients() do
        loop.spawn(function()
          local _ <close> = connection
          for data in connection:chunks() do assert(connection:sendall(data)) end
        end)
      end
    end)
    local clients = {}

    local function echo(i, round)
      local text = ("%d of %d\n"):format(i, round)
      assert(clients[i]:sendall(text))
      assert(clients[i]:read "L" == text)
    end

    local function all(f)
      local next, tasks = 0, {}
      for k = 1, 50 do
        tasks[k] = loop.spawn(function()
          while next < count do
            next = next + 1
            f(next)
          end
        end)
      end
      for _, task in ipairs(tasks) do assert(task:join()) end
    end

    all(function(i)
      clients[i] = assert(socket.connect(address))
      echo(i, 1)
    end)
    gate:write("ready\n")
    assert(gate:read() == "go")
    all(function(i) echo(i, 2) end)
    gate:write("done\n")
    assert(gate:read() == "end")
    for _, client in ipairs(clients) do client:close() end
    serving:cancel()
  end)
end

local function inuse()
  local file <close> = io.open "/proc/net/sockstat"
  return file and file:read "a":match "TCP: inuse (%d+)" or "?"
end

local function parent(processes, count)
  local server <close> = assert(socket.listen("127.0.0.1", 0))
  local lua = os.getenv "LUA" or "lua5.4"
  local began = socket.monotime()
  local children, gates = {}, {}
  for i = 1, processes do
    children[i] = io.popen(("%s %s child %d %d"):format(lua, arg[0], server:getsockname().port, count), "w")
    gates[i] = assert(server:accept())
  end

  local function every(expected, answer)
    for _, gate in ipairs(gates) do assert(gate:read() == expected) end
    print(("%-6s %8.2f s, %s TCP sockets in use"):format(expected, socket.monotime() - began, inuse()))
    for _, gate in ipairs(gates) do gate:write(answer, "\n") end
  end

  every("ready", "go")
  every("done", "end")
  for i, process in ipairs(children) do
    assert(process:close())
    gates[i]:close()
  end
  print(("%d connections, each echoed twice"):format(processes * count))
end

if arg[1] == "child" then
  child(math.tointeger(tonumber(arg[2])), math.tointeger(tonumber(arg[3])))
else
  parent(math.tointeger(tonumber(arg[1] or 12)), math.tointeger(tonumber(arg[2] or 9000)))
end
