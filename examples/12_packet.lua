-- 12_packet.lua: watches the loopback interface. A packet socket gets each frame as it is on the wire, with all
-- its headers, and an address that says where it came from; on loopback each frame passes twice, out and in.
-- `lua5.4 examples/12_packet.lua SOCK_DGRAM` gets them without the header of the link.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

if not socket.AF_PACKET then return print("packet sockets are Linux's own") end

local kind = arg[1] or "SOCK_RAW"
local link = kind == "SOCK_RAW" and 14 or 0 -- the length of the Ethernet header

-- The third argument goes to the kernel as it is: 0 for nothing yet. bind says what is wanted.
local watcher <close>, message = socket.socket("AF_PACKET", kind, 0)
if not watcher then return print("cannot watch: " .. message) end
assert(watcher:bind("lo", "ETH_P_ALL"))
watcher:settimeout(5)
print("watching", watcher:getsockname())

-- Something to watch: a datagram to ourselves.
local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
assert(s:bind("127.0.0.1", 0))
local port = s:getsockname().port
assert(s:sendto("hihihi", s:getsockname()))

local ways = {[socket.PACKET_HOST] = "in", [socket.PACKET_OUTGOING] = "out"}

-- Ethernet, then IP, then UDP: whether it is ours, and what it says
local function ours(frame, from)
  if from.protocol ~= socket.ETH_P_IP or #frame < link + 28 then return false end
  if frame:byte(link + 10) ~= socket.IPPROTO_UDP then return false end
  local udp_at = link + 1 + (frame:byte(link + 1) & 15) * 4
  local source, target = (">I2I2"):unpack(frame, udp_at)
  return source == port and target == port, frame:sub(udp_at + 8)
end

local seen = 0
while seen < 2 do
  local frame, from = assert(watcher:recvfrom())
  local mine, text = ours(frame, from)
  if mine then -- others may use loopback, too
    seen = seen + 1
    print(from.ifname, ways[from.pkttype], #frame .. " bytes", "protocol " .. ("0x%04x"):format(from.protocol), text)
  end
end
