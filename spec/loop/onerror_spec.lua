-- loop.onerror: who is told of errors in tasks that nobody joins.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)
after_each(function() loop.onerror(nil) end)

--- What f was told of while tasks ran: an array of {task, error, traceback, n = 3}.
local function heard(f)
  local list = {}
  loop.onerror(function(...) list[#list + 1] = table.pack(...) end)
  loop.run(f)
  return list
end

describe("loop.onerror", function()
  it("is told the task, its error and the traceback", function()
    local task
    local list = heard(function()
      task = loop.spawn(function()
        local function inner() error("oops", 0) end
        loop.sleep(0)
        inner()
      end)
    end)
    assert.equal(1, #list)
    assert.equal(3, list[1].n)
    assert.equal(task, list[1][1])
    assert.equal("oops", list[1][2])
    assert.match("^stack traceback:\n.*in local 'inner'", list[1][3])
    assert.equal(list[1][3], task:traceback())
    assert.same({false, "oops"}, {task:join()})
  end)

  it("gets errors as they are: tables, nil, and what cannot be told", function()
    local wild = setmetatable({}, {__tostring = error})
    for _, value in ipairs {{}, 42, true, wild} do
      local list = heard(function() loop.spawn(error, value) end)
      assert.equal(1, #list)
      assert.is_true(rawequal(value, list[1][2]))
    end
    assert.equal(helper.noerror, heard(function() loop.spawn(error) end)[1][2])
  end)

  it("is told of each once, of what nobody joins, and of no cancel", function()
    local list = heard(function()
      for i = 1, 5 do loop.spawn(error, i) end
      local joined = loop.spawn(error, "joined")
      assert.is_false(joined:join())
      local task = loop.spawn(loop.sleep, 60)
      loop.sleep(0)
      task:cancel()
    end)
    local sum = 0
    for _, told in ipairs(list) do sum = sum + told[2] end
    assert.same({5, 15}, {#list, sum})
  end)

  it("is told while the others run on, and of what fails in the end", function()
    local log = {}
    loop.onerror(function(_, err) log[#log + 1] = err end)
    tasks.run(function()
      loop.spawn(error, "early", 0)
      tasks.settle()
      log[#log + 1] = "later"
      loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() error("at the end", 0) end})
        loop.sleep(60)
      end)
      loop.sleep(0)
      loop.stop()
      loop.sleep(0)
    end)
    assert.same({"early", "later", "at the end"}, log)
  end)

  it("is not told of an error of loop.run's function, nor of a task whose error it has asked for", function()
    local count = 0
    loop.onerror(function() count = count + 1 end)
    assert.same({false, "mine"}, {pcall(loop.run, error, "mine", 0)})
    assert.equal(0, count)
  end)

  it("holds until it is changed, and the last one counts", function()
    local log = {}
    loop.onerror(function() log[#log + 1] = "first" end)
    loop.onerror(function() log[#log + 1] = "second" end)
    for _ = 1, 2 do loop.run(function() loop.spawn(error, "oops") end) end
    assert.same({"second", "second"}, log)
    assert.equal(0, select("#", loop.onerror(nil)))
  end)

  it("may be changed by itself and by tasks", function()
    local log = {}
    loop.onerror(function()
      log[#log + 1] = "first"
      loop.onerror(function() log[#log + 1] = "second" end)
    end)
    loop.run(function()
      loop.spawn(error, "oops")
      loop.spawn(error, "oops")
      tasks.settle()
      loop.onerror(function() log[#log + 1] = "third" end)
      loop.spawn(error, "oops")
    end)
    assert.same({"first", "second", "third"}, log)
  end)

  it("may spawn, cancel and join, and loop.run waits for what it has spawned", function()
    local log = {}
    loop.onerror(function(task)
      local ok, err = task:join()
      log[#log + 1] = tostring(ok) .. " " .. err
      assert.is_false(task:cancel())
      loop.spawn(function()
        loop.sleep(0.001)
        log[#log + 1] = "spawned"
      end)
    end)
    loop.run(function()
      loop.spawn(error, "one", 0)
      tasks.settle()
      loop.spawn(error, "two", 0)
    end)
    table.sort(log)
    assert.same({"false one", "false two", "spawned", "spawned"}, log)
  end)

  it("leaves nothing that it spawns when the loop has ended", function()
    local began = false
    local task
    loop.onerror(function() task = loop.spawn(function() began = true end) end)
    loop.run(function()
      loop.spawn(function()
        local _ <close> = setmetatable({}, {__close = function() error "oops" end})
        loop.sleep(60)
      end)
      loop.sleep(0)
      loop.stop()
    end)
    assert.is_false(began)
    assert.same({false, "cancelled"}, {task:join()})
    assert.same({}, loop.tasks())
  end)

  it("may end the loop by loop.stop, also when the last task has failed", function()
    loop.onerror(function(_, err) loop.stop(nil, err) end)
    assert.same({nil, "oops"}, {loop.run(function()
      loop.spawn(error, "oops", 0)
      loop.sleep(60)
    end)})
    assert.same({nil, "oops"}, {loop.run(function() loop.spawn(error, "oops", 0) end)})
  end)

  it("may cancel the function of loop.run, whose deadline comes first", function()
    local first
    loop.onerror(function() first:cancel() end)
    local ok, err = pcall(loop.run, function()
      first = loop.tasks()[1].task
      loop.spawn(error, "oops")
      loop.sleep(60)
    end)
    assert.is_false(ok)
    assert.equal("cancelled", err)
  end)

  it("blocks in calls that wait, under their timeouts; what only a task can do raises", function()
    local results = {}
    local s = net.pair()
    s:settimeout(0.01)
    loop.onerror(function()
      results[1] = select(3, s:recv())
      loop.sleep(0.001)
      results[2] = pcall(loop.timeout, 1, print)
      results[3] = pcall(loop.run)
      results[4] = pcall(coroutine.yield)
      results[5] = #socket.select({s}, nil, 0.001)
    end)
    loop.run(function() loop.spawn(error, "oops") end)
    assert.same({"timeout", false, false, false, 0}, results)
  end)

  it("raises for what is no function", function()
    for _, value in ipairs {42, "x", {}} do
      helper.raises("loop.onerror", "%(function or nil expected, got ", loop.onerror, value)
    end
    helper.raises("loop.onerror", "%(function or nil expected, got no value%)", loop.onerror)
  end)
end)

describe("loop.onerror #process", function()
  it("leaves stderr alone, and nil makes it stderr again", function()
    local output = tasks.lua [[
      loop.onerror(function(_, err, trace) print("heard", err, #trace > 20) end)
      loop.run(function() loop.spawn(error, "one", 0) end)
      loop.onerror(nil)
      loop.run(function() loop.spawn(error, "two", 0) end)
    ]]
    assert.match("^heard\tone\ttrue\n", output)
    assert.match("\nbsdsocket%.loop: error in a task: two\nstack traceback:\n", output)
    local _, count = output:gsub("one", "")
    assert.equal(1, count)
  end)

  it("that fails has its error told on stderr, after that of the task; the loop goes on", function()
    for _, case in ipairs {
      {"error('in handler', 0)", "in handler\nstack traceback:\n"},
      {"error({})", "table: 0x%x+\nstack traceback:\n"},
      {"error(setmetatable({}, {__tostring = error}))", "%(error object is a table value, and its __tostring fails%)"},
      {"error()", "nil\n"},
      {"local function f() return f() + 1 end f()", "stack overflow"},
      {"coroutine.yield()", "attempt to yield"},
    } do
      local output, status = tasks.lua([[
        loop.onerror(function() ]] .. case[1] .. [[ end)
        print(loop.run(function()
          loop.spawn(error, "in task", 0)
          loop.sleep(0) loop.sleep(0)
          return "went on"
        end))
      ]])
      assert.equal(0, status)
      assert.match("bsdsocket%.loop: error in a task: in task\nstack traceback:\n", output)
      assert.match("bsdsocket%.loop: error in the function of loop%.onerror: [^\n]*" .. case[2], output)
      assert.match("went on\n", output)
    end
  end)

  it("does not swallow Ctrl-C that comes while it runs", function()
    local process = require "spec.support.process"
    local output, status = process.interrupted(helper.saved [[
      local loop = require "bsdsocket.loop"
      io.stdout:setvbuf "line"
      local socket = require "bsdsocket"
      loop.onerror(function()
        local a, b = socket.socketpair()
        print "now"
        a:recv(b and 1)
      end)
      print(pcall(loop.run, function()
        loop.spawn(error, "oops")
        loop.sleep(60)
      end))
    ]])
    assert.equal(0, status, output)
    assert.match("\nfalse\t[^\n]*interrupted!\n\ttask %(waits in sleep, ", output)
  end)
end)
