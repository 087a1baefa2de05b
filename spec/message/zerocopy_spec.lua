-- MSG_ZEROCOPY: what was given to the kernel stays as it is until the kernel has done with it.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local messages = require "spec.support.messages"
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

after_each(net.close)

local SIZE <const>, COUNT <const> = 24000, 6 -- what a socket takes though its peer takes nothing

--- Switches it on; skips where that cannot be had.
local function zerocopy(s)
  if not socket.MSG_ZEROCOPY or not s:setsockopt("SO_ZEROCOPY", true) then
    helper.skip "this system has no MSG_ZEROCOPY"
  end
  return s
end

--- A connection whose first end sends: the second takes next to nothing before it is read from.
local function narrow()
  local listener = net.keep(assert(socket.socket()))
  assert(listener:setsockopt("SO_RCVBUF", 8192))
  assert(listener:setsockopt("TCP_MAXSEG", 1000)) -- else it takes its time to fill so small a window
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen())
  local sender = net.keep(assert(socket.socket()))
  assert(sender:setsockopt("SO_SNDBUF", 1 << 20))
  assert(sender:connect(listener:getsockname()))
  local receiver = net.keep((assert(listener:accept())))
  receiver:settimeout(10)
  return zerocopy(sender), receiver
end

local function text() return ("A"):rep(SIZE) end
local function buffer() return (socket.buffer(SIZE):set(1, text())) end
local function pieces()
  return {("A"):rep(SIZE // 4), socket.buffer(SIZE // 4):set(1, ("A"):rep(SIZE // 4)), ("A"):rep(SIZE // 2)}
end

--- Calls that send SIZE bytes that nobody else has, COUNT times.
local calls = {
  {"send", function(s) return s:send(text(), "MSG_ZEROCOPY") end},
  {"send of a buffer", function(s) return s:send(buffer(), "MSG_ZEROCOPY") end},
  {"send of a part", function(s) return s:send(("B" .. text() .. "B"), "MSG_ZEROCOPY", 2, -2) end},
  {"sendall", function(s) return s:sendall(text(), "MSG_ZEROCOPY") end},
  {"sendall of a buffer", function(s) return s:sendall(buffer(), "MSG_ZEROCOPY") end},
  {"sendto", function(s) return s:sendto(text(), s:getpeername(), "MSG_ZEROCOPY") end},
  {"sendmsg", function(s) return s:sendmsg{data = text(), flags = "MSG_ZEROCOPY"} end},
  {"sendmsg of pieces", function(s) return s:sendmsg{data = pieces(), flags = "MSG_ZEROCOPY"} end},
  {"sendmmsg", function(s) return s:sendmmsg({text()}, "MSG_ZEROCOPY") and SIZE end},
  {"sendmmsg of pieces", function(s) return s:sendmmsg{{data = pieces(), flags = "MSG_ZEROCOPY"}} and SIZE end},
}

local drivers = {
  {"plainly", nil, function(f) f() end},
  {"under a timeout", 5, function(f) f() end},
  {"under timeout 0", 0, function(f) f() end},
  {"in a task", nil, function(f) tasks.run(f) end},
  {"in a loop.wrap", nil, function(f) tasks.run(function() loop.wrap(f)() end) end},
  {"under another scheduler", 5, function(f)
    socket.setwaiter(function() return nil end)
    local ok, message = pcall(coroutine.wrap(f))
    socket.setwaiter(nil)
    assert(ok, message)
  end},
}

--- Other strings and buffers take all memory that is free.
local function reuse()
  collectgarbage()
  collectgarbage()
  local other = {}
  for i = 1, 60 do
    other[i] = ("S"):rep(SIZE)
    other[-i] = ("S"):rep(SIZE // 2 + i)
    other[i + 0.5] = ("S"):rep(SIZE // 4 + i)
  end
  return other
end

local function arrives(receiver, n, what)
  local data = assert(receiver:read(n))
  assert.same({n, 0}, {#data, select(2, data:gsub("[^A]", ""))}, what)
end

--- How many notices the error queue has: of how many messages they tell.
local function notices(s)
  local n, flags = 0, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
  repeat
    local m = s:recvmsg(1, {flags = flags})
    for _, c in ipairs(m and m.control or {}) do
      local value = c.value
      if value and value.origin == socket.SO_EE_ORIGIN_ZEROCOPY then n = n + value.data - value.info + 1 end
    end
  until not m
  return n
end

describe("MSG_ZEROCOPY", function()
  it("sends what was given and nothing else, whatever becomes of it in the program", function()
    for _, call in ipairs(calls) do
      for _, driver in ipairs(drivers) do
        local what = call[1] .. " " .. driver[1]
        local sender, receiver = narrow()
        sender:settimeout(driver[2])
        driver[3](function()
          for _ = 1, COUNT do assert.equal(SIZE, (assert(call[2](sender))), what) end
        end)
        local other = reuse()
        arrives(receiver, COUNT * SIZE, what)
        assert(other)
        net.close()
      end
    end
  end)

  it("sends it, too, where the call waits in between", function()
    for _, call in ipairs {calls[4], calls[5], calls[9], calls[10]} do
      local sender, receiver = narrow()
      tasks.run(function()
        local sending = loop.spawn(function()
          for _ = 1, 50 do assert.equal(SIZE, (assert(call[2](sender)))) end
        end)
        tasks.settle()
        reuse()
        for _ = 1, 50 do
          arrives(receiver, SIZE, call[1])
          collectgarbage()
        end
        tasks.join(sending)
      end)
      net.close()
    end
  end)

  it("keeps a buffer from being written to, until it is sent", function()
    for _, call in ipairs {"send", "sendall", "sendto", "sendmsg", "sendmmsg"} do
      local sender, receiver = narrow()
      local buf, a, b = buffer(), net.pair()
      if call == "sendto" then assert(sender:sendto(buf, sender:getpeername(), "MSG_ZEROCOPY"))
      elseif call == "sendmsg" then assert(sender:sendmsg{data = {"", buf}, flags = "MSG_ZEROCOPY"})
      elseif call == "sendmmsg" then assert(sender:sendmmsg({buf}, "MSG_ZEROCOPY"))
      else assert(sender[call](sender, buf, "MSG_ZEROCOPY")) end
      assert(b:send "hello")
      local busy = "into a buffer that is being sent (MSG_ZEROCOPY): " .. socket.strerror "EBUSY"
      assert.equal("set " .. busy, helper.fails("buf:set", "EBUSY", buf:set(1, "S")))
      assert.equal("recvinto " .. busy, helper.fails("s:recvinto", "EBUSY", a:recvinto(buf)))
      assert.equal("recvinto " .. busy, helper.fails("s:recvinto", "EBUSY", a:recvinto(buf, 5, SIZE - 4)))
      helper.fails("s:recvinto", "EBUSY", a:recvinto(buf, 5, 1, "MSG_WAITALL"))
      arrives(receiver, SIZE, call)
      assert.equal(buf, net.sometime(function() return buf:set(1, "S") == buf end) or buf:set(1, "S"))
      assert.equal(5, a:recvinto(buf)) -- no byte was lost
      assert.equal("hello", buf:sub(1, 5))
      net.close()
    end
  end)

  it("lets others write into other buffers meanwhile, and the buffer be read and sent", function()
    local sender, receiver = narrow()
    local buf, other = buffer(), socket.buffer(10)
    assert(sender:send(buf, "MSG_ZEROCOPY"))
    assert(other:set(1, "hello"))
    assert.equal("A", buf:sub(1, 1))
    assert.equal(SIZE, sender:send(buf, "MSG_ZEROCOPY"))
    assert.equal(SIZE, sender:send(buf))
    arrives(receiver, 3 * SIZE)
    net.sometime(function() return buf:set(1, "S") == buf end)
  end)

  it("needs SO_ZEROCOPY: without, the bytes are copied, and the buffer is free at once", function()
    local sender, receiver = narrow()
    assert(sender:setsockopt("SO_ZEROCOPY", false))
    local buf = buffer()
    assert(sender:send(buf, "MSG_ZEROCOPY"))
    assert(buf:set(1, ("S"):rep(SIZE)))
    arrives(receiver, SIZE)
    assert.equal(0, notices(sender))
  end)

  it("leaves the notices in the error queue to the program", function()
    local sender, receiver = narrow()
    for _ = 1, 3 do assert(sender:send(text(), "MSG_ZEROCOPY")) end
    arrives(receiver, 3 * SIZE)
    local n = 0
    net.sometime(function()
      n = n + notices(sender)
      return n == 3
    end)
    assert.equal(0, notices(sender))
  end)

  it("lets go of what a notice tells of, even while others are under way", function()
    local sender, receiver = narrow()
    local alive = setmetatable({}, {__mode = "k"})
    local function send()
      local buf = buffer()
      alive[buf] = true
      assert(sender:send(buf, "MSG_ZEROCOPY"))
    end
    local function count()
      collectgarbage()
      collectgarbage()
      local n = 0
      for _ in pairs(alive) do n = n + 1 end
      return n
    end
    for _ = 1, 4 do send() end
    assert.equal(4, count())
    assert.equal(0, notices(sender))
    assert.equal(4, count())
    arrives(receiver, 2 * SIZE)
    net.sometime(function()
      notices(sender)
      return count() <= 2
    end)
    assert.is_true(count() >= 1)
    arrives(receiver, 2 * SIZE)
    net.sometime(function()
      notices(sender)
      return count() == 0
    end)
  end)

  it("keeps no more than is under way, though nobody reads the notices", function()
    local sender, receiver = net.tcp()
    zerocopy(sender)
    local most = 0
    tasks.run(tasks.all, function()
      for _ = 1, 100 do
        assert.equal(1 << 20, sender:sendall(("A"):rep(1 << 20), "MSG_ZEROCOPY"))
        collectgarbage()
        most = math.max(most, collectgarbage "count")
      end
      sender:close()
    end, function()
      local total = 0
      for data in receiver:chunks(1 << 18) do total = total + #data end
      assert.equal(100 << 20, total)
    end)
    assert.is_true(most < 50 << 10, most)
  end)

  it("lets go of all when the socket is closed, by hand or by the collector", function()
    for _, how in ipairs {"close", "detach", "collector"} do
      local sender, receiver = narrow()
      local buf = buffer()
      if how == "collector" then
        sender:close()
        local s = zerocopy(assert(socket.connect(net.listener():getsockname())))
        assert(s:send(buf, "MSG_ZEROCOPY"))
        s = nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
      else
        assert(sender:send(buf, "MSG_ZEROCOPY"))
        helper.fails("buf:set", "EBUSY", buf:set(1, "S"))
        local fd = sender[how](sender)
        if how == "detach" then assert(socket.fromfd(fd)):close() end
      end
      assert(receiver)
      assert.equal(buf, buf:set(1, "A"))
      net.close()
    end
  end)

  it("keeps a buffer that a cancelled call had begun to send", function()
    local sender, receiver = narrow()
    local buf = socket.buffer(4 << 20)
    assert(buf:set(1, ("A"):rep(4 << 20)))
    tasks.run(function()
      local task = loop.spawn(function() sender:sendall(buf, "MSG_ZEROCOPY") end)
      tasks.settle()
      helper.fails("buf:set", "EBUSY", buf:set(1, "S"))
      assert.is_true(task:cancel())
    end)
    helper.fails("buf:set", "EBUSY", buf:set(1, "S"))
    sender:shutdown "SHUT_WR"
    local data = assert(receiver:read "a")
    assert.is_true(#data > 0)
    assert.is_nil(data:find("[^A]"))
    net.sometime(function() return buf:set(1, "S") == buf end)
  end)

  it("works over a description that others share", function()
    local sender, receiver = narrow()
    local twin = net.keep(assert(sender:dup()))
    local buf = buffer()
    assert(twin:send(text(), "MSG_ZEROCOPY")) -- the notices count this one, too
    assert(sender:send(buf, "MSG_ZEROCOPY"))
    assert.equal(0, notices(sender))
    local other = reuse()
    helper.fails("buf:set", "EBUSY", buf:set(1, "S"))
    arrives(receiver, 2 * SIZE)
    assert(other)
    net.sometime(function() return buf:set(1, "S") == buf end)
  end)

  it("sends datagrams, and their buffers are free when they have gone", function()
    local a, b = messages.udp()
    zerocopy(a)
    local buf = socket.buffer(1000)
    assert(buf:set(1, ("A"):rep(1000)))
    assert.equal(1000, a:send(buf, "MSG_ZEROCOPY"))
    assert.equal(1000, a:sendto(buf, b:getsockname(), "MSG_ZEROCOPY"))
    assert.equal(1000, a:sendmsg{data = buf, flags = "MSG_ZEROCOPY"})
    assert.equal(3, a:sendmmsg({buf, "", buf}, "MSG_ZEROCOPY"))
    for i = 1, 6 do assert.equal(i == 5 and "" or ("A"):rep(1000), b:recv()) end
    local n = 0
    net.sometime(function()
      n = n + notices(a)
      return n == 6
    end)
    net.sometime(function() return buf:set(1, "S") == buf end)
  end)

  it("that fails gives the buffer back", function()
    local sender = narrow()
    local buf = buffer()
    assert(sender:shutdown "SHUT_WR")
    helper.fails("s:send", "EPIPE", sender:send(buf, "MSG_ZEROCOPY"))
    assert.equal(buf, buf:set(1, "S"))
    helper.raises("s:send", "number expected", sender.send, sender, buf, "MSG_ZEROCOPY", {})
    assert.equal(buf, buf:set(1, "S"))
    sender:close()
    helper.fails("s:send", "EBADF", sender:send(buf, "MSG_ZEROCOPY"))
    assert.equal(buf, buf:set(1, "S"))
  end)
end)
