-- bsdsocket.loop with many connections: that they work, that none starves, what each costs.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local tasks = require "spec.support.tasks"
local trace = require "spec.support.trace"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

after_each(net.close)

--- How many descriptors this process may open, at most.
local function limit()
  return tonumber((helper.shell "ulimit -n")) or 1024
end

local function echo(server)
  for conn in server:clients() do
    loop.spawn(function()
      local s <close> = conn
      for data in s:chunks() do assert(s:sendall(data)) end
    end)
  end
end

describe("two thousand connections", function()
  local COUNT = math.min(helper.instrumented and 300 or 2000, (limit() - 300) // 2)

  for name, make in pairs {
    TCP = function() return assert(socket.listen("127.0.0.1", 0)) end,
    ["unix sockets"] = function()
      return assert(socket.listen(socket.address("AF_UNIX", helper.tmpdir() .. "/s")))
    end,
  } do
    it("of " .. name .. ", both ends in one process, all open at once, echo", function()
      tasks.run(function()
        local server = make()
        local serving = loop.spawn(echo, server)
        local address = server:getsockname()
        local open, clients, echoed = 0, {}, 0
        for i = 1, COUNT do
          clients[i] = loop.spawn(function()
            local s <close> = assert(socket.connect(address))
            open = open + 1
            while open < COUNT do loop.sleep(0.01) end
            for round = 1, 3 do
              local text = ("%d of %d\n"):format(round, i)
              assert(s:sendall(text))
              assert.equal(text, s:read "L")
              echoed = echoed + 1
            end
          end)
        end
        for _, task in ipairs(clients) do tasks.join(task) end
        assert.equal(3 * COUNT, echoed)
        server:close()
        tasks.join(serving)
      end)
    end)
  end

  it("that all have something to say at once are all heard", function()
    tasks.run(function()
      local readers, others, sockets = {}, {}, {}
      for i = 1, COUNT do
        local a, b = assert(socket.socketpair())
        sockets[i], others[i] = a, b
        readers[i] = loop.spawn(a.recv, a)
      end
      loop.sleep(0)
      for i, b in ipairs(others) do b:send(tostring(i)) end
      for i, task in ipairs(readers) do assert.equal(tostring(i), tasks.join(task)) end
      for i = 1, COUNT do
        sockets[i]:close()
        others[i]:close()
      end
    end)
  end)

  it("are all told when they are closed, and when their tasks are cancelled", function()
    tasks.run(function()
      local readers, sockets = {}, {}
      for i = 1, COUNT // 2 do
        local a, b = assert(socket.socketpair())
        sockets[2 * i - 1], sockets[2 * i] = a, b
        readers[2 * i - 1], readers[2 * i] = loop.spawn(a.recv, a), loop.spawn(b.recv, b)
      end
      loop.sleep(0)
      for i = 1, #sockets, 4 do readers[i]:cancel() end
      for _, s in ipairs(sockets) do s:close() end
      for i, task in ipairs(readers) do
        local ok, data, _, code = task:join()
        if i % 4 == 1 then
          assert.same({ false, "cancelled" }, { ok, data })
        else -- those whose other end was closed first have seen the end of the stream, or their own end
          assert.truthy(ok and (data == "" or code == "EBADF"), tostring(code))
        end
      end
    end)
  end)
end)

describe("a hundred clients of one line each, one after the other", function()
  it("leave no descriptor behind, and no task", function()
    tasks.run(function()
      local server = assert(socket.listen("127.0.0.1", 0))
      local serving = loop.spawn(echo, server)
      tasks.settle()
      local before = helper.descriptors()
      for i = 1, 100 do
        local s <close> = assert(socket.connect(server:getsockname()))
        assert(s:write("line ", i, "\n"))
        assert.equal("line " .. i, s:read())
      end
      net.sometime(function()
        loop.sleep(0.01)
        return helper.descriptors() == before, helper.descriptors() - before
      end)
      server:close()
      tasks.join(serving)
    end)
  end)
end)

describe("a flood", function()
  --- Another task's time while `receive` never has to wait: it sleeps a hundredth of a second and asks a third one,
  --- and shall not be late by more than a fifth.
  local function others(receive)
    local a, b = net.pair()
    tasks.run(function()
      local received, stop = 0, false
      local start = socket.monotime()
      local flooded = loop.spawn(function()
        repeat
          if not receive() then break end
          received = received + 1
        until stop or socket.monotime() - start > 50
      end)
      local answering = loop.spawn(function()
        for data in b:chunks() do b:sendall(data) end
      end)
      while received <= 100 do loop.sleep(0.001) end -- what sends has begun
      local least = math.huge
      for _ = 1, 3 do -- others may need the machine
        local worst = 0
        for _ = 1, 4 do
          local before, heldup = socket.monotime(), net.heldup()
          loop.sleep(0.01)
          a:send "x"
          assert.equal("x", a:recv())
          worst = math.max(worst, socket.monotime() - before - (net.heldup() - heldup))
        end
        least = math.min(least, worst)
      end
      stop = true
      tasks.join(flooded)
      a:close()
      tasks.join(answering)
      assert.is_true(least < (net.slow and 2 or 0.21), least)
    end)
  end

  it("on one connection does not starve the others #process", function()
    local s, child = net.peer [[
      local data = ("x"):rep(1 << 20)
      repeat until not s:sendall(data)
    ]]
    others(function() return #assert(s:recv(100)) > 0 end)
    s:close()
    child:rest()
  end)

  it("of lines does not starve the others #process", function()
    local s, child = net.peer [[
      local data = ("x\n"):rep(1 << 19)
      repeat until not s:sendall(data)
    ]]
    local nextline = s:lines()
    others(nextline)
    s:close()
    child:rest()
  end)

  it("of datagrams does not starve the others #process", function()
    local r = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    local child <close> = net.child([[
      local s = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      s:connect("127.0.0.1", arg[1])
      while true do s:send "x" end
    ]], r:getsockname().port)
    others(function() return (r:recv()) end)
    child:close()
  end)

  it("of what can be sent does not starve the others", function()
    local a, b = net.pair()
    local buf = socket.buffer(10)
    others(function() return a:send "x" and b:recvinto(buf) end)
  end)

  it("of what comes to a select or a poller does not starve the others", function()
    local a, b = net.pair()
    b:send "x"
    local p <close> = assert(socket.poller())
    p:add(a, "r")
    others(function() return socket.select({ a }, nil)[1] end)
    others(function()
      for s in p:wait() do assert(s == a) end
      return true
    end)
    others(function() return loop.wait(a, "r") end)
  end)

  it("of connections does not starve the others #process", function()
    local listener = net.keep(assert(socket.listen("127.0.0.1", 0)))
    local child <close> = net.child([[
      local address = socket.address("AF_INET", "127.0.0.1", tonumber(arg[1]))
      while true do
        local s = socket.socket()
        s:setsockopt("SO_LINGER", 0)
        if not s:connect(address) then break end
        s:close()
      end
    ]], listener:getsockname().port)
    others(function()
      local s = listener:accept()
      if s then s:close() end
      return true
    end)
    listener:close()
    child:close()
  end)
end)

describe("what it costs:", function()
  it("an idle connection and its task have no more than 2 KiB of memory #process", function()
    local output, status = tasks.lua [[
      local count = 500
      local ends, sockets = {}, {}
      for i = 1, count do ends[i], sockets[i] = false, false end
      loop.run(function()
        loop.spawn(function() loop.sleep(0) end):join()
        for i = 1, count do
          local a, b = socket.socketpair()
          sockets[i], ends[i] = a, b:detach() -- only one end is to count
        end
        for i = 1, count do sockets[i] = sockets[i]:detach() end
        collectgarbage() collectgarbage()
        local before = collectgarbage "count"
        for i = 1, count do
          loop.spawn(function(conn)
            local s <close> = conn
            for data in s:chunks() do assert(s:sendall(data)) end
          end, assert(socket.fromfd(sockets[i])))
        end
        loop.sleep(0.01)
        collectgarbage() collectgarbage()
        print(math.ceil((collectgarbage "count" - before) * 1024 / count))
        os.exit(0, false)
      end)
    ]]
    assert.equal(0, status, output)
    assert.is_true(tonumber(output) <= 2048, output)
    assert.is_true(tonumber(output) > 200, output)
  end)

  it("and with what malloc gave beside Lua it is no more than that #process", function()
    local build = require "fault.build"
    local heap = build "heap" or helper.skip "no C compiler is here"
    if not heap.used() then helper.skip "the C library does not tell what malloc gave" end
    if helper.instrumented then helper.skip "the C library does not tell what malloc gave" end
    local count = 500
    tasks.run(function()
      local ends, sockets, list = {}, {}, {}
      for i = 1, count do
        local a, b = assert(socket.socketpair())
        sockets[i], ends[i], list[i] = a:detach(), b:detach(), false
      end
      loop.sleep(0)
      collectgarbage()
      collectgarbage()
      local before = heap.used()
      for i = 1, count do
        list[i] = loop.spawn(function(conn)
          local s <close> = conn
          for data in s:chunks() do assert(s:sendall(data)) end
        end, assert(socket.fromfd(sockets[i])))
      end
      loop.sleep(0.01)
      collectgarbage()
      collectgarbage()
      local each = (heap.used() - before) / count
      for i = 1, count do
        list[i]:cancel()
        assert(socket.fromfd(ends[i])):close()
      end
      -- malloc's own header of each block is not ours
      assert.is_true(each <= 2048 + 256, each)
      assert.is_true(each > 200, each)
    end)
  end)

  --- Counts system calls of a file that strace has written: name -> number, and all.
  local function counted(name)
    local counts, all = {}, 0
    for line in io.lines(name) do
      local call = line:match "^%d*%s*([%w_]+)%(" or line:match "<%.%.%. ([%w_]+) resumed>" and nil
      if call then
        counts[call] = (counts[call] or 0) + 1
        all = all + 1
      end
    end
    return counts, all
  end

  it("a loop in which nobody has anything to do is not woken #process #strace #slow", function()
    trace.needs()
    local programs <close> = setmetatable({}, { __close = function(list)
      for _, program in ipairs(list) do getmetatable(program).__close(program) end
    end })
    for i, waiting in ipairs {
      "a:recv()", "a:settimeout(60) a:recv()", "loop.sleep(60)", "loop.timeout(60, a.recv, a)",
      "socket.select({ a }, nil, 60)", "loop.wait(a, 'r')", "socket.listen('127.0.0.1', 0):accept()",
    } do
      local output = helper.tmpname()
      local script = helper.saved([[
        local socket, loop = require "bsdsocket", require "bsdsocket.loop"
        local a, b = socket.socketpair()
        loop.run(function()
          loop.spawn(loop.sleep, 0):join()
          io.stdout:write "now\n" io.stdout:flush()
      ]], waiting, " end)\n")
      programs[i] = process.start(script)
      programs[i].waiting, programs[i].output = waiting, output
    end
    local commands = {} -- one second for all of them
    for i, program in ipairs(programs) do
      assert.equal("now", process.line(program))
      process.blocked(program.pid)
      commands[i] = ("timeout -s INT 1 strace -f -p %d -o %s &"):format(program.pid, program.output)
    end
    helper.shell(table.concat(commands, " ") .. " wait")
    for _, program in ipairs(programs) do
      local counts, all = counted(program.output)
      -- poll has no descriptor for a select, which looks every 16 ms, by three calls
      local most = helper.engine() == "poll" and program.waiting:find "select" and 4 * 1000 // 16 or 2
      assert.is_true(all <= most, program.waiting .. ": " .. all .. " " .. tostring(next(counts)))
    end
  end)

  it("a request is one recv, one send, and its share of epoll_wait #process #strace #slow", function()
    trace.needs()
    local CONNECTIONS, REQUESTS = 50, 100
    local output = helper.tmpname()
    local script = helper.saved [[
      local socket, loop = require "bsdsocket", require "bsdsocket.loop"
      loop.run(function()
        local server = assert(socket.listen("127.0.0.1", 0))
        io.stdout:write(server:getsockname().port, "\n")
        io.stdout:flush()
        local left = 50
        for conn in server:clients() do
          loop.spawn(function()
            local s <close> = conn
            for data in s:chunks() do assert(s:sendall(data)) end
            left = left - 1
            if left == 0 then server:close() end
          end)
        end
      end)
    ]]
    local program <close> = process.shell(("strace -f -o %s env %s"):format(output, helper.command(script)))
    local port = tonumber(process.line(program))
    tasks.run(function()
      local list = {}
      for i = 1, CONNECTIONS do
        list[i] = loop.spawn(function()
          local s <close> = assert(socket.connect("127.0.0.1", port))
          for k = 1, REQUESTS do
            local text = ("%d of %d"):format(k, i)
            assert(s:sendall(text))
            assert.equal(text, s:recv())
          end
        end)
      end
      for _, task in ipairs(list) do tasks.join(task) end
    end)
    assert.same({ "", 0 }, { process.rest(program) })
    local counts = counted(output)
    local function count(...)
      local sum = 0
      for _, name in ipairs { ... } do sum = sum + (counts[name] or 0) end
      return sum
    end
    local requests = CONNECTIONS * REQUESTS
    local function atmost(most, ...)
      local all = count(...)
      assert.is_true(all <= most, ("%s: %d, and at most %d were thought of"):format((...), all, most))
    end
    local receives = { "recvfrom", "recvmsg", "read", "readv" }
    -- with what it takes to read the program, and where lines are counted, to read and write the counts
    atmost(requests + 2 * CONNECTIONS + 100, table.unpack(receives))
    assert.is_true(count(table.unpack(receives)) >= requests)
    atmost(requests + 50, "sendto", "sendmsg", "write", "writev")
    atmost(requests + 2 * CONNECTIONS + 20, "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll")
    atmost(2 * CONNECTIONS + 10, "epoll_ctl")
    atmost(2 * CONNECTIONS + 10, "accept4", "accept")
    atmost(2 * CONNECTIONS + 30, "fcntl", "ioctl", "setsockopt", "getsockopt")
    atmost(3 * CONNECTIONS + 10, "getpid", "gettid", "timerfd_settime", "eventfd2")
    atmost(20, "clock_gettime")
  end)
end)
