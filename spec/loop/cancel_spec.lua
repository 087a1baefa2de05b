-- bsdsocket.loop: what runs, and what is lost, when tasks are cancelled and sockets closed; and what users do
-- with coroutines that are not theirs.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

describe("cancelling a task", function()
  it("runs its <close> variables before cancel returns, without an error value", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local errors = {}
      local task = loop.spawn(function()
        local _ <close> = closed("outer", function(err) errors[1] = err == nil end)
        local _ <close> = closed("inner", function(err) errors[2] = err == nil end)
        loop.sleep(60)
      end)
      tasks.settle()
      assert.is_true(task:cancel())
      assert.same({ "inner", "outer" }, log)
      assert.same({ true, true }, errors)
    end)
  end)

  it("is not stopped by pcall, nor by a loop that tries again", function()
    tasks.run(function()
      local went = 0
      local task = loop.spawn(function()
        while true do
          pcall(loop.sleep, 60)
          went = went + 1
        end
      end)
      tasks.settle()
      assert.is_true(task:cancel())
      tasks.settle()
      assert.equal(0, went)
    end)
  end)

  it("closes its sockets, and their descriptors", function()
    local before
    tasks.run(function()
      local waiting = loop.spawn(loop.sleep, 60)
      tasks.settle()
      before = helper.descriptors()
      local task = loop.spawn(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        local listener <close> = assert(socket.listen("127.0.0.1", 0))
        a:recv()
        assert(b and listener)
      end)
      tasks.settle()
      assert.is_true(helper.descriptors() > before)
      task:cancel()
      assert.equal(before, helper.descriptors())
      waiting:cancel()
    end)
  end)

  it("flushes once, without waiting, what it has written", function()
    local a, b = net.pair()
    local c = net.pair()
    net.fill(c)
    tasks.run(function()
      local task = loop.spawn(function()
        local s <close> = a
        s:setvbuf "full"
        s:write "unsent"
        loop.sleep(60)
      end)
      local full = loop.spawn(function()
        local s <close> = c
        s:setvbuf "full"
        s:write "unsent"
        loop.sleep(60)
      end)
      tasks.settle()
      assert.is_true(net.atonce(task.cancel, task))
      assert.is_true(net.atonce(full.cancel, full))
      assert.equal("unsent", b:recv())
      assert.equal("", b:recv())
      assert.is_nil(c:fileno())
    end)
  end)

  it("whose <close> variable fails gives true, and join its error; the other variables are closed", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local thing = {}
      local task = loop.spawn(function()
        local _ <close> = closed "first"
        local _ <close> = closed("second", function() error(thing) end)
        local _ <close> = closed "third"
        loop.sleep(60)
      end)
      local joiner = loop.spawn(task.join, task)
      tasks.settle()
      assert.is_true(task:cancel())
      assert.same({ "third", "second", "first" }, log)
      local ok, err = task:join()
      assert.is_false(ok)
      assert.equal(thing, err)
      assert.same({ true, false, thing }, { joiner:join() })
      assert.is_false(task:cancel())
    end)
  end)

  it("whose <close> variable waits blocks the thread under its timeout", function()
    local a, b = net.pair()
    a:settimeout(0.01)
    tasks.run(function()
      local ticks = tasks.ticks()
      local results
      local task = loop.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          loop.sleep(0.005)
          results = table.pack(a:recv())
        end })
        loop.sleep(60)
      end)
      tasks.settle()
      local before = ticks.n
      assert.is_true(task:cancel())
      assert.equal(before, ticks.n)
      helper.fails("s:recv", "timeout", table.unpack(results, 1, results.n))
      assert.same({ false, "cancelled" }, { task:join() })
      ticks.cancel()
      local reader = loop.spawn(a.recv, a)
      tasks.settle()
      b:send "x"
      assert.equal("x", tasks.join(reader))
    end)
  end)

  it("whose <close> variable spawns, cancels, joins and tells is well", function()
    tasks.run(function()
      local log = {}
      local other = loop.spawn(loop.sleep, 60)
      local task
      task = loop.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          log.cancelled = other:cancel()
          log.joined = { other:join() }
          log.ok, log.message = pcall(task.cancel, task)
          log.waits = pcall(function() loop.spawn(loop.sleep, 0.001):join() end)
          log.spawned = loop.spawn(function()
            loop.sleep(0)
            return "spawned"
          end)
        end })
        loop.sleep(60)
      end)
      tasks.settle()
      assert.is_true(task:cancel())
      assert.is_true(log.cancelled)
      assert.same({ false, "cancelled" }, log.joined)
      assert.is_false(log.waits)
      if log.ok then assert.is_false(log.message) end -- it is at its end already
      assert.equal("spawned", tasks.join(log.spawned))
      assert.same({ false, "cancelled" }, { task:join() })
    end)
  end)

  it("two of which want to cancel each other ends both", function()
    tasks.run(function()
      local a, b
      local results = {}
      local function canceller(name, other)
        return function()
          local _ <close> = setmetatable({}, { __close = function()
            local ok, did = pcall(other().cancel, other())
            results[name] = ok and did
          end })
          loop.sleep(60)
        end
      end
      a = loop.spawn(canceller("a", function() return b end))
      b = loop.spawn(canceller("b", function() return a end))
      tasks.settle()
      assert.is_true(a:cancel())
      assert.is_true(results.a)
      assert.is_false(results.b)
      assert.same({ false, "cancelled" }, { a:join() })
      assert.same({ false, "cancelled" }, { b:join() })
    end)
  end)

  it("that is about to go on, for whatever reason, ends it all the same, and once", function()
    local SECONDS <const> = 0.001
    local function busy() -- until the others' time is over
      local time = socket.monotime() + 2 * SECONDS
      repeat until socket.monotime() > time
    end
    local reasons = {
      data = function()
        local a, b = net.pair()
        return function() return a:recv() end, function() b:send "x" end
      end,
      ["a close"] = function()
        local a = net.pair()
        return function() return a:recv() end, function() a:close() end
      end,
      ["the end of another"] = function()
        local other = loop.spawn(loop.sleep, 60)
        return function() return other:join() end, function() other:cancel() end
      end,
      ["its time"] = function()
        return function() return loop.sleep(SECONDS) end, busy
      end,
      ["its turn"] = function()
        return function() return loop.sleep(0) end, function() end
      end,
      ["its timeout"] = function()
        return function() return loop.timeout(SECONDS, loop.sleep, 60) end, busy
      end,
    }
    for name, make in pairs(reasons) do
      tasks.run(function()
        net.sometime(function()
          local wait, wake = make()
          local log, closed = tasks.log()
          local went, start = 0, socket.monotime()
          local task = loop.spawn(function()
            local _ <close> = closed "closed"
            wait()
            went = went + 1
            loop.sleep(60)
          end)
          if name ~= "its turn" then tasks.settle() end
          -- others may need the machine, and then it has not been about to go on: it has
          local late = wake == busy and socket.monotime() - start >= SECONDS
          wake()
          assert.is_true(task:cancel(), name)
          tasks.settle()
          assert.is_true(#log <= 1, name)
          assert.same({ false, "cancelled" }, { task:join() }, name)
          if late then return false, name end
          assert.equal(0, went, name)
          return true
        end)
      end)
    end
  end)

  it("by one that became ready with it, in either order, ends it", function()
    local a, b = net.pair()
    local c, d = net.pair()
    tasks.run(function()
      local list, got = {}, {}
      local function killer(s, i, other)
        return function()
          got[i] = s:recv()
          list[other]:cancel()
        end
      end
      list[1] = loop.spawn(killer(a, 1, 2))
      list[2] = loop.spawn(killer(c, 2, 1))
      tasks.settle()
      b:send "x"
      d:send "y"
      local _, first = list[1]:join()
      local _, second = list[2]:join()
      assert.truthy(first == "cancelled" or second == "cancelled")
      assert.is_false(first == "cancelled" and second == "cancelled")
      a:settimeout(0)
      c:settimeout(0)
      assert.equal("x", got[1] or a:recv())
      assert.equal("y", got[2] or c:recv())
    end)
  end)

  it("that waits in a generator made by somebody else closes the generator", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local generator = loop.wrap(function()
        local _ <close> = closed "generator"
        coroutine.yield()
        loop.sleep(60)
      end)
      generator()
      local task = loop.spawn(function()
        local _ <close> = closed "task"
        generator()
      end)
      tasks.settle()
      task:cancel()
      assert.same({ "generator", "task" }, log)
      assert.is_false((pcall(generator)))
    end)
  end)

  it("leaves alone a generator that is between its values", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local generator = loop.wrap(function()
        local _ <close> = closed "generator"
        for i = 1, 3 do coroutine.yield(i) end
      end)
      local task = loop.spawn(function()
        generator()
        loop.sleep(60)
      end)
      tasks.settle()
      task:cancel()
      assert.same({}, log)
      assert.equal(2, generator())
      assert.equal(3, generator())
      generator()
      assert.same({ "generator" }, log)
    end)
  end)

  it("a thousand times leaves nothing: the descriptors, the memory, the next readers", function()
    local a, b = net.pair()
    tasks.run(function()
      local function round()
        for _ = 1, 500 do
          local reader = loop.spawn(function() loop.timeout(60, loop.wrap(function() a:recv() end)) end)
          local listener = loop.spawn(function()
            local l <close> = assert(socket.listen("127.0.0.1", 0))
            l:accept()
          end)
          loop.sleep(0)
          reader:cancel()
          listener:cancel()
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count", helper.descriptors()
      end
      round()
      local before, descriptors = round()
      local after, then_descriptors = round()
      assert.is_true(after < before + 10)
      assert.equal(descriptors, then_descriptors)
      b:send "x"
      assert.equal("x", a:recv())
    end)
  end)
end)

describe("closing a socket", function()
  it("that nobody waits on, or that was waited on before, wakes nobody", function()
    tasks.run(function()
      local a, b = net.pair()
      local sleeper = loop.spawn(loop.sleep, 0.005)
      a:settimeout(0.001)
      helper.fails("s:recv", "timeout", a:recv())
      assert.is_true(a:close())
      assert.is_true(a:close())
      b:close()
      net.takes(0.001, loop.sleep, 0.001)
      tasks.join(sleeper)
    end)
  end)

  it("by <close>, or by its own end of life in another task, wakes who waits on it", function()
    tasks.run(function()
      local a = net.pair()
      local reader = loop.spawn(a.recv, a)
      tasks.settle()
      tasks.join(loop.spawn(function()
        local s <close> = a
        s:gettimeout()
      end))
      helper.fails("s:recv", "EBADF", tasks.join(reader))
    end)
  end)

  it("from a place where Lua cannot yield wakes who waits on it", function()
    tasks.run(function()
      local a = net.pair()
      local reader = loop.spawn(a.recv, a)
      tasks.settle()
      string.gsub("x", "x", function() a:close() end)
      helper.fails("s:recv", "EBADF", tasks.join(reader))
    end)
  end)

  it("by the task that was just told of its data, while another direction waits", function()
    tasks.run(function()
      local a, b = net.tcp()
      net.fill(a)
      local writer = loop.spawn(function() return a:send "x" end)
      local reader = loop.spawn(function()
        assert.equal("bye", a:recv())
        a:close()
      end)
      tasks.settle()
      b:send "bye"
      tasks.join(reader)
      helper.fails("s:send", "EBADF", tasks.join(writer))
    end)
  end)

  it("that is in a select, or in a poller that is waited for, ends the one and not the other", function()
    tasks.run(function()
      local a = net.pair()
      local c, d = net.pair()
      local selecting = loop.spawn(socket.select, { a, c }, nil)
      tasks.settle()
      a:close()
      helper.fails("socket.select", "EBADF", tasks.join(selecting))
      local e = net.pair()
      local p <close> = assert(socket.poller())
      p:add(e, "r")
      p:add(c, "r")
      local polling = loop.spawn(function()
        local iterator, state = p:wait()
        return (iterator(state))
      end)
      tasks.settle()
      e:close()
      tasks.settle()
      d:send "x"
      assert.equal(c, tasks.join(polling))
    end)
  end)

  it("that sendfile sends to wakes it, while it waits for a socket or a pipe #process", function()
    tasks.run(function()
      local source, other = net.pair()
      local child, keeper = net.pair()
      assert(child:setinheritable(true))
      local pipe <close> = assert(io.popen(helper.command("-e", -- says nothing, and ends with us
        ("require 'bsdsocket'.fromfd(%d):recv()"):format(child:fileno()))))
      local _ <close> = keeper
      child:close()
      for _, from in ipairs { source, pipe } do
        local a, b = net.pair()
        local sender = loop.spawn(a.sendfile, a, from)
        tasks.settle()
        b:close() -- not what it waits for
        tasks.settle()
        a:close()
        helper.fails("s:sendfile", "EBADF", tasks.join(sender))
      end
      other:send "kept"
      assert.equal("kept", source:recv())
    end)
  end)

  it("when it is a poller wakes who waits for it, at once", function()
    tasks.run(function()
      net.sometime(function()
        local p = assert(socket.poller())
        p:add(net.pair(), "r")
        local polling = loop.spawn(p.wait, p)
        loop.sleep(0.04) -- where a poller has no descriptor it looks every 16 ms now
        local start = socket.monotime()
        p:close()
        helper.fails("p:wait", "EBADF", tasks.join(polling))
        local took = socket.monotime() - start
        return took < 0.005, took
      end)
    end)
  end)

  it("by its other end wakes who waits: readers with the end of the stream, writers with an error", function()
    tasks.run(function()
      local a, b = net.pair()
      local reader = loop.spawn(a.recv, a)
      tasks.settle()
      b:close()
      assert.equal("", tasks.join(reader))
      a, b = net.pair()
      net.fill(a)
      local writer = loop.spawn(a.send, a, "x")
      tasks.settle()
      b:close()
      local _, _, code = tasks.join(writer)
      assert.truthy(code == "EPIPE" or code == "ECONNRESET")
    end)
  end)

  it("for one direction by shutdown wakes the reader with the end of the stream", function()
    tasks.run(function()
      for _, make in ipairs { net.pair, net.tcp } do
        local a = make()
        local reader = loop.spawn(a.recv, a)
        tasks.settle()
        a:shutdown "SHUT_RD"
        assert.equal("", tasks.join(reader))
      end
    end)
  end)

  it("that listens ends its clients, in a loop, and accept with EBADF", function()
    tasks.run(function()
      local l = assert(socket.listen("127.0.0.1", 0))
      local served = 0
      local server = loop.spawn(function()
        for s in l:clients() do
          served = served + 1
          s:close()
        end
        return "ended"
      end)
      for _ = 1, 3 do
        local s <close> = assert(socket.connect(l:getsockname()))
        assert.equal("", s:recv())
      end
      l:close()
      assert.equal("ended", tasks.join(server))
      assert.equal(3, served)
    end)
  end)
end)

describe("a task's coroutine in strange hands", function()
  --- A task that waits for data, and its coroutine.
  local function waiting(s, log)
    local co
    local task = loop.spawn(function()
      co = coroutine.running()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
      local data, _, code = s:recv()
      log[#log + 1] = "got " .. tostring(data or code)
      return data
    end)
    tasks.settle()
    return task, co
  end

  it("may be closed while it sends from a pipe", function()
    tasks.run(function()
      local a = net.pair()
      local pipe <close> = assert(io.popen "sleep 0.1")
      local co
      local task = loop.spawn(function()
        co = coroutine.running()
        return a:sendfile(pipe)
      end)
      tasks.settle()
      assert.is_true(coroutine.close(co))
      collectgarbage()
      collectgarbage()
      task:cancel()
      assert.is_false((task:join()))
    end)
  end)

  it("is a thread of its own, and can yield", function()
    local main = coroutine.running()
    tasks.run(function()
      local co, ismain = coroutine.running()
      assert.is_false(ismain)
      assert.are_not.equal(main, co)
      assert.is_true(coroutine.isyieldable())
      assert.equal("running", coroutine.status(co))
    end)
  end)

  --- Ways to wait, each with what lets it go on; both get a pair of sockets, and what comes of it is "hello".
  local ways = {
    ["a call"] = { function(a) return a:recv() end, function(b) b:send "hello" end },
    ["a call that has begun"] = { function(a) return a:read(5) end, function(b)
      b:send "hel"
      tasks.settle()
      b:send "lo"
    end },
    ["select"] = { function(a) return socket.select({ a }, nil)[1]:recv() end, function(b) b:send "hello" end },
    ["loop.wait"] = { function(a) return loop.wait(a, "r") == "r" and a:recv() end, function(b) b:send "hello" end },
    ["loop.sleep"] = { function(a)
      loop.sleep(0.01)
      return a:recv()
    end, function(b) b:send "hello" end },
    ["join"] = { function(a) return tasks.join(loop.spawn(a.recv, a)) end, function(b) b:send "hello" end },
    ["loop.timeout"] = { function(a) return loop.timeout(60, a.recv, a) end, function(b) b:send "hello" end },
    ["a generator"] = { function(a) return loop.wrap(a.recv)(a) end, function(b) b:send "hello" end },
    ["all at once"] = { function(a)
      return loop.timeout(60, loop.wrap(function() return tasks.join(loop.spawn(a.recv, a)) end))
    end, function(b) b:send "hello" end },
  }

  --- f(co) where a task waits in each way, and `co` is its coroutine; then what the task waits for comes. `check` gets
  --- what pcall gave of its wait, or nothing if it never came to that.
  local function strange(f, check)
    for name, way in pairs(ways) do
      local a, b = net.pair()
      tasks.run(function()
        local log, closed = tasks.log()
        local co, results
        local task = loop.spawn(function()
          co = coroutine.running()
          local _ <close> = closed "closed"
          results = table.pack(pcall(way[1], a))
        end)
        loop.spawn(task.join, task) -- else stderr is told how it ended
        tasks.settle()
        f(co)
        way[2](b)
        loop.timeout(1, task.join, task)
        task:cancel()
        assert.is_false(task:cancel())
        tasks.settle()
        assert.same({ "closed" }, log, name)
        if results then check(name, table.unpack(results, 1, results.n)) else check(name) end
        assert.equal("fine", loop.timeout(60, function()
          loop.sleep(0.001)
          return "fine"
        end))
      end)
      assert.equal("again", loop.run(function() return "again" end))
    end
  end

  it("that closes it does no harm: the task ends, or the close is refused", function()
    strange(function(co) pcall(coroutine.close, co) end, function(name, ok, data)
      if ok then assert.equal("hello", data, name) end
    end)
  end)

  it("that resumes it does no harm: the wait goes on, or fails, and gives nothing that was made up", function()
    strange(function(co)
      pcall(coroutine.resume, co, "made up", "more")
      pcall(coroutine.resume, co)
    end, function(name, ok, data)
      if ok then assert.equal("hello", data, name) end
    end)
  end)

  it("that asks for its status or traceback does no harm", function()
    local a, b = net.pair()
    tasks.run(function()
      local log = {}
      local task, co = waiting(a, log)
      assert.equal("suspended", coroutine.status(co))
      assert.match("recv", debug.traceback(co))
      b:send "hello"
      assert.equal("hello", tasks.join(task))
      assert.equal("dead", coroutine.status(co))
    end)
  end)
end)

describe("a stray yield", function()
  it("ends that task alone with an error that says so, and runs its <close> variables", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local task = loop.spawn(function()
        local _ <close> = closed "closed"
        loop.sleep(0)
        coroutine.yield "nowhere"
        log[#log + 1] = "went on"
      end)
      local ok, message = task:join()
      assert.is_false(ok)
      assert.match("yield", message)
      assert.same({ "closed" }, log)
      assert.is_false(task:cancel())
    end)
  end)

  it("of loop.run's own f raises there", function()
    local ok, message = pcall(loop.run, function() coroutine.yield() end)
    assert.is_false(ok)
    assert.match("yield", message)
    assert.equal("again", loop.run(function() return "again" end))
  end)

  it("never reaches a resume of the user's: neither a wait's nor a task's", function()
    local a, b = net.pair()
    tasks.run(function()
      local resumed = table.pack(coroutine.resume(coroutine.create(function()
        local ok, message = pcall(a.recv, a)
        coroutine.yield(ok, message)
      end)))
      assert.same({ true, false }, { resumed[1], resumed[2] })
      assert.match("loop%.wrap", resumed[3])
      b:send "x"
      assert.equal("x", a:recv())
    end)
  end)
end)
