-- close with SO_LINGER: nobody waits but who closes by hand, and everything arrives.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.helper"
local net = require "spec.net"
local tasks = require "spec.tasks"

after_each(net.close)

local LONG <const> = 30 -- seconds that nobody is to wait

local function isopen(fd) return (select(3, socket.select({ fd }, nil, 0))) ~= "EBADF" end

--- A helper thread has closed them.
local function gone(fds)
  for _, fd in ipairs(fds) do
    for _ = 1, 5000 do
      if not isopen(fd) then break end
      socket.select(nil, nil, 0.001)
    end
    assert.is_false(isopen(fd))
  end
end

--- Where a socket with SO_LINGER comes from: gives it, and its peer.
local function connected(prepare)
  local l <close> = net.listener()
  if prepare then prepare(l) end
  local peer = net.keep(assert(socket.connect(l:getsockname())))
  return assert(l:accept()), peer
end

local origins = {
  { "of one's own", function(seconds)
    local s, peer = connected()
    return assert(s:setsockopt("SO_LINGER", seconds)), peer
  end },
  { "by raw bytes", function(seconds)
    local s, peer = connected()
    return assert(s:setsockopt("SOL_SOCKET", "SO_LINGER", string.pack("ii", 1, seconds))), peer
  end },
  { "that accept gave", function(seconds)
    return connected(function(l) assert(l:setsockopt("SO_LINGER", seconds)) end)
  end },
  { "that was adopted", function(seconds)
    local s, peer = connected()
    assert(s:setsockopt("SO_LINGER", seconds))
    return assert(socket.fromfd((s:detach()))), peer
  end },
  { "that accept of an adopted listener gave", function(seconds)
    local l = net.listener()
    assert(l:setsockopt("SO_LINGER", seconds))
    local same <close> = assert(socket.fromfd((l:detach())))
    local peer = net.keep(assert(socket.connect(same:getsockname())))
    return assert(same:accept()), peer
  end },
  { "the twin of which set it", function(seconds)
    local s, peer = connected()
    local twin <close> = assert(s:dup())
    assert(twin:setsockopt("SO_LINGER", seconds))
    return s, peer
  end },
}

--- A full one in a box, its only reference; its peer, its number and how much is on its way.
local function full(origin, seconds)
  local s, peer = origin[2](seconds)
  return { s }, peer, s:fileno(), net.fill(s)
end

--- Reads all that comes; gives how much.
local function drain(peer)
  local n = 0
  for data in peer:chunks() do n = n + #data end
  return n
end

--- Ways to close it in a task in which nobody waits, whatever the time.
local ways = {
  { "the collector", function(box)
    box[1] = nil
    collectgarbage()
    collectgarbage()
  end },
  { "a cancel", function(box)
    local task = loop.spawn(function()
      local _ <close> = box[1]
      loop.sleep(60)
    end)
    tasks.settle()
    assert.is_true(task:cancel())
  end },
  { "s:close() in table.sort", function(box)
    table.sort({ 1, 2 }, function(a, b)
      box[1]:close()
      return a < b
    end)
  end },
  { "s:close() in a coroutine of the program's own", function(box)
    assert.is_true(coroutine.wrap(function() return box[1]:close() end)())
  end },
  { "s:close() under timeout 0", function(box) assert.is_true(box[1]:settimeout(0):close()) end },
  { "s:close() by a finalizer", function(box)
    setmetatable({}, { __gc = function() box[1]:close() end })
    collectgarbage()
    collectgarbage()
  end },
  { "s:close() under a scope's timeout", function(box) loop.timeout(0.01, box[1].close, box[1]) end },
}

for _, origin in ipairs(origins) do
  describe("with SO_LINGER, of a socket " .. origin[1], function()
    for _, way in ipairs(ways) do
      it(way[1] .. " in a task stops nobody, and all arrives", function()
        local box, peer, fd, n = full(origin, LONG)
        tasks.run(function()
          net.atonce(way[2], box)
          assert.is_true(not box[1] or box[1]:fileno() == nil)
        end)
        assert.equal(n, drain(peer))
        gone { fd }
      end)
    end

    it("s:close() in a task waits for so long, and the others run", function()
      local box, peer, fd, n = full(origin, 1)
      tasks.run(function()
        local ticks = tasks.ticks(0.01)
        local start = socket.monotime()
        assert.is_true(box[1]:close())
        local took = socket.monotime() - start
        assert.is_true(took > 0.9 and took < 10, took)
        assert.is_true(ticks.n > 20, ticks.n)
        ticks.cancel()
      end)
      assert.is_false(isopen(fd))
      assert.equal(n, drain(peer))
    end)

    it("s:close() in a task waits until all has arrived", function()
      local box, peer, fd, n = full(origin, LONG)
      local got
      tasks.run(function()
        local reader = loop.spawn(function()
          loop.sleep(0.02)
          got = drain(peer)
        end)
        net.sometime(function() -- acknowledged at once, or some 40 ms later
          local start = socket.monotime()
          assert.is_true(box[1]:close())
          return socket.monotime() - start < LONG / 2
        end)
        tasks.join(reader)
      end)
      assert.equal(n, got)
      assert.is_false(isopen(fd))
    end)
  end)
end

describe("with SO_LINGER", function()
  local own = origins[1]

  it("whoever waits for the socket, and every poller, is left before", function()
    local box, peer, fd = full(own, LONG)
    local p <close> = assert(socket.poller())
    assert(p:add(box[1], "r"))
    tasks.run(function()
      local s = box[1]
      local reader = loop.spawn(function() return s:recv() end)
      local closer = loop.spawn(function() return s:close() end)
      tasks.settle()
      helper.fails("s:recv", "EBADF", tasks.join(reader))
      assert.is_nil(s:fileno())
      assert.is_true(s:close()) -- again is harmless, and waits for nobody
      helper.fails("s:send", "EBADF", s:send "x")
      assert.match(", 0 added", tostring(p))
      net.reset(peer)
      assert.is_true(tasks.join(closer))
    end)
    gone { fd }
  end)

  it("<close> in a task waits as s:close() does", function()
    local box, peer, fd = full(own, 1)
    tasks.run(function()
      local ticks = tasks.ticks(0.01)
      local start = socket.monotime()
      do local _ <close> = box[1] end
      assert.is_true(socket.monotime() - start > 0.9)
      assert.is_true(ticks.n > 20)
      ticks.cancel()
    end)
    assert.is_false(isopen(fd))
    net.reset(peer)
  end)

  it("what is not flushed goes out before", function()
    local s, peer = own[2](LONG)
    s:setvbuf "full"
    s:write "hello"
    local got
    tasks.run(function()
      local reader = loop.spawn(function() got = peer:read "a" end)
      assert.is_true(s:close())
      tasks.join(reader)
    end)
    assert.equal("hello", got)
  end)

  it("in a plain script s:close() waits, as POSIX has it, or to the end of its timeout", function()
    local box, peer, fd = full(own, 1)
    local start = socket.monotime()
    assert.is_true(box[1]:close())
    assert.is_true(socket.monotime() - start > 0.9)
    assert.is_false(isopen(fd))
    net.reset(peer)
    for _, seconds in ipairs { 0.02, 0 } do
      box, peer, fd = full(own, LONG)
      box[1]:settimeout(seconds, "w")
      start = socket.monotime()
      assert.is_true(box[1]:close())
      local took = socket.monotime() - start
      assert.is_true(took >= seconds and took < LONG / 2, took)
      net.reset(peer)
      gone { fd }
    end
  end)

  it("in a plain script the collector waits for nobody", function()
    local box, peer, fd = full(own, LONG)
    net.atonce(ways[1][2], box)
    net.reset(peer)
    gone { fd }
  end)

  it("0 breaks the connection off at once, and a unix socket does not wait", function()
    local s, peer = own[2](0)
    net.fill(s)
    tasks.run(function() net.atonce(s.close, s) end)
    local data, code
    repeat data, _, code = peer:recv() until not data or data == "" -- luacheck: ignore
    assert.equal("ECONNRESET", code)
    local a = net.pair()
    a:setsockopt("SO_LINGER", LONG)
    net.fill(a)
    tasks.run(function() net.atonce(a.close, a) end)
  end)

  it("many at once hold up no look-up", function()
    local boxes, peers, fds = {}, {}, {}
    for i = 1, 20 do boxes[i], peers[i], fds[i] = full(own, LONG) end
    tasks.run(function()
      for _, box in ipairs(boxes) do ways[1][2](box) end
      assert(socket.getaddrinfo("localhost", 80, { timeout = 10 }))
    end)
    for _, peer in ipairs(peers) do net.reset(peer) end
    gone(fds)
  end)

  it("under another scheduler only the coroutine that closes waits", function()
    local box, peer, fd = full(own, LONG)
    local asked = 0
    socket.setwaiter(function(object, events)
      asked = asked + 1
      return coroutine.yield(object, events)
    end)
    local _ <close> = setmetatable({}, { __close = function() socket.setwaiter(nil) end })
    local result
    local co = coroutine.create(function() result = box[1]:close() end)
    local ok, object, events = coroutine.resume(co)
    assert.is_true(ok)
    assert.equal("r", events)
    assert.is_nil(result)
    net.reset(peer)
    while coroutine.status(co) == "suspended" do
      socket.select({ object }, nil)
      assert(coroutine.resume(co, true))
    end
    assert.is_true(result)
    assert.is_true(asked > 0)
    gone { fd }
    -- and where it cannot be suspended, nobody does
    box, peer, fd = full(own, LONG)
    net.atonce(box[1].close, box[1])
    net.reset(peer)
    gone { fd }
  end)

  it("the end of the program waits for nobody #process", function()
    local code = [[
      local l = socket.listen("127.0.0.1", 0)
      local c = socket.connect(l:getsockname())
      local s = l:accept()
      s:setsockopt("SO_LINGER", 60)
      s:settimeout(0)
      while s:send(("x"):rep(65536)) do end
    ]]
    for _, ending in ipairs {
      "", "os.exit(true, true)", "os.exit(true)", "s = nil collectgarbage()", "s:close()",
      "require 'bsdsocket.loop'.run(function() s = nil collectgarbage() end)",
      "s:settimeout(0.01) s:close()",
    } do
      local start = socket.monotime()
      assert.same({ "", 0 }, { helper.lua(helper.saved("local socket = require 'bsdsocket'\n", code, ending)) })
      assert.is_true(socket.monotime() - start < 30, ending)
    end
  end)
end)
