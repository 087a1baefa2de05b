-- 24_workers.lua: one process for each processor, all on one port: the kernel spreads the connections over those who
-- listen there (SO_REUSEPORT). Each of them, worker.lua, is a loop that serves many clients. This script starts
-- them, and starts another one where one has died. When it ends, for whatever reason, they take no more clients, serve
-- those that they have to their end, but for no more than ten seconds, and end, too.
--
--   lua5.4 examples/24_workers.lua [host [port [workers]]]
--
-- It runs until Ctrl-C. With a fourth argument it shows what happens when a worker dies, and ends.
-- run: 127.0.0.1 0 2 show

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local here = arg[0]:match "^.*/" or ""
local quote = dofile(here .. "child.lua").quote
local start = dofile(here .. "worker.lua")

local PAUSE = 1 -- seconds from one start of a worker to the next, where it dies at once

local function processors()
  local pipe <close> = assert(io.popen "getconf _NPROCESSORS_ONLN || getconf NPROCESSORS_ONLN")
  return pipe:read "n" or 1
end

local host, port, count = arg[1] or "127.0.0.1", arg[2] or 8001, tonumber(arg[3]) or processors()
local program = quote(arg[-1]) .. " " .. quote(here .. "worker.lua")
local workers = {} -- the parent's end of each pair
local starts = 0 -- of workers that can be called
local ending = false

--- The life of a worker, from its start until it has ended.
local function live(n, address)
  local pair, process = start(program, address)
  local ours <close> = pair
  workers[n] = ours
  local id = ours:read "l" -- "I can be called"
  if id then
    starts = starts + 1
    print("worker " .. n, "serves as process " .. id)
  end
  ours:recv() -- says nothing more; this is its end
  local _, how, code = process:close()
  print("worker " .. n, ("has ended: %s %d"):format(how, code))
end

--- Keeps a worker alive.
local function keep(n, address)
  repeat
    local started = loop.now()
    live(n, address)
    if not ending then loop.sleep(math.max(0, started + PAUSE - loop.now())) end
  until ending
end

---------------------------------------------------------------------------------------------------
-- What clients see

local function call(address)
  local client = assert(socket.connect(address, {timeout = 5})):settimeout(5)
  local id = assert(client:read "l"):match "worker (%d+)"
  return client, id
end

local function echo(client, text)
  return client:sendall(text .. "\n") and client:read "l" == text
end

local function show(address)
  local clients, of, served = {}, {}, {}
  -- Clients call until a worker that none of them has met yet serves one.
  local function meet()
    repeat
      local client, id = call(address)
      clients[#clients + 1], of[client] = client, id
      assert(echo(client, "hello, worker " .. id))
      served[id] = (served[id] or 0) + 1
    until served[id] == 1
  end

  while starts < count do loop.sleep(0.01) end
  for _ = 1, count do meet() end
  print("clients", "are served by all workers")

  local victim = of[clients[1]]
  os.execute("kill -KILL " .. victim)
  for _, client in ipairs(clients) do
    assert(echo(client, "hello again") == (of[client] ~= victim))
  end
  print("clients", "of the others have noticed nothing")

  while starts == count do loop.sleep(0.01) end
  meet()
  print("clients", "are served by the new one, too")

  ending = true
  for _, worker in ipairs(workers) do worker:shutdown("SHUT_WR") end
  assert(echo(clients[#clients], "one more thing"))
  print("clients", "are served while the workers are to end")
  for _, client in ipairs(clients) do client:close() end
end

local function main()
  -- Keeps the port, and does not listen: so nobody calls here, and all workers can die without losing it.
  local place <close> = assert(socket.socket())
  assert(place:setsockopt("SO_REUSEADDR", true):setsockopt("SO_REUSEPORT", true):bind(host, port))
  local address = place:getsockname()
  print("workers", ("%d at %s"):format(count, address))
  local tasks = {}
  for n = 1, count do tasks[n] = loop.spawn(keep, n, address) end
  if arg[4] then show(address) end
  for _, task in ipairs(tasks) do assert(task:join()) end
end

io.stdout:setvbuf "line"
local ok, message = pcall(loop.run, main)
if not ok and tostring(message):find "interrupted!" then os.exit(130, true) end -- Ctrl-C
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1, true)
end
