-- What is told of tasks: loop.tasks, tostring, tracebacks, the messages of loop.timeout, of a deadlock and of Ctrl-C.
-- (Errors that nobody joins: spec/loop/onerror_spec.lua.)
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

--- A function whose code is that of server.lua, from line 1 on; it sees what is in `env`.
local function code(text, env)
  return assert(load(text, "@server.lua", "t", setmetatable(env or {}, {__index = _G})))
end

--- What is told of the task.
local function row(task)
  for _, r in ipairs(loop.tasks()) do
    if r.task == task then return r end
  end
end

--- f(task) for a task that runs this code until it waits.
local function waiting(text, env, f)
  return tasks.run(function()
    env.loop, env.socket = loop, socket
    local task = loop.spawn(code(text, env))
    tasks.settle()
    f(task)
    task:cancel()
  end)
end

local function closed(f) return setmetatable({}, {__close = f}) end

-- code = {the call as it is told, the name of its object in the environment, or nil}
local calls = {
  ["s:recv()"] = {"recv", "s"},
  ["s:recv(10, 'MSG_PEEK')"] = {"recv", "s"},
  ["s:recv(10, 'MSG_WAITALL')"] = {"recv", "s"},
  ["s:recvfrom()"] = {"recvfrom", "s"},
  ["s:recvinto(socket.buffer(10))"] = {"recvinto", "s"},
  ["s:recvmsg()"] = {"recvmsg", "s"},
  ["s:recvmmsg(2, 10)"] = {"recvmmsg", "s"},
  ["s:read()"] = {"read", "s"},
  ["s:read('n', 'l', 5)"] = {"read", "s"},
  ["s:readuntil('x')"] = {"readuntil", "s"},
  ["for _ in s:lines() do end"] = {"lines", "s"},
  ["for _ in s:lines('n', 'l') do end"] = {"lines", "s"},
  ["for _ in s:chunks() do end"] = {"chunks", "s"},
  ["server:accept()"] = {"accept", "server"},
  ["for _ in server:clients() do end"] = {"accept", "server"},
  ["full:send('x')"] = {"send", "full"},
  ["full:sendall('x')"] = {"sendall", "full"},
  ["full:sendmsg{data = 'x'}"] = {"sendmsg", "full"},
  ["full:sendmmsg{'x'}"] = {"sendmmsg", "full"},
  ["full:write('x')"] = {"write", "full"},
  ["full:setvbuf('full') full:write('x') full:flush()"] = {"flush", "full"},
  ["full:sendfile(s)"] = {"sendfile", "s"},
  ["for _ in poller:wait() do end"] = {"wait", "poller"},
  ["poller:wait(60)"] = {"wait", "poller"},
  ["loop.wait(s, 'r')"] = {"wait", "s"},
  ["loop.wait(s, 'r', 60)"] = {"wait", "s"},
  ["loop.wait(s:fileno(), 'r')"] = {"wait"},
  ["socket.select({s})"] = {"select"},
  ["loop.sleep(60)"] = {"sleep"},
  ["other:join()"] = {"join"},
  ["s:settimeout(60):recv()"] = {"recv", "s"},
}

describe("of a task that waits loop.tasks tells the call, the object, where, and how long, with", function()
  for text, expected in pairs(calls) do
    it(text, function()
      local env = {server = net.keep(net.listener()), poller = net.keep(assert(socket.poller()))}
      env.s = net.pair()
      env.full = net.pair()
      net.fill(env.full)
      tasks.run(function()
        env.other = loop.spawn(loop.sleep, 60)
        env.loop, env.socket = loop, socket
        local task = loop.spawn(code("\n" .. text, env))
        tasks.settle()
        env.full:settimeout(0) -- what is unflushed is not waited for at the end
        loop.sleep(0.02)
        local r = row(task)
        assert.same({"waiting", expected[1], "server.lua:2"}, {r.state, r.call, r.where})
        assert.equal(env[expected[2]], r.object)
        assert.is_true(r.since >= 0.02 and r.since < 10, tostring(r.since))
        assert.equal(("task (waits in %s, server.lua:2)"):format(expected[1]), tostring(task))
        assert.match("^stack traceback:\n.*server%.lua:2: in ", task:traceback())
        task:cancel()
        env.other:cancel()
      end)
    end)
  end
end)

describe("loop.tasks", function()
  it("tells nothing where there is nothing, and of what was spawned before loop.run", function()
    assert.same({}, loop.tasks())
    local task = loop.spawn(code "\n\nlocal x = 1")
    local list = loop.tasks()
    assert.equal(1, #list)
    assert.equal(task, list[1].task)
    assert.equal("ready", list[1].state)
    assert.equal(0, list[1].since)
    assert.is_nil(list[1].call)
    assert.is_nil(list[1].object)
    task:cancel()
    assert.same({}, loop.tasks())
  end)

  it("tells of the one that runs, and of those that are ready", function()
    tasks.run(function()
      local began = loop.spawn(code("while true do loop.sleep(0) end", {loop = loop}))
      tasks.settle()
      local fresh = loop.spawn(function() end)
      local builtin = loop.spawn(print)
      local line = debug.getinfo(1, "l").currentline + 1
      local all = loop.tasks()
      local mine = 0
      for _, r in ipairs(all) do
        if r.state == "running" then
          mine = mine + 1
          assert.equal(debug.getinfo(1, "S").short_src .. ":" .. line, r.where)
          assert.equal(0, r.since)
        else
          assert.equal("ready", r.state)
        end
      end
      assert.equal(1, mine)
      assert.equal(4, #all)
      assert.equal("server.lua:1", row(began).where)
      assert.match(":" .. line - 3 .. "$", row(fresh).where)
      assert.is_nil(row(builtin).where)
      assert.equal("task (ready)", tostring(builtin))
      assert.equal("task (ready, server.lua:1)", tostring(began))
      builtin:cancel()
      began:cancel()
      assert.is_nil(row(began))
    end)
  end)

  it("tells of the one that runs through its scopes and coroutines", function()
    for _, through in ipairs {
      "f()", "loop.timeout(60, f)", "loop.wrap(f)()", "coroutine.wrap(f)()", "pcall(f)", "table.sort({1, 2}, f)",
    } do
      tasks.run(function()
        local where
        local function f()
          for _, r in ipairs(loop.tasks()) do
            if r.state == "running" then where = r.where end
          end
        end
        tasks.join(loop.spawn(code(through, {f = f, loop = loop})))
        assert.match("inspect_spec%.lua:%d+$", where)
        for _, ask in ipairs {"loop.timeout(60, loop.tasks)", "loop.wrap(loop.tasks)()"} do
          local list = tasks.join(loop.spawn(code("\nlocal r = " .. ask .. " return r", {loop = loop})))
          local found
          for _, r in ipairs(list) do found = found or r.where == "server.lua:2" end
          assert.is_true(found, ask)
        end
      end)
    end
  end)

  it("tells what is waited for inside scopes, and where they were called if they hold nothing of Lua's", function()
    local s = net.pair()
    for text, line in pairs {
      ["loop.timeout(60, s.recv, s)"] = 1,
      ["loop.wrap(s.recv)(s)"] = 1,
      ["loop.timeout(60, function()\n s:recv() end)"] = 2,
      ["loop.timeout(60, function()\n loop.wrap(function()\n s:recv() end)() end)"] = 3,
      ["local _ <close> = c\n loop.timeout(60, function() loop.timeout(60, s.recv, s)\n end)"] = 2,
    } do
      waiting(text, {s = s, c = closed(function() end)}, function(task)
        local r = row(task)
        assert.same({"waiting", "recv", "server.lua:" .. line}, {r.state, r.call, r.where})
        assert.equal(s, r.object)
      end)
    end
  end)

  it("calls a sender in its queue waiting, in its own call", function()
    local full = net.pair()
    net.fill(full)
    tasks.run(function()
      local first = loop.spawn(full.sendall, full, "first")
      tasks.settle()
      local second = loop.spawn(full.write, full, "second")
      tasks.settle()
      loop.sleep(0.01)
      assert.equal("sendall", row(first).call)
      local r = row(second)
      assert.same({"waiting", "write"}, {r.state, r.call})
      assert.equal(full, r.object)
      assert.is_true(r.since >= 0.01 and r.since < 10)
      assert.equal("task (waits in write)", tostring(second))
      second:cancel()
      first:cancel()
    end)
  end)

  it("tells the call of the module where that waits in Lua code of the library's", function()
    local path = helper.tmpname()
    local server = net.keep(assert(socket.socket("AF_UNIX")))
    assert(server:bind(path))
    assert(server:listen(0))
    net.keep(assert(socket.connect(socket.address("AF_UNIX", path))))
    waiting("\nlocal s = socket.connect(a)\n return s", {a = socket.address("AF_UNIX", path)}, function(task)
      assert.equal("task (waits in connect, server.lua:2)", tostring(task))
    end)
  end)

  it("tells the call that looks up a name as its own", function()
    local s = net.keep(assert(socket.socket()))
    tasks.run(function()
      local task = loop.spawn(code("s:connect('localhost', 'http')", {s = s}))
      loop.sleep(0)
      local r = row(task)
      if r and r.state == "waiting" then -- a helper thread may be quick
        assert.equal("connect", r.call)
        assert.equal(s, r.object)
      end
      task:cancel()
    end)
  end)

  it("tells of a task whose coroutine somebody has closed, and of one that was resumed by others", function()
    local s = net.pair()
    tasks.run(function()
      local co
      local task = loop.spawn(function()
        co = coroutine.running()
        s:recv()
      end)
      tasks.settle()
      assert(coroutine.close(co))
      local r = row(task)
      assert.is_nil(r.object)
      assert.is_nil(r.where)
      assert.match("^task %(waits", tostring(task))
      assert.equal("stack traceback:", task:traceback())
      task:cancel()
    end)
  end)

  it("can be asked in <close> variables of what is cancelled, in finalizers, and in a chain of both", function()
    local s = net.pair()
    tasks.run(function()
      local lists = {}
      local function ask() lists[#lists + 1] = loop.tasks() end
      local function look()
        for _, r in ipairs(loop.tasks()) do tostring(r.task):len() end
        ask()
      end
      local task = loop.spawn(function()
        local _ <close> = closed(look)
        loop.timeout(60, function()
          local _ <close> = closed(look)
          s:recv()
        end)
      end)
      tasks.settle()
      task:cancel()
      setmetatable({}, {__gc = ask})
      collectgarbage()
      collectgarbage()
      assert.equal(3, #lists)
      for _, list in ipairs(lists) do
        for _, r in ipairs(list) do assert.is_string(r.state) end
      end
    end)
  end)

  it("is not confused by finalizers that end tasks and spawn others while it makes its list", function()
    tasks.run(function()
      local victims = {}
      for i = 1, 50 do victims[i] = loop.spawn(loop.sleep, 60) end
      tasks.settle()
      local function finalize()
        local victim = table.remove(victims)
        if not victim then return end
        victim:cancel()
        loop.spawn(loop.sleep, 0)
        setmetatable({}, {__gc = finalize})
      end
      setmetatable({}, {__gc = finalize})
      helper.eager()
      local ok, err = pcall(function()
        for _ = 1, 20 do
          for i, r in ipairs(loop.tasks()) do
            assert(r.task and r.state, i)
            assert(tostring(r.task))
            r.task:traceback()
          end
        end
      end)
      helper.lazy()
      for _, victim in ipairs(victims) do victim:cancel() end
      victims = {}
      assert.is_true(ok, err)
    end)
  end)

  it("tells of thousands", function()
    tasks.run(function()
      local list = {}
      for i = 1, 5000 do list[i] = loop.spawn(loop.sleep, 60) end
      loop.sleep(0)
      local all = loop.tasks()
      assert.is_true(#all >= 5001 and #all <= 5002)
      for _, task in ipairs(list) do task:cancel() end
    end)
  end)

  it("has no limit of depth", function()
    tasks.run(function()
      local task = loop.spawn(function()
        local function deep(n)
          if n == 0 then return loop.sleep(60) or 1 end
          return deep(n - 1) + 1
        end
        deep(10000)
      end)
      tasks.settle()
      assert.match("^task %(waits in sleep, ", tostring(task))
      assert.match("skipping", task:traceback())
      task:cancel()
    end)
  end)
end)

describe("tostring of a task", function()
  it("tells its state when it has ended", function()
    tasks.run(function()
      local task = loop.spawn(function() end)
      task:join()
      assert.equal("task (ended)", tostring(task))
      task = loop.spawn(error, "oops")
      task:join()
      assert.equal("task (failed)", tostring(task))
      task = loop.spawn(loop.sleep, 60)
      task:cancel()
      assert.equal("task (cancelled)", tostring(task))
    end)
  end)

  it("tells where it runs", function()
    tasks.run(function()
      local task
      task = loop.spawn(code("\nreturn tostring(task()) .. ''", {task = function() return task end}))
      assert.equal("task (running, server.lua:2)", tasks.join(task))
    end)
  end)
end)

describe("task:traceback", function()
  it("goes from the innermost scope to the outermost", function()
    waiting([[
      local function inner() loop.sleep(60) return 1 end
      local function generator() return loop.wrap(function() inner() end)() end
      loop.timeout(60, function() generator() return 1 end)]], {}, function(task)
      local text = task:traceback()
      assert.match("^stack traceback:\n.*sleep.*server%.lua:1: in.*'inner'.*server%.lua:2:.*server%.lua:3:", text)
      local _, count = text:gsub("stack traceback", "")
      assert.equal(1, count)
    end)
  end)

  it("is nil of a task that runs, has not begun, has ended, or was cancelled", function()
    tasks.run(function()
      local task
      task = loop.spawn(function() return task:traceback() end)
      assert.is_nil(task:traceback())
      assert.is_nil(tasks.join(task))
      assert.is_nil(task:traceback())
      task = loop.spawn(loop.sleep, 60)
      tasks.settle()
      task:cancel()
      assert.is_nil(task:traceback())
    end)
  end)

  it("raises for what is no task", function()
    local task = loop.spawn(print)
    task:cancel()
    helper.raises("task:traceback", "task expected, got table", task.traceback, {})
    helper.raises("task:traceback", "task expected, got no value", task.traceback)
  end)

  local failing = [[
    local function parse(t) return t.header.length end
    local function handle() return parse {} + 1 end
    local function main() loop.sleep(0) return handle() + 1 end
  ]]

  -- how main is called = what its traceback has to tell besides
  local throughs = {
    ["main()"] = "",
    ["loop.timeout(60, main)"] = "loop%.timeout'",
    ["loop.wrap(main)()"] = "",
    ["loop.timeout(60, loop.wrap(main))"] = "loop%.timeout'",
    ["loop.timeout(60, function() loop.timeout(60, function() loop.wrap(main)() end) end)"] =
      "loop%.timeout'.*loop%.timeout'",
    ["for _ in loop.wrap(main) do end"] = "",
  }
  for through, also in pairs(throughs) do
    it("tells where the task has failed, and loop.traceback of the first, in " .. through, function()
      local where = "^stack traceback:\n.*server%.lua:1: in .*server%.lua:2: in .*server%.lua:3: in .*" .. also
        .. ".*server%.lua:4: in "
      tasks.run(function()
        for _, joined in ipairs {true, false} do
          local task = loop.spawn(code(failing .. through, {loop = loop}))
          if joined then task:join() else loop.sleep(0) loop.sleep(0) end
          assert.is_false(task:join())
          assert.match(where, task:traceback())
        end
      end)
      assert.is_false(pcall(loop.run, code(failing .. through, {loop = loop})))
      assert.match(where, loop.traceback())
      local _, count = loop.traceback():gsub("stack traceback", "")
      assert.equal(1, count)
    end)
  end

  it("does not take an error that was caught for the one that came later", function()
    tasks.run(function()
      for _, text in ipairs {
        "pcall(loop.timeout, 60, error, 'x', 0)\n error('x', 0)",
        "pcall(loop.timeout, 60, function() error('x', 0) end)\n loop.timeout(60, function()\n error('x', 0) end)",
        "pcall(loop.timeout, 60, error, 1)\n error(1)",
        "pcall(loop.timeout, 60, error)\n error()",
      } do
        local task = loop.spawn(code(text, {loop = loop}))
        task:join()
        assert.match("server%.lua:2: ", task:traceback())
        assert.is_nil(task:traceback():find "server%.lua:1: ")
      end
    end)
  end)

  it("is there for errors that are tables, nil, or cannot be told", function()
    tasks.run(function()
      for _, value in ipairs {"{}", "nil", "42", "setmetatable({}, {__tostring = error})"} do
        for _, through in ipairs {"f()", "loop.timeout(60, f)", "loop.wrap(f)()"} do
          local task = loop.spawn(code("local function f() error(" .. value .. ") end\n" .. through, {loop = loop}))
          task:join()
          assert.match("^stack traceback:\n.*server%.lua:2: in ", task:traceback())
        end
      end
    end)
  end)

  it("is there of what fails in a <close> variable, and of a yield to nobody", function()
    tasks.run(function()
      local task = loop.spawn(function()
        local _ <close> = closed(function() error "oops" end)
        loop.sleep(60)
      end)
      tasks.settle()
      task:cancel()
      assert.is_false(task:join())
      assert.match("^stack traceback:\n.*'cancel'", task:traceback())
      task = loop.spawn(code "\ncoroutine.yield(1)")
      task:join()
      assert.match("server%.lua:2: ", task:traceback())
    end)
  end)
end)

describe("loop.traceback", function()
  it("is nil before a run has failed, after one that has not, and where its function did not fail", function()
    loop.run(function() end)
    assert.is_nil(loop.traceback())
    assert.is_false(pcall(loop.run, error, "oops"))
    assert.is_string(loop.traceback())
    loop.run()
    assert.is_nil(loop.traceback())
    assert.is_false(pcall(loop.run, error, "oops"))
    assert.is_false(pcall(loop.run, function() -- a deadlock
      local a
      a = loop.spawn(function() return loop.spawn(function() a:join() end):join() end)
      a:join()
    end))
    assert.is_nil(loop.traceback())
  end)

  it("stays what it is when loop.run is called in a task, where it raises", function()
    assert.is_false(pcall(loop.run, error, "oops"))
    local text = loop.traceback()
    assert.is_string(text)
    loop.run(function()
      assert.is_nil(loop.traceback())
      assert.is_false(pcall(loop.run, error, "inner"))
      assert.is_nil(loop.traceback())
    end)
  end)

  it("tells where the function failed after loop.stop", function()
    loop.onerror(function() end)
    assert.equal(1, loop.run(function() loop.stop(1) error "oops" end))
    loop.onerror(nil)
    assert.match("inspect_spec", loop.traceback())
  end)
end)

describe("the message of loop.timeout", function()
  local function message(text, env)
    local result
    env = env or {}
    env.s = env.s or net.pair()
    tasks.run(function()
      env.loop, env.socket = loop, socket
      local ok, m, c = tasks.join(loop.spawn(code(text, env)))
      assert.is_nil(ok)
      assert.equal("timeout", c)
      result = m
    end)
    return result
  end

  it("tells the call that was waited for, and where", function()
    assert.equal("timeout in accept, server.lua:2: timed out",
      message("return loop.timeout(0.01, function()\n server:accept() end)", {server = net.keep(net.listener())}))
    assert.equal("timeout in recv, server.lua:2: timed out",
      message "local s <const> = s\n return loop.timeout(0, s.recv, s)")
    assert.equal("timeout in sleep, server.lua:1: timed out", message "return loop.timeout(0.01, loop.sleep, 60)")
    assert.equal("timeout in join, server.lua:2: timed out",
      message "local t = loop.spawn(loop.sleep, 0.05)\n return loop.timeout(0.01, t.join, t)")
    assert.equal("timeout in recv, server.lua:3: timed out",
      message "return loop.timeout(0.01, function()\n loop.timeout(60, loop.wrap(function()\n s:recv() end)) end)")
    assert.equal("timeout in select, server.lua:1: timed out",
      message "return loop.timeout(0.01, function() socket.select({s}) end)")
  end)

  it("tells where the task was that only gave way to others", function()
    assert.match("^timeout at server%.lua:1: timed out$",
      message "return loop.timeout(0.01, function() while true do loop.sleep(0) end end)")
  end)

  it("tells the sending call in its queue", function()
    local full = net.pair()
    net.fill(full)
    assert.equal("timeout in sendall, server.lua:2: timed out", message([[
      local first <close> = closed(function() Task:cancel() end)
      Task = loop.spawn(s.send, s, "x") loop.sleep(0) return loop.timeout(0.01, s.sendall, s, "y")
    ]], {s = full, closed = closed}))
  end)
end)

describe("a deadlock", function()
  it("is told with each task, and where it waits", function()
    local ok, err = pcall(loop.run, code([[
      local a, b
      a = loop.spawn(function() loop.sleep(0) return b:join() end)
      b = loop.spawn(function() loop.sleep(0) return a:join() end)
      print(a:join())]], {loop = loop}))
    assert.is_false(ok)
    assert.match("^every task waits for another to end\n", err)
    local lines = {}
    for line in err:gmatch "\n\t([^\n]+)" do lines[#lines + 1] = line end
    table.sort(lines)
    for i, line in ipairs(lines) do assert.equal(("task (waits in join, server.lua:%d)"):format(i + 1), line) end
    assert.equal(3, #lines)
  end)

  it("is told in few lines of many tasks", function()
    local ok, err = pcall(loop.run, code([[
      local list, me = {}
      me = loop.spawn(function() list[1]:join() return 1 end)
      for i = 1, 1000 do list[i] = loop.spawn(function()
        me:join() return 1 end) end
      me:join() return 1]], {loop = loop}))
    assert.is_false(ok)
    assert.match("\n\ttask %(waits in join, server%.lua:4%), 1000 times", err)
    assert.is_true(#err < 400)
  end)
end)

describe("Ctrl-C in loop.run #process", function()
  it("tells each task and where it waits", function()
    local output, status = process.interrupted(helper.saved [[
      local socket, loop = require "bsdsocket", require "bsdsocket.loop"
      io.stdout:setvbuf "line"
      local ok, err = pcall(loop.run, load("local loop, socket = ...\n" ..
        "local a, b = socket.socketpair()\n" ..
        "loop.spawn(function() a:recv() end)\n" ..
        "loop.sleep(0) print 'now' loop.sleep(60)", "@server.lua"), loop, socket)
      print(ok, err)
      print(loop.traceback())
    ]])
    assert.equal(0, status, output)
    assert.match("^false\t[^\n]*interrupted!\n", output)
    assert.match("\n\ttask %(waits in recv, server%.lua:3%)\n", output)
    assert.match("\n\ttask %(waits in sleep, server%.lua:4%)\n", output)
    assert.match("\nnil\n$", output)
  end)

  it("leaves alone an error of a hook that is no string, or another", function()
    for _, value in ipairs {"{'interrupted!'}", "'something else'", "42"} do
      local output = tasks.lua("local stop = " .. value .. [[

        local main = coroutine.running()
        print(select(2, pcall(loop.run, function()
          loop.spawn(loop.sleep, 60)
          loop.sleep(0)
          debug.sethook(main, function()
            debug.sethook(main)
            error(stop, 0)
          end, "c", 1)
          loop.sleep(60)
        end)) == stop)
      ]])
      assert.equal("true\n", output)
    end
  end)
end)
