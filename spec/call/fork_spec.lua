-- A forked child changes nothing of its parent's, whatever it does with pollers and sockets; a poller from before the
-- fork is refused to it, and it may have its own. (The loop's part is in spec/loop/signal_spec.lua.)
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local build = require "fault.build"

describe("after a fork #process", function()
  local fork, p, conn, peer, server

  before_each(function()
    fork = build "fork" or helper.skip "no C compiler is here"
    p, server = net.keep(assert(socket.poller()), net.listener())
    conn, peer = net.tcp()
    assert(p:add(conn, "r", "conn"):add(server, "r", "server"))
  end)
  after_each(net.close)

  --- What the parent's poller tells: once, and again, as long as nobody has read.
  local function parents()
    peer:send "hello"
    for _ = 1, 2 do
      local found = {}
      for what, events in assert(p:wait(10)) do found[what] = events end
      assert.same({conn = "r"}, found)
    end
    assert(p:modify(conn, "rw"))
    assert(p:remove(conn))
    assert(p:remove(server))
  end

  local ends = {
    ["closes its copy of a socket"] = function() conn:close() end,
    ["gives up its copy of a socket"] = function() conn:detach() end,
    ["gives its copy of a socket another descriptor"] = function() conn:setfd((peer:detach())) end,
    ["closes the poller"] = function() p:close() end,
    ["leaves both to the collector"] = function()
      p, conn, server = nil, nil, nil
      net.forget()
      collectgarbage()
      collectgarbage()
    end,
    ["takes them out of the poller"] = function()
      p:remove(conn)
      p:remove(server:fileno())
    end,
    ["changes what is asked of them"] = function()
      p:modify(conn, "w", "changed")
      p:modify(server, "w")
    end,
    ["puts others into the poller"] = function()
      local a, b = socket.socketpair()
      p:add(a, "rw")
      p:add(b, "w")
    end,
    ["waits for the poller"] = function()
      peer:send "x"
      p:wait(0)
      conn:recv(1)
    end,
    ["waits for the poller in a task"] = function()
      loop.run(function() p:wait(0.01) end)
    end,
  }

  for what, act in pairs(ends) do
    it("the parent's poller is as it was when the child " .. what, function()
      assert.equal(7, fork.call(function()
        act()
        return 7
      end))
      parents()
    end)
  end

  it("the parent's poller is as it was when the child ends, with its Lua state", function()
    local pid = fork.fork()
    if pid == 0 then os.exit(7, true) end
    assert.equal(7, fork.wait(pid))
    parents()
  end)

  for what, act in pairs {
    ["closes its copy"] = function(s) assert(s:close()) end,
    ["flushes its copy"] = function(s) assert(s:flush()) end,
    ["gives up its copy"] = function(s) assert(s:detach()) end,
    ["leaves a block with its copy"] = function(s)
      local _ <close> = s
    end,
    ["sends by its copy"] = function(s) assert(s:send "child ") end,
    ["writes to its copy"] = function(s) assert(assert(s:write "child "):flush()) end,
    ["writes to its copy, and ends"] = function(s) assert(s:write "child ") os.exit(7, true) end,
    ["ends"] = function() os.exit(7, true) end,
  } do
    it("what was written and not flushed before it is sent once, by the parent, when the child " .. what, function()
      local s, reader = net.pair()
      assert(s:setvbuf "full")
      assert(s:write "parent")
      local pid = fork.fork()
      if pid == 0 then
        local ok, message = pcall(act, s)
        if not ok then io.stderr:write(tostring(message), "\n") end
        fork.exit(ok and 7 or 1)
      end
      assert.equal(7, fork.wait(pid))
      s:close()
      local all = reader:read "a"
      assert.equal((what:find "s by" or what:find "writes") and "child parent" or "parent", all)
    end)
  end

  for what, act in pairs {
    ["closes its copy"] = function(s) assert(s:close()) end,
    ["gives up its copy"] = function(s) assert(s:detach()) end,
    ["leaves a block with its copy"] = function(s)
      local _ <close> = s
    end,
    ["ends"] = function() os.exit(7, true) end,
  } do
    it("the flags on which the parent relies stay on a description when the child " .. what, function()
      local own = net.keep(net.listener())
      local s = net.keep(assert(socket.fromfd((assert(own:detach()))))) -- adopted: others may go on with it
      assert(s:settimeout(0.001))
      helper.fails("s:accept", "timeout", s:accept())
      assert.is_true(net.nonblocking(s:fileno()))
      local pid = fork.fork()
      if pid == 0 then
        local ok, message = pcall(act, s)
        if not ok then io.stderr:write(tostring(message), "\n") end
        fork.exit(ok and 7 or 1)
      end
      assert.equal(7, fork.wait(pid))
      assert.is_true(net.nonblocking(s:fileno()))
    end)
  end

  --- The child says by its status whether all of f held.
  local function child(f)
    local status = fork.call(function()
      local ok, message = pcall(f)
      if not ok then io.stderr:write(tostring(message), "\n") end
      return ok and 7 or 1
    end)
    assert.equal(7, status)
  end

  it("a poller from before it is refused to the child, plainly and in a task", function()
    local function refused()
      for name, call in pairs {
        add = function() return p:add(peer, "r") end,
        modify = function() return p:modify(conn, "w") end,
        remove = function() return p:remove(conn) end,
        wait = function() return p:wait(0) end,
      } do
        local result, message, code = call()
        assert.equal(nil, result)
        assert.equal("EBADF", code)
        assert.equal(name .. " (the poller is from before a fork): Bad file descriptor", message)
      end
    end
    child(function()
      refused()
      tasks.run(refused)
      assert(p:close())
      assert.equal("wait: Bad file descriptor", select(2, p:wait(0)))
    end)
    parents()
  end)

  it("the child has pollers of its own, and so has its child", function()
    local function use()
      local q <close> = assert(socket.poller())
      local a, b = assert(socket.socketpair())
      assert(q:add(a, "r"):add(conn, "w"))
      b:send "x"
      local n = 0
      for _ in assert(q:wait(10)) do n = n + 1 end
      assert.equal(2, n)
      a:close()
      return q, b
    end
    child(function()
      use()
      local mine <close> = assert(socket.poller())
      assert(mine:add(conn, "w"))
      child(function()
        assert.equal("EBADF", select(3, mine:wait(0)))
        use()
      end)
      local n = 0
      for _ in assert(mine:wait(10)) do n = n + 1 end
      assert.equal(1, n)
    end)
    parents()
  end)

  it("two workers with pollers of their own get each their own events", function()
    child(function()
      local q <close> = assert(socket.poller())
      assert(q:add(conn, "r", "worker"))
      conn:close()
      for _ in assert(q:wait(0)) do error "nothing is in it" end
    end)
    parents()
  end)

  it("select and loop.run work in the child, and take nothing from the parent", function()
    local a, b = net.pair()
    child(function()
      b:send "x"
      assert.equal(a, socket.select({a}, nil, 10)[1])
      assert.equal("x", loop.run(function()
        assert.equal(a, socket.select({a}, nil, 10)[1])
        return a:recv()
      end))
    end)
    parents()
  end)

  it("in a task the child's closing takes nothing out of a poller or a select that waits in the parent", function()
    tasks.run(function()
      local a, b = net.pair()
      local told = loop.spawn(function()
        local iterator, state = assert(p:wait(10))
        return (iterator(state))
      end)
      local selected = loop.spawn(function() return socket.select({a}, nil, 10)[1] end)
      tasks.settle()
      child(function()
        conn:close()
        a:close()
        p:close()
      end)
      peer:send "x"
      b:send "x"
      assert.equal("conn", tasks.join(told))
      assert.equal(a, tasks.join(selected))
    end)
  end)
end)
