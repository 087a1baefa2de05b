-- 03_udp.lua: datagrams. Nobody connects; each message carries the address it goes to, and each recvfrom
-- gives one whole message and the address it came from. UDP does not promise that a message arrives.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

-- A service that sends each message back in capitals ...
local service <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
assert(service:bind("127.0.0.1", 0)) -- port 0: any that is free
local address = service:getsockname()
print("the service is at", address)

-- ... and somebody who uses it. Without bind, the first sendto finds a port for it.
local user <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
service:settimeout(5) -- what gets lost is never seen again: do not wait for ever
user:settimeout(5)

local seen = {} -- equal addresses are the same object, so they can be keys
for _, word in ipairs {"one", "two", "three"} do
  assert(user:sendto(word, address))

  local data, from = assert(service:recvfrom())
  seen[from] = (seen[from] or 0) + 1
  print("the service got", data, "number " .. seen[from] .. " from there")
  assert(service:sendto(data:upper(), from))

  print("the user got", (assert(user:recvfrom())))
end

-- A message is read as a whole. What does not fit is cut off, and the third result says so.
assert(user:sendto("a long message", address))
local data, _, cut = assert(service:recvfrom(6))
print("in six bytes", data, cut and "and the rest was cut off")
