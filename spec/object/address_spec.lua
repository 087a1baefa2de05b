-- Addresses: socket.address, and what bind, connect and sendto take in its place.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

local inf, nan = math.huge, 0 / 0
local loopback = assert(socket.if_nameindex()[1]) -- its name may be anything

-- One row for each address: how it is made, its fields, what tostring says.
-- `unpacked` where it is not the arguments again.
local rows = {
  { { "AF_INET", "127.0.0.1", 8001 }, { host = "127.0.0.1", port = 8001 }, "127.0.0.1:8001" },
  { { "AF_INET", "255.1.2.3", 0 }, { host = "255.1.2.3", port = 0 }, "255.1.2.3:0" },
  { { "AF_INET", "1.2.3.4", 65535 }, { host = "1.2.3.4", port = 65535 }, "1.2.3.4:65535" },
  { { "AF_INET", "*", 1 }, { host = "0.0.0.0", port = 1 }, "0.0.0.0:1", unpacked = { "0.0.0.0", 1 } },
  { { "AF_INET", "", 1 }, { host = "0.0.0.0", port = 1 }, "0.0.0.0:1", unpacked = { "0.0.0.0", 1 } },
  {
    { "AF_INET", "<broadcast>", 9 }, { host = "255.255.255.255", port = 9 }, "255.255.255.255:9",
    unpacked = { "255.255.255.255", 9 },
  },
  {
    { "AF_INET", "localhost", 80 }, { host = "127.0.0.1", port = 80 }, "127.0.0.1:80",
    unpacked = { "127.0.0.1", 80 },
  },
  { { "AF_INET", "127.1", "80" }, { host = "127.0.0.1", port = 80 }, "127.0.0.1:80", unpacked = { "127.0.0.1", 80 } },
  { { "AF_INET", "1.2.3.4", "0080" }, { host = "1.2.3.4", port = 80 }, "1.2.3.4:80", unpacked = { "1.2.3.4", 80 } },
  { { "AF_INET", "1.2.3.4", 80.0 }, { host = "1.2.3.4", port = 80 }, "1.2.3.4:80", unpacked = { "1.2.3.4", 80 } },
  { { "AF_INET", "1.2.3.4", "http" }, { host = "1.2.3.4", port = 80 }, "1.2.3.4:80", unpacked = { "1.2.3.4", 80 } },
  {
    { "AF_INET6", "::1", 8001 }, { host = "::1", port = 8001, flowinfo = 0, scope_id = 0 }, "[::1]:8001",
    unpacked = { "::1", 8001, 0, 0 },
  },
  {
    { "AF_INET6", "0:0::0:1", "domain" }, { host = "::1", port = 53, flowinfo = 0, scope_id = 0 }, "[::1]:53",
    unpacked = { "::1", 53, 0, 0 },
  },
  {
    { "AF_INET6", "*", 0 }, { host = "::", port = 0, flowinfo = 0, scope_id = 0 }, "[::]:0",
    unpacked = { "::", 0, 0, 0 },
  },
  {
    { "AF_INET6", "", 0 }, { host = "::", port = 0, flowinfo = 0, scope_id = 0 }, "[::]:0",
    unpacked = { "::", 0, 0, 0 },
  },
  {
    { "AF_INET6", "::ffff:1.2.3.4", 5 }, { host = "::ffff:1.2.3.4", port = 5, flowinfo = 0, scope_id = 0 },
    "[::ffff:1.2.3.4]:5", unpacked = { "::ffff:1.2.3.4", 5, 0, 0 },
  },
  {
    { "AF_INET6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 4294967295, 4294967295 },
    { host = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", port = 65535, flowinfo = 4294967295, scope_id = 4294967295 },
    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535",
  },
  {
    { "AF_INET6", "fe80::1", 80, 7, 3 }, { host = "fe80::1", port = 80, flowinfo = 7, scope_id = 3 },
    "[fe80::1%3]:80",
  },
  {
    { "AF_INET6", "fe80::1%" .. loopback.name, 80 },
    { host = "fe80::1", port = 80, flowinfo = 0, scope_id = loopback.index },
    "[fe80::1%" .. loopback.index .. "]:80", unpacked = { "fe80::1", 80, 0, loopback.index },
  },
  {
    { "AF_INET6", "fe80::1%" .. loopback.name, 80, 7 },
    { host = "fe80::1", port = 80, flowinfo = 7, scope_id = loopback.index },
    "[fe80::1%" .. loopback.index .. "]:80", unpacked = { "fe80::1", 80, 7, loopback.index },
  },
  { { "AF_UNIX", "/run/x.sock" }, { path = "/run/x.sock" }, "/run/x.sock" },
  { { "AF_UNIX", "relative" }, { path = "relative" }, "relative" },
  { { "AF_UNIX", ("p"):rep(107) }, { path = ("p"):rep(107) }, ("p"):rep(107) },
  { { "AF_UNIX", "" }, { path = "" }, "(unnamed)" },
  { { "AF_UNIX", "\0name" }, { path = "\0name" }, "@name" },
  { { "AF_UNIX", "\0na\0me\0" }, { path = "\0na\0me\0" }, "@na@me@" },
  { { "AF_UNIX", "\0" }, { path = "\0" }, "@" },
  { { "AF_UNIX", "\0" .. ("\255"):rep(107) }, { path = "\0" .. ("\255"):rep(107) }, "@" .. ("\255"):rep(107) },
  {
    { "AF_PACKET", loopback.name, 0x1234 }, {
      ifname = loopback.name, ifindex = loopback.index, protocol = 0x1234, hatype = 0, pkttype = 0, hwaddr = "",
    }, "interface " .. loopback.index .. " 0x1234", unpacked = { loopback.name, 0x1234, "" },
  },
  {
    { "AF_PACKET", loopback.index, "ETH_P_IP", "\2\0\0\0\0\255" },
    { ifname = loopback.name, ifindex = loopback.index, protocol = 0x0800, hwaddr = "\2\0\0\0\0\255" },
    "interface " .. loopback.index .. " ETH_P_IP 02:00:00:00:00:ff",
    unpacked = { loopback.name, 0x0800, "\2\0\0\0\0\255" },
  },
  {
    { "AF_PACKET", 0, 65535, ("h"):rep(32) }, { ifindex = 0, protocol = 65535, hwaddr = ("h"):rep(32) },
    "interface 0 0xffff " .. ("68:"):rep(31) .. "68",
  },
  {
    { "AF_PACKET", 2147483647, 0, ("h"):rep(9) }, { ifindex = 2147483647, protocol = 0, hwaddr = ("h"):rep(9) },
    "interface 2147483647 " .. ("68:"):rep(8) .. "68",
  },
  { { "AF_NETLINK", 0, 0 }, { pid = 0, groups = 0 }, "netlink 0" },
  {
    { "AF_NETLINK", 4294967295, 4294967295 }, { pid = 4294967295, groups = 4294967295 },
    "netlink 4294967295 groups 0xffffffff",
  },
  { { "AF_VSOCK", 2, 1234 }, { cid = 2, port = 1234 }, "vsock:2:1234" },
  {
    { "AF_VSOCK", "VMADDR_CID_ANY", "VMADDR_PORT_ANY" }, { cid = 4294967295, port = 4294967295 }, "vsock:*:*",
    unpacked = { 4294967295, 4294967295 },
  },
  {
    { "AF_TIPC", { type = 1000, instance = 5 } }, { type = 1000, instance = 5, scope = 2, node = 0 }, "tipc 1000:5",
    unpacked = { { type = 1000, instance = 5, scope = 2, node = 0 } },
  },
  {
    { "AF_TIPC", { type = 4294967295, instance = 4294967295, scope = "TIPC_NODE_SCOPE", node = 0x1001002 } },
    { type = 4294967295, instance = 4294967295, scope = 3, node = 0x1001002 }, "tipc 4294967295:4294967295 at 1001002",
    unpacked = { { type = 4294967295, instance = 4294967295, scope = 3, node = 0x1001002 } },
  },
  {
    { "AF_TIPC", { type = 64, instance = 0, scope = -2, node = 0 } },
    { type = 64, instance = 0, scope = -2, node = 0 }, "tipc 64:0",
  },
  {
    { "AF_TIPC", { type = 64, instance = 1, upper = 9 } }, { type = 64, instance = 1, upper = 9, scope = 2 },
    "tipc 64:1-9", unpacked = { { type = 64, instance = 1, upper = 9, scope = 2 } },
  },
  { { "AF_TIPC", { ref = 77, node = 0x1001002 } }, { ref = 77, node = 0x1001002 }, "tipc 1001002:77" },
  { { "AF_UNSPEC" }, { bytes = "" }, "AF_UNSPEC", unpacked = { "" } },
  { { "AF_UNSPEC", "" }, { bytes = "" }, "AF_UNSPEC" },
  { { 1000, "x\0y\255" }, { bytes = "x\0y\255" }, "AF_1000 780079ff" },
  { { 65535, "" }, { bytes = "" }, "AF_65535" },
  { { 1000, ("z"):rep(126) }, { bytes = ("z"):rep(126) } },
}

-- A family that the system does not know has no row either.
for i = #rows, 1, -1 do
  local family = rows[i][1][1]
  if type(family) == "string" and not socket[family] then table.remove(rows, i) end
end

local function show(value)
  if type(value) ~= "table" then return (("%q"):format(value):gsub("\n", "n"):sub(1, 50)) end
  local fields = {}
  for k, v in pairs(value) do fields[#fields + 1] = k .. " = " .. show(v) end
  table.sort(fields)
  return "{" .. table.concat(fields, ", ") .. "}"
end

describe("socket.address", function()
  for _, row in ipairs(rows) do
    local arguments, fields, text = row[1], row[2], row[3]
    local shown = {}
    for i, value in ipairs(arguments) do shown[i] = show(value) end
    it("(" .. table.concat(shown, ", ") .. ") has its fields, its text, and unpacks to what makes it again", function()
      local a = assert(socket.address(table.unpack(arguments)))
      local family = arguments[1]
      assert.equal(type(family) == "string" and socket[family] or family, a.family)
      assert.equal("integer", math.type(a.family))
      for name, value in pairs(fields) do
        assert.equal(value, a[name])
        assert.equal(math.type(value), math.type(a[name]))
      end
      if text then assert.equal(text, tostring(a)) end
      local unpacked = row.unpacked or { table.unpack(arguments, 2) }
      assert.same(unpacked, { a:unpack() })
      assert.is_true(rawequal(a, socket.address(family, a:unpack())))
      assert.is_true(rawequal(a, socket.address(table.unpack(arguments))))
      for _, other in ipairs {
        "host", "port", "flowinfo", "scope_id", "path", "bytes", "pid", "groups", "cid", "type", "upper", "ref",
        "nosuch", "",
      } do
        if fields[other] == nil then assert.is_nil(a[other]) end
      end
    end)
  end

  it("takes the family as a number, as its name, and as its PF_ name", function()
    local a = socket.address("AF_INET", "1.2.3.4", 5)
    assert.equal(a, socket.address(socket.AF_INET, "1.2.3.4", 5))
    assert.equal(a, socket.address("PF_INET", "1.2.3.4", 5))
    assert.equal(socket.address("AF_UNIX", "x"), socket.address("AF_LOCAL", "x"))
  end)

  it("raises for what is no family, and names it", function()
    for _, name in ipairs { "AF_NOSUCH", "", "SOCK_STREAM", "AF_INET\0", "inet" } do
      helper.raises("socket.address", "bad argument #1 to 'address' %(.*" .. name:gsub("%z.*", ""), function()
        return socket.address(name, "127.0.0.1", 1)
      end)
    end
    for _, value in ipairs { -1, 65536, 2 ^ 31, 2 ^ 63, math.maxinteger, 1.5, nan, inf, true, {}, io.stdout } do
      helper.raises("socket.address", "bad argument #1 to 'address'", function()
        return socket.address(value, "127.0.0.1", 1)
      end)
    end
    helper.raises("socket.address", "bad argument #1", function() return socket.address() end)
    helper.raises("socket.address", "bad argument #1", function() return socket.address(nil, "x", 1) end)
  end)

  it("raises for a port that is none", function()
    for _, family in ipairs { "AF_INET", "AF_INET6" } do
      for _, port in ipairs {
        -1, 65536, 70000, 1.5, nan, inf, -inf, 2 ^ 31, 2 ^ 32, 2 ^ 63, math.maxinteger, math.mininteger,
        "65536", "70000", "4294967376", "18446744073709551696", ("9"):rep(400), "80\0", "http\0",
        true, {}, io.stdout, print,
      } do
        helper.raises("socket.address", "bad argument #3 to 'address'", function()
          return socket.address(family, "*", port)
        end)
      end
      helper.raises("socket.address", "bad argument #3", function() return socket.address(family, "*") end)
      helper.raises("socket.address", "bad argument #3", function() return socket.address(family, "*", nil) end)
    end
  end)

  it("raises for a host that is no string, or holds a zero", function()
    for _, family in ipairs { "AF_INET", "AF_INET6" } do
      for _, host in ipairs {
        1, 1.5, true, {}, io.stdout, print, "127.0.0.1\0", "\0", "::1\0x", "localhost\0.example.com", "*\0",
      } do
        helper.raises("socket.address", "bad argument #2 to 'address'", function()
          return socket.address(family, host, 1)
        end)
      end
      helper.raises("socket.address", "bad argument #2", function() return socket.address(family) end)
      helper.raises("socket.address", "bad argument #2", function() return socket.address(family, nil, 1) end)
    end
    helper.raises("socket.address", "bad argument #2 to 'address'", function()
      return socket.address("AF_INET6", "<broadcast>", 1)
    end)
  end)

  it("raises for a flowinfo or a scope out of range", function()
    for i, n in ipairs { -1, 4294967296, 1.5, nan, 2 ^ 63, math.maxinteger, "x", true, {} } do
      helper.raises("socket.address", "bad argument #4 to 'address'", function()
        return socket.address("AF_INET6", "::1", 1, n)
      end)
      helper.raises("socket.address", "bad argument #5 to 'address'", function()
        return socket.address("AF_INET6", "::1", 1, i, n)
      end)
    end
  end)

  it("returns the resolver's answer for a host or a service that there is not", function()
    local message = helper.fails("socket.address", "EAI_NONAME", socket.address("AF_INET", "not:a:host", 80))
    assert.equal("address [not:a:host]:80: " .. socket.strerror "EAI_NONAME", message)
    helper.fails("socket.address", "EAI_NONAME", socket.address("AF_INET", ("x"):rep(5000), 80))
    helper.fails("socket.address", "EAI_ADDRFAMILY", socket.address("AF_INET", "::1", 80))
    helper.fails("socket.address", "EAI_ADDRFAMILY", socket.address("AF_INET6", "127.0.0.1", 80))
    helper.fails("socket.address", "EAI_NONAME", socket.address("AF_INET6", "fe80::1%nosuchinterface", 80))
    message = helper.fails("socket.address", "EAI_SERVICE", socket.address("AF_INET", "127.0.0.1", "nosuchservice"))
    assert.equal("address 127.0.0.1:nosuchservice: Servname not supported for ai_socktype", message)
    for _, service in ipairs { "", " 80", "80 ", "+80", "-1", "0x50", "8e1", ("x"):rep(5000) } do
      helper.fails("socket.address", "EAI_SERVICE", socket.address("AF_INET", "127.0.0.1", service))
    end
  end)

  it("raises for a path that does not fit, and never cuts one", function()
    for _, path in ipairs { ("p"):rep(108), ("p"):rep(109), ("p"):rep(1000000), "\0" .. ("p"):rep(108) } do
      helper.raises("socket.address", "bad argument #2 to 'address' %(.*too long", function()
        return socket.address("AF_UNIX", path)
      end)
    end
    for _, path in ipairs { "/tmp/x\0", "a\0b", "a\0" .. ("p"):rep(200) } do
      helper.raises("socket.address", "bad argument #2 to 'address' %(.*zeros", function()
        return socket.address("AF_UNIX", path)
      end)
    end
    for _, path in ipairs { 1, 1.5, true, {}, io.stdout } do
      helper.raises("socket.address", "bad argument #2 to 'address' %(path or address expected", function()
        return socket.address("AF_UNIX", path)
      end)
    end
    helper.raises("socket.address", "bad argument #2", function() return socket.address("AF_UNIX") end)
  end)

  it("raises for raw bytes that no sockaddr has room for, and for what are none", function()
    helper.raises("socket.address", "bad argument #2 to 'address' %(.*too long", function()
      return socket.address(1000, ("z"):rep(127))
    end)
    helper.raises("socket.address", "bad argument #2 to 'address' %(.*too long", function()
      return socket.address("AF_UNSPEC", ("z"):rep(1000000))
    end)
    for _, family in ipairs { 1000, "AF_UNSPEC" } do
      for _, bytes in ipairs { 1, true, {}, io.stdout } do
        helper.raises("socket.address", "bad argument #2 to 'address' %(string expected", function()
          return socket.address(family, bytes)
        end)
      end
    end
    helper.raises("socket.address", "bad argument #2", function() return socket.address(1000) end)
  end)

  local four = string.pack(">I2BBBB", 8001, 127, 0, 0, 1)
  local six = string.pack(">I2I4", 8001, 7) .. ("\0"):rep(15) .. "\1" .. string.pack("=I4", 3)

  -- {family, the bytes after it in the sockaddr, what socket.address makes the same of}
  local raw = {
    { "AF_INET", four .. ("\0"):rep(8), { "127.0.0.1", 8001 } },
    { "AF_INET", four .. ("x"):rep(8), { "127.0.0.1", 8001 } }, -- sin_zero is no part of it
    { "AF_INET", four .. ("\0"):rep(120), { "127.0.0.1", 8001 } }, -- of a sockaddr_storage
    { "AF_INET6", six, { "::1", 8001, 7, 3 } }, { "AF_INET6", six .. ("\0"):rep(100), { "::1", 8001, 7, 3 } },
    { "AF_UNIX", "/run/x", { "/run/x" } }, { "AF_UNIX", "/run/x\0y" .. ("\0"):rep(100), { "/run/x" } },
    { "AF_UNIX", "", { "" } }, { "AF_UNIX", "\0name", { "\0name" } }, { "AF_UNIX", "\0a\0", { "\0a\0" } },
    { "AF_NETLINK", string.pack("=I2I4I4", 0, 4711, 1), { 4711, 1 } },
    { "AF_VSOCK", string.pack("=I2I4I4I4", 0, 1234, 2, 0), { 2, 1234 } },
    { 1000, "x\0y", { "x\0y" } }, { "AF_UNSPEC", "", {} },
  }

  for i, row in ipairs(raw) do
    it("takes raw bytes of any family in a table: " .. row[1] .. ", " .. i, function()
      local family = type(row[1]) == "string" and not socket[row[1]]
      if family or row[1] == "AF_UNIX" and row[2]:byte() == 0 and not socket.AF_NETLINK then
        helper.skip "this system does not have the family"
      end
      local made = socket.address(row[1], { bytes = row[2] })
      assert.is_true(rawequal(socket.address(row[1], table.unpack(row[3])), made))
    end)
  end

  it("takes such a table wherever what follows the family is taken", function()
    local bytes = string.pack(">I2BBBB", 0, 127, 0, 0, 1) .. ("\0"):rep(8)
    local s <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind { bytes = bytes })
    local port = s:getsockname().port
    local other = { bytes = string.pack(">I2BBBB", port, 127, 0, 0, 1) .. ("\0"):rep(8) }
    local c <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert.equal(1, c:sendto("x", other))
    assert(c:connect(other))
    assert.equal(s:getsockname(), c:getpeername())
  end)

  it("raises for raw bytes in a table that make no address, and says why", function()
    local function refuses(pattern, family, t)
      helper.raises("socket.address", "bad argument #2 to 'address' %(" .. pattern, function()
        return socket.address(family, t)
      end)
    end
    refuses("field 'bytes': too short: at least 14 bytes expected", "AF_INET", { bytes = four })
    refuses("field 'bytes': too short: at least 26 bytes expected", "AF_INET6", { bytes = six:sub(1, -2) })
    refuses("field 'bytes': too short", "AF_INET", { bytes = "" })
    for _, family in ipairs { "AF_INET", "AF_INET6", "AF_UNIX", 1000 } do
      refuses("field 'bytes': sockaddr too long", family, { bytes = ("z"):rep(1000) })
      refuses("field 'bytes': string expected, got ", family, { bytes = {} })
      refuses("field 'bytes': string expected, got ", family, { bytes = 1 })
      refuses("unknown field 'port'", family, { bytes = six, port = 1 })
    end
    refuses("field 'bytes': sockaddr too long", "AF_UNIX", { bytes = ("p"):rep(109) })
    if socket.AF_TIPC then refuses("unknown field 'type'", "AF_TIPC", { bytes = ("\0"):rep(14), type = 1 }) end
  end)

  -- Each row: the family, the number of the wrong argument, what the message says, the arguments.
  local wrong = {
    { "AF_PACKET", 2, "name, index or address of an interface expected" },
    { "AF_PACKET", 2, "name, index or address", true, 3 }, { "AF_PACKET", 2, "name, index or address", {}, 3 },
    { "AF_PACKET", 2, "out of range", -1, 3 }, { "AF_PACKET", 2, "out of range", 2147483648, 3 },
    { "AF_PACKET", 2, "out of range", math.mininteger, 3 }, { "AF_PACKET", 2, "integer", 1.5, 3 },
    { "AF_PACKET", 2, "integer", nan, 3 }, { "AF_PACKET", 2, "zeros", "lo\0", 3 },
    { "AF_PACKET", 3, "expected", 1 }, { "AF_PACKET", 3, "out of range", 1, -1 },
    { "AF_PACKET", 3, "out of range", 1, 65536 },
    { "AF_PACKET", 3, "unknown constant 'ETH_P_NOSUCH'", 1, "ETH_P_NOSUCH" },
    { "AF_PACKET", 3, "AF_INET", 1, "AF_INET" }, { "AF_PACKET", 3, "expected", 1, {} },
    { "AF_PACKET", 4, "too long", 1, 3, ("h"):rep(33) }, { "AF_PACKET", 4, "too long", 1, 3, ("h"):rep(1000000) },
    { "AF_PACKET", 4, "string expected", 1, 3, 5 }, { "AF_PACKET", 4, "string expected", 1, 3, {} },
    { "AF_NETLINK", 2, "number expected" }, { "AF_NETLINK", 3, "number expected", 0 },
    { "AF_NETLINK", 2, "out of range", -1, 0 }, { "AF_NETLINK", 2, "out of range", 4294967296, 0 },
    { "AF_NETLINK", 3, "out of range", 0, -1 }, { "AF_NETLINK", 3, "out of range", 0, math.maxinteger },
    { "AF_NETLINK", 2, "integer", 0.5, 0 }, { "AF_NETLINK", 3, "integer", 0, nan },
    { "AF_NETLINK", 2, "number expected", "x", 0 }, { "AF_NETLINK", 3, "number expected", 0, {} },
    { "AF_VSOCK", 2, "number expected" }, { "AF_VSOCK", 3, "number expected", 2 },
    { "AF_VSOCK", 2, "out of range", -1, 5 }, { "AF_VSOCK", 3, "out of range", 2, 4294967296 },
    { "AF_VSOCK", 2, "unknown constant 'VMADDR_NO'", "VMADDR_NO", 5 },
    { "AF_VSOCK", 3, "constant 'AF_INET' is none of VMADDR_%*", 2, "AF_INET" },
    { "AF_VSOCK", 3, "unknown constant", 2, "VMADDR_PORT_ANY\0" }, { "AF_VSOCK", 2, "integer", inf, 5 },
    { "AF_TIPC", 2, "table expected" }, { "AF_TIPC", 2, "table expected", 1000 },
    { "AF_TIPC", 2, "table expected", "x" }, { "AF_TIPC", 2, "table expected", io.stdout },
    { "AF_TIPC", 2, "'type': integer or name of a constant expected, got nil", {} },
    { "AF_TIPC", 2, "'instance': integer or name of a constant expected, got nil", { type = 1 } },
    { "AF_TIPC", 2, "'node': integer or name of a constant expected, got nil", { ref = 1 } },
    { "AF_TIPC", 2, "'type': out of range: integer from 0 to 4294967295 expected", { type = -1, instance = 0 } },
    { "AF_TIPC", 2, "'instance': out of range", { type = 1, instance = 4294967296 } },
    { "AF_TIPC", 2, "'type': number has no integer representation", { type = 1.5, instance = 0 } },
    { "AF_TIPC", 2, "'type': unknown constant 'x'", { type = "x", instance = 0 } },
    { "AF_TIPC", 2, "'type': unknown constant 'TIPC_NOSUCH'", { type = "TIPC_NOSUCH", instance = 0 } },
    { "AF_TIPC", 2, "'type': unknown constant 'TIPC_TOP_SRV", { type = "TIPC_TOP_SRV\0", instance = 0 } },
    { "AF_TIPC", 2, "'scope': constant 'AF_INET' is none of", { type = 1, instance = 0, scope = "AF_INET" } },
    { "AF_TIPC", 2, "'ref': unknown constant 'x'", { ref = "x", node = 0 } },
    { "AF_TIPC", 2, "'upper': integer", { type = 1, instance = 0, upper = true } },
    { "AF_TIPC", 2, "'upper': below the instance", { type = 1, instance = 5, upper = 4 } },
    { "AF_TIPC", 2, "'node': a range of services has none", { type = 1, instance = 5, upper = 6, node = 1 } },
    { "AF_TIPC", 2, "'scope': out of range: integer from %-3 to 3 expected", { type = 1, instance = 5, scope = 4 } },
    { "AF_TIPC", 2, "'scope': out of range: integer from %-3 to 3 expected", { type = 1, instance = 5, scope = -4 } },
    { "AF_TIPC", 2, "'node': integer", { type = 1, instance = 5, node = {} } },
    { "AF_TIPC", 2, "'node': out of range", { ref = 1, node = -1 } },
    { "AF_TIPC", 2, "unknown field 'sope'; did you mean 'scope'%?", { type = 1, instance = 2, sope = 2 } },
    { "AF_TIPC", 2, "unknown field 'nod'; did you mean 'node'%?", { ref = 1, node = 0, nod = 1 } },
    { "AF_TIPC", 2, "its fields have names, and no number", { type = 1, instance = 2, "x" } },
    { "AF_TIPC", 2, "'scope': unknown constant 'TIPC_NOD_SCOPE'; did you mean 'TIPC_NODE_SCOPE'%?",
      { type = 1, instance = 2, scope = "TIPC_NOD_SCOPE" } },
    { "AF_TIPC", 2, "either a service or", { ref = 1, node = 0, type = 1 } },
    { "AF_TIPC", 2, "either a service or", { ref = 1, node = 0, scope = 2 } },
  }

  for _, family in ipairs { "AF_PACKET", "AF_NETLINK", "AF_VSOCK", "AF_TIPC" } do
    it("raises for arguments that make no address of " .. family, function()
      if not socket[family] then return end
      for _, row in ipairs(wrong) do
        if row[1] == family then
          helper.raises("socket.address", "bad argument #" .. row[2] .. " to 'address' %(.*" .. row[3], function()
            return socket.address(family, table.unpack(row, 4))
          end)
        end
      end
    end)
  end

  it("is ENODEV for a link-layer address of an interface that is not there", function()
    if not socket.AF_PACKET then return end
    for _, name in ipairs { "nosuch", "", ("x"):rep(16), ("x"):rep(1 << 20) } do
      local message = helper.fails("socket.address", "ENODEV", socket.address("AF_PACKET", name, 3))
      assert.equal("address " .. name .. ": No such device", message)
    end
  end)

  it("of an address is that address, in its own family only", function()
    local a = socket.address("AF_INET", "127.0.0.1", 1)
    assert.is_true(rawequal(a, socket.address("AF_INET", a)))
    helper.raises("socket.address", "AF_UNIX address expected, got AF_INET address", function()
      return socket.address("AF_UNIX", a)
    end)
  end)
end)

describe("an address", function()
  local a = socket.address("AF_INET", "127.0.0.1", 8001)

  it("is one object with every equal one, so it serves as a key", function()
    local clients = { [a] = "first" }
    assert.equal("first", clients[socket.address("AF_INET", "localhost", "8001")])
    assert.is_nil(clients[socket.address("AF_INET", "127.0.0.1", 8002)])
    assert.is_nil(clients[socket.address("AF_INET6", "::1", 8001)])
    assert.is_true(a == socket.address("AF_INET", "127.0.0.1", 8001))
    assert.is_false(a == socket.address("AF_INET", "127.0.0.2", 8001))
    assert.is_false(socket.address("AF_UNIX", "\0x") == socket.address("AF_UNIX", "\0x\0"))
    assert.is_false(socket.address("AF_UNIX", "\0x") == socket.address("AF_UNIX", "x"))
    assert.is_false(socket.address("AF_UNIX", "") == socket.address("AF_UNIX", "\0"))
    assert.is_false(socket.address("AF_INET6", "fe80::1", 1, 0, 1) == socket.address("AF_INET6", "fe80::1", 1, 0, 2))
  end)

  it("stays that object through the collector's rounds, for as long as anybody has it", function()
    local seen = {}
    for port = 1, 200 do seen[socket.address("AF_INET", "10.0.0.1", port)] = port end
    for mode = 1, 2 do
      collectgarbage(mode == 1 and "generational" or "incremental")
      for _ = 1, 3 do
        collectgarbage()
        for port = 1, 200 do
          assert.equal(port, seen[socket.address("AF_INET", "10.0.0.1", port)])
        end
      end
    end
  end)

  it("is garbage when nobody has it", function()
    local weak = setmetatable({}, { __mode = "k" })
    for port = 1, 1000 do weak[socket.address("AF_INET", "10.0.0.2", port)] = true end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("that the kernel tells is the one that the program made", function()
    local s <close> = assert(socket.socket())
    assert(s:bind("127.0.0.1", 0))
    local name = assert(s:getsockname())
    assert.equal(socket.address("AF_INET", "127.0.0.1", name.port), name)
    local path = helper.tmpname()
    local u <close> = assert(socket.socket("AF_UNIX"))
    assert(u:bind(path))
    assert.equal(socket.address("AF_UNIX", path), assert(u:getsockname()))
  end)

  it("cannot be changed", function()
    helper.raises("address:__newindex", "attempt to index", function() a.port = 1 end)
    helper.raises("address:__newindex", "attempt to index", function() a.nosuch = 1 end)
    helper.raises("address:__newindex", "attempt to index", function() a[1] = 1 end)
    assert.equal("127.0.0.1:8001", tostring(a))
  end)

  it("has no field of a name that is none", function()
    for _, key in ipairs { 1, 1.5, true, {}, print, "", "PORT", "port\0", "family\0x", "unpack\0", "host " } do
      assert.is_nil(a[key])
    end
  end)

  it("has methods that refuse what is no address", function()
    local s <close> = assert(socket.socket())
    local mt = getmetatable(a)
    for _, other in ipairs { s, io.stdout, "x", 1, {}, setmetatable({}, mt), coroutine.create(print) } do
      helper.raises("address:unpack", "address expected", a.unpack, other)
      helper.raises("address:unpack", "address expected", mt.__tostring, other)
      helper.raises("address:unpack", "address expected", mt.__index, other, "port")
    end
    helper.raises("address:unpack", "address expected", a.unpack)
    helper.raises("address:unpack", "address expected", mt.__index)
    assert.equal("address", mt.__name)
  end)

  it("of an unnamed unix peer has the path \"\"", function()
    local l, r = assert(socket.socketpair())
    local _ <close> = l
    local _ <close> = r
    for _, name in ipairs { assert(l:getsockname()), assert(l:getpeername()) } do
      assert.equal("", name.path)
      assert.equal(socket.AF_UNIX, name.family)
      assert.equal(socket.address("AF_UNIX", ""), name)
    end
    local d, e = assert(socket.socketpair("AF_UNIX", "SOCK_DGRAM"))
    local _ <close> = d
    local _ <close> = e
    assert.equal(1, d:send "x")
    local data, from = assert(e:recvfrom())
    assert.equal("x", data)
    if from then assert.equal("", from.path) end
  end)

  it("of the abstract namespace keeps its zeros, there and back", function()
    local name = "\0bsdsocket\0" .. helper.tmpname() .. "\0"
    local s <close> = assert(socket.socket("AF_UNIX"))
    assert(assert(s:bind(name)):listen())
    assert.equal(name, assert(s:getsockname()).path)
    local c <close> = assert(socket.socket("AF_UNIX"))
    helper.fails("s:connect", "ECONNREFUSED", c:connect(name:sub(1, -2)))
    assert(c:connect(name))
    assert.equal(name, assert(c:getpeername()).path)
    assert.equal(s:getsockname(), c:getpeername())
  end)

  it("with the longest path there is works, there and back", function()
    local dir = helper.tmpdir() .. "/"
    local path = dir .. ("p"):rep(107 - #dir)
    local s <close> = assert(socket.socket("AF_UNIX"))
    assert(assert(s:bind(path)):listen())
    assert.equal(path, assert(s:getsockname()).path)
    local c <close> = assert(socket.socket("AF_UNIX"))
    assert(c:connect(path))
    assert.equal(path, assert(c:getpeername()).path)
    assert.truthy(tostring(s):find(path, 1, true))
  end)
end)

-- bind, connect and sendto take an address, or what follows the family in socket.address.
describe("in place of an address", function()
  local calls = {
    bind = function(s, ...) return s:bind(...) end,
    connect = function(s, ...) return s:connect(...) end,
    sendto = function(s, ...) return s:sendto("x", ...) end,
  }
  local first = { bind = 1, connect = 1, sendto = 2 } -- number of its first argument

  for name, call in pairs(calls) do
    it(name .. " takes the same arguments, in the socket's family", function()
      local to <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
      local port = name == "bind" and 0 or to:getsockname().port
      for _, arguments in ipairs {
        { socket.address("AF_INET", "127.0.0.1", port) }, { "127.0.0.1", port }, { "localhost", port },
        { "127.0.0.1", tostring(port) }, { "127.0.0.1", port + 0.0 }, { "127.1", port }, { "127.0.0.1", port, 1, 2, 3 },
      } do
        local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
        if name == "sendto" and #arguments > 3 then arguments = { table.unpack(arguments, 1, 2) } end
        assert.truthy(call(s, table.unpack(arguments)))
        assert.is_true(name ~= "bind" or s:getsockname().port > 0)
      end
    end)

    it(name .. " raises for an address of another family, and says which", function()
      local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      for text, other in pairs {
        ["AF_INET6"] = socket.address("AF_INET6", "::1", 1),
        ["AF_UNIX"] = socket.address("AF_UNIX", "/x"),
        ["another family's"] = socket.address(1000, "x"),
      } do
        helper.raises("s:" .. name, "bad argument #" .. first[name] .. " to '" .. name
          .. "' %(AF_INET address expected, got " .. text .. " address%)", function()
            if name == "bind" then return s:bind(other) end
            if name == "connect" then return s:connect(other) end
            return s:sendto("x", other)
          end)
      end
      local u <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
      helper.raises("s:" .. name, "AF_UNIX address expected, got AF_INET address", call, u,
        socket.address("AF_INET", "127.0.0.1", 1))
    end)

    it(name .. " raises for arguments that make no address", function()
      local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      local u <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
      for _, value in ipairs { 1, 1.5, true, {}, io.stdout, s, print, "127.0.0.1\0", "\0" } do
        helper.raises("s:" .. name, "bad argument", call, s, value, 1)
      end
      for _, port in ipairs { -1, 65536, 1.5, nan, 2 ^ 31, math.maxinteger, "70000", "1\0", true, {}, io.stdout } do
        helper.raises("s:" .. name, "bad argument", call, s, "127.0.0.1", port)
      end
      helper.raises("s:" .. name, "bad argument", call, s)
      helper.raises("s:" .. name, "bad argument", call, s, nil, 1)
      helper.raises("s:" .. name, "bad argument", call, s, "127.0.0.1")
      for _, value in ipairs { 1, true, {}, io.stdout, u, "a\0b", ("p"):rep(108), "\0" .. ("p"):rep(108) } do
        helper.raises("s:" .. name, "bad argument", call, u, value)
      end
      helper.raises("s:" .. name, "bad argument", call, u)
      local port <const> = 70000
      helper.raises("s:" .. name, "bad argument #" .. first[name] + 1 .. " to '" .. name .. "' %(port", function()
        if name == "bind" then return s:bind("x", port) end
        if name == "connect" then return s:connect("x", port) end
        return s:sendto("x", "x", port)
      end)
    end)

    it(name .. " returns the resolver's answer under its own name", function()
      local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      local message = helper.fails("s:" .. name, "EAI_NONAME", call(s, "not:a:host", 80))
      assert.equal(name .. " [not:a:host]:80: " .. socket.strerror "EAI_NONAME", message)
      helper.fails("s:" .. name, "EAI_SERVICE", call(s, "127.0.0.1", "nosuchservice"))
    end)

    it(name .. " asks no resolver under timeout 0, and needs none for what is numeric", function()
      local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      s:settimeout(0)
      local message = helper.fails("s:" .. name, "EAGAIN", call(s, "localhost", 9))
      assert.equal(name .. ": Resource temporarily unavailable", message)
      assert.truthy(call(s, "127.0.0.1", name == "bind" and 0 or 9))
    end)
  end
end)
