-- bsdsocket.loop and time: loop.sleep, loop.now, loop.timeout, deadlines by the thousand.
-- The timeouts of calls, one by one, are in loop_waits_spec.lua.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

local LATE = net.slow and 0.5 or helper.instrumented and 0.1 or 0.02

describe("loop.now", function()
  it("is the monotonic time, inside a task and outside", function()
    local function near()
      local before = socket.monotime()
      local now = loop.now()
      assert.equal("float", math.type(now))
      assert.is_true(now > before - 1 and now <= socket.monotime())
      return now
    end
    local first = near()
    tasks.run(function()
      local second = near()
      assert.is_true(second >= first)
      loop.sleep(0.01)
      assert.is_true(near() >= second + 0.01)
    end)
  end)
end)

describe("loop.sleep", function()
  it("sleeps as long as asked, neither shorter nor longer nor busy", function()
    tasks.run(function()
      for _, seconds in ipairs { 0.0001, 0.001, 0.03, 0 } do
        net.takes(seconds, loop.sleep, seconds)
      end
    end)
  end)

  it("outside of every task is a plain sleep", function()
    for _, seconds in ipairs { 0.0001, 0.03, 0 } do net.takes(seconds, loop.sleep, seconds) end
    coroutine.wrap(function() net.takes(0.01, loop.sleep, 0.01) end)()
  end)

  it("where Lua cannot yield is a plain sleep", function()
    tasks.run(function()
      local ticks = tasks.ticks()
      tasks.settle()
      local before = ticks.n
      net.takes(0.01, string.gsub, "x", "x", function() loop.sleep(0.01) end)
      assert.equal(before, ticks.n)
      ticks.cancel()
    end)
  end)

  it("in a coroutine that is no task raises an error that names loop.wrap, and sleeps in a generator", function()
    tasks.run(function()
      for _, seconds in ipairs { 0, 0.001 } do
        local ok, message = pcall(coroutine.wrap(loop.sleep), seconds)
        assert.is_false(ok)
        assert.match("loop%.wrap", message)
        net.takes(seconds, loop.wrap(function() loop.sleep(seconds) end))
      end
    end)
  end)

  it("raises for what is no time", function()
    local function mistakes()
      for _, value in ipairs { -1, -1e-9, 0 / 0, "x", true, {} } do
        helper.raises("loop.sleep", "bad argument #1 to '[%w.]*sleep'", loop.sleep, value)
      end
      helper.raises("loop.sleep", "bad argument #1 to '[%w.]*sleep'", loop.sleep)
    end
    mistakes()
    tasks.run(mistakes)
  end)

  it("of a huge number or of infinity sleeps until it is cancelled", function()
    tasks.run(function()
      for _, seconds in ipairs { math.huge, 1e300, 1e18, math.maxinteger, 1e9, 1 << 40 } do
        local woken = false
        local task = loop.spawn(function()
          loop.sleep(seconds)
          woken = true
        end)
        loop.sleep(0.002)
        assert.is_false(woken)
        assert.is_true(task:cancel())
      end
    end)
  end)

  it("of 0 is fair: each in its turn", function()
    tasks.run(function()
      local counts, list = {}, {}
      for i = 1, 20 do
        counts[i] = 0
        list[i] = loop.spawn(function()
          for _ = 1, 100 do
            loop.sleep(0)
            counts[i] = counts[i] + 1
            local least, most = math.huge, 0
            for k = 1, 20 do least, most = math.min(least, counts[k]), math.max(most, counts[k]) end
            assert.is_true(most - least <= 1)
          end
        end)
      end
      for _, task in ipairs(list) do tasks.join(task) end
    end)
  end)

  it("of 0, again and again, keeps nobody from sockets and deadlines", function()
    local a, b = net.pair()
    tasks.run(function()
      local spin = true
      for _ = 1, 10 do
        loop.spawn(function() while spin do loop.sleep(0) end end)
      end
      local echo = loop.spawn(function()
        for data in b:chunks() do assert(b:sendall(data)) end
      end)
      for _ = 1, 100 do
        a:send "x"
        assert.equal("x", a:recv())
      end
      net.takes(0.01, loop.sleep, 0.01)
      a:settimeout(0.01)
      helper.fails("s:recv", "timeout", net.takes(0.01, a.recv, a))
      spin = false
      a:close()
      tasks.join(echo)
    end)
  end)
end)

describe("ten thousand deadlines", function()
  local COUNT = (net.slow or helper.instrumented) and 1000 or 10000

  --- Deadlines that do not come in any order.
  local function shuffled(n, most, seed)
    local list = {}
    seed = seed or 12345
    for i = 1, n do
      seed = (seed * 1103515245 + 12345) % (1 << 31)
      list[i] = seed / (1 << 31) * most
    end
    return list
  end

  it("are kept in their order, none early, and none later than 20 ms", function()
    net.sometime(function()
      local worst, order, heldup = 0, {}, net.heldup()
      tasks.run(function()
        local list = {}
        for i, seconds in ipairs(shuffled(COUNT, 0.2)) do
          list[i] = loop.spawn(function()
            local deadline = socket.monotime() + 0.3 + seconds
            loop.sleep(0.3 + seconds)
            local late = socket.monotime() - deadline
            assert.is_true(late >= 0, late)
            worst = math.max(worst, late)
            order[#order + 1] = deadline
          end)
        end
        for _, task in ipairs(list) do tasks.join(task) end
      end)
      assert.equal(COUNT, #order)
      worst = worst - (net.heldup() - heldup)
      local disorder = 0 -- the machine may take its time between our reading of the clock and the loop's
      for i = 2, COUNT do disorder = math.max(disorder, order[i - 1] - order[i]) end
      return worst <= LATE and disorder < 0.001, ("%f s late, %f s out of order"):format(worst, disorder)
    end)
  end)

  it("of which any may be taken away at any time leave the others as they were", function()
    net.sometime(function()
      local list, woken, count, worst, heldup = {}, {}, COUNT // 5, 0, net.heldup()
      tasks.run(function()
        for i, seconds in ipairs(shuffled(count, 0.3)) do
          list[i] = loop.spawn(function()
            local deadline = socket.monotime() + seconds
            loop.sleep(seconds)
            local late = socket.monotime() - deadline
            assert.is_true(late >= 0, late)
            worst = math.max(worst, late)
            woken[i] = true
          end)
        end
        loop.sleep(0)
        local cancelled = {}
        for i, x in ipairs(shuffled(count, 1, 54321)) do
          if i % 500 == 0 then loop.sleep(0.001) end
          if x < 0.7 and list[i]:cancel() then cancelled[i] = true end
        end
        for i, task in ipairs(list) do
          local ok, err = task:join()
          assert.equal(cancelled[i], woken[i] == nil or nil)
          if not ok then assert.equal("cancelled", err) end
        end
        assert.truthy(next(cancelled))
        assert.truthy(next(woken))
      end)
      worst = worst - (net.heldup() - heldup)
      return worst <= LATE, worst
    end)
  end)

  it("of which most are never reached cost nothing afterwards: calls that are answered in time", function()
    local a, b = net.pair()
    a:settimeout(1000)
    tasks.run(function()
      local echo = loop.spawn(function()
        for data in b:chunks() do assert(b:sendall(data)) end
      end)
      local function round()
        for _ = 1, 5000 do
          a:send "x"
          assert.equal("x", a:recv())
          loop.timeout(1000, loop.sleep, 0)
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      round()
      local before = round()
      assert.is_true(round() < before + 10)
      a:close()
      tasks.join(echo)
    end)
  end)

  it("of sockets are kept, too", function()
    local count = 200
    net.sometime(function()
      local worst, heldup = 0, net.heldup()
      tasks.run(function()
        local list, sockets = {}, {}
        for i, seconds in ipairs(shuffled(count, 0.05)) do
          local s = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
          sockets[i] = s:settimeout(0.02 + seconds)
          list[i] = loop.spawn(function()
            local deadline = socket.monotime() + 0.02 + seconds
            helper.fails("s:recv", "timeout", s:recv())
            local late = socket.monotime() - deadline
            assert.is_true(late >= 0, late)
            worst = math.max(worst, late)
          end)
        end
        for _, task in ipairs(list) do tasks.join(task) end
        for _, s in ipairs(sockets) do s:close() end
      end)
      worst = worst - (net.heldup() - heldup)
      return worst <= LATE, worst
    end)
  end)
end)

describe("loop.timeout", function()
  it("gives the results of f where it ends in time, whatever they are", function()
    tasks.run(function()
      assert.same({ n = 0 }, table.pack(loop.timeout(1, function() end)))
      assert.same({ nil, 2, nil, n = 3 }, table.pack(loop.timeout(1, function(...)
        assert.same({ "a", nil, n = 2 }, table.pack(...))
        loop.sleep(0.001)
        return nil, 2, nil
      end, "a", nil)))
      assert.same({ false }, { loop.timeout(math.huge, function()
        loop.sleep(0)
        return false
      end) })
      assert.equal("7", loop.timeout(1, tostring, 7))
    end)
  end)

  it("gives nil, a message and \"timeout\" at the time, neither early nor late nor busy", function()
    tasks.run(function()
      for _, seconds in ipairs { 0.001, 0.03 } do
        local message = helper.fails("loop.timeout", "timeout",
          net.takes(seconds, loop.timeout, seconds, loop.sleep, 60))
        assert.match("^timeout in sleep, spec/support/net%.lua:%d+: timed out$", (message:gsub("%./", "")))
      end
    end)
  end)

  it("of 0 gives the results of what need not wait, and ends what would", function()
    local a, b = net.pair()
    b:send "x"
    tasks.run(function()
      assert.equal("x", loop.timeout(0, a.recv, a))
      local went = false
      helper.fails("loop.timeout", "timeout", net.atonce(loop.timeout, 0, function()
        a:recv()
        went = true
      end))
      tasks.settle()
      assert.is_false(went)
      b:send "y"
      assert.equal("y", a:recv())
    end)
  end)

  it("closes the variables of f, the inner ones first, before it returns", function()
    tasks.run(function()
      local log, closed = tasks.log()
      helper.fails("loop.timeout", "timeout", loop.timeout(0.001, function()
        local _ <close> = closed "first"
        local _ <close> = closed "second"
        local function deeper()
          local _ <close> = closed "third"
          loop.sleep(60)
        end
        deeper()
      end))
      assert.same({ "third", "second", "first" }, log)
    end)
  end)

  it("is not stopped by pcall in f", function()
    tasks.run(function()
      local went = false
      helper.fails("loop.timeout", "timeout", loop.timeout(0.001, function()
        pcall(pcall, loop.sleep, 60)
        went = true
        loop.sleep(60)
      end))
      tasks.settle()
      assert.is_false(went)
    end)
  end)

  it("leaves alone what f has spawned", function()
    tasks.run(function()
      local task
      helper.fails("loop.timeout", "timeout", loop.timeout(0.002, function()
        task = loop.spawn(function()
          loop.sleep(0.01)
          return "went on"
        end)
        task:join()
      end))
      assert.equal("went on", tasks.join(task))
    end)
  end)

  it("raises the error of f, the very value", function()
    tasks.run(function()
      local thing = {}
      local ok, err = pcall(loop.timeout, 1, function()
        loop.sleep(0)
        error(thing)
      end)
      assert.is_false(ok)
      assert.equal(thing, err)
      ok, err = pcall(loop.timeout, 1, function() error("at once", 0) end)
      assert.same({ false, "at once" }, { ok, err })
      loop.sleep(0.001)
    end)
  end)

  it("tells its own timeout from that of a socket, and from f's own nil", function()
    local a = net.pair()
    tasks.run(function()
      a:settimeout(0.001)
      local _, message, code = loop.timeout(10, a.recv, a)
      assert.same({ "recv: timed out", "timeout" }, { message, code })
      assert.same({ nil, "x", n = 2 }, table.pack(loop.timeout(10, function() return nil, "x" end)))
      a:settimeout(10)
      _, message, code = loop.timeout(0.001, a.recv, a)
      assert.match("^timeout in recv, .*:%d+: timed out$", message)
      assert.equal("timeout", code)
    end)
  end)

  it("nested ends at the time that comes first, be it the inner or the outer one", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local result = loop.timeout(10, function()
        local _ <close> = closed "outer"
        local _, _, code = loop.timeout(0.001, function()
          local _ <close> = closed "inner"
          loop.sleep(60)
        end)
        assert.same({ "inner" }, log)
        loop.sleep(0.001)
        return code
      end)
      assert.equal("timeout", result)
      assert.same({ "inner", "outer" }, log)

      log, closed = tasks.log()
      local went = false
      helper.fails("loop.timeout", "timeout", net.takes(0.005, loop.timeout, 0.005, function()
        local _ <close> = closed "1"
        loop.timeout(10, function()
          local _ <close> = closed "2"
          loop.timeout(20, function()
            local _ <close> = closed "3"
            loop.sleep(60)
          end)
          went = true
        end)
        went = true
      end))
      local count = #log -- it may have been tried again
      assert.same({ "3", "2", "1" }, { table.unpack(log, count - 2) })
      tasks.settle()
      assert.is_false(went)
    end)
  end)

  it("nested a hundred deep works, or raises an error, and then all is well", function()
    local function nested(depth, f)
      if depth == 0 then return f() end
      return loop.timeout(10 + depth, function() return (nested(depth - 1, f)) end)
    end
    tasks.run(function()
      assert.equal("deep", nested(20, function()
        loop.sleep(0.001)
        return "deep"
      end))
      for _, depth in ipairs { 100, 150, 190, 250, 1000 } do
        local ok, result = pcall(nested, depth, function()
          loop.sleep(0.001)
          return "deep"
        end)
        if ok then
          assert.equal("deep", result)
        else
          assert.match("overflow", result)
        end
        assert.equal("fine", loop.timeout(60, function()
          loop.sleep(0)
          return "fine"
        end))
      end
    end)
  end)

  it("that has not been reached leaves nothing that could strike later", function()
    tasks.run(function()
      for _ = 1, 3 do
        loop.timeout(0.003, function() end)
        loop.timeout(0.003, loop.sleep, 0)
        pcall(loop.timeout, 0.003, error, "x")
        loop.spawn(loop.timeout, 0.003, loop.sleep, 60):cancel()
      end
      loop.sleep(0.01)
      assert.equal("x", loop.timeout(60, function()
        loop.sleep(0.005)
        return "x"
      end))
    end)
  end)

  it("in a generator ends that part of it", function()
    tasks.run(function()
      local generator = loop.wrap(function()
        local code = select(3, loop.timeout(0.001, loop.sleep, 60))
        coroutine.yield(code)
        loop.timeout(60, loop.sleep, 0.001)
        return "end"
      end)
      assert.equal("timeout", generator())
      assert.equal("end", generator())
    end)
  end)

  it("lets what f yields through to who asks the generator, whoever that is now, and its answers back", function()
    tasks.run(function()
      local generator = loop.wrap(function(...)
        local results = table.pack(loop.timeout(60, function(first)
          local second, third = coroutine.yield(first, "one")
          loop.sleep(0.001)
          coroutine.yield(second, third)
          return "f", "ends"
        end, ...))
        coroutine.yield(table.unpack(results, 1, results.n))
        return "end"
      end)
      assert.same({ "a", "one" }, { generator "a" })
      assert.same({ "b", "c" }, { generator("b", "c") })
      assert.same({ "f", "ends" }, { tasks.join(loop.spawn(generator)) })
      assert.equal("end", generator())
    end)
  end)

  it("that passes while the generator that f yielded to is not asked ends f when it is", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local generator = loop.wrap(function()
        helper.fails("loop.timeout", "timeout", loop.timeout(0.001, function()
          local _ <close> = closed "f"
          coroutine.yield "first"
          error "it went on"
        end))
        return "end"
      end)
      assert.equal("first", generator())
      loop.sleep(0.01)
      assert.same({}, log)
      assert.equal("end", generator())
      assert.same({ "f" }, log)
    end)
  end)

  it("around a generator that was made outside ends the wait, and the generator with it", function()
    tasks.run(function()
      local log, closed = tasks.log()
      local generator = loop.wrap(function()
        local _ <close> = closed "generator"
        coroutine.yield "first"
        loop.sleep(60)
      end)
      assert.equal("first", generator())
      helper.fails("loop.timeout", "timeout", loop.timeout(0.001, function()
        local _ <close> = closed "f"
        generator()
      end))
      assert.same({ "generator", "f" }, log)
      assert.is_false((pcall(generator)))
    end)
  end)

  it("of an f that yields into nowhere raises an error that says so", function()
    tasks.run(function()
      local ok, message = pcall(loop.timeout, 1, function() coroutine.yield "nowhere" end)
      assert.is_false(ok)
      assert.match("yield", message)
      loop.sleep(0.001)
    end)
  end)

  it("where Lua cannot yield, f blocks the thread, and ends by its own timeouts", function()
    local a = net.pair()
    a:settimeout(0.005)
    tasks.run(function()
      local results
      string.gsub("x", "x", function()
        results = table.pack(pcall(loop.timeout, 1, function()
          local _, _, code = a:recv()
          return code
        end))
      end)
      if results[1] then
        assert.equal("timeout", results[2])
      else
        assert.match("loop.timeout .* yield", results[2])
      end
    end)
  end)

  it("outside of every task raises, and in a coroutine that is none", function()
    local called = false
    local function f() called = true end
    helper.raises("loop.timeout", "task", loop.timeout, 1, f)
    coroutine.wrap(function() helper.raises("loop.timeout", "task", loop.timeout, 1, f) end)()
    tasks.run(function()
      coroutine.wrap(function() helper.raises("loop.timeout", "loop%.wrap", loop.timeout, 1, f) end)()
    end)
    assert.is_false(called)
  end)

  it("takes a numeral for a number, as the other calls that take a time", function()
    tasks.run(function()
      assert.equal("ended", loop.timeout("60", function() return "ended" end))
      helper.fails("loop.timeout", "timeout", loop.timeout("0.001", loop.sleep, 60))
    end)
  end)

  it("raises for what is no time and no function", function()
    tasks.run(function()
      for _, value in ipairs { -1, 0 / 0, "x", {}, print } do
        helper.raises("loop.timeout", "bad argument #1 to '[%w.]*timeout'", loop.timeout, value, print)
      end
      for _, value in ipairs { 1, "x", true } do
        helper.raises("loop.timeout", "bad argument #2 to '[%w.]*timeout'", loop.timeout, 1, value)
      end
      helper.raises("loop.timeout", "bad argument #2 to '[%w.]*timeout'", loop.timeout, 1)
      helper.raises("loop.timeout", "bad argument #1 to '[%w.]*timeout'", loop.timeout)
    end)
  end)
end)
