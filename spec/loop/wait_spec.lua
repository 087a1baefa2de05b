-- loop.wait: descriptors of other libraries, and of ours.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

--- f() in a task, and outside of every task.
local function everywhere(name, f)
  it(name .. ", in a task", function() tasks.run(f) end)
  it(name .. ", outside of every task", f)
end

describe("loop.wait", function()
  everywhere("tells what is ready of what was asked", function()
    local a, b = net.pair()
    assert.same({ "w", n = 1 }, table.pack(loop.wait(a, "w")))
    assert.equal("w", loop.wait(a, "rw"))
    b:send "x"
    assert.equal("r", loop.wait(a, "r"))
    assert.equal("w", loop.wait(a, "w"))
    assert.equal("rw", loop.wait(a, "rw"))
    net.fill(a)
    assert.equal("r", loop.wait(a, "rw"))
    assert.equal("r", loop.wait(a, "r", 0))
    assert.equal("r", loop.wait(a, "r", 0)) -- it is told again and again
    assert.equal("x", a:recv())
  end)

  everywhere("takes sockets, numbers, files, and what has fileno or getfd", function()
    local a, b = net.pair()
    b:send "x"
    local pipe <close> = assert(io.popen "echo hello")
    for _, what in ipairs {
      a, a:fileno(), { fileno = function() return a:fileno() end }, { getfd = function() return a:fileno() end }, pipe,
    } do
      assert.equal("r", loop.wait(what, "r", 5))
    end
    assert.equal("hello\n", pipe:read "a")
  end)

  everywhere("gives nil, a message and \"timeout\" at the time, neither early nor late nor busy", function()
    local a = net.pair()
    for _, what in ipairs { a, a:fileno() } do
      for _, seconds in ipairs { 0.001, 0.02 } do
        local message = helper.fails("loop.wait", "timeout", net.takes(seconds, loop.wait, what, "r", seconds))
        assert.equal("wait: timed out", message)
      end
      helper.fails("loop.wait", "timeout", net.atonce(loop.wait, what, "r", 0))
    end
  end)

  everywhere("has its own timeout, not the socket's", function()
    local a = net.pair()
    a:settimeout(0)
    helper.fails("loop.wait", "timeout", net.takes(0.01, loop.wait, a, "r", 0.01))
    a:settimeout(60)
    helper.fails("loop.wait", "timeout", net.takes(0.01, loop.wait, a, "r", 0.01))
  end)

  everywhere("counts hang-up and errors as ready for what was asked", function()
    local a, b = net.tcp()
    net.reset(b)
    assert.equal("r", loop.wait(a, "r", 5))
    assert.equal("w", loop.wait(a, "w", 5))
    assert.equal("rw", loop.wait(a, "rw", 5))
    local c, d = net.pair()
    d:close()
    assert.equal("r", loop.wait(c, "r", 5))
  end)

  everywhere("counts bytes that were read ahead as readable", function()
    local a, b = net.pair()
    b:send "one\ntwo\n"
    assert.equal("one", a:read())
    assert.equal(4, a:pending())
    assert.equal("r", loop.wait(a, "r", 0))
    assert.equal("r", loop.wait(a, "r"))
    assert.equal("rw", loop.wait(a, "rw"))
    assert.equal("two\n", a:recv())
    helper.fails("loop.wait", "timeout", loop.wait(a, "r", 0))
  end)

  it("is not alone in that: select and pollers in a task count them, too", function()
    local a, b = net.pair()
    tasks.run(function()
      b:send "one\ntwo\n"
      assert.equal("one", a:read())
      assert.same({ { a, [a] = 1 }, {} }, { socket.select({ a }, nil) })
      local p <close> = assert(socket.poller())
      p:add(a, "r")
      for s, events in p:wait() do assert.same({ a, "r" }, { s, events }) end
      assert.equal("two", a:read())
      assert.same({ {}, {} }, { socket.select({ a }, nil, 0.001) })
    end)
  end)

  everywhere("of a closed socket, and of a number that nobody has, is EBADF", function()
    local a = net.pair()
    local fd = a:fileno()
    a:close()
    helper.fails("loop.wait", "EBADF", loop.wait(a, "r"))
    helper.fails("loop.wait", "EBADF", loop.wait(fd, "r"))
    helper.fails("loop.wait", "EBADF", loop.wait(fd, "w", 0))
    helper.raises("loop.wait", "bad argument #1", loop.wait, -1, "r")
    helper.fails("loop.wait", "EBADF", loop.wait(1 << 30, "r"))
  end)

  everywhere("of a regular file is ready at once, or told to be what cannot be waited for", function()
    local file <close> = assert(io.open "Makefile")
    local what, _, code = loop.wait(file, "r")
    assert.truthy(what == "r" or code == "EPERM", tostring(code))
  end)

  everywhere("raises for what has no descriptor, other events, and a timeout that is none", function()
    local a = net.pair()
    for _, value in ipairs { "x", {}, true, 1.5, print } do
      helper.raises("loop.wait", "bad argument #1 to '[%w.]*wait'", loop.wait, value, "r")
    end
    helper.raises("loop.wait", "bad argument #1 to '[%w.]*wait'", loop.wait, nil, "r")
    for _, value in ipairs { "", "x", "rr", "rwx", "wr ", 1, {} } do
      helper.raises("loop.wait", "bad argument #2 to '[%w.]*wait'", loop.wait, a, value)
    end
    helper.raises("loop.wait", "bad argument #2 to '[%w.]*wait'", loop.wait, a)
    for _, value in ipairs { -1, 0 / 0, "x", {} } do
      helper.raises("loop.wait", "bad argument #3 to '[%w.]*wait'", loop.wait, a, "r", value)
    end
  end)

  it("lets other tasks run, on what is one of ours and on what is not", function()
    local pipe <close> = assert(io.popen("cat >/dev/null; sleep 0.02; echo hello", "r"))
    local a, b = net.pair()
    local udp, other = net.udp()
    tasks.run(function()
      for _, case in ipairs {
        { a, function() b:send "x" end }, { a:fileno(), function() b:send "x" end },
        { other:fileno(), function() udp:send "x" end }, { pipe, function() end },
      } do
        a:settimeout(0)
        a:recv()
        local done = false
        local task = loop.spawn(function()
          assert.equal("r", loop.wait(case[1], "r"))
          done = true
        end)
        tasks.settle()
        assert.is_false(done)
        case[2]()
        tasks.join(task)
      end
    end)
    assert.equal("hello\n", pipe:read "a")
  end)

  it("for a number or a socket goes on beside others, and beside one that receives", function()
    local a, b = net.pair()
    tasks.run(function()
      local fd = a:fileno()
      local watchers = {}
      for i = 1, 10 do watchers[i] = loop.spawn(loop.wait, i % 2 == 0 and fd or a, "r") end
      watchers[11] = loop.spawn(loop.wait, fd, "rw")
      tasks.settle()
      assert.equal("w", tasks.join(watchers[11]))
      local receiver = loop.spawn(a.recv, a)
      tasks.settle()
      watchers[11] = loop.spawn(loop.wait, fd, "r")
      tasks.settle()
      b:send "x"
      assert.equal("x", tasks.join(receiver))
      b:send "y" -- for those who have not looked in time
      for _, watcher in ipairs(watchers) do assert.equal("r", tasks.join(watcher)) end
      assert.equal("r", loop.wait(fd, "r"))
      assert.equal("y", a:recv())
    end)
  end)

  it("for reading and for writing of one number go on apart", function()
    local a, b = net.pair()
    net.fill(a)
    tasks.run(function()
      local fd = a:fileno()
      local reader, writer = loop.spawn(loop.wait, fd, "r"), loop.spawn(loop.wait, fd, "w")
      tasks.settle()
      b:send "x"
      assert.equal("r", tasks.join(reader))
      b:settimeout(0)
      while b:recv(1 << 20) do tasks.settle() end
      assert.equal("w", tasks.join(writer))
    end)
  end)

  it("is told again of a number that was closed and used anew behind the loop's back", function()
    tasks.run(function()
      for _ = 1, 10 do
        local a <close>, b = assert(socket.socketpair())
        local _ <close> = b
        local fd = a:detach()
        local waiter = loop.spawn(loop.wait, fd, "r")
        tasks.settle()
        b:send "x"
        assert.equal("r", tasks.join(waiter))
        local s <close> = assert(socket.fromfd(fd))
        assert.equal("x", s:recv())
      end
      for i = 1, 10 do -- by the same numbers every time
        local file <close> = assert(io.popen("sleep 0.00" .. i % 3 .. "; echo hi"))
        assert.equal("r", loop.wait(file, "r"))
        assert.equal("hi", file:read())
      end
    end)
  end)

  it("on a number whose description has a twin, closed while it waits, ends by its timeout or is told", function()
    tasks.run(function()
      local a <close>, b = assert(socket.socketpair())
      local _ <close> = b
      local twin <close> = assert(a:dup())
      local fd = a:detach()
      local waiter = loop.spawn(loop.wait, fd, "r", 0.01)
      tasks.settle()
      assert(socket.fromfd(fd)):close()
      local what, _, code = tasks.join(waiter)
      assert.truthy(what == nil and (code == "timeout" or code == "EBADF"), tostring(what))
      local c <close>, d = assert(socket.socketpair()) -- one of them has the number
      local _ <close> = d
      local first, second = loop.spawn(c.recv, c), loop.spawn(d.recv, d)
      tasks.settle()
      b:send "for the twin"
      tasks.settle()
      c:send "for d"
      d:send "for c"
      assert.equal("for c", tasks.join(first))
      assert.equal("for d", tasks.join(second))
      assert.equal("for the twin", twin:recv())
    end)
  end)

  it("is what turns a library of non-blocking descriptors into one of tasks", function()
    local a, b = net.pair()
    local there = a:detach()
    local s = net.keep(assert(socket.fromfd(there))):settimeout(0)
    --- As such a library receives.
    local function receive()
      while true do
        local data, message, code = s:recv(3)
        if data then return data end
        assert(code == "EAGAIN", message)
        assert(loop.wait(there, "r"))
      end
    end
    tasks.run(function()
      local reader = loop.spawn(function()
        local list = {}
        for i = 1, 4 do list[i] = receive() end
        return table.concat(list, " ")
      end)
      for _, data in ipairs { "one", "twosix", "ten" } do
        tasks.settle()
        b:send(data)
      end
      assert.equal("one two six ten", tasks.join(reader))
    end)
  end)

  it("in a coroutine that is no task raises an error that names loop.wrap", function()
    local a = net.pair()
    tasks.run(function()
      for _, what in ipairs { a, a:fileno() } do
        local ok, message = pcall(coroutine.wrap(loop.wait), what, "r")
        assert.is_false(ok)
        assert.match("loop%.wrap", message)
        assert.equal("w", coroutine.wrap(loop.wait)(what, "w")) -- no wait
      end
    end)
  end)
end)
