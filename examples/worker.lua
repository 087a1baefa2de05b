-- worker.lua: one of the processes of 24_workers.lua, the one that does the work, here an echo. Both ends of the
-- socketpair between it and its parent are in this file: `dofile` gives the parent the function that starts one.
-- No example itself.

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

---------------------------------------------------------------------------------------------------
-- The parent's side

--- Starts a worker: `program` is the shell command that runs this file. Gives the parent's end of the pair, and the
--- file of io.popen, whose close() waits for the worker's end. What a worker prints goes where the parent's words go.
local function start(program, address)
  local ours, other = assert(socket.socketpair())
  local theirs <close> = other
  -- Lua has no fork: io.popen starts a shell, which becomes the worker and passes on the descriptors that are
  -- inheritable. So that one is, for as long as this takes; the worker is told its number. $$ is its process id.
  local command = ("exec %s %s %d %d $$"):format(program, address.host, address.port, theirs:fileno())
  theirs:setinheritable(true)
  local process = assert(io.popen(command, "w"))
  theirs:setinheritable(false)
  return ours, process
end

local host, port, descriptor, id = ...
if not descriptor then return start end

---------------------------------------------------------------------------------------------------
-- The worker

local loop = require "bsdsocket.loop"

local PATIENCE = 10 -- seconds that its clients have when it is to end

local parent = assert(socket.fromfd(math.tointeger(tonumber(descriptor)))):setinheritable(false)
local serving = {} -- a task for each client

local function serve(accepted)
  local connection <close> = accepted
  local data = "worker " .. id .. "\n"
  while data and data ~= "" and connection:sendall(data) do data = connection:recv() end
end

local function welcome(connection)
  local task
  task = loop.spawn(function()
    serve(connection)
    serving[task] = nil
  end)
  serving[task] = true
end

local function main()
  local server <close> = assert(socket.listen(host, port, {reuseport = true}))
  local door = loop.spawn(function()
    for connection in server:clients() do welcome(connection) end
  end)
  parent:sendall(id .. "\n") -- "I can be called"

  parent:recv() -- ends when the parent says so, or is gone
  door:cancel() -- one task at a time accepts
  server:settimeout(0)
  local late = server:accept() -- those who have called already are served, too
  while late do
    welcome(late)
    late = server:accept()
  end
  server:close()
  loop.timeout(PATIENCE, function()
    for task in pairs(serving) do task:join() end
  end)
  for task in pairs(serving) do task:cancel() end
end

local ok, message = pcall(loop.run, main)
if not ok and tostring(message):find "interrupted!" then os.exit(130, true) end -- Ctrl-C
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1, true)
end
