-- Bytes that are at hand though no descriptor tells of them count as readable: in sockets of ours, in pollers that
-- these are in, in objects of other libraries that have a method `dirty`, and in Lua's files. Each of these is a row,
-- and each way of asking is one; they are tried together, in each way of waiting.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"

local DEEP = 3 -- pollers in each other: Linux takes five

---------------------------------------------------------------------------------------------------
-- What holds bytes. make() gives the object, hold(), which puts some there, and release(), which takes them away.

local holders = {}

local function held(name, make)
  holders[#holders + 1] = {name = name, make = make}
end

local function ahead(a, b)
  return a, function()
    assert(b:send "hello")
    assert(a:read(1) == "h")
  end, function() assert(a:recv() == "ello") end
end

held("a unix socket with bytes read ahead", function() return ahead(net.pair()) end)
held("a TCP socket with bytes read ahead", function() return ahead(net.tcp()) end)

--- What LuaSec and LuaSocket have, over a descriptor to which nothing comes.
local function foreign(name)
  local s = net.pair()
  local dirty = false
  local object = {dirty = function() return dirty end, [name] = function() return s:fileno() end}
  return object, function() dirty = true end, function() dirty = false end
end

held("an object with fileno whose dirty() is true", function() return foreign "fileno" end)
held("an object with getfd whose dirty() is true", function() return foreign "getfd" end)

held("a userdata of LuaSocket that has read ahead", function()
  local ok, luasocket = pcall(require, "socket")
  if not ok then helper.skip "LuaSocket for Lua 5.4 is not here" end
  local listener = net.keep(net.listener())
  local client = assert(luasocket.connect("127.0.0.1", listener:getsockname().port))
  net.keep({close = function() client:close() end})
  local server = net.keep(assert(listener:accept()))
  return client, function()
    server:send "hello"
    assert(client:receive(1) == "h")
  end, function() assert(client:receive(4) == "ello") end
end)

held("a Lua file with lines read ahead", function()
  local name = helper.tmpname()
  assert(os.execute("mkfifo " .. helper.quote(name)))
  local file, writer = net.keep(assert(io.open(name, "r+")), assert(io.open(name, "w")))
  return file, function()
    assert(writer:write "one\ntwo\n" and writer:flush())
    assert(file:read() == "one")
  end, function() assert(file:read() == "two") end
end)

--- A poller around `object`, DEEP times.
local function around(object, depth)
  for _ = 1, depth do
    local p = net.keep(assert(socket.poller()))
    assert(p:add(object, "r"))
    object = p
  end
  return object
end

if helper.engine() ~= "poll" then -- else a poller has no descriptor, and can be in nothing
  for i = 1, #holders do
    local row = holders[i]
    for _, depth in ipairs {1, DEEP} do
      held(("%d poller(s) around %s"):format(depth, row.name), function()
        local object, hold, release = row.make()
        return around(object, depth), hold, release
      end)
    end
  end
end

---------------------------------------------------------------------------------------------------
-- Who asks: f(object, events, timeout) gives what it is ready for, "" if nothing.

local askers = {}

function askers.select(object, events, timeout)
  local readers, writers = events:find "r" and {object} or {}, events:find "w" and {object} or {}
  local readable, writable = assert(socket.select(readers, writers, timeout))
  return (readable[object] and "r" or "") .. (writable[object] and "w" or "")
end

askers["loop.wait"] = function(object, events, timeout)
  local what, message, code = loop.wait(object, events, timeout)
  assert(what or code == "timeout", message)
  return what or ""
end

askers["a poller"] = function(object, events, timeout)
  local p <close> = assert(socket.poller())
  assert(p:add(object, events))
  local what = ""
  for _, letters in assert(p:wait(timeout)) do what = what .. letters end
  return what
end

askers["a poller that changes what is asked"] = function(object, events, timeout)
  local p <close> = assert(socket.poller())
  assert(p:add(object, "h"):modify(object, events))
  local what = ""
  for _, letters in assert(p:wait(timeout)) do what = what .. letters end
  return what
end

---------------------------------------------------------------------------------------------------
-- Where it is asked.

local drivers = {}

function drivers.plainly(f) f() end
drivers["in a task"] = function(f) tasks.run(f) end

drivers["in loop.wrap"] = function(f)
  tasks.run(function() loop.wrap(f)() end)
end

drivers["under another scheduler"] = function(f)
  socket.setwaiter(function(object, events, timeout)
    coroutine.yield()
    local set = {object:fileno()}
    return #assert(socket.select(events:find "r" and set, events:find "w" and set, timeout))[1] > 0
  end)
  local co = coroutine.create(f)
  repeat
    local ok, message = coroutine.resume(co)
    if not ok then
      socket.setwaiter(nil)
      error(debug.traceback(co, message), 0)
    end
  until coroutine.status(co) == "dead"
  socket.setwaiter(nil)
end

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return ipairs(names)
end

describe("held bytes", function()
  after_each(function()
    socket.setwaiter(nil)
    net.close()
  end)

  for _, driver in sorted(drivers) do
    for _, row in ipairs(holders) do
      for _, asker in sorted(askers) do
        it(("make %s readable to %s, %s"):format(row.name, asker, driver), function()
          local ask = askers[asker]
          local object, hold, release = row.make()
          assert.equal("", ask(object, "r", 0))
          hold()
          drivers[driver](function()
            for _, timeout in ipairs {0, 10, math.huge} do
              local what = ask(object, "r", timeout)
              assert.equal("r", what)
            end
            assert.equal(nil, ask(object, "w", 0):match "r")
            assert.equal("r", ask(object, "rw", 10):match "r")
          end)
          release()
          assert.equal("", ask(object, "r", 0))
        end)
      end
    end
  end
end)

---------------------------------------------------------------------------------------------------
-- Bytes that come to be held while somebody waits.

-- How somebody waits for a poller.
local waiters = {
  ["p:wait"] = function(p)
    local iterator, state = assert(p:wait(10))
    return iterator(state) ~= nil
  end,
  select = function(p)
    local other = net.pair()
    return assert(socket.select({other, p}, nil, 10))[p] ~= nil
  end,
  ["loop.wait"] = function(p) return loop.wait(p, "r", 10) == "r" end,
  ["p:wait of a poller around it"] = function(p)
    local q <close> = assert(socket.poller())
    assert(q:add(p, "r"))
    local iterator, state = assert(q:wait(10))
    return iterator(state) == p
  end,
}

-- What happens meanwhile; what it does before somebody waits, it gives a function for.
local events = {
  ["a read that reads ahead"] = function(p, a, b)
    assert(p:add(a, "r"))
    return function()
      assert(b:send "one\ntwo\n")
      assert(a:read() == "one")
    end
  end,
  ["p:add of a socket that has read ahead"] = function(p, a, b)
    assert(b:send "one\ntwo\n")
    assert(a:read() == "one")
    return function() assert(p:add(a, "r")) end
  end,
  ["p:modify of a socket that has read ahead"] = function(p, a, b)
    assert(b:send "one\ntwo\n")
    assert(a:read() == "one")
    assert(p:add(a, "h"))
    return function() assert(p:modify(a, "r")) end
  end,
  ["p:add of an object whose dirty() is true"] = function(p, a)
    return function()
      assert(p:add({fileno = function() return a:fileno() end, dirty = function() return true end}, "r"))
    end
  end,
  ["p:add of a poller with a socket that has read ahead"] = function(p, a, b)
    assert(b:send "one\ntwo\n")
    assert(a:read() == "one")
    local q = net.keep(assert(socket.poller()))
    assert(q:add(a, "r"))
    return function() assert(p:add(q, "r")) end
  end,
}

describe("who waits for a poller is woken", function()
  local p, a, b

  before_each(function()
    p = net.keep(assert(socket.poller()))
    a, b = net.pair()
  end)
  after_each(function()
    socket.setwaiter(nil)
    net.close()
  end)

  local nested = helper.engine() ~= "poll"
  for _, way in sorted(waiters) do
    for _, event in sorted(events) do
      if nested or way == "p:wait" and not event:find "of a poller" then
        it(("in %s by %s, in tasks"):format(way, event), function()
          tasks.run(function()
            local act = events[event](p, a, b)
            local waiter = loop.spawn(waiters[way], p)
            tasks.settle()
            local began = socket.monotime()
            act()
            assert.is_true(tasks.join(waiter))
            assert.is_true(socket.monotime() - began < 5)
          end)
        end)

        if way ~= "loop.wait" and nested then
          it(("in %s by %s, under another scheduler"):format(way, event), function()
            local waits, woken
            socket.setwaiter(function(object)
              waits = object
              return coroutine.yield()
            end, function(object) woken = woken or object == waits end)
            local act, result = events[event](p, a, b), nil
            local co = coroutine.create(function() result = waiters[way](p) end)
            assert(coroutine.resume(co))
            assert(waits)
            act()
            assert(coroutine.resume(co, true))
            assert.is_true(woken)
            assert.is_true(result)
          end)
        end
      end
    end
  end
end)

describe("an object's dirty()", function()
  local p, s, object, asked

  before_each(function()
    p, s, asked = net.keep(assert(socket.poller())), net.pair(), 0
    object = {fileno = function() return s:fileno() end, dirty = function()
      asked = asked + 1
      return true
    end}
  end)
  after_each(net.close)

  it("is asked before each wait, and nothing is of a socket of ours or of a number", function()
    assert(p:add(object, "r"))
    asked = 0
    for i = 1, 3 do
      assert(p:wait(0))
      assert.equal(i, asked)
    end
    assert(p:remove(object))
    assert(p:wait(0))
    assert.equal(3, asked)
  end)

  it("is not asked where nobody wants to read", function()
    assert(p:add(object, "w"))
    assert(p:wait(0))
    assert(socket.select(nil, {object}, 0))
    assert.equal("w", loop.wait(object, "w", 0))
    assert(p:modify(object, "wh"))
    assert(p:wait(0))
    assert.equal(0, asked)
  end)

  it("is that of the object that is there now", function()
    object.dirty = function() return false end
    assert(p:add(object, "r"))
    for _ in assert(p:wait(0)) do error "not ready" end
    object.dirty = function() return 1 end
    local found
    for what in assert(p:wait(0)) do found = what end
    assert.equal(object, found)
    object.dirty = nil
    for _ in assert(p:wait(0)) do error "not ready" end
  end)

  it("that raises is the error of whoever asked, and leaves everything as it was", function()
    assert(p:add(object, "r"))
    object.dirty = function() error("no idea", 0) end
    for _, f in ipairs {
      function() p:wait(0) end,
      function() socket.select({object}, nil, 0) end,
      function() loop.wait(object, "r", 0) end,
      function() p:modify(object, "r") end,
      function() assert(socket.poller()):add(object, "r") end,
    } do
      for _ = 1, 2 do
        local ok, err = pcall(f)
        assert.is_false(ok)
        assert.equal("no idea", err)
        ok, err = pcall(tasks.run, f)
        assert.is_false(ok)
        assert.equal("no idea", err)
      end
    end
    object.dirty = function() return true end
    for _, letters in assert(p:wait(0)) do assert.equal("r", letters) end
    assert(p:remove(object))
    helper.collects()
  end)

  it("may do anything with the poller that asks", function()
    local others = {}
    for i = 1, 20 do
      local t = net.pair()
      others[i] = {fileno = function() return t:fileno() end, dirty = function() return i % 2 == 0 end}
      assert(p:add(others[i], "r", i))
    end
    local function found()
      local list = {}
      for what in assert(p:wait(0)) do list[#list + 1] = what end
      table.sort(list)
      return table.concat(list, " ")
    end
    assert.equal("2 4 6 8 10 12 14 16 18 20", found())
    local extra = {}
    others[3].dirty = function() -- takes out itself and others, and puts in so many that the poller grows
      for i = 2, 8 do p:remove(others[i]) end
      for i = 1, 40 do
        extra[i] = {fileno = (net.pair()).fileno, dirty = function() return true end}
        local t = net.pair()
        extra[i].fileno = function() return t:fileno() end
        assert(p:add(extra[i], "r", 100 + i))
      end
    end
    assert(found():find "^10 12 14 16 18 20")
    for i = 1, 40 do assert(p:remove(extra[i])) end
    assert.equal("10 12 14 16 18 20", found())
    others[15].dirty = function()
      assert(p:wait(0)) -- it asks this one again
      others[15].dirty = nil
      return true
    end
    local deep = others[15].dirty
    others[15].dirty = function()
      others[15].dirty = function() return true end
      return deep()
    end
    assert.equal("10 12 14 16 18 20", (found():gsub("15 ", "")))
    others[12].dirty = function() p:close() return true end
    helper.fails("p:wait", "EBADF", p:wait(0))
  end)

  it("may close the object", function()
    assert(p:add(object, "r"))
    object.dirty = function()
      s:close()
      return true
    end
    assert(p:wait(0))
    helper.fails("socket.select", "EBADF", socket.select({object}, nil, 0))
    helper.fails("loop.wait", "EBADF", loop.wait(object, "r", 0))
  end)

  if helper.engine() ~= "poll" then
    it("is asked once for each poller that the poller who asks has around it", function()
      local one, two = net.keep(assert(socket.poller()), assert(socket.poller()))
      assert(one:add(object, "r"))
      assert(two:add(object, "r"))
      assert(p:add(one, "r"):add(two, "r"))
      asked = 0
      local n = 0
      for _ in assert(p:wait(0)) do n = n + 1 end
      assert.equal(2, n)
      assert.equal(2, asked)
      object.dirty = function() -- takes out what is being asked, and lets it go
        if one then p:remove(one) end
        one = nil
        collectgarbage()
        return true
      end
      n = 0
      for _ in assert(p:wait(0)) do n = n + 1 end
      assert.equal(1, n)
    end)

    it("does not send anybody round in circles: pollers cannot be in each other both ways", function()
      local q = net.keep(assert(socket.poller()))
      assert(q:add(object, "r"))
      assert(p:add(q, "r"))
      helper.fails("p:add", "ELOOP", q:add(p, "r"))
      for _ in assert(p:wait(0)) do asked = asked + 1 end
      assert(asked > 0)
    end)
  end
end)
