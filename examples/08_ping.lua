-- 08_ping.lua: is a host there? Sends ICMP echo requests and prints what comes back.
--
--   lua5.4 examples/08_ping.lua [host [count]]
--
-- ICMP sockets of SOCK_DGRAM are for everybody whose group is in the system's ping_group_range; raw ones are
-- for whoever has CAP_NET_RAW. This tries both, in that order.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local hosts, count = {arg[1]}, math.tointeger(tonumber(arg[2])) or 2
if not hosts[1] then hosts = {"127.0.0.1", "::1"} end

local kinds = {
  [socket.AF_INET] = {protocol = socket.IPPROTO_ICMP, request = 8, reply = 0},
  [socket.AF_INET6] = {protocol = socket.IPPROTO_ICMPV6, request = 128, reply = 129},
}

-- type, code, checksum, identifier, sequence number, and any bytes. (Of IPv6 the system does the checksum.)
local function echo(kind, id, sequence, data)
  local function pack(sum) return (">BBI2I2I2"):pack(kind, 0, sum, id, sequence) .. data end
  return pack(socket.checksum(pack(0)))
end

local function open(family, protocol)
  local s, forbidden = socket.socket(family, "SOCK_DGRAM", protocol)
  if s then return s, false end
  local raw, message = socket.socket(family, "SOCK_RAW", protocol)
  if raw then return raw, true end
  return nil, forbidden .. "\n" .. message
end

local function ping(host)
  local found = assert(socket.getaddrinfo(host, nil, {type = "SOCK_DGRAM"}))[1]
  local kind, address = kinds[found.family], found.address
  local s <close>, raw = open(found.family, kind.protocol)
  if not s then return print("cannot ping " .. host .. ":\n" .. raw) end

  local id = math.random(0, 65535) -- with SOCK_DGRAM the system puts its own in its place
  for sequence = 1, count do
    local began = socket.monotime()
    local data, from
    assert(s:sendto(echo(kind.request, id, sequence, "are you there?"), address))
    repeat -- a raw socket hears everything that comes, our own request too
      s:settimeout(math.max(0.001, began + 1 - socket.monotime()))
      data, from = s:recvfrom()
      if data and raw and found.family == socket.AF_INET then data = data:sub((data:byte() & 15) * 4 + 1) end
      local what, _, _, who, number = (">BBI2I2I2"):unpack(data or ("\0"):rep(8))
    until not data or what == kind.reply and number == sequence and (who == id or not raw)
    local took = (socket.monotime() - began) * 1000
    print(data and ("%d bytes from %s: seq %d, %.2f ms"):format(#data, from.host, sequence, took) or from)
  end
end

for _, host in ipairs(hosts) do ping(host) end
