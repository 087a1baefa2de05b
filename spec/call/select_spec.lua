-- socket.select: the readiness of a few descriptors.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"

local inf, nan = math.huge, 0 / 0

-- An object with `fileno` or `getfd`, as other libraries have them.
local function object(name, f)
  return { [name] = f }
end

describe("select", function()
  local a, b

  before_each(function() a, b = assert(socket.socketpair()) end)
  after_each(function()
    a:close()
    b:close()
  end)

  describe("answers", function()
    it("an array of what is readable and one of what is writable", function()
      assert(b:send "x")
      local readable, writable = assert(socket.select({ a, b }, { a, b }, 0))
      assert.same({ 1, 1, 2, 2 }, { #readable, readable[a], #writable, writable[b] })
      assert.equal(a, readable[1])
      assert.equal(nil, readable[b])
      assert.equal(a, writable[1])
      assert.equal(b, writable[2])
    end)

    it("with each entry as a key, too, that has its position", function()
      assert(a:send "x")
      local readable, writable = assert(socket.select({ a, b }, { b, a }, 0))
      assert.same({ b, [b] = 1 }, readable)
      assert.same({ b, a, [b] = 1, [a] = 2 }, writable)
    end)

    it("two empty arrays at the timeout", function()
      assert.same({ {}, {} }, { socket.select({ a, b }, {}, 0) })
      assert.same({ {}, {} }, { socket.select({ a, b }, nil, 0.001) })
    end)

    it("in the order of the lists", function()
      local list = {}
      for i = 20, 1, -1 do list[i] = assert(a:dup()) end
      local _, writable = socket.select(nil, list, 0)
      for _, s in ipairs(list) do s:close() end
      for i = 1, 20 do assert.equal(list[i], writable[i]) end
    end)

    it("an entry as often as it was listed", function()
      assert(b:send "x")
      local readable, writable = socket.select({ a, a, b }, { a, a }, 0)
      assert.same({ a, a, [a] = 2 }, readable)
      assert.same({ a, a, [a] = 2 }, writable)
    end)

    it("for one descriptor under several names", function()
      local readable, writable = socket.select({ a, a:fileno() }, { a:fileno() }, 0)
      assert.same({ {}, { a:fileno() } }, { readable, writable })
      assert(b:send "x")
      readable, writable = socket.select({ a, a:fileno() }, nil, 0)
      assert.same({ { a, a:fileno(), [a] = 1 }, {} }, { readable, writable })
    end)

    it("that a listening socket with a client is readable", function()
      local server <close> = assert(socket.socket())
      assert(server:bind("127.0.0.1", 0):listen())
      assert.same({}, (socket.select({ server }, nil, 0)))
      local client <close> = assert(socket.socket():connect(server:getsockname()))
      assert.same({ server, [server] = 1 }, (socket.select({ server }, { client }, 1)))
    end)

    it("that a socket whose peer closed is ready for what was asked", function()
      b:close()
      assert.same({ { a, [a] = 1 }, {} }, { socket.select({ a }, nil, 0) })
      assert.same({ {}, { a, [a] = 1 } }, { socket.select(nil, { a }, 0) })
    end)

    it("that a pipe whose other end is closed is ready for what was asked", function()
      for _, mode in ipairs { "r", "w" } do
        local pipe = assert(io.popen("exec <&- >&-", mode))
        for _ = 1, 2 do
          assert.same({ { pipe, [pipe] = 1 }, {} }, { socket.select({ pipe }) })
          assert.same({ {}, { pipe, [pipe] = 1 } }, { socket.select(nil, { pipe }) })
        end
        pipe:close()
      end
    end)

    it("rightly for any two descriptors", function()
      local all = {}
      for i = 1, 20 do all[i] = assert(a:dup()) end
      assert(a:send "x")
      for _, s in ipairs(all) do
        assert.same({ { b, [b] = 1 }, { s, [s] = 1 } }, { socket.select({ s, b }, { s }, 0) })
        assert.same({ { b, [b] = 1 }, {} }, { socket.select({ b, s }, {}, 0) })
      end
      for _, s in ipairs(all) do s:close() end
    end)

    it("that a refused connection is ready for what was asked", function()
      local server <close> = assert(socket.socket())
      local address = assert(server:bind("127.0.0.1", 0)):getsockname() -- and does not listen
      local client <close> = assert(socket.socket()):settimeout(0)
      client:connect(address)
      assert.same({ { client, [client] = 1 }, { client, [client] = 1 } },
        { socket.select({ client }, { client }, 1) })
    end)
  end)

  describe("takes", function()
    it("nil for a list", function()
      assert.same({ {}, { a, [a] = 1 } }, { socket.select(nil, { a }) })
      assert.same({ {}, {} }, { socket.select({ a }, nil, 0) })
      assert.same({ {}, {} }, { socket.select(nil, nil, 0) })
    end)

    it("integers, which are listed and are no keys", function()
      assert(b:send "x")
      assert.same({ { a:fileno() }, { b:fileno() } },
        { socket.select({ a:fileno(), b:fileno() }, { b:fileno() }) })
    end)

    it("Lua's files", function()
      local pipe = assert(io.popen "echo x")
      assert.same({ { pipe, [pipe] = 1 }, {} }, { socket.select({ pipe }) })
      pipe:close()
    end)

    it("objects with fileno or getfd", function()
      local x = object("fileno", function(self)
        self.asked = true
        return a:fileno()
      end)
      local y = object("getfd", function() return b:fileno() end)
      assert.same({ {}, { x, y, [x] = 1, [y] = 2 } }, { socket.select({ x, y }, { x, y }, 0) })
      assert.is_true(x.asked)
    end)

    it("a hundred thousand entries", function()
      local list = {}
      for i = 1, 100000 do list[i] = i % 2 == 0 and a or b end
      local readable, writable = assert(socket.select(list, list, 0))
      assert.same({ 0, 100000 }, { #readable, #writable })
    end)

    it("its own answers", function()
      local _, writable = socket.select(nil, { a, b }, 0)
      assert.same({ {}, writable }, { socket.select(nil, writable, 0) })
    end)

    it("every timeout that means for ever", function()
      for _, timeout in ipairs { inf, 1e300, 1e9, 2 ^ 63, math.maxinteger } do
        assert.same({ {}, { a, [a] = 1 } }, { socket.select({}, { a }, timeout) })
      end
      assert.same({ {}, { a, [a] = 1 } }, { socket.select({}, { a }, nil) })
    end)

    it("a timeout in digits, as all of Lua does", function()
      assert.same({ {}, {} }, { socket.select({ a }, {}, "0") })
    end)
  end)

  describe("waits", function()
    it("never shorter than it was told, and hardly longer", function()
      for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
        net.takes(seconds, function()
          assert.same({ {}, {} }, { socket.select({ a }, nil, seconds) })
        end)
      end
    end)

    it("for nothing, as a plain sleep", function()
      net.takes(0.01, function() assert.same({ {}, {} }, { socket.select(nil, nil, 0.01) }) end)
      net.takes(0.01, function() assert.same({ {}, {} }, { socket.select({}, {}, 0.01) }) end)
    end)

    it("not at all under timeout 0", function()
      net.takes(0, function() socket.select({ a }, nil, 0) end)
    end)

    it("for ever without a timeout, until something is ready", function()
      -- a pipe that stays silent until this process has seen that select waits is not to be had;
      -- so the shell takes its time
      local pipe = assert(io.popen "for i in 1 2 3 4 5 6 7 8 9; do :; done; exec echo x")
      local start = socket.monotime()
      assert.same({ { pipe, [pipe] = 1 }, {} }, { socket.select({ a, pipe }, nil, nil) })
      assert.is_true(socket.monotime() - start < 10)
      pipe:close()
    end)

    it("in a coroutine", function()
      net.takes(0.01, coroutine.wrap(function()
        for _ = 1, 5 do
          assert.same({ {}, {} }, { socket.select({ a }, nil, 0.01) })
          coroutine.yield()
        end
      end))
    end)
  end)

  describe("fails with EBADF for", function()
    --- The message says which entry it is.
    local function fails(which, ...)
      assert.equal(("select %s: Bad file descriptor"):format(which),
        (helper.fails("socket.select", "EBADF", socket.select(...))))
    end

    it("a closed socket in either list", function()
      b:close()
      fails("readers[1]", { b }, nil, 0)
      fails("readers[2]", { a, b }, nil, 0)
      fails("writers[1]", nil, { b })
      fails("writers[2]", {}, { a, b })
      fails("readers[3]", { a, a, b, b }, { b })
    end)

    it("a closed socket among ready ones", function()
      b:close()
      fails("readers[1]", { b }, { a }, 0)
      fails("writers[3]", { a }, { a, a, b }, 0)
    end)

    it("a closed file", function()
      local file = assert(io.open "/dev/null")
      file:close()
      fails("readers[1]", { file }, nil, 0)
    end)

    it("a number that is no open descriptor", function()
      fails("readers[1]", { 19999 }, nil, 0)
      fails("writers[1]", nil, { 2 ^ 31 - 1 }, 0)
      fails("readers[1]", { 19999 }, { a })
      fails("writers[2]", { a }, { a, 19999 })
    end)

    it("an object whose descriptor is nil or -1", function()
      fails("readers[1]", { object("fileno", function() end) }, nil, 0)
      fails("readers[2]", { a, object("getfd", function() return -1 end) }, nil, 0)
    end)

    it("a closed poller", function()
      local p = assert(socket.poller())
      if not p:fileno() then return end
      p:close()
      fails("readers[2]", { a, p }, nil, 0)
    end)

    --- What is closed while select waits: `wait` gets it, and gives what select said.
    local function meanwhile(wait)
      local p <close> = assert(socket.poller())
      local c, e = assert(socket.socketpair())
      local d, f = assert(socket.socketpair())
      local _ <close> = net.closing(c, d, e, f)
      local list = { c, d, p:fileno() and p }
      for i, s in ipairs(list) do
        local message, code = wait(s, { table.unpack(list) }, { i < 3 and s or nil })
        assert.equal("EBADF", code)
        assert.equal(("select readers[%d]: Bad file descriptor"):format(i), message)
        list[i] = a
      end
    end

    it("what another task closes meanwhile", function()
      tasks.run(function()
        meanwhile(function(s, readers)
          local waiter = loop.spawn(function() return select(2, socket.select(readers, nil, 10)) end)
          tasks.settle()
          assert(s:close())
          return tasks.join(waiter)
        end)
      end)
    end)

    it("what is closed meanwhile under another scheduler", function()
      meanwhile(function(s, readers)
        local woken = 0
        socket.setwaiter(function() return coroutine.yield() end, function() woken = woken + 1 end)
        local message, code
        local co = coroutine.create(function() message, code = select(2, socket.select(readers, nil, 10)) end)
        assert(coroutine.resume(co))
        assert(s:close())
        assert(coroutine.resume(co, true))
        socket.setwaiter(nil)
        if helper.engine() ~= "poll" then assert(woken > 0) end
        return message, code
      end)
    end)

    it("a socket that was closed while the lists were read", function()
      local c <close> = assert(a:dup())
      local file
      fails("readers[1]", { c, object("fileno", function()
        c:close()
        file = assert(io.open "/dev/null") -- has its descriptor now
        return a:fileno()
      end) }, nil, 0)
      file:close()
    end)
  end)

  describe("raises for", function()
    local function raises(pattern, ...)
      local list = table.pack(...)
      return helper.raises("socket.select", pattern, function()
        socket.select(table.unpack(list, 1, list.n))
      end)
    end

    it("a list that is no table", function()
      raises("bad argument #1 to 'select' %(table expected, got boolean%)", false)
      raises("bad argument #1 to 'select' %(table expected, got FILE%*%)", io.stdout)
      raises("bad argument #2 to 'select' %(table expected, got number%)", {}, 1)
      raises("bad argument #2", nil, "x")
    end)

    it("a timeout that is negative or no number", function()
      for _, timeout in ipairs { -1, -0.001, -inf, nan, math.mininteger, "x", {}, false, a } do
        raises("bad argument #3 to 'select'", {}, {}, timeout)
      end
    end)

    it("an entry that has no descriptor", function()
      for _, entry in ipairs { true, "x", {}, print, coroutine.create(print), socket.buffer(1), 1.5,
        -1, 2 ^ 31, 2 ^ 53, math.maxinteger, math.mininteger, nan, inf, object("fileno", 5) } do
        raises("", { entry }, nil, 0)
        raises("", nil, { a, entry }, 0)
      end
      raises("bad argument #1 to 'select'", { a, true }, { a }, 0)
      raises("bad argument #2 to 'select'", { a }, { a, true }, 0)
    end)

    it("a hole in a list", function()
      local list = { a, nil, b } -- (to Lua 5.5 it ends before the hole)
      if #list == 3 then raises("bad argument #1", list, nil, 0) end
    end)

    it("an object whose fileno gives nonsense, or raises", function()
      for _, nonsense in ipairs { "x", {}, true, 1.5, -2, 2 ^ 31, 2 ^ 63, nan } do
        raises("bad argument #1", { object("fileno", function() return nonsense end) }, nil, 0)
      end
      raises("from within", { object("getfd", function() error "from within" end) }, nil, 0)
    end)
  end)

  it("is not misled by a fileno that changes the lists", function()
    local list = {}
    for i = 1, 100 do list[i] = a end
    list[1] = object("fileno", function()
      for i = 1, 100 do list[i] = nil end
      collectgarbage()
      return a:fileno()
    end)
    local first = list[1]
    local _, writable = assert(socket.select(nil, list, 0))
    assert.same({ 100, first, a }, { #writable, writable[1], writable[100] })
  end)

  it("leaves its lists alone", function()
    local readers, writers = { a }, { b }
    socket.select(readers, writers, 0)
    assert.same({ { a }, { b } }, { readers, writers })
  end)

  it("is interrupted by Ctrl-C #process", function()
    local output, status = process.interrupted(helper.saved [[
      local socket = require "bsdsocket"
      local a, b = assert(socket.socketpair())
      io.stdout:setvbuf "no"
      print(pcall(function()
        print "now"
        return socket.select({ a }, nil, 10)
      end))
      b:send "x"
      print(#socket.select({ a }))
    ]])
    assert.same({ "false\tinterrupted!\n1\n", 0 }, { output, status })
  end)

  describe("in another process #process", function()
    it("knows descriptors above 1024", function()
      local output, status = process.confined(4096, [[
        local all = {}
        repeat
          local a, b = assert(socket.socketpair())
          all[#all + 1], all[#all + 2] = a, b
        until b:fileno() > 1500
        local a, b = all[#all - 1], all[#all]
        assert(b:send "x")
        local readable, writable = assert(socket.select({ a, b }, { b }))
        assert(#readable == 1 and readable[a] == 1 and #writable == 1 and writable[b] == 1)
        readable, writable = assert(socket.select(all, all, 0))
        assert(#readable == 1 and readable[1] == a and #writable == #all)
      ]])
      assert.same({ "", 0 }, { output, status })
    end)

    it("takes lists that are longer than there may be descriptors", function()
      assert.same({ "", 0 }, { process.confined(40, [[
        local list = {}
        for i = 1, 15 do
          local a, b = assert(socket.socketpair())
          list[#list + 1], list[#list + 2] = a, b
        end
        local readable, writable = assert(socket.select(list, list, 0))
        assert(#readable == 0 and #writable == 30)
      ]]) })
    end)
  end)
end)
