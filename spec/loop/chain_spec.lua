-- Chains: what ends one thing ends the next, thousands of times, each inside the other. Where the C stack would not do
-- it is an error or one after the other, and never the end of the process: so each runs in a Lua of its own.
local tasks = require "spec.support.tasks"

local frame = [[
  local N = 20000
  local closed, list = 0, {}
  local function closing(f) -- a <close> variable
    return setmetatable({}, { __close = function() closed = closed + 1; f() end })
  end
  %s
  collectgarbage()
  io.stdout:write(closed, "\n")
]]

-- Those that must come to their end as a whole.
local whole = {
  ["tasks whose <close> variables cancel the next"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function() if i < N then assert(list[i + 1]:cancel()) end end)
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      assert(list[1]:cancel())
      for i = 1, N do
        local ok, err = list[i]:join()
        assert(not ok and err == "cancelled")
        assert(not list[i]:cancel())
      end
    end)
  ]],
  ["tasks whose <close> variables cancel the one before and the next"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function()
            if i > 1 then list[i - 1]:cancel() end
            if i < N then list[i + 1]:cancel() end
          end)
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      list[N // 2]:cancel()
      for i = 1, N do list[i]:join() end
    end)
  ]],
  ["tasks whose <close> variables cancel the next and then fail"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function()
            if i < N then list[i + 1]:cancel() end
            error(i)
          end)
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      for i = 1, N do loop.spawn(function() assert(select(2, list[i]:join()) == i) end) end
      loop.sleep(0)
      list[1]:cancel()
      for i = 1, N do list[i]:join() end
    end)
  ]],
  ["such tasks at the end of loop.run"] = [[
    pcall(loop.run, function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function() for k = i + 1, math.min(N, i + 2) do list[k]:cancel() end end)
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      error "the end"
    end)
  ]],
  ["such tasks inside loop.timeout and loop.wrap"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(loop.timeout, 60, loop.wrap(function()
          local _ <close> = closing(function() if i < N then list[i + 1]:cancel() end end)
          loop.sleep(60)
        end))
      end
      loop.sleep(0)
      list[1]:cancel()
      for i = 1, N do list[i]:join() end
    end)
  ]],
  ["such tasks whose finalizer cancels the first"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function() if i < N then list[i + 1]:cancel() end end)
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      setmetatable({}, { __gc = function() list[1]:cancel() end })
      collectgarbage()
      for i = 1, N do list[i]:join() end
    end)
  ]],
  ["timeouts whose <close> variables cancel tasks"] = [[
    loop.run(function()
      for i = 1, N do
        list[i] = loop.spawn(function()
          local _ <close> = closing(function() if i < N then list[i + 1]:cancel() end end)
          loop.sleep(60)
        end)
      end
      loop.timeout(0.001, function()
        local _ <close> = setmetatable({}, { __close = function() list[1]:cancel() end })
        loop.sleep(60)
      end)
      for i = 1, N do list[i]:join() end
    end)
  ]],
  ["tasks woken by a close, which close the next one's socket"] = [[
    N = 200
    loop.run(function()
      local sockets = {}
      for i = 1, N do
        local s = assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)
        sockets[i] = s
        list[i] = loop.spawn(function()
          local _ <close> = closing(function() if i < N then sockets[i + 1]:close() end end)
          assert(select(3, s:recv()) == "EBADF")
        end)
      end
      loop.sleep(0)
      sockets[1]:close()
      for i = 1, N do assert(list[i]:join()) end
    end)
  ]],
}

-- Those that nest by calls of the program's own: what goes too deep gives Lua's error, and all else goes on.
local nested = {
  ["generators inside generators"] = [[
    local function deep(n) return loop.wrap(function() return n == 0 and "end" or deep(n - 1)() end) end
    local ok, err = pcall(deep(N))
    assert(not ok and err:find "C stack overflow", err)
    loop.run(function()
      local ok, err = pcall(deep(N))
      assert(not ok and err:find "C stack overflow", err)
      loop.sleep(0)
      assert(deep(20)() == "end")
    end)
  ]],
  ["timeouts inside timeouts"] = [[
    local function deep(n)
      if n == 0 then return "end" end
      return loop.timeout(60, deep, n - 1)
    end
    loop.run(function()
      local ok, err = pcall(deep, N)
      assert(not ok and err:find "C stack overflow", err)
      loop.sleep(0)
      assert(deep(20) == "end")
    end)
  ]],
  ["generators that fail, whose <close> variables call the next"] = [[
    for i = 1, N do
      list[i] = loop.wrap(function()
        local _ <close> = closing(function() if i < N then list[i + 1]() end end)
        error "fails"
      end)
    end
    assert(not pcall(list[1]))
    assert(closed > 10)
    loop.run(function()
      assert(not pcall(list[closed + 10]))
      loop.sleep(0)
    end)
  ]],
  ["such generators in tasks that <close> variables cancel"] = [[
    loop.run(function()
      for i = 1, N do
        local fails = loop.wrap(function()
          local _ <close> = closing(function() if i < N then list[i + 1]:cancel() end end)
          error "fails"
        end)
        list[i] = loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() pcall(fails) end })
          loop.sleep(60)
        end)
      end
      loop.sleep(0)
      list[1]:cancel()
      assert(closed == N)
    end)
  ]],
  ["a scheduler whose wake closes the next socket"] = [[
    N = 1000
    local number = {}
    socket.setwaiter(coroutine.yield, function(s)
      closed = closed + 1
      if list[number[s] + 1] then list[number[s] + 1]:close() end
    end)
    for i = 1, N do
      list[i] = assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)
      number[list[i] ] = i
      coroutine.wrap(list[i].recv)(list[i])
    end
    assert(list[1]:close() and list[1]:fileno() == nil)
    assert(closed > 10)
    for i = 1, N do
      list[i]:close() -- again is harmless
      assert(list[i]:fileno() == nil)
    end
    socket.setwaiter(nil)
  ]],
  ["finalizers that close sockets, whose wake brings the next finalizer"] = [[
    N = 1000
    local number = {}
    local function finalizer(i) setmetatable({}, { __gc = function() list[i]:close() end }) end
    socket.setwaiter(coroutine.yield, function(s)
      closed = closed + 1
      if number[s] < N then finalizer(number[s] + 1) end
      collectgarbage()
    end)
    for i = 1, N do
      list[i] = assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)
      number[list[i] ] = i
      coroutine.wrap(list[i].recv)(list[i])
    end
    finalizer(1)
    for _ = 1, 2 * N do collectgarbage() end
    assert(closed == N)
    socket.setwaiter(nil)
  ]],
  ["coroutines under a scheduler whose <close> variables close the next coroutine"] = [[
    N = 1000
    socket.setwaiter(coroutine.yield)
    local s = assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)
    for i = 1, N do
      list[i] = coroutine.create(function()
        local _ <close> = closing(function() if i < N then coroutine.close(list[i + 1]) end end)
        s:recv()
      end)
      coroutine.resume(list[i])
    end
    coroutine.close(list[1])
    assert(closed > 10)
    socket.setwaiter(nil)
    s:close()
  ]],
}

describe("a chain #process #slow", function()
  for name, code in pairs(whole) do
    it("of " .. name .. " comes to its end", function()
      local output, status = tasks.lua(frame:format(code))
      assert.equal(0, status, output)
      assert.equal((code:match "N = (%d+)" or "20000") .. "\n", output)
    end)
  end

  for name, code in pairs(nested) do
    it("of " .. name .. " is an error where it is too deep, and all goes on", function()
      local output, status = tasks.lua(frame:format(code))
      assert.equal(0, status, output)
    end)
  end
end)
