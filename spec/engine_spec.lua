-- csrc/base/engine.c by itself, as fault/engine.c makes it callable: what its users rely on and no method shows. Every
-- test runs over the system's best engine and over poll. What socket.poller makes of them is in poller_spec.lua.
local socket = require "bsdsocket"
local helper = require "spec.helper"
local net = require "spec.net"
local build = require "fault.build"

local READ, WRITE, URGENT, ERROR, HANGUP, LOST, EDGE, ONCE = 1, 2, 4, 8, 16, 32, 512, 1024
local NOMEMORY = -2 -- BS_ENOMEM

-- What waits tell: an array of {place, what}, in the order of places.
local function told(e, seconds)
  local list = {}
  assert.equal(0, e:wait(seconds or 0, function(i, what) list[#list + 1] = { i, what } end))
  table.sort(list, function(x, y) return x[1] < y[1] end)
  return list
end

-- `n` pairs: the numbers of those that have something to read, and the other ends.
local function readable(n)
  local fds, others = {}, {}
  for i = 1, n do
    local a, b = net.pair()
    b:send "x"
    fds[i], others[i] = a:fileno(), b
  end
  return fds, others
end

for _, flags in ipairs { "", "-DBS_ENGINE_POLL" } do
  describe("the engine" .. (flags == "" and "" or " poll"), function()
    local engine, e, a, b, fd

    before_each(function()
      engine = build("engine", flags) or helper.skip "no C compiler is here"
      e = engine.open()
      a, b = net.pair()
      fd = a:fileno()
    end)
    after_each(function()
      if e then e:close() end
      net.close()
    end)

    -- Says what somebody waits for, as users must with BS_EDGE.
    local function add(i, number, asked)
      assert.equal(0, e:add(i, number, asked))
      if asked & EDGE ~= 0 then e:needs(i, asked & (READ | WRITE | URGENT)) end
    end

    it("is poll where poll was asked for", function()
      if flags ~= "" then assert.equal("poll", engine.name) end
      assert.equal(engine.name ~= "poll", (e:state()) >= 0) -- its descriptor
    end)

    it("tells again and again while it lasts", function()
      add(0, fd, READ | WRITE)
      assert.same({ { 0, WRITE } }, told(e))
      b:send "x"
      for _ = 1, 3 do assert.same({ { 0, READ | WRITE } }, told(e)) end
      a:recv()
      assert.same({ { 0, WRITE } }, told(e))
    end)

    it("takes places in any order, and far apart", function()
      local fds = readable(3)
      add(1000, fds[1], READ)
      add(3, fds[2], READ)
      add(40, fds[3], READ)
      assert.same({ { 3, READ }, { 40, READ }, { 1000, READ } }, told(e))
    end)

    it("leaves a place for the next one", function()
      add(0, fd, WRITE)
      assert.equal(0, e:remove(0, fd))
      assert.same({}, told(e))
      b:send "x"
      add(0, fd, READ)
      assert.same({ { 0, READ } }, told(e))
    end)

    it("refuses what is there, and forgets what is not", function()
      add(0, fd, READ)
      assert.equal(socket.EEXIST, e:add(0, fd, READ))
      a:close()
      assert.equal(socket.EBADF, e:modify(0, fd, WRITE))
      assert.same({}, told(e))
    end)

    describe("disarms after one event", function()
      it("and is armed by modify", function()
        add(0, fd, READ | WRITE | ONCE)
        b:send "x"
        assert.equal(1, #told(e))
        assert.same({}, told(e))
        b:send "y"
        assert.same({}, told(e))
        assert.equal(0, e:modify(0, fd, READ | ONCE))
        assert.same({ { 0, READ } }, told(e))
        assert.same({}, told(e))
      end)

      it("even after a hang-up", function()
        add(0, fd, READ | ONCE)
        b:close()
        assert.equal(1, #told(e))
        assert.same({}, told(e))
      end)
    end)

    describe("with edges", function()
      it("tells only what somebody needs, or what is new", function()
        assert.equal(0, e:add(0, fd, READ | WRITE | EDGE))
        if engine.name == "poll" then assert.same({}, told(e)) end
        e:needs(0, READ | WRITE)
        assert.same({ { 0, WRITE } }, told(e))
        e:needs(0, READ)
        assert.same({}, told(e))
        b:send "x"
        local list = told(e)
        assert.equal(1, #list)
        assert.equal(READ, list[1][2] & READ)
        e:needs(0, 0)
        assert.same({}, told(e))
        e:needs(0, READ)
        b:send "y"
        assert.equal(READ, told(e)[1][2] & READ)
      end)

      it("tells nothing of a hang-up twice while nobody needs it", function()
        add(0, fd, READ | EDGE)
        b:close()
        assert.same({ { 0, READ | HANGUP } }, { { 0, told(e)[1][2] & (READ | HANGUP) } })
        e:needs(0, 0)
        for _ = 1, 3 do assert.same({}, told(e)) end
      end)

      it("tells again when modified", function()
        b:send "x"
        add(0, fd, READ | EDGE)
        assert.same({ { 0, READ } }, told(e))
        assert.equal(0, e:modify(0, fd, READ | EDGE))
        assert.same({ { 0, READ } }, told(e))
        e:needs(0, 0)
        if engine.name == "poll" then
          assert.equal(0, e:modify(0, fd, READ | EDGE))
          assert.same({}, told(e))
        end
      end)

      it("tells the peer's end together with its data", function()
        local client, server = net.tcp()
        add(0, server:fileno(), READ | WRITE | EDGE)
        told(e)
        client:send "x"
        client:shutdown "SHUT_WR"
        e:needs(0, READ)
        local seen = 0
        while seen & HANGUP == 0 do
          local list = told(e, 5)
          assert.equal(1, #list)
          seen = seen | list[1][2]
        end
        assert.equal(READ | HANGUP, seen & (READ | HANGUP))
      end)

      it("tells readers of urgent data, which cuts a read short", function()
        local client, server = net.tcp()
        add(0, server:fileno(), READ | EDGE)
        client:send("x!", "MSG_OOB")
        assert.equal(engine.name == "poll" and READ or READ | HANGUP, told(e, 5)[1][2] & (READ | HANGUP))
      end)
    end)

    it("tells urgent data", function()
      local client, server = net.tcp()
      add(0, server:fileno(), URGENT)
      client:send("!", "MSG_OOB")
      assert.same({ { 0, URGENT | HANGUP } }, told(e, 5))
    end)

    it("tells a plain arrival without a word of hang-up", function()
      local client, server = net.tcp()
      add(0, server:fileno(), READ | EDGE)
      client:send "x"
      assert.same({ { 0, READ } }, told(e, 5))
    end)

    it("tells errors as ready for everything, and as errors", function()
      local s = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
      assert(s:connect(net.nobody()))
      add(0, s:fileno(), READ)
      s:send "x"
      local list = told(e, 5)
      assert.equal(1, #list)
      assert.equal(READ | ERROR | HANGUP, list[1][2] & (READ | ERROR | HANGUP))
    end)

    describe("while it tells", function()
      it("keeps silent about those who were removed", function()
        local fds = readable(200)
        for i, number in ipairs(fds) do add(i, number, READ) end
        local count = 0
        e:wait(0, function(which)
          count = count + 1
          for i, number in ipairs(fds) do
            if i ~= which then assert.equal(0, e:remove(i, number)) end
          end
        end)
        assert.equal(1, count)
        assert.equal(1, #told(e))
      end)

      it("keeps silent about who has taken a place since", function()
        local fds, others = readable(20)
        for i, number in ipairs(fds) do add(i, number, READ) end
        local count = 0
        e:wait(0, function(which)
          count = count + 1
          for i, number in ipairs(fds) do
            if i ~= which then
              e:remove(i, number)
              add(i, others[i]:fileno(), READ)
            end
          end
        end)
        assert.equal(1, count)
        assert.equal(1, #told(e)) -- the newcomers have nothing to read
      end)

      it("tells nobody twice for the sake of one who was removed", function()
        local fds = readable(2)
        add(1, fds[1], READ | EDGE)
        add(2, fds[2], READ | EDGE)
        local first
        e:wait(0, function(which)
          first = which
          e:remove(3 - which, fds[3 - which])
          e:needs(which, 0)
        end)
        assert.truthy(first)
        assert.same({}, told(e))
      end)

      it("takes many more", function()
        local fds = readable(100)
        b:send "x"
        add(0, fd, READ)
        local list = {}
        e:wait(0, function(which)
          list[#list + 1] = which
          for i, number in ipairs(fds) do add(i, number, READ) end
        end)
        assert.same({ 0 }, list)
        assert.equal(101, #told(e))
      end)

      it("may be waited for again", function()
        for i, number in ipairs((readable(5))) do add(i, number, READ) end
        local inner = 0
        e:wait(0, function()
          if inner == 0 then
            e:wait(0, function() inner = inner + 1 end)
          end
        end)
        assert.equal(5, inner)
      end)

      it("may be closed", function()
        for i, number in ipairs((readable(20))) do add(i, number, READ) end
        local count = 0
        e:wait(0, function()
          count = count + 1
          e:close()
        end)
        assert.equal(1, count)
      end)
    end)

    it("is rid of what was closed while a twin of it lives", function()
      local twin = net.keep(assert(a:dup()))
      local fds = readable(1)
      add(0, fd, READ)
      add(1, fds[1], READ)
      b:send "x"
      a:close() -- nobody told the engine
      if engine.name == "poll" then -- which looks at the descriptor
        assert.same({ { 0, LOST }, { 1, READ } }, told(e))
      else
        assert.equal(socket.EBADF, e:remove(0, fd))
      end
      for _ = 1, 2 do assert.same({ { 1, READ } }, told(e)) end
      assert.equal(0, e:remove(1, fds[1]))
      local start = socket.monotime()
      assert.same({}, told(e, 0.02))
      assert.is_true(socket.monotime() - start >= 0.02)
      assert.equal("x", twin:recv())
    end)

    it("keeps time better than a millisecond, and is never early", function()
      local best = math.huge
      for _ = 1, 50 do
        local start = socket.monotime()
        told(e, 0.0003)
        local took = socket.monotime() - start
        assert.is_true(took >= 0.0003)
        best = math.min(best, took)
      end
      local _, coarse = e:state()
      if not coarse and not helper.instrumented then assert.is_true(best < 0.0009, tostring(best)) end
    end)

    it("knows in a child that it is not its own", function()
      local child, own = e:forked()
      assert.is_true(child)
      assert.is_false(own)
    end)

    it("goes on when there is no memory for one more place", function()
      local fds = readable(2)
      add(0, fds[1], READ)
      e:starve(true)
      assert.equal(NOMEMORY, e:add(1000, fds[2], READ))
      assert.same({ { 0, READ } }, told(e))
      e:starve(false)
      add(1000, fds[2], READ)
      assert.same({ { 0, READ }, { 1000, READ } }, told(e))
    end)

    it("may be closed twice", function()
      add(0, fd, READ)
      e:close()
      e:close()
      assert.equal(-1, (e:state()))
    end)
  end)
end
