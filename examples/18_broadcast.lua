-- 18_broadcast.lua: to everybody at once. IPv4 has broadcast: all on a network get it, asked or not. IPv6 has only
-- multicast: who has joined a group on an interface gets it. (13_multicast.lua is multicast of IPv4.) Both stay on this
-- machine.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local function datagram(family, ...)
  local s = assert(socket.socket(family, "SOCK_DGRAM"))
  s:settimeout(5)
  return assert(s:bind(...))
end

local function show(what, receiver, sender)
  local data, from = assert(receiver:recvfrom())
  print(what, data, from == sender:getsockname() and "from the sender")
end

local function broadcast()
  local receiver <close> = datagram("AF_INET", "*", 0)
  local sender <close> = datagram("AF_INET", "127.0.0.1", 0)
  local everybody = socket.address("AF_INET", "127.255.255.255", receiver:getsockname().port)
  local _, refusal = sender:sendto("hello?", everybody)
  print("not asked for", refusal)
  assert(sender:setsockopt("SO_BROADCAST", true)) -- so that nobody does it by mistake
  local sent, message = sender:sendto("hello, everybody", everybody)
  if not sent then return print("no broadcast here", message) end
  show("broadcast", receiver, sender)
end

-- An interface that has multicast, and its IPv6 address, whose port is 0. (On Linux loopback has no multicast of IPv6.)
local function interface()
  for _, i in ipairs(assert(socket.getifaddrs())) do
    local a = i.address
    if a and a.family == socket.AF_INET6 and i.flags & socket.IFF_MULTICAST ~= 0 and i.flags & socket.IFF_UP ~= 0 then
      return i.name, a
    end
  end
end

local function multicast()
  local name, address = interface()
  if not name then return print("no multicast here", "no interface has it and an IPv6 address") end
  local receiver <close> = datagram("AF_INET6", "*", 0)
  assert(receiver:setsockopt("IPV6_JOIN_GROUP", {group = "ff15::1234", interface = name})) -- or its number
  local sender <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
  local bound, why = sender:bind(address) -- not yet, in the second after the interface came up
  if not bound then return print("no multicast here", why) end
  assert(sender:setsockopt("IPV6_MULTICAST_IF", name))
  assert(sender:setsockopt("IPV6_MULTICAST_HOPS", 0)) -- how many networks it may cross; 0 keeps it on this machine
  local sent, message = sender:sendto("hello, group", "ff15::1234", receiver:getsockname().port)
  if not sent then return print("no multicast here", message) end
  show("multicast", receiver, sender)
end

broadcast()
multicast()
