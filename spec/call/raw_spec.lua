-- Raw sockets of every family carry real data: IP, ICMP, own headers, frames, netlink. Each test compares the
-- bytes that came and the address that they came from. Networks are loopback, or spec/support/namespace.lua's.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local netlink = require "spec.support.netlink"
local inside = require "spec.support.namespace".inside

describe("a netlink socket", function()
  if not socket.AF_NETLINK then
    it("is not there elsewhere", function() helper.skip "not Linux" end)
    return
  end

  it("lists the interfaces that if_nameindex lists", function()
    local list = {}
    for _, message in ipairs(assert(netlink.request(netlink.RTM_GETLINK, netlink.NLM_F_DUMP, ("\0"):rep(16)))) do
      assert.equal(netlink.RTM_NEWLINK, message.kind)
      local index = ("=i4"):unpack(message.body, 5)
      list[#list + 1] = { index = index, name = netlink.attributes(message.body, 17)[3]:match "^[^\0]+" }
    end
    local known = socket.if_nameindex()
    local function lower(a, b) return a.index < b.index end
    table.sort(list, lower)
    table.sort(known, lower)
    assert.same(known, list)
  end)

  for _, kind in ipairs { "SOCK_RAW", "SOCK_DGRAM" } do
    it("of " .. kind .. " carries a message to another one, and tells the sender", function()
      local a <close> = assert(socket.socket("AF_NETLINK", kind, 2)):settimeout(5) -- NETLINK_USERSOCK
      local b <close> = assert(socket.socket("AF_NETLINK", kind, 2)):settimeout(5)
      assert(a:bind(0, 0))
      assert(b:bind(0, 0))
      local from, to = a:getsockname(), b:getsockname()
      assert.is_true(from.pid ~= to.pid and from.pid ~= 0 and to.pid ~= 0)
      assert.equal(0, from.groups)
      for _, data in ipairs { "x", "to\0netlink", ("n"):rep(10000) } do
        assert.equal(#data, a:sendto(data, to))
        assert.same({ data, from }, { b:recvfrom() })
        assert.equal(#data, a:sendto(data, to:unpack()))
        assert.same({ data:sub(1, 1), from, #data > 1 or nil }, { b:recvfrom(1) })
      end
      assert(a:connect(to))
      assert.equal(to, a:getpeername())
      assert.equal(3, a:send "abc")
      assert.same({ "abc", from }, { b:recvfrom() })
    end)
  end

  it("refuses a port that another one has, and a message to nobody", function()
    local a <close> = assert(socket.socket("AF_NETLINK", "SOCK_RAW", 2))
    local b <close> = assert(socket.socket("AF_NETLINK", "SOCK_RAW", 2))
    local c <close> = assert(assert(socket.socket("AF_NETLINK", "SOCK_RAW", 2)):bind(0, 0))
    assert(a:bind(0, 0))
    local at = a:getsockname()
    local message = helper.fails("s:bind", "EADDRINUSE", b:bind(at))
    assert.equal(("bind netlink %d: " .. socket.strerror "EADDRINUSE"):format(at.pid), message)
    a:close()
    helper.fails("s:sendto", "ECONNREFUSED", c:sendto("x", at))
  end)

  it("hears what happens to interfaces, by its groups", inside(function(skip)
    local s <close> = assert(socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE")):settimeout(5)
    assert(s:bind(0, 1)) -- RTMGRP_LINK
    assert.equal(1, s:getsockname().groups)
    local left = netlink.pair(skip)
    local data, from = assert(s:recvfrom())
    assert.same({ 0, 1 }, { from:unpack() })
    local len, kind = ("=I4I2"):unpack(data)
    assert.equal(netlink.RTM_NEWLINK, kind)
    local attributes = netlink.attributes(data:sub(1, len), 33)
    assert.is_true(attributes[3] == "left\0" or attributes[3] == "right\0")
    assert.is_true(left > 1)
  end))
end)

describe("a packet socket", function()
  it("sees a datagram go over loopback, as a frame and without its header", inside(function()
    local lo = socket.if_nametoindex "lo"
    local raw <close> = assert(socket.socket("AF_PACKET", "SOCK_RAW", 0)):settimeout(5)
    local cooked <close> = assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):settimeout(5)
    for _, s in ipairs { raw, cooked } do
      assert.equal(s, s:bind("lo", "ETH_P_ALL"))
      local at = s:getsockname()
      assert.same({ "lo", lo, 3, 772 }, { at.ifname, at.ifindex, at.protocol, at.hatype })
    end
    local udp <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
    assert.equal(5, udp:sendto("frame", udp:getsockname()))
    local port = udp:getsockname().port
    for _, s in ipairs { raw, cooked } do
      for _, pkttype in ipairs { socket.PACKET_OUTGOING, socket.PACKET_HOST } do
        local data, from, cut = assert(s:recvfrom())
        assert.is_nil(cut)
        local head = ("\0"):rep(12) .. "\8\0"
        if s == raw then
          assert.equal(head, data:sub(1, 14))
          data = data:sub(15)
        end
        assert.equal(20 + 8 + 5, #data)
        assert.equal(0, socket.checksum(data:sub(1, 20)))
        assert.same({ port, port, 13, 27 }, { (">I2I2I2"):unpack(data, 21) })
        assert.equal("frame", data:sub(29))
        assert.same({ socket.AF_PACKET, "lo", lo, 0x0800, 772, pkttype, ("\0"):rep(6) }, {
          from.family, from.ifname, from.ifindex, from.protocol, from.hatype, from.pkttype, from.hwaddr,
        })
      end
    end
  end))

  it("has an address equal to one that is made, as long as the kernel adds nothing to it", inside(function()
    local s <close> = assert(socket.socket("AF_PACKET", "SOCK_RAW", socket.htons(0x88b5)))
    assert.is_true(s:getsockname() == socket.address("AF_PACKET", 0, 0x88b5))
    assert(s:bind("lo", 0x88b5))
    local hwaddr
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.address and entry.address.family == socket.AF_PACKET then hwaddr = entry.address.hwaddr end
    end
    assert.same({ "lo", 0x88b5, hwaddr }, { s:getsockname():unpack() })
    assert.is_true(s:getsockname() == s:getsockname())
  end))

  it("that is closed says so, and not that there is no such interface", inside(function()
    local s = assert(socket.socket("AF_PACKET", "SOCK_RAW", 0))
    assert.equal("ENODEV", (select(3, s:bind("nosuch0", 0x88b5))))
    assert(s:close())
    for _, interface in ipairs { "nosuch0", "lo", 1 } do
      assert.equal("EBADF", (select(3, s:bind(interface, 0x88b5))))
    end
  end))

  it("of SOCK_RAW sends frames to the other end of a wire", inside(function(skip)
    local _, _, hw = netlink.pair(skip)
    local a <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_RAW", 0)):bind("left", 0x88b5))
    local b <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_RAW", 0)):bind("right", 0x88b5)):settimeout(5)
    for _, text in ipairs { "x", "\0\1\2", ("f"):rep(1486) } do
      local frame = hw.right .. hw.left .. "\x88\xb5" .. text
      assert.equal(#frame, a:sendto(frame, "left", 0x88b5, hw.right))
      local data, from = assert(b:recvfrom())
      assert.equal(frame, data)
      assert.same({ "right", 0x88b5, hw.left, 1, socket.PACKET_HOST },
        { from.ifname, from.protocol, from.hwaddr, from.hatype, from.pkttype })
      assert.equal(#frame, a:send(frame)) -- bound, it needs no address
      assert.same({ frame:sub(1, 9), from, true }, { b:recvfrom(9) })
    end
  end))

  it("of SOCK_DGRAM sends to a hardware address, and answers to the one that it got", inside(function(skip)
      local _, _, hw = netlink.pair(skip)
      local a <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("left", 0x88b5)):settimeout(5)
      local b <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("right", 0x88b5)):settimeout(5)
      for to, pkttype in pairs { [hw.right] = socket.PACKET_HOST, [("\255"):rep(6)] = socket.PACKET_BROADCAST } do
        assert.equal(5, a:sendto("hello", socket.address("AF_PACKET", "left", 0x88b5, to)))
        local data, from = assert(b:recvfrom())
        assert.same({ "hello", "right", 0x88b5, hw.left, 1, pkttype },
          { data, from.ifname, from.protocol, from.hwaddr, from.hatype, from.pkttype })
        assert.equal(6, b:sendto("answer", from))
        data, from = assert(a:recvfrom())
        assert.same({ "answer", "left", hw.right }, { data, from.ifname, from.hwaddr })
      end
    end))

  it("takes for its interface what names one anywhere", inside(function(skip)
    local left = netlink.pair(skip)
    local s <close> = assert(socket.socket("AF_PACKET", "SOCK_RAW", 0))
    local same = socket.address("AF_PACKET", left, "ETH_P_IP")
    for _, interface in ipairs {
      "left", left, "10.9.0.1", "fd09::1", "fe80::7%left", "::%left",
    } do
      assert.equal(same, socket.address("AF_PACKET", interface, "ETH_P_IP"))
      assert.equal(s, s:bind(interface, "ETH_P_IP"))
      assert.equal("left", s:getsockname().ifname)
    end
    for _, any in ipairs { "*", 0, "0.0.0.0", "::" } do
      assert.equal(0, socket.address("AF_PACKET", any, 3).ifindex)
      assert.equal(s, s:bind(any, 3))
      assert.equal(0, s:getsockname().ifindex)
    end
    assert.equal("ENODEV", (select(3, s:bind("10.9.0.9", 3))))
    s:close()
    assert.equal("EBADF", (select(3, s:bind("nosuch", 3))))
    assert.equal("EBADF", (select(3, s:bind(left, 3))))
  end))

  it("answers ENODEV for an interface that there is not", function()
    if not socket.AF_PACKET then helper.skip "not Linux" end
    local s <close> = socket.socket("AF_PACKET", "SOCK_RAW", 0)
    if not s then helper.skip "no privilege for raw sockets" end
    assert.equal("bind nosuch: No such device", (helper.fails("s:bind", "ENODEV", s:bind("nosuch", 3))))
    local message = helper.fails("s:bind", "ENODEV", s:bind(2147483647, 3))
    assert.equal("bind interface 2147483647 ETH_P_ALL: No such device", message)
    helper.fails("s:sendto", "ENODEV", s:sendto("x", "nosuch", 3))
    helper.raises("s:bind", "bad argument #1 to 'bind' %(name, index or address", function() return s:bind() end)
    helper.raises("s:bind", "bad argument #2 to 'bind' %(", function() return s:bind("lo") end)
  end)
end)

describe("a raw IP socket", function()
  it("pings loopback over IPv4", inside(function()
    local s <close> = assert(socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_ICMP")):settimeout(5)
    local body = (">I2I2"):pack(0x4321, 7) .. "payload"
    local sum = socket.checksum("\8\0\0\0" .. body)
    assert.equal(15, s:sendto("\8\0" .. (">I2"):pack(sum) .. body, "127.0.0.1", 0))
    local data, from
    repeat data, from = assert(s:recvfrom()) until data:byte(21) == 0 -- our own request comes, too
    assert.equal(socket.address("AF_INET", "127.0.0.1", 0), from)
    assert.equal(0x45, data:byte(1))
    assert.equal(socket.IPPROTO_ICMP, data:byte(10))
    assert.equal(0, socket.checksum(data:sub(21)))
    assert.equal(body, data:sub(25))
  end))

  it("pings loopback over IPv6", inside(function()
    local s <close> = assert(socket.socket("AF_INET6", "SOCK_RAW", "IPPROTO_ICMPV6")):settimeout(5)
    local body = (">I2I2"):pack(0x4321, 8) .. "payload6"
    assert.equal(16, s:sendto("\128\0\0\0" .. body, "::1", 0)) -- the kernel does the checksum
    local data, from
    repeat data, from = assert(s:recvfrom()) until data:byte() == 129
    assert.equal(socket.address("AF_INET6", "::1", 0), from)
    assert.equal(body, data:sub(5))
    local pseudo = socket.inet_pton("AF_INET6", "::1"):rep(2) .. (">I4xxxB"):pack(#data, 58)
    assert.equal(0, socket.checksum(pseudo .. data))
  end))

  it("carries a protocol of its own, over IPv4 and IPv6", inside(function()
    for family, host in pairs { AF_INET = "127.0.0.1", AF_INET6 = "::1" } do
      local a <close> = assert(assert(socket.socket(family, "SOCK_RAW", 253)):bind(host, 0))
      local b <close> = assert(socket.socket(family, "SOCK_RAW", 253)):settimeout(5)
      local other <close> = assert(socket.socket(family, "SOCK_RAW", 254)):settimeout(0)
      for _, text in ipairs { "", "x", ("own"):rep(10000) } do
        assert.equal(#text, a:sendto(text, host, 0))
        local data, from = assert(b:recvfrom())
        assert.equal(text, family == "AF_INET" and data:sub(21) or data)
        assert.equal(socket.address(family, host, 0), from)
      end
      assert.equal("EAGAIN", (select(3, other:recv())))
    end
  end))

  it("takes whole packets with IP_HDRINCL, which a UDP socket receives", inside(function()
    local function inet(host) return socket.inet_pton("AF_INET", host) end
    local function packet(from, to, sport, dport, text, ttl)
      local pseudo = inet(from) .. inet(to) .. (">BBI2"):pack(0, socket.IPPROTO_UDP, 8 + #text)
      local function udp(sum) return (">I2I2I2I2"):pack(sport, dport, 8 + #text, sum) .. text end
      local function ip(sum)
        return (">BBI2I2I2BBI2"):pack(0x45, 0, 28 + #text, 0x1234, 0, ttl, socket.IPPROTO_UDP, sum)
          .. inet(from) .. inet(to)
      end
      return ip(socket.checksum(ip(0))) .. udp(socket.checksum(pseudo .. udp(0)))
    end
    local raw <close> = assert(socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_RAW"))
    assert(raw:setsockopt("IP_HDRINCL", true))
    assert.is_true(raw:getsockopt "IP_HDRINCL")
    local receiver <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
    receiver:settimeout(5)
    local watch <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("lo", "ETH_P_IP"))
    watch:settimeout(5)
    local port = receiver:getsockname().port
    for i, text in ipairs { "", "odd", "built by hand", ("\255"):rep(1000) } do
      local from = "127.0.0." .. 1 + i -- not even an address that this socket has
      local bytes = packet(from, "127.0.0.1", 4000 + i, port, text, 60 + i)
      assert.equal(#bytes, raw:sendto(bytes, "127.0.0.1", 0))
      assert.same({ text, socket.address("AF_INET", from, 4000 + i) }, { receiver:recvfrom() })
      assert.equal(bytes, watch:recv())
    end
    -- a wrong checksum of UDP: nobody gets it
    local bytes = packet("127.0.0.1", "127.0.0.1", 4000, port, "spoilt", 64)
    assert.truthy(raw:sendto(bytes:sub(1, -2) .. "X", "127.0.0.1", 0))
    assert.truthy(raw:sendto(packet("127.0.0.1", "127.0.0.1", 4001, port, "good", 64), "127.0.0.1", 0))
    assert.equal("good", receiver:recv())
  end))

  it("sees the IGMP report when a group is joined, and when it is left", inside(function(skip)
    netlink.pair(skip)
    local wire <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("right", "ETH_P_IP"))
    local raw <close> = assert(socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_IGMP"))
    wire:settimeout(5)
    raw:settimeout(5)
    assert(raw:setsockopt("IP_ADD_MEMBERSHIP", { group = "224.0.0.22", interface = "left" }))
    local member <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    local group = socket.inet_pton("AF_INET", "239.1.2.3")
    local function report(s, kind)
      while true do
        local data, from = assert(s:recvfrom())
        local igmp = data:sub((data:byte() & 15) * 4 + 1)
        if data:byte(10) == socket.IPPROTO_IGMP and igmp:byte() == 0x22 and igmp:sub(13, 16) == group
            and igmp:byte(9) == kind then
          assert.equal(0, socket.checksum(igmp))
          return socket.inet_ntop("AF_INET", data:sub(13, 16)), from
        end
      end
    end
    assert(member:setsockopt("IP_ADD_MEMBERSHIP", { group = "239.1.2.3", interface = "left" }))
    assert.equal("10.9.0.1", (report(wire, 4))) -- CHANGE_TO_EXCLUDE_MODE: of nobody
    local host, from = report(raw, 4)
    assert.same({ "10.9.0.1", socket.address("AF_INET", "10.9.0.1", 0) }, { host, from })
    assert(member:setsockopt("IP_DROP_MEMBERSHIP", { group = "239.1.2.3", interface = "left" }))
    assert.equal("10.9.0.1", (report(wire, 3)))
  end))

  it("says which privilege is missing", function()
    local become = helper.shell "id -u" == "0\n" and "setpriv --reuid 65534 --clear-groups " or ""
    local output, status = helper.shell("exec " .. become .. "env " .. helper.command("-e", [[
      local socket = require "bsdsocket"
      print(select(2, socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_ICMP")))
      print(select(2, socket.socket("AF_INET6", "SOCK_RAW", "IPPROTO_ICMPV6")))
      print(select(2, socket.socket("AF_PACKET", "SOCK_DGRAM", 0)))
    ]]))
    if status ~= 0 then helper.skip "no other user can be had here" end
    assert.equal("socket AF_INET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\tEPERM\n"
      .. "socket AF_INET6 SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\tEPERM\n"
      .. "socket AF_PACKET SOCK_DGRAM (needs CAP_NET_RAW): Operation not permitted\tEPERM\n", output)
  end)
end)

describe("an ICMP socket of SOCK_DGRAM", function()
  it("pings without privilege where ping_group_range allows it, over IPv4 and IPv6", inside(function(skip)
    local file = io.open("/proc/sys/net/ipv4/ping_group_range", "w")
    if not (file and file:write "0 2147483647" and file:close()) then skip "ping_group_range cannot be set here" end
    for _, row in ipairs {
      { "AF_INET", "IPPROTO_ICMP", "127.0.0.1", "\8\0", "\0\0" },
      { "AF_INET6", "IPPROTO_ICMPV6", "::1", "\128\0", "\129\0" },
    } do
      local family, protocol, host, request, answer = table.unpack(row)
      local s <close> = assert(socket.socket(family, "SOCK_DGRAM", protocol)):settimeout(5)
      assert(s:bind(host, 0x1234)) -- the port is the identifier
      assert.equal(15, s:sendto(request .. (">I2I2I2"):pack(0, 0, 3) .. "payload", host, 0))
      local data, from = assert(s:recvfrom())
      assert.equal(answer, data:sub(1, 2))
      assert.same({ 0x1234, 3, 9 }, { (">I2I2"):unpack(data, 5) })
      assert.equal("payload", data:sub(9))
      assert.equal(socket.address(family, host, 0), from)
    end
  end))

  it("says what forbids it", inside(function(skip)
    local file = io.open("/proc/sys/net/ipv4/ping_group_range", "w")
    if not (file and file:write "1 0" and file:close()) then skip "ping_group_range cannot be set here" end
    for family, protocol in pairs { AF_INET = "IPPROTO_ICMP", AF_INET6 = "IPPROTO_ICMPV6" } do
      local s, message, code = socket.socket(family, "SOCK_DGRAM", protocol)
      assert.same({ nil, "EACCES" }, { s, code })
      assert.equal("socket " .. family .. " SOCK_DGRAM (not in net.ipv4.ping_group_range): Permission denied", message)
    end
  end))
end)

describe("what this kernel does not have", function()
  it("is told with the system's own answer, and what would help", function()
    local message = helper.fails("socket.socket", "ESOCKTNOSUPPORT", socket.socket("AF_INET", "SOCK_RDM"))
    assert.equal("socket AF_INET SOCK_RDM (AF_TIPC has reliable datagrams): Socket type not supported", message)
    if not socket.AF_TIPC then return end
    local s <close>, text, code = socket.socket("AF_TIPC", "SOCK_RDM")
    if s then helper.skip "this kernel has TIPC" end
    assert.equal("EAFNOSUPPORT", code)
    assert.equal("socket AF_TIPC SOCK_RDM (is the kernel's module tipc loaded?): "
      .. "Address family not supported by protocol", text)
  end)
end)
