-- Streams, datagrams and sequenced packets of the internet and unix families carry real data. Each test compares
-- the bytes that came and the address that they came from. (Raw sockets: raw_spec.lua; groups: multicast_spec.lua.)
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local netlink = require "spec.support.netlink"
local inside = require "spec.support.namespace".inside

local random = {}
for i = 1, 5000 do random[i] = ("<I8"):pack(math.random(0)) end
random = table.concat(random):rep(2) -- 80000 bytes

-- How two ends of a kind are told apart: each gets an address of its own.
local function unixname(abstract)
  return function()
    local name = helper.tmpname()
    return abstract and "\0" .. name or name
  end
end

local kinds = {
  { "AF_INET", bind = { "127.0.0.1", 0 } },
  { "AF_INET6", bind = { "::1", 0 } },
  { "AF_UNIX", what = " with a path", name = unixname() },
  { "AF_UNIX", what = " with an abstract name", name = unixname(true), abstract = true },
}

local function make(kind, type, protocol)
  local s, message, code = socket.socket(kind[1], type, protocol)
  if not s then
    if code == "EPROTONOSUPPORT" and protocol == "IPPROTO_UDPLITE" then helper.skip "no UDP-Lite here" end
    if code:find "PROTO" and protocol == "IPPROTO_MPTCP" then helper.skip "no MPTCP here" end
    if code == "EAFNOSUPPORT" and kind[1] == "AF_INET6" then helper.skip "IPv6 is not here" end
    error(message, 2)
  end
  assert(s:bind(table.unpack(kind.bind or { kind.name() })))
  return s:settimeout(5)
end

local function each(types, f)
  for _, row in ipairs(types) do
    for _, kind in ipairs(kinds) do
      if (not row.unix or kind[1] == "AF_UNIX") and not (row[2] and kind[1] == "AF_UNIX")
          and not (kind.abstract and helper.shell "uname" ~= "Linux\n") and (not row[2] or socket[row[2]]) then
        it(("of %s, %s%s%s"):format(kind[1], row[1], row[2] and ", " .. row[2] or "", kind.what or ""), function()
          f(kind, row[1], row[2])
        end)
      end
    end
  end
end

describe("a connection carries what was sent, both ways,", function()
  each({ { "SOCK_STREAM" }, { "SOCK_STREAM", "IPPROTO_MPTCP" } }, function(kind, type, protocol)
    local server <close> = assert(make(kind, type, protocol):listen())
    local client <close> = make(kind, type, protocol)
    assert(client:connect(server:getsockname()))
    local conn <close>, from = assert(server:accept())
    conn:settimeout(5)
    assert.equal(client:getsockname(), from)
    assert.equal(from, conn:getpeername())
    assert.equal(server:getsockname(), client:getpeername())
    if protocol and protocol:find "MPTCP" then
      assert.equal(socket.IPPROTO_MPTCP, conn:getsockopt "SO_PROTOCOL")
      assert.is_true(conn:getsockopt "TCP_IS_MPTCP" ~= false) -- nothing fell back to plain TCP
    end
    for a, b in pairs { [client] = conn, [conn] = client } do
      a:settimeout(0) -- one script is both sides: what the kernel has no room for waits
      local sent, parts, got = 0, {}, 0
      while got < #random do
        sent = sent + (sent < #random and a:send(random, 0, sent + 1) or 0)
        parts[#parts + 1] = assert(b:recv())
        got = got + #parts[#parts]
      end
      assert.is_true(random == table.concat(parts))
      a:settimeout(5)
    end
    assert(client:shutdown "SHUT_WR")
    assert.equal("", conn:recv())
    assert.equal(3, conn:send "end")
    assert.equal("end", client:recv())
  end)
end)

describe("datagrams keep their bounds, and tell their sender,", function()
  each({ { "SOCK_DGRAM" }, { "SOCK_DGRAM", "IPPROTO_UDPLITE" } }, function(kind, type, protocol)
    local a <close> = make(kind, type, protocol)
    local b <close> = make(kind, type, protocol)
    local from, to = a:getsockname(), b:getsockname()
    for _, n in ipairs { 0, 1, 2, 1472, 1473, 9000, 65506, 65507 } do
      local data = random:sub(1, n)
      assert.equal(n, a:sendto(data, to))
      local got, sender, cut = assert(b:recvfrom())
      assert.is_true(data == got)
      assert.equal(from, sender)
      assert.is_nil(cut)
    end
    if kind[1] == "AF_INET" then helper.fails("s:sendto", "EMSGSIZE", a:sendto(random:sub(1, 65508), to)) end
    for _, n in ipairs { 1, 100, 65506 } do
      assert.equal(65507, a:sendto(random:sub(1, 65507), to))
      local got, sender, cut = assert(b:recvfrom(n))
      assert.is_true(random:sub(1, n) == got)
      assert.same({ from, true }, { sender, cut })
    end
    assert.equal(6, b:sendto("answer", from:unpack()))
    assert.same({ "answer", to }, { a:recvfrom() })
    assert(a:connect(to))
    assert.equal(to, a:getpeername())
    assert.equal(9, a:send "connected")
    assert.same({ "connected", from }, { b:recvfrom() })
  end)
end)

describe("sequenced packets keep their bounds and their order,", function()
  each({ { "SOCK_SEQPACKET", unix = true } }, function(kind, type)
    local server <close> = assert(make(kind, type):listen())
    local client <close> = make(kind, type)
    assert(client:connect(server:getsockname()))
    local conn <close>, from = assert(server:accept())
    conn:settimeout(5)
    assert.equal(client:getsockname(), from)
    for i = 1, 5 do
      assert.equal(i * 1000, client:send(random:sub(i, i * 1001 - 1)))
    end
    for i = 1, 5 do
      local data, sender, cut = assert(conn:recvfrom(i == 4 and 10 or nil))
      assert.is_true(random:sub(i, i == 4 and i + 9 or i * 1001 - 1) == data)
      assert.equal(i == 4 or nil, cut)
      assert.is_true(sender == nil or sender == from)
    end
    assert.equal(4, conn:send "back")
    assert.equal("back", client:recv())
    client:close()
    assert.equal("", conn:recv())
  end)
end)

describe("unix sockets", function()
  local function linux() return socket.AF_NETLINK or helper.skip "not Linux" end

  it("get an abstract name of their own from bind \"\"", function()
    linux()
    local a <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind "")
    local b <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(socket.address("AF_UNIX", "")))
    b:settimeout(5)
    local from, to = a:getsockname(), b:getsockname()
    assert.match("^\0%x%x%x%x%x$", from.path)
    assert.match("^\0%x%x%x%x%x$", to.path)
    assert.is_true(from ~= to)
    assert.equal(4, a:sendto("auto", to))
    assert.same({ "auto", from }, { b:recvfrom() })
  end)

  it("without a name send, and their sender is nobody", function()
    local path = helper.tmpname()
    local b <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path)):settimeout(5)
    local a <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    assert.equal("", a:getsockname().path)
    assert.equal(5, a:sendto("hello", path))
    local data, from = b:recvfrom()
    assert.equal("hello", data)
    assert.is_true(from == nil or from == socket.address("AF_UNIX", ""))
  end)

  it("of SOCK_RAW are of SOCK_DGRAM", function()
    linux()
    local a <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_RAW")):bind "")
    local b <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_RAW")):bind ""):settimeout(5)
    assert.equal(socket.SOCK_DGRAM, a:getsockopt "SO_TYPE")
    assert.equal(3, a:sendto("raw", b:getsockname()))
    assert.same({ "raw", a:getsockname() }, { b:recvfrom() })
  end)
end)

describe("IPv6", function()
  it("reaches link-local addresses by their scope, by name and by number", inside(function(skip)
    local left, right = netlink.pair(skip)
    assert.is_true(left ~= right)
    for _, kind in ipairs { "SOCK_DGRAM", "SOCK_STREAM" } do
      local b <close> = assert(assert(socket.socket("AF_INET6", kind)):bind("fe80::1%left", 0)):settimeout(5)
      local to = b:getsockname()
      assert.same({ "fe80::1", left }, { to.host, to.scope_id })
      assert.equal(("[fe80::1%%%d]:%d"):format(left, to.port), tostring(to))
      if kind == "SOCK_STREAM" then assert(b:listen()) end
      for _, address in ipairs { { "fe80::1%left", to.port }, { "fe80::1", to.port, 0, left }, { to } } do
        local a <close> = assert(socket.socket("AF_INET6", kind))
        assert(a:connect(table.unpack(address)))
        local from = a:getsockname()
        assert.same({ "fe80::1", left }, { from.host, from.scope_id })
        assert.equal(5, a:send "scope")
        if kind == "SOCK_DGRAM" then
          assert.same({ "scope", from }, { b:recvfrom() })
        else
          local conn <close>, sender = assert(b:accept())
          assert.same({ "scope", from }, { conn:recv(), sender })
        end
      end
      local s <close> = assert(socket.socket("AF_INET6", kind))
      assert.equal("EINVAL", (select(3, s:connect("fe80::1", to.port)))) -- which one of them?
      assert.equal("EAI_NONAME", (select(3, s:connect("fe80::1%nosuch", to.port))))
    end
  end))

  it("sends the flow label that was leased", inside(function()
    local wire <close> = assert(assert(socket.socket("AF_PACKET", "SOCK_DGRAM", 0)):bind("lo", "ETH_P_IPV6"))
    wire:settimeout(5)
    local b <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("::1", 0)):settimeout(5)
    local a <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("::1", 0))
    local port = b:getsockname().port
    assert(a:setsockopt("IPV6_FLOWINFO_SEND", true))
    -- a struct in6_flowlabel_req: get, create
    assert(a:setsockopt("IPPROTO_IPV6", "IPV6_FLOWLABEL_MGR", socket.inet_pton("AF_INET6", "::1")
      .. (">I4"):pack(0x12345) .. ("=BBI2I2I2I4"):pack(0, 255, 1, 0, 0, 0)))
    local address = socket.address("AF_INET6", "::1", port, 0x12345)
    assert.equal(0x12345, address.flowinfo)
    assert.equal(7, a:sendto("labeled", address))
    assert.same({ "labeled", a:getsockname() }, { b:recvfrom() })
    assert.equal(0x60012345, (">I4"):unpack(assert(wire:recv())))
  end))

  for _, kind in ipairs { "SOCK_DGRAM", "SOCK_STREAM" } do
    it("sockets of " .. kind .. " serve IPv4 as well, unless IPV6_V6ONLY", function()
      local b <close> = socket.socket("AF_INET6", kind)
      if not b then helper.skip "IPv6 is not here" end
      assert(b:setsockopt("IPV6_V6ONLY", false):settimeout(5):bind("*", 0))
      local port = b:getsockname().port
      if kind == "SOCK_STREAM" then assert(b:listen()) end
      for family, host in pairs { AF_INET = "127.0.0.1", AF_INET6 = "::1" } do
        local a <close> = assert(socket.socket(family, kind)):settimeout(5)
        assert(a:connect(host, port))
        local from = socket.address("AF_INET6", (family == "AF_INET" and "::ffff:" or "") .. host, a:getsockname().port)
        assert.equal(5, a:send "hello")
        if kind == "SOCK_DGRAM" then
          assert.same({ "hello", from }, { b:recvfrom() })
          assert.equal(6, b:sendto("answer", from))
        else
          local conn <close>, sender = assert(b:accept())
          assert.same({ "hello", from }, { conn:recv(), sender })
          assert.equal(6, conn:send "answer")
        end
        assert.equal("answer", a:recv())
      end
      local only <close> = assert(assert(socket.socket("AF_INET6", kind)):setsockopt("IPV6_V6ONLY", true):bind("*", 0))
      if kind == "SOCK_STREAM" then assert(only:listen()) end
      local a <close> = assert(socket.socket("AF_INET", kind)):settimeout(5)
      local ok, message, code = a:connect("127.0.0.1", only:getsockname().port)
      if ok then
        assert(a:send "x")
        ok, message, code = a:recv()
      end
      assert.same({ nil, "ECONNREFUSED" }, { ok, code }, message)
    end)
  end
end)
