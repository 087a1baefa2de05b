-- 07_chat.lua: a server of many clients in one thread. A poller tells which sockets are ready, so no call
-- has to wait; what comes from one client is sent to all others. The three guests are sockets of this script.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local poller <close> = socket.poller()
local server <close> = assert(socket.listen("127.0.0.1", 0))
local names = {} -- of the connections

local function tell(everyone_but, text)
  for connection in pairs(names) do
    if connection ~= everyone_but then connection:sendall(text) end
  end
end

local function hear(connection)
  local data = connection:recv()
  if data and data ~= "" then
    tell(connection, names[connection] .. ": " .. data)
  else -- the end, or an error, which is another kind of end
    print("server", names[connection] .. " left")
    names[connection] = nil
    connection:close() -- leaves the poller, too
  end
end

local guests = {}
local function welcome()
  local connection = assert(server:accept())
  names[connection] = guests[#guests].name
  print("server", names[connection] .. " came")
  poller:add(connection, "r", function() hear(connection) end)
end

-- One turn of the server: whoever is ready is served by the function that was added with it.
local function turn()
  for serve in assert(poller:wait(5)) do serve() end
end

poller:add(server, "r", welcome)
for i, name in ipairs {"Ada", "Bob", "Eve"} do
  guests[i] = {name = name, socket = assert(socket.connect(server:getsockname()))}
  turn()
end

for _, guest in ipairs(guests) do
  assert(guest.socket:sendall("here is " .. guest.name))
  turn()
  for _, other in ipairs(guests) do
    if other ~= guest then print(other.name .. " reads", (assert(other.socket:recv()))) end
  end
end

for _, guest in ipairs(guests) do
  guest.socket:close()
  turn()
end
