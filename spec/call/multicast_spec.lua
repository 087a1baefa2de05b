-- Broadcast and multicast of both families, in a network of its own: a wire with the ends "left" and "right".
-- What must not come is sent before something that must: so nobody waits for nothing.
local socket = require "bsdsocket"
local netlink = require "spec.support.netlink"
local inside = require "spec.support.namespace".inside

describe("broadcast", function()
  it("reaches who listens, once SO_BROADCAST allows it", inside(function(skip)
    netlink.pair(skip)
    local receiver <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("*", 0)):settimeout(5)
    local port = receiver:getsockname().port
    local s <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("10.9.0.1", 0))
    local own = s:getsockname()
    local function forbidden(...)
      local host = (...) == "<broadcast>" and "255.255.255.255" or (...)
      assert.same({ nil, ("sendto %s:%d (broadcasting needs SO_BROADCAST): Permission denied"):format(host, port),
        "EACCES" }, { s:sendto("x", ...) })
    end
    assert(s:setsockopt("SO_BINDTODEVICE", "left"))
    for _, host in ipairs { "10.9.0.255", "<broadcast>" } do
      assert(s:setsockopt("SO_BROADCAST", false))
      forbidden(host, port)
      assert(s:setsockopt("SO_BROADCAST", true))
      for _, text in ipairs { "", "to everybody on " .. host, ("b"):rep(1400) } do
        assert.equal(#text, s:sendto(text, host, port))
        assert.same({ text, own }, { receiver:recvfrom() })
      end
    end
  end))

  it("goes out on the wire to the broadcast address of the link", inside(function(skip)
    local _, _, hw = netlink.pair(skip)
    local wire <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("right", "ETH_P_IP"))
    wire:settimeout(5)
    local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(s:setsockopt("SO_BROADCAST", true))
    assert.equal(5, s:sendto("hello", "10.9.0.255", 9))
    local data, from
    repeat data, from = assert(wire:recvfrom()) until data:byte(10) == socket.IPPROTO_UDP
    assert.same({ "hello", socket.PACKET_BROADCAST, hw.left }, { data:sub(29), from.pkttype, from.hwaddr })
  end))
end)

for _, family in ipairs { "AF_INET", "AF_INET6" } do
  -- what differs between the families, for the functions that run inside
  local names = family == "AF_INET"
    and { family, "239.1.2.3", "10.9.0.1", "10.9.1.1", "IP_ADD_MEMBERSHIP", "IP_DROP_MEMBERSHIP", "IP_MULTICAST_ALL",
      "IP_MULTICAST_IF", "IP_MULTICAST_LOOP", "IP_MULTICAST_TTL" }
    or { family, "ff15::1234", "fd09::1", "fd09:0:0:1::1", "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "IPV6_MULTICAST_ALL",
      "IPV6_MULTICAST_IF", "IPV6_MULTICAST_LOOP", "IPV6_MULTICAST_HOPS" }

  describe("multicast of " .. family, function()
    it("reaches who joined, by name, index or address of the interface, and stops when it leaves", inside(
      function(skip, af, group, host, other, ADD, DROP, ALL, IF)
        local left = netlink.pair(skip)
        local receiver <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind("*", 0)):settimeout(5)
        assert(receiver:setsockopt(ALL, false)) -- only what this socket itself has joined
        local port = receiver:getsockname().port
        local s <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind(host, 0))
        local stranger <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind(other, 0))
        local own = s:getsockname()
        for i, interface in ipairs { "left", left, host, socket.address(af, host, 0) } do
          for j, outgoing in ipairs { "left", left, host } do
            assert(s:setsockopt(IF, outgoing))
            assert(stranger:setsockopt(IF, "right"))
            local text = ("message %d.%d"):format(i, j)
            assert.equal(6, s:sendto("before", group, port))
            assert(receiver:setsockopt(ADD, { group = group, interface = interface }))
            if af == "AF_INET" then -- of IPv6 Linux asks only whether the group was joined, not where
              assert.equal(9, stranger:sendto("elsewhere", group, port))
            end
            assert.equal(#text, s:sendto(text, group, port))
            assert.same({ text, own }, { receiver:recvfrom() })
            assert(receiver:setsockopt(DROP, { group = group, interface = interface }))
            assert.equal(5, s:sendto("after", group, port))
            assert.equal(4, s:sendto("mark", host, port))
            assert.same({ "mark", own }, { receiver:recvfrom() })
          end
        end
      end, table.unpack(names)))

    it("refuses to join twice, and to leave what was not joined", inside(
      function(skip, af, group, _, _, ADD, DROP)
        netlink.pair(skip)
        local s <close> = assert(socket.socket(af, "SOCK_DGRAM"))
        assert.equal("EADDRNOTAVAIL", (select(3, s:setsockopt(DROP, { group = group, interface = "left" }))))
        assert(s:setsockopt(ADD, { group = group, interface = "left" }))
        assert.equal("EADDRINUSE", (select(3, s:setsockopt(ADD, { group = group, interface = "left" }))))
        assert(s:setsockopt(ADD, { group = group, interface = "right" }))
        assert.equal("ENODEV", (select(3, s:setsockopt(ADD, { group = group, interface = "nosuch" }))))
        assert(s:setsockopt(DROP, { group = group, interface = "left" }))
        assert(s:setsockopt(DROP, { group = group, interface = "right" }))
      end, table.unpack(names)))

    it("comes from the wanted source only, if one was named", inside(
      function(skip, af, group, host, _, _, _, _, IF)
        local left = netlink.pair(skip)
        local second = af == "AF_INET" and "10.9.0.2" or "fd09::2"
        assert(netlink.addaddress(left, af, second, af == "AF_INET" and 24 or 64))
        local receiver <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind("*", 0)):settimeout(5)
        local port = receiver:getsockname().port
        local wanted <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind(host, 0))
        local unwanted <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind(second, 0))
        assert(wanted:setsockopt(IF, "left"))
        assert(unwanted:setsockopt(IF, "left"))
        if af == "AF_INET" then
          assert(receiver:setsockopt("IP_ADD_SOURCE_MEMBERSHIP", { group = group, interface = "left", source = host }))
        else -- MCAST_JOIN_SOURCE_GROUP, for which there is no name: a struct group_source_req as it is
          local function storage(address)
            return ("=I2I2I4"):pack(socket[af], 0, 0) .. socket.inet_pton(af, address) .. ("\0"):rep(128 - 24)
          end
          assert(receiver:setsockopt("IPPROTO_IPV6", 46, ("=I4xxxx"):pack(left) .. storage(group) .. storage(host)))
        end
        for i = 1, 3 do
          local text = "number " .. i
          assert.equal(8, unwanted:sendto("unwanted", group, port))
          assert.equal(#text, wanted:sendto(text, group, port))
          assert.same({ text, wanted:getsockname() }, { receiver:recvfrom() })
        end
        if af == "AF_INET" then
          assert(receiver:setsockopt("IP_DROP_SOURCE_MEMBERSHIP", { group = group, interface = "left", source = host }))
          assert(wanted:sendto("no more", group, port))
          assert(unwanted:sendto("mark", second, port))
          assert.same({ "mark", unwanted:getsockname() }, { receiver:recvfrom() })
        end
      end, table.unpack(names)))

    it("does not come back to its own machine without loop, but leaves it, with the ttl asked for", inside(
      function(skip, af, group, host, _, ADD, _, _, IF, LOOP, TTL)
        netlink.pair(skip)
        local protocol = af == "AF_INET" and "ETH_P_IP" or "ETH_P_IPV6"
        local wire <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("right", protocol))
        wire:settimeout(5)
        local receiver <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind("*", 0)):settimeout(5)
        local port = receiver:getsockname().port
        assert(receiver:setsockopt(ADD, { group = group, interface = "left" }))
        local s <close> = assert(assert(socket.socket(af, "SOCK_DGRAM")):bind(host, 0))
        assert(s:setsockopt(IF, "left"))
        local header = af == "AF_INET" and 20 or 40
        for _, ttl in ipairs { 1, 7, 255 } do
          assert(s:setsockopt(LOOP, false))
          assert(s:setsockopt(TTL, ttl))
          local text = "quiet, ttl " .. ttl
          assert.equal(#text, s:sendto(text, group, port))
          assert(s:setsockopt(LOOP, true))
          assert.equal(4, s:sendto("loud", group, port))
          assert.same({ "loud", s:getsockname() }, { receiver:recvfrom() })
          for _, expected in ipairs { text, "loud" } do
            local data, seen
            repeat -- the kernel has its own to say to groups, too
              data = assert(wire:recv())
              seen = data:byte(header == 20 and 10 or 7) == socket.IPPROTO_UDP
            until seen
            assert.equal(expected, data:sub(header + 9))
            assert.equal(ttl, data:byte(header == 20 and 9 or 8))
            assert.equal(group, socket.inet_ntop(af, header == 20 and data:sub(17, 20) or data:sub(25, 40)))
          end
        end
      end, table.unpack(names)))
  end)
end
