-- csrc/call/write.c, writing a stream as a file: write flush setvbuf, and who else sends what was written and is not
-- flushed yet.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local makerandom = require "spec.support.random"

local closed = net.closed

after_each(net.close)

local nan, inf = 0 / 0, math.huge
local big = 2 ^ 63 -- a float that is no integer of Lua's

local a, b -- a writes, b sees what has come

before_each(function()
  a, b = net.pair()
  a:settimeout(5) -- so that nothing hangs
  b:settimeout(0)
end)

--- Everything that has come to s.
local function arrived(s)
  s = s or b
  local parts = {}
  while true do
    local data = s:recv(1 << 20)
    if not data or data == "" then return table.concat(parts) end
    parts[#parts + 1] = data
  end
end

--- Sends a file of these bytes.
local function sendfile(s, data)
  local file <close> = assert(io.tmpfile())
  assert(file:write(data))
  assert(file:seek "set")
  return s:sendfile(file)
end

--- Makes `s` hold `data` back, and leaves no room for it at the other end. Gives what stands before it there.
local function stuff(s, data)
  local n = net.fill(s)
  assert(s:setvbuf "full")
  assert.equal(s, s:write(data))
  return ("x"):rep(n)
end

describe("write", function()
  it("sends its arguments one after the other, and gives the socket", function()
    assert.equal(a, a:write("one ", "two", "\0\r\n"))
    assert.equal("one two\0\r\n", b:recv())
    assert.same({a, n = 1}, table.pack(a:write "x":write("y", "z")))
    assert.equal("xyz", arrived())
  end)

  it("writes numbers as Lua does", function()
    local numbers = {0, 12, -7, math.maxinteger, math.mininteger, 1.5, -0.125, 3.0, 1e100, 3.14159, inf, -inf}
    local texts = {}
    for i, number in ipairs(numbers) do texts[i] = tostring(number) end
    a:write(1, " ", 2.5)
    assert.equal("1 2.5", b:recv())
    a:write(table.unpack(numbers))
    assert.equal(table.concat(texts), b:recv())
  end)

  it("of nothing sends nothing", function()
    assert.equal(a, a:write())
    assert.equal(a, a:write "")
    assert.equal(a, a:write("", "", ""))
    assert.equal("", arrived())
    a:write("", "x", "")
    assert.equal("x", arrived())
  end)

  it("takes more arguments than the system takes at once", function()
    local parts = {}
    for i = 1, 5000 do parts[i] = i % 3 == 0 and i or ("%d,"):format(i) end
    assert.equal(a, a:write(table.unpack(parts)))
    assert.equal(table.concat(parts), arrived())
  end)

  it("sends all of it, however much that is #process", function()
    local s, child = net.peer [[
      local data = s:read "a"
      print(#data, socket.checksum(data))
    ]]
    local parts = {("0123456789"):rep(150000), 12345, ("abcdefg"):rep(200001), "x", ("z"):rep(70000)}
    for _, timeout in ipairs {false, 20} do
      s:settimeout(timeout or nil)
      assert.equal(s, s:write(table.unpack(parts)))
    end
    s:close()
    local all = table.concat(parts):rep(2)
    assert.equal(("%d\t%d\n"):format(#all, socket.checksum(all)), (child:rest()))
  end)

  it("that fails tells how many bytes of its arguments it has taken, and keeps none of the others", function()
    for _, parts in ipairs {
      {("x"):rep(1000000), "yz"}, {("0123456789"):rep(11111), 42, ("abc"):rep(300000), "tail"},
      {"head", ("0123456789"):rep(100000)},
    } do
      local all = table.concat(parts)
      for _, timeout in ipairs {0, 0.02} do
        local c, d = net.pair()
        d:settimeout(0)
        c:settimeout(timeout)
        local _, taken = helper.fails("s:write", timeout == 0 and "EAGAIN" or "timeout", c:write(table.unpack(parts)))
        assert.is_true(0 < taken and taken < #all, taken)
        assert.is_true(all:sub(1, taken) == arrived(d))
        assert.equal(c, c:write "!")
        assert.equal("!", arrived(d))
        net.close()
      end
    end
  end)

  it("that has taken many small arguments in part tells it to the byte", function()
    local parts = {}
    for i = 1, 100000 do parts[i] = ("%d "):format(i) end
    local all = table.concat(parts)
    assert(a:setsockopt("SO_SNDBUF", 65536))
    a:settimeout(0)
    local _, taken = helper.fails("s:write", "EAGAIN", a:write(table.unpack(parts)))
    assert.is_true(all:sub(1, taken) == arrived())
  end)

  it("under timeout 0 and at its timeout gives up", function()
    net.fill(a)
    a:settimeout(0)
    local message, taken = helper.fails("s:write", "EAGAIN", net.atonce(a.write, a, "x", "y"))
    assert.same({"write: Resource temporarily unavailable", 0}, {message, taken})
    a:settimeout(0.05)
    message, taken = helper.fails("s:write", "timeout", net.takes(0.05, a.write, a, "x", 1))
    assert.same({"write: timed out", 0}, {message, taken})
    arrived()
    assert.equal(a, a:write "x")
    assert.equal("x", arrived())
  end)

  it("takes no longer than its timeout in all, however slowly the peer reads #process", function()
    local s, child = net.peer [[
      while s:recv(10000) ~= "" do socket.select(nil, nil, 0.005) end
    ]]
    s:settimeout(0.1)
    local data = ("x"):rep(1 << 24)
    local _, taken = helper.fails("s:write", "timeout", net.takes(0.1, s.write, s, data, data))
    assert.is_true(0 <= taken and taken < 1 << 25)
    child:close()
  end)

  it("says EPIPE, and raises no signal, when nobody will read", function()
    b:close()
    local message, taken = helper.fails("s:write", "EPIPE", a:write("x", "y"))
    assert.same({"write: Broken pipe", 0}, {message, taken})
    local c, d = net.tcp()
    c:shutdown "SHUT_WR"
    helper.fails("s:write", "EPIPE", c:write "x")
    assert.equal(d, d:write "x")
  end)

  it("says ECONNRESET when the other end threw the connection away", function()
    local c, d = net.tcp()
    net.reset(d)
    local _, taken = helper.fails("s:write", "ECONNRESET", c:write "x")
    assert.equal(0, taken)
    helper.fails("s:write", "EPIPE", c:write "x")
  end)

  it("says ENOTCONN or EPIPE on a socket without a connection", function()
    local s <close> = assert(socket.socket("AF_UNIX", "SOCK_STREAM"))
    helper.fails("s:write", "ENOTCONN", s:write "x")
    local t <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
    helper.fails("s:write", "EPIPE", t:write "x")
  end)

  it("sends one message of all its arguments where messages have bounds", function()
    for _, make in ipairs {
      net.udp, function() return net.pair "SOCK_DGRAM" end, function() return net.pair "SOCK_SEQPACKET" end,
    } do
      local c, d = make()
      d:settimeout(5)
      assert.equal(c, c:write("one ", 2, " three"))
      assert.equal(c, c:write "next")
      assert.equal("one 2 three", d:recv())
      assert.equal("next", d:recv())
      local parts = {}
      for i = 1, 3000 do parts[i] = tostring(i) end
      assert.equal(c, c:write(table.unpack(parts)))
      assert.equal(table.concat(parts), d:recv())
      assert.equal(c, c:flush())
      d:settimeout(0)
      helper.fails("s:recv", "EAGAIN", d:recv())
      c:close()
    end
    local c, d = net.udp()
    d:settimeout(5)
    assert.equal(c, c:write "")
    assert.equal("", d:recv())
  end)

  it("says of messages what send says", function()
    local c, d = net.udp()
    local _, taken = helper.fails("s:write", "EMSGSIZE", c:write(("x"):rep(40000), ("y"):rep(25508)))
    assert.equal(0, taken)
    assert.equal(c, c:write(("x"):rep(40000), ("y"):rep(25507)))
    assert.equal(65507, #d:recv())
    local e <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.fails("s:write", "EDESTADDRREQ", e:write "x")
    assert(e:connect(net.nobody()))
    assert.equal(e, e:write "x")
    helper.fails("s:write", "ECONNREFUSED", e:write "x")
    local f = net.pair "SOCK_DGRAM"
    f:settimeout(0)
    local results
    repeat results = table.pack(f:write(("x"):rep(1000))) until not results[1]
    _, taken = helper.fails("s:write", "EAGAIN", table.unpack(results, 1, results.n))
    assert.equal(0, taken)
  end)

  it("says EBADF on a closed socket, also of nothing", function()
    assert.equal("write: Bad file descriptor", helper.fails("s:write", "EBADF", closed():write "x"))
    helper.fails("s:write", "EBADF", closed():write())
    helper.fails("s:write", "EBADF", closed():write "")
  end)

  it("raises on what is no string and no number, and has sent nothing then", function()
    for _, mode in ipairs {"no", "full"} do
      assert(a:setvbuf(mode))
      for _, value in ipairs {true, {}, print, io.stdout, coroutine.create(print)} do
        helper.raises("s:write", "bad argument #1 to 'write'", function() a:write(value) end)
        helper.raises("s:write", "bad argument #3 to 'write'", function() a:write("x", 2, value) end)
      end
      helper.raises("s:write", "bad argument #2 to 'write'", function() a:write("x", nil, "y") end)
      helper.raises("s:write", "bad argument #2 to 'write'", function() a:write("x", nil) end)
    end
    helper.raises("s:write", "socket expected", a.write, io.stdout, "x")
    a:flush()
    assert.equal("", arrived())
  end)

  it("is ended by Ctrl-C, and leaves the socket usable #process", function()
    local child <close> = net.child [[
      local a, b = socket.socketpair()
      print "now"
      print(pcall(a.write, a, ("x"):rep(1 << 24)))
      b:settimeout(0)
      repeat until not b:recv(1 << 20)
      a:write "more\n"
      print(b:read())
    ]]
    assert.equal("now", child:line())
    child:asleep()
    child:signal "INT"
    assert.match("^false\t[^\n]*interrupted!\nmore\n$", (child:rest()))
  end)

  it("is not harmed by a finalizer that closes the socket and gives it another descriptor #process", function()
    local output, status = helper.lua("-e", [[
      local socket = require "bsdsocket"
      local a, b = socket.socketpair()
      local c, d = socket.socketpair()
      local fd, met = c:detach(), false
      a:setvbuf "full"
      setmetatable({}, {__gc = function()
        met = true
        a:close()
        a:setfd(fd)
      end})
      repeat
        local args = {}
        for i = 1, 100 do args[i] = i end
        assert(a:flush())
        b:settimeout(0):recv()
        assert(a:write(table.unpack(args)))
      until met
      d:settimeout(0)
      print(a:fileno() == fd, a:write "x" == a, (d:recv(1 << 20) or ""):sub(-1))
    ]])
    assert.same({"true\ttrue\tx\n", 0}, {output, status})
  end)
end)

describe("setvbuf", function()
  it("full holds back what is written until it is flushed", function()
    assert.same({true, n = 1}, table.pack(a:setvbuf "full"))
    assert.equal(a, a:write("one\n", 2))
    assert.equal(a, a:write "three")
    assert.equal("", arrived())
    assert.same({a, n = 1}, table.pack(a:flush()))
    assert.equal("one\n2three", b:recv())
    assert.equal(a, a:flush())
    assert.equal("", arrived())
  end)

  it("full holds back no more than its size", function()
    for _, size in ipairs {1, 10, 1000, 65536} do
      local c, d = net.pair()
      d:settimeout(0)
      assert.is_true(c:setvbuf("full", size))
      local written, came, held, most = {}, {}, 0, 0
      for i = 1, 20000 do
        written[i] = ("%d "):format(i):sub(1, i % 7)
        c:write(written[i])
        came[i] = arrived(d)
        held = held + #written[i] - #came[i]
        most = math.max(most, held)
      end
      assert.is_true(size / 2 <= most and most <= size, most)
      c:flush()
      came[#came + 1] = arrived(d)
      assert.equal(table.concat(written), table.concat(came))
      net.close()
    end
  end)

  it("full sends a long string whole, in its order", function()
    local long = ("0123456789"):rep(5000)
    assert.is_true(a:setvbuf("full", 100))
    a:write("head", long, "tail")
    a:write(long, 1)
    a:flush()
    assert.is_true("head" .. long .. "tail" .. long .. "1" == arrived())
  end)

  it("line holds back until a newline is written", function()
    assert.is_true(a:setvbuf "line")
    a:write("one", 2)
    assert.equal("", arrived())
    a:write("three", "\n")
    assert.equal("one2three\n", arrived())
    a:write "a\n"
    assert.equal("a\n", arrived())
    a:write("b\nc")
    assert.match("^b\n", arrived())
    a:write "d\n"
    assert.match("d\n$", arrived())
    a:write "e"
    a:flush()
    assert.equal("e", arrived())
  end)

  it("no sends at once again, what was held back first", function()
    a:setvbuf "full"
    a:write "one"
    assert.is_true(a:setvbuf "no")
    assert.equal("one", arrived())
    a:write "two"
    assert.equal("two", arrived())
  end)

  it("to another size or mode loses nothing", function()
    a:setvbuf("full", 1000)
    a:write(("x"):rep(500))
    assert.is_true(a:setvbuf("full", 10))
    a:write "y"
    assert.is_true(a:setvbuf "line")
    a:write "z"
    assert.is_true(a:setvbuf("full", 2000))
    a:write "."
    assert.is_true(a:setvbuf "full")
    a:flush()
    assert.equal(("x"):rep(500) .. "yz.", arrived())
  end)

  it("with a size that is hardly any or beyond all memory does no harm", function()
    for _, size in ipairs {0, 1, 1 << 40, math.maxinteger} do
      for _, mode in ipairs {"full", "line", "no"} do
        local ok, message = pcall(a.setvbuf, a, mode, size)
        assert(ok or message:find "not enough memory" or message:find "bad argument", message)
        a:write("one", "two\n", ("x"):rep(1000))
        a:flush()
        assert.equal("onetwo\n" .. ("x"):rep(1000), arrived())
      end
    end
  end)

  it("says EOPNOTSUPP where messages have bounds", function()
    for _, kind in ipairs {"SOCK_DGRAM", "SOCK_SEQPACKET"} do
      local c, d = net.pair(kind)
      assert.equal("setvbuf: " .. socket.strerror "EOPNOTSUPP",
        helper.fails("s:setvbuf", "EOPNOTSUPP", c:setvbuf "full"))
      c:write "x"
      assert.equal("x", d:recv())
    end
  end)

  it("says EBADF on a closed socket", function()
    helper.fails("s:setvbuf", "EBADF", closed():setvbuf "full")
    assert.equal("flush: Bad file descriptor", helper.fails("s:flush", "EBADF", closed():flush()))
  end)

  it("raises on what is no mode, no size, and has changed nothing then", function()
    a:setvbuf "full"
    for _, value in ipairs {true, {}, print, "", "x", "Full", 1} do
      helper.raises("s:setvbuf", "bad argument #1 to 'setvbuf'", function() a:setvbuf(value) end)
    end
    helper.raises("s:setvbuf", "bad argument #1 to 'setvbuf'", function() a:setvbuf() end)
    for _, value in ipairs {true, {}, "x", -1, math.mininteger, 1.5, nan, inf, big} do
      helper.raises("s:setvbuf", "bad argument #2 to 'setvbuf'", function() a:setvbuf("full", value) end)
    end
    helper.raises("s:setvbuf", "socket expected", a.setvbuf, io.stdout, "full")
    a:write "x"
    assert.equal("", arrived())
    a:flush()
  end)
end)

describe("what is written and not flushed", function()
  before_each(function() assert(a:setvbuf "full") end)

  local receives = {
    {"recv"}, {"recvfrom"}, {"recvinto", socket.buffer(10)}, {"recvmsg"}, {"recvmmsg", 2, 10}, {"read"}, {"read", 5},
    {"read", "a"}, {"read", "n"}, {"readuntil", ";"}, {"recv", 5, "MSG_WAITALL"}, {"recv", 1, "MSG_PEEK"},
  }

  it("is sent before a receiving call waits", function()
    for _, timeout in ipairs {0.005, 0.25} do
      a:settimeout(timeout)
      for i, call in ipairs(receives) do
        if timeout == 0.25 and i > 6 then break end -- from a quarter of a second on the kernel waits
        a:write "question"
        helper.fails("s:" .. call[1], "timeout", a[call[1]](a, table.unpack(call, 2)))
        assert.equal("question", arrived(), call[1])
      end
    end
    a:settimeout(0.005)
    for _, name in ipairs {"lines", "chunks"} do
      a:write "question"
      helper.raises("s:" .. name, "timed out", a[name](a))
      assert.equal("question", arrived(), name)
    end
  end)

  it("is sent before a receiving call that may not wait says so", function()
    a:settimeout(0)
    for _, call in ipairs(receives) do
      a:write "question"
      helper.fails("s:" .. call[1], "EAGAIN", a[call[1]](a, table.unpack(call, 2)))
      assert.equal("question", arrived(), call[1])
    end
    a:settimeout(5)
    a:write "question"
    helper.fails("s:recv", "EAGAIN", a:recv(1, "MSG_DONTWAIT"))
    assert.equal("question", arrived())
  end)

  it("is sent before a call waits without a timeout #process", function()
    local s, child = net.peer [[
      for line in s:lines "L" do s:write("you said ", line) end
    ]]
    assert(s:setvbuf "full")
    for i = 1, 5 do
      s:write(i, "\n")
      assert.equal(("you said %d"):format(i), s:read())
      s:write("and ", i, "\n")
      assert.equal(("you said and %d\n"):format(i), s:recv(100))
    end
    child:close()
  end)

  it("stays where a receiving call need not wait", function()
    b:send "one\ntwo\nthree\nfour\nfive"
    a:write "x"
    assert.equal("one", a:read())
    assert.equal("tw", a:recv(2))
    assert.equal("o\n", a:readuntil "\n")
    assert.equal("three\n", a:lines "L"())
    assert.equal("four", (a:recvfrom(4)))
    a:recv(1)
    b:send "more"
    assert.equal("five", a:chunks(4)())
    assert.equal("more", a:recv())
    assert.equal("", arrived())
    a:flush()
    assert.equal("x", arrived())
  end)

  it("goes before what other calls send", function()
    local calls = {
      send = function() return a:send "y" end,
      sendall = function() return a:sendall "y" end,
      sendmsg = function() return a:sendmsg {data = {"y"}} end,
      sendmmsg = function() return a:sendmmsg {"y"} end,
      sendfile = function() return sendfile(a, "y") end,
    }
    for name, call in pairs(calls) do
      a:write "x"
      assert.equal(1, call(), name)
      assert.equal("xy", arrived(), name)
    end
    local c, d = net.tcp()
    c:setvbuf "full"
    c:write "x"
    assert(c:sendto("y", d:getsockname()))
    d:settimeout(5)
    assert.equal("xy", d:read(2))
  end)

  it("goes before the end that shutdown makes", function()
    a:write "x"
    assert.equal(a, a:shutdown "SHUT_WR")
    b:settimeout(5)
    assert.equal("x", b:recv())
    assert.equal("", b:recv())
    local c, d = net.tcp()
    c:setvbuf "full"
    c:write "x"
    assert(c:shutdown())
    d:settimeout(5)
    assert.equal("x", d:read "a")
  end)

  it("is sent by close, by the end of a block and by the collector", function()
    helper.collects()
    b:settimeout(5)
    a:write "x"
    assert.is_true(a:close())
    assert.equal("x", b:read "a")
    local c, d = socket.socketpair()
    net.keep(d)
    do
      local s <close> = c
      assert(s:setvbuf "full")
      assert(s:write "y")
    end
    assert.equal("y", d:read "a")
    c, d = socket.socketpair()
    net.keep(d)
    assert(c:setvbuf "full")
    c:write "z"
    c = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal("z", d:read "a")
  end)

  it("is sent at the end of the program #process", function()
    local s, child = net.peer [[
      assert(s:setvbuf "full")
      s:write "last words"
    ]]
    assert.equal("last words", s:read "a")
    assert.equal("", (child:rest()))
  end)

  it("is sent by detach", function()
    a:write "x"
    local fd, ahead = a:detach()
    assert(assert(socket.fromfd(fd)):close())
    assert.equal("", ahead)
    assert.equal("x", arrived())
  end)

  it("makes setfd(-1) raise when it has let go", function()
    local fd = a:fileno()
    a:write "x"
    helper.raises("s:setfd", "flushed", a.setfd, a, -1)
    assert.is_nil(a:fileno())
    assert(assert(socket.fromfd(fd)):close())
  end)

  it("is not what pending and dirty count", function()
    a:write "x"
    assert.equal(0, a:pending())
    assert.is_false(a:dirty())
  end)

  it("that nobody will read does not keep what has come from being received", function()
    a:write "x"
    b:send "hello"
    b:close()
    assert.equal("hello", a:read(5))
    assert.equal("", a:recv())
    assert.is_nil(a:read())
    helper.fails("s:write", "EPIPE", a:write(("y"):rep(1 << 20)))
    local c, d = net.pair()
    assert(c:setvbuf "full")
    c:write "x"
    d:shutdown "SHUT_RD"
    c:settimeout(0.01)
    helper.fails("s:recv", "timeout", c:recv())
    helper.fails("s:read", "timeout", c:read())
    d:send "hello\n"
    assert.equal("hello", c:read())
    helper.fails("s:flush", "EPIPE", c:flush())
    helper.fails("s:close", "EPIPE", c:close())
  end)

  it("is not the twin's", function()
    a:write "x"
    local twin <close> = assert(a:dup())
    twin:flush()
    twin:send "y"
    a:flush()
    local all = arrived()
    assert(all == "xy" or all == "yx", all)
  end)
end)

describe("a flush that fails", function()
  -- name -> {name in messages, call}
  local calls = {
    flush = function(s) return s:flush() end,
    setvbuf = function(s) return s:setvbuf "no" end,
    write = function(s) return s:write(("y"):rep(1 << 20)) end,
    send = function(s) return s:send "y" end,
    sendall = function(s) return s:sendall "y" end,
    sendmsg = function(s) return s:sendmsg {data = "y"} end,
    sendmmsg = function(s) return s:sendmmsg {"y"} end,
    sendfile = function(s) return sendfile(s, "y") end,
    shutdown = function(s) return s:shutdown "SHUT_WR" end,
    detach = function(s) return s:detach() end,
    recv = function(s) return s:recv() end,
    read = function(s) return s:read() end,
  }

  for name, call in pairs(calls) do
    it("makes " .. name .. " fail, and leaves what it left for the next", function()
      local before = stuff(a, "tail")
      a:settimeout(0)
      local _, taken = helper.fails("s:" .. name, "EAGAIN", net.atonce(call, a))
      if name == "sendall" or name == "sendfile" then assert.equal(0, taken) end
      local own = name == "write" and ("y"):rep(taken) or ""
      a:settimeout(0.02)
      if name ~= "write" then helper.fails("s:" .. name, "timeout", net.takes(0.02, call, a)) end
      assert.is_true(before == arrived():sub(1, #before))
      if name == "write" then return end
      assert.equal(a, a:flush())
      assert.equal("tail" .. own, arrived())
      assert.equal(a, a:flush())
      assert.equal(a, a:write "x":flush())
      assert.equal("x", arrived())
    end)
  end

  it("says EPIPE or ECONNRESET of the connection", function()
    for _, name in ipairs {"flush", "setvbuf", "shutdown", "detach"} do
      local c, d = net.pair()
      assert(c:setvbuf "full")
      assert.equal(c, c:write "x")
      d:close()
      helper.fails("s:" .. name, "EPIPE", calls[name](c))
      helper.fails("s:" .. name, "EPIPE", calls[name](c))
      c:close()
    end
    local c, d = net.tcp()
    assert(c:setvbuf "full")
    assert.equal(c, c:write "x")
    net.reset(d)
    assert.equal("flush: Connection reset by peer", helper.fails("s:flush", "ECONNRESET", c:flush()))
    c:close()
  end)

  it("does not keep a receiving call from what comes meanwhile #process", function()
    local path = helper.tmpdir() .. "/s"
    local listener <close> = assert(socket.listen(socket.address("AF_UNIX", path)))
    local child <close> = net.child([[
      local s = assert(socket.connect(socket.address("AF_UNIX", arg[1])))
      s:settimeout(0)
      repeat until not s:sendall(("x"):rep(1000))
      repeat until not s:send "x"
      assert(s:setvbuf "full")
      s:write "tail"
      s:settimeout(20)
      print "now"
      print(s:recv())
      s:settimeout(0)
      print(select(3, s:flush()))
      s:settimeout(20)
      print(s:read())
    ]], path)
    local s <close> = assert(listener:accept())
    assert.equal("now", child:line())
    child:asleep()
    s:send "hello"
    assert.equal("hello", child:line())
    assert.equal("EAGAIN", child:line())
    s:settimeout(5)
    local last = ""
    for data in s:chunks() do
      last = (last .. data):sub(-4)
      if last == "tail" then break end
    end
    s:send "that is all\n"
    assert.equal("that is all\n", (child:rest()))
  end)

  it("does not keep the processor busy", function()
    stuff(a, "tail")
    a:settimeout(0.3)
    helper.fails("s:recv", "timeout", net.takes(0.3, a.recv, a))
    helper.fails("s:read", "timeout", net.takes(0.3, a.read, a))
    helper.fails("s:flush", "timeout", net.takes(0.3, a.flush, a))
    a:settimeout(0)
    helper.fails("s:close", "EAGAIN", a:close())
  end)

  it("is what close answers, and the socket is closed all the same", function()
    stuff(a, "tail")
    a:settimeout(0)
    assert.equal("close: Resource temporarily unavailable", helper.fails("s:close", "EAGAIN", net.atonce(a.close, a)))
    assert.is_nil(a:fileno())
    assert.same({true, n = 1}, table.pack(a:close()))
    net.takes(0.05, function()
      local c = net.pair()
      stuff(c, "tail")
      c:settimeout(0.05)
      helper.fails("s:close", "timeout", c:close())
      assert.is_nil(c:fileno())
    end)
    local d, e = net.pair()
    assert(d:setvbuf "full")
    assert.equal(d, d:write "x")
    e:close()
    assert.equal("close: Broken pipe", helper.fails("s:close", "EPIPE", d:close()))
    assert.is_nil(d:fileno())
    assert.is_true(d:close())
  end)

  it("does not make the end of a block, or the collector, raise or wait for ever", function()
    helper.collects()
    local c, d = socket.socketpair()
    net.keep(d)
    stuff(c, "tail")
    c:settimeout(0.05)
    do local _ <close> = c end
    assert.is_nil(c:fileno())
    c, d = socket.socketpair()
    net.keep(d)
    stuff(c, "tail")
    c:settimeout(20)
    c = nil -- luacheck: ignore
    net.atonce(function()
      collectgarbage()
      collectgarbage()
    end)
    d:settimeout(5)
    assert.match("^x+$", d:read "a")
  end)

  it("is none where the other end makes room in time #process", function()
    local s, child = net.peer [[
      assert(s:recv(10)) -- so that all of what comes before is there
      socket.select(nil, nil, 0.1)
      local data = s:read "a"
      print(#data, data:sub(-4))
    ]]
    local before = stuff(s, "tail")
    s:settimeout(20)
    assert.is_true(s:close())
    assert.equal(("%d\ttail\n"):format(#before - 10 + 4), (child:rest()))
  end)
end)

describe("any order of sending calls", function()
  it("loses no byte, and sends none twice or in another place", function()
    local random, seed = makerandom()
    local serial = 0
    --- n bytes of which each place looks different
    local function text(n)
      local parts, len = {}, 0
      while len < n do
        serial = serial + 1
        parts[#parts + 1] = ("<%d>"):format(serial)
        len = len + #parts[#parts]
      end
      return table.concat(parts):sub(1, n)
    end
    for round = 1, 20 do
      local c, d = net.pair()
      c:settimeout(0)
      d:settimeout(0)
      assert(c:setsockopt("SO_SNDBUF", 1 << random(12, 17)))
      local wanted = "" -- what was taken and has not come yet
      local function drain(n)
        local data = d:recv(n) or ""
        if data ~= wanted:sub(1, #data) then
          error(("seed %d, round %d: %q ... came and not %q ..."):format(seed, round, data:sub(1, 100),
            wanted:sub(1, 100)))
        end
        wanted = wanted:sub(#data + 1)
        return #data
      end
      for _ = 1, 300 do
        local kind = random(13)
        local data = text(random(1 << random(0, 14)))
        if kind <= 5 then
          local cut = random(#data)
          local parts = {data:sub(1, cut), serial, data:sub(cut + 1)}
          if random(10) == 1 then parts = {} end
          local ok, _, code, taken = c:write(table.unpack(parts))
          assert(ok == c or code == "EAGAIN", code)
          local all = table.concat(parts)
          wanted = wanted .. (ok and all or all:sub(1, taken))
        elseif kind == 6 then
          wanted = wanted .. data:sub(1, c:send(data) or 0)
        elseif kind == 7 then
          local n, _, _, taken = c:sendall(data)
          wanted = wanted .. data:sub(1, n or taken)
        elseif kind == 8 then
          wanted = wanted .. data:sub(1, c:sendmsg {data = {data:sub(1, 5), data:sub(6)}} or 0)
        elseif kind == 9 then
          c:flush()
        elseif kind == 11 then
          local n, _, _, sent = sendfile(c, data)
          wanted = wanted .. data:sub(1, n or sent)
        elseif kind == 10 then
          c:setvbuf(({"no", "full", "line"})[random(3)], random(2) == 1 and random(30000) or nil)
        else
          drain(random(1 << random(0, 16)))
        end
      end
      local ok
      repeat
        ok = c:flush()
        repeat until drain(1 << 20) == 0
      until ok
      assert.equal("", wanted, seed)
      net.close()
    end
  end)
end)
