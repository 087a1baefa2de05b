-- Every call that can wait, in tasks: it suspends its own task and no other; and what then may come to it: its
-- timeout, cancel, close, a second one, a place where Lua cannot yield.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local waits = require "spec.support.waits"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(waits.close)

--- For each row, or for those that `which` gives true of, a spec f(row).
local function each(f, which)
  for _, row in ipairs(waits.rows) do
    if not which or which(row) then it(row.what and row.name .. " " .. row.what or row.name, function() f(row) end) end
  end
end

--- Runs c.act() where a task waits in c.call(), and then the rest of it: `finish()` has to end when it has.
local function act(c, finish)
  local helping = c.act()
  local results = table.pack(finish())
  if helping then helping:cancel() end
  return table.unpack(results, 1, results.n)
end

--- The same call again, if it is one that can be made twice.
local function again(c)
  if c.once then return end
  local task = loop.spawn(function() c.check(c.call()) end)
  tasks.settle()
  act(c, function() return tasks.join(task) end)
end

local function quick(row) return not row.slow end

describe("in a task a call that has to wait lets the others run:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      local done = false
      local task = loop.spawn(function()
        c.check(c.call())
        done = true
      end)
      local ticks = tasks.ticks()
      tasks.settle()
      assert.is_false(done)
      assert.is_true(ticks.n > 2)
      act(c, function() return tasks.join(task) end)
      assert.is_true(done)
      ticks.cancel()
    end)
  end)
end)

describe("in f itself a call that has to wait lets the others run:", function()
  each(function(row)
    local c = row.prepare()
    local acted
    local helping = loop.spawn(function()
      tasks.settle()
      acted = c.act()
    end)
    tasks.run(function()
      c.check(c.call())
      helping:join()
      if acted then acted:cancel() end
    end)
  end, quick)
end)

describe("in a task a call ends at its timeout, neither early nor late nor busy:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      for _, seconds in ipairs(c.once and { 0.02 } or { 0.001, 0.02 }) do
        c.limit(seconds)
        net.takes(seconds, function()
          if c.once then c = row.prepare() c.limit(seconds) end
          waits.timesout(row, c)
        end)
      end
      net.sometime(function()
        local ticks = tasks.ticks(0.001)
        if c.once then c = row.prepare() end
        c.limit(0.02)
        waits.timesout(row, c)
        ticks.cancel()
        return ticks.n > 2, ticks.n
      end)
      c.limit(nil)
      again(c)
    end)
  end, quick)
end)

describe("in a task under timeout 0 a call is over before anybody else runs:", function()
  each(function(row)
    local c = row.prepare()
    c.limit(0)
    tasks.run(function()
      local ticks = tasks.ticks()
      tasks.settle()
      local before = ticks.n
      if c.now ~= false then
        waits.fails(row, c.now or "EAGAIN", c.call)
      elseif c.timedout then
        c.timedout(c.call())
      else
        assert.is_nil((c.call()))
      end
      assert.equal(before, ticks.n)
      ticks.cancel()
    end)
  end)
end)

describe("a task that is cancelled while it waits runs its <close> variables, the inner ones first:", function()
  each(function(row)
    local c = row.prepare()
    local log, closed = tasks.log()
    local function nested(level, f)
      local _ <close> = closed("task " .. level)
      return loop.timeout(60, function()
        local _ <close> = closed("timeout " .. level)
        return loop.wrap(function()
          local _ <close> = closed("wrap " .. level)
          coroutine.yield((f()))
        end)()
      end)
    end
    tasks.run(function()
      local went = false
      local task = loop.spawn(function()
        pcall(nested, 1, function() return nested(2, function() return nested(3, c.call) end) end)
        went = true
      end)
      tasks.settle()
      assert.same({}, log)
      assert.is_true(task:cancel())
      assert.same({
        "wrap 3", "timeout 3", "task 3", "wrap 2", "timeout 2", "task 2", "wrap 1", "timeout 1", "task 1",
      }, log)
      assert.same({ false, "cancelled" }, { task:join() })
      assert.is_false(task:cancel())
      tasks.settle()
      assert.is_false(went)
      assert.equal(9, #log)
      if quick(row) then again(c) end
    end)
  end)
end)

describe("loop.timeout ends a call that waits, and the socket can be used again:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      local log, closed = tasks.log()
      helper.fails("loop.timeout", "timeout", loop.timeout(0.005, function()
        local _ <close> = closed "here"
        return c.call()
      end))
      assert.same({ "here" }, log)
      again(c)
    end)
  end, quick)
end)

describe("whoever waits on a socket that is closed is told EBADF:", function()
  each(function(row)
    local c = row.prepare()
    if c.closed == false or not c.sock then return end
    tasks.run(function()
      local ended = false
      local task = loop.spawn(function()
        if c.closed then c.closed(c.call()) else waits.fails(row, "EBADF", c.call) end
        ended = true
      end)
      tasks.settle()
      assert.is_false(ended)
      local closed = c.sock:close()
      assert.truthy(closed or row.flushes) -- what could not be flushed is told of
      tasks.join(task)
      assert.is_true(ended)
    end)
  end)
end)

describe("whoever waits on a socket that is detached is told EBADF, and the descriptor lives on:", function()
  each(function(row)
    local c = row.prepare()
    if c.closed == false or not c.sock or not c.sock.detach then return end
    tasks.run(function()
      local task = loop.spawn(function()
        if c.closed then c.closed(c.call()) else waits.fails(row, "EBADF", c.call) end
      end)
      tasks.settle()
      if row.flushes then c.sock:settimeout(0) end
      local fd = c.sock:detach()
      if fd then
        local adopted <close> = assert(socket.fromfd(fd))
        tasks.join(task)
        adopted:settimeout(0)
      else -- what is left to be flushed keeps it
        task:cancel()
      end
    end)
  end, function(row) return quick(row) and row.name:find "^s:" end)
end)

describe("a second one that receives is told EBUSY while the first is unfinished, whatever has come:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      local task = loop.spawn(function() c.check(c.call()) end)
      tasks.settle()
      waits.fails(row, "EBUSY", c.call)
      c.limit(0)
      waits.fails(row, "EBUSY", c.call)
      c.limit(nil)
      local watchers = {}
      for i = 1, 3 do watchers[i] = loop.spawn(loop.wait, c.sock, "r") end
      tasks.settle()
      local helping = c.act()
      waits.fails(row, "EBUSY", c.call)
      tasks.join(task)
      for _, watcher in ipairs(watchers) do watcher:cancel() end
      if helping then helping:cancel() end
    end)
  end, function(row) return row.side == "r" and not row.slow end)
end)

describe("a second one that sends waits until the first has ended:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      local order = {}
      local first = loop.spawn(function() c.check(c.call()) order[#order + 1] = 1 end)
      tasks.settle()
      local second = loop.spawn(function() c.check(c.call()) order[#order + 1] = 2 end)
      tasks.settle()
      c.limit(0)
      waits.fails(row, "EAGAIN", c.call)
      c.limit(0.005)
      waits.fails(row, "timeout", c.call)
      c.limit(nil)
      local third = loop.spawn(c.call)
      local fourth = loop.spawn(function() c.check(c.call()) order[#order + 1] = 4 end)
      tasks.settle()
      assert.is_true(third:cancel())
      act(c, function()
        tasks.join(first)
        tasks.join(second)
        tasks.join(fourth)
      end)
      assert.same({ 1, 2, 4 }, order)
    end)
  end, function(row) return row.side == "w" and not row.flushes end)
end)

describe("where Lua cannot yield a call blocks the thread under its timeout:", function()
  local places = {
    ["string.gsub"] = function(f) string.gsub("x", "x", function() f() end) end,
    ["table.sort"] = function(f)
      table.sort({ 1, 2 }, function(a, b)
        if f then f() end
        f = nil
        return a < b
      end)
    end,
    __gc = function(f)
      setmetatable({}, { __gc = function() f() end })
      collectgarbage()
      collectgarbage()
    end,
  }
  each(function(row)
    for name, place in pairs(places) do
      local c = row.prepare()
      tasks.run(function()
        local ticks = tasks.ticks()
        tasks.settle()
        local before, ran, ok, err = ticks.n, false, nil, nil
        c.limit(0.01)
        place(function() -- which may take its own time
          ok, err = pcall(net.takes, 0.01, function()
            if c.once then c = row.prepare() c.limit(0.01) end
            waits.timesout(row, c)
          end)
          ran = true
        end)
        assert.is_true(ran, name)
        if not ok then error(err, 0) end
        assert.equal(before, ticks.n, name)
        ticks.cancel()
      end)
    end
  end, quick)
end)

describe("in a coroutine that is no task a call that has to wait raises an error that names loop.wrap:", function()
  local makers = {
    ["coroutine.wrap"] = function(f) return pcall(coroutine.wrap(f)) end,
    ["coroutine.create"] = function(f) return coroutine.resume(coroutine.create(f)) end,
    ["coroutine.wrap in coroutine.wrap"] = function(f)
      return pcall(coroutine.wrap(function() return coroutine.wrap(f)() end))
    end,
    ["coroutine.wrap in loop.wrap"] = function(f)
      return loop.wrap(function() return pcall(coroutine.wrap(f)) end)()
    end,
  }
  each(function(row)
    helper.collects() -- coroutine.create leaves open what an error left
    for name, make in pairs(makers) do
      local c = row.prepare()
      tasks.run(function()
        local ok, message = make(c.call)
        assert.is_false(ok, name)
        assert.match("loop%.wrap", message)
        if not c.once then
          c.limit(0) -- what needs no wait is no mistake
          if c.timedout then
            make(function() c.timedout(c.call()) end)
          elseif c.now ~= false then
            assert.is_true((make(function() waits.fails(row, c.now or "EAGAIN", c.call) end)))
          end
          c.limit(nil)
          again(c)
        end
      end)
    end
  end, quick)
end)

describe("in a generator of loop.wrap a call that has to wait suspends its task:", function()
  each(function(row)
    local c = row.prepare()
    tasks.run(function()
      local steps = {}
      local task = loop.spawn(function()
        local outer = loop.wrap(function()
          local generator = loop.wrap(function(...)
            steps[#steps + 1] = table.concat({ ... }, " ")
            steps[#steps + 1] = coroutine.yield("before", 1)
            c.check(c.call())
            steps[#steps + 1] = coroutine.yield "after"
            return "end"
          end)
          assert.same({ "before", 1 }, { generator("a", "b") })
          assert.equal("after", generator "c")
          assert.equal("end", generator "d")
          return "outer"
        end)
        assert.equal("outer", outer())
      end)
      tasks.settle()
      assert.same({ "a b", "c" }, steps)
      act(c, function() return tasks.join(task) end)
      assert.same({ "a b", "c", "d" }, steps)
    end)
  end, quick)
end)

describe("outside of every task", function()
  describe("and in the user's own coroutine there, a call blocks under its timeout:", function()
    each(function(row)
      local c = row.prepare()
      c.limit(0.01)
      coroutine.wrap(function() waits.timesout(row, c) end)()
    end, quick)
  end)

  describe("a generator of loop.wrap is one of coroutine.wrap:", function()
    each(function(row)
      local c = row.prepare()
      c.limit(0.01)
      local generator = loop.wrap(function(x)
        assert.equal("b", coroutine.yield(x))
        waits.timesout(row, c)
        return "end"
      end)
      assert.equal("a", generator "a")
      assert.equal("end", generator "b")
    end, quick)
  end)
end)

describe("a reader and a writer", function()
  local function full()
    local a, b = net.tcp()
    net.fill(a)
    return a, b
  end

  it("wait on one socket at a time, and each goes on when its time comes, the reader first", function()
    local a, b = full()
    tasks.run(function()
      local order = {}
      local reader = loop.spawn(function()
        assert.equal("x", a:recv())
        order[#order + 1] = "r"
      end)
      local writer = loop.spawn(function()
        assert.equal(1 << 20, a:sendall(("x"):rep(1 << 20)))
        order[#order + 1] = "w"
      end)
      tasks.settle()
      b:send "x"
      tasks.join(reader)
      tasks.settle()
      assert.same({ "r" }, order)
      local drain = loop.spawn(function() while b:recv(1 << 20) ~= "" do end end)
      tasks.join(writer)
      drain:cancel()
    end)
  end)

  it("wait on one socket that still has something to flush, which the writer is at", function()
    local a, b = net.pair()
    a:setvbuf("full", 10000000)
    assert(a:write(("x"):rep(5000000)))
    tasks.run(function()
      local writer = loop.spawn(a.flush, a)
      tasks.settle()
      local reader = loop.spawn(a.recv, a)
      tasks.settle()
      b:send "hello"
      assert.equal("hello", tasks.join(reader))
      assert.equal(5000000, #b:recv(5000000, "MSG_WAITALL"))
      assert.equal(a, tasks.join(writer))
    end)
  end)

  --- A socket with so much to flush that it has to wait, and its other end.
  local function unflushed()
    local a, b = net.pair()
    a:settimeout(10) -- that of close, too
    a:setvbuf("full", 10000000)
    assert(a:write(("x"):rep(5000000)))
    return a, b
  end

  local receivers = {
    ["s:recv"] = function(s) return s:recv() end,
    ["s:sendfile out of it"] = function(s)
      local to, other = net.pair()
      assert.equal(5, to:sendfile(s, nil, 5))
      return other:recv()
    end,
  }
  for name, receive in pairs(receivers) do
    it("wait on one socket that still has something to flush, which the reader is at: " .. name, function()
      local a, b = unflushed()
      tasks.run(function()
        local reader = loop.spawn(receive, a)
        tasks.settle()
        local writer = loop.spawn(a.sendall, a, "more")
        tasks.settle()
        local third = loop.spawn(a.send, a, " a third")
        tasks.settle()
        assert.equal(5000000, #b:recv(5000000, "MSG_WAITALL"))
        assert.equal("more a third", b:recv(12, "MSG_WAITALL"))
        assert.equal(4, tasks.join(writer))
        assert.equal(8, tasks.join(third))
        b:send "hello"
        assert.equal("hello", tasks.join(reader))
      end)
    end)

    it("wait on one socket that still has something to flush, which the writer was at: " .. name, function()
      for _, write in ipairs {
        function(a) assert.equal("timeout", select(3, loop.timeout(0.001, a.flush, a))) end,
        function(a)
          a:settimeout(0.001)
          local flush = loop.spawn(a.flush, a)
          tasks.settle()
          a:settimeout(10)
          helper.fails("s:flush", "timeout", tasks.join(flush))
        end,
        function(a) assert.equal("w", loop.wait(a, "w")) end,
      } do
        local a, b = unflushed()
        tasks.run(function()
          local writer = loop.spawn(write, a)
          tasks.settle()
          local reader = loop.spawn(receive, a)
          local answering = loop.spawn(function()
            loop.sleep(0.005)
            assert.equal(5000000, #b:recv(5000000, "MSG_WAITALL"))
            b:send "hello"
          end)
          tasks.join(writer)
          tasks.join(answering)
          assert.equal("hello", tasks.join(reader))
        end)
        net.close()
      end
    end)
  end

  it("wait on one socket at a time, and each goes on when its time comes, the writer first", function()
    local a, b = full()
    tasks.run(function()
      local read
      local reader = loop.spawn(function() read = a:recv() end)
      local writer = loop.spawn(function() return a:send "x" end)
      tasks.settle()
      local drain = loop.spawn(function() while b:recv(1 << 20) ~= "" do end end)
      tasks.join(writer)
      tasks.settle()
      assert.is_nil(read)
      b:send "y"
      tasks.join(reader)
      assert.equal("y", read)
      drain:cancel()
    end)
  end)

  it("are both told when the socket is closed, and when the other end resets", function()
    for _, code in ipairs { "EBADF", "ECONNRESET" } do
      local a, b = full()
      tasks.run(function()
        local codes = {}
        local function tell(name, f)
          return loop.spawn(function() codes[name] = select(3, f()) end)
        end
        local reader = tell("r", function() return a:recv() end)
        local writer = tell("w", function() return a:send "x" end)
        tasks.settle()
        if code == "EBADF" then a:close() else net.reset(b) end
        tasks.join(reader)
        tasks.join(writer)
        assert.truthy(codes.r == code or codes.w == code, tostring(codes.r))
        assert.truthy(codes.r ~= nil or code == "ECONNRESET") -- an error is told once, then it is the end of the stream
        assert.truthy(codes.w == code or codes.w == "EPIPE", tostring(codes.w))
      end)
    end
  end)

  it("may wait where one that was cancelled, or that gave up, has waited", function()
    local a, b = net.pair()
    tasks.run(function()
      for _ = 1, 3 do
        local reader = loop.spawn(function() a:recv() end)
        tasks.settle()
        reader:cancel()
        a:settimeout(0.001)
        helper.fails("s:recv", "timeout", a:recv())
        a:settimeout(nil)
        helper.fails("loop.timeout", "timeout", loop.timeout(0.001, a.recv, a))
        local next_one = loop.spawn(a.recv, a)
        tasks.settle()
        b:send "x"
        assert.equal("x", tasks.join(next_one))
      end
    end)
  end)
end)

describe("no byte is lost", function()
  it("when what came is for a reader that is cancelled at that moment", function()
    for turns = 0, 3 do
      local a, b = net.pair()
      tasks.run(function()
        local got
        local reader = loop.spawn(function() got = a:recv() end)
        tasks.settle()
        b:send "hello"
        for _ = 1, turns do loop.sleep(0) end
        reader:cancel()
        a:settimeout(0)
        assert.equal("hello", got or a:recv())
      end)
    end
  end)

  it("when a part has come for a reader that is cancelled, gives up, or may not wait", function()
    local ends = {
      cancel = function(f)
        local reader = loop.spawn(f)
        tasks.settle()
        loop.sleep(0.005)
        reader:cancel()
      end,
      ["loop.timeout"] = function(f) helper.fails("loop.timeout", "timeout", loop.timeout(0.005, f)) end,
      settimeout = function(f, s)
        s:settimeout(0.005)
        local data = f()
        s:settimeout(nil)
        return data -- with MSG_WAITALL it gives what has come
      end,
      ["a coroutine"] = function(f) assert.is_false(pcall(coroutine.wrap(f))) end,
    }
    local reads = {
      ["a line"] = function(s) return s:read() end,
      ["a count"] = function(s) return s:read(100) end,
      ["all"] = function(s) return s:read "a" end,
      ["several"] = function(s) return s:read(2, "l") end,
      ["readuntil"] = function(s) return s:readuntil "\0" end,
      ["MSG_WAITALL"] = function(s) return s:recv(100, "MSG_WAITALL") end,
      ["recvfrom with MSG_WAITALL"] = function(s) return s:recvfrom(100, "MSG_WAITALL") end,
    }
    for name, read in pairs(reads) do
      for how, finish in pairs(ends) do
        local a, b = net.tcp()
        tasks.run(function()
          b:send "hel"
          local late = loop.spawn(function()
            loop.sleep(0.001)
            b:send "lo"
          end)
          local data = finish(function() return read(a) end, a) or ""
          tasks.join(late)
          a:settimeout(1)
          while #data < 5 do data = data .. assert(a:recv()) end
          assert.equal("hello", data, name .. ", " .. how)
        end)
      end
    end
  end)

  it("of what a cancelled sendall has begun to send, and none is sent twice", function()
    local a, b = net.pair()
    local data = {}
    for i = 1, 200000 do data[i] = ("%08x"):format(i) end
    data = table.concat(data)
    tasks.run(function()
      local writer = loop.spawn(a.sendall, a, data)
      tasks.settle()
      local got = assert(b:recv(100000))
      tasks.settle()
      writer:cancel()
      a:close()
      local rest = assert(b:read "a")
      got = got .. rest
      assert.is_true(#got > 100000 and #got < #data)
      assert.is_true(got == data:sub(1, #got))
    end)
  end)
end)

describe("a call in a task goes on", function()
  it("through pcall, metamethods, iterators and deep recursion", function()
    local a, b = net.pair()
    tasks.run(function()
      local feeder = loop.spawn(function()
        while true do
          loop.sleep(0)
          b:send "x"
        end
      end)
      assert.same({ true, "x" }, { pcall(a.recv, a, 1) })
      assert.same({ true, "x" }, { xpcall(a.recv, debug.traceback, a, 1) })
      local t = setmetatable({}, {
        __index = function() return a:recv(1) end,
        __add = function() return a:recv(1) end,
        __lt = function() return a:recv(1) == "x" end,
        __concat = function() return a:recv(1) end,
        __close = function() t = a:recv(1) end, -- luacheck: ignore
        __call = function() return a:recv(1) end,
      })
      assert.equal("x", t.field)
      assert.equal("x", t + 1)
      assert.is_true(t < 1)
      assert.equal("x", t .. "")
      assert.equal("x", t())
      do local _ <close> = t end
      local function deep(n)
        if n == 0 then return a:recv(1) end
        return (deep(n - 1))
      end
      assert.equal("x", deep(10000))
      local seen = ""
      for data in function() return #seen < 2 and a:recv(1) or nil end do seen = seen .. data end
      assert.equal("xx", seen)
      local count = 0
      for _ in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do -- a generator's own yields
        assert.equal("x", a:recv(1))
        count = count + 1
      end
      assert.equal(3, count)
      feeder:cancel()
    end)
  end)

  it("after every other way that things come: readable at once, in pieces, at the end of the stream", function()
    local a, b = net.pair()
    tasks.run(function()
      b:send "abc"
      assert.equal("a", a:recv(1))
      assert.equal("bc", a:recv())
      local reader = loop.spawn(function()
        local pieces = {}
        for data in a:chunks() do pieces[#pieces + 1] = data end
        return table.concat(pieces, " ")
      end)
      for _, data in ipairs { "one", "two", "three" } do
        tasks.settle()
        b:send(data)
      end
      tasks.settle()
      b:send "four"
      b:close() -- data and the end in one event
      assert.equal("one two three four", tasks.join(reader))
      assert.equal("", a:recv())
    end)
  end)

  it("when it has data and their end in one event, after every size of read", function()
    for _, make in ipairs { net.pair, net.tcp } do
      for n = 1, 7 do
        local a, b = make()
        tasks.run(function()
          local reader = loop.spawn(function()
            local got = 0
            repeat
              local data = assert(a:recv(n))
              got = got + #data
            until data == ""
            return got
          end)
          tasks.settle()
          b:send "hello"
          b:close()
          assert.equal(5, tasks.join(reader))
        end)
      end
    end
  end)

  it("when half of it was waited for with another's descriptor number that is used anew", function()
    local a, b = net.pair()
    local fd = a:fileno()
    tasks.run(function()
      local first = loop.spawn(function() return a:recv() end)
      tasks.settle()
      local twin <close> = assert(a:dup()) -- the description lives on
      a:close()
      local c, d = net.pair()
      assert.truthy(c:fileno() == fd or d:fileno() == fd)
      local new, other = c, d
      if d:fileno() == fd then new, other = d, c end
      local second = loop.spawn(function() return new:recv() end)
      helper.fails("s:recv", "EBADF", tasks.join(first))
      b:send "for the twin"
      tasks.settle()
      other:send "for the new one"
      assert.equal("for the new one", tasks.join(second))
      assert.equal("for the twin", twin:recv())
    end)
  end)
end)
