-- What is done with a socket before and after data flows: bind, listen, accept, clients, connect, shutdown,
-- and the addresses of both ends.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"

local inf, nan = math.huge, 0 / 0

-- A listener of TCP or of unix sockets whose queue has no room, and what fills it.
local function fulllistener(family)
  local l = assert(socket.socket(family))
  if family == "AF_UNIX" then
    assert(l:bind(helper.tmpname()))
  else
    assert(l:bind("127.0.0.1", 0))
  end
  assert(l:listen(0))
  local fill = assert(assert(socket.socket(family)):connect(l:getsockname()))
  return l, fill
end

-- A child process that runs Lua code; it has `socket`, and `pause(seconds)`.
local function child(code, ...)
  return assert(io.popen(helper.command("-e", ([[
    local socket = require "bsdsocket"
    local function pause(seconds) socket.select({}, {}, seconds) end
    io.stdout:setvbuf "line"
  ]] .. code):format(...))))
end

describe("s:bind", function()
  it("returns the socket, so calls chain", function()
    local s <close> = assert(socket.socket())
    assert.equal(s, s:bind("127.0.0.1", 0))
    assert.equal(s, s:listen())
    assert.equal("127.0.0.1", assert(s:getsockname()).host)
  end)

  it("takes every family", function()
    local v6 <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    assert(v6:bind("*", 0))
    assert.equal("::", assert(v6:getsockname()).host)
    local unix <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    local path = helper.tmpname()
    assert.equal(unix, unix:bind(path))
    assert.equal(path, assert(unix:getsockname()).path)
    local auto <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    assert(auto:bind "") -- Linux gives it an abstract name
    assert.equal("\0", assert(auto:getsockname()).path:sub(1, 1))
  end)

  it("returns what the system refuses, with the address", function()
    local s <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0))
    local name = tostring(s:getsockname())
    local other <close> = assert(socket.socket())
    assert.equal("bind " .. name .. ": " .. socket.strerror "EADDRINUSE",
      helper.fails("s:bind", "EADDRINUSE", other:bind(s:getsockname())))
    assert.equal("bind 192.0.2.1:80 (no interface of this machine has this address): "
      .. socket.strerror "EADDRNOTAVAIL",
      helper.fails("s:bind", "EADDRNOTAVAIL", other:bind("192.0.2.1", 80)))
    helper.fails("s:bind", "EINVAL", s:bind("127.0.0.1", 0))
    local unix <close> = assert(socket.socket("AF_UNIX"))
    helper.fails("s:bind", "ENOENT", unix:bind(helper.tmpname() .. "/no/such"))
    local path = helper.tmpname()
    assert(unix:bind(path))
    local second <close> = assert(socket.socket("AF_UNIX"))
    assert.equal("bind " .. path .. " (the file is there; socket.listen replaces a stale one): "
      .. socket.strerror "EADDRINUSE",
      helper.fails("s:bind", "EADDRINUSE", second:bind(path)))
    assert.is_nil((s:bind(socket.address "AF_UNSPEC")))
  end)
end)

describe("s:listen", function()
  it("takes a backlog; a negative one and none are the greatest there is", function()
    for _, backlog in ipairs { 0, 1, 5, 128, -1, math.mininteger, 2147483647, "7", 3.0 } do
      local s <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0))
      assert.equal(s, s:listen(backlog))
      assert.equal(s, s:listen())
      assert.equal(s, s:listen(nil))
      assert.truthy(tostring(s):find ", listening%)$")
    end
  end)

  it("with a negative backlog does not refuse a second client", function()
    local l <close> = net.listener(-1)
    local a <close> = assert(socket.socket())
    local b <close> = assert(socket.socket())
    a:settimeout(0.5)
    b:settimeout(0.5)
    assert(a:connect(l:getsockname()))
    assert(b:connect(l:getsockname()))
  end)

  it("returns what the system refuses", function()
    local d <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert.equal("listen: " .. socket.strerror "EOPNOTSUPP", helper.fails("s:listen", "EOPNOTSUPP", d:listen()))
    local l <close> = net.listener()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    helper.fails("s:listen", "EINVAL", c:listen())
    local one <close> = assert(assert(socket.socket()):setsockopt("SO_REUSEADDR", true))
    local two <close> = assert(assert(socket.socket()):setsockopt("SO_REUSEADDR", true))
    assert(one:bind("127.0.0.1", 0))
    assert(two:bind(one:getsockname()))
    assert(one:listen())
    helper.fails("s:listen", "EADDRINUSE", two:listen())
  end)

  it("raises for a backlog that is none", function()
    local s <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0))
    for _, value in ipairs { 2 ^ 31, 2147483648, 2 ^ 63, math.maxinteger, 1.5, nan, inf, "x", true, {}, io.stdout } do
      helper.raises("s:listen", "bad argument #1 to 'listen'", function() return s:listen(value) end)
    end
    assert.truthy(tostring(s):find ", not connected%)$")
  end)
end)

describe("s:accept", function()
  it("gives a socket and the peer's address", function()
    local l <close> = net.listener()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local conn, from = assert(l:accept())
    local _ <close> = conn
    assert.equal(c:getsockname(), from)
    assert.equal(from, conn:getpeername())
    assert.equal(l:getsockname(), conn:getsockname())
    assert.equal(socket.AF_INET, conn:family())
    assert.equal(socket.SOCK_STREAM, conn:type())
    assert.equal(1, c:send "x")
    assert.equal("x", conn:recv())
  end)

  it("gives the address of an unnamed and of a named unix peer", function()
    for _, kind in ipairs { "SOCK_STREAM", "SOCK_SEQPACKET" } do
      local l <close> = assert(assert(assert(socket.socket("AF_UNIX", kind)):bind(helper.tmpname())):listen())
      local c <close> = assert(assert(socket.socket("AF_UNIX", kind)):connect(l:getsockname()))
      local conn, from = assert(l:accept())
      local _ <close> = conn
      assert.equal(socket.address("AF_UNIX", ""), from)
      assert.equal(socket[kind], conn:type())
      assert.truthy(c:fileno())
      local name = "\0" .. helper.tmpname()
      local named <close> = assert(assert(socket.socket("AF_UNIX", kind)):bind(name))
      assert(named:connect(l:getsockname()))
      local second, who = assert(l:accept())
      second:close()
      assert.equal(name, who.path)
    end
  end)

  it("gives a socket that has neither the listener's timeout nor its flags", function()
    for _, timeout in ipairs { false, 0, 0.001, 5 } do
      local l <close> = net.listener()
      l:settimeout(timeout or nil)
      if timeout then l:settimeout(0.001):accept() end
      l:settimeout(timeout or nil)
      local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
      local conn <close> = assert(l:accept())
      assert.is_nil(conn:gettimeout())
      assert.is_false(net.nonblocking(conn:fileno()))
      assert.is_false(net.inherited(conn:fileno()))
      assert.is_false(conn:getinheritable())
      assert.truthy(c:fileno())
    end
  end)

  it("gives a socket that waits as it is told, though the kernel hands the listener's timeout down #slow", function()
    local l <close> = net.listener()
    l:settimeout(0.3)
    l:recv() -- ENOTCONN, but now the listener has SO_RCVTIMEO
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    conn:settimeout(0.6)
    net.takes(0.6, function() helper.fails("s:recv", "timeout", conn:recv()) end)
    conn:settimeout(0.01)
    net.takes(0.01, function() helper.fails("s:recv", "timeout", conn:recv()) end)
    assert.truthy(c:fileno())
  end)

  it("gives a socket that has no timeout of the kernel when it is given up", function()
    local l <close> = net.listener()
    l:settimeout(0.3)
    l:recv()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    local none = c:getsockopt("SOL_SOCKET", "SO_RCVTIMEO", 16)
    local again <close> = assert(socket.fromfd((conn:detach())))
    assert.equal(none, again:getsockopt("SOL_SOCKET", "SO_RCVTIMEO", 16))
  end)

  it("returns what the system refuses", function()
    local s <close> = assert(socket.socket())
    assert.equal("accept: Invalid argument", helper.fails("s:accept", "EINVAL", s:accept()))
    s:settimeout(5)
    helper.fails("s:accept", "EINVAL", s:accept())
    local d <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.fails("s:accept", "EOPNOTSUPP", d:accept())
  end)

  it("gives up when its time has passed: never early, never late, never by looking again and again #slow", function()
    local l <close> = net.listener()
    l:settimeout(0)
    assert.equal("accept: Resource temporarily unavailable", helper.fails("s:accept", "EAGAIN", l:accept()))
    for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
      l:settimeout(seconds)
      net.takes(seconds, function()
        assert.equal("accept: timed out", helper.fails("s:accept", "timeout", l:accept()))
      end)
    end
  end)

  it("waits for who comes later, with a timeout and without #process", function()
    local l <close> = net.listener()
    for _, timeout in ipairs { false, 5 } do
      l:settimeout(timeout or nil)
      local pipe <close> = child([[
        pause(0.1)
        print(assert(socket.socket():connect("127.0.0.1", %d)):getsockname().port)
      ]], l:getsockname().port)
      local conn, from = assert(l:accept())
      conn:close()
      assert.equal(from.port, pipe:read "n")
    end
  end)

  it("leaves no descriptor behind when it fails", function()
    local l <close> = net.listener()
    l:settimeout(0)
    local before = helper.descriptors()
    for _ = 1, 100 do helper.fails("s:accept", "EAGAIN", l:accept()) end
    assert.equal(before, helper.descriptors())
  end)
end)

describe("s:clients", function()
  it("gives each who comes, until the body closes the socket", function()
    local l <close> = net.listener()
    local clients <close> = net.closing()
    for i = 1, 3 do clients[i] = assert(assert(socket.socket()):connect(l:getsockname())) end
    local count = 0
    for conn, address in l:clients() do
      local _ <close> = conn
      count = count + 1
      assert.equal(clients[count]:getsockname(), address)
      if count == 3 then l:close() end
    end
    assert.equal(3, count)
  end)

  it("gives an iterator that works by itself, as that of file:lines", function()
    local l <close> = net.listener()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local nextclient = l:clients()
    local conn, address = nextclient()
    local _ <close> = conn
    assert.equal(c:getsockname(), address)
    l:close()
    assert.is_nil(nextclient())
  end)

  it("ends at once on a closed socket, and on one that was given up in the body", function()
    local l = net.listener()
    l:close()
    for _ in l:clients() do error "a client of a closed socket" end
    l = net.listener()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local fd
    for conn in l:clients() do
      conn:close()
      fd = l:detach()
    end
    assert.truthy(c:fileno())
    assert(assert(socket.fromfd(fd)):close())
  end)

  it("raises when the timeout has passed, and can go on #slow", function()
    local l <close> = net.listener()
    l:settimeout(0.05)
    net.takes(0.05, function()
      helper.raises("s:clients", ": accept: timed out$", function()
        for _ in l:clients() do error "nobody came" end
      end)
    end)
    l:settimeout(0)
    helper.raises("s:clients", ": accept: Resource temporarily unavailable$", function()
      for _ in l:clients() do error "nobody came" end
    end)
    l:settimeout(5)
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local count = 0
    for conn in l:clients() do
      count = count + 1
      conn:close()
      l:close()
    end
    assert.equal(1, count)
    assert.truthy(c:fileno())
  end)

  it("raises for a failure that will not pass", function()
    local s <close> = assert(socket.socket())
    helper.raises("s:clients", ": accept: Invalid argument$", function()
      for _ in s:clients() do error "nobody can come" end
    end)
    local d <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.raises("s:clients", ": accept: " .. socket.strerror "EOPNOTSUPP" .. "$", function()
      for _ in d:clients() do error "nobody can come" end
    end)
    helper.raises("s:clients", "bad argument #1 to '.-' %(socket expected", s.clients, io.stdout)
  end)

  -- In a process that has no descriptor left, a finalizer closes one at the `n`th collection.
  local function starved(n, timeout)
    return process.confined(16, ([[
      local l = assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen())
      local c = assert(assert(socket.socket()):connect(l:getsockname()))
      local list = {}
      fill(list)
      local collections = 0
      local function arm()
        setmetatable({}, { __gc = function()
          collections = collections + 1
          if collections == %d then table.remove(list):close() else arm() end
        end })
      end
      arm()
      l:settimeout(%s)
      local start, clock = socket.monotime(), os.clock()
      local ok, message = pcall(function()
        for conn in l:clients() do conn:close() break end
      end)
      print(ok, ok and "client" or message, collections)
      print(socket.monotime() - start, os.clock() - clock)
    ]]):format(n, timeout))
  end

  it("rests a tenth of a second when descriptors have run out, and goes on #process", function()
    net.sometime(function()
      local output = starved(4, "nil")
      local took, worked = output:match "^true\tclient\t4\n(%S+)\t(%S+)\n$"
      assert.truthy(took, output)
      took, worked = tonumber(took), tonumber(worked)
      -- the first is collected at once, and tried again; then each rest brings one more
      assert.is_true(took >= 0.3, output)
      return took < 0.6 and worked < 0.05, output
    end)
  end)

  it("rests no longer than its timeout #process", function()
    net.sometime(function()
      local output = starved(1000, "0.25")
      local count, took, worked = output:match "^false\t[^\n]*accept: timed out\t(%d+)\n(%S+)\t(%S+)\n$"
      assert.truthy(took, output)
      took, worked = tonumber(took), tonumber(worked)
      assert.is_true(took >= 0.25, output)
      assert.is_true(tonumber(count) <= 4, output)
      return took < 0.35 and worked < 0.05, output
    end)
    local output = starved(1000, "0")
    assert.truthy(output:find "^false\t[^\n]*accept: ", output)
  end)
end)

describe("s:connect", function()
  it("returns the socket", function()
    local l <close> = net.listener()
    local name = l:getsockname()
    for _, arguments in ipairs {
      { name }, { "127.0.0.1", name.port }, { "localhost", name.port }, { "localhost", tostring(name.port) },
    } do
      for _, timeout in ipairs { false, 5 } do
        local c <close> = assert(socket.socket())
        c:settimeout(timeout or nil)
        assert.equal(c, c:connect(table.unpack(arguments)))
        assert.equal(name, c:getpeername())
        local conn <close> = assert(l:accept())
        assert.is_false(net.nonblocking(c:fileno()))
        assert.equal(1, conn:send "x")
        assert.equal("x", c:recv())
      end
    end
  end)

  it("returns what the system refuses, with the address", function()
    local quiet <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0))
    local name = quiet:getsockname()
    for _, timeout in ipairs { false, 5 } do
      local c <close> = assert(socket.socket())
      c:settimeout(timeout or nil)
      assert.equal("connect " .. tostring(name) .. ": Connection refused",
        helper.fails("s:connect", "ECONNREFUSED", c:connect(name)))
      assert.equal("connect " .. tostring(name) .. ": Connection refused",
        helper.fails("s:connect", "ECONNREFUSED", c:connect("localhost", name.port)))
      assert.is_nil(tostring(c):find "connecting")
      local l <close> = net.listener()
      assert.equal(c, c:connect(l:getsockname())) -- a refusal does not spoil the socket
      helper.fails("s:connect", "EISCONN", c:connect(l:getsockname()))
      helper.fails("s:connect", "EISCONN", c:connect(name))
    end
    local unix <close> = assert(socket.socket("AF_UNIX"))
    local path = helper.tmpname()
    assert.equal("connect " .. path .. ": No such file or directory",
      helper.fails("s:connect", "ENOENT", unix:connect(path)))
    local d <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path))
    helper.fails("s:connect", "EPROTOTYPE", unix:connect(path))
    assert.equal("connect (unnamed): Invalid argument", helper.fails("s:connect", "EINVAL", unix:connect ""))
    assert.truthy(d:fileno())
  end)

  it("tells the refusal when it comes after EINPROGRESS", function()
    local quiet <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0))
    local c <close> = assert(socket.socket())
    c:settimeout(0)
    local _, message, code = c:connect(quiet:getsockname())
    if code == "EINPROGRESS" then
      assert.equal("connect: Operation now in progress", message)
      assert(socket.select(nil, { c }, 5))
      _, message, code = c:connect(quiet:getsockname())
    end
    assert.equal("ECONNREFUSED", code)
    assert.equal("connect " .. tostring(quiet:getsockname()) .. ": Connection refused", message)
  end)

  it("gives up when its time has passed, and waits on for the same attempt when it is called again #slow", function()
    local l, fill = fulllistener()
    local _ <close> = net.closing(l, fill)
    local gone, gonefill = fulllistener()
    local _ <close> = net.closing(gone, gonefill)
    local asked, askedfill = fulllistener()
    local _ <close> = net.closing(asked, askedfill)
    local later <close> = assert(socket.socket())
    local refused <close> = assert(socket.socket())
    local robbed <close> = assert(socket.socket())
    for s, to in pairs { [later] = l, [refused] = gone, [robbed] = asked } do
      s:settimeout(0)
      local message = helper.fails("s:connect", "EINPROGRESS", s:connect(to:getsockname()))
      assert.equal("connect: Operation now in progress", message)
      assert.equal("w", s:events())
      helper.fails("s:connect", "EINPROGRESS", s:connect(to:getsockname()))
      for _, seconds in ipairs { 0.001, 0.05 } do
        s:settimeout(seconds)
        net.takes(seconds, function()
          assert.equal("connect: timed out", helper.fails("s:connect", "timeout", s:connect(to:getsockname())))
        end)
      end
      s:settimeout(0)
      helper.fails("s:connect", "EINPROGRESS", s:connect(to:getsockname()))
      helper.fails("s:getpeername", "ENOTCONN", s:getpeername())
    end
    assert(l:accept()):close() -- room for one more, when its next SYN comes
    local gonename, askedname = gone:getsockname(), asked:getsockname()
    gone:close()
    asked:close()
    for _, s in ipairs { later, refused, robbed } do s:settimeout(10) end

    local clock = os.clock()
    assert.equal("connect 127.0.0.1:1: Operation already in progress",
      helper.fails("s:connect", "EALREADY", later:connect("127.0.0.1", 1)))
    assert.equal(later, later:connect("127.0.0.1", l:getsockname().port))
    assert.equal(l:getsockname(), later:getpeername())
    assert.equal("connect " .. tostring(gonename) .. ": Connection refused",
      helper.fails("s:connect", "ECONNREFUSED", refused:connect(gonename)))
    -- who asks SO_ERROR takes the error away: then nothing is under way, and nothing is connected either
    assert(socket.select(nil, { robbed }, 10))
    assert.equal(socket.ECONNREFUSED, robbed:getsockopt "SO_ERROR")
    helper.fails("s:connect", "ECONNREFUSED", robbed:connect(askedname))
    assert.is_true(os.clock() - clock < 0.1)

    for _, s in ipairs { refused, robbed } do -- the attempts are over
      local fresh <close> = net.listener()
      assert.equal(s, s:connect(fresh:getsockname()))
    end
  end)

  it("can be finished by a twin #slow", function()
    local l, fill = fulllistener()
    local _ <close> = net.closing(l, fill)
    local c <close> = assert(socket.socket())
    c:settimeout(0)
    helper.fails("s:connect", "EINPROGRESS", c:connect(l:getsockname()))
    local twin <close> = assert(c:dup())
    helper.fails("s:connect", "EINPROGRESS", twin:connect(l:getsockname()))
    assert(l:accept()):close()
    assert.equal(twin, twin:settimeout(10):connect(l:getsockname()))
    assert.equal(c, c:settimeout(10):connect(l:getsockname()))
    assert.equal(l:getsockname(), c:getpeername())
  end)

  it("to a full unix listener waits under its timeout, and does not look again and again #slow", function()
    for _, kind in ipairs { "AF_UNIX" } do
      local l, fill = fulllistener(kind)
      local _ <close> = net.closing(l, fill)
      local c <close> = assert(socket.socket(kind))
      c:settimeout(0)
      assert.equal("connect: Resource temporarily unavailable",
        helper.fails("s:connect", "EAGAIN", c:connect(l:getsockname())))
      for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
        c:settimeout(seconds)
        net.takes(seconds, function()
          assert.equal("connect: timed out", helper.fails("s:connect", "timeout", c:connect(l:getsockname())))
        end)
      end
      assert(l:accept()):close()
      assert.equal(c, c:connect(l:getsockname()))
    end
  end)

  it("to a full unix listener succeeds when there is room, with a timeout and without #process", function()
    for _, timeout in ipairs { false, 5 } do
      local path = helper.tmpname()
      local pipe <close> = child([[
        local l = socket.socket("AF_UNIX"):bind(%q):listen(0)
        local fill = socket.socket("AF_UNIX"):connect(%q)
        print "full"
        pause(0.1)
        l:accept()
        l:accept()
      ]], path, path)
      assert.equal("full", pipe:read())
      local c <close> = assert(socket.socket("AF_UNIX"))
      c:settimeout(timeout or nil)
      local start, clock = socket.monotime(), os.clock()
      assert.equal(c, c:connect(path))
      assert.is_true(socket.monotime() - start < 10)
      assert.is_true(os.clock() - clock < 0.05)
      assert.is_false(net.nonblocking(c:fileno()))
    end
  end)

  it("notes the peer of a datagram socket, and AF_UNSPEC dissolves that", function()
    for family, arguments in pairs {
      AF_INET = { "127.0.0.1", 0 }, AF_INET6 = { "::1", 0 }, AF_UNIX = { "\0" .. helper.tmpname() },
    } do
      local peer <close> = assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(table.unpack(arguments)))
      local other <close> = assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(
        arguments[1] .. (arguments[2] and "" or "2"), arguments[2]))
      for _, timeout in ipairs { false, 0, 1 } do
        local d <close> = assert(socket.socket(family, "SOCK_DGRAM"))
        d:settimeout(timeout or nil)
        assert.equal(d, d:connect(peer:getsockname()))
        assert.equal(peer:getsockname(), d:getpeername())
        assert.equal(d, d:connect(other:getsockname()))
        assert.equal(other:getsockname(), d:getpeername())
        assert.equal(d, d:connect(socket.address "AF_UNSPEC"))
        helper.fails("s:getpeername", "ENOTCONN", d:getpeername())
        assert.equal(d, d:connect(socket.address("AF_UNSPEC", "")))
        assert.is_false(net.nonblocking(d:fileno()))
        assert.truthy(tostring(d):find ", not connected%)$")
      end
    end
  end)

  it("of a datagram socket never waits, and so leaves the flags alone", function()
    local d <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    d:settimeout(1)
    assert.equal("connect 255.255.255.255:9 (broadcasting needs SO_BROADCAST): Permission denied",
      helper.fails("s:connect", "EACCES", d:connect("<broadcast>", 9)))
    assert.is_false(net.nonblocking(d:fileno()))
  end)

  it("with AF_UNSPEC takes a stream socket's attempt back", function()
    local l, fill = fulllistener()
    local _ <close> = net.closing(l, fill)
    local c <close> = assert(socket.socket())
    c:settimeout(0)
    helper.fails("s:connect", "EINPROGRESS", c:connect(l:getsockname()))
    assert.equal(c, c:connect(socket.address "AF_UNSPEC"))
    assert.truthy(tostring(c):find ", not connected%)$")
    local fresh <close> = net.listener()
    assert.equal(c, c:settimeout(5):connect(fresh:getsockname()))
    assert.equal(fresh:getsockname(), c:getpeername())
  end)

  it("spends one timeout on the name and the connection together #process", function()
    -- a resolver that takes 0.3 s
    local preload = process.preload [[
      int getaddrinfo (const char *h, const char *s, const struct addrinfo *hints, struct addrinfo **list) {
        int (*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **);
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        if (!(hints->ai_flags & AI_NUMERICHOST))
          usleep(300000);
        return real(h, s, hints, list);
      }
    ]]
    local l, fill = fulllistener()
    local _ <close> = net.closing(l, fill)
    net.sometime(function()
      local output = helper.shell(preload .. helper.command("-e", ([[
        local socket = require "bsdsocket"
        local s = socket.socket():settimeout(0.5)
        local start = socket.monotime()
        print(select(3, s:connect("localhost", %d)), socket.monotime() - start)
      ]]):format(l:getsockname().port)))
      local took = output:match "^timeout\t(%S+)\n$"
      assert.truthy(took, output)
      took = tonumber(took)
      assert.is_true(took >= 0.5, output)
      return took < 0.6, output
    end)
  end)

  it("raises for an address that is none", function()
    local s <close> = assert(socket.socket())
    helper.raises("s:connect", "bad argument #1 to 'connect' %(host name or address expected, got no value", function()
      return s:connect()
    end)
    helper.raises("s:connect", "bad argument #2 to 'connect'", function() return s:connect "127.0.0.1" end)
    s:settimeout(1)
    helper.raises("s:connect", "bad argument #2 to 'connect'", function() return s:connect "127.0.0.1" end)
    helper.raises("s:connect", "bad argument #2 to 'connect' %(port", function()
      return s:connect("127.0.0.1", 70000)
    end)
  end)
end)

-- lua5.4 answers the first Ctrl-C by an error at the next call; a system call that waits has to make one.
describe("Ctrl-C #process #slow", function()
  -- with a position if it came while Lua was still on its way to the call
  local INTERRUPTED <const> = "^false\t.*interrupted!$"

  -- Runs code in a child that prints its process id first; gives its pipe and a function that interrupts it.
  local function interruptible(code, ...)
    local pipe = assert(io.popen("echo $$; exec env " .. helper.command("-e", ([[
      local socket = require "bsdsocket"
      io.stdout:setvbuf "line"
      local function inside(f, ...)
        local function wait(...)
          print "waits"
          return f(...)
        end
        return pcall(%q == "main" and wait or coroutine.wrap(wait), ...)
      end
    ]] .. code):format(...))))
    local pid = pipe:read()
    return pipe, function() assert(os.execute("kill -INT " .. pid)) end
  end

  for _, where in ipairs { "main", "coroutine" } do
    it("interrupts a blocked accept in the " .. where .. ", and the socket works afterwards", function()
      for _, row in ipairs { { "nil", "l.accept" }, { "30", "l.accept" }, { "nil", "l:clients()" } } do
        local pipe <close>, interrupt = interruptible([[
          local l = socket.socket():bind("127.0.0.1", 0):listen():settimeout(%s)
          print(l:getsockname().port)
          print(inside(%s, l))
          print(inside(l.accept, l))
        ]], where, table.unpack(row))
        local port = pipe:read "n"
        assert.equal("", pipe:read())
        assert.equal("waits", pipe:read())
        interrupt()
        assert.truthy(pipe:read():find(INTERRUPTED))
        assert.equal("waits", pipe:read())
        local c <close> = assert(assert(socket.socket()):connect("127.0.0.1", port))
        assert.truthy(pipe:read():find "^true\tsocket %(%d+, AF_INET SOCK_STREAM, ")
        assert.truthy(c:fileno())
      end
    end)

    it("interrupts a blocked connect in the " .. where .. ", which goes on when it is called again", function()
      local l, fill = fulllistener()
      local _ <close> = net.closing(l, fill)
      local pipe <close>, interrupt = interruptible([[
        local c = socket.socket():settimeout(%s)
        print(inside(c.connect, c, "127.0.0.1", %d))
        print(c:settimeout(0.001):connect("127.0.0.1", %d))
        print((c:settimeout(30):connect("127.0.0.1", %d)))
      ]], where, where == "main" and "nil" or "30", l:getsockname().port, l:getsockname().port, l:getsockname().port)
      assert.equal("waits", pipe:read())
      interrupt()
      assert.truthy(pipe:read():find(INTERRUPTED))
      assert.equal("nil\tconnect: timed out\ttimeout", pipe:read())
      assert(l:accept()):close()
      assert.truthy(pipe:read():find ", connected%)$")
    end)
  end

  it("interrupts a connect that waits for room at a unix listener", function()
    for _, timeout in ipairs { "nil", "30" } do
      local l, fill = fulllistener "AF_UNIX"
      local _ <close> = net.closing(l, fill)
      local pipe <close>, interrupt = interruptible([[
        local c = socket.socket("AF_UNIX"):settimeout(%s)
        print(inside(c.connect, c, %q))
        print((c:connect(%q)))
      ]], "main", timeout, l:getsockname().path, l:getsockname().path)
      assert.equal("waits", pipe:read())
      interrupt()
      assert.truthy(pipe:read():find(INTERRUPTED))
      assert(l:accept()):close()
      assert.truthy(pipe:read():find ", connected%)$")
    end
  end)
end)

-- A stopped process finds its system calls interrupted when it goes on.
describe("another signal #process #slow", function()
  it("neither ends nor prolongs a call", function()
    local full, fill = fulllistener()
    local _ <close> = net.closing(full, fill)
    local calls = {
      "l:accept()", "(function() for _ in l:clients() do end end)()",
      ("socket.socket():settimeout(0.5):connect('127.0.0.1', %d)"):format(full:getsockname().port),
    }
    local function late(call)
      local pipe <close> = assert(io.popen("echo $$; exec env " .. helper.command("-e", ([[
        local socket = require "bsdsocket"
        io.stdout:setvbuf "line"
        local l = socket.socket():bind("127.0.0.1", 0):listen():settimeout(0.5)
        print "waits"
        local start = socket.monotime()
        local _, result, message = pcall(function() return %s end)
        print((message or result):match "[%%a ]+$", socket.monotime() - start)
      ]]):format(call))))
      local pid = pipe:read()
      assert.equal("waits", pipe:read())
      for _ = 1, 10 do assert(os.execute("kill -STOP " .. pid .. "; kill -CONT " .. pid)) end
      local what, took = pipe:read():match "^(.*)\t(.*)$"
      assert.equal(" timed out", what)
      assert.is_true(tonumber(took) >= 0.5, took)
      return tonumber(took) < 0.7, took
    end
    for _, call in ipairs(calls) do net.sometime(late, call) end
  end)
end)

describe("s:shutdown", function()
  local function pair()
    local a, b = assert(socket.socketpair())
    return a, b, net.closing(a, b)
  end

  it("ends one direction, or both", function()
    local a, b, both = pair()
    local _ <close> = both
    assert.equal(a, a:shutdown "SHUT_WR")
    assert.equal("", b:recv())
    assert.equal(1, b:send "x")
    assert.equal("x", a:recv())
    helper.fails("s:send", "EPIPE", a:send "x")
    assert.equal(b, b:shutdown "SHUT_WR")
    assert.equal("", a:recv())

    local c, d, two = pair()
    local _ <close> = two
    assert.equal(c, c:shutdown())
    assert.equal("", c:recv())
    assert.equal("", d:recv())
    helper.fails("s:send", "EPIPE", d:send "x")
    assert.truthy(c:fileno()) -- not closed
  end)

  it("takes the direction as a name or a number", function()
    for _, how in ipairs { "SHUT_RD", "SHUT_WR", "SHUT_RDWR", 0, 1, 2, 1.0, socket.SHUT_RD } do
      local a, _, both = pair()
      local _ <close> = both
      assert.equal(a, a:shutdown(how))
    end
    local a, _, both = pair()
    local _ <close> = both
    assert.equal(a, a:shutdown(nil))
  end)

  it("returns what the system refuses", function()
    local s <close> = assert(socket.socket())
    assert.equal("shutdown: " .. socket.strerror "ENOTCONN", helper.fails("s:shutdown", "ENOTCONN", s:shutdown()))
    local a, _, both = pair()
    local _ <close> = both
    helper.fails("s:shutdown", "EINVAL", a:shutdown(99))
  end)

  it("raises for what is no direction", function()
    local a, b, both = pair()
    local _ <close> = both
    for _, how in ipairs {
      "SHUT_NO", "", "AF_INET", "SHUT_RD\0", 1.5, nan, 2 ^ 31, math.maxinteger, true, {}, io.stdout,
    } do
      helper.raises("s:shutdown", "bad argument #1 to 'shutdown'", function() return a:shutdown(how) end)
    end
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv())
  end)
end)

describe("s:getsockname and s:getpeername", function()
  it("give the addresses of both ends", function()
    local l <close> = net.listener()
    local c <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    assert.equal(c:getsockname(), conn:getpeername())
    assert.equal(c:getpeername(), conn:getsockname())
    assert.equal(l:getsockname(), c:getpeername())
  end)

  it("work in every family", function()
    local v6 <close> = assert(assert(socket.socket("AF_INET6")):bind("::1", 0))
    local name = assert(v6:getsockname())
    assert.equal("::1", name.host)
    assert.equal(socket.AF_INET6, name.family)
    local unix <close> = assert(socket.socket("AF_UNIX"))
    assert.equal("", assert(unix:getsockname()).path)
    helper.fails("s:getpeername", "ENOTCONN", unix:getpeername())
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    assert.equal("", assert(a:getpeername()).path)
  end)

  it("return what the system refuses", function()
    local s <close> = assert(socket.socket())
    assert.equal("getpeername: " .. socket.strerror "ENOTCONN",
      helper.fails("s:getpeername", "ENOTCONN", s:getpeername()))
    assert.equal("0.0.0.0", assert(s:getsockname()).host)
  end)
end)
