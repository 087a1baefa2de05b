-- Data through sockets: send sendall sendto, recv recvinto recvfrom, sockatmark.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"

local nan, inf = 0 / 0, math.huge
local big = 2 ^ 63 -- a float that is no integer of Lua's

--- What is no data, no buffer, no flags.
local strangers = { true, {}, print, io.stdout, coroutine.create(print) }

local closed = net.closed

after_each(net.close)

--- The most memory that this process ever had, in bytes.
local function peak()
  local file <close> = io.open "/proc/self/status"
  return file and tonumber((file:read "a":match "VmPeak:%s*(%d+)")) * 1024
end

--- receive(s, ...), which waits, and in doing so is not woken again and again.
local function quietly(receive, s, ...)
  local before = net.switches() or 0
  local results = table.pack(receive(s, ...))
  assert.is_true((net.switches() or 0) - before < 10)
  return table.unpack(results, 1, results.n)
end

--- f must need hardly any memory: no more than a few of the largest rooms of one system call.
local function frugal(f)
  local all = peak()
  f() -- what is made once and kept
  collectgarbage()
  local lua = collectgarbage "count"
  f()
  assert.is_true(collectgarbage "count" - lua < 100)
  if all then assert.is_true(peak() - all < 1 << 26) end
end

describe("send", function()
  local a, b

  before_each(function() a, b = net.pair() end)

  it("gives the number of bytes sent", function()
    assert.equal(5, a:send "hello")
    assert.equal(0, a:send "")
    assert.equal(3, a:send "a\0b")
    assert.equal("helloa\0b", b:recv())
  end)

  it("takes numbers as Lua does", function()
    assert.equal(2, a:send(42))
    assert.equal(3, a:send(1.5))
    assert.equal("421.5", b:recv())
  end)

  it("takes a buffer", function()
    local buf = socket.buffer(4):set(1, "abcd")
    assert.equal(4, a:send(buf))
    assert.equal(2, a:send(buf, nil, 2, 3))
    assert.equal("abcdbc", b:recv())
  end)

  it("takes a part of the data, i and j counting as in string.sub", function()
    local data = "abcdef"
    for _, range in ipairs {
      { 1 }, { 3 }, { 6 }, { 7 }, { 100 }, { -1 }, { -6 }, { -100 }, { 0 }, { 2, 4 }, { 4, 2 }, { 2, 2 },
      { -3, -2 }, { 2, -2 }, { -2, 2 }, { 1, 100 }, { -100, 100 }, { 1, 0 }, { 0, 0 }, { 1, -100 },
      { math.maxinteger }, { math.mininteger }, { math.mininteger, math.maxinteger },
      { math.maxinteger, math.mininteger }, { 1, math.mininteger }, { 3, nil }, { nil, 3 }, { 2.0, 3.0 },
    } do
      local i, j = range[1], range[2]
      local part = data:sub(i or 1, j)
      assert.equal(#part, a:send(data, nil, i, j))
      assert.equal(#part, a:sendall(data, nil, i, j))
      assert.equal(part .. part, b:recv(#part * 2))
    end
  end)

  it("sends fewer bytes than asked rather than wait for all of them", function()
    a:settimeout(0)
    local n = assert(a:send(("x"):rep(1 << 24)))
    assert.is_true(0 < n and n < 1 << 24)
    a:settimeout(0.01)
    b:recv(n // 2)
    n = assert(a:send(("x"):rep(1 << 24)))
    assert.is_true(0 < n and n < 1 << 24)
  end)

  it("takes flags by name and by number", function()
    net.fill(a)
    helper.fails("s:send", "EAGAIN", net.atonce(a.send, a, "x", "MSG_DONTWAIT"))
    helper.fails("s:send", "EAGAIN", net.atonce(a.send, a, "x", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL))
    assert.equal(nil, a:gettimeout())
    a:settimeout(5)
    helper.fails("s:send", "EAGAIN", net.atonce(a.send, a, "x", "MSG_DONTWAIT"))
  end)

  it("under timeout 0 never waits", function()
    net.fill(a)
    a:settimeout(0)
    local message = helper.fails("s:send", "EAGAIN", net.atonce(a.send, a, "x"))
    assert.equal("send: Resource temporarily unavailable", message)
  end)

  it("gives up at its timeout", function()
    net.fill(a)
    a:settimeout(0.05)
    assert.equal("send: timed out", helper.fails("s:send", "timeout", net.takes(0.05, a.send, a, "x")))
  end)

  it("says EPIPE, and raises no signal, when nobody will read", function()
    b:close()
    assert.equal("send: Broken pipe", helper.fails("s:send", "EPIPE", a:send "x"))
    local c, d = net.tcp()
    c:shutdown "SHUT_WR"
    helper.fails("s:send", "EPIPE", c:send "x")
    assert.equal(1, d:send "x")
  end)

  it("says ECONNRESET when the other end threw the connection away, and EPIPE from then on", function()
    local c, d = net.tcp()
    net.reset(d)
    helper.fails("s:send", "ECONNRESET", c:send "x")
    helper.fails("s:send", "EPIPE", c:send "x")
  end)

  it("says EMSGSIZE for a datagram that is too long, and takes the longest", function()
    local c, d = net.udp()
    helper.fails("s:send", "EMSGSIZE", c:send(("x"):rep(65508)))
    assert.equal(65507, c:send(("x"):rep(65507)))
    assert.equal(65507, #d:recv())
  end)

  it("says EDESTADDRREQ on a datagram socket that is not connected", function()
    local c <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.fails("s:send", "EDESTADDRREQ", c:send "x")
  end)

  it("says ECONNREFUSED when the datagram before met nobody", function()
    local c <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(c:connect(net.nobody()))
    assert(c:send "x")
    helper.fails("s:send", "ECONNREFUSED", c:send "x")
  end)

  it("says EBADF on a closed socket", function()
    assert.equal("send: Bad file descriptor", helper.fails("s:send", "EBADF", closed():send "x"))
  end)

  it("raises on what is no data, no flags, no position", function()
    for _, value in ipairs(strangers) do
      helper.raises("s:send", "bad argument #1 to 'send' %(string or buffer expected, got ",
        function() a:send(value) end)
      helper.raises("s:send", "bad argument #2 to 'send'", function() a:send("x", value) end)
      helper.raises("s:send", "bad argument #3 to 'send'", function() a:send("x", 0, value) end)
      helper.raises("s:send", "bad argument #4 to 'send'", function() a:send("x", 0, 1, value) end)
    end
    helper.raises("s:send", "bad argument #1 to 'send'", function() a:send() end)
    helper.raises("s:send", "MSG_BOGUS", function() a:send("x", "MSG_BOGUS") end)
    helper.raises("s:send", "SO_DEBUG", function() a:send("x", "SO_DEBUG") end)
    for _, value in ipairs { nan, 1.5, inf, -inf, big, "x" } do
      helper.raises("s:send", "bad argument #2", function() a:send("x", value) end)
      helper.raises("s:send", "bad argument #3", function() a:send("x", 0, value) end)
      helper.raises("s:send", "bad argument #4", function() a:send("x", 0, 1, value) end)
    end
    for _, value in ipairs { 1 << 31, math.maxinteger, math.mininteger } do
      helper.raises("s:send", "bad argument #2", function() a:send("x", value) end)
    end
    for _, value in ipairs { "x", 5, io.stdout, socket.buffer(1), socket.address("AF_UNIX", "/x") } do
      helper.raises("s:send", "bad argument #1 to '.*' %(socket expected", a.send, value, "x")
    end
    b:settimeout(0)
    helper.fails("s:recv", "EAGAIN", b:recv())
  end)
end)

describe("sendall", function()
  local a, b

  before_each(function() a, b = net.pair() end)

  it("sends everything, however long it is, to one who reads as it comes", function()
    local s, child = net.peer [[
      local total, sum, data = 0, 0, nil
      repeat
        data = assert(s:recv())
        total = total + #data
      until data == ""
      print(total)
    ]]
    assert.equal(1 << 25, s:sendall(("0123456789abcdef"):rep(1 << 21)))
    assert.equal(0, s:sendall "")
    s:close()
    assert.equal(tostring(1 << 25), child:line())
  end)

  it("sends a datagram whole", function()
    local c, d = net.udp()
    assert.equal(60000, c:sendall(("x"):rep(60000)))
    assert.equal(0, c:sendall "")
    assert.equal(60000, #d:recv())
    assert.equal("", d:recv())
  end)

  it("tells how much was sent when the timeout comes, as the fourth value", function()
    a:settimeout(0)
    local message, sent = helper.fails("s:sendall", "EAGAIN", net.atonce(a.sendall, a, ("x"):rep(1 << 23)))
    assert.equal("sendall: Resource temporarily unavailable", message)
    local n = 0
    b:settimeout(0)
    repeat
      local data = b:recv()
      n = n + #(data or "")
    until not data
    assert.equal(n, sent)
    net.fill(a)
    a:settimeout(0.05)
    message, sent = helper.fails("s:sendall", "timeout", net.takes(0.05, a.sendall, a, ("x"):rep(1 << 23)))
    assert.equal("sendall: timed out", message)
    assert.equal(0, sent) -- as nothing is read
  end)

  it("ends at its one deadline even though the other end goes on reading slowly", function()
    local s, child = net.peer [[
      local total, data = 0, nil
      repeat
        data = assert(s:recv(30000))
        total = total + #data
        socket.select(nil, nil, 0.005)
      until data == "" or total > 20000000
      repeat
        data = assert(s:recv())
        total = total + #data
      until data == ""
      print(total)
    ]]
    s:settimeout(0.3)
    local data, total = ("x"):rep(1 << 25), 0
    net.takes(0.3, function()
      local _, sent = helper.fails("s:sendall", "timeout", s:sendall(data))
      assert.is_true(0 < sent and sent < #data)
      total = total + sent
    end)
    s:close()
    assert.equal(tostring(total), child:line())
  end)

  it("tells how much was sent when the connection breaks", function()
    local s, child = net.peer [[
      assert(#s:recv(1 << 20, "MSG_WAITALL") == 1 << 20)
    ]]
    local _, message, code, sent = s:sendall(("x"):rep(1 << 27))
    assert.is_true(code == "ECONNRESET" or code == "EPIPE", message)
    assert.is_true(sent >= 1 << 20 and sent < 1 << 27)
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("says EPIPE, with no byte sent", function()
    b:close()
    local _, sent = helper.fails("s:sendall", "EPIPE", a:sendall "xyz")
    assert.equal(0, sent)
  end)

  it("says ECONNRESET, with no byte sent", function()
    local c, d = net.tcp()
    net.reset(d)
    local _, sent = helper.fails("s:sendall", "ECONNRESET", c:sendall "xyz")
    assert.equal(0, sent)
  end)

  it("says EBADF on a closed socket, empty data or not", function()
    local _, sent = helper.fails("s:sendall", "EBADF", closed():sendall "xyz")
    assert.equal(0, sent)
    _, sent = helper.fails("s:sendall", "EBADF", closed():sendall "")
    assert.equal(0, sent)
  end)

  it("says EMSGSIZE for a datagram that is too long", function()
    local c, d = net.udp()
    local _, sent = helper.fails("s:sendall", "EMSGSIZE", c:sendall(("x"):rep(65508)))
    assert.equal(0, sent)
    d:settimeout(0)
    helper.fails("s:recv", "EAGAIN", d:recv())
  end)

  it("raises on what is no data, no flags, no position", function()
    helper.raises("s:sendall", "bad argument #1 to 'sendall' %(string or buffer expected, got nil",
      function() a:sendall(nil) end)
    helper.raises("s:sendall", "MSG_BOGUS", function() a:sendall("x", "MSG_BOGUS") end)
    helper.raises("s:sendall", "bad argument #3", function() a:sendall("x", nil, nan) end)
    helper.raises("s:sendall", "bad argument #4", function() a:sendall("x", nil, 1, 1.5) end)
    helper.raises("s:sendall", "socket expected", a.sendall, io.stdout, "x")
  end)
end)

describe("sendto", function()
  local a, b

  before_each(function()
    a = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    b = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
  end)

  it("takes an address, or what makes one", function()
    local to = b:getsockname()
    assert.equal(1, a:sendto("x", to))
    assert.equal(2, a:sendto("xy", "127.0.0.1", to.port))
    assert.equal(3, a:sendto("xyz", "localhost", tostring(to.port)))
    for n = 1, 3 do
      local data, from = b:recvfrom()
      assert.equal(("xyz"):sub(1, n), data)
      assert.equal(a:getsockname(), from)
    end
  end)

  it("takes flags after an address", function()
    assert.equal(1, a:sendto("x", b:getsockname(), "MSG_DONTWAIT"))
    assert.equal(1, a:sendto("x", b:getsockname(), socket.MSG_DONTWAIT))
    assert.equal(1, a:sendto("x", b:getsockname(), nil))
    helper.raises("s:sendto", "MSG_BOGUS", function() a:sendto("x", b:getsockname(), "MSG_BOGUS") end)
    helper.raises("s:sendto", "MSG_BOGUS", function() a:sendto("x", socket.address("AF_UNSPEC"), "MSG_BOGUS") end)
    helper.raises("s:sendto", "#4 to 'sendto' %(flags can only follow an address object", function()
      a:sendto("x", "127.0.0.1", 9, "MSG_DONTWAIT")
    end)
  end)

  it("takes numbers and buffers as data", function()
    assert.equal(2, a:sendto(42, b:getsockname()))
    assert.equal(3, a:sendto(socket.buffer(3):set(1, "abc"), b:getsockname()))
    assert.equal("42", b:recv())
    assert.equal("abc", b:recv())
  end)

  it("names the address in its messages", function()
    local to = b:getsockname()
    local message = helper.fails("s:sendto", "EMSGSIZE", a:sendto(("x"):rep(65508), to))
    assert.equal("sendto " .. tostring(to) .. ": " .. socket.strerror "EMSGSIZE", message)
    message = helper.fails("s:sendto", "EACCES", a:sendto("x", "<broadcast>", 9))
    assert.equal("sendto 255.255.255.255:9 (broadcasting needs SO_BROADCAST): Permission denied", message)
  end)

  it("says EBADF on a closed socket", function()
    local to = b:getsockname()
    a:close()
    helper.fails("s:sendto", "EBADF", a:sendto("x", to))
    helper.fails("s:sendto", "EBADF", a:sendto("x", "127.0.0.1", 9))
  end)

  it("says EPIPE on a stream socket that is not connected", function()
    local s <close> = assert(socket.socket())
    helper.fails("s:sendto", "EPIPE", s:sendto("x", b:getsockname()))
  end)

  it("says that a name or a service is not there", function()
    helper.fails("s:sendto", "EAI_NONAME", a:sendto("x", "name.invalid", 9))
    helper.fails("s:sendto", "EAI_SERVICE", a:sendto("x", "127.0.0.1", "no-such-service"))
  end)

  it("to nobody's path says ENOENT, and ECONNREFUSED where somebody was", function()
    local dir = helper.tmpdir()
    local s <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    assert.equal("sendto " .. dir .. "/x: No such file or directory",
      helper.fails("s:sendto", "ENOENT", s:sendto("x", dir .. "/x")))
    local gone = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/y"))
    gone:close()
    helper.fails("s:sendto", "ECONNREFUSED", s:sendto("x", dir .. "/y"))
  end)

  it("raises on what is no data, no address, no port", function()
    local to = b:getsockname()
    for _, value in ipairs(strangers) do
      helper.raises("s:sendto", "bad argument #1 to 'sendto'", function() a:sendto(value, to) end)
      helper.raises("s:sendto", "bad argument #2 to 'sendto'", function() a:sendto("x", value, 9) end)
      helper.raises("s:sendto", "bad argument #3 to 'sendto'", function() a:sendto("x", "127.0.0.1", value) end)
      helper.raises("s:sendto", "bad argument #3 to 'sendto'", function() a:sendto("x", to, value) end)
    end
    for _, value in ipairs { -1, 65536, nan, 1.5, inf, 1 << 31, math.maxinteger, "70000", "9\0" } do
      helper.raises("s:sendto", "bad argument #3 to 'sendto'", function() a:sendto("x", "127.0.0.1", value) end)
    end
    helper.raises("s:sendto", "zero", function() a:sendto("x", "127.0.0.1\0x", 9) end)
    helper.raises("s:sendto", "AF_INET address expected, got AF_UNIX address",
      function() a:sendto("x", socket.address("AF_UNIX", "/x")) end)
    helper.raises("s:sendto", "bad argument #2", function() a:sendto("x") end)
    helper.raises("s:sendto", "socket expected", a.sendto, io.stdout, "x", to)
  end)

  describe("to one whose queue is full", function()
    -- The sender is not connected: poll always calls it writable.
    local sender, full, path

    before_each(function()
      path = helper.tmpdir() .. "/full"
      full = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path)))
      sender = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
      sender:settimeout(0)
      repeat until not sender:sendto("x", path)
    end)
    it("gives up at the timeout, and is not busy meanwhile", function()
      helper.fails("s:sendto", "EAGAIN", net.atonce(sender.sendto, sender, "x", path))
      for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
        sender:settimeout(seconds)
        assert.equal("sendto: timed out",
          helper.fails("s:sendto", "timeout", net.takes(seconds, sender.sendto, sender, "x", path)))
      end
    end)

    it("goes on soon after there is room again", function()
      local child <close> = net.child([[
        local s, path = assert(socket.socket("AF_UNIX", "SOCK_DGRAM")), arg[1]
        s:settimeout(10)
        print "now"
        assert(s:sendto("last", path))
        print "sent"
      ]], path)
      assert.equal("now", child:line())
      child:asleep()
      repeat
        local data = full:recv()
        full:settimeout(2)
      until data == "last"
      assert.equal("sent", child:line())
    end)
  end)
end)

describe("recv", function()
  local a, b

  before_each(function() a, b = net.pair() end)

  it("gives what is there, at most n bytes of it", function()
    a:send "hello world"
    assert.same({ "hello", n = 1 }, table.pack(b:recv(5)))
    assert.same({ " world", n = 1 }, table.pack(b:recv()))
    a:send "\0\0"
    assert.equal("\0\0", b:recv(nil))
    a:send "abc"
    assert.equal("ab", b:recv(2.0))
    assert.equal("c", b:recv("2"))
  end)

  it("gives 65536 bytes at most unless asked for more", function()
    local c, d = net.tcp(function(s) s:setsockopt("SO_RCVBUF", 1 << 20) end)
    assert.equal(200000, c:sendall(("x"):rep(200000)))
    assert.equal(100000, #d:recv(100000, socket.MSG_PEEK | socket.MSG_WAITALL))
    assert.equal(65536, #d:recv())
    assert.equal(100000, #d:recv(100000, "MSG_WAITALL"))
    assert.equal(34464, #d:recv(100000))
  end)

  it("gives an empty string at the end of the stream, again and again", function()
    a:send "x"
    a:close()
    assert.equal("x", b:recv())
    assert.same({ "", n = 1 }, table.pack(b:recv()))
    assert.equal("", b:recv(10, "MSG_WAITALL"))
    b:settimeout(1)
    assert.equal("", b:recv())
    assert.equal("", b:recv(1 << 40))
    b:settimeout(0)
    assert.equal("", b:recv())
  end)

  it("tells the end, a reset, a timeout and a broken pipe from one another", function()
    local c, d = net.tcp()
    c:settimeout(0.01)
    helper.fails("s:recv", "timeout", c:recv())
    net.reset(d)
    assert.equal("recv: Connection reset by peer", helper.fails("s:recv", "ECONNRESET", c:recv()))
    assert.equal("", c:recv())
    helper.fails("s:send", "EPIPE", c:send "x")
    local e, f = net.tcp()
    f:close()
    assert.equal("", e:recv())
    assert.equal(1, e:send "x")
    helper.fails("s:recv", "ECONNRESET", (function() -- the answer to that x has come
      socket.select({ e }, nil, 1)
      e:settimeout(1)
      local _, message, code
      repeat _, message, code = e:recv() until code or e:send "y" == nil
      return nil, message or "recv: none", code or "ECONNRESET"
    end)())
  end)

  it("for n = 0 gives an empty string at once", function()
    assert.equal("", net.atonce(b.recv, b, 0))
    assert.equal("", net.atonce(b.recv, b, 0, "MSG_WAITALL"))
    a:send "x"
    assert.equal("", b:recv(0))
    assert.equal("x", b:recv())
    local c, d = net.udp()
    assert.equal("", net.atonce(d.recv, d, 0))
    c:send "datagram"
    assert.equal("", d:recv(0))
    assert.equal("datagram", d:recv())
  end)

  it("with a huge n needs no memory that does not come", function()
    b:settimeout(0)
    for _, n in ipairs { 1 << 31, 1 << 32, 1 << 62, math.maxinteger } do
      frugal(function()
        helper.fails("s:recv", "EAGAIN", b:recv(n))
        helper.fails("s:recv", "EAGAIN", b:recv(n, "MSG_WAITALL"))
      end)
      frugal(function()
        a:send "abc"
        assert.equal("abc", b:recv(n))
        a:send "def"
        assert.equal("d", b:recv(1, "MSG_PEEK"))
        assert.equal("def", b:recv(n, "MSG_WAITALL"))
      end)
    end
    local c, d = net.udp()
    d:settimeout(0)
    for _, n in ipairs { 1 << 31, 1 << 62, math.maxinteger } do
      frugal(function()
        helper.fails("s:recv", "EAGAIN", d:recv(n))
        c:send(("x"):rep(1000))
        c:send ""
        assert.equal(1000, #d:recv(n))
        assert.equal("", d:recv(n))
      end)
    end
  end)

  it("leaves what MSG_PEEK looks at", function()
    a:send "hello"
    assert.equal("hel", b:recv(3, "MSG_PEEK"))
    assert.equal("hello", b:recv(10, "MSG_PEEK"))
    assert.equal("hello", b:recv(10))
    local c, d = net.udp()
    c:send "hello"
    assert.same({ "hel", true }, { d:recv(3, "MSG_PEEK") })
    assert.same({ "hello" }, { d:recv(5, "MSG_PEEK") })
    assert.same({ "hello" }, { d:recv(1 << 40, "MSG_PEEK") })
    assert.same({ "hello" }, { d:recv() })
    d:settimeout(0)
    helper.fails("s:recv", "EAGAIN", d:recv(1, "MSG_PEEK"))
  end)

  it("says EAGAIN under timeout 0 and with MSG_DONTWAIT", function()
    helper.fails("s:recv", "EAGAIN", net.atonce(b.recv, b, 1, "MSG_DONTWAIT"))
    helper.fails("s:recv", "EAGAIN", net.atonce(b.recv, b, 1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
    b:settimeout(5)
    helper.fails("s:recv", "EAGAIN", net.atonce(b.recv, b, 1, "MSG_DONTWAIT"))
    b:settimeout(0)
    assert.equal("recv: Resource temporarily unavailable",
      helper.fails("s:recv", "EAGAIN", net.atonce(b.recv, b)))
  end)

  it("says ECONNREFUSED when a datagram met nobody, and goes on", function()
    local c <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    assert(c:connect(net.nobody()))
    assert(c:send "x")
    helper.fails("s:recv", "ECONNREFUSED", c:recv())
    c:settimeout(0)
    helper.fails("s:recv", "EAGAIN", c:recv())
  end)

  it("says ENOTCONN on a stream socket that is not connected", function()
    local c <close> = assert(socket.socket())
    assert.equal("recv: " .. socket.strerror "ENOTCONN", helper.fails("s:recv", "ENOTCONN", c:recv()))
    helper.fails("s:recv", "ENOTCONN", c:recv(3, "MSG_WAITALL"))
    c:settimeout(1)
    helper.fails("s:recv", "ENOTCONN", net.atonce(c.recv, c))
  end)

  it("says EBADF on a closed socket, whatever is asked", function()
    local s = closed()
    assert.equal("recv: Bad file descriptor", helper.fails("s:recv", "EBADF", s:recv()))
    helper.fails("s:recv", "EBADF", s:recv(0))
    helper.fails("s:recv", "EBADF", s:recv(1 << 40))
    helper.fails("s:recv", "EBADF", s:recv(1, "MSG_WAITALL"))
    helper.fails("s:recv", "EBADF", s:recv(1, "MSG_PEEK"))
    local d = socket.socket("AF_INET", "SOCK_DGRAM")
    d:close()
    helper.fails("s:recv", "EBADF", d:recv())
    helper.fails("s:recv", "EBADF", d:recv(1 << 40))
  end)

  it("raises on what is no count, no flags", function()
    a:send "x"
    for _, value in ipairs(strangers) do
      helper.raises("s:recv", "bad argument #1 to 'recv'", function() b:recv(value) end)
      helper.raises("s:recv", "bad argument #2 to 'recv'", function() b:recv(1, value) end)
    end
    for _, value in ipairs { -1, math.mininteger, nan, 1.5, inf, -inf, big, "x", -0.5 } do
      helper.raises("s:recv", "bad argument #1 to 'recv'", function() b:recv(value) end)
    end
    for _, value in ipairs { nan, 1.5, inf, big, 1 << 31, math.maxinteger, "x", "MSG_", "AF_INET", "MSG_PEEK\0" } do
      helper.raises("s:recv", "bad argument #2 to 'recv'", function() b:recv(1, value) end)
    end
    helper.raises("s:recv", "MSG_BOGUS", function() b:recv(1, "MSG_BOGUS") end)
    for _, value in ipairs { "x", 5, io.stdout, socket.buffer(1), socket.address("AF_UNIX", "/x") } do
      helper.raises("s:recv", "socket expected", b.recv, value)
    end
    assert.equal("x", b:recv())
  end)

  describe("with MSG_WAITALL", function()
    it("waits for all that was asked for", function()
      local child <close> = net.child([[
        local s = assert(socket.connect("127.0.0.1", arg[1]))
        s:setsockopt("TCP_NODELAY", true)
        for i = 1, 100 do s:sendall(("x"):rep(1000)) end
        s:recv()
      ]], (function()
        a = net.keep(assert(socket.listen("127.0.0.1", 0)))
        return a:getsockname().port
      end)())
      b = net.keep(assert(a:accept()))
      assert.equal(("x"):rep(50000), b:recv(50000, "MSG_WAITALL"))
      b:settimeout(5)
      assert.equal(30000, #b:recv(30000, "MSG_WAITALL"))
      local buf = socket.buffer(30000)
      assert.equal(20000, b:recvinto(buf, 20000, 5, "MSG_WAITALL"))
      assert.equal(("x"):rep(20000), buf:sub(5, 20004))
      assert.equal("\0\0\0\0", buf:sub(1, 4))
      assert.equal("\0", buf:sub(20005, 20005))
      b:close()
      assert.same({ "", 0 }, { child:rest() })
    end)

    it("gives what there is at the end of the stream", function()
      a:send "abc"
      a:close()
      assert.equal("abc", b:recv(10, "MSG_WAITALL"))
      assert.equal("", b:recv(10, "MSG_WAITALL"))
    end)

    it("gives what there is at the timeout, and the timeout if that is nothing", function()
      local buf = socket.buffer(10)
      for _, seconds in ipairs { 0, 0.02, 0.3 } do
        b:settimeout(seconds)
        local code = seconds == 0 and "EAGAIN" or "timeout"
        assert.equal("abc", net.takes(seconds, function()
          a:send "abc"
          return b:recv(10, "MSG_WAITALL")
        end))
        assert.equal(3, net.takes(seconds, function()
          a:send "def"
          return b:recvinto(buf, 10, 1, "MSG_WAITALL")
        end))
        assert.equal("def", buf:sub(1, 3))
        helper.fails("s:recv", code, net.takes(seconds, b.recv, b, 10, "MSG_WAITALL"))
        helper.fails("s:recvinto", code, net.takes(seconds, b.recvinto, b, buf, 10, 1, "MSG_WAITALL"))
      end
      b:settimeout(nil)
      a:send "ghi"
      assert.equal("ghi", net.atonce(b.recv, b, 10, socket.MSG_WAITALL | socket.MSG_DONTWAIT))
    end)

    it("keeps at a failure what has come, for whoever asks next", function()
      local c, d = net.tcp()
      d:send "hello"
      net.reset(d)
      helper.fails("s:recv", "ECONNRESET", c:recv(10, "MSG_WAITALL"))
      assert.equal(c, socket.select({ c }, nil, 0)[1])
      assert.equal("he", c:recv(2, "MSG_PEEK"))
      assert.equal("hel", c:recv(3))
      assert.equal("lo", c:recv(10, "MSG_WAITALL"))
      assert.equal("", c:recv())
    end)

    it("keeps it for recvinto and recvfrom too, and for detach", function()
      for _, ask in ipairs {
        function(s)
          local buf = socket.buffer(9)
          return buf:sub(2, s:recvinto(buf, nil, 2) + 1)
        end,
        function(s) return (s:recvfrom()) end,
        function(s)
          local fd, data = s:detach()
          assert(socket.fromfd(fd)):close()
          return data
        end,
        function(s)
          helper.raises("s:setfd", "read ahead", s.setfd, s, 0)
          return s:recv()
        end,
      } do
        local c, d = net.tcp()
        d:send "hello"
        net.reset(d)
        local buf = socket.buffer(20)
        helper.fails("s:recvinto", "ECONNRESET", c:recvinto(buf, 20, 1, "MSG_WAITALL"))
        assert.equal("hello", ask(c))
      end
    end)

    it("frees with the socket what nobody asked for", function()
      local list = {}
      for i = 1, 20 do
        local c, d = net.tcp()
        d:send "hello"
        net.reset(d)
        helper.fails("s:recv", "ECONNRESET", c:recv(10, "MSG_WAITALL"))
        list[i] = c
      end
      for i = 1, 10 do assert.equal("hello", list[i]:recv()) end
      for i = 1, 20 do list[i]:close() end
      helper.fails("s:recv", "EBADF", list[20]:recv())
    end)

    it("means nothing where messages have bounds", function()
      local c, d = net.udp()
      c:send "abc"
      assert.equal("abc", d:recv(10, "MSG_WAITALL"))
    end)
  end)

  describe("with MSG_TRUNC", function()
    it("never reads more than was stored", function()
      local c, d = net.udp()
      c:send "hello"
      assert.same({ "he", true }, { d:recv(2, "MSG_TRUNC") })
      c:send "hello"
      assert.same({ "hello" }, { d:recv(5, "MSG_TRUNC") })
      c:send "hello"
      local buf = socket.buffer(5):set(1, "xxxxx")
      assert.same({ 2, true }, { d:recvinto(buf, 2, 2, "MSG_TRUNC") })
      assert.equal("xhexx", buf:sub(1))
      c:send "hello"
      assert.same({ "h", c:getsockname(), true }, { d:recvfrom(1, socket.MSG_TRUNC | socket.MSG_PEEK) })
      assert.same({ "hello", c:getsockname() }, { d:recvfrom(7, "MSG_TRUNC") })
    end)

    it("throws nothing of a stream away", function()
      local c, d = net.tcp()
      c:send "hello"
      assert.equal("he", d:recv(2, "MSG_TRUNC"))
      assert.equal("ll", d:recv(2, socket.MSG_TRUNC | socket.MSG_WAITALL))
      assert.equal("o", (d:recvfrom(2, "MSG_TRUNC")))
    end)
  end)

  describe("with MSG_OOB", function()
    it("gives the urgent byte and passes the others by", function()
      local c, d = net.tcp()
      c:send("abc!", "MSG_OOB")
      assert.equal("!", d:recv(1, "MSG_OOB"))
      assert.equal("abc", d:recv())
    end)

    it("says EINVAL at once when there is none, under a timeout too", function()
      local c, d = net.tcp()
      c:send "x"
      helper.fails("s:recv", "EINVAL", net.atonce(d.recv, d, 1, "MSG_OOB"))
      d:settimeout(5)
      helper.fails("s:recv", "EINVAL", net.atonce(d.recv, d, 1, "MSG_OOB"))
    end)

    it("waits for one that is announced, and is not busy meanwhile", function()
      local c, d = net.tcp(function(s) s:setsockopt("SO_RCVBUF", 4096) end)
      c:settimeout(0)
      assert.equal(30000, c:send(("x"):rep(30000))) -- more than the other end has room for
      assert.equal(1, c:send("!", "MSG_OOB"))
      d:settimeout(0.3)
      local start = socket.monotime()
      local code
      repeat
        code = select(3, d:recv(1, "MSG_OOB"))
        socket.select(nil, nil, 0.01)
      until code ~= "EINVAL" or socket.monotime() - start > 5
      assert.equal("timeout", code)
      helper.fails("s:recv", "timeout", net.takes(0.3, quietly, d.recv, d, 1, "MSG_OOB"))
      d:settimeout(2)
      local n = 0
      repeat n = n + #assert(d:recv()) until n >= 30000
      assert.equal(1, #assert(d:recv(1, "MSG_OOB")))
    end)
  end)

  describe("with MSG_ERRQUEUE", function()
    it("gives the datagram that came back, and waits for one", function()
      local c = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
      local nobody = net.nobody()
      if not (socket.IP_RECVERR and socket.MSG_ERRQUEUE) then
        helper.skip "this system has no error queue"
      end
      assert(c:setsockopt("IPPROTO_IP", "IP_RECVERR", string.pack("i", 1)))
      helper.fails("s:recvfrom", "EAGAIN", net.atonce(c.recvfrom, c, 100, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT))
      for _, seconds in ipairs { 0.02, 0.3 } do
        c:settimeout(seconds)
        helper.fails("s:recvfrom", "timeout", net.takes(seconds, c.recvfrom, c, 100, "MSG_ERRQUEUE"))
      end
      local d = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
      assert(c:bind("127.0.0.1", 0))
      assert(d:sendto("what it does not wait for", c:getsockname()))
      helper.fails("s:recvfrom", "timeout", net.takes(0.3, quietly, c.recvfrom, c, 100, "MSG_ERRQUEUE"))
      assert.equal("what it does not wait for", c:recv())
      assert(c:sendto("hello", nobody))
      assert.same({ "hello", nobody }, { net.atonce(c.recvfrom, c, 100, "MSG_ERRQUEUE") })
    end)
  end)

  describe("where messages have bounds", function()
    it("keeps them, and says when one was cut", function()
      local kinds = { "SOCK_DGRAM", "SOCK_SEQPACKET" }
      for _, kind in ipairs(kinds) do
        local c, d = net.pair(kind)
        c:send "first"
        c:send "second"
        c:send "third"
        c:send "x"
        assert.same({ "first", n = 1 }, table.pack(d:recv()))
        assert.same({ "sec", true, n = 2 }, table.pack(d:recv(3)))
        assert.same({ "third", n = 1 }, table.pack(d:recv(5)))
        assert.same({ "x", n = 1 }, table.pack(d:recv(1 << 40)))
      end
    end)

    it("carries datagrams of any length", function()
      local c, d = net.udp()
      local buf = socket.buffer(65507)
      for _, n in ipairs { 0, 1, 2, 511, 512, 1471, 1472, 1473, 8191, 8192, 8193, 16384, 32767, 65506, 65507 } do
        local data = ("0123456789"):rep(n // 10 + 1):sub(1, n)
        for _, room in ipairs { n > 0 and n or 1, n + 1, 65536, 1 << 20, 1 << 31, 1 << 62 } do
          assert.equal(n, c:send(data))
          assert.same({ data, n = 1 }, table.pack(d:recv(room)))
        end
        assert.equal(n, c:send(data))
        assert.same({ data, c:getsockname(), n = 2 }, table.pack(d:recvfrom()))
        assert.equal(n, c:send(data))
        assert.same({ n, n = 1 }, table.pack(d:recvinto(buf)))
        assert.equal(data, buf:sub(1, n))
        if n > 1 then
          assert.equal(n, c:send(data))
          assert.same({ data:sub(1, n - 1), true, n = 2 }, table.pack(d:recv(n - 1)))
          assert.equal(n, c:send(data))
          assert.same({ data:sub(1, 1), c:getsockname(), true, n = 3 }, table.pack(d:recvfrom(1)))
          assert.equal(n, c:send(data))
          assert.same({ n - 1, true, n = 2 }, table.pack(d:recvinto(buf, n - 1)))
        end
      end
    end)

    it("carries unix messages of more than a megabyte", function()
      for _, kind in ipairs { "SOCK_DGRAM", "SOCK_SEQPACKET" } do
        local c, d = net.pair(kind)
        for _, option in ipairs { "SO_SNDBUF", "SO_SNDBUFFORCE" } do
          if socket[option] then c:setsockopt("SOL_SOCKET", option, 1 << 23) end
        end
        c:settimeout(0)
        for _, n in ipairs { 65536, 65537, 200000, 1 << 20, (1 << 20) + 1, 3000000 } do
          local data = ("0123456789abcdef"):rep(n // 16 + 1):sub(1, n)
          local _, message, code = c:send(data)
          if code == "EMSGSIZE" or code == "ENOBUFS" then
            helper.skip "messages of three megabytes are not allowed here"
          end
          assert(not code, message)
          assert.same({ data, n = 1 }, table.pack(d:recv(1 << 31)))
          c:send(data)
          assert.same({ data, n = 1 }, table.pack(d:recv(n)))
          c:send(data)
          assert.same({ data:sub(1, n - 1), true, n = 2 }, table.pack(d:recv(n - 1)))
          if n > 65536 then
            c:send(data)
            assert.same({ data:sub(1, 65536), true, n = 2 }, table.pack(d:recv()))
          end
          c:send "next"
          assert.equal("next", d:recv(1 << 31))
        end
      end
    end)

    it("tells an empty datagram by no second value", function()
      local c, d = net.udp()
      c:send ""
      c:send "x"
      assert.same({ "", n = 1 }, table.pack(d:recv(1 << 31)))
      assert.same({ "x", n = 1 }, table.pack(d:recv()))
      c:send ""
      assert.same({ "", c:getsockname(), n = 2 }, table.pack(d:recvfrom()))
    end)
  end)
end)

describe("recvfrom", function()
  it("gives the sender's address, one object however often it comes", function()
    local c, d = net.udp()
    c:send "one"
    c:send "two"
    local one, from = d:recvfrom()
    local two, again = d:recvfrom()
    assert.same({ "one", "two" }, { one, two })
    assert.is_true(rawequal(from, again))
    assert.equal(c:getsockname(), from)
    assert.equal(3, d:sendto("abc", from))
    assert.equal("abc", c:recv())
  end)

  it("tells of unix senders their path, or that they have none", function()
    local dir = helper.tmpdir()
    local d <close> = assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/d"))
    local c <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    c:sendto("x", dir .. "/d")
    local data, from = d:recvfrom()
    assert.same({ "x", "" }, { data, from.path })
    c:bind(dir .. "/c")
    c:sendto("y", dir .. "/d")
    data, from = d:recvfrom()
    assert.same({ "y", dir .. "/c" }, { data, from.path })
  end)

  it("for n = 0 takes a datagram, and of a stream nothing at once", function()
    local c, d = net.udp()
    c:send "abc"
    assert.same({ "", c:getsockname(), true }, { d:recvfrom(0) })
    c:send ""
    assert.same({ "", c:getsockname(), n = 2 }, table.pack(d:recvfrom(0)))
    d:settimeout(0.01)
    helper.fails("s:recvfrom", "timeout", d:recvfrom(0))
    local e, f = net.tcp()
    assert.equal("", (net.atonce(f.recvfrom, f, 0)))
    e:send "x"
    assert.equal("", (f:recvfrom(0)))
    assert.equal("x", f:recv())
  end)

  it("on a stream gives what recv gives", function()
    local e, f = net.tcp()
    e:send "hello"
    assert.equal("he", (f:recvfrom(2)))
    assert.equal("llo", (f:recvfrom()))
    e:close()
    assert.equal("", (f:recvfrom()))
  end)

  it("with MSG_WAITALL goes on until all n bytes of a stream have come, or the time is over", function()
    local e, f = net.tcp()
    tasks.run(function()
      local reader = loop.spawn(f.recvfrom, f, 6, "MSG_WAITALL")
      e:send "abc"
      tasks.settle()
      e:send "def"
      assert.equal("abcdef", tasks.join(reader))
    end)
    e:close()
    assert.equal("", (f:recvfrom(6, "MSG_WAITALL")))
    local name = helper.tmpdir() .. "/s"
    local l <close> = assert(socket.listen(socket.address("AF_UNIX", name)))
    local c <close> = assert(socket.connect(l:getsockname()))
    local d <close> = l:accept()
    d:send "abc"
    local data, from = c:recvfrom(3, "MSG_WAITALL")
    assert.same({ "abc", name }, { data, from.path })
    c:settimeout(0.01)
    d:send "abc"
    data, from = c:recvfrom(6, "MSG_WAITALL")
    assert.same({ "abc", name }, { data, from.path })
    helper.fails("s:recvfrom", "timeout", c:recvfrom(6, "MSG_WAITALL"))
  end)

  it("says that nothing came", function()
    local c, d = net.udp()
    d:settimeout(0)
    helper.fails("s:recvfrom", "EAGAIN", d:recvfrom())
    helper.fails("s:recvfrom", "EAGAIN", d:recvfrom(1 << 40))
    d:settimeout(0.01)
    assert.equal("recvfrom: timed out", helper.fails("s:recvfrom", "timeout", d:recvfrom()))
    assert(c:connect(net.nobody())):send "x"
    helper.fails("s:recvfrom", "ECONNREFUSED", c:recvfrom())
    c:close()
    helper.fails("s:recvfrom", "EBADF", c:recvfrom())
    helper.fails("s:recvfrom", "EBADF", c:recvfrom(0))
    local s <close> = assert(socket.socket())
    helper.fails("s:recvfrom", "ENOTCONN", s:recvfrom())
    local e, f = net.tcp()
    net.reset(f)
    helper.fails("s:recvfrom", "ECONNRESET", e:recvfrom())
  end)

  it("raises on what is no count, no flags", function()
    local c <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    for _, value in ipairs { -1, nan, 1.5, inf, big, "x", true, io.stdout } do
      helper.raises("s:recvfrom", "bad argument #1 to 'recvfrom'", function() c:recvfrom(value) end)
    end
    for _, value in ipairs { nan, 1.5, 1 << 31, "MSG_BOGUS", true, io.stdout } do
      helper.raises("s:recvfrom", "bad argument #2 to 'recvfrom'", function() c:recvfrom(1, value) end)
    end
    helper.raises("s:recvfrom", "socket expected", c.recvfrom, io.stdout)
  end)
end)

describe("recvinto", function()
  local a, b, buf

  before_each(function()
    a, b = net.pair()
    buf = socket.buffer(8):set(1, "........")
  end)

  it("puts the bytes where it is told, and touches no others", function()
    a:send "abc"
    assert.same({ 3, n = 1 }, table.pack(b:recvinto(buf)))
    assert.equal("abc.....", buf:sub(1))
    a:send "defgh"
    assert.equal(2, b:recvinto(buf, 2, 4))
    assert.equal("abcde...", buf:sub(1))
    assert.equal(3, b:recvinto(buf, nil, 6))
    assert.equal("abcdefgh", buf:sub(1))
    a:send "X"
    assert.equal(1, b:recvinto(buf, 1, 8))
    assert.equal("abcdefgX", buf:sub(1))
    a:send "0123456789"
    assert.equal(8, b:recvinto(buf))
    assert.equal("89", b:recv())
  end)

  it("gives 0 at the end of the stream and for n = 0", function()
    assert.equal(0, net.atonce(b.recvinto, b, buf, 0))
    assert.equal(0, net.atonce(b.recvinto, b, buf, 0, 9))
    assert.equal(0, net.atonce(b.recvinto, b, buf, nil, 9))
    assert.equal(0, net.atonce(b.recvinto, b, buf, 0, 1, "MSG_WAITALL"))
    a:close()
    assert.same({ 0, n = 1 }, table.pack(b:recvinto(buf)))
    assert.equal("........", buf:sub(1))
  end)

  it("leaves what MSG_PEEK looks at", function()
    a:send "abc"
    assert.equal(3, b:recvinto(buf, 8, 1, "MSG_PEEK"))
    assert.equal("abc", b:recv())
  end)

  it("says that nothing came", function()
    b:settimeout(0)
    helper.fails("s:recvinto", "EAGAIN", b:recvinto(buf))
    helper.fails("s:recvinto", "EAGAIN", b:recvinto(buf, 1, 1, "MSG_PEEK"))
    b:settimeout(0.01)
    assert.equal("recvinto: timed out", helper.fails("s:recvinto", "timeout", b:recvinto(buf)))
    local e, f = net.tcp()
    net.reset(f)
    helper.fails("s:recvinto", "ECONNRESET", e:recvinto(buf))
    local s <close> = assert(socket.socket())
    helper.fails("s:recvinto", "ENOTCONN", s:recvinto(buf))
    s:close()
    helper.fails("s:recvinto", "EBADF", s:recvinto(buf))
    helper.fails("s:recvinto", "EBADF", s:recvinto(buf, 0))
    helper.fails("s:recvinto", "EBADF", s:recvinto(buf, 2, 1, "MSG_WAITALL"))
    assert.equal("........", buf:sub(1))
  end)

  it("raises on a range outside the buffer, and on what is none", function()
    a:send "x"
    for _, value in ipairs(strangers) do
      helper.raises("s:recvinto", "bad argument #1 to 'recvinto' %(buffer expected",
        function() b:recvinto(value) end)
      helper.raises("s:recvinto", "bad argument #2 to 'recvinto'", function() b:recvinto(buf, value) end)
      helper.raises("s:recvinto", "bad argument #3 to 'recvinto'", function() b:recvinto(buf, 1, value) end)
      helper.raises("s:recvinto", "bad argument #4 to 'recvinto'", function() b:recvinto(buf, 1, 1, value) end)
    end
    helper.raises("s:recvinto", "buffer expected, got string", function() b:recvinto "x" end)
    for _, n in ipairs { -1, 9, 1 << 31, math.maxinteger, math.mininteger, nan, 1.5, inf, big } do
      helper.raises("s:recvinto", "bad argument #2 to 'recvinto'", function() b:recvinto(buf, n) end)
    end
    for _, i in ipairs { 0, -1, 10, 1 << 31, math.maxinteger, math.mininteger, nan, 1.5, inf, big } do
      helper.raises("s:recvinto", "bad argument #3 to 'recvinto'", function() b:recvinto(buf, 0, i) end)
    end
    helper.raises("s:recvinto", "bad argument #2", function() b:recvinto(buf, 8, 2) end)
    helper.raises("s:recvinto", "bad argument #2", function() b:recvinto(buf, 1, 9) end)
    helper.raises("s:recvinto", "MSG_BOGUS", function() b:recvinto(buf, 1, 1, "MSG_BOGUS") end)
    helper.raises("s:recvinto", "socket expected", b.recvinto, buf, buf)
    assert.equal("x", b:recv())
    assert.equal("........", buf:sub(1))
  end)
end)

describe("any flags at all", function()
  it("do no harm", function()
    local flags = {}
    for bit = 0, 30 do flags[#flags + 1] = 1 << bit end
    for i = 1, 60 do flags[#flags + 1] = i * 0x9E3779B1 & 0x7FFFFFFF end
    local buf = socket.buffer(10)
    for _, make in ipairs {
      net.tcp, net.udp, net.pair,
      function() return net.pair "SOCK_DGRAM" end, function() return net.pair "SOCK_SEQPACKET" end,
    } do
      for i = 1, #flags, 3 do
        local a, b = make()
        a:settimeout(0)
        b:settimeout(0)
        for j = i, i + 2 do
          for _, s in ipairs { a, b } do
            local function good(result, message, code)
              assert(result or socket[code], message)
            end
            good(s:send("hello", flags[j]))
            good(s:sendall("hello", flags[j] or 0))
            for _, n in ipairs { 0, 3, 1 << 40 } do
              good(s:recv(n, flags[j]))
              good(s:recvfrom(n, flags[j]))
            end
            good(s:recvinto(buf, 4, 2, flags[j]))
          end
        end
        net.close()
      end
    end
    assert.equal("\0", buf:sub(1, 1))
    assert.equal("\0\0\0\0\0", buf:sub(6))
  end)
end)

describe("sockatmark", function()
  it("tells whether the next byte comes after the urgent one", function()
    local c, d = net.tcp()
    assert.equal(false, d:sockatmark())
    c:send("abc!", "MSG_OOB")
    assert.equal("!", d:recv(1, "MSG_OOB"))
    assert.equal(false, d:sockatmark())
    assert.equal("abc", d:recv())
    assert.equal(true, d:sockatmark())
    c:send "x"
    assert.equal("x", d:recv())
    assert.equal(false, d:sockatmark())
  end)

  it("says EBADF on a closed socket", function()
    helper.fails("s:sockatmark", "EBADF", closed():sockatmark())
    helper.raises("s:sockatmark", "socket expected", closed().sockatmark, io.stdout)
  end)

  it("says that some sockets know no mark", function()
    local c, d = net.udp()
    local _, message, code = c:sockatmark()
    assert.is_string(message)
    helper.fails("s:sockatmark", code, c:sockatmark())
    assert.equal(1, c:send "x")
    assert.equal("x", d:recv())
  end)
end)
