-- Timeouts by direction: s:settimeout(seconds, "r") bounds what receives and accepts, "w" what sends and connects.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local waits = require "spec.support.waits"

after_each(waits.close)

local other = { r = "w", w = "r" }

--- For each row whose timeout is its socket's.
local function each(f)
  for _, row in ipairs(waits.rows) do
    if row.side then it(row.what and row.name .. " " .. row.what or row.name, function() f(row) end) end
  end
end

--- A coroutine under a scheduler that knows no more than how to wait for one.
local function underwaiter(f)
  local results
  socket.setwaiter(function(...) return coroutine.yield(...) end)
  local co = coroutine.create(function() results = table.pack(f()) end)
  local _ <close> = setmetatable({}, { __close = function() socket.setwaiter(nil) end })
  local ok, object, events, timeout = coroutine.resume(co)
  while ok and coroutine.status(co) == "suspended" do
    local r, w = assert(socket.select(events:find "r" and { object }, events:find "w" and { object }, timeout))
    ok, object, events, timeout = coroutine.resume(co, #r + #w > 0)
  end
  if not ok then error(object, 0) end
  return table.unpack(results, 1, results.n)
end

local drivers = {
  { "in a plain script", function(f) return f() end },
  { "in a task", function(f) return tasks.run(f) end },
  { "in loop.wrap", function(f) return tasks.run(function() return loop.wrap(f)() end) end },
  { "under another scheduler", underwaiter },
}

for _, driver in ipairs(drivers) do
  describe(driver[1] .. " a call gives up at the timeout of its own direction:", function()
    each(function(row)
      for _, seconds in ipairs { 0.01, 0 } do
        local c = row.prepare()
        c.limit(nil, other[row.side])
        c.limit(seconds, row.side)
        local function call()
          if seconds > 0 then return net.takes(seconds, c.call) end
          return net.atonce(c.call)
        end
        driver[2](function() waits.fails(row, seconds > 0 and "timeout" or c.now or "EAGAIN", call) end)
      end
    end)
  end)
end

describe("a call in a task waits on, whatever the timeout of the other direction:", function()
  each(function(row)
    for _, seconds in ipairs { 0.005, 0 } do
      local c = row.prepare()
      c.limit(seconds, other[row.side])
      tasks.run(function()
        local task = loop.spawn(function() c.check(c.call()) end)
        loop.sleep(0.015)
        local helping = c.act()
        tasks.join(task)
        if helping then helping:cancel() end
      end)
    end
  end)
end)

describe("in a plain script a call waits on, whatever the timeout of the other direction:", function()
  for _, seconds in ipairs { 0, 0.01, 0.3 } do
    it(("recv beside a sender's %g s"):format(seconds), function()
      local a = net.peer("socket.select(nil, nil, 0.05) s:send 'x' s:recv()")
      a:settimeout(seconds, "w")
      assert.equal("x", a:recv())
    end)

    it(("accept beside a sender's %g s"):format(seconds), function()
      local l = net.keep(assert(socket.listen("127.0.0.1", 0)))
      l:settimeout(seconds, "w")
      local child = net.child("socket.select(nil, nil, 0.05) local s = socket.connect('127.0.0.1', arg[1]) s:recv()",
        l:getsockname().port)
      net.keep(assert(l:accept())):close()
      child:close()
    end)

    it(("sendall beside a receiver's %g s"):format(seconds), function()
      local a = net.peer("socket.select(nil, nil, 0.05) repeat until s:recv() == ''")
      a:settimeout(seconds, "r")
      if seconds > 0 then helper.fails("s:recv", "timeout", a:recv()) end -- the kernel's own is set
      assert.equal(1 << 22, a:sendall(("x"):rep(1 << 22)))
    end)
  end
end)

it("a writer's timeout in one task leaves the reader in another alone", function()
  local a, b = net.pair()
  a:settimeout(0.02, "w")
  tasks.run(function()
    local reader = loop.spawn(function() return a:recv() end)
    helper.fails("s:sendall", "timeout", a:sendall(("x"):rep(1 << 24)))
    tasks.settle()
    b:send "hello"
    assert.equal("hello", tasks.join(reader))
  end)
end)

describe("what a receiving call sends before it waits counts in the receiver's timeout:", function()
  for _, how in ipairs { "r", "w" } do
    it(how, function()
      local a = net.pair()
      net.fill(a)
      a:setvbuf "full"
      a:write "x"
      a:settimeout(how == "r" and 0.01 or 60, "r")
      a:settimeout(how == "r" and 60 or 0, "w")
      if how == "w" then a:settimeout(0.01, "r") end
      helper.fails("s:recv", "timeout", net.takes(0.01, a.recv, a))
      a:settimeout(0)
    end)
  end
end)

describe("s:settimeout and s:gettimeout", function()
  local function both(s) return { s:gettimeout "r" or false, s:gettimeout "w" or false } end

  it("take one direction or both, and gettimeout() is the receiver's", function()
    local s <close> = assert(socket.socket())
    assert.same({ false, false }, both(s))
    assert.equal(s, s:settimeout(1, "r"))
    assert.same({ 1, false }, both(s))
    assert.equal(1, s:gettimeout())
    assert.equal(s, s:settimeout(2, "w"))
    assert.same({ 1, 2 }, both(s))
    assert.equal(1, s:gettimeout())
    assert.equal(s, s:settimeout(3, "rw"))
    assert.same({ 3, 3 }, both(s))
    assert.equal(s, s:settimeout(nil, "r"))
    assert.same({ false, 3 }, both(s))
    assert.is_nil(s:gettimeout())
    assert.equal(s, s:settimeout(math.huge, "w"))
    assert.same({ false, false }, both(s))
    assert.equal(s, s:settimeout(4, nil))
    assert.same({ 4, 4 }, both(s))
    assert.equal(s, s:settimeout())
    assert.same({ false, false }, both(s))
  end)

  it("raise for what is no direction, and change nothing", function()
    local s <close> = assert(socket.socket())
    s:settimeout(1)
    for _, value in ipairs { "", "x", "wr", "b", "t", "read", true, {}, s } do
      helper.raises("s:settimeout", "bad argument #2 to 'settimeout'", function() return s:settimeout(2, value) end)
      helper.raises("s:gettimeout", "bad argument #1 to 'gettimeout'", function() return s:gettimeout(value) end)
    end
    helper.raises("s:settimeout", "bad argument #1 to 'settimeout'", function() return s:settimeout(-1, "w") end)
    helper.raises("s:gettimeout", "bad argument #1 to 'gettimeout'", function() return s:gettimeout "rw" end)
    assert.same({ 1, 1 }, both(s))
  end)

  it("say EBADF of a closed socket in each direction", function()
    local s = net.closed()
    for _, direction in ipairs { "r", "w" } do
      helper.fails("s:settimeout", "EBADF", s:settimeout(1, direction))
      helper.fails("s:gettimeout", "EBADF", s:gettimeout(direction))
    end
  end)

  it("s:setblocking sets both, and s:getblocking is whether either waits", function()
    local s <close> = assert(socket.socket())
    s:setblocking(false)
    assert.same({ 0, 0 }, both(s))
    assert.is_false(s:getblocking())
    s:settimeout(1, "r")
    assert.is_true(s:getblocking())
    s:settimeout(0, "r")
    s:settimeout(nil, "w")
    assert.is_true(s:getblocking())
    s:setblocking(true)
    assert.same({ false, false }, both(s))
  end)

  it("s:dup copies both, accept copies none, setfd keeps both", function()
    local l <close> = net.listener()
    l:settimeout(1, "r"):settimeout(2, "w")
    local twin <close> = assert(l:dup())
    assert.same({ 1, 2 }, both(twin))
    local client <close> = assert(socket.connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    assert.same({ false, false }, both(conn))
    assert.same({ false, false }, both(client))
    twin:close()
    assert(twin:setfd(conn:detach()))
    assert.same({ 1, 2 }, both(twin))
  end)

  if socket.SOCK_NONBLOCK then
    it("SOCK_NONBLOCK is timeout 0 in both", function()
      local s <close> = assert(socket.socket("AF_INET", socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
      assert.same({ 0, 0 }, both(s))
    end)
  end

  it("socket.connect gives a socket that has none in either", function()
    local l <close> = net.listener()
    local s <close> = assert(socket.connect(l:getsockname(), { timeout = 5 }))
    assert.same({ false, false }, both(s))
  end)

  it("s:timeout(), as cqueues asks for it, is that of the direction that s:events() names", function()
    local a, b = net.pair()
    a:settimeout(0)
    a:recv()
    a:settimeout(1, "r"):settimeout(2, "w")
    assert.equal("r", a:events())
    assert.equal(1, a:timeout())
    net.fill(a)
    a:settimeout(0, "w")
    a:send "x"
    assert.equal("w", a:events())
    assert.is_nil(a:timeout())
    a:settimeout(2, "w")
    assert.equal(2, a:timeout())
    b:close()
  end)
end)
