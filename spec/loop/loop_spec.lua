-- bsdsocket.loop: tasks, from spawn to their end; loop.run, from its call to its return.
-- The calls that wait are in loop_waits_spec.lua, and the other loop_*_spec.lua have a subject each.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

--- A task that calls this method of itself gets an error, wherever it does, and goes on.
local function ofoneself(method)
  tasks.run(function()
    local task
    task = loop.spawn(function()
      loop.sleep(0)
      for _, within in ipairs {
        function(f) f() end,
        function(f) loop.wrap(f)() end,
        function(f) loop.timeout(1, f) end,
        function(f) coroutine.wrap(f)() end,
        function(f) string.gsub("x", "x", function() f() end) end,
        function(f) loop.wrap(function() loop.timeout(1, function() loop.wrap(f)() end) end)() end,
      } do
        local said
        within(function() said = helper.raises("task:" .. method, "itself", task[method], task) end)
        assert.truthy(said)
        loop.sleep(0)
      end
      return "went on"
    end)
    assert.equal("went on", tasks.join(task))
  end)
end

describe("the module", function()
  it("is one table with the functions that the contract names, and no others", function()
    local names = {}
    for name, value in pairs(loop) do
      assert.equal("function", type(value), name)
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({
      "now", "onerror", "run", "sleep", "spawn", "stop", "tasks", "timeout", "traceback", "wait", "wrap",
    }, names)
  end)
end)

describe("loop.run", function()
  it("gives the results of f, whatever their number, and hands it its arguments", function()
    assert.same({ n = 0 }, table.pack(loop.run(function() end)))
    assert.same({ 1, nil, 3, nil, n = 4 }, table.pack(loop.run(function(...)
      assert.same({ nil, "x", nil, n = 3 }, table.pack(...))
      loop.sleep(0)
      return 1, nil, 3, nil
    end, nil, "x", nil)))
    local many = table.pack(loop.run(function(...) return ... end, table.unpack({}, 1, 200)))
    assert.equal(200, many.n)
  end)

  it("without f runs the tasks that wait for it, and gives nothing", function()
    local ran = {}
    for i = 1, 3 do loop.spawn(function() ran[i] = true end) end
    assert.same({}, ran)
    assert.same({ n = 0 }, table.pack(loop.run()))
    assert.same({ true, true, true }, ran)
    assert.same({ n = 0 }, table.pack(loop.run())) -- nothing is left to do
    assert.same({ n = 0 }, table.pack(loop.run(nil)))
  end)

  it("with f runs the tasks, too, that were spawned before", function()
    local ran = false
    loop.spawn(function() ran = true end)
    loop.run(function() end)
    assert.is_true(ran)
  end)

  it("returns when every task has ended, and those that they spawned", function()
    local ended = {}
    assert.equal("first", loop.run(function()
      loop.spawn(function()
        loop.sleep(0.01)
        loop.spawn(function()
          loop.sleep(0.01)
          ended[#ended + 1] = "third"
        end)
        ended[#ended + 1] = "second"
      end)
      ended[#ended + 1] = "first"
      return "first"
    end))
    assert.same({ "first", "second", "third" }, ended)
  end)

  it("can run again and again, and leaves no descriptor between", function()
    local before = helper.descriptors()
    for i = 1, 50 do
      local a, b = socket.socketpair()
      assert.equal(i, loop.run(function()
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        b:send "x"
        tasks.join(reader)
        a:close()
        b:close()
        return i
      end))
      assert.equal(before, helper.descriptors())
    end
  end)

  it("leaves sockets that the next run, and plain calls, can use", function()
    local a, b = net.tcp()
    for i = 1, 3 do
      tasks.run(function()
        local reader = loop.spawn(a.recv, a)
        tasks.settle()
        b:send(tostring(i))
        assert.equal(tostring(i), tasks.join(reader))
      end)
      b:send "plain"
      assert.equal("plain", a:recv())
      a:settimeout(0.005)
      helper.fails("s:recv", "timeout", net.takes(0.005, a.recv, a))
      a:settimeout(nil)
    end
  end)

  it("raises the error of f, the very value, after the others were cancelled", function()
    local thing = {}
    for _, value in ipairs { thing, "text", 12, false } do
      local log, closed = tasks.log()
      local before = helper.descriptors()
      local other
      local ok, err = pcall(loop.run, function()
        other = loop.spawn(function()
          local _ <close> = closed "other"
          local a <close>, b = socket.socketpair()
          local _ <close> = b
          a:recv()
          b:recv()
        end)
        loop.sleep(0)
        local _ <close> = closed "f"
        error(value, 0)
      end)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.same({ "f", "other" }, log)
      assert.equal(before, helper.descriptors())
      assert.same({ false, "cancelled" }, { other:join() })
      assert.is_false(other:cancel())
      assert.equal("again", loop.run(function() return "again" end))
    end
    local ok, err = pcall(loop.run, function() error() end)
    assert.same({ false, helper.noerror }, { ok, err })
  end)

  it("raises the error of f where f has waited before, and where it never has", function()
    assert.has_error(function() loop.run(function() error("at once", 0) end) end, "at once")
    assert.has_error(function() loop.run(function() loop.sleep(0.001) error("later", 0) end) end, "later")
    local ok, err = pcall(loop.run, function() local x = nil; return x.y end)
    assert.is_false(ok)
    assert.match("spec/loop/loop_spec.lua:%d+: attempt to index a nil value", err)
  end)

  it("after f has failed runs nothing that a <close> variable spawns, nor keeps it for the next run", function()
    local ran = false
    local other
    assert.has_error(function()
      loop.run(function()
        other = loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() pcall(loop.spawn, function()
            loop.sleep(0)
            ran = true
          end) end })
          loop.sleep(60)
        end)
        loop.sleep(0)
        error("oops", 0)
      end)
    end, "oops")
    assert.same({ false, "cancelled" }, { other:join() })
    tasks.run(tasks.settle)
    assert.is_false(ran)
  end)

  it("cancels tasks, too, that have not begun when f fails", function()
    local ran, late = false, nil
    assert.has_error(function()
      loop.run(function()
        loop.sleep(0)
        late = loop.spawn(function()
          loop.sleep(0)
          ran = true
        end)
        error("oops", 0)
      end)
    end, "oops")
    assert.same({ false, "cancelled" }, { late:join() })
    loop.run()
    assert.is_false(ran)
  end)

  it("runs in a coroutine of the user's as well", function()
    local a, b = net.pair()
    local co = coroutine.wrap(function()
      coroutine.yield "before"
      local got = loop.run(function()
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        b:send "x"
        return tasks.join(reader)
      end)
      coroutine.yield(got)
      return "after"
    end)
    assert.equal("before", co())
    assert.equal("x", co())
    assert.equal("after", co())
  end)

  it("runs where Lua cannot yield", function()
    local a, b = net.pair()
    assert.equal("got", (("x"):gsub("x", function()
      return loop.run(function()
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        b:send "got"
        return tasks.join(reader)
      end)
    end)))
  end)

  it("does not depend on the collector: tasks that wait live, those that have ended go", function()
    local a, b = net.pair()
    tasks.run(function()
      local alive = setmetatable({}, { __mode = "k" })
      do
        local function forget()
          local task = loop.spawn(function()
            local mine = {}
            alive[mine] = "waiting"
            assert.equal("x", a:recv())
            return mine
          end)
          alive[task] = "task"
        end
        forget()
      end
      tasks.settle()
      collectgarbage()
      collectgarbage()
      local count = 0
      for _ in pairs(alive) do count = count + 1 end
      assert.is_true(count >= 1)
      b:send "x"
      tasks.settle()
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(alive))
    end)
  end)

  it("keeps nothing of ten thousand tasks that have ended", function()
    local a, b = net.pair()
    tasks.run(function()
      local function round()
        for _ = 1, 1000 do
          loop.spawn(function() loop.sleep(0) end)
          local reader = loop.spawn(a.recv, a)
          loop.sleep(0)
          b:send "x"
          tasks.join(reader)
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      round()
      local before = round()
      for _ = 1, 3 do round() end
      assert.is_true(round() < before + 20, "grows")
    end)
  end)

  it("works while the collector runs all the time", function()
    local a, b = net.pair()
    tasks.run(function()
      local stress = loop.spawn(function()
        while true do
          collectgarbage()
          loop.sleep(0)
        end
      end)
      local echo = loop.spawn(function()
        for data in b:chunks() do b:sendall(data) end
      end)
      for i = 1, 50 do
        a:send(("%d\n"):format(i))
        assert.equal(tostring(i), a:read())
        loop.timeout(0.0001, loop.sleep, 1)
        loop.spawn(function() loop.sleep(1) end):cancel()
      end
      a:close()
      tasks.join(echo)
      stress:cancel()
    end)
  end)
end)

describe("loop.spawn", function()
  it("gives a task that runs f with the arguments, and join gives the results", function()
    tasks.run(function()
      local task = loop.spawn(function(...)
        assert.same({ 1, nil, "x", nil, n = 4 }, table.pack(...))
        loop.sleep(0)
        return nil, 2, nil
      end, 1, nil, "x", nil)
      assert.same({ true, nil, 2, nil, n = 4 }, table.pack(task:join()))
    end)
  end)

  it("lets tasks begin in the order in which they were spawned", function()
    local order = {}
    for i = 1, 5 do loop.spawn(function() order[#order + 1] = i end) end
    loop.run(function()
      for i = 6, 10 do loop.spawn(function() order[#order + 1] = i end) end
      tasks.settle()
    end)
    local first, last = {}, {}
    for _, i in ipairs(order) do table.insert(i <= 5 and first or last, i) end
    assert.same({ 1, 2, 3, 4, 5 }, first)
    assert.same({ 6, 7, 8, 9, 10 }, last)
  end)

  it("takes functions of C as well", function()
    local a, b = net.pair()
    b:send "x"
    tasks.run(function()
      assert.equal("x", tasks.join(loop.spawn(a.recv, a)))
      assert.equal("5", tasks.join(loop.spawn(tostring, 5)))
      assert.equal(5, tasks.join(loop.spawn(math.max, 2, 5, 3)))
    end)
  end)

  it("is no wait, and may be called where there can be none", function()
    local ran = {}
    tasks.run(function()
      coroutine.wrap(function() loop.spawn(function() ran[#ran + 1] = "coroutine" end) end)()
      table.sort({ 2, 1 }, function(x, y)
        if not ran.sort then
          ran.sort = true
          loop.spawn(function() ran[#ran + 1] = "sort" end)
        end
        return x < y
      end)
      loop.wrap(function() loop.spawn(function() ran[#ran + 1] = "wrap" end) end)()
      tasks.settle()
      table.sort(ran)
      assert.same({ "coroutine", "sort", "wrap" }, { table.unpack(ran) })
    end)
  end)

  it("raises for what is no function, and for nothing", function()
    helper.raises("loop.spawn", "bad argument #1 to '[%w.]*spawn'", loop.spawn)
    for _, value in ipairs { 1, "f", true, {} } do
      helper.raises("loop.spawn", "bad argument #1 to '[%w.]*spawn'", loop.spawn, value)
    end
    assert.same({ n = 0 }, table.pack(loop.run()))
  end)

  it("makes as many tasks at a time as there is memory for", function()
    local count = helper.instrumented and 2000 or 20000
    tasks.run(function()
      local sum, list = 0, {}
      for i = 1, count do
        list[i] = loop.spawn(function(x)
          loop.sleep(0)
          sum = sum + x
        end, i)
      end
      for _, task in ipairs(list) do tasks.join(task) end
      assert.equal(count * (count + 1) // 2, sum)
    end)
  end)

  it("makes tasks whose recursion overflows alone #deep", function()
    collectgarbage() -- each finalizer of other specs' garbage would move the deep stack about
    tasks.run(function()
      local function deep() return 1 + deep() end
      local task = loop.spawn(function()
        loop.sleep(0)
        return deep()
      end)
      local ok, err = task:join()
      assert.is_false(ok)
      assert.match("stack overflow", err)
      assert.equal("fine", tasks.join(loop.spawn(function() return "fine" end)))
    end)
  end)
end)

describe("a task", function()
  it("tells what it is by tostring, and has join and cancel", function()
    local task = loop.spawn(function() loop.sleep(0) end)
    assert.match("^task", tostring(task))
    loop.run(function()
      loop.sleep(0)
      assert.match("^task", tostring(task))
    end)
    assert.match("^task", tostring(task))
    assert.equal("function", type(task.join))
    assert.equal("function", type(task.cancel))
  end)

  it("raises where a method is called on something else", function()
    local task = loop.spawn(function() end)
    loop.run()
    for _, value in ipairs { 1, {}, io.stdout, "x" } do
      helper.raises("task:join", "bad argument #1 to 'join'", function() task.join(value) end)
      helper.raises("task:cancel", "bad argument #1 to 'cancel'", function() task.cancel(value) end)
    end
    helper.raises("task:join", "bad argument #1 to 'join'", function() task.join() end)
    helper.raises("task:cancel", "bad argument #1 to 'cancel'", function() task.cancel() end)
  end)
end)

describe("task:join", function()
  it("waits for the end, again and again, of as many as want to know", function()
    tasks.run(function()
      local go = false
      local task = loop.spawn(function()
        while not go do loop.sleep(0) end
        return "a", "b"
      end)
      local joined = 0
      local function join()
        assert.same({ true, "a", "b" }, { task:join() })
        joined = joined + 1
      end
      tasks.all(join, join, join, function()
        tasks.settle()
        assert.equal(0, joined)
        go = true
      end)
      join()
      join()
      assert.equal(5, joined)
    end)
  end)

  it("of one that failed gives false and the error, the very value", function()
    local thing = setmetatable({}, { __tostring = function() return "a thing" end })
    tasks.run(function()
      local task = loop.spawn(function()
        loop.sleep(0.001)
        error(thing)
      end)
      local first, second
      tasks.all(function() first = { task:join() } end, function() second = { task:join() } end)
      assert.equal(thing, first[2])
      assert.equal(thing, second[2])
      assert.is_false(first[1])
      local ok, err = task:join()
      assert.is_false(ok)
      assert.equal(thing, err)
      task = loop.spawn(function()
        loop.sleep(0)
        error()
      end)
      assert.same({ false, helper.noerror, n = 2 }, table.pack(task:join()))
    end)
  end)

  it("of oneself raises, from within loop.wrap, loop.timeout and a coroutine, too", function() ofoneself "join" end)

  it("outside of every task gives what has ended, and raises where it would have to wait", function()
    local task = loop.spawn(function() return "x" end)
    helper.raises("task:join", "task", task.join, task)
    loop.run()
    assert.same({ true, "x" }, { task:join() })
    local failed
    loop.run(function()
      failed = loop.spawn(function()
        loop.sleep(0)
        error("oops", 0)
      end)
      failed:join()
    end)
    assert.same({ false, "oops" }, { failed:join() })
  end)

  it("where Lua cannot yield gives what has ended, and raises where it would have to wait", function()
    tasks.run(function()
      local ended, waiting = loop.spawn(function() return "x" end), loop.spawn(loop.sleep, 60)
      tasks.settle()
      local results, ok, message
      string.gsub("x", "x", function()
        results = { ended:join() }
        ok, message = pcall(waiting.join, waiting)
      end)
      assert.same({ true, "x" }, results)
      assert.is_false(ok)
      assert.match("wait", message)
      waiting:cancel()
    end)
  end)

  it("in a coroutine that is no task raises an error that names loop.wrap, and waits in a generator", function()
    tasks.run(function()
      local task = loop.spawn(function()
        loop.sleep(0.001)
        return "x"
      end)
      local ok, message = pcall(coroutine.wrap(function() task:join() end))
      assert.is_false(ok)
      assert.match("loop%.wrap", message)
      assert.same({ true, "x" }, { loop.wrap(function() return task:join() end)() })
      assert.same({ true, "x" }, { coroutine.wrap(function() return task:join() end)() }) -- no wait
    end)
  end)

  it("can be cancelled, and given up; the task goes on", function()
    tasks.run(function()
      local go = false
      local task = loop.spawn(function()
        while not go do loop.sleep(0) end
        return "x"
      end)
      local joiner = loop.spawn(task.join, task)
      tasks.settle()
      assert.is_true(joiner:cancel())
      helper.fails("loop.timeout", "timeout", loop.timeout(0.001, task.join, task))
      go = true
      assert.same({ true, "x" }, { task:join() })
    end)
  end)
end)

describe("task:cancel", function()
  it("gives true where it ended the task, and false where it had ended", function()
    tasks.run(function()
      local task = loop.spawn(loop.sleep, 60)
      tasks.settle()
      assert.is_true(task:cancel())
      assert.is_false(task:cancel())
      assert.is_false(task:cancel())
      assert.same({ false, "cancelled", n = 2 }, table.pack(task:join()))
      local done = loop.spawn(function() return "done" end)
      tasks.settle()
      assert.is_false(done:cancel())
      assert.same({ true, "done" }, { done:join() })
      local failed = loop.spawn(function()
        loop.sleep(0)
        error("oops", 0)
      end)
      failed:join()
      assert.is_false(failed:cancel())
      assert.same({ false, "oops" }, { failed:join() })
    end)
  end)

  it("wakes everyone who joins", function()
    tasks.run(function()
      local task = loop.spawn(loop.sleep, 60)
      local woken = 0
      local function join()
        assert.same({ false, "cancelled" }, { task:join() })
        woken = woken + 1
      end
      tasks.all(join, join, function()
        tasks.settle()
        task:cancel()
      end)
      assert.equal(2, woken)
    end)
  end)

  it("ends a task before it has done anything", function()
    local ran = false
    local task = loop.spawn(function()
      loop.sleep(0)
      ran = true
    end)
    assert.is_true(task:cancel()) -- outside of loop.run
    assert.is_false(task:cancel())
    assert.same({ false, "cancelled" }, { task:join() })
    tasks.run(function()
      task = loop.spawn(function()
        loop.sleep(0)
        ran = true
      end)
      assert.is_true(task:cancel())
      assert.same({ false, "cancelled" }, { task:join() })
      tasks.settle()
    end)
    assert.is_false(ran)
  end)

  it("of oneself raises, from within loop.wrap, loop.timeout and a coroutine, too", function() ofoneself "cancel" end)
end)
