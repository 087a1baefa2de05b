-- 11_netlink.lua: asks the Linux kernel for the network interfaces, in its own language: netlink, which is what
-- the program `ip` speaks. (socket.if_nameindex and socket.getifaddrs are the short way.)
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

if not socket.AF_NETLINK then return print("netlink is Linux's own") end

local RTM_NEWLINK, RTM_GETLINK = 16, 18
local NLMSG_DONE, NLM_F_REQUEST, NLM_F_DUMP = 3, 0x1, 0x300
local IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU = 1, 3, 4

-- SOCK_DGRAM, where the first argument says so: to netlink it is the same.
local s <close> = assert(socket.socket("AF_NETLINK", arg[1] or "SOCK_RAW", "NETLINK_ROUTE"))
s:settimeout(5)

-- The request: length, type, flags, sequence number, port; then a struct ifinfomsg, all zeros: every interface.
assert(s:sendto(("=I4I2I2I4I4"):pack(32, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) .. ("\0"):rep(16), 0, 0))

-- Attributes are length, type and data, each filled up to a multiple of 4.
local function attributes(bytes, at)
  local list = {}
  while at + 3 <= #bytes do
    local length, kind = ("=I2I2"):unpack(bytes, at)
    list[kind] = bytes:sub(at + 4, at + length - 1)
    at = at + (length + 3) // 4 * 4
  end
  return list
end

local function show(bytes)
  local _, _, index, flags = ("=I2I2i4I4"):unpack(bytes)
  local a = attributes(bytes, 17)
  local hwaddr = (a[IFLA_ADDRESS] or ""):gsub(".", function(c) return (":%02x"):format(c:byte()) end)
  print(index, ("z"):unpack(a[IFLA_IFNAME]), flags & socket.IFF_UP ~= 0 and "up" or "down",
    "mtu " .. ("=I4"):unpack(a[IFLA_MTU]), hwaddr:sub(2))
end

-- The answer: several messages in each datagram, until one says that it is the last.
local kind
repeat
  local data = assert(s:recv())
  local at = 1
  while at <= #data do
    local length
    length, kind = ("=I4I2"):unpack(data, at)
    if kind == RTM_NEWLINK then show(data:sub(at + 16, at + length - 1)) end
    at = at + (length + 3) // 4 * 4
  end
until kind == NLMSG_DONE
