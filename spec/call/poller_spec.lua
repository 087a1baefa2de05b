-- socket.poller: the readiness of many.
-- Over the other engine: make test BUILD=build-poll CFLAGS="-O2 -DBS_ENGINE_POLL" SPEC=spec/call/poller_spec.lua
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local tasks = require "spec.support.tasks"
local spawn = require "bsdsocket.loop".spawn

local inf, nan = math.huge, 0 / 0

local described -- whether a poller has a descriptor of its own: with poll it has none
do
  local p <close> = assert(socket.poller())
  described = p:fileno() ~= nil
end

-- What a wait gives, by what it gives; each only once.
local function ready(p, timeout)
  local found = {}
  for what, events in assert(p:wait(timeout or 0)) do
    assert.equal(nil, found[what])
    found[what] = events
  end
  return found
end

-- A descriptor that no object of ours owns.
local function bare(s)
  return (assert(assert(s:dup()):detach()))
end

local function closebare(fd)
  assert(assert(socket.fromfd(fd)):close())
end

describe("a poller", function()
  local p, a, b

  before_each(function()
    p = assert(socket.poller())
    a, b = assert(socket.socketpair())
  end)
  after_each(function()
    p:close()
    a:close()
    b:close()
  end)

  describe("gives", function()
    it("the socket and what it is ready for", function()
      p:add(a, "r"):add(b, "rw")
      assert.same({ [b] = "w" }, ready(p))
      assert(b:send "x")
      assert.same({ [a] = "r", [b] = "w" }, ready(p))
      assert(a:send "x")
      assert.same({ [a] = "r", [b] = "rw" }, ready(p))
    end)

    it("only what was asked for", function()
      assert(b:send "x")
      assert(p:add(a, "w"))
      assert.same({ [a] = "w" }, ready(p))
      assert(p:modify(a, "r"))
      assert.same({ [a] = "r" }, ready(p))
    end)

    it("nothing at the timeout", function()
      p:add(a, "r")
      assert.same({}, ready(p, 0))
      assert.same({}, ready(p, 0.001))
    end)

    it("nothing when nobody is in it", function()
      assert.same({}, ready(p, 0))
    end)

    it("the data that was given with the socket", function()
      local data = {}
      assert(p:add(a, "w", data):add(b, "w", false))
      assert.same({ [data] = "w", [false] = "w" }, ready(p))
    end)

    it("the same again while it lasts", function()
      assert(b:send "x")
      assert(p:add(a, "r"))
      for _ = 1, 3 do assert.same({ [a] = "r" }, ready(p)) end
      assert.equal("x", a:recv())
      assert.same({}, ready(p))
    end)

    it("a hang-up as ready for what was asked", function()
      b:close()
      for _, events in ipairs { "r", "w", "rw" } do
        assert(p:add(a, events))
        assert.same({ [a] = events }, ready(p))
        assert(p:remove(a))
      end
    end)

    it("an error as ready for what was asked", function()
      local server <close> = assert(socket.socket())
      local address = assert(server:bind("127.0.0.1", 0)):getsockname() -- and does not listen
      for _, events in ipairs { "r", "w", "rw" } do
        local client <close> = assert(socket.socket()):settimeout(0)
        client:connect(address)
        assert(p:add(client, events))
        assert.same({ [client] = events }, ready(p, 1))
      end
    end)

    it("a pipe whose other end is closed as ready for what was asked", function()
      for _, mode in ipairs { "r", "w" } do
        local pipe = assert(io.popen("exec <&- >&-", mode))
        socket.select({ pipe })
        for _, events in ipairs { "r", "w", "rw" } do
          assert(p:add(pipe, events))
          assert.same({ [pipe] = events }, ready(p))
          assert(p:remove(pipe))
        end
        pipe:close()
      end
    end)

    it("a listening socket with a client as readable", function()
      local server <close> = assert(socket.socket())
      assert(server:bind("127.0.0.1", 0):listen())
      assert(p:add(server, "r"))
      assert.same({}, ready(p))
      local client <close> = assert(socket.socket())
      assert(client:connect(server:getsockname()))
      assert.same({ [server] = "r" }, ready(p, 1))
    end)

    it("bytes read ahead as readable, at once and while there are any", function()
      local q <close> = assert(socket.poller())
      local c, d = assert(socket.socketpair())
      local _ <close> = c
      local _ <close> = d
      for to, from in pairs { [a] = b, [c] = d } do
        assert(from:send "hello")
        assert.equal("h", to:read(1))
      end
      assert(p:add(a, "r"))
      assert(p:add(b, "r"))
      assert(p:add(c, "rw"))
      assert(q:add(a, "w"))
      for _ = 1, 2 do
        assert.same({ [a] = "r", [c] = "rw" }, ready(p, 10))
        assert.same({ [a] = "w" }, ready(q))
      end
      assert.equal("ello", a:recv())
      assert.same({ [c] = "rw" }, ready(p, 10))
    end)

    it("a poller inside it as readable while bytes are read ahead in there, at any depth", function()
      if not described then return end
      local q <close> = assert(socket.poller())
      local top <close> = assert(socket.poller())
      assert(p:add(a, "r"))
      assert(q:add(p, "rw"))
      assert(top:add(q, "r"))
      assert(b:send "hello")
      assert.equal("h", a:read(1))
      for _ = 1, 2 do
        assert.same({ [p] = "r" }, ready(q, 10))
        assert.same({ [q] = "r" }, ready(top, 10))
      end
      assert(p:modify(a, "w"))
      assert.same({ [p] = "r" }, ready(q)) -- the kernel's own word
      assert(p:remove(a))
      assert.same({}, ready(top))
      assert(p:add(a, "r"))
      assert.equal("ello", a:recv())
      assert.same({}, ready(top))
    end)
  end)

  describe("tells by 'h' that the peer has sent its last byte, or is gone,", function()
    after_each(net.close)

    local function unix(kind)
      return function() return net.pair(kind) end
    end

    local function udp()
      local sender, receiver = net.udp()
      return receiver:connect(sender:getsockname()), sender
    end

    local kinds = {
      TCP = net.tcp, ["unix streams"] = unix "SOCK_STREAM", ["unix sequenced packets"] = unix "SOCK_SEQPACKET",
      ["unix datagrams"] = unix "SOCK_DGRAM", UDP = udp,
    }
    local bytes = { TCP = true, ["unix streams"] = true, ["unix sequenced packets"] = true }

    -- What is done; whether 'h' is told where there is a last byte, and where there are datagrams.
    local rows = {
      { "nothing has happened", function() end, false, false },
      { "it has sent something", function(_, peer) peer:send "x" end, false, false },
      { "it has shut down its side, with something left to read", function(_, peer)
        peer:send "x"
        peer:shutdown "SHUT_WR"
      end, true, false },
      { "it has shut down its side, and all is read", function(s, peer)
        peer:send "x"
        s:recv()
        peer:shutdown "SHUT_WR"
      end, true, false },
      { "it reads no more", function(_, peer) peer:shutdown "SHUT_RD" end, false, false },
      { "it is closed, with something left to read", function(_, peer)
        peer:send "x"
        peer:close()
      end, true, false },
      { "it is closed, and all is read", function(s, peer)
        peer:send "x"
        s:recv()
        peer:close()
      end, true, false },
      { "it has reset the connection", function(_, peer)
        peer:setsockopt("SO_LINGER", 0)
        peer:close()
      end, true, false },
      { "we have shut down our side", function(s) s:shutdown "SHUT_WR" end, false, false },
      { "we want to read no more", function(s) s:shutdown "SHUT_RD" end, true, true },
      { "we have shut down both", function(s) s:shutdown() end, true, true },
    }

    for name, make in pairs(kinds) do
      for _, row in ipairs(rows) do
        it(("of %s: %s"):format(name, row[1]), function()
          local hung = bytes[name] and row[3] or not bytes[name] and row[4]
          for _, asked in ipairs { "h", "rh", "wh", "rwh", "r", "w", "rw" } do
            local s, peer = make()
            assert(p:add(s, asked))
            local other <close> = assert(socket.poller())
            assert(other:add(s, "r")) -- what is asked elsewhere is no matter
            row[2](s, peer)
            for _ = 1, 2 do
              local events = ready(p, hung and 10 or 0.01)[s] or ""
              assert.equal(hung and asked:find "h" ~= nil, events:find "h" ~= nil)
              assert(("rwh"):find(events, 1, true) or events == "rh", events)
              for letter in events:gmatch "." do assert(asked:find(letter), events) end
            end
            assert(p:modify(s, "h"))
            assert.equal(hung and "h" or nil, ready(p, hung and 10 or 0)[s])
            assert(p:remove(s))
            net.close()
          end
        end)
      end
    end

    local function tells(expected, what, asked)
      assert(p:add(what, asked or "h"))
      for _ = 1, 2 do assert.equal(expected, ready(p, expected and 10 or 0.01)[what]) end
      assert(p:remove(what))
    end

    it("of UDP: nobody is at the other end", function()
      local s = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
      assert(s:connect(net.udp():getsockname())) -- connected to somebody else, it takes nothing
      local gone = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
      assert(s:connect(gone:getsockname()))
      gone:close()
      assert(s:send "x")
      tells("h", s)
    end)

    it("of sockets that listen, and of such as have never been connected: as the system has it", function()
      local server = net.keep(net.listener())
      tells(nil, server)
      local client = net.keep(assert(socket.connect(server:getsockname())))
      tells(nil, server)
      tells("r", server, "rh")
      tells(nil, client)
      client:close()
      tells("r", server, "rh")
      local unixserver = net.keep(assert(socket.socket "AF_UNIX"))
      tells("h", unixserver)
      assert(assert(unixserver:bind(helper.tmpname())):listen())
      tells(nil, unixserver)
      tells("h", net.keep(assert(socket.socket())))
      tells(nil, net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM"))))
    end)

    it("of pipes: the reader of the writer, the writer of the reader", function()
      local reader = assert(io.popen "printf x")
      tells("h", reader)
      tells("rh", reader, "rh")
      reader:close()
      local writer = assert(io.popen("read line", "w"))
      tells(nil, writer)
      assert(writer:write "\n" and writer:flush())
      tells("h", writer)
      tells("wh", writer, "wh")
      writer:close()
    end)

    it("and not that bytes are read ahead", function()
      assert(b:send "hello")
      assert.equal("h", a:read(1))
      tells(nil, a)
      tells("w", a, "wh")
      tells("rw", a, "rwh")
      b:close()
      tells("rwh", a, "rwh")
      assert.equal("ello", a:recv())
      tells("rh", a, "rh")
    end)

    it("and alone wakes nobody while there is something to read", function()
      assert(b:send "hello")
      assert(p:add(a, "h"))
      local clock, start = os.clock(), socket.monotime()
      assert.same({}, ready(p, 0.1))
      assert.is_true(socket.monotime() - start >= 0.1)
      if not helper.instrumented then assert.is_true(os.clock() - clock < 0.05) end
    end)

    it("to a task that waits, and under another scheduler", function()
      local function wait(s)
        assert(p:add(s, "h", "gone"))
        local iterator, state = assert(p:wait(10))
        return table.concat({ iterator(state) })
      end
      tasks.run(function()
        local waiter = spawn(wait, a)
        tasks.settle()
        b:send "x"
        tasks.settle()
        b:shutdown "SHUT_WR"
        assert.equal("goneh", tasks.join(waiter))
      end)
      if not described then return end
      assert(p:remove(a))
      local c, d = net.pair()
      socket.setwaiter(function(object)
        coroutine.yield()
        return object == p and assert(socket.select({object}, nil, 10))[1] == p
      end)
      local result
      local co = coroutine.create(function() result = wait(c) end)
      assert(coroutine.resume(co))
      d:close()
      assert(coroutine.resume(co))
      socket.setwaiter(nil)
      assert.equal("goneh", result)
    end)
  end)

  describe("takes", function()
    it("integers", function()
      assert(p:add(a:fileno(), "w"))
      assert.same({ [a:fileno()] = "w" }, ready(p))
      assert(p:remove(a:fileno()))
    end)

    it("Lua's files", function()
      local pipe = assert(io.popen "echo x")
      assert(p:add(pipe, "r"))
      assert.same({ [pipe] = "r" }, ready(p, inf))
      assert(p:remove(pipe))
      pipe:close()
    end)

    it("objects with fileno or getfd", function()
      local x, y = { fileno = function() return a:fileno() end }, { getfd = function() return b:fileno() end }
      assert(p:add(x, "w"):add(y, "r"))
      assert.same({ [x] = "w" }, ready(p))
      assert(p:modify(y, "rw"):remove(x))
      assert.same({ [y] = "w" }, ready(p))
    end)

    it("a socket by its descriptor, once it is there", function()
      assert(p:add(a, "r"))
      assert(p:modify(a:fileno(), "w"))
      assert.same({ [a] = "w" }, ready(p))
      assert(p:remove(a:fileno()))
      assert.same({}, ready(p))
    end)

    it("a socket in several pollers", function()
      local others = {}
      assert(p:add(a, "w"))
      for i = 1, 5 do
        others[i] = assert(socket.poller())
        assert(others[i]:add(a, "w", i))
      end
      others[3]:close()
      assert(others[5]:remove(a))
      assert.same({ { [a] = "w" }, { "w" }, { [2] = "w" }, { [4] = "w" }, {} },
        { ready(p), ready(others[1]), ready(others[2]), ready(others[4]), ready(others[5]) })
      a:close()
      for i = 1, 5 do
        if i ~= 3 then assert.same({}, ready(others[i])) end
        others[i]:close()
      end
      assert.same({}, ready(p))
    end)

    if described then
      it("another poller", function()
        local inner <close> = assert(socket.poller())
        assert(p:add(inner, "r"))
        assert(inner:add(a, "r"))
        assert.same({}, ready(p))
        assert(b:send "x")
        assert.same({ [inner] = "r" }, ready(p))
        assert.same({ { inner, [inner] = 1 }, {} }, { socket.select({ inner }, nil, 0) })
        assert.same({ [a] = "r" }, ready(inner))
      end)
    end

    it("many", function()
      local all, want = {}, {}
      for i = 1, 100 do
        local x, y = assert(socket.socketpair())
        all[2 * i - 1], all[2 * i] = x, y
        assert(p:add(x, "rw", i):add(y, "r", -i))
        want[i] = "w"
      end
      assert.same(want, ready(p))
      for i = 1, 100 do
        if i % 3 == 0 then
          assert(p:remove(all[2 * i]))
          assert(all[2 * i]:send "x")
          want[i] = "rw"
        elseif i % 3 == 1 then
          all[2 * i - 1]:close()
          want[i], want[-i] = nil, "r"
        end
      end
      assert.same(want, ready(p))
      for i = 1, 100 do
        all[2 * i - 1]:close()
        if i % 3 == 2 then want[-i] = "r" end
        want[i] = nil
      end
      assert.same(want, ready(p))
      for _, s in ipairs(all) do s:close() end
      assert.same({}, ready(p))
    end)
  end)

  describe("modifies", function()
    it("events", function()
      assert(p:add(a, "r"))
      assert(p:modify(a, "rw"))
      assert.same({ [a] = "w" }, ready(p))
      assert(p:modify(a, "r"))
      assert.same({}, ready(p))
    end)

    it("data, which stay if none are given", function()
      assert(p:add(a, "r", "one"))
      assert(p:modify(a, "w"))
      assert.same({ one = "w" }, ready(p))
      assert(p:modify(a, "w", "two"))
      assert.same({ two = "w" }, ready(p))
      assert(p:modify(a, "w", nil))
      assert.same({ two = "w" }, ready(p))
    end)
  end)

  describe("waits", function()
    it("never shorter than it was told, and hardly longer", function()
      assert(p:add(a, "r"))
      for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
        net.takes(seconds, function() assert.same({}, ready(p, seconds)) end)
      end
    end)

    it("not at all under timeout 0", function()
      assert(p:add(a, "r"))
      net.takes(0, function() ready(p, 0) end)
    end)

    it("for ever without a timeout, until something is ready", function()
      local pipe = assert(io.popen "for i in 1 2 3 4 5 6 7 8 9; do :; done; exec echo x")
      assert(p:add(a, "r"):add(pipe, "r"))
      for what in p:wait() do assert.equal(pipe, what) end
      assert(p:remove(pipe))
      pipe:close()
    end)

    it("under every timeout that means for ever", function()
      assert(p:add(a, "w"))
      for _, timeout in ipairs { inf, 1e300, 1e9, 2 ^ 63, math.maxinteger } do
        assert.same({ [a] = "w" }, ready(p, timeout))
      end
    end)

    it("without making garbage", function()
      assert(b:send "x")
      assert(p:add(a, "rw"):add(b, "rw"))
      ready(p)
      collectgarbage "stop"
      local before = collectgarbage "count"
      for _ = 1, 1000 do
        for _ in p:wait(0) do end
      end
      local made = collectgarbage "count" - before
      collectgarbage "restart"
      assert.is_true(made < 1, made .. " KiB")
    end)
  end)

  describe("in the loop's body", function()
    local c, d

    before_each(function()
      c, d = assert(socket.socketpair())
      assert(p:add(a, "w"):add(b, "w"):add(c, "w"):add(d, "w"))
    end)
    after_each(function()
      c:close()
      d:close()
    end)

    -- As a loop does that ends with break.
    local function breakoff()
      local iterator, state = assert(p:wait(0))
      assert(iterator(state))
    end

    -- Calls f with the first and with all others; gives how often the loop ran.
    local function loop(f)
      local times = 0
      for what in assert(p:wait(0)) do
        times = times + 1
        if times == 1 then
          local others = { [a] = true, [b] = true, [c] = true, [d] = true }
          others[what] = nil
          f(what, others)
        end
      end
      return times
    end

    it("reports no more what was removed", function()
      assert.equal(1, loop(function(_, others)
        for s in pairs(others) do assert(p:remove(s)) end
      end))
    end)

    it("reports no more what was closed", function()
      assert.equal(1, loop(function(_, others)
        for s in pairs(others) do assert(s:close()) end
      end))
    end)

    it("reports no more what was closed while a twin of it lives", function()
      local twins = {}
      assert.equal(1, loop(function(_, others)
        for s in pairs(others) do
          twins[#twins + 1] = assert(s:dup())
          assert(s:close())
        end
      end))
      assert.equal(1, loop(function() end))
      for _, s in ipairs(twins) do s:close() end
    end)

    it("reports no more what was detached, or has another descriptor", function()
      local fds = {}
      assert.equal(2, loop(function(_, others)
        local x, y = next(others), next(others, (next(others)))
        fds[1], fds[2] = assert(x:detach()), y:fileno()
        assert(y:setfd(-1))
      end))
      assert.equal(2, loop(function() end))
      for _, fd in ipairs(fds) do closebare(fd) end
    end)

    it("reports of what is changed only what is asked now", function()
      local x, y = assert(socket.socketpair())
      local _ <close> = net.closing(x, y)
      assert(x:send "x")
      assert(y:send "x")
      local own <close> = assert(socket.poller())
      assert(own:add(x, "rw"))
      assert(own:add(y, "rw"))
      local events = {}
      for s, what in own:wait(0) do
        events[#events + 1] = what
        assert(own:modify(s == x and y or x, "r"))
      end
      assert.same({ "rw", "r" }, events)
    end)

    it("reports no more what is not asked any more", function()
      assert.equal(1, loop(function(_, others)
        for s in pairs(others) do assert(p:modify(s, "r")) end
      end))
    end)

    it("reports only at the next wait what was removed and added again", function()
      assert.equal(1, loop(function(_, others)
        for s in pairs(others) do assert(p:remove(s):add(s, "w")) end
      end))
      assert.equal(4, loop(function() end))
    end)

    it("reports only at the next wait who got a closed one's descriptor", function()
      local new = {}
      assert.equal(3, loop(function(_, others)
        local s = next(others)
        local fd = s:fileno()
        assert(s:close())
        new[1], new[2] = assert(socket.socketpair())
        assert.equal(fd, new[1]:fileno())
        assert(p:add(new[1], "w"))
      end))
      local found = ready(p)
      assert.equal("w", found[new[1]])
      new[1]:close()
      new[2]:close()
    end)

    it("reports the rest when one removes itself", function()
      local times = 0
      for s in p:wait(0) do
        assert(p:remove(s))
        times = times + 1
      end
      assert.equal(4, times)
      assert.same({}, ready(p))
    end)

    it("may add others", function()
      local all = {}
      for s in p:wait(0) do
        for _ = 1, 50 do
          all[#all + 1] = assert(s:dup())
          assert(p:add(all[#all], "w"))
        end
      end
      assert.equal(200, #all)
      local count = 0
      for _ in p:wait(0) do count = count + 1 end
      for _, s in ipairs(all) do s:close() end
      assert.equal(204, count)
    end)

    it("ends when the poller is closed", function()
      assert.equal(1, loop(function() assert(p:close()) end))
    end)

    it("may wait again: the inner loop takes over", function()
      local inner = 0
      assert.equal(1, loop(function()
        for _ in p:wait(0) do inner = inner + 1 end
      end))
      assert.equal(4, inner)
    end)

    it("may wait again and break off", function()
      assert.equal(4, loop(function()
        breakoff()
      end))
    end)

    it("may break off: the next wait starts afresh", function()
      breakoff()
      assert.equal(4, loop(function() end))
      assert(p:modify(a, "r"):modify(b, "r"):modify(c, "r"):modify(d, "r"))
      for _, s in ipairs { a, b, c, d } do assert(s:send "x") end
      breakoff()
      for _, s in ipairs { a, b, c, d } do assert.equal("x", s:recv()) end
      assert.equal(0, loop(function() end))
    end)

    it("may run the collector, and raise", function()
      assert.is_false(pcall(loop, function()
        collectgarbage()
        error "out"
      end))
      assert.equal(4, loop(function() collectgarbage() end))
    end)
  end)

  describe("keeps alive", function()
    local alive

    before_each(function() alive = setmetatable({}, { __mode = "k" }) end)

    local function gone()
      collectgarbage()
      collectgarbage()
      return next(alive) == nil
    end

    local function add(data)
      local s = assert(a:dup())
      alive[data or s] = true
      assert(p:add(s, "w", data))
      return s:fileno()
    end

    it("what is in it", function()
      add()
      assert.is_false(gone())
      for s in p:wait(0) do assert.equal("number", type(s:fileno())) end
      p:close()
      helper.collects()
    end)

    it("nothing that was removed", function()
      assert(p:remove(add()))
      assert.is_true(gone())
    end)

    it("no data of what was removed", function()
      assert(p:remove(add {}))
      assert.is_true(gone())
    end)

    it("no data that were replaced", function()
      p:modify(add {}, "w", "other")
      assert.is_true(gone())
      p:close()
      helper.collects()
    end)

    for _, method in ipairs { "wait", "add", "modify", "remove" } do
      it("nothing that was closed, once it was used again: " .. method, function()
        local s = assert(a:dup())
        alive[s] = true
        add {}
        assert(p:add(b, "w"):add(s, "w"))
        for data in p:wait(0) do
          if type(data) == "table" then alive[data] = true end
        end
        s:close()
        s = nil -- luacheck: ignore
        if method == "wait" then ready(p) else p[method](p, b, "r") end
        collectgarbage()
        collectgarbage()
        local left = {}
        for what in pairs(alive) do left[#left + 1] = type(what) end
        assert.same({ "table" }, left)
        p:close()
        helper.collects()
      end)
    end

    it("nothing once it is closed", function()
      add()
      add {}
      p:close()
      assert.is_true(gone())
    end)

    it("nothing once it is collected", function()
      add()
      add {}
      p:add(a, "w")
      p = nil
      assert.is_true(gone())
      p = assert(socket.poller())
      assert(p:add(a, "w"))
      assert.same({ [a] = "w" }, ready(p))
    end)

    it("nothing that holds it in turn", function()
      add { p }
      p = nil
      assert.is_true(gone())
      p = assert(socket.poller())
    end)
  end)

  describe("lets go first of a socket that is", function()
    it("closed", function()
      assert(p:add(a, "w"):add(b, "r"))
      local twin <close> = assert(a:dup())
      assert(a:close())
      assert.same({}, ready(p))
      assert.equal(twin, twin:send "" and twin)
    end)

    it("detached", function()
      assert(p:add(a, "w"))
      local fd = assert(a:detach())
      assert.same({}, ready(p))
      helper.fails("p:remove", "ENOENT", p:remove(fd))
      assert(p:add(fd, "w"):remove(fd))
      closebare(fd)
    end)

    it("a poller that is closed", function()
      if not described then return end
      local inner = assert(socket.poller())
      local other <close> = assert(socket.poller())
      assert(p:add(inner, "r", "inner"))
      assert(other:add(inner, "r"))
      assert(inner:add(a, "w"))
      assert.same({ inner = "r" }, ready(p))
      local fd = inner:fileno()
      assert(inner:close())
      assert.same({}, ready(p))
      assert.same({}, ready(other))
      assert.equal(bare(b), fd) -- the lowest that is free
      helper.fails("p:remove", "ENOENT", p:remove(fd))
      closebare(fd)
    end)

    it("given another descriptor", function()
      assert(p:add(a, "w"))
      local old, new = a:fileno(), bare(b)
      assert(a:setfd(new))
      assert.same({}, ready(p))
      helper.fails("p:modify", "ENOENT", p:modify(a, "w"))
      assert(p:add(a, "w"))
      assert.same({ [a] = "w" }, ready(p))
      closebare(old)
    end)

    it("collected after a poller that was closed", function()
      local s = assert(a:dup())
      local other = assert(socket.poller())
      assert(p:add(s, "w"))
      assert(other:add(s, "w"))
      other:close()
      p:close()
      s, other = nil, nil -- luacheck: ignore
      helper.collects()
    end)
  end)

  describe("is not confused by an integer that was closed and", function()
    local fd, other

    before_each(function()
      local s
      s, other = assert(socket.socketpair())
      fd = assert(s:detach())
      assert(p:add(fd, "w", "old"))
    end)
    after_each(function() other:close() end)

    it("has no file any more", function()
      closebare(fd)
      assert.same({}, ready(p))
      for _, method in ipairs { "add", "modify", "remove" } do
        helper.fails("p:" .. method, "EBADF", p[method](p, fd, "w"))
      end
    end)

    if not described then
      it("has no file any more: that shows", function()
        closebare(fd)
        assert.match("1 added", tostring(p))
        assert.same({}, ready(p))
        assert.match("0 added", tostring(p))
      end)
    end

    for _, method in ipairs { "modify", "remove" } do
      it("has another file: " .. method, function()
        closebare(fd)
        local s <close> = assert(a:dup())
        assert.equal(fd, s:fileno())
        helper.fails("p:" .. method, "ENOENT", p[method](p, fd, "w"))
        assert.match("0 added", tostring(p))
        assert.same({}, ready(p))
        assert(p:add(s, "w", "new"))
        assert.same({ new = "w" }, ready(p))
      end)
    end

    it("has another file: add", function()
      closebare(fd)
      local s <close> = assert(a:dup())
      assert.equal(fd, s:fileno())
      assert(p:add(s, "w", "new"))
      assert.same({ new = "w" }, ready(p))
      helper.fails("p:add", "EEXIST", p:add(s, "w"))
      assert.match("1 added", tostring(p))
      assert(p:remove(s))
      helper.fails("p:remove", "ENOENT", p:remove(s))
    end)

    it("has another file, its own living on elsewhere", function()
      assert(p:modify(fd, "r"))
      assert(other:send "x")
      local old = assert(socket.fromfd(fd))
      local twin <close> = assert(old:dup()) -- goes on being readable
      old:close()
      local s = assert(a:dup())
      assert.equal(fd, s:fileno())
      assert(p:add(s, "r", "new"))
      assert.same({}, ready(p, 0.001))
      assert(b:send "x")
      assert.same({ new = "r" }, ready(p))
      s:close()
      assert.equal("x", twin:recv())
    end)
  end)

  describe("fails", function()
    it("to add what is there", function()
      assert(p:add(a, "r", "data"))
      assert.equal("add: File exists", (helper.fails("p:add", "EEXIST", p:add(a, "w", "other"))))
      helper.fails("p:add", "EEXIST", p:add(a:fileno(), "w"))
      assert(b:send "x")
      assert.same({ data = "r" }, ready(p))
    end)

    it("to modify or remove what is not there", function()
      assert.equal("modify: No such file or directory", (helper.fails("p:modify", "ENOENT", p:modify(a, "r"))))
      assert.equal("remove: No such file or directory", (helper.fails("p:remove", "ENOENT", p:remove(a))))
      assert(p:add(a, "r"):remove(a))
      helper.fails("p:modify", "ENOENT", p:modify(a, "r"))
      helper.fails("p:remove", "ENOENT", p:remove(a:fileno()))
    end)

    it("for a closed socket, file, or number", function()
      a:close()
      local file = assert(io.open "/dev/null")
      file:close()
      for _, closed in ipairs { a, file, 19999, 2 ^ 31 - 1, { getfd = function() return -1 end } } do
        helper.fails("p:add", "EBADF", p:add(closed, "r"))
        helper.fails("p:modify", "EBADF", p:modify(closed, "r"))
        helper.fails("p:remove", "EBADF", p:remove(closed))
      end
      assert.same({}, ready(p))
    end)

    it("to add a regular file or a directory", function()
      local file <close> = assert(io.open(helper.root .. "/spec/call/poller_spec.lua"))
      assert.equal("add: Operation not permitted", (helper.fails("p:add", "EPERM", p:add(file, "r"))))
      local dir <close> = assert(io.open "/")
      helper.fails("p:add", "EPERM", p:add(dir, "r"))
      assert.same({}, ready(p))
      helper.fails("p:remove", "ENOENT", p:remove(file))
    end)

    if described then
      it("to add itself", function()
        helper.fails("p:add", "EINVAL", p:add(p, "r"))
      end)
    end

    it("in every call once it is closed", function()
      assert(p:add(a, "r"))
      assert.is_true(p:close())
      assert.is_true(p:close())
      assert.equal(nil, p:fileno())
      helper.fails("p:add", "EBADF", p:add(b, "r"))
      helper.fails("p:modify", "EBADF", p:modify(a, "r"))
      helper.fails("p:remove", "EBADF", p:remove(a))
      assert.equal("wait: Bad file descriptor", (helper.fails("p:wait", "EBADF", p:wait())))
      helper.fails("p:wait", "EBADF", p:wait(0))
    end)

    it("in a `for`: under assert with its message, else as every nil that is called #process", function()
      local output = helper.lua("-e", [[ -- with Lua's own assert
        local p = require "bsdsocket".poller()
        p:close()
        print(pcall(function() for _ in assert(p:wait()) do error "ready?" end end))
        print(pcall(function() for _ in p:wait() do error "ready?" end end))
      ]])
      assert.match("^false\t[^\n]*: wait: Bad file descriptor\n", output)
      assert.match("\nfalse\t.*attempt to call a nil value %(for iterator", output)
    end)

    it("when an object's fileno closes it", function()
      local closer = { fileno = function()
        p:close()
        return a:fileno()
      end }
      helper.fails("p:add", "EBADF", p:add(closer, "r"))
      p = assert(socket.poller())
      helper.fails("p:modify", "EBADF", p:modify(closer, "r"))
      p = assert(socket.poller())
      helper.fails("p:remove", "EBADF", p:remove(closer))
    end)
  end)

  describe("raises", function()
    -- by way of a source text, so that the error can tell the method's name
    local function raises(method, pattern, ...)
      local call = assert(load("local p = ...; p:" .. method .. "(select(2, ...))"))
      return helper.raises("p:" .. method, pattern:gsub("METHOD", method), call, p, ...)
    end

    it("for events that are none", function()
      for _, method in ipairs { "add", "modify" } do
        for _, events in ipairs { "", "x", "wr", "rr", "R", "r\0", "rw ", 1, 5.5, {}, true, a } do
          raises(method, "bad argument #2 to 'METHOD' %(", a, events)
        end
        raises(method, "bad argument #2 to 'METHOD' %(string expected, got no value%)", a)
      end
      assert.same({}, ready(p))
    end)

    it("for what has no descriptor", function()
      for _, method in ipairs { "add", "modify", "remove" } do
        for _, what in ipairs { true, "x", {}, print, socket.buffer(1), 1.5, -1, 2 ^ 31, math.maxinteger,
          nan, { fileno = 5 }, { fileno = function() return "x" end } } do
          raises(method, "", what, "r")
        end
        raises(method, "bad argument #1 to 'METHOD'", nil, "r")
        raises(method, "from within", { getfd = function() error "from within" end }, "r")
      end
      assert.same({}, ready(p))
    end)

    it("for a timeout that is negative or no number", function()
      for _, timeout in ipairs { -1, -0.001, -inf, nan, math.mininteger, "x", {}, false, a } do
        raises("wait", "bad argument #1 to 'METHOD'", timeout)
      end
    end)

    it("for methods of something else", function()
      for name, method in pairs(getmetatable(p).__index) do
        for _, what in ipairs { a, io.stdout, {}, 5, "x" } do
          helper.raises("p:" .. name, "poller expected", method, what, "r")
        end
        assert.is_false(pcall(method))
      end
      local iterator = p:wait(0)
      for _, what in ipairs { a, io.stdout, {}, 5 } do
        assert.is_false(pcall(iterator, what))
      end
      assert.is_false(pcall(iterator))
      for _, name in ipairs { "__gc", "__close", "__tostring" } do
        assert.is_false(pcall(getmetatable(p)[name], io.stdout))
      end
    end)
  end)

  it("is not misled by a fileno that changes it", function()
    local dups = {}
    local busy = { fileno = function()
      while #dups < 16 do -- places are made in sixteens
        dups[#dups + 1] = assert(b:dup())
        assert(p:add(dups[#dups], "r"))
      end
      return a:fileno()
    end }
    assert(p:add(busy, "w"))
    assert.same({ [busy] = "w" }, ready(p))
    for _, s in ipairs(dups) do s:close() end
    helper.fails("p:modify", "ENOENT", p:modify({ fileno = function()
      p:remove(a)
      return a:fileno()
    end }, "r"))
  end)

  it("chains", function()
    assert.equal(p, p:add(a, "r"))
    assert.equal(p, p:modify(a, "w"))
    assert.equal(p, p:remove(a))
  end)

  it("has a name, and tells how it is", function()
    assert.equal("poller", getmetatable(p).__name)
    assert(p:add(a, "r"):add(b, "r"))
    assert.match("^poller %(.*2 added%)$", tostring(p))
    b:close()
    assert.match("^poller %(.*1 added%)$", tostring(p))
    p:remove(a)
    assert.match("^poller %(.*0 added%)$", tostring(p))
    p:close()
    assert.equal("poller (closed)", tostring(p))
  end)

  it("is closed by <close>", function()
    local kept
    do
      local q <close> = assert(socket.poller())
      kept = q
      assert(q:add(a, "w"))
    end
    helper.fails("p:wait", "EBADF", kept:wait(0))
  end)

  it("is closed by the collector", function()
    assert(socket.poller():add(a, "w"))
    helper.collects()
  end)

  if described then
    it("has a descriptor that no child inherits", function()
      local fd = p:fileno()
      assert.equal("integer", math.type(fd))
      assert.is_nil(os.execute("exec 2>/dev/null; : <&" .. fd))
    end)
  end

  it("is interrupted by Ctrl-C #process", function()
    local output, status = process.interrupted(helper.saved [[
      local socket = require "bsdsocket"
      local a, b = assert(socket.socketpair())
      local p = assert(socket.poller():add(a, "r", "data"))
      io.stdout:setvbuf "no"
      print(pcall(function()
        print "now"
        return p:wait(10)
      end))
      b:send "x"
      for what, events in p:wait() do print(what, events) end
    ]])
    assert.same({ "false\tinterrupted!\ndata\tr\n", 0 }, { output, status })
  end)

  describe("in another process #process", function()
    it("takes thousands", function()
      local output, status = process.confined(4096, [[
        local p, all = assert(socket.poller()), {}
        for i = 1, 1900 do
          local a, b = assert(socket.socketpair())
          all[i] = { a, b }
          assert(p:add(a, "r", i)):add(b, "r", -i)
        end
        for _ in p:wait(0) do error "ready?" end
        for i = 1, 1900 do assert(all[i][2]:send "x") end
        local found, count = {}, 0
        while count < 1900 do
          for i, events in p:wait() do
            assert(events == "r" and not found[i] and all[i][1]:recv() == "x")
            found[i], count = true, count + 1
          end
        end
        for _ in p:wait(0) do error "ready?" end
      ]])
      assert.same({ "", 0 }, { output, status })
    end)

    it("reaches all that are ready, however many are", function()
      local output, status = process.confined(4096, [[
        local p, all, found, count = assert(socket.poller()), {}, {}, 0
        for i = 1, 1500 do
          all[i] = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
          assert(p:add(all[i], "w", i))
        end
        for round = 1, 20 do
          for i in p:wait() do
            if not found[i] then count = count + 1 end
            found[i] = true
          end
        end
        assert(count == 1500, count)
      ]])
      assert.same({ "", 0 }, { output, status })
    end)

    if described then
      it("collects garbage when descriptors run out", function()
        assert.same({ "", 0 }, { process.confined(30, [[
          collectgarbage "stop"
          for _ = 1, 100 do assert(socket.poller()) end
        ]]) })
      end)

      it("fails with EMFILE when there is no garbage", function()
        local code = [[
          local s, all = socket.socket(), {}
          while s do s, all[s] = socket.socket(), true end
          print(socket.poller())
        ]]
        local message, name = process.confined(30, code):match "^nil\t(.-)\t(.-)\n$"
        assert.equal("poller: " .. socket.strerror "EMFILE",
          (helper.fails("socket.poller", "EMFILE", nil, message, name)))
      end)
    end

    it("is not misled by finalizers that change it", function()
      local code = [[
        local p, a, b = assert(socket.poller()), socket.socketpair()
        local added, finalized, again = {}, 0, true
        local function add()
          local s = assert(a:dup())
          added[#added + 1] = s
          assert(p:add(s, "w", s))
        end
        local function renew()
          setmetatable({}, { __gc = function()
            finalized = finalized + 1
            for _ = 1, #added < 200 and (MANY) or 0 do add() end
            if again then renew() end
          end })
        end
        renew()
]] .. helper.EAGER .. [[
        collectgarbage()
        for _ = 1, 200 do add() end
        again = false
        collectgarbage()
        local found = {}
        for _ = 1, 5 do
          for s in p:wait(0) do found[s] = true end
        end
        for _, s in ipairs(added) do
          assert(found[s])
          assert(p:remove(s))
        end
        for _ in p:wait(0) do error "ready?" end
        assert(finalized > 100 and #added > 300, finalized)
      ]]
      for _, many in ipairs { "1", "16", "({ 8, 8, 100 })[finalized] or 1" } do -- places are made in sixteens
        assert.same({ "", 0 }, { process.confined(500, (code:gsub("MANY", many))) })
      end
    end)

    it("may be closed by a finalizer while it grows", function()
      assert.same({ "", 0 }, { process.confined(100, [[
        local p, a = assert(socket.poller()), (socket.socketpair())
        local all = {}
        for i = 1, 17 do all[i] = assert(a:dup()) end
        for i = 1, 16 do assert(p:add(all[i], "w")) end
]] .. helper.EAGER .. [[
        collectgarbage()
        setmetatable({}, { __gc = function() p:close() end })
        local _, _, code = p:add(all[17], "w")
        assert(code == "EBADF" and tostring(p) == "poller (closed)")
      ]]) })
    end)

    it("ends in any order with its sockets", function()
      for _, order in ipairs { "p = socket.poller(); a, b = socket.socketpair()",
        "a, b = socket.socketpair(); p = socket.poller()" } do
        for _, ending in ipairs { "", "os.exit(true, true)", "p = nil; collectgarbage()",
          "a, b = nil, nil; collectgarbage()", "p, a, b = nil, nil, nil; collectgarbage()",
          "setmetatable({}, { __gc = function() p:add(a, 'w'); p:wait(0); b:close() end })" } do
          assert.same({ "", 0 }, { process.confined(64, order .. [[
            q = socket.poller()
            assert(p:add(a, "r"):add(b, "rw", { p, a, b, q }))
            assert(q:add(a, "w"):add(b, "rw", p))
            for _ in p:wait(0) do end
          ]] .. ending) })
        end
      end
    end)
  end)
end)
