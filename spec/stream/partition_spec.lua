-- A network that loses, refuses and cuts: what the calls tell, and that nothing is lost which TCP can bring. The
-- rules are the kernel's own (nft), in a network namespace of the spec's own.
local socket = require "bsdsocket"
local namespace = require "spec.support.namespace"

describe("in a network of its own", function()
  it("a host that no route leads to is ENETUNREACH at once", namespace.inside(function()
    local s <close> = assert(socket.socket())
    local ok, message, code = s:connect("192.0.2.1", 9)
    assert.same({ nil, "connect 192.0.2.1:9: " .. socket.strerror "ENETUNREACH", "ENETUNREACH" }, { ok, message, code })
    local u <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert.equal("ENETUNREACH", (select(3, u:sendto("x", "192.0.2.1", 9))))
    assert.equal("ENETUNREACH", (select(3, socket.connect("192.0.2.1", 9))))
  end))

  it("a host that is said to be unreachable is EHOSTUNREACH", namespace.inside(function(skip)
    if not os.execute "nft list ruleset >/dev/null 2>&1" then skip "nft is not here" end
    assert(os.execute [[nft add table inet t && nft add chain inet t c '{ type filter hook input priority 0; }' &&
      nft add rule inet t c udp dport 9 reject with icmpx type host-unreachable &&
      nft add rule inet t c tcp dport 9 reject with icmpx type host-unreachable]])
    local u <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(u:setsockopt("IP_RECVERR", true)) -- without it UDP does not tell of what may pass
    assert(u:connect("127.0.0.1", 9)):settimeout(5)
    assert.equal(1, u:send "x")
    assert.equal("EHOSTUNREACH", (select(3, u:recv())))
    local s <close> = assert(socket.socket()):settimeout(5)
    assert.same({ nil, "connect 127.0.0.1:9: No route to host", "EHOSTUNREACH" }, { s:connect("127.0.0.1", 9) })
  end))

  it("a stream over a wire that loses a fifth of all packets arrives whole", namespace.inside(function(skip)
    if not os.execute "nft list ruleset >/dev/null 2>&1" then skip "nft is not here" end
    local l <close> = assert(socket.listen("127.0.0.1", 0))
    local a <close> = assert(socket.connect(l:getsockname(), { nodelay = true }))
    local b <close> = assert(l:accept())
    assert(os.execute [[nft add table inet t && nft add chain inet t c '{ type filter hook input priority 0; }' &&
      nft add counter inet t lost && nft add rule inet t c numgen random mod 100 \< 20 counter name lost drop]])
    local parts = {}
    for i = 1, 4000 do parts[i] = ("%08d"):format(i) end
    local data, got, sent = table.concat(parts), {}, 0
    a:settimeout(0)
    b:settimeout(30)
    while sent < #data do
      sent = sent + (a:send(data, 0, sent + 1, sent + 1000) or 0) -- 32 packets at least: some will be lost
      local piece = assert(b:recv())
      got[#got + 1] = piece
    end
    assert(a:shutdown "SHUT_WR")
    repeat
      local piece = assert(b:recv())
      got[#got + 1] = piece
    until piece == ""
    assert.is_true(table.concat(got) == data)
    local pipe <close> = assert(io.popen "nft list counter inet t lost")
    assert.is_true(tonumber(pipe:read "a":match "packets (%d+)") > 0)
  end))

  it("a connection outlives a partition, or gives up with ETIMEDOUT if told to", namespace.inside(function(skip)
    if not os.execute "nft list ruleset >/dev/null 2>&1" then skip "nft is not here" end
    local l <close> = assert(socket.listen("127.0.0.1", 0))
    local a <close> = assert(socket.connect(l:getsockname()))
    local b <close> = assert(l:accept())
    local c <close> = assert(socket.connect(l:getsockname()))
    local d <close> = assert(l:accept())
    local u <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)
    local v <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(c:setsockopt("TCP_USER_TIMEOUT", 0.5))
    assert(os.execute [[nft add table inet t && nft add chain inet t c '{ type filter hook input priority 0; }' &&
      nft add rule inet t c drop]])
    assert.equal(4, a:send "over")
    assert.equal(4, c:send "gone")
    assert.equal(4, v:sendto("lost", u:getsockname()))
    for _, s in ipairs { b, u } do
      local ok, message, code = s:settimeout(0.3):recv()
      assert.same({ nil, "recv: timed out", "timeout" }, { ok, message, code })
    end
    local late <close> = assert(socket.socket()):settimeout(0.1)
    assert.equal("timeout", (select(3, late:connect(l:getsockname()))))
    assert.equal("ETIMEDOUT", (select(3, c:settimeout(20):recv())))
    assert(os.execute "nft flush ruleset")
    assert.equal("over", b:settimeout(20):recv())
    assert.equal("timeout", (select(3, u:recv()))) -- datagrams do not come again
    assert.equal(late, late:settimeout(20):connect(l:getsockname()))
    assert.equal(d:getsockname(), l:getsockname())
  end))
end)
