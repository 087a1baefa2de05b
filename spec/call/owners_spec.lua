-- Who owns a descriptor, and in what state others find it: flags of a description that somebody else goes on with,
-- setfd, O_NONBLOCK that cannot be set.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local trace = require "spec.support.trace"

after_each(net.close)

--- A number for another descriptor of the same description, as another process would have one.
local function others(s)
  return (assert(s:dup()):detach())
end

local function closefd(fd)
  assert(socket.fromfd(fd)):close()
end

---------------------------------------------------------------------------------------------------
-- Flags

--- What sets O_NONBLOCK: makes a socket of it, and does it.
local uses = {
  { "accept under a timeout", net.listener, function(s) s:settimeout(0.001):accept() end },
  { "accept under timeout 0", net.listener, function(s) s:settimeout(0):accept() end },
  { "accept in a task", net.listener, function(s) tasks.run(loop.timeout, 0.001, s.accept, s) end },
  { "connect in a task", function() return assert(socket.socket()) end, function(s)
    local l <close> = net.listener()
    tasks.run(function() assert(s:connect(l:getsockname())) end)
  end },
  { "connect under timeout 0", function() return assert(socket.socket()) end, function(s)
    local l <close> = net.listener()
    s:settimeout(0):connect(l:getsockname())
  end },
  { "sendfile under timeout 0", function()
    local l <close> = net.listener()
    local s = assert(socket.connect(l:getsockname()))
    net.keep(assert(l:accept()))
    return s
  end, function(s)
    local file <close> = assert(io.tmpfile())
    file:write(("x"):rep(100000))
    s:settimeout(0):sendfile(file, 0)
  end },
}

--- How others come to have it: gives the socket that is used, and perhaps one of them.
local sharings = {
  { "an adopted socket", function(s) return assert(socket.fromfd((s:detach()))) end },
  { "a socket that setfd took", function(s)
    local shell = net.closed()
    assert(shell:setfd((s:detach())))
    return shell
  end },
  { "a socket that was duplicated", function(s) return s, net.keep(assert(s:dup())) end },
  { "a duplicate", function(s)
    net.keep(s)
    return assert(s:dup())
  end },
  { "an inheritable socket", function(s) return assert(s:setinheritable(true)) end },
}

local function inbox(s)
  local box = { s }
  return box
end

--- Its end. `box[1]` is the only reference.
local ends = {
  { "s:close()", function(box) assert(box[1]:close()) end },
  { "s:close() in a task", function(box) tasks.run(function() assert(box[1]:close()) end) end },
  { "<close>", function(box) local _ <close> = box[1] end },
  { "<close> by an error", function(box)
    pcall(function()
      local _ <close> = box[1]
      error "x"
    end)
  end },
  { "the collector", function(box)
    box[1] = nil
    collectgarbage()
    collectgarbage()
  end },
  { "a cancel", function(box)
    tasks.run(function()
      local task = loop.spawn(function()
        local _ <close> = box[1]
        loop.sleep(60)
      end)
      tasks.settle()
      task:cancel()
    end)
  end },
  { "s:detach()", function(box) closefd((box[1]:detach())) end },
  { "s:setinheritable(true)", function(box) assert(net.keep(box[1]):setinheritable(true)) end },
}

for _, ending in ipairs(ends) do
  describe("after " .. ending[1] .. " O_NONBLOCK is as it was found of", function()
    for _, sharing in ipairs(sharings) do
      for _, use in ipairs(uses) do
        it(sharing[1] .. ", after " .. use[1], function()
          local fd
          do
            local s = sharing[2](use[2]())
            fd = others(s)
            assert.is_false(net.nonblocking(fd))
            local box = inbox(s)
            use[3](s)
            s = nil -- luacheck: ignore
            ending[2](box)
          end
          local after = net.nonblocking(fd)
          closefd(fd)
          assert.is_false(after)
        end)
      end
    end
  end)
end

describe("SO_RCVTIMEO is put back", function()
  for _, ending in ipairs(ends) do
    it("after " .. ending[1] .. " of a socket that was duplicated", function()
      local fd
      do
        local a, b = net.pair()
        b:send "x"
        assert.equal("x", a:settimeout(5):recv()) -- the kernel keeps the time
        fd = others(a)
        a:settimeout(nil)
        local box = inbox((assert(a:dup()))) -- or a itself, by net.close
        a:close()
        ending[2](box)
      end
      local s <close> = assert(socket.fromfd(fd))
      assert.equal(0, s:getsockopt "SO_RCVTIMEO")
    end)
  end
end)

it("a socket that was blocking before it was shared, and in a task, is found blocking by a child", function()
  local l <close> = net.listener()
  local c
  tasks.run(function()
    c = net.keep(assert(socket.connect(l:getsockname())))
    net.keep(assert(l:accept()))
  end)
  assert(c:setinheritable(true))
  assert.is_false(net.nonblocking(c:fileno()))
  -- and what is connected after that
  local later = net.keep(assert(socket.socket()):setinheritable(true))
  tasks.run(function() assert(later:connect(l:getsockname())) end)
  assert.is_false(net.nonblocking(later:fileno()))
end)

it("what was found not to block is left so", function()
  local l <close> = net.listener()
  local other <close> = assert(l:dup())
  other:settimeout(0):accept() -- it is as if another process did so
  assert.is_true(net.nonblocking(l:fileno()))
  local fd = others(l)
  local s = assert(socket.fromfd(others(l)))
  s:settimeout(0):accept()
  s:close()
  local after = net.nonblocking(fd)
  closefd(fd)
  assert.is_true(after)
end)

it("a twin that is at work goes on when the other one closes and puts the flags back", function()
  local l = net.keep(net.listener())
  local twin = net.keep(assert(l:dup()))
  tasks.run(function()
    local first = loop.spawn(function() return l:accept() end)
    local second = loop.spawn(function() return twin:accept() end)
    tasks.settle()
    l:close()
    assert.is_false(net.nonblocking(twin:fileno()))
    helper.fails("s:accept", "EBADF", tasks.join(first))
    local ticks = tasks.ticks()
    local c = net.keep(assert(socket.connect(twin:getsockname())))
    assert.equal(c:getsockname(), net.keep(tasks.join(second)):getpeername())
    local before = ticks.n
    helper.fails("s:accept", "timeout", twin:settimeout(0.01):accept())
    assert.is_true(ticks.n > before)
    ticks.cancel()
  end)
end)

it("closing a socket that nobody shares takes one system call #process", function()
  assert.same({ "close", "close", "close" }, (trace [[
    local loop = require "bsdsocket.loop"
    local l = socket.listen("127.0.0.1", 0)
    l:settimeout(0)
    l:accept()
    local c = socket.connect(l:getsockname())
    c:settimeout(0.3)
    c:recv()
    local s = l:settimeout(nil):accept()
    begin() l:close() done()
    begin() c:close() done()
    begin() s:close() done()
  ]]))
end)

---------------------------------------------------------------------------------------------------
-- setfd

describe("s:setfd(-1)", function()
  it("leaves the descriptor's flags to who has it now", function()
    for _, use in ipairs(uses) do
      local s = use[2]()
      use[3](s)
      local fd, before = s:getfd(), net.nonblocking(s:getfd())
      assert.equal(s, s:setfd(-1))
      local after = net.nonblocking(fd)
      closefd(fd)
      assert.equal(before, after, use[1])
    end
    local a, b = net.pair()
    b:send "x"
    a:settimeout(5):recv()
    local fd = a:getfd()
    a:setfd(-1)
    local s <close> = assert(socket.fromfd(fd))
    assert.is_true(s:getsockopt "SO_RCVTIMEO" > 0)
  end)

  local readers = {
    { "read ahead", function(a, b)
      b:send "one\ntwo"
      assert.equal("one", a:read())
    end },
    { "not flushed", function(a)
      a:setvbuf "full"
      a:write "x"
    end },
  }

  for _, reader in ipairs(readers) do
    it("lets go, and then raises, with bytes that were " .. reader[1], function()
      local a, b = net.pair()
      reader[2](a, b)
      local fd = a:getfd()
      helper.raises("s:setfd", "setfd: bytes that were " .. reader[1] .. " are lost", a.setfd, a, -1)
      assert.equal(-1, a:getfd())
      assert.is_false(a:dirty())
      assert.is_true(a:close())
      local s <close> = assert(socket.fromfd(fd)) -- it is open, and only ours
      assert.equal(1, s:send "y")
    end)

    it("of another descriptor refuses before anything is done, with bytes that were " .. reader[1], function()
      local a, b = net.pair()
      local c = net.pair()
      reader[2](a, b)
      local fd = a:getfd()
      helper.raises("s:setfd", "setfd: bytes that were " .. reader[1] .. " would be lost", a.setfd, a, c:getfd())
      assert.equal(fd, a:getfd())
      assert.equal(reader[1] == "read ahead" and 3 or 0, a:pending())
    end)
  end

  it("wakes who waits, with bytes unflushed too", function()
    local a = net.pair()
    a:setvbuf "full"
    tasks.run(function()
      local reader = loop.spawn(function() return a:recv() end)
      tasks.settle()
      a:write "x"
      local fd = a:getfd()
      helper.raises("s:setfd", "not flushed", a.setfd, a, -1)
      helper.fails("s:recv", "EBADF", tasks.join(reader))
      closefd(fd)
    end)
  end)

  it("of a closed socket is nothing", function()
    local s = net.closed()
    assert.equal(s, s:setfd(-1))
  end)
end)

describe("LuaSec", function()
  local function context(mode)
    local loaded, ssl = pcall(require, "ssl")
    if not loaded then helper.skip "LuaSec for Lua 5.4 is not here" end
    local dir = helper.tmpdir()
    local _, status = helper.shell("cd " .. dir .. " && openssl req -x509 -newkey ec -pkeyopt "
      .. "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem 2>/dev/null")
    if status ~= 0 then helper.skip "openssl is not here to make a certificate" end
    return ssl, assert(ssl.newcontext { mode = mode, protocol = "any", verify = "none",
      key = dir .. "/key.pem", certificate = dir .. "/cert.pem" })
  end

  local ways = {
    { "connected in a task", function(address)
      local s
      tasks.run(function() s = assert(socket.connect(address)) end)
      return s
    end },
    { "connected under timeout 0", function(address)
      local s = assert(socket.socket())
      s:settimeout(0):connect(address)
      socket.select(nil, { s })
      assert(s:connect(address))
      return s
    end },
    { "connected in a plain script", function(address) return assert(socket.connect(address)) end },
  }

  for _, way in ipairs(ways) do
    it("takes over a socket that was " .. way[1] .. ", and does not block #process", function()
      local ssl, ctx = context "client"
      local l <close> = net.listener()
      local t = assert(ssl.wrap(way[2](l:getsockname()), ctx))
      t:settimeout(0)
      assert.same({ false, "wantread" }, { net.atonce(t.dohandshake, t) })
      t:close()
    end)
  end

  it("is the only owner where a client has sent more than STARTTLS #process", function()
    local ssl, ctx = context "server"
    local l <close> = net.listener()
    local client = net.keep(assert(socket.connect(l:getsockname())))
    local conn = assert(l:accept())
    client:write "STARTTLS\r\nINJECTED\r\n"
    assert.equal("STARTTLS", conn:read())
    collectgarbage "stop"
    local ok, message = pcall(ssl.wrap, conn, ctx)
    assert.is_false(ok)
    assert.match("read ahead", message)
    assert.is_nil(conn:fileno())
    assert.is_true(conn:close())
    local a, b = net.pair() -- has the number if anybody has
    collectgarbage "restart"
    collectgarbage()
    collectgarbage()
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv())
  end)
end)

---------------------------------------------------------------------------------------------------
-- O_NONBLOCK that cannot be set

describe("where O_NONBLOCK cannot be set, a call that must not wait says why:", function()
  local prepare = [[
    local loop = require "bsdsocket.loop"
    local l = assert(socket.socket()) assert(l:bind("127.0.0.1", 0)) assert(l:listen())
    local function call() return l:accept() end
  ]]
  local connect = [[
    local loop = require "bsdsocket.loop"
    local listener = assert(socket.socket()) assert(listener:bind("127.0.0.1", 0)) assert(listener:listen())
    local l = assert(socket.socket())
    local function call() return l:connect(listener:getsockname()) end
  ]]
  local sendfile = [[
    local loop = require "bsdsocket.loop"
    local l, other = assert(socket.socketpair())
    local file = assert(io.open((...)))
    local function call() return l:sendfile(file, 0) end
  ]]
  local drivers = {
    { "under a timeout", "l:settimeout(0.2) return say(call())" },
    { "under timeout 0", "l:settimeout(0) return say(call())" },
    { "in a task", "loop.run(function() say(call()) end)" },
    { "under another scheduler", [[
      socket.setwaiter(function(...) return coroutine.yield(...) end)
      coroutine.wrap(function() say(call()) end)()
    ]] },
  }
  local calls = { { "accept", prepare }, { "connect", connect }, { "sendfile", sendfile } }
  for _, call in ipairs(calls) do
    for _, driver in ipairs(drivers) do
      it(call[1] .. " " .. driver[1] .. " #process", function()
        trace.needs()
        local large = helper.saved(("x"):rep(1 << 20))
        local script = helper.saved("local socket = require 'bsdsocket'\n", call[2],
          "local function say(ok, message, code) print(ok, message, code) end\n", driver[2])
        local output, status = helper.shell("strace -f -qq -o /dev/null -e trace=fcntl "
          .. "-e inject=fcntl:error=EACCES env " .. helper.command(script, large))
        assert.match("^nil\t" .. call[1] .. "[^\n]*Permission denied\tEACCES\n$", output)
        assert.equal(0, status)
      end)
    end
  end
end)
