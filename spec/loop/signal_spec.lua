-- bsdsocket.loop and what comes from outside: Ctrl-C, other signals, a fork by another library.
local build = require "fault.build"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

local function script(code)
  return helper.saved([[
    local socket, loop = require "bsdsocket", require "bsdsocket.loop"
    io.stdout:setvbuf "line"
    local function closed(name)
      return setmetatable({}, { __close = function() print("closed " .. name) end })
    end
  ]], code)
end

local function interrupted(code, signal)
  return process.interrupted(script(code), signal)
end

describe("Ctrl-C #process", function()
  it("in loop.run runs the <close> variables of every task, then raises interrupted!", function()
    local output, status = interrupted [[
      loop.run(function()
        local _ <close> = closed "f"
        for i = 1, 3 do
          loop.spawn(function()
            local _ <close> = closed("task " .. i)
            local a <close>, b = socket.socketpair()
            local _ <close> = b
            a:recv()
          end)
        end
        loop.spawn(function()
          local _ <close> = closed "nested"
          loop.timeout(60, function()
            loop.wrap(function()
              local _ <close> = closed "generator"
              loop.sleep(60)
            end)()
          end)
        end)
        loop.spawn(loop.spawn(loop.sleep, 60).join)
        loop.sleep(0)
        print "now"
        loop.sleep(60)
      end)
    ]]
    assert.equal(1, status, output)
    for _, name in ipairs { "f", "task 1", "task 2", "task 3", "nested", "generator" } do
      local _, count = output:gsub("closed " .. name .. "\n", "")
      assert.equal(1, count, output)
    end
    assert.match("closed generator\nclosed nested\n", output)
    assert.match("closed [^\n]+\n[^\n]*interrupted!\n", output)
    assert.is_nil(output:match "interrupted!.*closed")
  end)

  it("can be caught, and then the loop and the sockets can be used again", function()
    local output, status = interrupted [[
      local a, b = socket.socketpair()
      print(pcall(loop.run, function()
        loop.spawn(function() a:recv() end)
        loop.sleep(0)
        print "now"
        b:recv()
      end))
      loop.run(function()
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        b:send "hello"
        print(reader:join())
      end)
    ]]
    assert.equal(0, status, output)
    assert.match("^false\t[^\n]*interrupted![^!]*\ntrue\thello\n$", output)
  end)

  it("reaches a loop where no task waits for anything but another, or for a time, or for its turn", function()
    for _, wait in ipairs {
      "loop.spawn(loop.sleep, 60):join()", "loop.sleep(60)", "loop.sleep(math.huge)",
      "socket.select({socket.socketpair()}, nil, 60)", "socket.socketpair():recv()",
      "socket.listen('127.0.0.1', 0):accept()",
    } do
      local output, status = interrupted("loop.run(function() print 'now' " .. wait .. " end)")
      assert.equal(1, status, wait)
      assert.match("interrupted!", output)
    end
  end)

  it("ends tasks that never rest", function()
    local program <close> = process.start(script [[
      loop.run(function()
        local _ <close> = closed "f"
        local a, b = socket.socketpair()
        loop.spawn(function()
          local _ <close> = closed "ping"
          while true do
            a:send "x"
            a:recv()
          end
        end)
        loop.spawn(function()
          local _ <close> = closed "pong"
          while true do
            b:send "x"
            b:recv()
          end
        end)
        for _ = 1, 5 do loop.sleep(0) end
        print "now"
        while true do loop.sleep(0) end
      end)
    ]])
    assert.equal("now", process.line(program))
    program:kill "INT"
    local output, status = process.rest(program)
    assert.equal(1, status, output)
    for _, name in ipairs { "f", "ping", "pong" } do assert.match("closed " .. name .. "\n", output) end
    assert.match("interrupted!", output)
  end)

  it("where Lua cannot yield interrupts that call, in its task", function()
    local output, status = interrupted [[
      local a, b = socket.socketpair()
      loop.run(function()
        loop.spawn(function()
          local _ <close> = closed "other"
          loop.sleep(60)
        end)
        loop.sleep(0)
        string.gsub("x", "x", function()
          print "now"
          a:recv()
        end)
      end)
    ]]
    assert.equal(1, status, output)
    assert.match("closed other\n", output)
    assert.match("interrupted!", output)
  end)

  it("at the prompt ends loop.run, and then all is well", function()
    local lua <close> = process.terminal "loop = require 'bsdsocket.loop'"
    for _ = 1, 2 do
      lua:waits "loop.run(function() local a, b = socket.socketpair() a:recv() end)"
      lua:type "\3"
      assert.match("interrupted!", lua:run "")
      assert.equal("fine", lua:run "print(loop.run(function() loop.sleep(0.01) return 'fine' end))")
    end
  end)
end)

-- What Ctrl-C does is a hook on the main thread; other handlers set theirs with other masks, or on the coroutine that
-- made them known.
describe("a hook that a signal has set", function()
  local function built() return build "signal" or helper.skip "no C compiler is here" end
  local function stop() error("stop", 0) end

  -- What waits after the hook has come, in a task and elsewhere: nothing else would end it.
  local waits = {
    recv = function(a) a:recv() end,
    ["recv under a timeout"] = function(a) a:settimeout(30):recv() end,
    accept = function() socket.listen("127.0.0.1", 0):accept() end,
    select = function(a) socket.select({a}) end,
    ["wait of a poller"] = function(a)
      local p <close> = socket.poller()
      p:add(a, "r")
      for _ in p:wait() do end
    end,
    ["loop.wait"] = function(a) loop.wait(a, "r") end,
    ["loop.sleep"] = function() loop.sleep(30) end,
  }

  local function run(f, ...)
    local start = socket.monotime()
    local ok, err = pcall(f, ...)
    assert.same({ false, "stop" }, { ok, err })
    assert.is_true(socket.monotime() - start < 10)
    collectgarbage()
  end

  for name, wait in pairs(waits) do
    it("on the main thread, while a coroutine computed, ends " .. name .. " in it", function()
      local signal = built()
      helper.collects()
      for _, mask in ipairs { "crln", "crn", "n", "ln", "cn" } do
        local a, b = net.pair()
        run(coroutine.wrap(function()
          signal.hook(stop, mask)
          wait(a)
        end))
        assert.equal(0, b:pending())
      end
    end)

    it("on the main thread, while a task computed, ends the loop instead of " .. name, function()
      local signal = built()
      helper.collects()
      for _, mask in ipairs { "crln", "crn", "n", "l", "c", "r" } do
        local a, b = net.pair()
        run(loop.run, function()
          local other = loop.spawn(loop.sleep, 30)
          loop.sleep(0)
          signal.hook(stop, mask)
          wait(a)
          other:cancel()
        end)
        assert.equal(0, b:pending())
      end
    end)
  end

  it("on the main thread ends a loop.run that begins after it, in a coroutine", function()
    local signal = built()
    run(coroutine.wrap(function()
      signal.hook(stop, "crn")
      loop.run(loop.sleep, 30)
    end))
  end)

  it("on the coroutine of a task that waits ends the loop", function()
    local signal = built()
    run(loop.run, function()
      local co
      loop.spawn(function()
        co = coroutine.running()
        local a, b = net.pair()
        a:recv(#tostring(b))
      end)
      loop.spawn(loop.sleep, 30)
      loop.sleep(0)
      signal.after(0.02, stop, co)
      loop.sleep(30)
    end)
  end)

  it("calls a handler that does not raise once, and all wait on", function()
    local signal = built()
    for _, mask in ipairs { "crln", "crn", "n" } do
      local called = 0
      loop.run(function()
        loop.sleep(0)
        signal.hook(function() called = called + 1 end, mask)
        loop.sleep(0.01)
      end)
      assert.equal(1, called)
      coroutine.wrap(function()
        signal.hook(function() called = called + 1 end, mask)
        local a, b = net.pair()
        helper.fails("s:recv", "timeout", a:settimeout(0.01):recv())
        b:close()
      end)()
      assert.equal(2, called)
    end
  end)
end)

describe("another signal #process", function()
  it("that stops the process and lets it go on changes nothing", function()
    local program <close> = process.start(script [[
      local a, b = socket.socketpair()
      loop.run(function()
        loop.spawn(function()
          loop.sleep(0.3)
          b:send "x"
        end)
        loop.sleep(0)
        print "now"
        local start = socket.monotime()
        print(loop.timeout(30, a.recv, a))
        a:settimeout(0.2)
        start = socket.monotime()
        print(a:recv())
        print(socket.monotime() - start >= 0.2)
      end)
    ]])
    assert.equal("now", process.line(program))
    for _ = 1, 10 do
      os.execute("kill -STOP " .. program.pid .. "; kill -CONT " .. program.pid)
      socket.select(nil, nil, 0.01)
    end
    assert.same({ "x\nnil\trecv: timed out\ttimeout\ntrue\n", 0 }, { process.rest(program) })
  end)
end)

describe("after a fork by another library #process", function()
  --- f(child, wait) in a task, where child(g) forks, and runs g in the child only; its process id. wait(pid) gives its
  --- status: 7 if g has returned 7, or if the loop was refused to it.
  local function forking(run, f)
    local fork = build "fork" or helper.skip "no C compiler is here"
    local inchild = false
    local function child(g)
      local pid = fork.fork()
      if pid ~= 0 then return pid end
      inchild = true
      fork.exit(g())
    end
    local ok, err = pcall(run, function() f(child, fork.wait) end)
    if inchild then
      local refused = tostring(err):find "fork"
      if not refused then io.stderr:write(tostring(err), "\n") end
      fork.exit(refused and 7 or 255)
    end
    if not ok then error(err, 0) end
  end

  it("outside of loop.run the child has a loop of its own, though the parent has used one", function()
    local function use()
      local a <close>, b = assert(socket.socketpair())
      local _ <close> = b
      return loop.run(function()
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0.001)
        b:send "fine"
        assert(select(2, reader:join()) == "fine")
        return 7
      end)
    end
    loop.run(function() loop.sleep(0) end)
    forking(function(f) f() end, function(child, wait)
      for _ = 1, 2 do
        assert.equal(7, wait(child(use)))
        assert.equal(7, use())
      end
    end)
  end)

  it("in a task what the child does with its sockets takes nothing from the parent's", function()
    forking(tasks.run, function(child, wait)
      local a, b = net.pair()
      local c, d = net.pair()
      local first, second = loop.spawn(a.recv, a), loop.spawn(c.recv, c)
      loop.sleep(0.001)
      assert.equal(7, wait(child(function()
        a:close() -- one that is waited on
        pcall(first.cancel, first)
        pcall(second.cancel, second)
        local e, f = socket.socketpair()
        e:settimeout(0.01)
        pcall(e.recv, e) -- it may be refused
        pcall(loop.sleep, 0.001)
        f:close()
        return 7
      end)))
      loop.sleep(0.001)
      b:send "hello"
      d:send "world"
      assert.equal("hello", tasks.join(first))
      assert.equal("world", tasks.join(second))
    end)
  end)

  --- How many descriptors the process's epolls have, as Linux tells.
  local function watched()
    local n = 0
    for fd = 0, 255 do
      local file = io.open("/proc/self/fdinfo/" .. fd)
      if file then
        local _, lines = file:read "a":gsub("tfd:", "")
        file:close()
        n = n + lines
      end
    end
    return n
  end

  it("in a task the child's waits put nothing into the set of the parent's", function()
    forking(tasks.run, function(child, wait)
      local a, b = net.pair()
      local c, d = net.pair()
      loop.spawn(b.send, b, "x")
      assert.equal("x", a:recv()) -- waits, so that the child has events to go on with
      local before = watched()
      assert.equal(7, wait(child(function()
        loop.spawn(c.recv, c)
        loop.wait(d:fileno(), "r")
        return 255 -- it has not been refused
      end)))
      assert.equal(before, watched())
      local reader = loop.spawn(c.recv, c)
      loop.sleep(0)
      d:send "y"
      assert.equal("y", tasks.join(reader))
    end)
  end)

  it("in a task the child's waits are refused, or its own, and take none of the parent's events", function()
    forking(tasks.run, function(child, wait)
      local a, b = net.pair()
      local c, d = net.pair()
      local pid = child(function()
        local e = socket.socketpair()
        e:settimeout(0.3)
        pcall(e.recv, e)
        return d and 7
      end)
      local echo = loop.spawn(function()
        for data in b:chunks() do b:sendall(data) end
      end)
      a:settimeout(5)
      for _ = 1, 20 do
        a:send "x"
        assert.equal("x", a:recv())
        c:settimeout(0.001)
        helper.fails("s:recv", "timeout", c:recv())
      end
      assert.equal(7, wait(pid))
      echo:cancel()
    end)
  end)

  -- Each has other tasks that will write to `a` when they run on, and comes to where the first task forks.
  local others = {
    ["that are ready"] = function(a) for _ = 1, 3 do loop.spawn(a.send, a, "ready") end end,
    ["whose time has come"] = function(a)
      for i = 1, 3 do
        loop.spawn(function()
          loop.sleep(0.001 + i / 1e6)
          a:send "late"
        end)
      end
      loop.spawn(function()
        loop.sleep(0)
        local start = socket.monotime()
        while socket.monotime() < start + 0.01 do end
      end)
      loop.sleep(0.001)
    end,
    ["that can receive"] = function(a)
      local e, f = net.pair()
      local peers = {}
      for i = 1, 3 do
        local c, d = net.pair()
        peers[i] = d
        loop.spawn(function() a:send((c:recv())) end)
      end
      loop.spawn(function()
        tasks.settle() -- until nothing else is told of all these sockets
        f:send "first"
        for _, d in ipairs(peers) do d:send "came" end
      end)
      e:recv()
    end,
    ["that can send"] = function(a)
      local e, f = net.pair()
      local c, d = net.pair()
      loop.spawn(function()
        c:sendall(("x"):rep(1 << 22))
        a:send "sent"
      end)
      loop.spawn(function()
        tasks.settle()
        f:send "first"
        d:settimeout(0):recv(1 << 22)
      end)
      e:recv()
    end,
    ["that have <close> variables"] = function(a)
      for _ = 1, 3 do
        loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() a:send "closed" end })
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
    end,
    ["that are inside loop.wrap and loop.timeout"] = function(a)
      for _ = 1, 3 do
        loop.spawn(loop.timeout, 60, loop.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() a:send "closed" end })
          loop.sleep(60)
        end))
      end
      loop.sleep(0)
    end,
  }
  local acts = {
    waits = function() loop.sleep(60) end,
    fails = function() error "failed" end,
    ["gives others their turn"] = function() loop.sleep(0) end,
    ends = function() end,
  }

  for name, how in pairs(others) do
    for what, act in pairs(acts) do
      it(("in a task that forks, other tasks %s do not run on in the child when it %s"):format(name, what), function()
        local fork = build "fork" or helper.skip "no C compiler is here"
        local a, b = net.pair()
        local mine, pid, status, came
        local ok, err = pcall(loop.run, function()
          local _ <close> = setmetatable({}, { __close = function() mine = true end })
          how(a)
          pid = fork.fork()
          if pid == 0 then return act() end
          status = fork.wait(pid) -- the parent runs on only then
          came = #socket.select({ b }, nil, 0)
          error("the parent's", 0)
        end)
        if pid == 0 then fork.exit(not ok and mine and 7 or 255) end
        assert.equal("the parent's", err)
        assert.equal(7, status)
        assert.equal(0, came)
      end)
    end
  end
end)
