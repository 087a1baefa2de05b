-- socket.connect and socket.listen: the two calls that are made of several system calls.
local socket = require "bsdsocket"
local core = require "bsdsocket.core"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local build = require "fault.build"
local namespace = require "spec.support.namespace"

after_each(net.close)

local nan, inf = 0 / 0, math.huge

local function at(path)
  return socket.address("AF_UNIX", path)
end

local function connect(...)
  local s, message, code = socket.connect(...)
  if s then net.keep(s) end
  return s, message, code
end

local function listen(...)
  local s, message, code = socket.listen(...)
  if s then net.keep(s) end
  return s, message, code
end

local function needipv6()
  local s = socket.listen("::1", 0)
  if not s then helper.skip "IPv6 is not here" end
  s:close()
end

--- An address where nobody answers, not even by a refusal: a listener whose queue is full.
local function silent(host)
  local family = host and host:find ":" and "AF_INET6" or "AF_INET"
  local listener = net.keep(assert(assert(socket.socket(family)):bind(host or "127.0.0.1", 0)))
  listener:listen(0)
  for _ = 1, 4 do
    local other = net.keep(assert(socket.socket(family)))
    other:settimeout(0)
    other:connect(listener:getsockname())
  end
  return listener:getsockname()
end

--- An address where nobody listens, nor will.
local function refusing(host)
  local family = host and host:find ":" and "AF_INET6" or "AF_INET"
  return net.keep(assert(assert(socket.socket(family)):bind(host or "127.0.0.1", 0))):getsockname()
end

--- An address that is free.
local function free()
  local s <close> = assert(socket.listen("127.0.0.1", 0))
  return s:getsockname()
end

--- socket.connect(host, port, opts), where a look-up gives these addresses.
local function among(addresses, opts)
  local getaddrinfo = core.getaddrinfo
  core.getaddrinfo = function()
    local list = {}
    for i, address in ipairs(addresses) do list[i] = { address = address, family = address.family } end
    return list
  end
  local results = table.pack(pcall(connect, "some.where", 80, opts))
  core.getaddrinfo = getaddrinfo
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

describe("socket.connect", function()
  local listener, port

  before_each(function()
    listener = assert(listen("127.0.0.1", 0))
    port = listener:getsockname().port
  end)

  it("gives a connected stream socket without a timeout", function()
    for _, target in ipairs {
      { "127.0.0.1", port }, { "127.0.0.1", tostring(port) }, { "127.0.0.1", port + 0.0 }, { "localhost", port },
      { listener:getsockname() }, { "127.0.0.1", port, { timeout = 5 } }, { listener:getsockname(), { timeout = 5 } },
      { "127.0.0.1", port, { timeout = inf } }, { "127.0.0.1", port, {} },
      { "127.0.0.1", port, { family = "AF_INET" } },
      { "localhost", port, { family = socket.AF_INET } }, { "localhost", port, { family = "PF_INET" } },
    } do
      local s = assert(connect(table.unpack(target)))
      local c, from = listener:accept()
      net.keep(c)
      assert.equal(s:getsockname(), from)
      assert.equal(listener:getsockname(), s:getpeername())
      assert.is_nil(s:gettimeout())
      assert.equal(socket.SOCK_STREAM, s:type())
      s:send "hello"
      assert.equal("hello", c:recv())
    end
  end)

  it("sets the options before it connects", function()
    local s = assert(connect("127.0.0.1", port, { nodelay = true, keepalive = true }))
    assert.is_true(s:getsockopt "TCP_NODELAY")
    assert.is_true(s:getsockopt "SO_KEEPALIVE")
    s = assert(connect("127.0.0.1", port, { nodelay = false, keepalive = false }))
    assert.is_false(s:getsockopt "TCP_NODELAY")
    assert.is_false(s:getsockopt "SO_KEEPALIVE")
  end)

  it("binds to a host or an address first", function()
    local s = assert(connect("127.0.0.1", port, { bind = "127.0.0.1" }))
    assert.equal("127.0.0.1", s:getsockname().host)
    local from = free()
    s = assert(connect("127.0.0.1", port, { bind = from }))
    assert.equal(from, s:getsockname())
    s = assert(connect("localhost", port, { bind = socket.address("AF_INET", "127.0.0.1", 0) }))
    assert.equal("127.0.0.1", s:getsockname().host)
    local message = helper.fails("socket.connect", "EADDRNOTAVAIL",
      connect("127.0.0.1", port, { bind = "192.0.2.1" }))
    helper.fails("socket.connect", "EADDRINUSE",
      connect("127.0.0.1", port, { bind = socket.address("AF_INET", "127.0.0.1", port) }))
    assert.equal(("connect 127.0.0.1:%d: " .. socket.strerror "EADDRNOTAVAIL"):format(port), message)
    local dir = helper.tmpdir()
    local l = assert(listen(at(dir .. "/s")))
    s = assert(connect(l:getsockname(), { bind = at(dir .. "/c") }))
    assert.equal(dir .. "/c", s:getsockname().path)
    assert.equal(dir .. "/c", select(2, net.keep(l:accept())).path)
  end)

  it("sets any option of the socket before it connects, and before it binds", function()
    local options = { SO_RCVBUF = 20000, TCP_MAXSEG = 700, SO_LINGER = 5, TCP_NODELAY = 1, SO_KEEPALIVE = 0 }
    for _, opts in ipairs {
      { options = options }, { options = options, nodelay = true, keepalive = 1 }, { options = options, timeout = 5 },
      { options = options, bind = "127.0.0.1" },
    } do
      for _, list in ipairs { { "127.0.0.1", port, opts }, { listener:getsockname(), opts } } do
        local s = assert(connect(table.unpack(list)))
        assert.equal(40000, s:getsockopt "SO_RCVBUF")
        assert.equal(5, s:getsockopt "SO_LINGER")
        assert.is_true(s:getsockopt "TCP_NODELAY")
        assert.is_false(s:getsockopt "SO_KEEPALIVE")
        assert.is_true(s:getsockopt("TCP_INFO").snd_mss <= 700) -- agreed on in the first packet
        s:setsockopt("SO_LINGER", 0)
      end
    end
    local from = free()
    local own = assert(listen("127.0.0.1", 0))
    local s = assert(connect(own:getsockname(), { options = { SO_REUSEADDR = true }, bind = from }))
    local c = net.keep((assert(own:accept())))
    s:close()
    assert.equal("", c:recv())
    c:close()
    -- that port lingers now: only who sets the option before bind gets it
    assert(connect("127.0.0.1", assert(listen("127.0.0.1", 0)):getsockname().port,
      { options = { SO_REUSEADDR = true }, bind = from }))
  end)

  it("sends nothing when an option cannot be set, and says which", function()
    local address = tostring(listener:getsockname())
    for _, list in ipairs {
      { "127.0.0.1", port, { options = { SO_RCVBUF = 20000, TCP_CONGESTION = "no-such-one" } } },
      { listener:getsockname(), { options = { TCP_CONGESTION = "no-such-one" } } },
    } do
      local s, message, code = connect(table.unpack(list))
      assert.same({ nil, "ENOENT" }, { s, code })
      assert.equal(("connect %s: setsockopt TCP_CONGESTION: %s"):format(address, socket.strerror "ENOENT"), message)
    end
    local other = assert(listen("127.0.0.1", 0))
    local here, there = listener:getsockname(), other:getsockname()
    local s, message, code = among({ here, there }, { options = { IP_MULTICAST_IF = "nosuch" } })
    assert.same({ nil, "ENODEV" }, { s, code })
    local why = "setsockopt IP_MULTICAST_IF: " .. socket.strerror "ENODEV"
    assert.equal(("connect some.where:80: %s: %s; %s: %s"):format(here, why, there, why), message)
    for _, l in ipairs { listener, other } do
      l:settimeout(0)
      helper.fails("s:accept", "EAGAIN", l:accept())
    end
  end)

  it("an option that one family does not have leaves the other", function()
    needipv6()
    local six = assert(listen("::1", 0))
    local s = assert(among({ six:getsockname(), listener:getsockname() }, { options = { IPV6_TCLASS = 8 } }))
    assert.equal(six:getsockname(), s:getpeername())
    assert.equal(8, s:getsockopt "IPV6_TCLASS")
    s = assert(among({ listener:getsockname(), six:getsockname() }, { options = { IPV6_TCLASS = 8 } }))
    assert.equal(six:getsockname(), s:getpeername())
  end)

  it("takes 1 and 0 for its switches", function()
    local s = assert(connect("127.0.0.1", port, { nodelay = 1, keepalive = 0 }))
    assert.is_true(s:getsockopt "TCP_NODELAY")
    assert.is_false(s:getsockopt "SO_KEEPALIVE")
    s = assert(connect("127.0.0.1", port, { nodelay = 0, keepalive = 1 }))
    assert.is_false(s:getsockopt "TCP_NODELAY")
    assert.is_true(s:getsockopt "SO_KEEPALIVE")
  end)

  it("connects sockets of another type", function()
    local dir = helper.tmpdir()
    local receivers = {
      SOCK_DGRAM = { net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))),
        net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/d"))) },
      SOCK_SEQPACKET = { net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_SEQPACKET")):bind(dir .. "/s"))) },
    }
    assert(receivers.SOCK_SEQPACKET[1]:listen())
    for type, list in pairs(receivers) do
      for _, receiver in ipairs(list) do
        for _, name in ipairs { type, socket[type] } do
          local opts = { type = name, timeout = 5, options = { SO_SNDBUF = 20000 } }
          local s = assert(connect(receiver:getsockname(), opts))
          assert.equal(socket[type], s:type())
          assert.equal(receiver:getsockname(), s:getpeername())
          assert.equal(40000, s:getsockopt "SO_SNDBUF")
          assert.is_nil(s:gettimeout())
          assert(s:send "hello")
          local r = type == "SOCK_SEQPACKET" and net.keep((receiver:accept())) or receiver
          assert.equal("hello", r:recv())
        end
      end
    end
    local to = receivers.SOCK_DGRAM[1]:getsockname()
    local s = assert(connect("localhost", to.port, { type = "SOCK_DGRAM", family = "AF_INET", bind = "127.0.0.1" }))
    assert.equal(to, s:getpeername())
    assert.equal("127.0.0.1", s:getsockname().host)
    helper.fails("socket.connect", "EPROTOTYPE", connect(at(dir .. "/d")))
  end)

  it("of several addresses connects a datagram socket to the first that it can", function()
    local receiver = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    local opts = { type = "SOCK_DGRAM" }
    local s = assert(net.takes(0, among, { at "/nowhere/x", receiver:getsockname(), refusing() }, opts))
    assert.equal(receiver:getsockname(), s:getpeername())
  end)

  it("takes a connection to itself for none", function()
    for _, host in ipairs { "127.0.0.1", "::1" } do
      if host == "::1" then needipv6() end
      local l = assert(listen(host, 0))
      local own = l:getsockname()
      l:close()
      local message = helper.fails("socket.connect", "ECONNREFUSED", connect(own, { bind = own }))
      assert.equal(("connect %s: Connection refused"):format(own), message)
      for _, timeout in ipairs { 0.3, 5 } do
        helper.fails("socket.connect", "ECONNREFUSED", connect(own.host, own.port, { bind = own, timeout = timeout }))
      end
      -- by the address for any, too
      local any = socket.address(own.family, "*", own.port)
      helper.fails("socket.connect", "ECONNREFUSED", connect(any, { bind = own }))
      -- one of several does not keep the others from their turn
      local other = assert(listen(host, 0))
      local s = assert(among({ own, other:getsockname() }, { options = { SO_REUSEADDR = true }, bind =
        socket.address(own.family, host, own.port) }))
      assert.equal(other:getsockname(), s:getpeername())
      s:setsockopt("SO_LINGER", 0):close()
      -- and the port is free at once, without SO_REUSEADDR
      assert(net.keep(assert(socket.socket(own.family))):bind(own))
      net.close()
    end
  end)

  it("takes a connection to itself for none in a task and under a scheduler", function()
    local own = free()
    local code
    require "bsdsocket.loop".run(function() code = select(3, connect(own, { bind = own, timeout = 5 })) end)
    assert.equal("ECONNREFUSED", code)
    helper.fails("socket.connect", "ECONNREFUSED", connect(own, { bind = own, type = "SOCK_DGRAM" }))
  end)

  it("uses up no port number for a bind without one", namespace.inside(function()
    local file <close> = assert(io.open("/proc/sys/net/ipv4/ip_local_port_range", "w"))
    file:write "40000 40001"
    file:close()
    for host, any in pairs { ["127.0.0.1"] = "AF_INET", ["::1"] = "AF_INET6" } do
      local kept = {}
      for peer = 1, 3 do
        local l = assert(socket.listen(host, 50000 + peer))
        kept[#kept + 1] = l
        for i = 1, 2 do -- each of both ports to each of the peers
          local bind = i == 1 and host or socket.address(any, host, 0)
          local s = assert(socket.connect(host, 50000 + peer, { bind = bind }))
          assert(s:getsockopt "IP_BIND_ADDRESS_NO_PORT")
          assert(s:getsockname().host == host)
          kept[#kept + 1] = s
        end
      end
      for _, s in ipairs(kept) do s:close() end
    end
  end))

  it("connects to unix addresses", function()
    local path = helper.tmpdir() .. "/s"
    assert.equal("connect " .. path .. ": No such file or directory",
      helper.fails("socket.connect", "ENOENT", connect(at(path))))
    local l = assert(listen(at(path)))
    assert.equal(path, assert(connect(at(path))):getpeername().path)
    assert.equal(path, assert(connect(at(path), { timeout = 0 })):getpeername().path)
    l:close()
    helper.fails("socket.connect", "ECONNREFUSED", connect(at(path)))
    local name = "\0spec" .. path
    assert(listen(at(name)))
    assert(connect(at(name)))
  end)

  it("waits for a unix listener's queue no longer than its timeout", function()
    local path = helper.tmpdir() .. "/s"
    local l = assert(listen(at(path), { backlog = 0 }))
    repeat until not connect(at(path), { timeout = 0 })
    for _, seconds in ipairs { 0, 0.001, 0.05, 0.3 } do
      helper.fails("socket.connect", "timeout", net.takes(seconds, connect, at(path), { timeout = seconds }))
    end
    assert(l:accept()):close()
    assert(connect(at(path), { timeout = 1 }))
  end)

  it("under timeout 0 fails at once where it has to wait", function()
    helper.fails("socket.connect", "timeout", net.atonce(connect, silent(), { timeout = 0 }))
    helper.fails("socket.connect", "EAGAIN", net.atonce(connect, "some.name.invalid", 80, { timeout = 0 }))
    helper.fails("socket.connect", "timeout", net.atonce(among, { silent(), silent() }, { timeout = 0 }))
  end)

  it("tells the failure that it has, however little time there was", function()
    local path = helper.tmpdir() .. "/s"
    for _, timeout in ipairs { 0, 1e-9 } do
      assert.equal("connect " .. path .. ": No such file or directory",
        helper.fails("socket.connect", "ENOENT", connect(at(path), { timeout = timeout })))
      helper.fails("socket.connect", "EADDRNOTAVAIL",
        connect("127.0.0.1", port, { timeout = timeout, bind = "192.0.2.1" }))
      local message = helper.fails("socket.connect", "timeout", among({ at(path), at "/x" }, { timeout = timeout }))
      assert.equal(("connect some.where:80: %s: No such file or directory; /x: timed out"):format(path), message)
    end
  end)

  it("has no time for a name to bind to: under timeout 0 it says so, else that its time is over", function()
    for timeout, code in pairs { [0] = "EAGAIN", [1e-9] = "timeout" } do
      helper.fails("socket.connect", code,
        net.atonce(connect, "127.0.0.1", port, { timeout = timeout, bind = "some.name.invalid" }))
    end
  end)

  it("gives up at its timeout", function()
    local address = silent()
    for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
      local message = helper.fails("socket.connect", "timeout",
        net.takes(seconds, connect, address, { timeout = seconds }))
      assert.equal("connect " .. tostring(address) .. ": timed out", message)
      message = helper.fails("socket.connect", "timeout",
        net.takes(seconds, connect, address.host, address.port, { timeout = seconds }))
      assert.equal("connect " .. tostring(address) .. ": timed out", message)
    end
  end)

  it("names the address, or each of several, in its messages", function()
    local gone = refusing()
    local message = helper.fails("socket.connect", "ECONNREFUSED", connect(gone))
    assert.equal(("connect %s: Connection refused"):format(gone), message)
    message = helper.fails("socket.connect", "ECONNREFUSED", connect(gone.host, gone.port))
    assert.equal(("connect %s: Connection refused"):format(gone), message)
    local also = refusing()
    message = helper.fails("socket.connect", "ECONNREFUSED", among { gone, also })
    assert.equal(("connect some.where:80: %s: Connection refused; %s: Connection refused"):format(gone, also), message)
    message = helper.fails("socket.connect", "ECONNREFUSED", among { gone })
    assert.equal(("connect some.where:80: %s: Connection refused"):format(gone), message)
    local mute = silent()
    message = helper.fails("socket.connect", "timeout", among({ gone, mute }, { timeout = 0.05 }))
    assert.equal(("connect some.where:80: %s: Connection refused; %s: timed out"):format(gone, mute), message)
  end)

  it("says that a name or a service is not there", function()
    assert.equal("connect name.invalid:80: " .. socket.strerror "EAI_NONAME",
      helper.fails("socket.connect", "EAI_NONAME", connect("name.invalid", 80)))
    helper.fails("socket.connect", "EAI_SERVICE", connect("127.0.0.1", "no-such-service"))
    helper.fails("socket.connect", "EAI_FAMILY", connect("127.0.0.1", 80, { family = 12345 }))
    assert.match("^connect %[::1%]:80: ", helper.fails("socket.connect", "EAI_ADDRFAMILY",
      connect("::1", 80, { family = "AF_INET" })))
    helper.fails("socket.connect", "EAFNOSUPPORT", connect(socket.address "AF_UNSPEC"))
  end)

  it("takes any host for this machine", function()
    for _, any in ipairs { "*", "" } do
      local s <close> = assert(connect(any, port, { family = "AF_INET" }))
      assert.equal(socket.address("AF_INET", "127.0.0.1", port), s:getpeername())
    end
  end)

  it("looks the host up with the resolver's flags that it is given", function()
    local here = ("127.0.0.1:%d"):format(port)
    for _, flags in ipairs { "AI_NUMERICHOST", "AI_NUMERICHOST|AI_NUMERICSERV", socket.AI_NUMERICHOST } do
      local c <close> = assert(connect("127.0.0.1", port, { flags = flags }))
      assert.equal(here, tostring(c:getpeername()))
      helper.fails("socket.connect", "EAI_NONAME", connect("localhost", port, { flags = flags }))
      local s <close> = assert(listen("127.0.0.1", 0, { flags = flags }))
      assert.equal("127.0.0.1", s:getsockname().host)
      local any <close> = assert(listen(nil, 0, { flags = flags, family = "AF_INET" })) -- AI_PASSIVE stays
      assert.equal("0.0.0.0", any:getsockname().host)
      helper.fails("socket.listen", "EAI_NONAME", listen("localhost", 0, { flags = flags }))
    end
    for name, call in pairs { ["socket.connect"] = connect, ["socket.listen"] = listen } do
      for pattern, flags in pairs {
        ["unknown constant 'AI_NUMERIC'"] = "AI_NUMERIC", ["constant 'MSG_PEEK' is none of AI_%*"] = "MSG_PEEK",
        ["integer or name of a constant expected, got table"] = {},
      } do
        helper.raises(name, "field 'flags': " .. pattern, call, "::1", 1, { flags = flags })
      end
    end
  end)

  it("reaches an IPv4 host by an IPv6 socket, where the resolver's flags ask for that", function()
    needipv6()
    local c <close> = assert(connect("127.0.0.1", port, { flags = "AI_V4MAPPED", family = "AF_INET6" }))
    assert.equal(socket.AF_INET6, c:family())
    assert.equal("::ffff:127.0.0.1", c:getpeername().host)
  end)

  it("raises for a family that is not the address's", function()
    local address = socket.address("AF_INET", "127.0.0.1", port)
    for name, call in pairs { ["socket.connect"] = connect, ["socket.listen"] = listen } do
      helper.raises(name, "field 'family': not that of the address", call, address, { family = "AF_INET6" })
    end
  end)

  describe("of several addresses", function()
    it("goes on at once after one that refuses", function()
      local s = assert(net.takes(0, among, { refusing(), refusing(), refusing(), listener:getsockname() }))
      assert.equal(listener:getsockname(), s:getpeername())
      assert.is_nil(s:gettimeout())
    end)

    it("gives one that does not answer a quarter of a second before it tries the next one too", function()
      local s = net.takes(0.25, among, { silent(), listener:getsockname(), silent() })
      assert.equal(listener:getsockname(), assert(s):getpeername())
      s = net.takes(0.5, among, { silent(), refusing(), silent(), listener:getsockname() })
      assert.equal(listener:getsockname(), assert(s):getpeername())
    end)

    it("takes the families in turn, beginning with the one that the system prefers", function()
      needipv6()
      local list = {}
      for i = 1, 3 do
        list[i] = refusing "::1"
        list[i + 3] = refusing()
      end
      local message = helper.fails("socket.connect", "ECONNREFUSED", among(list))
      local order = {}
      for address in message:gmatch " ([%[%d]%S+): Connection refused" do order[#order + 1] = address end
      assert.same({
        tostring(list[1]), tostring(list[4]), tostring(list[2]), tostring(list[5]), tostring(list[3]),
        tostring(list[6]),
      }, order)
      local s = net.takes(0.25, among, { silent "::1", silent "::1", listener:getsockname() })
      assert.equal(listener:getsockname(), assert(s):getpeername())
    end)

    it("takes the first that answers, even if it was not the last to be tried, and closes the others", function()
      local before = helper.descriptors()
      local s = assert(among { silent(), listener:getsockname(), silent() })
      local c = net.keep(assert(listener:accept()))
      s:send "x"
      assert.equal("x", c:recv())
      s:close()
      c:close()
      net.close()
      assert.is_true(helper.descriptors() <= before)
    end)

    it("can be read and waited for as any other", function()
      local s = assert(among { silent(), listener:getsockname() })
      local c = net.keep(assert(listener:accept()))
      s:settimeout(0.05)
      helper.fails("s:recv", "timeout", net.takes(0.05, s.recv, s))
      s:settimeout(nil)
      c:send "x"
      assert.equal("x", s:recv())
    end)

    it("gives up at the one deadline", function()
      for _, seconds in ipairs { 0.001, 0.3, 0.6 } do
        local list = { silent(), silent(), silent() }
        local message = helper.fails("socket.connect", "timeout",
          net.takes(seconds, among, list, { timeout = seconds }))
        local n = select(2, message:gsub("timed out", ""))
        assert.equal(seconds < 0.25 and 1 or seconds < 0.5 and 2 or 3, n)
        net.close()
      end
    end)

    it("leaves no descriptor when an error ends it", function()
      local signal = build "signal" or helper.skip "no C compiler is here"
      for _, list in ipairs { { silent() }, { silent(), silent() }, { silent(), silent(), silent() } } do
        local before = helper.descriptors()
        signal.after(#list == 1 and 0.02 or 0.28, function() error("stop", 0) end)
        local ok, message = pcall(among, list)
        assert.same({ false, "stop" }, { ok, message })
        if #list == 1 then collectgarbage() end
        assert.equal(before, helper.descriptors())
      end
      signal.every(0)
    end)
  end)

  it("collects garbage when descriptors run out, and says so when that is not enough #process", function()
    local output = process.confined(30, [[
      local l = assert(socket.listen("127.0.0.1", 0))
      local kept = {}
      fill(kept)
      local s, message, code = socket.connect(l:getsockname())
      print(s, (message:gsub(":%d+:", ":P:")), code)
      s, message, code = socket.connect("127.0.0.1", 80)
      print(s, code)
      s, message, code = socket.listen("127.0.0.1", 0)
      print(s, message, code)
      kept = nil
      print(socket.connect(l:getsockname()) ~= nil)
    ]])
    assert.equal("nil\tconnect 127.0.0.1:P: " .. socket.strerror "EMFILE" .. "\tEMFILE\nnil\tEMFILE\n"
      .. "nil\tlisten 127.0.0.1:0: " .. socket.strerror "EMFILE" .. "\tEMFILE\ntrue\n", output)
  end)

  it("raises on what is no host, no port, no option, and names the caller's line", function()
    local function raises(pattern, ...)
      local args = table.pack(...)
      helper.raises("socket.connect", "^spec/call/connect_listen_spec.lua:%d+: " .. pattern, function()
        local s = socket.connect(table.unpack(args, 1, args.n))
        return s
      end)
    end
    for _, host in ipairs { 5, true, {}, io.stdout, print, listener } do
      raises("bad argument #1 to 'connect'", host, 80)
    end
    raises("bad argument #1 to 'connect' %(host name or address expected, got nil", nil, 80)
    raises("bad argument #1 to 'connect' .*zero", "local\0host", 80)
    raises("bad argument #1 to 'connect' %(host name or address expected, got socket", listener, 80)
    raises("bad argument #2 to 'connect' %(.-; give host and port as two arguments%)", "localhost:18001")
    -- a tail call has lost its line; then it is the nearest line that there is, or none
    local function tail() return socket.connect("localhost") end
    assert.match("^spec/call/connect_listen_spec.lua:%d+: bad argument #2", select(2, pcall(tail)))
    assert.match("^bad argument #2 to 'connect'", select(2, coroutine.resume(coroutine.create(tail))))
    for _, value in ipairs {
      -1, 65536, 1.5, nan, inf, 2 ^ 31, math.maxinteger, math.mininteger, "70000", "99999999999999999999", "8\0",
      true, {},
    } do
      raises("bad argument #2 to 'connect'", "localhost", value)
    end
    raises("bad argument #2 to 'connect' %(port number or service name expected, got no value", "localhost")
    for _, opts in ipairs {
      5, "x", true, { bogus = 1 }, { 1 }, { timeout = -1 }, { timeout = nan }, { timeout = "x" },
      { family = "AF_BOGUS" }, { family = "SOCK_STREAM" }, { family = 1.5 }, { family = -1 },
      { family = 1 << 31 }, { family = {} },
      { bind = 5 }, { bind = "a\0b" }, { bind = io.stdout }, { nodelay = 2 }, { nodelay = 0.5 },
      { keepalive = "yes" }, { mode = "600" },
      { bind = socket.address("AF_INET6", "::1", 0), family = "AF_INET" }, { [true] = 1 }, { [{}] = 1 },
      { type = "SOCK_BOGUS" }, { type = "AF_INET" }, { type = {} }, { type = 1.5 }, { options = 5 }, { options = "x" },
      { options = { 1 } }, { options = { [true] = 1 } }, { options = { SO_BOGUS = true } },
      { options = { AF_INET = 1 } },
      { options = { SO_KEEPALIVE = 2 } }, { options = { SO_KEEPALIVE = {} } }, { options = { SO_RCVBUF = true } },
      { options = { TCP_INFO = 1 } }, { options = { SO_RCVBUF = 1, SO_SNDBUF = 0.5 } },
    } do
      raises("bad argument #3 to 'connect'", "127.0.0.1", port, opts)
      raises("bad argument #2 to 'connect'", at "/x", opts)
    end
    raises(".*bogus", "127.0.0.1", port, { bogus = 1 })
    raises(".*%(field 'options': field 'SO_BOGUS': unknown constant 'SO_BOGUS'", "127.0.0.1", port,
      { options = { SO_BOGUS = 1 } })
    raises(".*%(field 'options': field 'SO_KEEPALIVE': boolean expected, got string%)", "127.0.0.1", port,
      { options = { SO_KEEPALIVE = setmetatable({}, { __name = "string" }) } })
    raises(".*AF_BOGUS", "127.0.0.1", port, { family = "AF_BOGUS" })
    raises("bad argument #2 to 'connect'", listener:getsockname(), { bind = at "/x" })
    raises("bad argument #3 to 'connect'", listener:getsockname(), nil, {})
    listener:settimeout(0)
    helper.fails("s:accept", "EAGAIN", listener:accept())
  end)
end)

describe("socket.connect in a network #process", function()
  --- Runs the code in namespaces of its own, where these lines are all of /etc/hosts. It has sometime(f), as net has.
  local function within(hosts, setup, code)
    local dir = helper.tmpdir()
    local before = [[
      local socket = require "bsdsocket"
      local function sometime(f)
        for try = 1, 8 do
          if f() then return end
          socket.select(nil, nil, 0.03 * 2 ^ try)
        end
        error "not once"
      end
    ]]
    for name, text in pairs { hosts = hosts, script = before .. code } do
      helper.save(dir .. "/" .. name, text)
    end
    local output, status = helper.shell(([[
      unshare -n -m sh -c '
        mount --bind %s/hosts /etc/hosts && ip link set lo up || exit 99
        %s
        "$@"' sh env %s]]):format(dir, setup, helper.command(dir .. "/script")))
    if status == 99 or output:find "unshare" or output:find "not found" then
      helper.skip "no network namespace can be made here"
    end
    return output, status
  end

  it("with a black hole for one family takes the other after a quarter of a second", function()
    for _, case in ipairs {
      { "2001:db8::1 both\n127.0.0.1 both\n", "127.0.0.1", "waited" },
      { "192.0.2.1 both\n::1 both\n", "::1", "at once" }, -- the system puts the loopback address first
      { "2001:db8::1 both\n2001:db8::2 both\n2001:db8::3 both\n127.0.0.1 both\n", "127.0.0.1", "waited" },
    } do
      -- what is sent there comes back in, and nobody takes it
      local output, status = within(case[1], [[
        ip -6 addr add 2001:db8:1::1/128 dev lo || exit 99
        ip -6 route add 2001:db8::/32 dev lo || exit 99
        ip route add 192.0.2.0/24 dev lo || exit 99
      ]], ([[
        local l = assert(socket.listen(nil, 8001))
        local host, waits = %q, %q == "waited"
        local function race()
          local start = socket.monotime()
          local s = assert(socket.connect("both", 8001, { timeout = 10 }))
          local took = socket.monotime() - start
          local peer = s:getpeername().host
          assert(peer == host, peer)
          assert(not waits or took >= 0.25, took)
          s:close()
          return took < (waits and 0.4 or 0.2)
        end
        sometime(race)
        -- in a task the others go on meanwhile
        local loop = require "bsdsocket.loop"
        sometime(function()
          local ticks = 0
          return loop.run(function()
            local ticking = loop.spawn(function()
              while true do loop.sleep(0.01) ticks = ticks + 1 end
            end)
            local intime = race()
            ticking:cancel()
            return intime and ticks >= (waits and 10 or 0)
          end)
        end)
        if host ~= "127.0.0.1" or #socket.getaddrinfo("both", 80, { type = "SOCK_STREAM" }) > 2 then return end
        -- and a hole alone
        sometime(function()
          local start = socket.monotime()
          local _, message, code = socket.connect("2001:db8::1", 8001, { timeout = 0.3 })
          assert(code == "timeout", message)
          return socket.monotime() - start < 0.4
        end)
        l:close()
        local _, message, code = socket.connect("both", 8001, { timeout = 0.6 })
        assert(code == "timeout" or code == "ECONNREFUSED", message)
      ]]):format(case[2], case[3]))
      assert.same({ "", 0 }, { output, status })
    end
  end)

  it("for which no socket can be had goes on with the next address at once", function()
    local output, status = within("2001:db8::1 both\n2001:db8::2 both\n127.0.0.1 both\n", [[
      ip -6 addr add 2001:db8:1::1/128 dev lo || exit 99
      ip -6 route add 2001:db8::/32 dev lo || exit 99
    ]], [[
      local core = require "bsdsocket.core"
      local make = core.socket
      sometime(function()
        local times = {}
        function core.socket(...)
          times[#times + 1] = socket.monotime()
          if #times == 2 then return nil, "", "EMFILE" end
          return make(...)
        end
        local _, message, code = socket.connect("both", 8001, { timeout = 0.45 })
        assert(code == "timeout", message)
        return times[3] and times[3] - times[2] < 0.1
      end)
    ]])
    assert.same({ "", 0 }, { output, status })
  end)

  it("that is not there fails at once, and says so for each address", function()
    local output = within("2001:db8::1 both\n192.0.2.1 both\n", "", [[
      sometime(function()
        local start = socket.monotime()
        local _, message, code = socket.connect("both", 80)
        print(code, message)
        return socket.monotime() - start < 0.2
      end)
    ]])
    local away = socket.strerror "ENETUNREACH"
    assert.match("ENETUNREACH\tconnect both:80: [^;]+: " .. away .. "; [^;]+: " .. away .. "\n$",
      output)
  end)

  it("without IPv6 listens on every interface all the same", function()
    local output, status = within("127.0.0.1 localhost\n", [[
      sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 2>/dev/null ||
        echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || exit 99
      echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6
    ]], [[
      local l = assert(socket.listen(nil, 8001))
      assert(socket.connect("127.0.0.1", 8001)):close()
      local _, message, code = socket.listen(nil, 8002, { family = "AF_INET6" })
      local c = socket.connect("::1", 8001)
      assert(not c)
      print "good"
    ]])
    assert.same({ "good\n", 0 }, { output, status })
  end)
end)

describe("socket.listen", function()
  it("sets any option of the socket before it binds", function()
    local dir = helper.tmpdir()
    local options = { SO_RCVBUF = 20000, SO_PRIORITY = 3 }
    for _, list in ipairs {
      { "127.0.0.1", 0, { options = options } }, { nil, 0, { options = options } }, { "*", 0, { options = options } },
      { nil, 0, { options = options, family = "AF_INET" } }, { at(dir .. "/s"), { options = options, mode = "600" } },
      { at("\0spec" .. dir), { options = options } },
      { socket.address("AF_INET", "127.0.0.1", 0), { options = options, reuseport = 1 } },
    } do
      local s = assert(listen(table.unpack(list, 1, 3)))
      assert.equal(40000, s:getsockopt "SO_RCVBUF")
      assert.equal(3, s:getsockopt "SO_PRIORITY")
      assert.is_true(s:getsockopt "SO_ACCEPTCONN")
    end
    -- one that only counts before bind
    local elsewhere = assert(listen(socket.address("AF_INET", "192.0.2.77", 0), { options = { IP_FREEBIND = true } }))
    assert.equal("192.0.2.77", elsewhere:getsockname().host)
  end)

  it("leaves nothing behind when an option cannot be set, and says which", function()
    local path = helper.tmpdir() .. "/s"
    for address, name in pairs { ["127.0.0.1:0"] = "127.0.0.1", [path] = at(path) } do
      local opts = { options = { TCP_CONGESTION = "no-such-one" } }
      local s, message, code
      if address == path then s, message, code = listen(name, opts) else s, message, code = listen(name, 0, opts) end
      assert.is_nil(s)
      assert.equal(("listen %s: setsockopt TCP_CONGESTION: %s"):format(address, socket.strerror(code)), message)
    end
    assert.is_nil(io.open(path))
    helper.fails("socket.connect", "ENOENT", connect(at(path)))
  end)

  it("takes 1 and 0 for its switches", function()
    local first = assert(listen("127.0.0.1", 0, { reuseport = 1 }))
    assert(listen(first:getsockname(), { reuseport = true }))
    local alone = assert(listen("127.0.0.1", 0, { reuseport = 0 }))
    assert.is_false(alone:getsockopt "SO_REUSEPORT")
    helper.fails("socket.listen", "EADDRINUSE", listen(alone:getsockname(), { reuseport = 1 }))
    needipv6()
    assert.is_true(assert(listen(nil, 0, { v6only = 1 })):getsockopt "IPV6_V6ONLY")
    assert.is_false(assert(listen(nil, 0, { v6only = 0 })):getsockopt "IPV6_V6ONLY")
    assert.is_false(assert(listen(nil, 0, { v6only = false })):getsockopt "IPV6_V6ONLY")
  end)

  it("listens on a host, a service, an address", function()
    for _, target in ipairs {
      { "127.0.0.1", 0 }, { "127.0.0.1", "0" }, { "localhost", 0 }, { "127.0.0.1", 0.0 },
      { socket.address("AF_INET", "127.0.0.1", 0) }, { "127.0.0.1", 0, { family = "AF_INET" } },
      { "127.0.0.1", 0, { backlog = 5 } }, { "127.0.0.1", 0, { backlog = 5.0 } },
      { "127.0.0.1", 0, { reuseport = true } },
      { socket.address("AF_INET", "127.0.0.1", 0), { backlog = -1 } },
      { socket.address("AF_INET", "127.0.0.1", 0), { backlog = math.mininteger } },
    } do
      local l = assert(listen(table.unpack(target)))
      assert.is_true(l:getsockopt "SO_REUSEADDR")
      assert.is_nil(l:gettimeout())
      for _ = 1, 4 do net.keep(assert(socket.connect(l:getsockname(), { timeout = 5 }))) end
      net.keep(assert(l:accept()))
    end
  end)

  it("for nil, * or an empty host reaches clients of both families", function()
    needipv6()
    for _, host in ipairs { false, "*", "" } do
      local l = assert(listen(host or nil, 0))
      local port = l:getsockname().port
      for _, from in ipairs { "127.0.0.1", "::1" } do
        local c = assert(connect(from, port))
        local s = net.keep(assert(l:accept()))
        c:send "x"
        assert.equal("x", s:recv())
      end
    end
  end)

  it("where there is no IPv6 listens to IPv4 alone, unless IPv6 is asked for", function()
    local make = core.socket
    core.socket = function(family, ...)
      if family == socket.AF_INET6 then return nil, "socket: no", "EAFNOSUPPORT" end
      return make(family, ...)
    end
    local l = listen(nil, 0)
    local results = {}
    for i, opts in ipairs { { v6only = true }, { family = "AF_INET6" } } do
      results[i] = table.pack(listen(nil, 0, opts))
    end
    core.socket = make
    assert.equal("0.0.0.0", assert(l):getsockname().host)
    assert(connect("127.0.0.1", l:getsockname().port))
    for i = 1, 2 do
      local message = helper.fails("socket.listen", "EAFNOSUPPORT", table.unpack(results[i], 1, 3))
      assert.equal("listen [::]:0: Address family not supported by protocol", message)
    end
  end)

  it("for every interface of one family reaches that alone", function()
    needipv6()
    local l = assert(listen(nil, 0, { family = "AF_INET" }))
    assert.equal("0.0.0.0", l:getsockname().host)
    assert(connect("127.0.0.1", l:getsockname().port))
    helper.fails("socket.connect", "ECONNREFUSED", connect("::1", l:getsockname().port))
    for _, opts in ipairs { { v6only = true }, { family = "AF_INET6", v6only = true } } do
      local port, beside
      for _ = 1, 10 do -- another program may have the port for the other family
        l = assert(listen("*", 0, opts))
        port = l:getsockname().port
        beside = listen("0.0.0.0", port)
        if beside then break end
      end
      assert.equal("::", l:getsockname().host)
      assert(connect("127.0.0.1", port))
      assert(beside:accept()):close()
      beside:close()
      assert(connect("::1", port))
      helper.fails("socket.connect", "ECONNREFUSED", connect("127.0.0.1", port))
    end
    l = assert(listen("*", 0, { family = "AF_INET6", v6only = false }))
    assert(connect("127.0.0.1", l:getsockname().port))
  end)

  it("shares a port among those that all ask for it", function()
    local one = assert(listen("127.0.0.1", 0, { reuseport = true }))
    local port = one:getsockname().port
    local two = assert(listen("127.0.0.1", port, { reuseport = true }))
    helper.fails("socket.listen", "EADDRINUSE", listen("127.0.0.1", port))
    one:close()
    assert(connect("127.0.0.1", port))
    assert(two:accept()):close()
    local all = assert(listen(nil, 0, { reuseport = true }))
    assert(listen(nil, all:getsockname().port, { reuseport = true }))
  end)

  it("takes as many connections in advance as it is told", function()
    local function waiting(backlog)
      local l = assert(listen("127.0.0.1", 0, { backlog = backlog }))
      local n = 0
      while n < 10 and connect(l:getsockname(), { timeout = n < 2 and 1 or 0.1 }) do n = n + 1 end
      return n
    end
    assert.is_true(waiting(1) < 4)
    assert.equal(10, waiting(9))
    assert.equal(10, waiting(-5))
    assert.equal(10, waiting(nil))
  end)

  it("says that a port is taken", function()
    local l = assert(listen("127.0.0.1", 0))
    local port = l:getsockname().port
    assert.equal(("listen 127.0.0.1:%d: " .. socket.strerror "EADDRINUSE"):format(port),
      helper.fails("socket.listen", "EADDRINUSE", listen("127.0.0.1", port)))
    helper.fails("socket.listen", "EADDRINUSE", listen(l:getsockname()))
    helper.fails("socket.listen", "EADDRINUSE", listen("0.0.0.0", port))
  end)

  it("starts again at once after a server that ended with connections", function()
    local l = assert(listen("127.0.0.1", 0))
    local address = l:getsockname()
    local c = assert(connect(address))
    local s = assert(l:accept())
    s:close() -- this side is first, so the port stays with the kernel for a while
    l:close()
    c:close()
    assert(listen(address))
  end)

  it("says that an address is not of this host, or not to be had", function()
    assert.equal("listen 192.0.2.1:0 (no interface of this machine has this address): "
      .. socket.strerror "EADDRNOTAVAIL",
      helper.fails("socket.listen", "EADDRNOTAVAIL", listen("192.0.2.1", 0)))
    assert.equal("listen name.invalid:0: " .. socket.strerror "EAI_NONAME",
      helper.fails("socket.listen", "EAI_NONAME", listen("name.invalid", 0)))
    helper.fails("socket.listen", "EAI_SERVICE", listen("127.0.0.1", "no-such-service"))
    helper.fails("socket.listen", "EAI_SERVICE", listen(nil, "no-such-service"))
    helper.fails("socket.listen", "EAI_ADDRFAMILY", listen("::1", 0, { family = "AF_INET" }))
    helper.fails("socket.listen", "EAI_FAMILY", listen("127.0.0.1", 0, { family = 12345 }))
    helper.fails("socket.listen", "EAFNOSUPPORT", listen(socket.address "AF_UNSPEC"))
  end)

  it("says that a port is privileged #process", function()
    local file = io.open "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    local first = file and file:read "n" or 1024
    if file then file:close() end
    local nobody = helper.shell "id -u" == "0\n" and "setpriv --reuid=65534 --regid=65534 --clear-groups env " or "env "
    local _, status = helper.shell(nobody .. helper.command("-e", "print(require 'bsdsocket'._VERSION)"))
    if status ~= 0 or first < 2 then helper.skip "no port is privileged here, or nobody is without privileges" end
    local output = helper.shell(nobody .. helper.command("-e", ([[
      local socket = require "bsdsocket"
      print(socket.listen("127.0.0.1", %d))
      print(socket.listen(nil, %d, { family = "AF_INET" }))
    ]]):format(first - 1, first - 1)))
    local hint = first == 1024 and " (ports below 1024 are for root, or with CAP_NET_BIND_SERVICE)" or ""
    assert.equal(("nil\tlisten 127.0.0.1:%d%s: Permission denied\tEACCES\n"):format(first - 1, hint)
      .. ("nil\tlisten 0.0.0.0:%d%s: Permission denied\tEACCES\n"):format(first - 1, hint), output)
  end)

  it("raises on what is no host, no port, no option, and names the caller's line", function()
    local function raises(pattern, ...)
      local args = table.pack(...)
      helper.raises("socket.listen", "^spec/call/connect_listen_spec.lua:%d+: " .. pattern, function()
        local s = socket.listen(table.unpack(args, 1, args.n))
        return s
      end)
    end
    for _, host in ipairs { 5, true, {}, io.stdout, print } do raises("bad argument #1 to 'listen'", host, 0) end
    raises("bad argument #1 to 'listen' .*zero", "local\0host", 0)
    for _, value in ipairs { -1, 65536, 1.5, nan, inf, 2 ^ 31, math.maxinteger, "70000", "8\0", true, {} } do
      raises("bad argument #2 to 'listen'", nil, value)
    end
    raises("bad argument #2 to 'listen'", "127.0.0.1")
    for _, opts in ipairs {
      5, "x", { bogus = 1 }, { timeout = 1 }, { family = "AF_BOGUS" }, { family = 1.5 }, { family = 1 << 31 },
      { backlog = 1.5 }, { backlog = 1 << 31 }, { backlog = nan }, { backlog = "5" }, { reuseport = 2 },
      { v6only = -1 }, { options = 5 }, { options = { SO_BOGUS = 1 } }, { options = { SO_KEEPALIVE = 2 } },
      { options = { 1 } }, { type = "SOCK_STREAM" }, { mode = "800" }, { mode = "rw" }, { mode = "" },
      { mode = -1 }, { mode = 4096 },
      { mode = 1.5 }, { mode = "10000" },
      { mode = "2000000000000000000000600" }, { mode = "0x1ff" }, { mode = " 600" }, { mode = true },
    } do
      raises("bad argument #3 to 'listen'", "127.0.0.1", 0, opts)
      raises("bad argument #2 to 'listen'", at "/nowhere/x", opts)
    end
    raises("bad argument #3 to 'listen' .*mode", "127.0.0.1", 0, { mode = "600" })
    raises("bad argument #2 to 'listen' .*mode", socket.address("AF_INET", "127.0.0.1", 0), { mode = "600" })
    raises("bad argument #2 to 'listen' .*mode", at "\0name", { mode = "600" })
    raises("bad argument #2 to 'listen' .*mode", at "", { mode = "600" })
    raises("bad argument #3 to 'listen'", at "/nowhere/x", nil, {})
  end)

  it("is all that shows of its parts", function()
    for name, value in pairs(core) do
      local part = name:find "^listenpath$" or name:find "^getpid$" or name:find "^loop$" or name:find "^index$"
        or name:find "^meant$" or name:find "^own$" or name:find "^constant$" or name:find "^hint%l+$"
      assert.equal(not part and value or nil, rawget(socket, name))
    end
  end)
end)
