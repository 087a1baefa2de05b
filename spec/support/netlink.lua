-- What specs ask of the kernel by netlink, with the library itself: it needs no `ip` on the machine.
--
--   netlink.request(kind, flags, body)   sends a message of rtnetlink; array of {kind, body} that came; nil, message
--   netlink.attribute(kind, data)        packed; netlink.attributes(bytes, from) is {[kind] = data} of what is packed
--   netlink.up(index [, flags])          brings an interface up; further IFF_* flags if given
--   netlink.addaddress(index, family, host, prefix [, broadcast])
--   netlink.pair(skip)                   makes the two ends of a wire, "left" (10.9.0.1/24, fd09::1/64, fe80::1) and
--                                        "right" (10.9.1.1/24, fd09:0:0:1::1/64, fe80::2); their
--                                        indexes, and their hardware addresses by name
local socket = require "bsdsocket"

local netlink = {
  RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_NEWADDR = 20,
  NLMSG_ERROR = 2, NLMSG_DONE = 3,
  NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP = 0x300, NLM_F_CREATE = 0x400, NLM_F_EXCL = 0x200,
}

local function padded(data)
  return data .. ("\0"):rep(-#data % 4)
end

function netlink.attribute(kind, data)
  return padded(("=I2I2"):pack(#data + 4, kind) .. data)
end

function netlink.attributes(bytes, from)
  local list = {}
  while from + 3 <= #bytes do
    local len, kind = ("=I2I2"):unpack(bytes, from)
    list[kind] = bytes:sub(from + 4, from + len - 1)
    from = from + len + -len % 4
  end
  return list
end

function netlink.request(kind, flags, body)
  local s <close> = assert(socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE")):settimeout(5)
  assert(s:bind(0, 0))
  local own = s:getsockname().pid
  flags = flags | netlink.NLM_F_REQUEST
  local message = ("=I4I2I2I4I4"):pack(16 + #body, kind, flags, 7, own) .. body
  assert(s:sendto(message, 0, 0) == #message)
  local list = {}
  while true do
    local data, from, cut = assert(s:recvfrom())
    assert(from == socket.address("AF_NETLINK", 0, 0) and not cut)
    local at = 1
    while at <= #data do
      local len, came, _, number, to = ("=I4I2I2I4I4"):unpack(data, at)
      assert(number == 7 and to == own)
      if came == netlink.NLMSG_DONE then return list end
      if came == netlink.NLMSG_ERROR then
        local code = -("=i4"):unpack(data, at + 16)
        if code ~= 0 then return nil, socket.strerror(code) end
        return list
      end
      list[#list + 1] = { kind = came, body = data:sub(at + 16, at + len - 1) }
      at = at + len + -len % 4
    end
  end
end

local CREATE = netlink.NLM_F_ACK | netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

function netlink.addaddress(index, family, host, prefix, broadcast)
  family = socket[family]
  local bytes = assert(socket.inet_pton(family, host))
  local body = ("=BBBBI4"):pack(family, prefix, 2, 0, index) -- 2: IFA_F_NODAD, so it is there at once
    .. netlink.attribute(2, bytes) .. netlink.attribute(1, bytes)
  if broadcast then body = body .. netlink.attribute(4, assert(socket.inet_pton(family, broadcast))) end
  return netlink.request(netlink.RTM_NEWADDR, CREATE, body)
end

local function ifinfomsg(index, flags)
  return ("=BxI2i4I4I4"):pack(0, 0, index, flags, flags)
end

function netlink.up(index, flags)
  return netlink.request(netlink.RTM_NEWLINK, netlink.NLM_F_ACK, ifinfomsg(index, socket.IFF_UP | (flags or 0)))
end

--- Waits until both carry what is sent: their qdisc starts a little after they are up, together with IF_OPER_UP.
local function running(events, left, right)
  local missing = { [left] = true, [right] = true }
  repeat
    local data = assert(events:recv())
    local len, kind, index = ("=I4I2xxxxxxxxxxxxxxi4"):unpack(data)
    local operstate = netlink.attributes(data:sub(1, len), 33)[16]
    if kind == netlink.RTM_NEWLINK and operstate == "\6" then missing[index] = nil end
  until not next(missing)
end

--- Waits until an IPv6 address is this machine's own: its route comes a little after it.
local function reachable(host, index)
  local s <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM")):settimeout(0.01)
  assert(s:bind(host, 0, 0, index))
  for _ = 1, 500 do
    assert(s:sendto("there?", s:getsockname()))
    if s:recv() then return end
  end
  error(host .. " cannot be reached")
end

function netlink.pair(skip)
  local events <close> = assert(socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE")):settimeout(5)
  assert(events:bind(0, 1)) -- RTMGRP_LINK
  local peer = netlink.attribute(1, ifinfomsg(0, 0) .. netlink.attribute(3, "right\0"))
  local info = netlink.attribute(1, "veth") .. netlink.attribute(2, peer)
  local body = ifinfomsg(0, 0) .. netlink.attribute(3, "left\0") .. netlink.attribute(18, info)
  if not netlink.request(netlink.RTM_NEWLINK, CREATE, body) then skip "no veth here" end
  local left, right = assert(socket.if_nametoindex "left"), assert(socket.if_nametoindex "right")
  assert(netlink.up(left) and netlink.up(right))
  running(events, left, right)
  assert(netlink.addaddress(left, "AF_INET", "10.9.0.1", 24, "10.9.0.255"))
  assert(netlink.addaddress(right, "AF_INET", "10.9.1.1", 24, "10.9.1.255"))
  for host, index in pairs { ["fd09::1"] = left, ["fe80::1"] = left, ["fd09:0:0:1::1"] = right, ["fe80::2"] = right } do
    assert(netlink.addaddress(index, "AF_INET6", host, 64))
    reachable(host, index)
  end
  local hwaddrs = {}
  for _, entry in ipairs(socket.getifaddrs()) do
    local address = entry.address
    if address and address.family == socket.AF_PACKET then hwaddrs[entry.name] = address.hwaddr end
  end
  return left, right, hwaddrs
end

return netlink
