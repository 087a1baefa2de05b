-- 09_traceroute.lua: the way to a host. Datagrams with a time to live of 1, 2, 3 ... die at the first, second, third
-- machine on the way, which says so by ICMP; the host itself says that nobody has that port.
--
--   lua5.4 examples/09_traceroute.lua [host]
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local HOPS, FIRST = 30, 33434 -- ports that nobody has, by tradition

local icmp <close>, message = socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_ICMP")
if not icmp then return print("cannot hear the answers: " .. message) end

local host = assert(socket.address("AF_INET", arg[1] or "127.0.0.1", 0)).host
local probe <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))

-- An ICMP error quotes the packet it is about: its IP header, then the ports. Is it ours, sent to that port?
local function about(packet, port)
  local icmp_at = (packet:byte() & 15) * 4 + 1
  local what, code = packet:byte(icmp_at, icmp_at + 1)
  if what ~= 3 and what ~= 11 then return end -- 3: unreachable, 11: time exceeded
  local quoted = icmp_at + 8
  local udp_at = quoted + (packet:byte(quoted) & 15) * 4
  if (">I2"):unpack(packet, udp_at + 2) == port then return what, code end
end

for ttl = 1, HOPS do
  local port, began = FIRST + ttl, socket.monotime()
  assert(probe:setsockopt("IP_TTL", ttl))
  assert(probe:sendto("", host, port))
  local what, from
  repeat
    icmp:settimeout(math.max(0.001, began + 1 - socket.monotime()))
    local packet, sender = icmp:recvfrom()
    from = packet and sender
    if packet then what = about(packet, port) end
  until what or not from
  local took = (socket.monotime() - began) * 1000
  print(ttl, from and ("%s  %.2f ms"):format(from.host, took) or "*")
  if what == 3 then break end -- it has arrived
end
