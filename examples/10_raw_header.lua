-- 10_raw_header.lua: a packet built byte by byte, IP header and all. IP_HDRINCL says that the header comes from
-- the program; an ordinary UDP socket receives it, and believes what it says about the sender.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local raw <close>, message = socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_RAW")
if not raw then return print("cannot send raw packets: " .. message) end
assert(raw:setsockopt("IP_HDRINCL", true))

local function bytes(host) return socket.inet_pton("AF_INET", host) end

-- ports, length, checksum; the checksum covers a pseudo header with both hosts, too
local function udp(from, to, text)
  local length = 8 + #text
  local pseudo = bytes(from.host) .. bytes(to.host) .. (">BBI2"):pack(0, socket.IPPROTO_UDP, length)
  local function pack(sum) return (">I2I2I2I2"):pack(from.port, to.port, length, sum) .. text end
  return pack(socket.checksum(pseudo .. pack(0)))
end

-- version and header length, type of service, length; identification, fragments; time to live, protocol, checksum
local function ip(from, to, data)
  local function pack(sum)
    return (">BBI2 I2I2 BBI2"):pack(0x45, 0, 20 + #data, 1, 0, 64, socket.IPPROTO_UDP, sum)
      .. bytes(from.host) .. bytes(to.host)
  end
  return pack(socket.checksum(pack(0))) .. data
end

local receiver <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
assert(receiver:bind("127.0.0.1", 0))
receiver:settimeout(5)

local from, to = socket.address("AF_INET", "127.0.0.99", 4242), receiver:getsockname()
local packet = ip(from, to, udp(from, to, "built by hand"))
print("sent", #packet .. " bytes:", (packet:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
assert(raw:sendto(packet, to.host, 0))

local data, sender = assert(receiver:recvfrom())
print("received", data, "from " .. tostring(sender))
