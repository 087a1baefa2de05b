-- How a call's hold on a socket ends, and what is known of the socket afterwards: by another's close, by a coroutine
-- that somebody closes or the collector finds, by an error, by the end of a scheduler; and the two sockets of one
-- sendfile.
local build = require "fault.build"
local drivers = require "spec.support.drivers"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local scheduler = require "spec.support.scheduler"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)
after_each(function() socket.setwaiter(nil) end)

local SIZE = 1 << 21 -- more than any socket takes at once

-- Between the end of a coroutine and that of its call there is time, in which others ask who has the socket.
local FORGOTTEN = [[
  local socket = require "bsdsocket"
  local list = {}
  socket.setwaiter(coroutine.yield)
  for i = 1, 20 do list[i] = assert(socket.socketpair()) end
  collectgarbage()
  collectgarbage("incremental", 1000, 4, 2)
  for _, s in ipairs(list) do
    assert(coroutine.resume(coroutine.create(function() return s:recv() end)))
  end
  for _ = 1, 100000 do
    collectgarbage("step", 0)
    local free = 0
    for _, s in ipairs(list) do
      local _, _, code = s:recv(1, "MSG_PEEK|MSG_DONTWAIT")
      if code ~= "EBUSY" then free = free + 1 end
    end
    if free == #list then return end
  end
  error "never"
]]

local function installed()
  local s = scheduler()
  socket.setwaiter(s.wait, s.wake)
  return s
end

--- What the socket takes without waiting.
local function fill(s)
  local n = 0
  assert(s:settimeout(0))
  while true do
    local sent = s:send(("z"):rep(10000))
    if not sent then break end
    n = n + sent
  end
  assert(s:settimeout(nil))
  return n
end

local function receive(s, n)
  while n > 0 do n = n - #assert(s:recv(n)) end
end

for _, driver in ipairs(drivers) do
  local spawn, join, settle = driver.spawn, driver.join, driver.settle

  describe(driver.name, function()
    for _, family in ipairs { { "a unix socket", net.pair }, { "TCP", net.tcp } } do
      it("over " .. family[1] .. " a receive goes on with what another's read(0) has read ahead", function()
        for _, f in ipairs {
          function(s) return s:recv(10) end, function(s) return s:read(1) end,
          function(s) return s:recv(1, "MSG_PEEK") end, function(s) return s:recvmsg().data end,
        } do
          local a, b = family[2]()
          driver.run(function()
            local first = spawn(f, a)
            settle()
            assert(b:send "x")
            assert.equal("", a:read(0))
            assert.equal("x", join(first))
          end)
        end
      end)

      it("over " .. family[1] .. " a read takes what is there after one that waited for SO_RCVLOWAT", function()
        local a, b = family[2]()
        assert(a:setsockopt("SO_RCVLOWAT", 10))
        driver.run(function()
          local first = spawn(a.recv, a)
          settle()
          assert(b:send "hello")
          settle()
          driver.cancel(first)
          local second = spawn(a.recv, a)
          settle()
          driver.cancel(second)
          assert.equal("hel", a:read(3))
        end)
      end)
    end

    it("sendfile waits for the socket that it has to wait for: first the one, then the other", function()
      local from, feed = net.pair()
      local to, sink = net.pair()
      local n = fill(to)
      assert(feed:send(("x"):rep(1000)))
      driver.run(function()
        local sender = spawn(to.sendfile, to, from, nil, 3000)
        settle()
        receive(sink, n + 1000)
        settle()
        assert(feed:send(("x"):rep(1000)))
        receive(sink, 1000)
        settle()
        n = fill(sink)
        assert(feed:send(("x"):rep(1000)))
        receive(sink, 1000)
        assert.equal(3000, join(sender))
        receive(to, n)
      end)
    end)

    it("read asks for the end of the stream anew when more has come", function()
      local a, b = net.pair()
      driver.run(function()
        local reader = spawn(a.read, a, 0, 5, 0)
        settle()
        assert(b:send "12345")
        assert(b:shutdown "SHUT_WR")
        assert.same({ "", "12345" }, { join(reader) })
      end)
    end)
  end)
end

describe("a task whose coroutine was closed by hand", function()
  it("receives no more: another can", function()
    local a, b = net.pair()
    tasks.run(function()
      local co
      local task = loop.spawn(pcall, function()
        co = coroutine.running()
        return a:recv()
      end)
      tasks.settle()
      assert.is_true(coroutine.close(co))
      assert(b:send "x")
      assert.equal("x", a:recv())
      assert.is_false((task:join()))
    end)
  end)

  it("sends no more: who stands behind it goes on", function()
    local a, b = net.pair()
    tasks.run(function()
      local cos, list = {}, {}
      for i = 1, 2 do
        list[i] = loop.spawn(pcall, function()
          cos[i] = coroutine.running()
          return a:sendall(("A"):rep(SIZE))
        end)
      end
      tasks.settle()
      local third = loop.spawn(a.sendall, a, "end")
      tasks.settle()
      for i = 1, 2 do assert.is_true(coroutine.close(cos[i])) end
      local got = ""
      while got:sub(-3) ~= "end" do got = assert(b:recv()) end
      assert.equal(3, tasks.join(third))
      for i = 1, 2 do assert.is_false((list[i]:join())) end
    end)
  end)
end)

it("what a read found too little counts as readable when a part of it was received", function()
    local a, b = net.pair()
    local p = net.keep(assert(socket.poller()))
    assert(p:add(a, "r"))
    tasks.run(function()
      assert(b:send "half")
      a:settimeout(0)
      helper.fails("s:read", "EAGAIN", a:read())
      assert.same({}, (socket.select({ a }, {}, 0)))
      local watcher = loop.spawn(socket.select, { a }, {})
      tasks.settle()
      assert.equal("ha", a:recv(2))
      assert.equal(a, (tasks.join(watcher))[1])
      assert.equal("lf", a:recv())
    end)
  end)

describe("under setwaiter", function()
  it("a closed socket is EBADF to others, though a call of it has not ended yet", function()
    local s = installed()
    local a = net.pair()
    local results = {}
    s.spawn(function() results[1] = table.pack(a:sendall(("A"):rep(SIZE))) end)
    s.spawn(function() results[2] = table.pack(a:recv()) end)
    assert.is_true(a:close())
    helper.fails("s:send", "EBADF", a:send "x")
    helper.fails("s:recv", "EBADF", a:recv())
    loop.run(function()
      helper.fails("s:send", "EBADF", a:send "x")
      helper.fails("s:recv", "EBADF", a:recv())
    end)
    s.spawn(function()
      helper.fails("s:send", "EBADF", a:send "x")
      helper.fails("s:recv", "EBADF", a:recv())
    end)
    s.run()
    assert.equal("EBADF", results[1][3])
    assert.equal("EBADF", results[2][3])
  end)

  it("nobody comes between a call and its bytes when the scheduler is taken away", function()
    local s = installed()
    local a, b = net.pair()
    local sent, got
    s.spawn(function() sent = a:sendall(("A"):rep(SIZE)) end)
    s.spawn(function() got = a:read(10) end)
    assert(b:send "12345")
    socket.setwaiter(nil)
    receive(b, 1000)
    helper.fails("s:send", "EBUSY", a:send "B")
    helper.fails("s:recv", "EBUSY", a:recv(1))
    socket.setwaiter(s.wait, s.wake)
    assert(b:send "67890")
    s.spawn(function() receive(b, SIZE - 1000) end)
    s.run()
    assert.equal(SIZE, sent)
    assert.equal("1234567890", got)
    socket.setwaiter(nil)
    assert.equal(1, a:send "B")
  end)

  it("the turn passes by a coroutine that an error has ended", function()
    local s = installed()
    local a, b = net.pair()
    local fails = {}
    socket.setwaiter(function(...)
      local ready = s.wait(...)
      if fails[coroutine.running()] then error("not any more", 0) end
      return ready
    end, s.wake)
    local first, third
    s.spawn(function() first = a:sendall(("A"):rep(SIZE)) end)
    local dead = coroutine.create(function() a:sendall "BBBB" end)
    assert(coroutine.resume(dead))
    s.spawn(function() third = a:sendall "CCCC" end)
    fails[dead] = true
    assert.is_false((coroutine.resume(dead, true)))
    s.spawn(function() receive(b, SIZE + 4) end)
    while not third do s.step() end
    assert.equal(SIZE, first)
    assert.equal(4, third)
    assert.is_false((coroutine.close(dead)))
  end)

  it("a debugger's hook that receives elsewhere does not get between a receive and its bytes", function()
    socket.setwaiter(coroutine.yield)
    for name, f in pairs {
      recv = function(s) return s:recv(10) end, recvfrom = function(s) return (s:recvfrom(10)) end,
      peek = function(s) return s:recv(5, "MSG_PEEK") end, recvmsg = function(s) return s:recvmsg().data end,
      recvmmsg = function(s) return s:recvmmsg(1, 10)[1].data end, read = function(s) return s:read(5) end,
      waitall = function(s) return s:recv(5, "MSG_WAITALL") end,
    } do
      for when = 1, 10 do
        local a, b = net.pair()
        local c, d = net.pair()
        assert(d:send(("z"):rep(1000)))
        local co = coroutine.create(function() return f(a) end)
        assert(coroutine.resume(co))
        assert(b:send "hello")
        local events = 0
        debug.sethook(co, function()
          events = events + 1
          if events == when then c:recv() end
        end, "cr")
        local _, got = coroutine.resume(co, true)
        debug.sethook(co)
        assert.equal("hello", got, name)
        net.close()
      end
    end
  end)

  it("coroutines that were forgotten while they held a socket end when the collector comes #process", function()
    local output, status = helper.lua(helper.saved(FORGOTTEN))
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)

describe("what is known of a socket's options", function()
  it("is of the descriptor that it has by setfd and fromfd, and accepted ones have their listener's", function()
    local function peeks(s, b)
      assert(b:send "a\nbcd")
      assert.equal("a", s:read())
      assert.equal("b", s:recv(1, "MSG_PEEK"))
      assert.equal("c", s:recv(1, "MSG_PEEK"))
      assert.equal("bcd", s:recv())
    end
    local a, b = net.pair()
    assert(a:setsockopt("SO_PEEK_OFF", 0))
    local adopted = net.keep(assert(socket.fromfd((a:detach()))))
    peeks(adopted, b)
    local other = net.keep(assert(socket.socket()))
    assert(other:close())
    assert(other:setfd((adopted:detach())))
    peeks(other, b)
    local l = net.keep(net.listener())
    if l:setsockopt("SO_PEEK_OFF", 0) then -- of TCP, on Linux 6.9 and later
      local c = net.keep(assert(socket.connect(l:getsockname())))
      peeks(net.keep((assert(l:accept()))), c)
    end
  end)

  it("SO_RCVLOWAT, too, is kept to by a descriptor that came by setfd", function()
    local a, b = net.tcp()
    assert(a:setsockopt("SO_RCVLOWAT", 10))
    local s = net.keep(assert(socket.socket()))
    assert(s:close())
    assert(s:setfd((a:detach())))
    assert(s:settimeout(0.02))
    assert(b:send "12345")
    local began = socket.monotime()
    assert.equal("12345", s:recv())
    assert.is_true(socket.monotime() - began >= 0.02)
  end)
end)

-- Of two sockets the second one's number is beyond what the loop has room for.
local SCRIPT = [[
  local socket, loop = require "bsdsocket", require "bsdsocket.loop"
  local from, feed = assert(socket.socketpair())
  local list = {}
  repeat list[#list + 1] = assert(socket.socket()) until list[#list]:fileno() > 140
  local to, sink = assert(socket.socketpair())
  local large = ("A"):rep(1 << 20)
  local ways = {
    function()
      loop.spawn(pcall, function()
        loop.sleep(0)
        loop.sleep(0)
        feed:send "x"
      end)
      to:sendfile(from, nil, 1)
    end,
    function()
      local first = loop.spawn(pcall, to.sendall, to, large)
      loop.sleep(0)
      local second = loop.spawn(pcall, to.send, to, "B")
      loop.sleep(0)
      first:cancel()
      second:cancel()
    end,
  }
  local function drain(s)
    s:settimeout(0)
    while s:recv() do end
    s:settimeout(nil)
  end
  for _, way in ipairs(ways) do
    for k = 1, 1000 do
      to:settimeout(60)
      local hit, ok, message = fault(k, 1, loop.run, function()
        pcall(loop.timeout, 0.2, way)
        drain(from)
        drain(sink)
        feed:send "x"
        assert(loop.timeout(1, from.recv, from) == "x", "from")
        assert(loop.timeout(1, to.send, to, "x") == 1, "to")
        assert(loop.timeout(1, sink.recv, sink) == "x", "sink")
      end)
      assert(ok or tostring(message):find "not enough memory", message)
      drain(from)
      drain(sink)
      if not hit then break end
    end
  end
]]

it("a call that memory ends before it waits holds nothing #process", function()
  local alloc = build "alloc" or helper.skip "no C compiler is here"
  local err, bytes = alloc.quietly(alloc.run, package.path, package.cpath, SCRIPT)
  assert.is_nil(err)
  assert.equal(0, bytes)
end)

-- BSDSOCKET_SEEDS=50 makes it fifty times as many.
describe("random programs on one connection #process", function()
  for _, how in ipairs { "tasks", "setwaiter" } do
    it("do what a model of every byte says, " .. how, function()
      local n = helper.instrumented and 5 or 40
      local output, status = helper.lua("fault/turns.lua", 1, n * (tonumber(os.getenv "BSDSOCKET_SEEDS") or 1), how)
      assert.equal("unharmed\n", output)
      assert.equal(0, status)
    end)
  end
end)
