-- bsdsocket.loop when memory runs out: each request for it fails once; nothing is leaked, every task ends, and the
-- loop can be used again. The scripts run in Lua states of their own, whose memory fault/alloc.c doles out.
local build = require "fault.build"
local helper = require "spec.support.helper"

-- try(trial): calls trial() again and again, while its first, its second ... request for memory fails, until none
-- does any more. What it does must come to its end or raise "not enough memory"; then the loop still works.
local PRELUDE = [[
  local socket, loop = require "bsdsocket", require "bsdsocket.loop"
  local failing = tonumber((...))

  local function lowest()
    local s <close> = assert(socket.socket())
    return s:fileno()
  end

  local function check()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    assert(loop.run(function()
      local reader = loop.spawn(a.recv, a)
      loop.sleep(0)
      b:send "x"
      local ok, data = reader:join()
      return loop.timeout(5, function() return ok and data end)
    end) == "x")
  end

  -- The results of a call, which may fail only when a task at the other end was ended by the want of memory.
  local function some(...)
    if not (...) then error("not enough memory at the other end: " .. tostring((select(2, ...))), 0) end
    return ...
  end

  -- A task that tells nobody how it failed.
  local function go(f, ...) return loop.spawn(pcall, f, ...) end

  local function try(trial)
    check()
    collectgarbage()
    local free = lowest()
    for k = 1, 100000 do
      local hit, ok, message = fault(k, failing, trial)
      if not ok then
        assert(tostring(message):find "not enough memory", ("request %d: %s"):format(k, tostring(message)))
      end
      check()
      collectgarbage()
      collectgarbage()
      assert(lowest() == free, "a descriptor was leaked")
      if not hit then return end
    end
  end
]]

local scripts = {
  ["loop.run"] = [[
    try(function() loop.run() end)
    try(function() assert(loop.run(function(x) return x end, 1) == 1) end)
    try(function() assert(loop.run(function() loop.sleep(0) return "x" end) == "x") end)
  ]],
  ["tasks that end, fail, and are joined"] = [[
    try(function()
      loop.run(function()
        local task = loop.spawn(function(...) loop.sleep(0) return ... end, 1, 2, 3)
        local failed = loop.spawn(function() loop.sleep(0) error("oops", 0) end)
        local joiner = loop.spawn(task.join, task)
        failed:join()
        task:join()
        joiner:join()
      end)
    end)
  ]],
  ["tasks that are cancelled"] = [[
    try(function()
      loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        local task = go(function()
          local c <close>, d = socket.socketpair()
          local _ <close> = d
          c:settimeout(0.05)
          c:recv()
        end)
        a:settimeout(0.05) -- nobody is left waiting when it is cancel that fails
        local other = go(function() a:recv() end)
        loop.sleep(0)
        task:cancel()
        other:cancel()
        go(loop.sleep, 0.05):cancel()
      end)
    end)
  ]],
  ["a run that fails"] = [[
    try(function()
      local ok, message = pcall(loop.run, function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        go(function()
          local _ <close> = setmetatable({}, { __close = function() return {} end })
          a:recv()
        end)
        loop.sleep(0)
        error("oops", 0)
      end)
      if message ~= "oops" then error(message, 0) end
    end)
  ]],
  ["sleep and timeouts"] = [[
    try(function()
      loop.run(function()
        for i = 1, 3 do go(loop.sleep, i / 10000) end
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        a:settimeout(0.0001)
        a:recv()
        loop.timeout(0.0001, loop.sleep, 0.01)
        loop.timeout(60, loop.timeout, 0.0001, a.recv, a)
        loop.timeout(60, function() return 1, 2, 3 end)
      end)
    end)
  ]],
  ["loop.stop"] = [[
    try(function()
      local values = table.pack(loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        go(function()
          local c <close>, d = socket.socketpair()
          local _ <close> = d
          c:recv()
        end)
        go(loop.timeout, 60, loop.wrap(function() loop.sleep(60) end))
        a:settimeout(0.1)
        loop.sleep(0)
        loop.stop(1, 2, 3)
        go(loop.sleep, 60)
        a:recv()
      end))
      assert(values.n == 3 and values[3] == 3)
    end)
  ]],
  ["what is told of tasks"] = [[
    try(function()
      loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        a:settimeout(0.2)
        local waits = go(loop.timeout, 60, function() a:recv() end)
        loop.sleep(0)
        local list = loop.tasks()
        assert(#list > 0)
        for _, t in ipairs(list) do
          assert(#tostring(t.task) > 0)
          t.task:traceback()
        end
        waits:cancel()
      end)
    end)
  ]],
  ["errors inside scopes, and what is told of them"] = [[
    local told
    loop.onerror(function(task, err, trace) told = #tostring(err) + #tostring(task) + #(trace or "") end)
    try(function()
      loop.run(function()
        local failing = loop.spawn(loop.timeout, 60, loop.wrap(function() loop.sleep(0) error {} end))
        failing:join()
        failing:traceback()
        loop.spawn(loop.timeout, 60, loop.wrap(function() error "oops" end))
        loop.sleep(0)
      end)
    end)
    loop.onerror(nil)
    try(function()
      local ok, err = pcall(loop.run, function() loop.timeout(60, error, "oops", 0) end)
      if err ~= "oops" then error(err, 0) end
      assert(loop.traceback() == nil or loop.traceback():find "stack")
    end)
  ]],
  ["a deadlock, and the time of loop.timeout"] = [[
    try(function()
      local ok, err = pcall(loop.run, function()
        local a
        a = loop.spawn(function() loop.spawn(function() a:join() end):join() end)
        loop.timeout(0, loop.sleep, 60)
        a:join()
      end)
      if not ok and not tostring(err):find "^every task" then error(err, 0) end
    end)
  ]],
  ["generators"] = [[
    try(function()
      loop.run(function()
        local generator = loop.wrap(function()
          loop.sleep(0)
          coroutine.yield "one"
          loop.wrap(loop.sleep)(0)
          coroutine.yield "two"
        end)
        assert(generator() == "one")
        assert(generator() == "two")
      end)
    end)
  ]],
  ["transfers"] = [[
    local long = ("x"):rep(300000)
    try(function()
      loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        local writer = go(function()
          local b <close> = b
          assert(b:sendall(long))
          assert(b:write("line\n", "12 ", "end\0", long))
        end)
        a:settimeout(0.1)
        local data = ""
        while #data < #long do
          local piece = some(a:recv(#long - #data))
          if piece == "" then some(nil, "end of stream") end
          data = data .. piece
        end
        local buf = socket.buffer(10)
        if some(a:read()) == "line" then
          assert(some(a:read "n") == 12)
          assert(some(a:readuntil "\0") == " end\0")
          assert(some(a:recvinto(buf)) == 10)
          some(#some(a:read "a") == #long - 10)
        end
        writer:join()
      end)
    end)
  ]],
  ["accept, connect, clients"] = [[
    try(function()
      loop.run(function()
        local server <close> = assert(socket.listen("127.0.0.1", 0))
        local address = server:getsockname()
        local serving = go(function()
          local server <close> = server
          for s in server:clients() do
            local s <close> = s
            s:send "x"
          end
        end)
        for _ = 1, 2 do
          local s <close> = some(socket.connect(address, { timeout = 0.1 }))
          s:settimeout(0.1)
          some(s:recv())
        end
        server:close()
        serving:join()
      end)
    end)
  ]],
  ["readiness"] = [[
    try(function()
      loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        local p <close> = assert(socket.poller())
        p:add(a, "r")
        go(function()
          for _ = 1, 4 do loop.sleep(0) end
          b:send "x"
        end)
        for s in p:wait(0.1) do assert(s == a) end
        some(loop.wait(a, "r", 0.1))
        some(a:recv())
        go(b.send, b, "x")
        some(#socket.select({ a }, nil, 0.1) == 1)
        some(a:recv(10, "MSG_DONTWAIT"))
        go(b.send, b, "x")
        some(loop.wait(a:fileno(), "r", 0.1))
      end)
    end)
  ]],
  ["calls that fail, and close"] = [[
    try(function()
      loop.run(function()
        local a <close>, b = socket.socketpair()
        local _ <close> = b
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        a:settimeout(0.1)
        local _, _, code = a:recv()
        some(code == "EBUSY")
        a:close()
        _, _, _, code = reader:join()
        some(code == "EBADF")
      end)
    end)
  ]],
}

describe("when memory is out for", function()
  for _, how in ipairs { { 1, "one request" }, { 2, "a request and the one after the collector ran" } } do
    describe(how[2], function()
      for name, script in pairs(scripts) do
        it("leaks nothing, and the loop still works, after " .. name, function()
          local alloc = build "alloc" or helper.skip "no C compiler is here"
          -- stderr would be told of each task that had no memory to begin
          local message, bytes, blocks, wrong =
            alloc.quietly(alloc.run, package.path, package.cpath, PRELUDE .. script, tostring(how[1]))
          assert.is_nil(message)
          assert.same({ 0, 0, false }, { bytes, blocks, wrong })
        end)
      end
    end)
  end
end)
