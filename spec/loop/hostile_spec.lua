-- bsdsocket.loop in the hands of those who do what nobody should do: nothing crashes, hangs, or is left behind.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local build = require "fault.build"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"

after_each(net.close)

local FIRST = "local socket, loop = require 'bsdsocket', require 'bsdsocket.loop'\nlocal how = ...\n"

--- Runs a script; its output and status.
local function script(text, ...)
  return helper.lua(helper.saved(FIRST, text), ...)
end

-- BSDSOCKET_SEEDS=50 makes it fifty.
describe("a loop in which everything happens #process", function()
  for seed = 1, tonumber(os.getenv "BSDSOCKET_SEEDS") or 2 do
    it("by chance is unharmed, and leaves no descriptor: " .. seed, function()
      local output, status = helper.lua("fault/chaos.lua", seed)
      assert.equal("unharmed\n", output:sub(-9))
      assert.equal(0, status)
    end)
  end
end)

-- Here a mistake shows by luck; `make hard` has it run where each shows.
describe("the Lua stack #process", function()
  it("has room for all that calls put there, wherever it ends", function()
    local output, status = helper.shell("MALLOC_PERTURB_=165 " .. helper.command("fault/stack.lua", 40))
    assert.equal("unharmed\n", output)
    assert.equal(0, status)
  end)
end)

describe("a coroutine that waits in a task", function()
  local a, b, co

  -- Each gives the task whose coroutine `co` waits for `a`.
  local ways = {
    ["of the task"] = function()
      return loop.spawn(function()
        co = coroutine.running()
        return a:recv()
      end)
    end,
    ["of loop.timeout"] = function()
      return loop.spawn(loop.timeout, 60, function()
        co = coroutine.running()
        return a:recv()
      end)
    end,
    ["around loop.timeout"] = function()
      return loop.spawn(function()
        co = coroutine.running()
        return loop.timeout(60, loop.timeout, 60, a.recv, a)
      end)
    end,
    ["of a generator"] = function()
      return loop.spawn(loop.wrap(function()
        co = coroutine.running()
        return a:recv()
      end))
    end,
    ["around a generator"] = function()
      return loop.spawn(function()
        co = coroutine.running()
        return loop.wrap(a.recv)(a)
      end)
    end,
    ["that joins"] = function()
      return loop.spawn(function()
        co = coroutine.running()
        return loop.spawn(a.recv, a):join()
      end)
    end,
    ["that sleeps"] = function()
      return loop.spawn(function()
        co = coroutine.running()
        loop.sleep(0.02)
        return a:recv()
      end)
    end,
  }
  local deeds = {
    ["resumes it"] = function() coroutine.resume(co, "made up") end,
    ["resumes it again and again"] = function() for _ = 1, 3 do coroutine.resume(co, "made up") end end,
    ["closes it"] = function() coroutine.close(co) end,
    ["resumes it and cancels the task"] = function(task)
      coroutine.resume(co, "made up")
      collectgarbage()
      collectgarbage()
      task:cancel()
    end,
  }

  for way, begin in pairs(ways) do
    for deed, act in pairs(deeds) do
      it(way .. ", and something else " .. deed .. ": the task fails or gets what came", function()
        a, b = net.pair()
        local ok, result = loop.run(function()
          local task = begin()
          loop.sleep(0)
          loop.sleep(0)
          act(task)
          collectgarbage()
          collectgarbage()
          b:send "real"
          return loop.timeout(5, task.join, task)
        end)
        assert.is_boolean(ok)
        assert.is_nil(tostring(result):find "made up")
        co = nil
        local c, d = net.pair()
        assert.equal("again", loop.run(function()
          local task = loop.spawn(c.recv, c)
          loop.sleep(0)
          d:send "again"
          return select(2, task:join())
        end))
      end)
    end
  end

  it("tells who resumes it that this is not to be", function()
    a, b = net.pair()
    loop.run(function()
      local task = ways["of the task"]()
      loop.sleep(0)
      local ok, message = coroutine.resume(co, "made up")
      assert.is_false(ok)
      assert.match("only the loop can resume it", message)
      task:cancel()
      task:join()
    end)
  end)
end)

describe("many calls in a row that need not wait", function()
  it("all give their results under loop.timeout(0), though others have their turn between them", function()
    local a, b = net.pair()
    loop.run(function()
      for i = 1, 300 do
        assert.equal(1, loop.timeout(0, a.send, a, "x"))
        assert.equal("x", loop.timeout(0, b.recv, b), i)
      end
      assert.equal("timeout", (select(3, loop.timeout(0, b.recv, b))))
    end)
  end)

  it("do not keep a look-up after them from waiting", function()
    local a, b = net.pair()
    loop.run(function()
      for n = 60, 70 do
        loop.sleep(0)
        for _ = 1, n do assert(a:send "x") end
        assert.is_table(socket.getaddrinfo("localhost", 80))
        b:recv()
      end
    end)
  end)

  it("end all the same when their time is over", function()
    local a, b = net.pair()
    local start = socket.monotime()
    loop.run(function()
      assert.equal("timeout", (select(3, loop.timeout(0.02, function()
        while true do
          a:send "x"
          b:recv()
        end
      end))))
    end)
    assert.is_true(socket.monotime() - start < 5)
  end)
end)

describe("a socket with unflushed bytes", function()
  it("keeps them when its twin is made, sends and is closed, in a task and outside", function()
    for _, run in ipairs { loop.run, pcall } do
      local a, b = net.pair()
      run(function()
        assert(a:setvbuf "full")
        assert(a:write "late")
        local twin <close> = assert(a:dup())
        assert(twin:send "early ")
        twin:close()
        assert(a:flush())
        assert.equal("early late", b:recv())
      end)
    end
  end)
end)

describe("a select in a task", function()
  it("ends when a socket with a high descriptor is closed", function()
    local room, many = {}, {}
    for i = 1, 8 do room[i] = net.keep(assert(socket.socket())) end
    for i = 1, 150 do many[i] = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM"))) end
    for _, s in ipairs(room) do s:close() end
    loop.run(function()
      local last = many[#many]
      local task = loop.spawn(socket.select, { last }, nil, 5)
      loop.sleep(0.01)
      last:close()
      local ok, ready, _, code = task:join()
      assert.same({ true, nil, "EBADF" }, { ok, ready, code })
    end)
  end)

  it("is gone when something else has closed its coroutine, and is not asked any more #process", function()
    local output, status = script [[
      local a, b = socket.socketpair()
      loop.run(function()
        local co
        local task = loop.spawn(function()
          co = coroutine.running()
          local many = {}
          for i = 1, 50000 do many[i] = a end -- so much memory goes back to the system
          socket.select(many, nil)
        end)
        loop.sleep(0)
        coroutine.close(co)
        collectgarbage()
        b:close()
        print(task:join())
      end)]]
    assert.same({"false\tcannot resume dead coroutine\n", 0}, {output, status})
  end)

  it("waits also where it is the turn of others before", function()
    local a = net.pair()
    local c, d = net.pair()
    loop.run(function()
      for n = 1, 130 do
        local task = loop.spawn(function()
          for _ = 1, n do assert(c:send "x" and d:recv()) end
          return socket.select({ a }, nil, 0.0005)
        end)
        assert.same({ true, {}, {} }, { task:join() }, n)
      end
    end)
  end)
end)

-- The descriptor by which a loop waits for several others is one more; poll has none in any case.
describe("a select in a task for which there is no descriptor left #process", function()
  local function exhausted(code)
    local output, status = process.confined(30, [[
      local loop = require "bsdsocket.loop"
      local a, b = socket.socketpair()
      local c, d = socket.socketpair()
      loop.run(function()
        local full = {}
        fill(full)
        local ticks, longest = 0, 0
        local ticker = loop.spawn(function()
          local last = loop.now()
          while true do
            loop.sleep(0.001)
            local now = loop.now()
            ticks, longest, last = ticks + 1, math.max(longest, now - last), now
          end
        end)
        local function counted() return ticks end
    ]] .. code .. [[
        ticker:cancel()
        full[1]:close()
      end)]])
    assert.equal(0, status, output)
    return output
  end

  it("suspends its task alone, and ends when one is ready", function()
    assert.equal("true\ttrue\n", exhausted [[
      local before = counted()
      local task = loop.spawn(function()
        local readers, writers = socket.select({ c, a }, nil)
        return #readers == 1 and readers[1] == a and #writers == 0
      end)
      repeat loop.sleep(0.01) until counted() - before > 3
      b:send "x"
      print(task:join())
    ]])
  end)

  it("ends at its timeout, not early and not late", function()
    assert.equal("0\t0\tfalse\ttrue\n", exhausted [[
      local early, least, n = false, math.huge
      for _ = 1, 100 do -- others may need the machine
        if least <= 0.05 then break end
        local start = socket.monotime()
        local readers, writers = socket.select({ a, c }, nil, 0.03)
        local took = socket.monotime() - start
        early, least = early or took < 0.03, math.min(least, took)
        n = { #readers, #writers }
      end
      print(n[1], n[2], early, least <= 0.05)
    ]])
  end)

  it("tells at its timeout of what has come since it looked", function()
    assert.equal("8\n", exhausted [[
      local told = 0
      for _ = 1, 8 do
        local task = loop.spawn(socket.select, { a }, nil, 0.014) -- it looks after 1, 3, 7 ms, and not after 15
        loop.sleep(0.011)
        b:send "x"
        told = told + #select(2, task:join())
        a:recv()
      end
      print(told)
    ]])
  end)

  it("is cancelled, and bounded by loop.timeout", function()
    assert.equal("true\tfalse\tcancelled\ntimeout\n", exhausted [[
      local task = loop.spawn(socket.select, { a }, nil)
      loop.sleep(0.005)
      print(task:cancel(), task:join())
      print((select(3, loop.timeout(0.005, socket.select, { a }, nil))))
    ]])
  end)

  it("ends at once when one of its sockets is closed", function()
    assert.equal("true\tnil\tselect readers[2]: Bad file descriptor\tEBADF\ttrue\n", exhausted [[
      local task = loop.spawn(socket.select, { c, a }, nil)
      loop.sleep(0.04) -- it looks every 16 ms now
      local _ <close> = a
      local ended
      loop.spawn(function()
        task:join()
        ended = true
      end)
      loop.sleep(0)
      a:close()
      for _ = 1, 3 do loop.sleep(0) end
      local results = table.pack(task:join())
      results[results.n + 1] = ended
      print(table.unpack(results, 1, results.n + 1))
    ]])
  end)

  it("waits without a rest when there are descriptors again", function()
    assert.equal("true\ttrue\n", exhausted [[
      local task = loop.spawn(function() return socket.select({ a }, nil)[1] == a end)
      loop.sleep(0.005)
      full[#full]:close()
      loop.sleep(0.03)
      local s = socket.socket() -- it has taken the one
      b:send "x"
      print(not s or socket.poller():fileno() == nil, select(2, task:join()))
    ]])
  end)
end)

describe("the arguments of a generator", function()
  it("that has no room for them leave its task able to wait", function()
    loop.run(function()
      local function deep(n)
        if n == 0 then return coroutine.yield() end
        local results = table.pack(deep(n - 1))
        return results.n
      end
      local generator = loop.wrap(function() deep(160000) end)
      generator()
      local many = {}
      for i = 1, 900000 do many[i] = i end
      assert.equal("not enough memory", select(2, pcall(function() generator(table.unpack(many)) end)))
      loop.sleep(0.001)
    end)
  end)
end)

describe("finalizers #process", function()
  it("of what is older than the library may come with tasks and generators", function()
    local output, status = helper.lua("-e", [[
      local old = setmetatable({}, { __gc = function(old)
        print(tostring(old.task):match "%((%w+)", pcall(old.task.cancel, old.task))
        print(pcall(old.generator))
        print((pcall(old.spawn, print)))
      end })
      local loop = require "bsdsocket.loop"
      old.task = loop.spawn(function() end)
      old.generator = loop.wrap(function() return "made" end)
      old.spawn = loop.spawn
      KEPT = old]])
    assert.equal("ready\ttrue\ttrue\ntrue\tmade\ntrue\n", output)
    assert.equal(0, status)
  end)

  it("may cancel a task for whose call garbage is collected", function()
    local output, status = process.confined(40, [[
      local loop = require "bsdsocket.loop"
      local listener = socket.listen("127.0.0.1", 0)
      loop.run(function()
        local task = loop.spawn(function() return listener:accept() end)
        loop.sleep(0.01)
        local client, kept = socket.socket(), {}
        client:settimeout(0)
        collectgarbage()
        fill(kept)
        setmetatable({}, { __gc = function() print(task:cancel()) end })
        client:connect(listener:getsockname())
        loop.sleep(0.05)
        print(task:join())
      end)]])
    assert.equal("true\nfalse\tcancelled\n", output)
    assert.equal(0, status)
  end)
end)

describe("loop.wait", function()
  it("for a descriptor's number blocks outside of tasks, and where Lua cannot yield", function()
    local a, b = net.pair()
    local function try()
      helper.fails("loop.wait", "timeout", net.takes(0.05, loop.wait, a:fileno(), "r", 0.05))
      helper.fails("loop.wait", "timeout", loop.wait(a:fileno(), "r", 0))
      b:send "x"
      assert.equal("r", loop.wait(a:fileno(), "r", 5))
      assert.equal("rw", loop.wait(a:fileno(), "rw"))
      assert.equal("x", a:recv())
    end
    try()
    loop.run(function() return (("x"):gsub("x", try)) end)
  end)
end)

describe("os.exit(true, true) #process", function()
  for name, text in pairs {
    ["in loop.run's function"] = "loop.run(exit)",
    ["after a wait"] = "loop.run(function() loop.sleep(0.001) exit() end)",
    ["in a generator in loop.timeout"] = [[
      loop.run(function() loop.timeout(5, function() loop.wrap(function() loop.sleep(0) exit() end)() end) end)]],
    ["in a coroutine that is no task"] = "loop.run(function() coroutine.wrap(exit)() end)",
    ["where Lua cannot yield"] = [[
      loop.run(function() table.sort({ 3, 2, 1 }, function() loop.sleep(0.001) exit() end) end)]],
    ["in a <close> variable of a run that fails"] = [[
      loop.run(function() local _ <close> = setmetatable({}, { __close = exit }) error "x" end)]],
    ["in a <close> variable of a task that is cancelled"] = [[
      loop.run(function()
        local t = loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = exit })
          loop.sleep(9)
        end)
        loop.sleep(0)
        t:cancel()
      end)]],
    ["in a finalizer"] = "loop.run(function() setmetatable({}, { __gc = exit }) collectgarbage() loop.sleep(9) end)",
    ["before tasks that were spawned have begun"] = "loop.spawn(print) exit()",
    ["while an error is told"] = [[
      loop.run(function() loop.spawn(error, setmetatable({}, { __tostring = exit })) loop.sleep(9) end)]],
    ["while a hundred tasks wait in all ways"] = [[
      loop.run(function()
        for i = 1, 100 do
          loop.spawn(function()
            local a <close>, b = socket.socketpair()
            local _ <close> = setmetatable({}, {
              __close = function() loop.sleep(0) end,
              __gc = function() a:settimeout(0) a:recv() b:close() loop.spawn(a.recv, a) end,
            })
            if i % 5 == 0 then loop.timeout(60, loop.wrap(function() a:recv() end))
            elseif i % 5 == 1 then loop.sleep(60)
            elseif i % 5 == 2 then socket.getaddrinfo("localhost", "http") a:recv()
            elseif i % 5 == 3 then socket.select({ a, b })
            else a:settimeout(60):sendall(("x"):rep(1000000)) end
          end)
        end
        loop.sleep(0.01)
        exit()
      end)]],
    ["and finalizers that go on with the loop"] = [[
      KEEP = setmetatable({}, { __gc = function()
        assert(not pcall(loop.run, print))
        loop.spawn(print)
        loop.sleep(0)
        loop.wait(0, "w", 0)
        TASK:cancel()
        pcall(GENERATOR)
        tostring(TASK)
      end })
      loop.run(function()
        local a = socket.socketpair()
        GENERATOR = loop.wrap(function() coroutine.yield(1) a:recv() end)
        TASK = loop.spawn(function() GENERATOR() GENERATOR() end)
        loop.sleep(0)
        exit()
      end)]],
  } do
    it("ends the program, with its state, " .. name, function()
      for _, close in ipairs { "true", "false" } do
        local output, status = script(("local function exit() os.exit(7, %s) end\n"):format(close) .. text)
        assert.same({ "", 7 }, { output, status })
      end
    end)
  end
end)

describe("a collector that never rests #process", function()
  for name, mode in pairs { generational = "generational", incremental = "incremental" } do
    it("takes nothing away that is needed, " .. name, function()
      local output, status = script([[
        collectgarbage(how)
        if _VERSION == "Lua 5.4" then collectgarbage("setpause", 0) else collectgarbage("param", "pause", 0) end
        local function hooked(f) -- a cycle at every few instructions
          return function(...)
            debug.sethook(function() collectgarbage() end, "", 20)
            return f(...)
          end
        end
        local count = 0
        loop.run(hooked(function()
          local server <close> = assert(socket.listen("127.0.0.1", 0))
          loop.spawn(hooked(function()
            for connection in server:clients() do
              loop.spawn(hooked(function()
                local c <close> = connection
                c:setvbuf "full"
                for line in c:lines() do c:write(line, "\n") end
              end))
            end
          end))
          local tasks = {}
          for i = 1, 10 do
            tasks[i] = loop.spawn(hooked(function()
              local s <close> = assert(socket.connect("localhost", server:getsockname().port))
              s:write("hello ", i, "\n")
              assert(loop.timeout(20, hooked(loop.wrap(hooked(function() return s:read "l" end)))) == "hello " .. i)
              loop.timeout(0.001, s.recv, s)
              socket.select({ s }, nil, 0.001)
              local p <close> = socket.poller()
              p:add(s, "r")
              for _ in p:wait(0.001) do end
              count = count + 1
              error("oops", 0)
            end))
          end
          for i = 1, 10 do
            tasks[i]:join()
            tasks[i] = nil
          end
          server:close()
        end))
        print(count)
      ]], mode)
      assert.equal(0, status, output)
      assert.match("10\n$", output) -- who fails before it is joined is told of on stderr, and joined all the same
    end)
  end
end)

describe("descriptors that run out while a hundred tasks run #process", function()
  it("fail the calls that need one and no others; `clients` goes on when there are some again", function()
    local output, status = process.confined(40, [[
      local loop = require "bsdsocket.loop"
      local codes = {}
      local function note(result, _, code) codes[result and "ok" or code] = true end
      loop.run(function()
        local server <close> = assert(socket.listen("127.0.0.1", 0))
        local address = server:getsockname()
        local early <close> = assert(socket.connect(address))
        local a <close>, b = assert(socket.socketpair())
        local hoard = {}
        fill(hoard)
        loop.spawn(function()
          for c in server:clients() do
            loop.spawn(function()
              local connection <close> = c
              connection:sendall(connection:recv())
            end)
          end
        end)
        local tasks = {}
        for i = 1, 100 do
          tasks[i] = loop.spawn(function()
            loop.sleep(i / 10000)
            note(socket.connect(address))
            note(socket.poller())
            note(socket.socketpair())
            note(socket.getaddrinfo("localhost", "http", { timeout = 5 }))
          end)
        end
        for _, task in ipairs(tasks) do assert(task:join()) end
        local reader = loop.spawn(a.recv, a)
        loop.sleep(0)
        b:send "still here"
        print(reader:join())
        for _, s in ipairs(hoard) do s:close() end
        early:settimeout(5):sendall "served"
        print(early:recv())
        b:close()
        server:close()
        local list = {}
        for code in pairs(codes) do list[#list + 1] = code end
        table.sort(list)
        print(table.concat(list, " "))
      end)
      local hoard, cpu = {}, os.clock()
      repeat
        local s = socket.socket()
        hoard[#hoard + 1] = s
      until not s
      print(pcall(loop.run, print))
      for _, s in ipairs(hoard) do s:close() end
      print(loop.run(function() return "again" end))
    ]])
    assert.equal(0, status, output)
    local without = helper.engine() == "poll" and "EMFILE ok\n\ntrue" or
      "EMFILE\nfalse\trun: " .. socket.strerror "EMFILE"
    assert.equal("true\tstill here\nserved\n" .. without .. "\nagain\n", output)
  end)
end)

describe("memory that runs out while a hundred tasks run #process", function()
  it("fails some of them, and leaks nothing, nor keeps the next run from its work", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    local message, bytes, blocks, wrong = alloc.quietly(alloc.run, package.path, package.cpath, [[
      local socket, loop = require "bsdsocket", require "bsdsocket.loop"
      local function spawn(f) return loop.spawn(pcall, f) end -- whose errors nobody is told
      local patience = 5
      local function party()
        return loop.run(function()
          local ended, tasks = 0, {}
          for i = 1, 100 do
            local done, task = pcall(spawn, function()
              local a <close>, b = assert(socket.socketpair())
              local other <close> = b
              local writer = spawn(function()
                local mine <close> = other
                loop.sleep(0)
                mine:write("hello ", i, "\n")
                loop.sleep(i / 100000)
              end)
              local line = loop.timeout(patience, loop.wrap(function() return a:read "l" end))
              a:settimeout(patience)
              a:recv()
              writer:join()
              if line == "hello " .. i then ended = ended + 1 end
            end)
            if done then tasks[#tasks + 1] = task end
          end
          for _, task in ipairs(tasks) do pcall(task.join, task) end
          return ended
        end)
      end
      assert(party() == 100)
      patience = 0.1 -- with a writer that could not be made
      for k = 1, 4000, 131 do
        fault(k, 3, party)
        collectgarbage()
      end
      patience = 5
      assert(party() == 100)
    ]])
    assert.is_nil(message)
    assert.same({ 0, 0, false }, { bytes, blocks, wrong })
  end)
end)
