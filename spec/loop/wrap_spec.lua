-- loop.wrap: coroutine.wrap whose waits pass through to the loop.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"

after_each(net.close)

--- f(wrap) with coroutine.wrap, with loop.wrap outside of tasks, and with loop.wrap in a task.
local function alike(name, f)
  it(name, function()
    f(coroutine.wrap)
    f(loop.wrap)
    tasks.run(function()
      f(coroutine.wrap)
      f(loop.wrap)
    end)
  end)
end

describe("loop.wrap does as coroutine.wrap:", function()
  alike("gives a function", function(wrap)
    assert.equal("function", type(wrap(function() end)))
  end)

  alike("hands values to and fro, whatever they are", function(wrap)
    local f = wrap(function(...)
      assert.same({ 1, nil, n = 2 }, table.pack(...))
      assert.same({ n = 0 }, table.pack(coroutine.yield(nil, nil)))
      assert.same({ "x", n = 1 }, table.pack(coroutine.yield()))
      return nil, "end", nil
    end)
    assert.same({ nil, nil, n = 2 }, table.pack(f(1, nil)))
    assert.same({ n = 0 }, table.pack(f()))
    assert.same({ nil, "end", nil, n = 3 }, table.pack(f "x"))
  end)

  alike("iterates", function(wrap)
    local list = {}
    for i, square in wrap(function() for i = 1, 4 do coroutine.yield(i, i * i) end end) do list[i] = square end
    assert.same({ 1, 4, 9, 16 }, list)
  end)

  alike("raises in the caller what is raised inside, and closes its variables", function(wrap)
    local log, closed = tasks.log()
    local thing = {}
    local f = wrap(function()
      local _ <close> = closed "closed"
      coroutine.yield()
      error(thing)
    end)
    f()
    assert.same({}, log)
    local ok, err = pcall(f)
    assert.is_false(ok)
    assert.equal(thing, err)
    assert.same({ "closed" }, log)
    ok, err = pcall(wrap(function() error "text" end))
    assert.is_false(ok)
    assert.match("wrap_spec.lua:%d+: text$", err)
  end)

  alike("raises when it has ended", function(wrap)
    local f = wrap(function() end)
    f()
    local ok, err = pcall(f)
    assert.is_false(ok)
    assert.match("dead coroutine", err)
  end)

  alike("raises when it calls itself", function(wrap)
    local f, message
    f = wrap(function() message = select(2, pcall(f)) end)
    f()
    assert.match("non%-suspended coroutine", message)
  end)

  alike("raises when it calls itself, whatever is on its stack, and goes on", function(wrap)
    local f, ok, message
    f = wrap(function(x)
      local y = x
      ok, message = pcall(f, 1, 2)
      coroutine.yield(y)
      return y + 1
    end)
    assert.equal(5, f(5, 6))
    assert.is_false(ok)
    assert.match("non%-suspended coroutine", message)
    assert.equal(6, f())
  end)

  alike("may be nested, each yielding to its own caller", function(wrap)
    local outer = wrap(function()
      local inner = wrap(function()
        coroutine.yield "inner 1"
        coroutine.yield "inner 2"
      end)
      coroutine.yield(inner())
      coroutine.yield "outer"
      coroutine.yield(inner())
    end)
    assert.same({ "inner 1", "outer", "inner 2" }, { outer(), outer(), outer() })
  end)

  alike("raises for what is no function", function(wrap)
    for _, value in ipairs { 1, "x", {} } do
      assert.is_false((pcall(wrap, value)))
    end
    assert.is_false((pcall(wrap)))
  end)

  it("and names its mistakes by its own name", function()
    helper.raises("loop.wrap", "bad argument #1 to '[%w.]*wrap'", loop.wrap, 1)
    helper.raises("loop.wrap", "bad argument #1 to '[%w.]*wrap'", loop.wrap)
  end)
end)

describe("a generator of loop.wrap", function()
  it("waits between its values, while other tasks run", function()
    local a, b = net.pair()
    tasks.run(function()
      local function words()
        return loop.wrap(function()
          for line in a:lines() do
            for word in line:gmatch "%S+" do coroutine.yield(word) end
          end
        end)
      end
      local reader = loop.spawn(function()
        local list = {}
        for word in words() do list[#list + 1] = word end
        return table.concat(list, ",")
      end)
      local ticks = tasks.ticks()
      for _, text in ipairs { "one tw", "o\nth", "ree\n", "four" } do
        local before = ticks.n
        b:send(text)
        tasks.settle()
        assert.is_true(ticks.n > before)
      end
      b:close()
      assert.equal("one,two,three,four", tasks.join(reader))
      ticks.cancel()
    end)
  end)

  it("may be handed from task to task, and from outside to a task and back", function()
    local a, b = net.pair()
    local f = loop.wrap(function()
      while true do coroutine.yield((a:recv(1))) end
    end)
    b:send "1"
    assert.equal("1", f())
    tasks.run(function()
      for i = 2, 4 do
        local task = loop.spawn(f)
        tasks.settle()
        b:send(tostring(i))
        assert.equal(tostring(i), tasks.join(task))
      end
    end)
    b:send "5"
    assert.equal("5", f())
  end)

  it("that waits for one task raises in another that calls it", function()
    local a, b = net.pair()
    tasks.run(function()
      local f = loop.wrap(function() return a:recv() end)
      local task = loop.spawn(f)
      tasks.settle()
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.match("non%-suspended coroutine", message)
      assert.is_false((pcall(f)))
      b:send "x"
      assert.equal("x", tasks.join(task))
    end)
  end)

  it("that fails after a wait raises in its task, the very value, and closes its variables", function()
    tasks.run(function()
      local thing = {}
      local log, closed = tasks.log()
      local ok, err = pcall(loop.wrap(function()
        local _ <close> = closed "closed"
        loop.sleep(0.001)
        error(thing)
      end))
      assert.is_false(ok)
      assert.equal(thing, err)
      assert.same({ "closed" }, log)
      loop.sleep(0) -- the task itself goes on waiting
    end)
  end)

  it("may be called through pcall, metamethods, and where Lua cannot yield", function()
    local a, b = net.pair()
    a:settimeout(20)
    tasks.run(function()
      local function receive() return a:recv(1) or "nothing" end
      local feeder = loop.spawn(function()
        loop.sleep(0.001)
        b:send "xy"
      end)
      assert.same({ true, "x" }, { pcall(loop.wrap(receive)) })
      local t = setmetatable({}, { __index = function() return loop.wrap(receive)() end })
      assert.equal("y", t.field)
      a:settimeout(0.005)
      assert.equal("nothing", (("-"):gsub("-", function() return loop.wrap(receive)() end)))
      tasks.join(feeder)
    end)
  end)

  it("that waits where Lua cannot yield blocks the thread, though it was made where it can", function()
    local a = net.pair()
    a:settimeout(0.005)
    tasks.run(function()
      local ticks = tasks.ticks()
      local f = loop.wrap(function()
        coroutine.yield "first"
        return (select(3, a:recv()))
      end)
      assert.equal("first", f())
      tasks.settle()
      local before = ticks.n
      local code
      string.gsub("x", "x", function() code = f() end)
      assert.equal("timeout", code)
      assert.equal(before, ticks.n)
      ticks.cancel()
    end)
  end)

  it("nested fifty deep waits, and thousands deep raises an error that does no harm", function()
    local function nested(depth)
      if depth == 0 then
        loop.sleep(0.001)
        return "deep"
      end
      return (loop.wrap(nested)(depth - 1))
    end
    tasks.run(function()
      assert.equal("deep", nested(50))
      local ok, message = pcall(nested, 5000)
      assert.is_false(ok)
      assert.match("overflow", message)
      assert.equal("deep", nested(50))
    end)
  end)

  it("that is forgotten between its values goes to the collector", function()
    tasks.run(function()
      local weak = setmetatable({}, { __mode = "k" })
      do
        local f = loop.wrap(function(t)
          weak[t] = true
          loop.sleep(0)
          coroutine.yield()
        end)
        f {}
        weak[f] = true
      end
      loop.sleep(0)
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)
  end)
end)
