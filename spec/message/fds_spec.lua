-- Descriptors that sendmsg passes and recvmsg receives.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local messages = require "spec.support.messages"
local socket = require "bsdsocket"

local udp, control, descriptors = messages.udp, messages.control, messages.descriptors

after_each(net.close)

describe("descriptors that are passed", function()
  local kinds = {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"}

  it("arrive as sockets that work, where they are sockets", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      local client, server = net.tcp()
      local peer = server:getpeername()
      assert.equal(4, a:sendmsg{data = "take", fds = {server}})
      server:close()
      local m = assert(b:recvmsg())
      assert.same({"take", {}, 0}, {m.data, m.control, m.flags})
      assert.equal(1, #m.fds)
      local got <close> = m.fds[1]
      assert.same({socket.AF_INET, socket.SOCK_STREAM}, {got:family(), got:type()})
      assert.is_false(got:getinheritable())
      assert.equal(peer, got:getpeername())
      assert.is_nil(got:gettimeout())
      assert(client:send "through")
      assert.equal("through", got:recv())
      got:settimeout(0.02) -- and it has all that sockets have
      helper.fails("s:recv", "timeout", got:recv())
    end
  end)

  it("arrive as files of Lua's where they are none, in the mode that they have", function()
    local a, b = net.pair()
    local name = helper.tmpname()
    local w, r <close> = assert(io.open(name, "w")), assert(io.open(name))
    local both <close> = assert(io.open(name, "r+"))
    local pipe <close> = assert(io.popen "echo from the pipe")
    assert(a:sendmsg{data = "x", fds = {w, r, both, pipe}})
    w:close()
    local fds = assert(b:recvmsg()).fds
    assert.equal(4, #fds)
    for i = 1, 4 do
      assert.equal("file", io.type(fds[i]))
      assert.equal(getmetatable(r), getmetatable(fds[i]))
    end
    assert(fds[1]:write("written", "\n"))
    assert.is_nil((fds[1]:read()))
    assert.is_true(fds[1]:close())
    assert.equal("closed file", io.type(fds[1]))
    assert.equal("written", fds[2]:read())
    assert.is_nil((fds[2]:write "x"))
    assert(fds[3]:seek("set", 0))
    assert(fds[3]:write "W")
    assert.equal(0, fds[3]:seek("set", 0))
    assert.equal("Written", fds[3]:read())
    assert.equal("from the pipe", fds[4]:read())
    for i = 2, 4 do assert.is_true(fds[i]:close()) end
  end)

  it("may be numbers, and objects with fileno", function()
    local a, b = net.pair()
    local c, d = net.pair()
    assert(a:sendmsg{data = "x", fds = {c:fileno(), {fileno = function() return c:fileno() end},
      {getfd = function() return c:fileno() end}}})
    local fds = b:recvmsg().fds
    assert.equal(3, #fds)
    for i = 1, 3 do
      assert(fds[i]:send(tostring(i)))
      assert.equal(tostring(i), d:recv())
      fds[i]:close()
    end
  end)

  it("are close-on-exec", function()
    local a, b = net.pair()
    local name = helper.tmpname()
    local file <close> = assert(io.open(name, "w"))
    assert(a:sendmsg{data = "x", fds = {file, b}})
    file:close() -- Lua opens files that are inherited
    local fds = b:recvmsg().fds
    local seen <close> = assert(a:dup())
    seen:setinheritable(true)
    local list = helper.shell "ls -l /proc/self/fd"
    local inheritable = fds[2]:getinheritable()
    for i = 1, 2 do fds[i]:close() end
    assert.is_false(inheritable)
    assert.equal(1, select(2, list:gsub("socket:", "")))
    assert.is_nil(list:find(name, 1, true))
  end)

  it("number 0 to 253", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      local before = descriptors()
      for _, n in ipairs {0, 1, 2, 100, 252, 253} do
        local list = {}
        for i = 1, n do list[i] = i % 2 == 0 and a or io.stdout end
        assert.equal(1, a:sendmsg{data = "x", fds = list})
        local m = assert(b:recvmsg())
        assert.same({"x", n, 0}, {m.data, #m.fds, m.flags})
        assert.equal(before + n, descriptors())
        for i = 1, n do
          assert.equal(i % 2 == 0, io.type(m.fds[i]) == nil)
          m.fds[i]:close()
        end
        assert.equal(before, descriptors())
      end
    end
  end)

  it("of more than 253 are refused: EINVAL", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    for _, n in ipairs {254, 255, 1000} do
      local list = {}
      for i = 1, n do list[i] = a end
      assert.equal("sendmsg: Invalid argument", helper.fails("s:sendmsg", "EINVAL", a:sendmsg{data = "x", fds = list}))
      helper.fails("s:sendmmsg", "EINVAL", a:sendmmsg{{data = "x", fds = list}})
    end
    helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(1, {flags = "MSG_DONTWAIT"}))
    assert.equal(before, descriptors())
  end)

  it("come with credentials and time at once", function()
    local a, b = net.pair "SOCK_DGRAM"
    assert(b:setsockopt("SO_PASSCRED", true))
    assert(b:setsockopt("SO_TIMESTAMP", true))
    local list = {}
    for i = 1, 253 do list[i] = a end
    assert(a:sendmsg{data = "x", fds = list})
    local m = assert(b:recvmsg())
    assert.same({253, 0}, {#m.fds, m.flags})
    assert(control(m, "SOL_SOCKET", "SCM_CREDENTIALS"))
    assert(control(m, "SOL_SOCKET", "SCM_TIMESTAMP"))
    for _, s in ipairs(m.fds) do s:close() end
  end)

  it("are delivered or closed, never left open, whatever room there is for them", function()
    for _, passcred in ipairs {false, true} do
      local a, b = net.pair "SOCK_DGRAM"
      assert(b:setsockopt("SO_PASSCRED", passcred))
      local before = descriptors()
      local most = 0
      for size = 0, 120 do
        assert(a:sendmsg{data = "x", fds = {a, b, io.stdout, a, b}})
        local m = assert(b:recvmsg(1, {control = size}))
        assert.equal("x", m.data)
        local complete = #m.fds == 5 and (not passcred or m.control[1].value ~= nil)
        assert.equal(not complete, m.flags & socket.MSG_CTRUNC ~= 0)
        most = math.max(most, #m.fds)
        local cred = m.control[1]
        assert.equal(cred ~= nil and #cred.data == 12, cred ~= nil and cred.value ~= nil)
        assert.equal(before + #m.fds, descriptors())
        for _, fd in ipairs(m.fds) do fd:close() end
        assert.equal(before, descriptors())
      end
      assert.equal(5, most)
    end
  end)

  it("are closed by the collector, too", function()
    helper.collects()
    local a, b = net.pair()
    assert(a:sendmsg{data = "x", fds = {a, io.stdout, b}})
    assert.equal(3, #b:recvmsg().fds)
  end)

  it("are not received by any other call, and closed there", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    local message = {data = "x", fds = {a, io.stdout}}
    for _, receive in ipairs {
      function() return b:recv() end, function() return b:recvfrom() end,
      function() return b:recvinto(socket.buffer(9)) end, function() return b:recvmmsg(1, 9) end,
      function() return b:recvmsg(9, {control = 0}) end,
    } do
      assert(a:sendmsg(message))
      assert(receive())
      assert.equal(before, descriptors())
    end
  end)

  it("are doubled by MSG_PEEK, and closed all the same", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    assert(a:sendmsg{data = "x", fds = {a}})
    for _, flags in ipairs {"MSG_PEEK", 0} do
      local m = assert(b:recvmsg(1, {flags = flags}))
      assert.equal(1, #m.fds)
      m.fds[1]:close()
    end
    assert.equal(before, descriptors())
  end)

  it("that are closed are refused: EBADF, and nothing is sent", function()
    local a, b = net.pair "SOCK_DGRAM"
    local closed = assert(socket.socket())
    closed:close()
    local file = assert(io.open "/dev/null")
    file:close()
    for _, one in ipairs {closed, file, 10000, {fileno = function() end}} do
      assert.equal("sendmsg: Bad file descriptor",
        helper.fails("s:sendmsg", "EBADF", a:sendmsg{data = "x", fds = {a, one}}))
      helper.fails("s:sendmmsg", "EBADF", a:sendmmsg{{data = "x", fds = {one}}})
    end
    helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(1, {flags = "MSG_DONTWAIT"}))
  end)

  it("are refused where the system would leave them out without a word", function()
    local a = udp()
    helper.raises("s:sendmsg", "field 'fds': only AF_UNIX sockets pass descriptors", a.sendmsg, a,
      {data = "x", fds = {a}})
    assert.equal(1, a:sendmsg{data = "x", fds = {}})
    local s = net.pair()
    helper.raises("s:sendmsg", "field 'fds': in a stream descriptors go with data", s.sendmsg, s, {fds = {a}})
    local d, e = net.pair "SOCK_DGRAM"
    assert.equal(0, d:sendmsg{fds = {a}})
    local m = assert(e:recvmsg())
    assert.equal(1, #m.fds)
    m.fds[1]:close()
  end)

  it("go along with sendmmsg", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      assert.equal(2, a:sendmmsg{{data = "1", fds = {a}}, {data = "2", fds = {io.stdout, b}}})
      for i = 1, 2 do
        local m = assert(b:recvmsg(1))
        assert.same({tostring(i), i}, {m.data, #m.fds})
        for _, fd in ipairs(m.fds) do fd:close() end
      end
    end
  end)

  it("share with the sender what the system knows of them, and no call is misled by that", function()
    local listener = net.keep(assert(socket.listen("127.0.0.1", 0)))
    local child <close> = net.child([[ -- ends what would wait for ever
      socket.select(nil, nil, 3)
      socket.connect("127.0.0.1", arg[1])
    ]], listener:getsockname().port)
    local a, b = net.pair()
    assert(a:sendmsg{data = "x", fds = {listener, listener}})
    local one, two = table.unpack(b:recvmsg().fds)
    net.keep(one, two)
    for _, pair in ipairs {{one, two}, {two, listener}} do
      local first, second = table.unpack(pair)
      for _, s in ipairs(pair) do
        s:settimeout(0.02)
        helper.fails("s:accept", "timeout", s:accept()) -- makes it non-blocking
      end
      net.keep(assert(socket.fromfd((first:detach())))) -- and not any more
      helper.fails("s:accept", "timeout", second:accept())
    end
    child:__close()
  end)

  it("are passed on with the flags with which they were found, and the sender goes on with them", function()
    local call = {
      sendmsg = function(a, m) return a:sendmsg(m) end,
      sendmmsg = function(a, m) return a:sendmmsg{m} end,
    }
    for _, kind in ipairs(kinds) do
      for name, send in pairs(call) do
        for _, limit in ipairs {0, 0.25} do
          local a, b = net.pair(kind)
          local listener, peer = net.listener(), net.pair "SOCK_DGRAM"
          listener:settimeout(limit / 25)
          peer:settimeout(limit)
          for _ = 1, 2 do -- again, as the sender has gone on
            assert.is_nil((listener:accept()))
            assert.is_nil((peer:recv()))
            assert(send(a, {data = "x", fds = {listener, peer}}))
            local m <close> = assert(b:recvmsg())
            for i = 1, 2 do
              assert.is_false(net.nonblocking(m.fds[i]:fileno()), name)
              assert.equal(0, m.fds[i]:getsockopt "SO_RCVTIMEO")
            end
          end
          assert.is_nil((listener:accept()))
          net.keep(assert(socket.connect(listener:getsockname())))
          listener:settimeout(5)
          net.keep((assert(listener:accept())))
          for _, s in ipairs {a, b, listener, peer} do s:close() end
        end
      end
    end
  end)

  it("go along once with a message that a stream takes in parts", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", dir .. "/s"))))
    local child <close> = net.child([[
      local s = assert(socket.connect(socket.address("AF_UNIX", arg[1])))
      local total, fds = 0, 0
      repeat
        local m = assert(s:recvmsg(30000))
        total, fds = total + #m.data, fds + #m.fds
      until m.data == ""
      print(total, fds)
    ]], dir .. "/s")
    local conn <close> = assert(s:accept())
    conn:settimeout(10)
    local message = {data = {("x"):rep(1 << 20), ("y"):rep(1 << 20)}, fds = {s, io.stdout}}
    assert.equal(3, conn:sendmmsg{message, message, "z"})
    conn:close()
    assert.equal(("%d\t4"):format((1 << 22) + 1), child:line())
  end)

  it("cross from one process to another, which goes on with the connection", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", dir .. "/s"))))
    local child <close> = net.child([[
      local s = assert(socket.connect(socket.address("AF_UNIX", arg[1])))
      local m = assert(s:recvmsg())
      local conn, file = m.fds[1], m.fds[2]
      s:close()
      file:write("served ", conn:recv(), " by ", m.data)
      file:close()
      conn:sendall "answer"
    ]], dir .. "/s")
    local unixconn <close> = assert(s:accept())
    local client, server = net.tcp()
    local name = helper.tmpname()
    local file <close> = assert(io.open(name, "w"))
    assert(unixconn:sendmsg{data = "worker 1", fds = {server, file}})
    server:close()
    assert(client:send "question")
    assert.equal("answer", client:recv())
    assert.equal("", client:recv())
    assert.same({"", 0}, {child:rest()})
    assert.equal("served question by worker 1", helper.read(name))
  end)

  it("are closed where the process has no more room for them, and MSG_CTRUNC says so", function()
    local output = process.confined(20, [[
      local a, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      assert(a:sendmsg{data = "x", fds = {a, a, a, a, a}})
      local open = {}
      fill(open)
      for i = 1, 2 do table.remove(open):close() end
      local m = assert(b:recvmsg())
      print(m.data, #m.fds, m.flags == socket.MSG_CTRUNC)
    ]])
    assert.equal("x\t2\ttrue\n", output)
  end)

  -- The drivers of a call, as a program's text that runs `receive` of the socket b.
  local drivers = {
    {"plainly", "receive()"},
    {"under a timeout", "b:settimeout(5) receive()"},
    {"under a long timeout", "b:settimeout(0.1) receive()"},
    {"under timeout 0", "b:settimeout(0) receive()"},
    {"in a task", "loop.run(receive)"},
    {"in a loop.wrap", "loop.run(function() loop.wrap(receive)() end)"},
    {"under another scheduler", "socket.setwaiter(function() return nil end) coroutine.wrap(receive)()"},
  }

  it("find room where unreachable ones have it", function()
    for _, kind in ipairs(kinds) do
      for _, limit in ipairs(kind == "SOCK_DGRAM" and {20, 600} or {20}) do
        for _, driver in ipairs(drivers) do
          local output = process.confined(limit, ([[
            local loop = require "bsdsocket.loop"
            local a, b = socket.socketpair("AF_UNIX", %q)
            local function receive()
              for i = 1, 3 do
                local m = assert(b:recvmsg())
                print(m.data, #m.fds, m.flags)
                for _, s in ipairs(m.fds) do s:close() end
              end
            end
            loop.run(function() end)
            local spare = socket.socket()
            for i = 1, 3 do assert(a:sendmsg{data = "x", fds = {a, a, a, a, a}}) end
            fill {}
            spare:close() -- one is not enough
            %s
          ]]):format(kind, driver[2]))
          assert.equal(("x\t5\t0\n"):rep(3), output, kind .. " " .. driver[1])
        end
      end
    end
  end)

  it("find room, too, where they come while the call waits", function()
    local output = process.confined(600, [[
      local loop = require "bsdsocket.loop"
      local a, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      loop.run(function()
        local task = loop.spawn(function() return b:recvmsg() end)
        loop.sleep(0)
        fill {}
        assert(a:sendmsg{data = "x", fds = {a, a, a, a, a}})
        local _, m = task:join()
        print(m.data, #m.fds, m.flags)
      end)
    ]])
    assert.equal("x\t5\t0\n", output)
  end)

  it("are received where SO_PEEK_OFF stands elsewhere, though the table is full", function()
    local output = process.confined(20, [[
      local a, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      assert(b:setsockopt("SO_PEEK_OFF", 100))
      assert(a:sendmsg{data = "x", fds = {a}})
      local open = {}
      fill(open)
      table.remove(open):close()
      b:settimeout(5)
      local m = assert(b:recvmsg())
      print(m.data, #m.fds, m.flags)
    ]])
    assert.equal("x\t1\t0\n", output)
  end)

  it("are closed with their message, or with the array of them, where that goes out of scope", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      local before = descriptors()
      local kept
      for _, what in ipairs {"message", "fds"} do
        assert(a:sendmsg{data = "x", fds = {a, io.stdout, b, a}})
        do
          local m = assert(b:recvmsg())
          local _ <close> = what == "fds" and m.fds or m
          assert.equal(before + 4, descriptors())
          assert.is_true(m.fds[2]:close())
          kept, m.fds[1] = m.fds[1], nil -- taken out: not of it any more
        end
        assert.equal(before + 1, descriptors())
        assert(kept:getsockname())
        kept:close()
      end
      assert.equal(before, descriptors())
    end
  end)

  it("are closed with a message that has none, of any socket", function()
    local a, b = udp()
    assert(a:send "x")
    local m <close> = assert(b:recvmsg())
    local fds <close> = m.fds
    assert.same({"x", {}}, {m.data, fds})
  end)

  it("are closed all, though one of them fails at that", function()
    local a, b = net.pair()
    local full <close> = assert(io.open("/dev/full", "w"))
    local before = descriptors()
    assert(a:sendmsg{data = "x", fds = {a, full, b}})
    do
      local m <close> = assert(b:recvmsg())
      assert(m.fds[2]:write "never to be flushed")
      assert(m.fds[1]:setvbuf "full")
      assert(m.fds[1]:write "flushed")
    end
    assert.equal(before, descriptors())
    assert.equal("flushed", b:recv())
  end)

  it("need no library io to be closed", function()
    local a, b = net.pair()
    local registry = debug.getregistry()
    local files = registry["FILE*"]
    local before = descriptors()
    assert(a:sendmsg{data = "x", fds = {io.stdout, 1}})
    registry["FILE*"] = nil
    local ok, m = pcall(b.recvmsg, b)
    registry["FILE*"] = files
    assert(ok, m)
    assert.equal(2, #m.fds)
    assert.equal(before + 2, descriptors())
    m = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(before, descriptors())
  end)
end)
