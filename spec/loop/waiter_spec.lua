-- socket.setwaiter: another scheduler's coroutines wait in our calls. The real ones are in spec/loop/bridge_spec.lua.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local scheduler = require "spec.support.scheduler"

--- An isopen for numbers.
local function isopen(fd) return (select(3, socket.select({fd}, nil, 0))) ~= "EBADF" end

--- There are so many descriptors again. A look-up that was given up may go on for a moment in its thread.
local function again(count)
  for _ = 1, 100 do
    if helper.descriptors() == count then return end
    socket.select(nil, nil, 0.01)
  end
  assert.equal(count, helper.descriptors())
end

--- f(...) in a coroutine of its own that nobody resumes when it yields: its results.
local function inside(f, ...)
  local co = coroutine.create(f)
  local results = table.pack(coroutine.resume(co, ...))
  if not results[1] then
    coroutine.close(co)
    error(results[2], 0)
  end
  assert.equal("dead", coroutine.status(co))
  return table.unpack(results, 2, results.n)
end

describe("setwaiter", function()
  local a, b, s

  before_each(function()
    a, b = net.pair()
    s = scheduler()
  end)

  after_each(function()
    socket.setwaiter(nil)
    net.close()
    a, b, s = nil, nil, nil
  end)

  it("takes a function and perhaps another, or nil", function()
    local function f() end
    assert.equal(0, select("#", socket.setwaiter(f)))
    assert.equal(0, select("#", socket.setwaiter(f, f)))
    assert.equal(0, select("#", socket.setwaiter(f, nil)))
    assert.equal(0, select("#", socket.setwaiter(nil)))
    assert.equal(0, select("#", socket.setwaiter(nil, nil)))
    helper.raises("socket.setwaiter", "bad argument #1 to '[%a.]*setwaiter' %(function expected, got number%)",
      socket.setwaiter, 1)
    helper.raises("socket.setwaiter", "bad argument #1 to '[%a.]*setwaiter' %(function expected, got no value%)",
      socket.setwaiter)
    helper.raises("socket.setwaiter", "bad argument #2 to '[%a.]*setwaiter' %(function expected, got table%)",
      socket.setwaiter, f, {})
  end)

  describe("has the calling coroutine alone wait in", function()
    --- f(...) waits until g has run; gives its results.
    local function waits(f, g)
      socket.setwaiter(s.wait, s.wake)
      local results
      s.spawn(function() results = table.pack(f()) end)
      assert.is_nil(results, "it did not wait")
      assert.equal(1, #s.asked)
      s.spawn(g)
      s.run()
      return table.unpack(results, 1, results.n)
    end

    it("recv", function()
      assert.equal("hi", waits(function() return a:recv() end, function() b:sendall "hi" end))
      assert.same({a, "r", nil}, {s.asked[1].object, s.asked[1].events, s.asked[1].timeout})
    end)

    it("recvfrom and recvmsg", function()
      local sender, receiver = net.udp()
      assert.equal("x", (waits(function() return receiver:recvfrom() end, function() sender:send "x" end)))
      s.asked = {}
      assert.equal("y", waits(function() return receiver:recvmsg() end, function() sender:send "y" end).data)
    end)

    it("sendall", function()
      local total = net.fill(a)
      local sent = waits(function() return a:sendall(("x"):rep(100000)) end, function()
        assert.equal(total + 100000, #b:recv(total + 100000, "MSG_WAITALL"))
      end)
      assert.equal(100000, sent)
      assert.equal("w", s.asked[1].events)
    end)

    it("accept, and then connect", function()
      local server = net.keep(assert(socket.listen("127.0.0.1", 0)))
      local client
      local conn, address = waits(function() return server:accept() end, function()
        client = net.keep(assert(socket.connect(server:getsockname())))
      end)
      net.keep(conn)
      assert.equal(client:getsockname(), address)
    end)

    it("connect", function()
      local server = net.keep(assert(socket.listen("127.0.0.1", 0)))
      local client = net.keep(assert(socket.socket()))
      -- a name, so that there is something to wait for wherever the kernel connects at once
      assert.equal(client, waits(function() return client:connect("localhost", server:getsockname().port) end,
        function() end))
      assert.equal(server:getsockname(), client:getpeername())
    end)

    it("lines, read and chunks", function()
      local list = {}
      waits(function()
        for line in a:lines() do list[#list + 1] = line end
      end, function()
        for _, text in ipairs {"on", "e\ntw", "o\nthree"} do b:sendall(text) end
        b:shutdown "SHUT_WR"
      end)
      assert.same({"one", "two", "three"}, list)
      s.asked = {}
      a, b = net.pair()
      assert.equal("abcd", waits(function() return a:read(4) end, function() b:sendall "abcd" end))
      s.asked = {}
      assert.equal("abcd", waits(function() return a:chunks()() end, function() b:sendall "abcd" end))
    end)

    it("select", function()
      local readable, writable = waits(function() return socket.select({a, b}, nil) end,
        function() b:sendall "x" end)
      assert.same({{a, [a] = 1}, {}}, {readable, writable})
      assert.same(helper.engine() == "poll" and 0 or 1, #s.woken) -- its own descriptor
    end)

    it("a select with a poller in it, wherever in the lists: for all of them, by one descriptor", function()
      local p <close> = assert(socket.poller())
      if not p:fileno() then return end
      for _, readers in ipairs {{a, p}, {p, a}} do
        s.asked = {}
        local readable = waits(function() return socket.select(readers, nil) end, function() b:sendall "x" end)
        assert.same({a, [a] = 1}, readable)
        assert.equal(1, #s.asked)
        assert.is_true(p ~= s.asked[1].object)
        assert.equal("x", a:recv())
      end
    end)

    it("p:wait", function()
      local p <close> = assert(socket.poller())
      p:add(a, "r")
      local list = {}
      waits(function()
        for what, events in p:wait() do list[#list + 1] = {what, events} end
      end, function() b:sendall "x" end)
      assert.same({{a, "r"}}, list)
      if p:fileno() then assert.equal(p, s.asked[1].object) end
    end)

    it("getaddrinfo and getnameinfo, which helper threads do", function()
      local list = waits(function() return socket.getaddrinfo("localhost", 80) end, function() end)
      assert.equal(80, list[1].address.port)
      assert.equal("userdata", type(s.asked[1].object))
      assert.is_nil(s.asked[1].object:fileno())
      s.asked = {}
      assert.is_truthy(waits(function() return socket.getnameinfo(socket.address("AF_INET", "127.0.0.1", 1)) end,
        function() end))
    end)

    it("socket.connect, from the name to the last of its addresses", function()
      local server = net.keep(assert(socket.listen("127.0.0.1", 0)))
      local client = waits(function() return socket.connect("localhost", server:getsockname().port) end,
        function() end)
      assert.equal(server:getsockname(), net.keep(client):getpeername())
    end)

    it("clients", function()
      local server = net.keep(assert(socket.listen("127.0.0.1", 0)))
      local count = 0
      waits(function()
        for conn in server:clients() do
          conn:close()
          count = count + 1
          if count == 2 then break end
        end
      end, function()
        for _ = 1, 2 do net.keep(assert(socket.connect(server:getsockname()))) end
      end)
      assert.equal(2, count)
    end)

    it("a receiving call that flushes, for either direction", function()
      a:setvbuf("full", 1 << 20)
      net.fill(a)
      a:write "tail"
      waits(function() return a:recv() end, function() b:sendall "x" end)
      assert.equal("rw", s.asked[1].events)
      b:close() -- else a:close would flush
    end)
  end)

  it("is not asked where a call need not wait, nor under timeout 0", function()
    socket.setwaiter(error)
    b:sendall "x"
    assert.equal("x", inside(a.recv, a))
    a:settimeout(0)
    helper.fails("s:recv", "EAGAIN", inside(a.recv, a))
  end)

  it("is not asked outside of coroutines, nor where Lua cannot yield", function()
    socket.setwaiter(error)
    a:settimeout(0.001)
    helper.fails("s:recv", "timeout", a:recv())
    inside(function()
      table.sort({1, 2}, function(x, y)
        helper.fails("s:recv", "timeout", a:recv())
        return x < y
      end)
    end)
  end)

  it("is not asked in a task of bsdsocket.loop", function()
    local loop = require "bsdsocket.loop"
    socket.setwaiter(error)
    loop.run(function()
      loop.spawn(function() b:sendall "x" end)
      assert.equal("x", a:recv())
    end)
  end)

  it("can be taken back, even while calls wait", function()
    socket.setwaiter(s.wait, s.wake)
    local before = helper.descriptors()
    a:settimeout(0.05)
    local co = s.spawn(function() helper.fails("s:recv", "timeout", a:recv()) end)
    socket.setwaiter(nil)
    assert.equal(before - 1, helper.descriptors())
    assert(coroutine.resume(co, false)) -- it blocks now
    assert.equal("dead", coroutine.status(co))
    b:sendall "y"
    assert.equal("y", inside(a.recv, a))
    assert.equal(1, #s.asked)
  end)

  describe("gets the time that is left", function()
    it("and the call ends with 'timeout', not early, and not late", function()
      socket.setwaiter(s.wait, s.wake)
      a:settimeout(0.05)
      net.sometime(function()
        net.takes(0.05, function()
          s.spawn(function() helper.fails("s:recv", "timeout", a:recv()) end)
          s.run()
        end)
        local timeout = s.asked[#s.asked].timeout
        assert(timeout <= 0.05, timeout)
        return timeout > 0.04, timeout
      end)
      b:sendall "x"
      assert.equal("x", inside(a.recv, a))
    end)

    it("in one call that waits several times, too", function()
      socket.setwaiter(s.wait, s.wake)
      a:settimeout(0.05)
      net.sometime(function()
        s.asked = {}
        s.spawn(function() helper.fails("s:read", "timeout", a:read(a:pending() + 100)) end)
        b:sendall "x"
        s.run()
        return #s.asked >= 2
      end)
      for i = 2, #s.asked do assert(s.asked[i].timeout < s.asked[i - 1].timeout) end
      assert.match("^x+$", inside(a.recv, a))
    end)

    it("until a select that there is no descriptor left for looks again", function()
      local output = process.confined(20, [[
        local a, b = socket.socketpair()
        local asked = {}
        socket.setwaiter(function(_, events, timeout)
          asked[#asked + 1] = events .. timeout
          return coroutine.yield()
        end)
        local full = {}
        fill(full)
        local selecting = coroutine.wrap(function() return #socket.select({a}, nil, 5) end)
        selecting()
        selecting(false)
        b:send "x"
        print(selecting(false), table.unpack(asked))
      ]])
      assert.equal("1\tr0.001\tr0.002\n", output)
    end)

    it("until a listening socket rests no more, though there are no descriptors", function()
      local output = process.confined(20, [[
        local server = socket.listen("127.0.0.1", 0)
        local clients = {socket.connect(server:getsockname()), socket.connect(server:getsockname())}
        local asked = {}
        socket.setwaiter(function(object, events, timeout)
          asked[#asked + 1] = object:fileno() .. events .. timeout
          return coroutine.yield()
        end)
        local full = {}
        fill(full)
        local co = coroutine.create(function()
          for conn in server:clients() do return conn end
        end)
        print(coroutine.resume(co))
        print(#asked, (asked[1]:gsub("^%d+", "FD")))
        full[1]:close()
        local ok, conn = coroutine.resume(co, false)
        print(ok, conn ~= nil)
        socket.setwaiter(function() conn:close() end)
        print(coroutine.wrap(function()
          for conn in server:clients() do return conn ~= nil and #clients == 2 end
        end)())
      ]])
      assert.equal("true\n1\tFDr0.1\ntrue\ttrue\ntrue\n", output)
    end)
  end)

  describe("has a function wake", function()
    it("that is told of what is closed, before: whoever waits gets EBADF", function()
      local open = {}
      socket.setwaiter(s.wait, function(object)
        open[object] = isopen(object:fileno())
        return s.wake(object)
      end)
      s.spawn(function() helper.fails("s:recv", "EBADF", a:recv()) end)
      s.spawn(function() assert(a:close()) end)
      s.run()
      assert.same({[a] = true}, open)
      b:close() -- was never waited for
      assert.same({[a] = true}, open)
    end)

    it("that is told of what is given up", function()
      socket.setwaiter(s.wait, s.wake)
      s.spawn(function() helper.fails("s:recv", "EBADF", a:recv()) end)
      local fd = assert(a:detach())
      s.run()
      assert.same({fd}, s.woken)
      net.keep(assert(socket.fromfd(fd)))
    end)

    it("that is told of a poller, and of what the collector closes", function()
      socket.setwaiter(s.wait, s.wake)
      local p = assert(socket.poller())
      local fd = p:fileno()
      s.spawn(function() helper.fails("p:wait", "EBADF", p:wait()) end)
      p:close()
      s.run()
      assert.same({fd}, s.woken)
      local c, d = assert(socket.socketpair())
      fd = c:fileno()
      c:settimeout(0.001)
      s.spawn(function() c:recv() end)
      s.run()
      c, s.asked = nil, {}
      collectgarbage()
      collectgarbage()
      assert.is_nil(c)
      assert.equal(fd, s.woken[#s.woken])
      d:close()
    end)

    it("that is told of the descriptors of look-ups and of select, however they end", function()
      local open = {}
      socket.setwaiter(s.wait, function(object) open[#open + 1] = isopen(object:fileno()) end)
      local function lookup() return socket.getaddrinfo("localhost", 80) end
      local function some() return socket.select({a}, nil) end
      s.spawn(lookup)
      s.run()
      assert.same({true}, open)
      socket.setwaiter(coroutine.yield, function(object) open[#open + 1] = isopen(object:fileno()) end)
      local told = {true}
      for _, f in ipairs {lookup, helper.engine() ~= "poll" and some or nil} do
        assert(coroutine.close(s.spawn(f)))
        told[#told + 1] = true
        assert.same(told, open)
        coroutine.wrap(f)()
        collectgarbage()
        collectgarbage()
        told[#told + 1] = true
        assert.same(told, open)
      end
    end)

    it("that is told once of what a sendfile has waited for, however that ended", function()
      local told = {}
      socket.setwaiter(coroutine.yield, function(object) told[#told + 1] = object:fileno() or "closed" end)
      local from = net.pair()
      local fds = {from:fileno(), a:fileno(), b:fileno()}
      assert(coroutine.close(s.spawn(function() a:sendfile(from) end)))
      assert(coroutine.close(s.spawn(function() b:recv() end)))
      for _, each in ipairs {from, a, b} do assert(each:close()) end
      assert.same(fds, told)
    end)

    it("whose errors are warnings", function()
      local said = {}
      local output = helper.lua("-W", "-e", [[
        local socket = require "bsdsocket"
        local a, b = socket.socketpair()
        socket.setwaiter(function() coroutine.yield() end, function() error("no wake", 0) end)
        local co = coroutine.create(function() print(a:recv()) end)
        coroutine.resume(co)
        print(a:close(), a:fileno())
        coroutine.resume(co, true)
      ]])
      for line in output:gmatch "[^\n]+" do said[#said + 1] = line end
      assert.same({"Lua warning: bsdsocket: error in the function wake of setwaiter: no wake", "true\tnil",
        "nil\trecv: Bad file descriptor\tEBADF"}, {said[1], said[2], said[3]})
    end)

    it("that may do anything to the socket", function()
      local count = 0
      for _, f in ipairs {
        function(object)
          count = count + 1
          object:close()
        end,
        function(object) object:detach() end,
        function(object) object:setfd(-1) end, function(object) object:recv() end, coroutine.yield, error,
      } do
        local c, d = assert(socket.socketpair())
        local fd = c:fileno()
        socket.setwaiter(function() return coroutine.yield() end, f)
        local co = coroutine.create(c.recv)
        c:settimeout(0.001)
        assert(coroutine.resume(co, c))
        c:close()
        assert.is_nil(c:fileno())
        local ok, result, _, code = coroutine.resume(co, true)
        assert.same({true, nil, "EBADF"}, {ok, result, code})
        socket.setwaiter(nil)
        if isopen(fd) then assert(socket.fromfd(fd)):close() end -- given up
        d:close()
      end
      assert.equal(1, count)
    end)
  end)

  describe("bears a function that", function()
    it("raises: so does the call, and all is left as it was", function()
      local before = helper.descriptors()
      local err = {}
      socket.setwaiter(function() error(err) end)
      for _, f in ipairs {
        function() a:recv() end, function() socket.select({a}, nil) end,
        function() socket.getaddrinfo("localhost", 80) end, function() a:sendall(("x"):rep(1 << 22)) end,
      } do
        local ok, raised = pcall(inside, f)
        assert.is_false(ok)
        assert.equal(err, raised)
      end
      socket.setwaiter(nil)
      again(before)
      b:sendall "x"
      assert.equal("x", inside(a.recv, a))
    end)

    it("answers nil: the thread blocks, under the call's own timeout", function()
      local asked = 0
      local server = net.keep(assert(socket.listen("127.0.0.1", 0)))
      socket.setwaiter(function() asked = asked + 1 end)
      a:settimeout(0.05)
      net.takes(0.05, function() helper.fails("s:recv", "timeout", inside(a.recv, a)) end)
      server:settimeout(0.01)
      helper.fails("s:accept", "timeout", inside(server.accept, server))
      server:settimeout(nil)
      a:settimeout(nil)
      local child = net.child([[
        assert(socket.connect("127.0.0.1", tonumber(arg[1]))):sendall "x"
      ]], server:getsockname().port)
      assert.equal("x", net.keep(inside(server.accept, server)):recv())
      assert.equal(80, inside(socket.getaddrinfo, "localhost", 80)[1].address.port)
      local start = socket.monotime()
      assert.same({{}, {}}, {inside(socket.select, {a}, nil, 0.01)})
      assert(socket.monotime() - start >= 0.01)
      assert(asked >= 3, asked) -- who comes, and the name, may have been there before
      child:close()
    end)

    it("says long before that the time is over: the call believes it, if nothing has come", function()
      local count = 0
      socket.setwaiter(function()
        count = count + 1
        return false
      end)
      a:settimeout(60)
      helper.fails("s:recv", "timeout", inside(a.recv, a))
      assert.equal(1, count)
      if helper.engine() ~= "poll" then -- there a select only has rests
        assert.same({{}, {}}, {inside(socket.select, {a}, nil, 60)})
        assert.equal(2, count)
      end
      socket.setwaiter(function()
        b:sendall "x"
        return false
      end)
      assert.equal("x", inside(a.recv, a))
    end)

    it("answers a little early, or in vain, again and again: the call waits on, until its deadline", function()
      for _, answer in ipairs {false, true, "junk", 0} do
        socket.setwaiter(function() return answer end)
        a:settimeout(0.015)
        local start = socket.monotime()
        helper.fails("s:recv", "timeout", inside(a.recv, a))
        assert(socket.monotime() - start >= 0.015)
        local count = 0
        socket.setwaiter(function()
          count = count + 1
          if count == 20000 then b:sendall "x" end
          return answer
        end)
        a:settimeout(nil)
        assert.equal("x", inside(a.recv, a))
      end
    end)

    it("is told in vain that the socket is ready: it is not asked thousands of times", function()
      socket.setwaiter(function(object, ...)
        if object ~= a then return s.wait(object, ...) end
        s.asked[#s.asked + 1] = {}
        return true
      end, s.wake)
      a:settimeout(0.1)
      s.spawn(function() helper.fails("s:recv", "timeout", a:recv()) end)
      s.run()
      assert(#s.asked < 100, #s.asked)
    end)

    it("lets no interrupt wait while it answers", function()
      for _, answer in ipairs {"nil", "false"} do
        local child <close> = net.child([[
          local a, b = socket.socketpair()
          local function wait() return ]] .. answer .. [[ end
          socket.setwaiter(function() print "asked" socket.setwaiter(wait) return wait() end)
          local co = coroutine.create(function() return a:recv() end)
          print(coroutine.resume(co))
          b:sendall "x"
          print(a:recv())
        ]])
        assert.equal("asked", child:line())
        if answer == "nil" then child:asleep() end
        child:signal "INT"
        local text = child:rest()
        assert.match("^false\t[^\n]*interrupted!\nx\n$", text)
      end
    end)

    it("closes the socket", function()
      for _, answer in ipairs {true, false, "nil"} do
        local c = net.pair()
        socket.setwaiter(function(object)
          object:close()
          if answer ~= "nil" then return answer end
        end, function() end)
        helper.fails("s:recv", "EBADF", inside(c.recv, c))
      end
    end)

    it("calls on the same socket: whoever came first is to receive", function()
      local codes = {}
      socket.setwaiter(function()
        b:sendall "hi"
        codes[1], codes[2] = select(3, a:recv(1)), select(3, a:read(1))
        assert(a:send "sent beside it")
        return true
      end)
      assert.equal("hi", inside(a.recv, a))
      assert.same({"EBUSY", "EBUSY"}, codes)
      assert.equal("sent beside it", b:recv())
    end)

    it("calls on the same socket without an end", function()
      socket.setwaiter(function() return socket.select({a}) end)
      local ok, err = pcall(inside, a.recv, a)
      assert.is_false(ok)
      assert.match("stack overflow", tostring(err))
      local codes = {}
      socket.setwaiter(function()
        codes[#codes + 1] = select(3, a:recv())
        return false
      end)
      a:settimeout(0.001)
      helper.fails("s:recv", "timeout", inside(a.recv, a))
      assert.equal("EBUSY", codes[1])
      b:sendall "x"
      assert.equal("x", inside(a.recv, a))
    end)

    it("yields and is never resumed", function()
      local before = helper.descriptors()
      socket.setwaiter(coroutine.yield)
      for _, f in ipairs {
        function() a:recv() end, function() socket.select({a}, nil) end,
        function() socket.getaddrinfo("localhost", 80) end,
      } do
        coroutine.wrap(f)()
        local co = coroutine.create(f)
        coroutine.resume(co)
        assert(coroutine.close(co))
      end
      collectgarbage()
      collectgarbage()
      socket.setwaiter(nil)
      again(before)
    end)
  end)

  it("gives the others their turn while a call goes on and on", function()
    local client, server = net.tcp()
    local asked = {}
    socket.setwaiter(function(_, _, timeout)
      asked[#asked + 1] = timeout
      return coroutine.yield()
    end)
    local pieces = {}
    for i = 1, 100 * 1024 do pieces[i] = "x" end -- a system call takes 1024 of them
    local co = coroutine.create(function() return client:write(table.unpack(pieces)) end)
    coroutine.resume(co)
    assert.same({0}, asked)
    assert.same({true, client}, {coroutine.resume(co, true)})
    assert.equal(#pieces, #server:read(#pieces))
  end)
end)
