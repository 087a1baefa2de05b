-- loop.stop: what ends, what loop.run returns then, and where it may be called.
local build = require "fault.build"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

local function heartbeat() while true do loop.sleep(0.01) end end

describe("loop.stop", function()
  it("ends the others at once and the caller at its next wait; loop.run returns its values", function()
    local log, closed = tasks.log()
    local function note(name) log[#log + 1] = name end
    local results = table.pack(loop.run(function()
      local _ <close> = closed "caller"
      loop.spawn(function()
        local _ <close> = closed "other"
        heartbeat()
      end)
      loop.sleep(0)
      loop.stop("a", nil, 3, nil)
      note "goes on"
      loop.sleep(0)
      note "never"
    end))
    assert.same({"other", "goes on", "caller"}, log)
    assert.same({"a", nil, 3, nil, n = 4}, results)
  end)

  it("returns nothing, and loop.run none without values", function()
    local n
    assert.equal(0, select("#", loop.run(function()
      loop.spawn(heartbeat)
      n = select("#", loop.stop())
      return "not this"
    end)))
    assert.equal(0, n)
  end)

  it("takes any number of values", function()
    local values = {}
    for i = 1, 500 do values[i] = i end
    assert.same(values, {loop.run(function() loop.stop(table.unpack(values)) end)})
  end)

  it("ends loop.run without a function, too, and tasks from before it", function()
    local task = loop.spawn(heartbeat)
    loop.spawn(function() loop.stop "here" end)
    assert.equal("here", loop.run())
    assert.same({false, "cancelled"}, {task:join()})
  end)

  it("keeps the first values when it is called again", function()
    assert.equal(1, loop.run(function()
      loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() loop.stop(2) end})
        heartbeat()
      end)
      loop.sleep(0)
      loop.stop(1)
      loop.stop(3)
    end))
  end)

  it("lets no task begin that is spawned afterwards", function()
    local began = false
    local function begin() began = true end
    local late
    assert.equal("end", loop.run(function()
      loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() loop.spawn(begin) end})
        heartbeat()
      end)
      for _ = 1, 3 do loop.spawn(loop.sleep, 0) end
      loop.sleep(0)
      loop.stop "end"
      late = loop.spawn(begin)
      loop.spawn(begin):cancel()
      late:join()
      began = true
    end))
    assert.is_false(began)
    assert.same({false, "cancelled"}, {late:join()})
  end)

  -- name = the wait at which the caller ends
  local waits = {
    ["loop.sleep(0)"] = function() loop.sleep(0) end,
    ["loop.sleep"] = function() loop.sleep(60) end,
    ["a call that waits"] = function() net.pair():recv() end,
    ["loop.wait"] = function() loop.wait(net.pair(), "r") end,
    ["select"] = function() socket.select({net.pair()}) end,
    ["join"] = function() loop.spawn(heartbeat):join() end,
    ["loop.timeout"] = function() loop.timeout(60, heartbeat) end,
    ["loop.wrap"] = function() loop.wrap(heartbeat)() end,
    ["pcall"] = function() pcall(heartbeat) end,
    ["its end"] = function() end,
  }
  for name, wait in pairs(waits) do
    it("ends its caller at " .. name, function()
      local log, closed = tasks.log()
      local task
      assert.equal("end", loop.run(function()
        task = loop.spawn(function()
          local _ <close> = closed "caller"
          loop.stop "end"
          wait()
          return "returned"
        end)
        heartbeat()
      end))
      assert.same({"caller"}, log)
      assert.same(name == "its end" and {true, "returned"} or {false, "cancelled"}, {task:join()})
    end)
  end

  it("lets calls that need not wait go on", function()
    local a, b = net.pair()
    b:send "hello"
    local got
    loop.run(function()
      loop.stop()
      got = a:recv()
    end)
    assert.equal("hello", got)
  end)

  it("works inside loop.timeout and loop.wrap, and from a coroutine of the program's", function()
    for _, through in ipairs {
      function(f) loop.timeout(60, f) end,
      function(f) loop.wrap(f)() end,
      function(f) loop.timeout(60, loop.wrap(f)) end,
      function(f) coroutine.wrap(f)() end,
      function(f) table.sort({1, 2}, function() f() return false end) end,
    } do
      local log, closed = tasks.log()
      assert.equal("end", loop.run(function()
        local _ <close> = closed "caller"
        loop.spawn(heartbeat)
        through(function() loop.stop "end" end)
        loop.sleep(60)
      end))
      assert.same({"caller"}, log)
    end
  end)

  it("ends the scopes of the others from the inside", function()
    local log, closed = tasks.log()
    loop.run(function()
      loop.spawn(function()
        local _ <close> = closed "task"
        loop.timeout(60, function()
          local _ <close> = closed "timeout"
          loop.wrap(function()
            local _ <close> = closed "generator"
            heartbeat()
          end)()
        end)
      end)
      loop.sleep(0)
      loop.stop()
    end)
    assert.same({"generator", "timeout", "task"}, log)
  end)

  it("may be called by a <close> variable of a task that is cancelled", function()
    assert.equal("end", loop.run(function()
      local task = loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() loop.stop "end" end})
        heartbeat()
      end)
      loop.sleep(0)
      task:cancel()
      heartbeat()
    end))
  end)

  it("may be called by a finalizer", function()
    assert.equal("end", loop.run(function()
      setmetatable({}, {__gc = function() loop.stop "end" end})
      loop.spawn(heartbeat)
      for _ = 1, 3 do
        collectgarbage()
        loop.sleep(0)
      end
      heartbeat()
    end))
  end)

  it("can be told in a chain of <close> variables that cancel each other", function()
    local n, count = 100, 0
    local list = {}
    assert.equal("end", loop.run(function()
      for i = 1, n do
        list[i] = loop.spawn(function()
          local _ <close> = setmetatable({}, {__close = function()
            count = count + 1
            if i < n then list[i + 1]:cancel() end
            if i == 50 then loop.stop "end" end
          end})
          heartbeat()
        end)
      end
      loop.sleep(0)
      list[1]:cancel()
      heartbeat()
    end))
    assert.equal(n, count)
  end)

  it("leaves no descriptor, and the loop can run again", function()
    for round = 1, 3 do
      assert.equal(round, loop.run(function()
        for _ = 1, 3 do
          loop.spawn(function()
            local a <close>, b = socket.socketpair()
            local _ <close> = b
            a:recv()
          end)
        end
        loop.sleep(0)
        loop.stop(round)
      end))
      assert.equal("x", loop.run(function()
        loop.sleep(0)
        return "x"
      end))
    end
  end)

  it("does not keep its values", function()
    local kept = setmetatable({}, {__mode = "k"})
    loop.run(function()
      local value = {}
      kept[value] = true
      loop.stop(value)
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
  end)

  it("raises outside of loop.run", function()
    helper.raises("loop.stop", "^loop%.stop: the loop does not run$", loop.stop, 1)
    loop.run(function() end)
    helper.raises("loop.stop", "^loop%.stop: the loop does not run$", loop.stop)
    assert.equal("mine", loop.run(function() return "mine" end))
  end)

  it("comes too late once the function of loop.run has failed: its error is raised", function()
    for _, code in ipairs {
      "loop.spawn(function() loop.sleep(0) loop.stop 'x' end)",
      [[loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() loop.stop 'x' end})
        loop.sleep(60)
      end)]],
    } do
      local ok, err = pcall(loop.run, function()
        load(code, "=code", "t", setmetatable({loop = loop}, {__index = _G}))()
        loop.sleep(0)
        error({"mine"})
      end)
      assert.same({false, {"mine"}}, {ok, err})
    end
  end)
end)

describe("loop.stop #process", function()
  it("counts before an error of the function of loop.run, which is told as one that nobody joins", function()
    local output, status = tasks.lua [[
      io.stdout:setvbuf "no"
      print(loop.run(function()
        loop.stop("values")
        error("oops", 0)
      end))
      print(loop.run(function()
        local _ <close> = setmetatable({}, {__close = function() error("oops in close", 0) end})
        loop.stop("values")
        loop.sleep(60)
      end))
    ]]
    assert.equal(0, status, output)
    for _, text in ipairs {"oops", "oops in close"} do
      local _, count = output:gsub("bsdsocket.loop: error in a task: " .. text .. "\n", "")
      assert.equal(1, count, output)
    end
    local _, count = output:gsub("values\n", "")
    assert.equal(2, count, output)
  end)

  it("ends a forked child's loop without running what is its parent's", function()
    local fork = build "fork" or helper.skip "no C compiler is here"
    local marker = helper.tmpname()
    local pid, status
    local ok, value = pcall(loop.run, function()
      local task = loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() io.open(marker, "w"):close() end})
        loop.sleep(60)
      end)
      loop.sleep(0)
      pid = fork.fork()
      if pid == 0 then
        loop.stop "stopped"
        loop.sleep(60)
      end
      status = fork.wait(pid)
      assert.is_nil(io.open(marker))
      task:cancel()
    end)
    if pid == 0 then fork.exit(ok and value == "stopped" and 7 or 255) end
    assert.is_true(ok, value)
    assert.equal(7, status)
  end)
end)
