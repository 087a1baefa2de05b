-- csrc/object/hint.c: what messages say besides, for who has written an address as others take it, or asks what the
-- system's text means. By rows, for every call to which a mistake can be made.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

local TWO = "; give host and port as two arguments"
local FIRST = "; the host comes first, then the port"
local DATA = "; the data comes first, then the host, then the port"

local function udp() return assert(socket.socket("AF_INET", "SOCK_DGRAM")) end

-- Calls that take a host and a port: {f, number of the host's argument, does it take nil for a host?}.
-- f is called with what stands for the address.
local targets = {
  bind = { function(...) local s <close> = udp() return s:bind(...) end, 1 },
  connect = { function(...) local s <close> = udp() return s:connect(...) end, 1 },
  sendto = { function(...) local s <close> = udp() return s:sendto("x", ...) end, 2 },
  ["socket.address"] = { function(...) local a = socket.address("AF_INET", ...) return a end, 2 },
  ["socket.address of IPv6"] = { function(...) local a = socket.address("AF_INET6", ...) return a end, 2 },
  ["socket.connect"] = { function(...) local s = socket.connect(...) return s end, 1 },
  ["socket.listen"] = { function(...) local s = socket.listen(...) return s end, 1 },
}

-- {what is written for the address, which of its arguments is wrong, what the message ends with}
local mistakes = {
  ["{host, port}"] = { { { "127.0.0.1", 8001 } }, 0, "host name or address expected, got table" .. TWO },
  ["{host =, port =}"] = { { { host = "127.0.0.1", port = 8001 } }, 0, "got table" .. TWO },
  ['"host:port"'] = { { "127.0.0.1:8001" }, 1, "port number or service name expected, got no value" .. TWO },
  ['"host:port", nil'] = { { "localhost:8001", nil, n = 2 }, 1, "got n[oi][ l][%a ]*" .. TWO },
  ['"host:service"'] = { { "localhost:http" }, 1, "got no value" .. TWO },
  ['"[host]:port"'] = { { "[::1]:8001" }, 1, "got no value" .. TWO },
  ["a port alone"] = { { 8001 }, 0, "host name or address expected, got number" .. TWO },
  ["a host alone"] = { { "127.0.0.1" }, 1, "port number or service name expected, got no value" },
  ["an IPv6 host alone"] = { { "::1" }, 1, "port number or service name expected, got no value" },
  ["port, host"] = { { 8001, "127.0.0.1" }, 0, "host name or address expected, got number" .. FIRST },
}

describe("an address that is written", function()
  for mistake, row in pairs(mistakes) do
    for name, target in pairs(targets) do
      it(mistake .. " raises in " .. name .. ", with the hint that belongs to it", function()
        local argument = target[2] + row[2]
        local expected = name == "sendto" and row[3]:gsub(FIRST, DATA) or row[3]
        helper.raises(name, ("bad argument #%d to '%%a+' %%(.*%s%%)$"):format(argument, expected), function()
          local result = target[1](table.unpack(row[1], 1, row[1].n or #row[1]))
          return result
        end)
      end)
    end
  end

  it('"host:port" raises where a port is given by options', function()
    helper.raises("socket.connect", "#2 to 'connect' %(port number .-, got table" .. TWO, function()
      local s = socket.connect("localhost:80", { timeout = 1 })
      return s
    end)
    for _, bind in ipairs { "127.0.0.1:80", "[::1]:80" } do
      helper.raises("socket.connect", "#3 to 'connect' %(field 'bind': a host alone, or an address object",
        function()
          local s = socket.connect("127.0.0.1", 1, { bind = bind })
          return s
        end)
    end
    helper.raises("socket.connect", "field 'bind': address or string expected, got table", function()
      local s = socket.connect("127.0.0.1", 1, { bind = { "127.0.0.1", 80 } })
      return s
    end)
  end)

  it("as a path with a port raises: the socket is of another family than was meant", function()
    local path = helper.tmpname()
    local s <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    for name, call in pairs {
      ["#2 to 'bind'"] = function(...) return s:bind(...) end,
      ["#2 to 'connect'"] = function(...) return s:connect(...) end,
      ["#3 to 'address'"] = function(...) return (socket.address("AF_UNIX", ...)) end,
    } do
      helper.raises("a path", name .. " %(a path has no port; is another family meant%?%)", call, path, 8001)
    end
    helper.raises("s:sendto", "bad argument #3 to 'sendto'", function() return s:sendto("x", path, 8001) end)
    assert.is_nil(io.open(path))
  end)

  it("as text or a table, where an object is wanted, raises and says how to make one", function()
    local s <close> = udp()
    local calls = {
      ["field 'address': "] = function(a) return s:sendmsg { data = "x", address = a } end,
      ["message 1: field 'address': "] = function(a) return s:sendmmsg { { data = "x", address = a } } end,
      ["bad argument #1 to '[%a.]*getnameinfo' %("] = function(a) return (socket.getnameinfo(a)) end,
    }
    for place, call in pairs(calls) do
      for got, value in pairs { string = "127.0.0.1:80", table = { "127.0.0.1", 80 }, number = 80 } do
        helper.raises("an address", place .. "address expected, got " .. got
          .. "; socket.address%(family, ...%) makes one%)", call, value)
      end
      helper.raises("an address", place .. "address expected, got boolean%)", call, true)
    end
  end)

  it("the wrong way round or in one is told of by the look-up, too", function()
    local s <close> = udp()
    for name, call in pairs {
      bind = function(...) return s:bind(...) end, connect = function(...) return s:connect(...) end,
      sendto = function(...) return s:sendto("x", ...) end, getaddrinfo = socket.getaddrinfo,
      address = function(...) return socket.address("AF_INET", ...) end,
    } do
      assert.equal(name .. " 8001:127.0.0.1 (the host comes first, then the port): " .. socket.strerror "EAI_SERVICE",
        helper.fails(name, "EAI_SERVICE", call("8001", "127.0.0.1")))
      assert.equal(name .. " [127.0.0.1:80]:80 (give host and port as two arguments): " .. socket.strerror "EAI_NONAME",
        helper.fails(name, "EAI_NONAME", call("127.0.0.1:80", 80)))
      assert.equal(name .. " [not:a:host]:80: " .. socket.strerror "EAI_NONAME",
        helper.fails(name, "EAI_NONAME", call("not:a:host", 80)))
    end
    assert.equal("getaddrinfo localhost:80 (give host and port as two arguments): " .. socket.strerror "EAI_NONAME",
      helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo("localhost:80")))
    helper.raises("socket.getaddrinfo", "#1 to '[%a.]*getaddrinfo' %(string expected, got table" .. TWO,
      socket.getaddrinfo, { "localhost", 80 })
    helper.raises("socket.getaddrinfo", "#1 to '[%a.]*getaddrinfo' %(string expected, got number" .. FIRST,
      socket.getaddrinfo, 80, "localhost")
  end)
end)

describe("a host in brackets", function()
  local function needipv6()
    local s <close> = socket.socket("AF_INET6", "SOCK_DGRAM")
    if not s or not s:bind("::1", 0) then helper.skip "IPv6 is not here" end
  end

  it("is the host without, in every call that takes one", function()
    needipv6()
    local s <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("[::1]", 0))
    local port = s:getsockname().port
    assert.equal("::1", s:getsockname().host)
    assert(s:connect("[::1]", port))
    local other <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    assert.equal(1, other:sendto("x", "[::1]", port))
    assert.equal(socket.address("AF_INET6", "::1", 80), socket.address("AF_INET6", "[::1]", 80))
    assert.equal(socket.address("AF_INET6", "::", 80), socket.address("AF_INET6", "[::]", 80))
    local list = assert(socket.getaddrinfo("[::1]", 80, { type = "SOCK_STREAM" }))
    assert.equal(socket.address("AF_INET6", "::1", 80), list[1].address)
    local l <close> = assert(socket.listen("[::1]", 0))
    assert.equal("::1", l:getsockname().host)
    local c <close> = assert(socket.connect("[::1]", l:getsockname().port, { timeout = 10, bind = "[::1]" }))
    assert.equal("::1", c:getsockname().host)
    local any <close> = assert(socket.listen("[::]", 0))
    assert.equal("::", any:getsockname().host)
    if socket.IPV6_PKTINFO then
      assert.equal(1, other:sendmsg { data = "x", address = s:getsockname(), control = {
        { level = "IPPROTO_IPV6", type = "IPV6_PKTINFO", value = { address = "[::1]" } },
      } })
    end
  end)

  it("keeps its zone", function()
    needipv6()
    local index = socket.if_nametoindex "lo"
    if not index then helper.skip "no interface lo here" end
    assert.equal(socket.address("AF_INET6", "fe80::1%lo", 80), socket.address("AF_INET6", "[fe80::1%lo]", 80))
    assert.equal(index, socket.getaddrinfo("[fe80::1%lo]", 80)[1].address.scope_id)
  end)

  it("is told of without a second pair", function()
    local s <close> = udp()
    for _, host in ipairs { "::1", "[::1]" } do
      local _, message = s:connect(host, 80)
      assert.match("^connect %[::1%]:80: ", message)
      _, message = socket.connect(host, "nosuchservice")
      assert.match("^connect %[::1%]:nosuchservice: ", message)
    end
  end)

  it("is none where there is no IPv6 address in them", function()
    for _, host in ipairs { "[127.0.0.1]", "[localhost]", "[]", "[", "]", "[:", "[::1", "::1]", "[[::1]]", "[:]" } do
      helper.fails("socket.address", "EAI_NONAME", socket.address("AF_INET6", host, 80))
      helper.fails("socket.connect", "EAI_NONAME", socket.connect(host, 80))
    end
  end)
end)

-- {what fails, its code, the message}
local failures = {
  ["a raw socket without a protocol"] = { function() return socket.socket("AF_INET", "SOCK_RAW") end, "EPROTONOSUPPORT",
    "socket AF_INET SOCK_RAW (a raw socket needs a protocol, such as IPPROTO_ICMP)" },
  ["one of IPv6"] = { function() return socket.socket("AF_INET6", "SOCK_RAW") end, "EPROTONOSUPPORT",
    "socket AF_INET6 SOCK_RAW (a raw socket needs a protocol, such as IPPROTO_ICMPV6)" },
  ["UDP as a stream"] = { function() return socket.socket("AF_INET", "SOCK_STREAM", "IPPROTO_UDP") end,
    "EPROTONOSUPPORT", "socket AF_INET SOCK_STREAM (UDP goes with SOCK_DGRAM)" },
  ["TCP as datagrams"] = { function() return socket.socket("AF_INET", "SOCK_DGRAM", "IPPROTO_TCP") end,
    "EPROTONOSUPPORT", "socket AF_INET SOCK_DGRAM (TCP goes with SOCK_STREAM)" },
  ["ICMP as a stream"] = { function() return socket.socket("AF_INET", "SOCK_STREAM", "IPPROTO_ICMP") end,
    "EPROTONOSUPPORT", "socket AF_INET SOCK_STREAM (ICMP goes with SOCK_RAW)" },
  ["a protocol that no family has"] = { function() return socket.socket("AF_UNIX", "SOCK_STREAM", 77) end,
    "EPROTONOSUPPORT", "socket AF_UNIX SOCK_STREAM (the protocol is none of this family and type)" },
  ["a pair of one"] = { function() return socket.socketpair("AF_UNIX", "SOCK_STREAM", 77) end,
    "EPROTONOSUPPORT", "socketpair AF_UNIX SOCK_STREAM (the protocol is none of this family and type)" },
  ["a type that the family lacks"] = { function() return socket.socket("AF_UNIX", "SOCK_RDM") end,
    "ESOCKTNOSUPPORT", "socket AF_UNIX SOCK_RDM (AF_TIPC has reliable datagrams)" },
  ["seqpacket of IPv4"] = { function() return socket.socket("AF_INET", "SOCK_SEQPACKET") end,
    "ESOCKTNOSUPPORT", "socket AF_INET SOCK_SEQPACKET (AF_UNIX has it, and IPPROTO_SCTP)" },
  ["a pair of IPv4"] = { function() return socket.socketpair("AF_INET", "SOCK_STREAM") end,
    "EOPNOTSUPP", "socketpair AF_INET SOCK_STREAM (only AF_UNIX sockets come in pairs)" },
  ["an unknown family"] = { function() return socket.socket(40000) end,
    "EAFNOSUPPORT", "socket family 40000 SOCK_STREAM (this kernel has no such family, or its module is not loaded)" },
  ["another machine's address"] = { function(s) return s:bind("192.0.2.1", 80) end,
    "EADDRNOTAVAIL", "bind 192.0.2.1:80 (no interface of this machine has this address)" },
  ["a second bind"] = { function(s) return assert(s:bind("127.0.0.1", 0)):bind("127.0.0.1", 0) end,
    "EINVAL", "bind 127.0.0.1:0 (is the socket bound already?)" },
  ["broadcast by sendto"] = { function(s) return s:sendto("x", "<broadcast>", 9) end,
    "EACCES", "sendto 255.255.255.255:9 (broadcasting needs SO_BROADCAST)" },
  ["broadcast by sendmsg"] = {
    function(s) return s:sendmsg { data = "x", address = socket.address("AF_INET", "<broadcast>", 9) } end,
    "EACCES", "sendmsg 255.255.255.255:9 (broadcasting needs SO_BROADCAST)" },
}

describe("a failure says more than the system's text where that does not say enough:", function()
  for name, row in pairs(failures) do
    it(name, function()
      local s <close> = udp()
      local result, message, code = row[1](s)
      if code == "EAFNOSUPPORT" and row[2] ~= code then helper.skip "this system does not have the family" end
      assert.equal(row[3] .. ": " .. socket.strerror(row[2]),
        helper.fails(row[3]:match "^%a+", row[2], result, message, code))
    end)
  end

  it("a link-local address without its interface", function()
    local s <close> = socket.socket("AF_INET6", "SOCK_DGRAM")
    if not s or not s:bind("::1", 0) then helper.skip "IPv6 is not here" end
    local t <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    local what = " [fe80::1]:9 (a link-local address needs its interface, as in fe80::1%eth0): Invalid argument"
    assert.equal("bind" .. what, helper.fails("s:bind", "EINVAL", t:bind("fe80::1", 9)))
    assert.equal("connect" .. what, helper.fails("s:connect", "EINVAL", t:connect("fe80::1", 9)))
  end)

  it("a unix path that is there, and a socket there of another type", function()
    local path = helper.tmpname()
    local s <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path))
    local t <close> = assert(socket.socket("AF_UNIX"))
    local there = " (the file is there; socket.listen replaces a stale one): " .. socket.strerror "EADDRINUSE"
    assert.equal("bind " .. path .. there,
      helper.fails("s:bind", "EADDRINUSE", t:bind(path)))
    local wrong = ("connect %s (the socket there is of another type): %s"):format(path, socket.strerror "EPROTOTYPE")
    assert.equal(wrong, helper.fails("s:connect", "EPROTOTYPE", t:connect(path)))
    assert.equal(wrong, helper.fails("socket.connect", "EPROTOTYPE", socket.connect(socket.address("AF_UNIX", path))))
    helper.fails("s:bind", "EINVAL", s:bind(helper.tmpname()))
  end)

  it("a right that the program does not have #process", function()
    local nobody = helper.shell "id -u" == "0\n" and "setpriv --reuid=65534 --regid=65534 --clear-groups env " or "env "
    local output, status = helper.shell(nobody .. helper.command("-e", [[
      local socket = require "bsdsocket"
      if not socket.AF_NETLINK then os.exit(77) end
      print(socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_AUDIT"):bind(0, 1))
    ]]))
    if status ~= 0 then helper.skip "no port is privileged here, or nobody is without privileges" end
    assert.equal("nil\tbind netlink 0 groups 0x1 (needs root or a capability such as CAP_NET_ADMIN): "
      .. "Operation not permitted\tEPERM\n", output)
  end)

  it("but no more where it does", function()
    local l <close> = assert(socket.listen("127.0.0.1", 0))
    local s <close> = assert(socket.socket())
    local name = tostring(l:getsockname())
    assert.equal("bind " .. name .. ": " .. socket.strerror "EADDRINUSE",
      helper.fails("s:bind", "EADDRINUSE", s:bind(l:getsockname())))
    l:close()
    assert.match("^connect 127.0.0.1:%d+: Connection refused$",
      (helper.fails("s:connect", "ECONNREFUSED", s:connect("127.0.0.1", tonumber(name:match "%d+$")))))
  end)
end)
