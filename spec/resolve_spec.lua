-- csrc/call/resolve.c: names of hosts, services and protocols; host and port in place of an address.
-- No network is asked for: the names are localhost, which every machine knows, and one under
-- `.invalid`, which nobody may (RFC 6761). Services are from netbase's /etc/services.

local helper = require "spec.helper"
local process = require "spec.process"
local socket = require "bsdsocket"

local LONGEST = ("x"):rep(1024) -- one byte shorter than NI_MAXHOST, its zero included
local NOSUCH = "nosuch.invalid"

-- Without a network the resolver may say either.
local nosuch = { EAI_NONAME = true, EAI_AGAIN = true, EAI_FAIL = true }

-- The name of the loopback interface, for scopes.
local function loopback()
  for _, entry in ipairs(socket.getifaddrs()) do
    if entry.flags & socket.IFF_LOOPBACK ~= 0 then return entry.name end
  end
end

local function inet(host, port) return socket.address("AF_INET", host, port) end
local function inet6(...) return socket.address("AF_INET6", ...) end

-- What a script prints that may open 24 descriptors (process.confined).
local function confined(script)
  return (process.confined(24, [[
    local known = socket.address("AF_INET", "127.0.0.1", 80)
    ]] .. script))
end

-- The same for failures: `calls` are pairs of a call's name and its text.
local function exhausts(calls)
  for _, call in ipairs(calls) do
    local output = confined("local kept = {} fill(kept) print(" .. call[2] .. ")")
    local message, code = output:match "^nil\t(.*)\t(%u+)\n$"
    helper.fails(call[1], "EMFILE", nil, message or output, code)
  end
end

describe("getaddrinfo", function()
  it("gives for a numeric host and port what a socket needs", function()
    local list = assert(socket.getaddrinfo("127.0.0.1", 8001, { type = "SOCK_STREAM" }))
    assert.equal(1, #list)
    assert.same({
      family = socket.AF_INET,
      type = socket.SOCK_STREAM,
      protocol = socket.IPPROTO_TCP,
      address = inet("127.0.0.1", 8001),
    }, list[1])
    assert.equal(inet("127.0.0.1", 8001), list[1].address) -- the very same object
  end)

  it("gives every type when none is asked for", function()
    local types = {}
    for _, entry in ipairs(assert(socket.getaddrinfo("127.0.0.1", 80))) do types[entry.type] = true end
    assert.is_true(types[socket.SOCK_STREAM] and types[socket.SOCK_DGRAM])
  end)

  it("knows localhost", function()
    local list = assert(socket.getaddrinfo("localhost", 80, { family = "AF_INET", type = socket.SOCK_STREAM }))
    assert.equal(inet("127.0.0.1", 80), list[1].address)
    assert.is_nil(list[1].canonname)
  end)

  it("gives the canonical name where it is asked for", function()
    local list = assert(socket.getaddrinfo("localhost", 80, { flags = "AI_CANONNAME", type = "SOCK_STREAM" }))
    assert.equal("string", type(list[1].canonname))
  end)

  it("takes a nil host for this machine, or for any with AI_PASSIVE", function()
    local hints = { family = "AF_INET", type = "SOCK_STREAM" }
    assert.equal(inet("127.0.0.1", 80), socket.getaddrinfo(nil, 80, hints)[1].address)
    hints.flags = socket.AI_PASSIVE
    assert.equal(inet("0.0.0.0", 80), socket.getaddrinfo(nil, 80, hints)[1].address)
  end)

  it("takes a nil service for port 0", function()
    assert.equal(inet("127.0.0.1", 0), socket.getaddrinfo("127.0.0.1")[1].address)
    assert.equal(inet("127.0.0.1", 0), socket.getaddrinfo("127.0.0.1", nil, nil)[1].address)
  end)

  it("takes a port as a number, in digits and as a service's name", function()
    for service, port in pairs {
      [0] = 0, [65535] = 65535, [80.0] = 80, ["0"] = 0, ["65535"] = 65535, ["00080"] = 80, http = 80, domain = 53,
    } do
      local list = assert(socket.getaddrinfo("127.0.0.1", service, { type = "SOCK_STREAM" }))
      assert.equal(port, list[1].address.port)
    end
    assert.equal(69, socket.getaddrinfo("127.0.0.1", "tftp", { type = "SOCK_DGRAM" })[1].address.port)
  end)

  it("takes hints as integers and as names", function()
    local byname = socket.getaddrinfo("::1", 80, { family = "AF_INET6", type = "SOCK_DGRAM", protocol = "IPPROTO_UDP" })
    local bynumber = socket.getaddrinfo("::1", 80, {
      family = socket.PF_INET6, type = socket.SOCK_DGRAM, protocol = socket.IPPROTO_UDP, flags = 0,
    })
    assert.same(byname, bynumber)
    assert.equal(inet6("::1", 80), byname[1].address)
    assert.equal(socket.IPPROTO_UDP, byname[1].protocol)
    assert.same(byname, socket.getaddrinfo("::1", 80, { family = "PF_INET6", type = "SOCK_DGRAM" }))
  end)

  it("understands every spelling of a numeric host, without the resolver", function()
    local hints = { timeout = 0, type = "SOCK_STREAM" } -- the resolver would be EAGAIN
    assert.equal(inet("127.0.0.1", 80), socket.getaddrinfo("127.1", 80, hints)[1].address)
    assert.equal(inet("127.0.0.1", 80), socket.getaddrinfo("0x7f000001", "http", hints)[1].address)
    assert.equal(inet6("::1", 80), socket.getaddrinfo("0:0::0001", "80", hints)[1].address)
    local name = loopback()
    local scoped = assert(socket.getaddrinfo("fe80::1%" .. name, 80, hints))[1].address
    assert.equal(socket.if_nametoindex(name), scoped.scope_id)
    assert.equal(inet("127.0.0.1", 80), socket.getaddrinfo(nil, 80, { timeout = 0, family = "AF_INET" })[1].address)
  end)

  it("gives EAGAIN for a name under timeout 0, and an answer under any other", function()
    local message = helper.fails("socket.getaddrinfo", "EAGAIN", socket.getaddrinfo("localhost", 80, { timeout = 0 }))
    assert.equal("getaddrinfo: " .. socket.strerror "EAGAIN", message)
    assert(socket.getaddrinfo("localhost", 80, { timeout = 30 }))
    assert(socket.getaddrinfo("localhost", 80, { timeout = math.huge }))
    -- one that has passed before the resolver could be asked
    message = helper.fails("socket.getaddrinfo", "timeout", socket.getaddrinfo("localhost", 80, { timeout = 1e-9 }))
    assert.equal("getaddrinfo: timed out", message)
    -- what is spelled like an address is no name to look up
    helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo("fe80::1%nosuch", 80, { timeout = 0 }))
  end)

  it("says of a host that nobody knows what the system says", function()
    local list, message, code = socket.getaddrinfo(NOSUCH, 80)
    assert.is_nil(list)
    assert.is_true(nosuch[code])
    assert.equal("getaddrinfo nosuch.invalid:80: " .. socket.strerror(code), message)
    message = select(2, socket.getaddrinfo(NOSUCH))
    assert.match("^getaddrinfo nosuch%.invalid: ", message)
  end)

  it("gives EAI_NONAME for what can be no host", function()
    local text = socket.strerror "EAI_NONAME"
    local message = helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo(nil, nil))
    assert.equal("getaddrinfo: " .. text, message)
    helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo())
    for _, host in ipairs { "", "*", LONGEST, LONGEST .. "x", ("x"):rep(1 << 20) } do
      message = helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo(host, "http"))
      assert.equal("getaddrinfo " .. host .. ":http: " .. text, message)
    end
    -- too long for any resolver: it is not asked
    helper.fails("socket.getaddrinfo", "EAI_NONAME", socket.getaddrinfo(LONGEST .. "x", 80, { timeout = 0 }))
    helper.fails("socket.getaddrinfo", "EAI_NONAME",
      socket.getaddrinfo("localhost", 80, { timeout = 0, flags = "AI_NUMERICHOST" }))
  end)

  it("gives EAI_SERVICE for a service that nobody knows", function()
    for _, service in ipairs { "nosuch", "", "+80", " 80", "80 ", "-1", "*", "0x50", "8.0", ("x"):rep(300) } do
      local message = helper.fails("socket.getaddrinfo", "EAI_SERVICE",
        socket.getaddrinfo("127.0.0.1", service, { type = "SOCK_STREAM" }))
      assert.equal("getaddrinfo 127.0.0.1:" .. service .. ": " .. socket.strerror "EAI_SERVICE", message)
    end
    local message = helper.fails("socket.getaddrinfo", "EAI_SERVICE", socket.getaddrinfo(nil, "nosuch"))
    assert.match("^getaddrinfo :nosuch: ", message)
  end)

  it("puts an IPv6 host in brackets in its message", function()
    local _, message, code = socket.getaddrinfo("::1", 80, { family = "AF_INET" })
    assert.match("^EAI_", code)
    assert.equal("getaddrinfo [::1]:80: " .. socket.strerror(code), message)
  end)

  it("passes on what the system says of hints", function()
    helper.fails("socket.getaddrinfo", "EAI_FAMILY", socket.getaddrinfo("127.0.0.1", 80, { family = "AF_UNIX" }))
    helper.fails("socket.getaddrinfo", "EAI_SOCKTYPE", socket.getaddrinfo("127.0.0.1", 80, { type = 77 }))
    helper.fails("socket.getaddrinfo", "EAI_BADFLAGS", socket.getaddrinfo("127.0.0.1", 80, { flags = 1 << 30 }))
  end)

  it("raises for a host that is no string", function()
    for _, host in ipairs { 1, 1.5, true, {}, io.stdout, print } do
      helper.raises("socket.getaddrinfo", "bad argument #1 to '.*getaddrinfo' %(string expected, got ",
        socket.getaddrinfo, host, 80)
    end
    helper.raises("socket.getaddrinfo", "#1 to '.*' %(string contains zeros%)", socket.getaddrinfo, "localhost\0", 80)
    helper.raises("socket.getaddrinfo", "#1 to '.*' %(string contains zeros%)", socket.getaddrinfo, "\0", 80)
  end)

  it("raises for a service that is no port", function()
    for _, port in ipairs {
      -1, 65536, 70000, 1.5, 0 / 0, 1 / 0, 2 ^ 31, math.maxinteger, math.mininteger,
      "65536", "70000", ("9"):rep(40), "0065536",
    } do
      helper.raises("socket.getaddrinfo", "bad argument #2 to '.*getaddrinfo' %(port out of range",
        socket.getaddrinfo, "localhost", port)
    end
    for _, port in ipairs { true, {}, io.stdout, print } do
      helper.raises("socket.getaddrinfo", "#2 to '.*' %(port number or service name expected, got ",
        socket.getaddrinfo, "localhost", port)
    end
    helper.raises("socket.getaddrinfo", "#2 to '.*' %(string contains zeros%)", socket.getaddrinfo, "localhost", "80\0")
  end)

  it("raises for hints that are none, and names them", function()
    local function raises(pattern, hints)
      helper.raises("socket.getaddrinfo", "bad argument #3 to '.*getaddrinfo' %(" .. pattern,
        socket.getaddrinfo, "localhost", 80, hints)
    end
    raises("table expected, got number", 1)
    raises("table expected, got FILE", io.stdout)
    raises("unknown field 'famly'; did you mean 'family'%?%)", { famly = "AF_INET" })
    raises("its fields have names, and no number%)", { "AF_INET" })
    raises("its fields have names, and no boolean%)", { [true] = "AF_INET" })
    raises("field 'family': unknown constant 'AF_NOSUCH'%)", { family = "AF_NOSUCH" })
    raises("field 'family': constant 'SOCK_STREAM' is none of AF_%*, PF_%*%)", { family = "SOCK_STREAM" })
    raises("field 'type': constant 'AF_INET' is none of SOCK_%*%)", { type = "AF_INET" })
    raises("field 'protocol': unknown constant '17'%)", { protocol = "17" })
    raises("field 'flags': unknown constant 'AI_PASSIVE\\0", { flags = "AI_PASSIVE\0" })
    for _, value in ipairs { 1.5, 0 / 0 } do
      raises("field 'protocol': number has no integer representation%)", { protocol = value })
    end
    for _, value in ipairs { true, {}, io.stdout } do
      raises("field 'protocol': integer or name of a constant expected, got [%w*]+%)", { protocol = value })
    end
    for _, value in ipairs { 1 << 31, -(1 << 31) - 1, math.maxinteger } do
      raises("field 'flags': out of range%)", { flags = value })
    end
    for _, value in ipairs { -1, 0 / 0 } do
      raises("field 'timeout': must not be negative or NaN%)", { timeout = value })
    end
    for _, value in ipairs { "1", true, {} } do
      raises("field 'timeout': number expected, got %w+%)", { timeout = value })
    end
  end)

  it("is not misled when descriptors have run out", function()
    exhausts {
      { "socket.getaddrinfo", "socket.getaddrinfo('localhost', 80)" },
      { "socket.getaddrinfo", "socket.getaddrinfo('localhost', 80, {timeout = 5})" },
      { "socket.getaddrinfo", "socket.getaddrinfo('127.0.0.1', 'http')" },
      { "socket.address", "socket.address('AF_INET', 'localhost', 80)" },
      { "socket.address", "socket.address('AF_INET', '127.0.0.1', 'http')" },
    }
    for _, hints in ipairs { "{family = 'AF_INET'}", "{family = 'AF_INET', timeout = 5}" } do
      assert.equal("127.0.0.1:80\n",
        confined("fill() print(socket.getaddrinfo('localhost', 'http', " .. hints .. ")[1].address)"))
    end
    assert.equal("127.0.0.1:80\n", confined "fill() print(socket.address('AF_INET', 'localhost', 'http'))")
  end)
end)

describe("a host and port in place of an address", function()
  it("may be numeric, in any spelling", function()
    assert.equal("127.0.0.1:8001", tostring(inet("127.0.0.1", 8001)))
    assert.equal(inet("127.0.0.1", 8001), inet("127.1", "8001"))
    assert.equal(inet("127.0.0.1", 8001), inet("127.0.0.1", 8001.0))
    assert.equal("[::1]:0", tostring(inet6("::1", 0)))
    assert.equal(inet6("::1", 65535), inet6("0::1", "65535"))
  end)

  it("may be a name, looked up within the family", function()
    assert.equal(inet("127.0.0.1", 8001), inet("localhost", 8001))
    assert.equal(inet("127.0.0.1", 80), inet("localhost", "http"))
    local address, message, code = inet6(NOSUCH, "http")
    assert.is_nil(address)
    assert.is_true(nosuch[code])
    assert.equal("address nosuch.invalid:http: " .. socket.strerror(code), message)
  end)

  it("may be any host, or everyone", function()
    assert.equal(inet("0.0.0.0", 80), inet("*", 80))
    assert.equal(inet("0.0.0.0", 80), inet("", "http"))
    assert.equal(inet6("::", 80), inet6("*", "http"))
    assert.equal(inet6("::", 80), inet6("", 80))
    assert.equal(inet("255.255.255.255", 80), inet("<broadcast>", 80))
    assert.equal(inet("255.255.255.255", 80), inet("<broadcast>", "http"))
    helper.raises("socket.address", "#2 to '.*address' %(there is broadcast in AF_INET only%)",
      inet6, "<broadcast>", 80)
  end)

  it("has flow information and a scope in AF_INET6", function()
    local host, port, flowinfo, scope = inet6("fe80::1", 443, 5, 7):unpack()
    assert.same({ "fe80::1", 443, 5, 7 }, { host, port, flowinfo, scope })
    local top = 2 ^ 32 - 1
    assert.same({ "fe80::1", 443, top, top }, { inet6("fe80::1", 443, top, top):unpack() })
    local name = loopback()
    local index = socket.if_nametoindex(name)
    assert.equal(index, inet6("fe80::1%" .. name, 80).scope_id)
    assert.equal(index, inet6("fe80::1%" .. name, "http").scope_id)
    assert.equal(9, inet6("fe80::1%" .. name, 80, nil, 9).scope_id)
    assert.equal(0, inet6("fe80::1%" .. name, 80, nil, 0).scope_id)
    assert.equal(0, inet6("fe80::1", 80, 3).scope_id)
    for i, what in ipairs { "flowinfo", "scope_id" } do
      for _, value in ipairs { -1, 2 ^ 32, math.maxinteger } do
        local words = { [i] = value }
        helper.raises("socket.address", "#" .. 3 + i .. " to '.*address' %(" .. what .. " out of range%)",
          inet6, "::1", 80, words[1], words[2])
      end
      for _, value in ipairs { 1.5, 0 / 0, "x", {} } do
        local words = { [i] = value }
        helper.raises("socket.address", "#" .. 3 + i .. " to '.*address' %(number ",
          inet6, "::1", 80, words[1], words[2])
      end
    end
  end)

  it("fails for hosts that are none", function()
    for _, host in ipairs { LONGEST .. "x", ("x"):rep(1 << 20), "::1%nosuch" } do
      helper.fails("socket.address", "EAI_NONAME", inet6(host, 80))
    end
    -- an address of the other family is no name either
    local _, message, code = inet6("127.0.0.1", 80)
    assert.match("^EAI_", code)
    assert.equal("address 127.0.0.1:80: " .. socket.strerror(code), message)
    _, message = inet("::1", "http")
    assert.match("^address %[::1%]:http: ", message)
  end)

  it("fails for services that are none", function()
    for _, service in ipairs { "nosuch", "", "+80", " 80", "-1", "*", "8.0", ("x"):rep(300) } do
      for _, host in ipairs { "127.0.0.1", "*", "localhost" } do
        helper.fails("socket.address", "EAI_SERVICE", inet(host, service))
      end
    end
    helper.fails("socket.address", "EAI_SERVICE", inet6("::1", "nosuch"))
  end)

  it("looks up the service of the socket's type", function()
    local udp <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(udp:connect("127.0.0.1", "tftp"))
    assert.equal(69, udp:getpeername().port)
    local tcp <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
    local message = helper.fails("s:connect", "EAI_SERVICE", tcp:connect("127.0.0.1", "tftp"))
    assert.equal("connect 127.0.0.1:tftp: " .. socket.strerror "EAI_SERVICE", message)
  end)

  it("asks the resolver for names only: under timeout 0 these are EAGAIN", function()
    local udp <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    udp:settimeout(0)
    local message = helper.fails("s:bind", "EAGAIN", udp:bind("localhost", 0))
    assert.equal("bind: " .. socket.strerror "EAGAIN", message)
    helper.fails("s:connect", "EAGAIN", udp:connect("localhost", "tftp"))
    helper.fails("s:sendto", "EAGAIN", udp:sendto("", "localhost", 9))
    assert.equal(udp, udp:bind("127.1", 0))
    local other <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM")):settimeout(1e-9)
    message = helper.fails("s:bind", "timeout", other:bind("localhost", 0))
    assert.equal("bind: timed out", message)
    helper.fails("s:sendto", "timeout", other:sendto("", "localhost", 9))
    udp:settimeout(30)
    assert.equal(udp, udp:connect("localhost", "tftp"))
    udp:settimeout(0)
    assert.equal(udp, udp:connect("127.0.0.1", "tftp"))
    helper.fails("s:connect", "EAI_NONAME", udp:connect(LONGEST .. "x", 9))
    local udp6 <close> = socket.socket("AF_INET6", "SOCK_DGRAM")
    if udp6 then
      udp6:settimeout(0)
      assert.match("^EAI_", (select(3, udp6:connect("127.0.0.1", 9))))
      assert.match("^EAI_", (select(3, udp6:connect("::1%nosuch", 9))))
    end
  end)

  it("raises where the argument stands", function()
    local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    for _, host in ipairs { 1, true, {}, io.stdout } do
      helper.raises("s:connect", "bad argument #1 to 'connect' %(host name or address expected, got ",
        function() s:connect(host, 80) end)
    end
    helper.raises("s:connect", "bad argument #1 to 'connect' %(host name or address expected, got no value",
      function() s:connect() end)
    helper.raises("s:connect", "#1 to 'connect' %(string contains zeros%)",
      function() s:connect("127.0.0.1\0x", 80) end)
    for _, port in ipairs { -1, 65536, 70000, 1.5, 0 / 0, 2 ^ 31, math.maxinteger, "70000" } do
      helper.raises("s:connect", "bad argument #2 to 'connect' %(port out of range",
        function() s:connect("*", port) end)
      helper.raises("s:bind", "bad argument #2 to 'bind' %(port out of range", function() s:bind("*", port) end)
      helper.raises("s:sendto", "bad argument #3 to 'sendto' %(port out of range",
        function() s:sendto("", "*", port) end)
      helper.raises("socket.address", "#3 to '.*address' %(port out of range", inet, NOSUCH, port)
    end
    for _, port in ipairs { true, {}, io.stdout } do
      helper.raises("s:bind", "#2 to 'bind' %(port number or service name expected, got ",
        function() s:bind("*", port) end)
    end
    helper.raises("s:bind", "#2 to 'bind' %(port number or service name expected, got n", function() s:bind("*") end)
    helper.raises("s:bind", "#2 to 'bind' %(string contains zeros%)", function() s:bind("*", "http\0") end)
  end)
end)

describe("getnameinfo", function()
  it("gives host and service of an address", function()
    local host, service = socket.getnameinfo(inet("127.0.0.1", 80))
    assert.equal("localhost", host)
    assert.equal("http", service)
  end)

  it("gives numbers where flags ask for them", function()
    local flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert.same({ "127.0.0.1", "80" }, { socket.getnameinfo(inet("127.0.0.1", 80), flags) })
    assert.same({ "::1", "80" }, { socket.getnameinfo(inet6("::1", 80), flags) })
    assert.same({ "127.0.0.1", "http" }, { socket.getnameinfo(inet("127.0.0.1", 80), "NI_NUMERICHOST") })
    assert.same({ "localhost", "80" }, { socket.getnameinfo(inet("127.0.0.1", 80), "NI_NUMERICSERV") })
    assert.same({ "192.0.2.77", "tftp" }, {
      socket.getnameinfo(inet("192.0.2.77", 69), socket.NI_NUMERICHOST | socket.NI_DGRAM),
    })
    local name = loopback()
    assert.equal("fe80::1%" .. name, (socket.getnameinfo(inet6("fe80::1%" .. name, 80), flags)))
  end)

  it("fails where a name is required and there is none", function()
    local message = helper.fails("socket.getnameinfo", "EAI_NONAME",
      socket.getnameinfo(inet("192.0.2.77", 80), socket.NI_NAMEREQD | socket.NI_NUMERICHOST))
    assert.equal("getnameinfo 192.0.2.77:80: " .. socket.strerror "EAI_NONAME", message)
  end)

  it("is for AF_INET and AF_INET6", function()
    for _, address in ipairs {
      socket.address("AF_UNIX", "/nosuch"), socket.address("AF_UNIX", "\0nosuch"), socket.address("AF_UNIX", ""),
      socket.address("AF_UNSPEC"),
    } do
      local message = helper.fails("socket.getnameinfo", "EAI_FAMILY", socket.getnameinfo(address))
      assert.equal("getnameinfo " .. tostring(address) .. ": " .. socket.strerror "EAI_FAMILY", message)
    end
  end)

  it("passes on what the system says of flags", function()
    helper.fails("socket.getnameinfo", "EAI_BADFLAGS", socket.getnameinfo(inet("127.0.0.1", 80), 1 << 30))
  end)

  it("raises for what is no address, and for what are no flags", function()
    for _, address in ipairs { "127.0.0.1", 1, true, {}, io.stdout } do
      helper.raises("socket.getnameinfo", "#1 to '.*getnameinfo' %(address expected, got ", socket.getnameinfo, address)
    end
    helper.raises("socket.getnameinfo", "#1 to", socket.getnameinfo)
    local address = inet("127.0.0.1", 80)
    helper.raises("socket.getnameinfo", "#2 to '.*AI_PASSIVE", socket.getnameinfo, address, "AI_PASSIVE")
    for _, flags in ipairs { 1.5, 0 / 0, 2 ^ 31, math.maxinteger, true, {} } do
      helper.raises("socket.getnameinfo", "#2 to ", socket.getnameinfo, address, flags)
    end
  end)

  it("is not misled when descriptors have run out", function()
    exhausts {
      { "socket.getnameinfo", "socket.getnameinfo(known)" },
      { "socket.getnameinfo", "socket.getnameinfo(known, 'NI_NUMERICHOST')" },
    }
    assert.equal("localhost\thttp\n", confined "fill() print(socket.getnameinfo(known))")
  end)
end)

describe("services", function()
  it("have ports", function()
    assert.equal(80, socket.getservbyname "http")
    assert.equal(80, socket.getservbyname("http", "tcp"))
    assert.equal(53, socket.getservbyname("domain", "udp"))
    assert.equal(69, socket.getservbyname "tftp") -- UDP's only
    assert.equal(25, socket.getservbyname "mail") -- an alias
  end)

  it("have names", function()
    assert.equal("http", socket.getservbyport(80))
    assert.equal("http", socket.getservbyport(80.0, "tcp"))
    assert.equal("domain", socket.getservbyport(53, "udp"))
    assert.equal("tftp", socket.getservbyport(69)) -- UDP's only
  end)

  it("are those of the protocol", function()
    for name, proto in pairs { tftp = "tcp", smtp = "udp", nosuch = "tcp", http = "nosuch", domain = "TCP" } do
      local message = helper.fails("socket.getservbyname", "EAI_SERVICE", socket.getservbyname(name, proto))
      assert.equal(("getservbyname %s/%s: %s"):format(name, proto, socket.strerror "EAI_SERVICE"), message)
    end
    for port, proto in pairs { [69] = "tcp", [25] = "udp", [0] = "tcp", [80] = "nosuch" } do
      local message = helper.fails("socket.getservbyport", "EAI_SERVICE", socket.getservbyport(port, proto))
      assert.equal(("getservbyport %d/%s: %s"):format(port, proto, socket.strerror "EAI_SERVICE"), message)
    end
  end)

  it("may be SCTP's", function()
    for line in io.lines "/etc/services" do
      local name, port = line:match "^([%w-]+)%s+(%d+)/sctp"
      if name then
        assert.equal(tonumber(port), socket.getservbyname(name, "sctp"))
        assert.equal(name, socket.getservbyport(tonumber(port), "sctp"))
      end
    end
    helper.fails("socket.getservbyname", "EAI_SERVICE", socket.getservbyname("tftp", "sctp"))
    helper.fails("socket.getservbyport", "EAI_SERVICE", socket.getservbyport(69, "sctp"))
  end)

  it("are not made of numbers, nor numbers of them", function()
    for _, name in ipairs { "nosuch", "", "80", " 80", "*", ("x"):rep(300), ("x"):rep(1 << 20) } do
      local message = helper.fails("socket.getservbyname", "EAI_SERVICE", socket.getservbyname(name))
      assert.equal("getservbyname " .. name .. ": " .. socket.strerror "EAI_SERVICE", message)
    end
    helper.fails("socket.getservbyport", "EAI_SERVICE", socket.getservbyport(0))
  end)

  it("raise for wrong arguments", function()
    for _, name in ipairs { 80, true, {}, io.stdout } do
      helper.raises("socket.getservbyname", "#1 to '.*getservbyname' %(string expected", socket.getservbyname, name)
      helper.raises("socket.getservbyname", "#2 to '.*getservbyname' %(string expected",
        socket.getservbyname, "a", name)
      helper.raises("socket.getservbyport", "#2 to '.*getservbyport' %(string expected", socket.getservbyport, 80, name)
    end
    helper.raises("socket.getservbyname", "#1 to .*zeros", socket.getservbyname, "http\0")
    helper.raises("socket.getservbyname", "#2 to .*zeros", socket.getservbyname, "http", "tcp\0")
    helper.raises("socket.getservbyport", "#2 to .*zeros", socket.getservbyport, 80, "tcp\0")
    helper.raises("socket.getservbyname", "#1 to .*got no value", socket.getservbyname)
    for _, port in ipairs { "80", true, {}, io.stdout } do
      helper.raises("socket.getservbyport", "#1 to .*port number expected", socket.getservbyport, port)
    end
    for _, port in ipairs { -1, 65536, 1.5, 0 / 0, 2 ^ 31, math.maxinteger } do
      helper.raises("socket.getservbyport", "#1 to .*port out of range", socket.getservbyport, port)
    end
  end)

  it("are not denied when descriptors have run out", function()
    exhausts {
      { "socket.getservbyname", "socket.getservbyname 'http'" },
      { "socket.getservbyport", "socket.getservbyport(80)" },
      { "socket.getprotobyname", "socket.getprotobyname 'tcp'" },
    }
    assert.equal("80 http 6\n", confined [[
      fill() io.write(socket.getservbyname "http", " ")
      fill() io.write(socket.getservbyport(80), " ")
      fill() print(socket.getprotobyname "tcp")
    ]])
  end)
end)

describe("protocols", function()
  it("have numbers", function()
    assert.equal(socket.IPPROTO_TCP, socket.getprotobyname "tcp")
    assert.equal(socket.IPPROTO_UDP, socket.getprotobyname "udp")
    assert.equal(socket.IPPROTO_ICMP, socket.getprotobyname "icmp")
    assert.equal(socket.IPPROTO_TCP, socket.getprotobyname "TCP") -- an alias
  end)

  it("are EPROTONOSUPPORT when nobody knows them", function()
    for _, name in ipairs { "nosuch", "", "6", ("x"):rep(300), ("x"):rep(1 << 20) } do
      local message = helper.fails("socket.getprotobyname", "EPROTONOSUPPORT", socket.getprotobyname(name))
      assert.equal("getprotobyname " .. name .. ": " .. socket.strerror "EPROTONOSUPPORT", message)
    end
  end)

  it("raise for wrong arguments", function()
    for _, name in ipairs { 6, true, {}, io.stdout } do
      helper.raises("socket.getprotobyname", "#1 to '.*getprotobyname' %(string expected", socket.getprotobyname, name)
    end
    helper.raises("socket.getprotobyname", "#1 to .*got no value", socket.getprotobyname)
    helper.raises("socket.getprotobyname", "#1 to .*zeros", socket.getprotobyname, "tcp\0")
  end)
end)

describe("gethostname", function()
  it("gives the name of this machine", function()
    assert.equal(helper.shell "uname -n", socket.gethostname() .. "\n")
  end)
end)
