-- 13_multicast.lua: one sender, many receivers. Whoever has joined the group gets what is sent to its address.
-- It stays on this machine: the interface is the loopback one.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local GROUP = "239.1.2.3"

-- An interface is told by its address, its name or its number. (IPv6 does the same with IPV6_JOIN_GROUP,
-- IPV6_LEAVE_GROUP, IPV6_MULTICAST_IF and IPV6_MULTICAST_HOPS.)
local membership = {group = GROUP, interface = "127.0.0.1"}

local function receiver(port)
  local s = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
  assert(s:setsockopt("SO_REUSEADDR", true)) -- so that several may have the same port
  assert(s:bind("*", port))
  assert(s:setsockopt("IP_ADD_MEMBERSHIP", membership))
  if socket.IP_MULTICAST_ALL then -- else Linux gives it what others on this machine have joined, too
    assert(s:setsockopt("IP_MULTICAST_ALL", false))
  end
  s:settimeout(5)
  return s
end

local ada <close> = receiver(0)
local bob <close> = receiver(ada:getsockname().port)
local group = socket.address("AF_INET", GROUP, ada:getsockname().port)
print("ada and bob listen to", group)

local sender <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
assert(sender:setsockopt("IP_MULTICAST_IF", "127.0.0.1"))
assert(sender:setsockopt("IP_MULTICAST_TTL", 0)) -- how many networks it may cross; 0 keeps it on this machine
assert(sender:sendto("hello, group", group))
print("ada reads", (assert(ada:recv())))
print("bob reads", (assert(bob:recv())))

assert(bob:setsockopt("IP_DROP_MEMBERSHIP", membership))
print "bob leaves"
assert(sender:sendto("who is there?", group))
print("ada reads", (assert(ada:recv())))

-- Loopback is so quick that what did not come by now never will.
bob:settimeout(0)
local data, message = bob:recv()
print("bob reads", data, message)
