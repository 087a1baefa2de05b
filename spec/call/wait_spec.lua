-- How calls wait: timeouts, signals, hooks; and what of the kernel's they touch for it.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local trace = require "spec.support.trace"
local build = require "fault.build"

after_each(net.close)

--- Calls that wait, each of which gives up only at its timeout; `prepare` gives the socket and the call.
local calls = {
  { name = "recv", prepare = function()
    local s = net.pair()
    return s, function() return s:recv() end
  end },
  { name = "recv", what = "of a datagram", prepare = function()
    local _, s = net.udp()
    return s, function() return s:recv(1 << 40) end
  end },
  { name = "recv", what = "with MSG_WAITALL", prepare = function()
    local s = net.tcp()
    return s, function() return s:recv(100, "MSG_WAITALL") end
  end },
  { name = "recvfrom", prepare = function()
    local _, s = net.udp()
    return s, function() return s:recvfrom() end
  end },
  { name = "recvinto", prepare = function()
    local s, buf = net.pair(), socket.buffer(10)
    return s, function() return s:recvinto(buf) end
  end },
  { name = "accept", prepare = function()
    local s = net.keep(assert(socket.listen("127.0.0.1", 0)))
    return s, function() return s:accept() end
  end },
  { name = "accept", what = "on a path", prepare = function()
    local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", helper.tmpdir() .. "/s"))))
    return s, function() return s:accept() end
  end },
  { name = "connect", prepare = function()
    local listener = net.keep(assert(assert(socket.socket()):bind("127.0.0.1", 0)))
    listener:listen(0)
    for _ = 1, 4 do -- more than its queue takes
      local other = net.keep(assert(socket.socket()))
      other:settimeout(0)
      other:connect(listener:getsockname())
    end
    local s = net.keep(assert(socket.socket()))
    return s, function() return s:connect(listener:getsockname()) end
  end },
  { name = "connect", what = "to a path", prepare = function()
    local path = helper.tmpdir() .. "/s"
    local listener = net.keep(assert(assert(socket.socket("AF_UNIX")):bind(path)))
    listener:listen(0)
    for _ = 1, 4 do
      local other = net.keep(assert(socket.socket("AF_UNIX")))
      other:settimeout(0)
      other:connect(path)
    end
    local s = net.keep(assert(socket.socket("AF_UNIX")))
    return s, function() return s:connect(path) end
  end },
  { name = "send", prepare = function()
    local s = net.pair()
    net.fill(s)
    return s, function() return s:send "x" end
  end },
  { name = "sendall", prepare = function()
    local s, data = net.tcp(), ("x"):rep(1 << 20)
    net.fill(s)
    return s, function() return s:sendall(data) end
  end },
  { name = "sendto", prepare = function()
    local path = helper.tmpdir() .. "/s"
    local full = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path)))
    local s = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
    s:settimeout(0)
    repeat until not s:sendto("x", full:getsockname())
    return s, function() return s:sendto("x", full:getsockname()) end
  end },
}

local function each(f)
  for _, call in ipairs(calls) do
    it(call.what and call.name .. " " .. call.what or call.name, function() f(call, call.prepare()) end)
  end
end

local function signals()
  return build "signal" or helper.skip "no C compiler is here"
end

--- The error of f(...), which must raise one.
local function raised(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

describe("at its timeout, neither early nor late nor busy, gives up", function()
  each(function(call, s, f)
    -- of a receive the kernel keeps a timeout of a quarter of a second or more
    for _, seconds in ipairs(call.name:find "^recv" and { 0.001, 0.02, 0.27 } or { 0.001, 0.05 }) do
      s:settimeout(seconds)
      local message = helper.fails("s:" .. call.name, "timeout", net.takes(seconds, f))
      assert.equal(call.name .. ": timed out", message)
    end
    s:settimeout(1e-9)
    helper.fails("s:" .. call.name, "timeout", net.takes(1e-9, f))
  end)

  it("select", function()
    local a, b = net.pair()
    for _, seconds in ipairs { 0.001, 0.05 } do
      assert.same({ {}, {} }, { net.takes(seconds, socket.select, { a, b }, nil, seconds) })
    end
  end)
end)

-- Linux keeps a time of more than 2 s by a coarser clock, a quarter of a second late.
describe("after two and a half seconds #slow #process", function()
  local codes = {
    "local a, b = socket.socketpair() a:settimeout(2.5) late(a.recv, a) b:close()",
    "local a, b = socket.socketpair('AF_UNIX', 'SOCK_DGRAM') a:settimeout(2.5) late(a.recvfrom, a) b:close()",
    "local s = socket.listen('127.0.0.1', 0) s:settimeout(2.5) late(s.accept, s)",
    "local a, b = socket.socketpair() a:settimeout(2.5) late(a.sendall, a, ('x'):rep(1 << 22)) b:close()",
    "local a, b = socket.socketpair() late(function() return nil, #socket.select({ a }, nil, 2.5), 'timeout' end)",
    [[
      local l = socket.listen('127.0.0.1', 0, { backlog = 0 })
      local others = {}
      for i = 1, 4 do
        others[i] = socket.socket()
        others[i]:settimeout(0)
        others[i]:connect(l:getsockname())
      end
      late(socket.connect, l:getsockname(), { timeout = 2.5 })
    ]],
  }

  --- All at once; gives those that were late or busy.
  local function round(list)
    local children, bad = {}, {}
    for i, code in ipairs(list) do
      children[i] = net.child([[
        local function late(f, ...)
          local start, cpu = socket.monotime(), os.clock()
          local _, message, code = f(...)
          local took = socket.monotime() - start
          print(code, took < 2.5 and message or took - 2.5, os.clock() - cpu)
        end
      ]] .. code)
    end
    for i, child in ipairs(children) do
      local text = child:rest()
      local late, cpu = text:match "^timeout\t([%d.e-]+)\t([%d.e-]+)\n$"
      assert.is_not_nil(late, text)
      if tonumber(late) > 0.02 or tonumber(cpu) > 0.1 then bad[#bad + 1] = list[i] end
    end
    return bad
  end

  it("gives up, neither early nor late nor busy", function()
    local list = codes
    net.sometime(function()
      list = round(list)
      return not list[1], list[1]
    end)
  end)
end)

describe("under timeout 0 does not wait:", function()
  each(function(call, s, f)
    s:settimeout(0)
    local code = call.name == "connect" and not call.what and "EINPROGRESS" or "EAGAIN"
    for _ = 1, 3 do
      local message = helper.fails("s:" .. call.name, code, net.atonce(f))
      assert.equal(call.name .. ": " .. socket.strerror(code), message)
    end
  end)
end)

describe("the message of a timeout is a constant:", function()
  each(function(_, s, f)
    s:settimeout(0)
    f()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for _ = 1, 10 do f() end
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.is_true((after - before) * 1024 / 10 < 600) -- accept makes a socket, connect an address
  end)
end)

describe("without a timeout, or under a long one, a call waits until its time comes:", function()
  for _, timeout in ipairs { false, 0.2, 3 } do
    it("recv, when data come, under " .. (timeout or "none"), function()
      local s, child = net.peer [[
        while s:recv(1) == "?" do
          socket.select(nil, nil, 0.05)
          s:send "!"
        end
      ]]
      for _ = 1, 3 do
        net.sometime(function()
          local start = socket.monotime()
          s:send "?"
          local data, message, code = s:settimeout(timeout or nil):recv()
          if not data and code == "timeout" then -- the other end may be slow
            assert.is_true(socket.monotime() - start >= timeout)
            assert.equal("!", s:settimeout(20):recv())
            return false, message
          end
          assert.equal("!", data)
          assert.is_true(socket.monotime() - start >= 0.05)
          return true
        end)
      end
      s:close()
      assert.same({ "", 0 }, { child:rest() })
    end)
  end

  it("recv, on a descriptor that somebody else made non-blocking", function()
    local s, child = net.peer [[
      for i = 1, 2 do
        s:recv(1)
        socket.select(nil, nil, 0.1)
        s:send "!"
      end
      s:recv()
    ]]
    local twin <close> = assert(s:dup())
    twin:settimeout(0)
    twin:accept() -- it is none that listens, but this is what makes it non-blocking
    s:send "?"
    assert.equal("!", s:recv())
    local adopted <close> = assert(socket.fromfd(s:detach()))
    adopted:settimeout(0.02)
    helper.fails("s:recv", "timeout", net.takes(0.02, adopted.recv, adopted))
    adopted:send "?"
    adopted:settimeout(20)
    assert.equal("!", adopted:recv())
    adopted:close()
    twin:close()
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("recv, longer than the timeout that its twin or it had before", function()
    local s, child = net.peer [[
      for i = 1, 2 do
        s:recv(1)
        socket.select(nil, nil, 0.3)
        s:send "!"
      end
      s:recv()
    ]]
    s:settimeout(0.25)
    helper.fails("s:recv", "timeout", s:recv())
    s:settimeout(nil)
    s:send "?"
    assert.equal("!", s:recv())
    s:settimeout(0.25)
    helper.fails("s:recv", "timeout", s:recv())
    local twin <close> = assert(s:dup())
    twin:settimeout(nil)
    s:send "?"
    assert.equal("!", twin:recv())
    helper.fails("s:recv", "timeout", net.takes(0.25, s.recv, s))
    s:close()
    twin:close()
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("sendall, while the other end makes room", function()
    local s, child = net.peer [[
      local total = 0
      for i = 1, 20 do
        total = total + #s:recv()
        socket.select(nil, nil, 0.01)
      end
      repeat
        local data = s:recv(1 << 20)
        total = total + #data
      until data == ""
      print(total)
    ]]
    for _, timeout in ipairs { false, 10 } do
      s:settimeout(timeout or nil)
      assert.equal(1 << 23, s:sendall(("x"):rep(1 << 23)))
    end
    s:close()
    assert.equal(tostring(1 << 24), child:line())
  end)
end)

describe("the kernel's own timeout of a receive", function()
  local function kernels(s)
    local bytes = s:getsockopt("SOL_SOCKET", "SO_RCVTIMEO", 16)
    local seconds, micro = string.unpack("jj", bytes)
    return seconds + micro / 1e6
  end

  it("is seven eighths of a timeout of a quarter of a second or more", function()
    local a, b = net.pair()
    for _, timeout in ipairs { 0.25, 1, 2, 100, 0.25 } do
      a:settimeout(timeout)
      b:send "x"
      assert.equal("x", a:recv())
      local seconds = kernels(a)
      assert.is_true(math.abs(seconds - timeout * 7 / 8) <= 0.01, seconds)
    end
  end)

  it("is not touched below that, nor without a timeout, nor by sending", function()
    local a, b = net.pair()
    for _, timeout in ipairs { 0, 0.001, 0.2, false } do
      a:settimeout(timeout or nil)
      b:send "x"
      assert.equal("x", a:recv())
      assert.equal(1, a:send "y")
      assert.equal("y", b:recv())
      assert.equal(0, kernels(a))
    end
    a:settimeout(1)
    assert.equal(1, a:send "y")
    assert.equal(0, kernels(a))
  end)

  it("is none again for the socket's successor after detach", function()
    local a, b = net.pair()
    a:settimeout(1)
    b:send "x"
    a:recv()
    local adopted <close> = assert(socket.fromfd(a:detach()))
    assert.equal(0, kernels(adopted))
  end)

  it("of an adopted descriptor is left alone: others may share it, and what they set", function()
    local a, b = net.pair()
    assert(a:setsockopt("SOL_SOCKET", "SO_RCVTIMEO", string.pack("jj", 7, 0)))
    local adopted = assert(socket.fromfd(a:detach()))
    adopted:settimeout(0.3)
    b:send "x"
    assert.equal("x", adopted:recv())
    helper.fails("s:recv", "timeout", net.takes(0.3, adopted.recv, adopted))
    assert.equal(7, kernels(adopted))
    local again <close> = assert(socket.fromfd(adopted:detach()))
    assert.equal(7, kernels(again))
  end)

  it("does not keep one adopter of a description waiting when another lets go", function()
    local a, b = net.pair()
    local twin = net.keep(a:dup())
    local u1, u2 = assert(socket.fromfd(a:detach())), net.keep(assert(socket.fromfd(twin:detach())))
    for _, u in ipairs { u1, u2 } do
      u:settimeout(0.3)
      b:send "x"
      assert.equal("x", u:recv())
    end
    local last <close> = assert(socket.fromfd(u1:detach()))
    assert.is_nil(last:gettimeout())
    helper.fails("s:recv", "timeout", net.takes(0.3, u2.recv, u2))
  end)

  it("that a listener was given does not end a call on what it accepts", function()
    local listener <close> = assert(socket.listen("127.0.0.1", 0))
    assert(listener:setsockopt("SOL_SOCKET", "SO_RCVTIMEO", string.pack("jj", 0, 50000)))
    local child <close> = net.child([[
      local s = assert(socket.connect("127.0.0.1", arg[1]))
      socket.select(nil, nil, 0.2)
      s:send "!"
      s:recv()
    ]], listener:getsockname().port)
    local s <close> = assert(listener:accept())
    assert.is_nil(s:gettimeout())
    assert.equal("!", s:recv())
    s:settimeout(0.3)
    helper.fails("s:recv", "timeout", net.takes(0.3, s.recv, s))
    s:close()
    assert.same({ "", 0 }, { child:rest() })
  end)
end)

describe("O_NONBLOCK", function()
  local function waited()
    local s = net.keep(assert(socket.listen("127.0.0.1", 0)))
    s:settimeout(0.001)
    helper.fails("s:accept", "timeout", s:accept())
    return s
  end

  it("is set for accept under a timeout, and for nothing that has a flag of its own", function()
    local s = net.keep(assert(socket.listen("127.0.0.1", 0)))
    assert.is_false(net.nonblocking(s:fileno()))
    s:settimeout(0)
    assert.is_false(net.nonblocking(s:fileno()))
    s:accept()
    assert.is_true(net.nonblocking(s:fileno()))
    local a = net.pair()
    for _, timeout in ipairs { 0, 0.01, 0.3 } do
      a:settimeout(timeout)
      a:recv()
      a:send "x"
      assert.is_false(net.nonblocking(a:fileno()))
    end
  end)

  it("is not passed on to what is accepted", function()
    local s = waited()
    local c <close> = assert(socket.connect(s:getsockname()))
    local d <close> = assert(s:accept())
    assert.is_false(net.nonblocking(d:fileno()))
    assert.is_nil(d:gettimeout())
    assert.is_false(net.nonblocking(c:fileno()))
  end)

  it("is put back by detach, whichever twin was first", function()
    for _, order in ipairs { { 1 }, { 1, 2 }, { 2, 1 }, { 1, 3, 2 } } do
      local list = { waited() }
      for i = 2, #order do list[i] = assert(list[1]:dup()) end
      local fds = {}
      for i, n in ipairs(order) do fds[i] = list[n]:detach() end
      for _, fd in ipairs(fds) do
        net.keep(assert(socket.fromfd(fd)))
        assert.is_false(net.nonblocking(fd))
      end
    end
  end)

  it("that was found set is left set", function()
    local s = waited()
    local twin <close> = assert(s:dup())
    local adopted <close> = assert(socket.fromfd(twin:detach()))
    assert(s:dup()):close()
    s:accept()
    local again <close> = assert(socket.fromfd(adopted:detach()))
    again:settimeout(0.001)
    assert.is_true(net.nonblocking(again:fileno()))
    helper.fails("s:accept", "timeout", again:accept())
    local fd = again:detach()
    assert.is_true(net.nonblocking(fd))
    assert(socket.fromfd(fd)):close()
  end)
end)

describe("a signal that Lua does not want to see", function()
  after_each(function()
    local signal = build "signal"
    if signal then signal.every(0) end
  end)

  each(function(call, s, f)
    local signal = signals()
    for _, seconds in ipairs(call.name:find "^recv" and { 0.05, 0.27 } or { 0.1 }) do
      s:settimeout(seconds)
      net.sometime(function() -- the system gathers signals that have to wait for the process
        signal.every(0.003)
        helper.fails("s:" .. call.name, "timeout", net.takes(seconds, f))
        return signal.count() > (net.slow and 1 or seconds / 0.006), "not as many signals"
      end)
    end
  end)

  it("select", function()
    local signal = signals()
    local a = net.pair()
    net.sometime(function()
      signal.every(0.003)
      assert.same({ {}, {} }, { net.takes(0.1, socket.select, { a }, nil, 0.1) })
      return signal.count() > (net.slow and 1 or 15), "not as many signals"
    end)
  end)

  it("leaves a blocked call waiting, and harms no data", function()
    local signal = signals()
    local listener <close> = assert(socket.listen("127.0.0.1", 0))
    local child <close> = net.child([[
      local s = assert(socket.connect("127.0.0.1", arg[1]))
      local sum = 0
      for i = 1, 200 do
        local data = s:recv(10000, "MSG_WAITALL")
        for j = 1, #data, 1000 do sum = sum + data:byte(j) end
        if i % 20 == 0 then socket.select(nil, nil, 0.02) end
      end
      s:sendall(tostring(sum))
      socket.select(nil, nil, 0.1)
      s:sendall "done"
      s:recv()
    ]], listener:getsockname().port)
    signal.every(net.slow and 0.05 or 0.001)
    local s <close> = assert(listener:accept())
    local data = ("x"):rep(2000000)
    assert.equal(#data, s:sendall(data))
    local text = tostring(2000 * ("x"):byte())
    assert.equal(text, s:recv(#text, "MSG_WAITALL"))
    assert.equal("done", s:recv(4, "MSG_WAITALL"))
    signal.every(0)
    s:close()
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("as when the process is stopped and continued, moves no deadline #process", function()
    for _, seconds in ipairs { 0.15, 0.3 } do
      net.sometime(function()
        local child <close> = net.child([[
          local a, b = socket.socketpair()
          a:settimeout(tonumber(arg[1]))
          print "now"
          local start = socket.monotime()
          local _, _, code = a:recv()
          print(code, socket.monotime() - start)
          a:settimeout(nil)
          print "now"
          print(a:recv())
          b:close()
        ]], seconds)
        assert.equal("now", child:line())
        child:asleep()
        for _ = 1, 5 do
          child:signal "STOP"
          child:signal "CONT"
        end
        local late = child:line():match "^timeout\t(.*)$" - seconds
        assert.is_true(late >= 0, late)
        assert.equal("now", child:line())
        child:asleep()
        child:signal "STOP"
        child:signal "CONT"
        child:asleep()
        child:signal "INT"
        assert.match("interrupted!", (child:rest()))
        return late <= 0.1, late
      end)
    end
  end)
end)

describe("a hook that came while a call waits", function()
  after_each(function()
    debug.sethook()
    local signal = build "signal"
    if signal then signal.every(0) end
  end)

  --- f in the main thread and in a coroutine
  local function twice(f)
    f()
    local co = coroutine.create(f)
    local ok, message = coroutine.resume(co)
    assert.is_true(ok, message)
    assert.equal("dead", coroutine.status(co))
  end

  for _, timeout in ipairs { false, 0.1, 5 } do
    describe("under " .. (timeout and "timeout " .. timeout or "none"), function()
      each(function(call, s, f)
        local signal = signals()
        s:settimeout(timeout or nil)
        twice(function()
          signal.after(0.02, function() error("stop", 0) end)
          assert.equal("stop", raised(f))
          assert.is_nil(debug.gethook())
        end)
        s:settimeout(0.01)
        helper.fails("s:" .. call.name, "timeout", net.takes(0.01, f))
        s:settimeout(timeout or nil)
        twice(function()
          local s2, f2 = call.prepare()
          s2:settimeout(timeout or nil)
          signal.after(0.02, function() s2:close() end)
          local start = socket.monotime()
          helper.fails("s:" .. call.name, "EBADF", f2())
          assert.is_true(socket.monotime() - start < 2.5) -- half of the longest timeout
        end)
      end)

      it("select", function()
        local signal = signals()
        twice(function()
          local a = net.pair()
          signal.after(0.02, function() error("stop", 0) end)
          assert.equal("stop", raised(socket.select, { a }, nil, timeout or nil))
          signal.after(0.02, function() a:close() end)
          helper.fails("socket.select", "EBADF", socket.select({ a }, nil, timeout or nil))
        end)
      end)

      it("may use the very socket, or collect it", function()
        local signal = signals()
        twice(function()
          local a, b = net.pair()
          a:settimeout(timeout or nil)
          local inner
          signal.after(0.02, function()
            b:send "one"
            inner = a:recv()
            b:send "two"
            collectgarbage()
          end)
          assert.equal("two", a:recv())
          assert.equal("one", inner)
          signal.after(0.02, function()
            local fd = a:detach()
            a:setfd(fd)
            b:send "three"
          end)
          assert.equal("three", a:recv())
          inner = ""
          signal.after(0.02, function()
            b:send "fourfive"
            inner = a:recv(4, "MSG_WAITALL")
          end)
          assert.equal("five", a:recv(4, "MSG_WAITALL"))
          assert.equal("four", inner)
        end)
      end)
    end)
  end

  it("and raises leaves what had come", function()
    local signal = signals()
    twice(function()
      local a, b = net.pair()
      b:send "hello"
      signal.after(0.02, function() error("stop", 0) end)
      assert.equal("stop", raised(a.recv, a, 10, "MSG_WAITALL"))
      assert.equal(a, socket.select({ a }, nil, 0)[1])
      b:send "world"
      assert.equal("helloworld", a:recv(10, "MSG_WAITALL"))
      b:send "hello"
      signal.after(0.02, function() error("stop", 0) end)
      assert.equal("stop", raised(a.recvinto, a, socket.buffer(10), 10, 1, "MSG_WAITALL"))
      assert.equal("he", a:recv(2))
      assert.equal("l", a:recv(1, "MSG_PEEK"))
      -- another socket's receive must not take its place
      local c, d = net.pair()
      d:send "other"
      assert.equal("other", c:recv())
      b:send "world"
      assert.equal("llo", a:recv())
      assert.equal("world", a:recv())
    end)
  end)

  it("and only looks stays where it was", function()
    local signal = signals()
    twice(function()
      local a = net.pair()
      a:settimeout(0.1)
      signal.after(0.02)
      helper.fails("s:recv", "timeout", net.takes(0.1, function()
        signal.after(0.02)
        return a:recv()
      end))
      assert.is_true(signal.idle())
      debug.sethook()
    end)
  end)

  it("does not disturb one that was there before", function()
    local signal = signals()
    local counted, lines = 0, 0
    local function counter() counted = counted + 1 end
    local function liner() lines = lines + 1 end
    local a, b = net.pair()
    local co = coroutine.create(function()
      a:settimeout(0.05)
      net.takes(0.05, function()
        signal.every(0.005)
        return a:recv()
      end)
      assert.is_nil((debug.gethook()))
      debug.sethook(liner, "l")
      a:recv()
      assert.same({ liner, "l", 0 }, { debug.gethook() })
      b:send "x"
      assert.equal("x", a:recv())
      assert.same({ liner, "l", 0 }, { debug.gethook() })
      debug.sethook()
    end)
    debug.sethook(counter, "", 1000)
    local ok, message = coroutine.resume(co)
    local main = { debug.gethook() }
    debug.sethook()
    signal.every(0)
    assert.is_true(ok, message)
    assert.same({ counter, "", 1000 }, main)
    assert.is_true(lines > 3)
  end)

  it("and a coroutine's own hook come to no harm from each other", function()
    local signal = signals()
    local a = net.pair()
    local lines = 0
    local co = coroutine.create(function()
      debug.sethook(function() lines = lines + 1 end, "l")
      a:settimeout(1)
      signal.after(0.02, function() error("stop", 0) end)
      assert.equal("stop", raised(a.recv, a))
      assert.equal("l", select(2, debug.gethook()))
      debug.sethook()
    end)
    local ok, message = coroutine.resume(co)
    assert.is_true(ok, message)
    assert.is_true(lines > 1)
    assert.is_nil((debug.gethook()))
  end)
end)

describe("Ctrl-C #process", function()
  --- What waits, after `local a, b = socket.socketpair()`; `again` shows that the socket is usable.
  local waits = {
    { "recv", "a:recv()", "b:send 'hi' assert(a:recv() == 'hi')" },
    { "recv under a timeout", "a:settimeout(60) a:recv()", "b:send 'hi' assert(a:recv() == 'hi')" },
    { "recv with MSG_WAITALL", "b:send 'he' a:recv(4, 'MSG_WAITALL')",
      "b:send 'y!' assert(a:recv(4, 'MSG_WAITALL') == 'hey!')" },
    { "recvinto", "a:recvinto(socket.buffer(9))", "b:send 'hi' assert(a:recvinto(socket.buffer(9)) == 2)" },
    { "recvfrom", "a:recvfrom()", "b:send 'hi' assert(a:recvfrom() == 'hi')" },
    { "send", "repeat a:send(('x'):rep(100000)) until false", "b:recv(1 << 20) assert(a:send 'x' == 1)" },
    { "sendall", "a:sendall(('x'):rep(1 << 24))", "b:recv(1 << 20) assert(a:send 'x' == 1)" },
    { "accept", "l:accept()", "c:connect(l:getsockname()) assert(l:accept()):close()" },
    { "accept under a timeout", "l:settimeout(60) l:accept()",
      "c:connect(l:getsockname()) assert(l:accept()):close()" },
    { "a server's loop", "for s in l:clients() do end", "c:connect(l:getsockname()) assert(l:accept()):close()" },
    { "connect", "full(c, l)", "drain(l) assert(c:connect(l:getsockname()) == c)" },
    { "connect under a timeout", "c:settimeout(60) full(c, l)", "drain(l) assert(c:connect(l:getsockname()) == c)" },
    { "socket.connect", "full(nil, l)", "drain(l) assert(socket.connect(l:getsockname())):close()" },
    { "select", "socket.select({a})", "b:send 'hi' assert(socket.select({a})[1] == a)" },
    { "select under a timeout", "socket.select({a}, nil, 60)", "b:send 'hi' assert(socket.select({a})[1] == a)" },
  }

  for _, wait in ipairs(waits) do
    it("ends " .. wait[1] .. " with interrupted!, in a coroutine, too", function()
      local children = {}
      for i, where in ipairs { "pcall", "coroutine.wrap(pcall)" } do
        children[i] = net.keep(net.child(([[
          local others = {}
          local function full(c, l) -- connects where nobody answers, the queue being full
            l:listen(0)
            for i = 1, 4 do
              others[i] = socket.socket()
              others[i]:settimeout(0)
              others[i]:connect(l:getsockname())
            end
            if c then return c:connect(l:getsockname()) end
            return socket.connect(l:getsockname())
          end
          local function drain(l)
            l:settimeout(0)
            for i = 1, 4 do
              others[i]:close()
              l:accept()
            end
            l:listen(100)
            l:settimeout(nil)
          end
          local a, b = socket.socketpair()
          local l <close> = assert(socket.socket():bind("127.0.0.1", 0)):listen()
          local c = socket.socket()
          print "now"
          print(%s(function() %s end))
          for _, s in ipairs { a, b, l, c } do s:settimeout(20) end
          %s
          print "usable"
        ]]):format(where, wait[2], wait[3])))
      end
      for _, child in ipairs(children) do
        assert.equal("now", child:line())
        child:asleep()
        child:signal "INT"
      end
      for _, child in ipairs(children) do
        assert.match("^false\t[^\n]*interrupted!\nusable\n$", (child:rest()))
      end
    end)
  end
end)

describe("Ctrl-C while a coroutine computes #process", function()
  for _, call in ipairs { "a:recv()", "a:settimeout(60) a:recv()", "socket.select({a})", "b:accept()" } do
    it("ends its next call: " .. call, function()
      local child <close> = net.child(([[
        local a, c = socket.socketpair()
        local b = socket.socket():listen()
        print(coroutine.wrap(pcall)(function()
          io.popen("kill -INT $PPID"):close()
          %s
        end))
        c:send "hi"
        print(a:recv())
      ]]):format(call))
      assert.match("^false\t[^\n]*interrupted!\nhi\n$", (child:rest()))
    end)
  end
end)

describe("Ctrl-C while a coroutine computes, and a socket has something to flush #process", function()
  it("ends its next call, which has not been made then", function()
    local child <close> = net.child [[
      local a, b = socket.socketpair()
      a:setvbuf "full"
      a:write "kept"
      print(coroutine.wrap(pcall)(function()
        io.popen("kill -INT $PPID"):close()
        b:recv()
      end))
      a:flush()
      print(b:recv())
    ]]
    assert.match("^false\t[^\n]*interrupted!\nkept\n$", (child:rest()))
  end)
end)

describe("a call is one system call #strace #process", function()
  it("when data or room is there, whatever the timeout", function()
    assert.same({
      "sendto", "recvfrom", "sendto", "recvfrom", "recvfrom", "recvmsg",
      "sendto", "setsockopt recvfrom", "sendto", "recvfrom", "recvfrom", "recvmsg",
      "sendto", "recvfrom", "sendto", "recvfrom", "recvfrom", "recvmsg",
      "sendto", "recvfrom", "sendto", "recvfrom", "recvfrom", "recvmsg",
    }, trace [[
      local a, b = socket.socketpair()
      local buf = socket.buffer(10)
      local function call(s, name, ...)
        begin()
        assert(s[name](s, ...))
        done()
      end
      for _, timeout in ipairs { false, 1, 0.1, 0 } do
        a:settimeout(timeout or nil)
        b:settimeout(timeout or nil)
        call(a, "send", "x")
        call(b, "recv")
        call(a, "sendall", "x")
        call(b, "recv", 1, "MSG_WAITALL")
        a:send "x"
        call(b, "recvinto", buf)
        a:send "x"
        call(b, "recvfrom")
      end
    ]])
  end)

  it("to accept and to connect, but for what makes them patient", function()
    assert.same({
      "connect", "accept4", "connect", "accept4",
      "fcntl fcntl accept4", "connect", "accept4",
    }, trace [[
      local function call(s, name, ...)
        begin()
        local result = assert(s[name](s, ...))
        done()
        return result
      end
      local l = assert(socket.listen("127.0.0.1", 0))
      local to = l:getsockname()
      for i = 1, 2 do
        local s = socket.socket()
        call(s, "connect", to)
        call(l, "accept")
      end
      l:settimeout(5)
      local s = socket.socket()
      s:settimeout(5)
      s:connect(to) -- takes some more
      call(l, "accept")
      s = socket.socket()
      call(s, "connect", to)
      call(l, "accept")
    ]])
  end)

  it("to receive what comes later, without a timeout or within seven eighths of one", function()
    local here = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    local peer
    local expected = table.concat({
      "recvfrom", "setsockopt recvfrom", "recvfrom", "recvfrom",
      "recvfrom poll recvfrom", -- a short timeout
      "recvfrom setsockopt poll recvfrom", -- after a timeout, none: once the kernel has to be told
      "recvfrom",
    }, ", ")
    net.sometime(function() -- what comes before it is waited for, or too late, makes other calls
      local made = table.concat(trace([[
        local s = socket.socket("AF_INET", "SOCK_DGRAM"):bind("127.0.0.1", 0)
        s:connect("127.0.0.1", arg[1])
        s:send "hello"
        for i, timeout in ipairs { false, 2, 2, 2, 0.2, false, false } do
          if i == 6 then
            s:settimeout(0.25)
            s:recv()
          end
          s:settimeout(timeout or nil)
          local receive = i == 4 and s.recvfrom or s.recv
          begin()
          receive(s)
          done()
        end
      ]], function(n)
        if n == 1 then peer = select(2, here:recvfrom()) end
        socket.select(nil, nil, n == 6 and 0.4 or 0.1) -- the kernel still has that quarter of a second
        here:sendto("x", peer)
      end, here:getsockname().port), ", ")
      return made == expected, made
    end, 4)
  end)
end)
