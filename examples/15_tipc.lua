-- 15_tipc.lua: reliable datagrams (SOCK_RDM): messages without a connection that do arrive, and in order. On Linux
-- TIPC has them. Its addresses are services, not machines: whoever offers one is found, wherever it runs.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

if not socket.AF_TIPC then return print("TIPC is not known here") end

local server <close>, message = socket.socket("AF_TIPC", "SOCK_RDM")
if not server then return print(message) end -- the kernel has it as a module: modprobe tipc
local service = socket.address("AF_TIPC", {type = 18888, instance = 1})
assert(server:bind(service))
server:settimeout(5)
print("the server offers", service)

local client <close> = assert(socket.socket("AF_TIPC", "SOCK_RDM"))
client:settimeout(5)
for _, word in ipairs {"one", "two", "three"} do
  assert(client:sendto(word, service))
  local data, from = assert(server:recvfrom())
  print("the server got", data, from == client:getsockname() and "from the client")
  assert(server:sendto(data:upper(), from))
  print("the client got", (assert(client:recv())))
end
