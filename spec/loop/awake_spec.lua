-- What has come is found: bytes that another coroutine reads ahead wake whoever waits for them elsewhere; half a line
-- spins nobody; what the loop remembers is no answer; a shutdown of our own is seen by all who wait. In every way in
-- which calls can wait side by side.
local drivers = require "spec.support.drivers"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

local function poller(s, events)
  local p = net.keep(assert(socket.poller()))
  if s then assert(p:add(s, events or "r")) end
  return p
end

--- What the poller tells first.
local function told(p)
  local next_, state = p:wait()
  return (next_(state))
end

--- What waits until `s` is readable, and takes nothing; gives true when it is.
local watchers = {
  { "select", function(s) return #socket.select({ s }) == 1 end },
  { "select among others", function(s)
    local other = net.pair()
    return #socket.select({ other, s }, {}) == 1
  end },
  { "a poller", function(s)
    return told(poller(s)) == s
  end },
  { "a poller that it is added to later", function(s)
    local p = poller()
    socket.getaddrinfo("127.0.0.1", 1)
    assert(p:add(s, "r"))
    return told(p) == s
  end },
  { "a poller in another", function(s)
    return told(poller(poller(s))) ~= nil
  end, nested = true },
  { "select of a poller", function(s) return #socket.select({ poller(s) }) == 1 end, nested = true },
  { "loop.wait", function(s) return loop.wait(s, "r") == "r" end },
  { "loop.wait of a poller", function(s) return loop.wait(poller(s), "r") == "r" end, nested = true },
}

--- What reads more than it gives away: the rest is read ahead.
local readers = {
  { "read", function(s) return s:read() end }, { "read of a count", function(s) return s:read(4) end },
  { "lines", function(s) return s:lines()() end }, { "readuntil", function(s) return s:readuntil "\n" end },
  { "read of several formats", function(s) return s:read(2, "l") end },
}

for _, driver in ipairs(drivers) do
  local spawn, join, settle = driver.spawn, driver.join, driver.settle

  describe(driver.name, function()
    for _, family in ipairs { { "a unix socket", net.pair }, { "TCP", net.tcp } } do
      for _, watcher in ipairs(watchers) do
        for _, reader in ipairs(readers) do
          local name = ("bytes of %s that %s reads ahead wake who waits by %s"):format(family[1], reader[1], watcher[1])
          it(name, function()
            if watcher.nested and helper.engine() == "poll" then helper.skip(helper.NO_DESCRIPTOR) end
            local a, b = family[2]()
            driver.run(function()
              local several = {}
              for i = 1, 2 do several[i] = spawn(watcher[2], b) end
              settle()
              a:send "line\nrest"
              assert.match("^li", reader[2](b)) -- before anybody else has looked
              assert.is_true(b:pending() > 0)
              for i = 1, 2 do assert.is_true(join(several[i])) end
              assert.match("rest$", b:recv())
            end)
          end)
        end

        local halves = "half a line of %s wakes who waits by %s when more has come, and not before"
        it(halves:format(family[1], watcher[1]), function()
          if watcher.nested and helper.engine() == "poll" then helper.skip(helper.NO_DESCRIPTOR) end
          local a, b = family[2]()
          driver.run(function()
            a:send "half"
            b:settimeout(0)
            helper.fails("s:read", "EAGAIN", b:read())
            assert.equal(4, b:pending())
            assert.same({}, { socket.select({ b }, nil, 0)[1] })
            for _ in poller(b):wait(0) do error "the poller says it is readable" end
            local woken = false
            local waiter = spawn(function()
              local result = watcher[2](b)
              woken = true
              return result
            end)
            settle()
            assert.is_false(woken)
            a:send " a line\n"
            assert.is_true(join(waiter))
            assert.equal("half a line", b:read())
          end)
        end)
      end
    end

    it("a receive under timeout 0 finds what has come since the last one", function()
      local receivers = {
        function(s) return s:recv(10) end, function(s) return s:read(1) end, function(s) return s:recvfrom(10) end,
        function(s) return s:recv(10, "MSG_PEEK") and s:recv() end, function(s) return s:recvmsg(10).data end,
        function(s) return s:recvmmsg(1, 10)[1].data end, function(s) return s:chunks()() end,
        function(s)
          local buf = socket.buffer(1)
          return s:recvinto(buf) == 1 and buf:sub(1, 1)
        end,
      }
      for _, receive in ipairs(receivers) do
        local a, b = net.tcp()
        driver.run(function()
          local first = spawn(a.recv, a, 10)
          settle()
          b:send "x"
          assert.equal("x", join(first))
          for _ = 1, 3 do
            a:settimeout(0)
            helper.fails("s:recv", "EAGAIN", a:recv(10))
            b:send "y"
            assert.equal("y", receive(a))
            a:settimeout(nil)
          end
        end)
      end
    end)

    it("read(0) never waits", function()
      for _, make in ipairs { net.pair, net.tcp } do
        local a, b = make()
        driver.run(function()
          local first = spawn(a.recv, a, 10)
          settle()
          b:send "x"
          assert.equal("x", join(first))
          assert.equal("", a:read(0))
          assert.same({ "", "" }, { a:read(0, 0) })
          a:settimeout(0)
          assert.equal("", a:read(0))
          b:send "y"
          assert.same({ "", "y" }, { a:read(0, 1) })
          b:close()
          settle()
          assert.is_nil((a:read(0)))
        end)
      end
    end)

    it("a listener that is shut down wakes who accepts with EINVAL", function()
      for _, make in ipairs {
        function() return assert(socket.listen("127.0.0.1", 0)) end,
        function() return assert(socket.listen(socket.address("AF_UNIX", helper.tmpdir() .. "/s"))) end,
      } do
        for _, before in ipairs { true, false } do
          for _, timeout in ipairs { 0, 10, "none" } do
            local s = net.keep(make())
            driver.run(function()
              if before then assert(s:shutdown "SHUT_RD") end
              s:settimeout(timeout ~= "none" and timeout or nil)
              if timeout ~= 0 or before then
                local waiter = spawn(s.accept, s)
                settle()
                if not before then assert(s:shutdown "SHUT_RDWR") end
                helper.fails("s:accept", "EINVAL", join(waiter))
                assert.match("Invalid argument", select(2, pcall(s:clients())))
              end
            end)
          end
        end
      end
    end)

    it("who waits to receive is woken by a shutdown of our own", function()
      for _, make in ipairs { net.pair, net.tcp } do
        local a = make()
        driver.run(function()
          local waiter = spawn(a.recv, a)
          settle()
          assert(a:shutdown "SHUT_RD")
          assert.equal("", join(waiter))
        end)
      end
    end)

    it("SO_RCVLOWAT holds, and a timeout gives what there is", function()
      for _, make in ipairs { net.pair, net.tcp } do
        for name, receive in pairs {
          recv = function(s) return s:recv() end, recvfrom = function(s)
            local data, from, code = s:recvfrom()
            return data, from, data == nil and code or nil
          end,
          chunks = function(s) return s:chunks()() end,
          recvinto = function(s)
            local buf = socket.buffer(20)
            local n, message, code = s:recvinto(buf)
            return n and buf:sub(1, n), message, code
          end,
        } do
          local a, b = make()
          assert(a:setsockopt("SO_RCVLOWAT", 10))
          driver.run(function()
            b:send "12345"
            local done = false
            local waiter = spawn(function()
              local data = receive(a)
              done = true
              return data
            end)
            settle()
            assert.is_false(done, name)
            b:send "67890rest"
            assert.equal("67890rest", join(waiter):sub(6), name)
            a:settimeout(0.01)
            b:send "12345"
            assert.equal("12345", receive(a), name)
            if name ~= "chunks" then helper.fails("s:" .. name, "timeout", receive(a)) end
            b:send "123"
            b:close()
            a:settimeout(nil)
            assert.equal("123", receive(a), name)
          end)
        end
      end
    end)
  end)
end

describe("in a plain script", function()
  it("SO_PEEK_OFF counts bytes that were read ahead", function()
    local a, b = net.pair()
    assert(b:setsockopt("SO_PEEK_OFF", 0))
    a:send "line\nabcdefgh"
    assert.equal("li", b:recv(2, "MSG_PEEK"))
    assert.equal("line", b:read())
    local buf = socket.buffer(2)
    assert.equal("ab", b:recv(2, "MSG_PEEK"))
    assert.equal("cd", (b:recvfrom(2, "MSG_PEEK")))
    assert.equal("a", b:recv(1))
    assert.equal(2, b:recvinto(buf, 2, 1, "MSG_PEEK"))
    assert.equal("ef", buf:sub(1, 2))
    assert.equal("gh", b:recv(20, "MSG_PEEK"))
    a:send "XYZ"
    assert.equal("XY", b:recv(2, "MSG_PEEK"))
    assert.equal("Z", b:recv(2, "MSG_PEEK"))
    assert(b:setsockopt("SO_PEEK_OFF", 1))
    assert.equal("cd", b:recv(2, "MSG_PEEK"))
    assert(b:setsockopt("SO_PEEK_OFF", -1))
    assert.equal("bcdefgh", b:recv())
    assert.equal("XYZ", b:recv(9, "MSG_PEEK"))
  end)

  it("half a line spins no poller", function()
    local s, c = net.tcp()
    s:settimeout(0)
    local p = poller(s)
    c:send "half a line"
    local rounds, till = 0, socket.monotime() + 0.1
    while socket.monotime() < till do
      for conn in p:wait(till - socket.monotime()) do
        rounds = rounds + 1
        helper.fails("s:read", "EAGAIN", conn:read "l")
      end
    end
    assert.is_true(rounds < 5, rounds)
  end)
end)

-- In a program of its own, as another library's loop closes the descriptors.
describe("a number that was closed behind our back #process", function()
  local begin = [[
    local ok, uv = pcall(require, "luv")
    if not ok then print "no luv" os.exit(0, true) end
    local function close(fd) assert(uv.fs_close(fd)) end
    local function settle() for _ = 1, 5 do loop.sleep(0) end end
    local function fails(expected, ok, _, _, code) assert(ok and code == expected, code) end
    loop.run(function()
      local timer = loop.spawn(function() loop.sleep(20) os.exit(1) end)
  ]]

  local function runs(code)
    local text, status = tasks.lua(begin .. code .. "\ntimer:cancel() print 'fine' end)")
    if text == "no luv\n" then helper.skip "luv for Lua 5.4 is not here" end
    assert.same({ "fine\n", 0 }, { text, status })
  end

  -- What makes a new descriptor.
  local makers = {
    socket = "socket.socket()", socketpair = "socket.socketpair()", dup = "spare:dup()",
    accept = "listener:accept()",
  }

  for name, code in pairs(makers) do
    it("wakes who waits for it with EBADF when a new one gets it: " .. name, function()
      runs([[
        local listener = assert(socket.listen("127.0.0.1", 0))
        local client = assert(socket.connect(listener:getsockname()))
        local spare = assert(socket.socket())
        local old = assert(socket.socketpair())
        local fd = old:fileno()
        local list = {loop.spawn(old.recv, old), loop.spawn(loop.wait, old, "r"), loop.spawn(loop.wait, fd, "r")}
        settle()
        close(fd)
        local new = assert(]] .. code .. [[)
        assert(new:fileno() == fd)
        for _, task in ipairs(list) do fails("EBADF", task:join()) end
        old:setfd(-1)
      ]])
    end)
  end

  it("keeps a new socket with this number from none of its calls", function()
    runs [[
      local foreign = assert(socket.socketpair()):detach()
      local watcher = loop.spawn(loop.wait, foreign, "r")
      settle()
      close(foreign)
      local new, other = assert(socket.socketpair())
      assert(new:fileno() == foreign)
      local reader, writer = loop.spawn(new.recv, new), loop.spawn(loop.wait, new, "w")
      fails("EBADF", watcher:join())
      settle()
      other:send "x"
      assert(select(2, reader:join()) == "x")
      assert(select(2, writer:join()) == "w")
    ]]
  end)
end)
