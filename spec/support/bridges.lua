-- What spec/loop/bridge_spec.lua has each engine do, in a process of its own, since engines are for a whole program:
--
--   bridges.engines           array of names
--   bridges.scenarios         array of {name =, f =, except = {engine = true}, unpolled = {engine = true}}; the latter
--                             are those that cannot do it where our own engine is poll, which has no descriptor
--   bridges.run(engine, name) does it, and prints "ok"; where the engine is not here it prints why
--
-- An engine, as scenarios get it, has spawn(f), which gives what the engine calls a thread, and run(), which returns
-- when all that was spawned has ended.
local socket = require "bsdsocket"

local bridges = {engines = {"cqueues", "luv", "copas 4", "the copas of 2009"}, scenarios = {}}

---------------------------------------------------------------------------------------------------
-- The engines

local load = {}

function load.cqueues()
  local ok, cqueues = pcall(require, "cqueues")
  if not ok then return nil, "cqueues for Lua 5.4 is not here" end
  local cq = cqueues.new()
  require "bsdsocket.cqueues"
  return {spawn = function(f) cq:wrap(f) end, run = function() assert(cq:loop()) end, cqueues = cqueues, timers = true}
end

function load.luv()
  local ok, uv = pcall(require, "luv")
  if not ok then return nil, "luv for Lua 5.4 is not here" end
  require "bsdsocket.luv"
  local function spawn(f)
    local co = coroutine.create(f)
    local started, message = coroutine.resume(co)
    if not started then error(debug.traceback(co, message), 0) end
    return co
  end
  return {spawn = spawn, run = function() uv.run() end, uv = uv, timers = true}
end

local function withcopas(copas)
  require "bsdsocket.copas"
  local alive, failed = 0, nil
  local function spawn(f)
    alive = alive + 1
    return copas.addthread(function()
      local ok, message = xpcall(f, debug.traceback)
      alive = alive - 1
      failed = failed or not ok and message
    end)
  end
  local function run()
    while alive > 0 and not failed do copas.step(1) end
    if failed then error(failed, 0) end
  end
  return {spawn = spawn, run = run, copas = copas, timers = copas.removethread ~= nil}
end

load["copas 4"] = function()
  local ok, copas = pcall(require, "copas")
  if not ok or not copas.removethread then return nil, "copas 4 is not here" end
  return withcopas(copas)
end

load["the copas of 2009"] = function()
  package.path = "/usr/share/lua/5.1/?.lua;" .. package.path -- where Debian has it
  local ok, copas = pcall(require, "copas")
  if not ok or copas.removethread then return nil, "the copas of 2009 is not here" end
  return withcopas(copas)
end

---------------------------------------------------------------------------------------------------
-- Small tools

local function equal(expected, value)
  if value ~= expected then error(("%s and not %s"):format(tostring(value), tostring(expected)), 2) end
end

--- The results of a call that had to fail.
local function fails(expected, result, message, code)
  equal(nil, result)
  if code ~= expected then error(("%s (%s) and not %s"):format(code, message, expected), 2) end
end

--- How many descriptors are open; with an argument, when it is so many, since a look-up that was given up may go on
--- for a moment in its thread.
local function descriptors(expected)
  collectgarbage()
  collectgarbage()
  local count
  for _ = 1, 100 do
    count = 0
    for fd = 0, 100 do
      if (select(3, socket.select({fd}, nil, 0))) ~= "EBADF" then count = count + 1 end
    end
    if not expected or count == expected then break end
    socket.select(nil, nil, 0.01)
  end
  return count
end

local function scenario(name, f, except, unpolled)
  table.insert(bridges.scenarios, {name = name, f = f, except = except or {}, unpolled = unpolled or {}})
end

local UNTIMED = {["the copas of 2009"] = true}

--- Two coroutines: f waits for what g does.
local function both(e, f, g)
  local order = {}
  e.spawn(function()
    f()
    order[#order + 1] = "f"
  end)
  e.spawn(function()
    g()
    order[#order + 1] = "g"
  end)
  e.run()
  equal(2, #order)
end

--- Others have had their turn, twice.
local function turn()
  for _ = 1, 2 do assert(socket.getaddrinfo("localhost", 1)) end
end

---------------------------------------------------------------------------------------------------

scenario("recv waits in one coroutine, and send goes on in the other", function(e)
  local a, b = assert(socket.socketpair())
  both(e, function()
    for i = 1, 100 do
      equal("ping" .. i, a:recv())
      a:send("pong" .. i)
    end
  end, function()
    for i = 1, 100 do
      b:send("ping" .. i)
      equal("pong" .. i, b:recv())
    end
  end)
end)

scenario("accept and connect", function(e)
  local server = assert(socket.listen("127.0.0.1", 0))
  both(e, function()
    local conn, address = assert(server:accept())
    equal(address, conn:getpeername())
    equal("hello", conn:read())
    assert(conn:write("bye\n"))
  end, function()
    local client = assert(assert(socket.socket()):connect("localhost", server:getsockname().port))
    assert(client:write("hello\n"))
    equal("bye", client:read())
  end)
end)

scenario("sendall", function(e)
  local a, b = assert(socket.socketpair())
  local size = 1 << 22
  both(e, function() equal(size, a:sendall(("x"):rep(size))) end, function()
    local n = 0
    while n < size do n = n + #b:recv() end
  end)
end)

scenario("lines, under write and its buffer", function(e)
  local a, b = assert(socket.socketpair())
  a:setvbuf "full"
  both(e, function()
    for i = 1, 1000 do assert(a:write("line ", i, "\n")) end
    assert(a:shutdown "SHUT_WR")
  end, function()
    local n = 0
    for line in b:lines() do
      n = n + 1
      equal("line " .. n, line)
    end
    equal(1000, n)
  end)
end)

scenario("select and p:wait", function(e)
  local a, b = assert(socket.socketpair())
  local p = assert(socket.poller())
  assert(p:add(b, "r"))
  both(e, function()
    equal(a, socket.select({a}, nil)[1])
    a:send "y"
  end, function()
    b:send "x"
    for what, events in p:wait() do
      equal(b, what)
      equal("r", events)
    end
  end)
end, nil, UNTIMED)

scenario("getaddrinfo in helper threads, several at once", function(e)
  for i = 1, 10 do
    e.spawn(function() equal(i, assert(socket.getaddrinfo("localhost", i))[1].address.port) end)
  end
  e.run()
end)

scenario("socket.connect, which tries one address after the other", function(e)
  local server = assert(socket.listen("127.0.0.1", 0))
  local port = server:getsockname().port
  both(e, function()
    local client = assert(socket.connect("localhost", port, {timeout = 5}))
    equal("hello", client:recv())
  end, function() assert(assert(server:accept()):send "hello") end)
end, UNTIMED)

scenario("socket.connect to one address", function(e)
  local server = assert(socket.listen("127.0.0.1", 0))
  both(e, function()
    local client = assert(socket.connect("127.0.0.1", server:getsockname().port))
    equal("hello", client:recv())
  end, function() assert(assert(server:accept()):send "hello") end)
end)

scenario("a server for fifty clients, in plain calls", function(e)
  local server = assert(socket.listen("127.0.0.1", 0))
  e.spawn(function()
    local n = 0
    for conn in server:clients() do
      e.spawn(function()
        for data in conn:chunks() do assert(conn:sendall(data)) end
        conn:close()
      end)
      n = n + 1
      if n == 50 then break end
    end
  end)
  local done = 0
  for i = 1, 50 do
    e.spawn(function()
      local client <close> = assert(socket.connect(server:getsockname()))
      for j = 1, 20 do
        local text = ("%d %d"):format(i, j)
        assert(client:sendall(text))
        equal(text, client:recv())
      end
      done = done + 1
    end)
  end
  e.run()
  equal(50, done)
end)

scenario("a reader and a writer of one socket at once; a second reader gets EBUSY", function(e)
  local a, b = assert(socket.socketpair())
  local size, got, refused = 1 << 22, {}, false
  e.spawn(function() equal(size, a:sendall(("x"):rep(size))) end)
  e.spawn(function()
    for _ = 1, 2 do got[#got + 1] = assert(a:recv(1)) end
  end)
  e.spawn(function()
    turn()
    fails("EBUSY", a:recv(1))
    refused = true
  end)
  e.spawn(function()
    b:send "1"
    local n = 0
    while n < size do n = n + #b:recv() end
    while not refused do turn() end -- the reader is to be unfinished until then
    b:send "2"
  end)
  e.run()
  equal("12", table.concat(got))
end)

scenario("a receiving call that waits for either direction, as it has to flush", function(e)
  local a, b = assert(socket.socketpair())
  a:setvbuf("full", 1 << 21)
  a:settimeout(0)
  repeat until not a:send(("x"):rep(4096))
  a:settimeout(nil)
  a:write(("y"):rep(1 << 20))
  both(e, function() equal("done", a:recv()) end, function()
    local n = 0
    repeat n = n + select(2, b:recv():gsub("y", "")) until n == 1 << 20
    b:send "done"
  end)
end, nil, {["copas 4"] = true, ["the copas of 2009"] = true})

scenario("deadlines: never early, and at most 20 ms late", function(e)
  local slack = tonumber(os.getenv "SLACK") or 0.02
  local least = math.huge
  for try = 1, 8 do -- others may need the machine, and for a while
    if try > 1 then socket.select(nil, nil, math.min(0.03 * 2 ^ try, 1)) end
    local late = 0
    for i = 1, 5 do
      e.spawn(function()
        local seconds = i * 0.02 + 0.0005
        local a, b = assert(socket.socketpair())
        a:settimeout(seconds)
        local start = socket.monotime()
        fails("timeout", a:recv())
        local took = socket.monotime() - start
        assert(took >= seconds, took)
        late = math.max(late, took - seconds)
        b:close()
        equal("", a:recv())
      end)
    end
    e.run()
    least = math.min(least, late)
    if least <= slack then return end
  end
  error(("%f s late"):format(least))
end, UNTIMED)

scenario("a deadline counts from the call, however long the program was busy before", function(e)
  local a, b = assert(socket.socketpair())
  a:settimeout(0.1)
  e.spawn(function()
    turn() -- in the engine's loop
    local start = socket.monotime()
    while socket.monotime() - start < 0.15 do end
    start = socket.monotime()
    fails("timeout", a:recv())
    assert(socket.monotime() - start >= 0.1)
    b:send "x"
    equal("x", a:recv())
  end)
  e.run()
end, UNTIMED)

scenario("a deadline is a clear error", function(e)
  local a, b = assert(socket.socketpair())
  a:settimeout(5)
  e.spawn(function()
    local ok, message = pcall(a.recv, a)
    equal(false, ok)
    assert(message:find "^this copas has no timers", message)
    b:send "x"
    equal("x", a:recv()) -- it need not wait
  end)
  e.run()
end, {cqueues = true, luv = true, ["copas 4"] = true})

scenario("a deadline in the midst of others' traffic", function(e)
  local a, b = assert(socket.socketpair())
  local c, d = assert(socket.socketpair())
  c:settimeout(0.1)
  local over = false
  e.spawn(function()
    while not over do
      a:send "x"
      a:recv()
    end
    a:close()
  end)
  e.spawn(function()
    for data in b:chunks() do b:send(data) end
  end)
  e.spawn(function()
    fails("timeout", c:recv())
    over = true
  end)
  e.run()
  d:close()
end, UNTIMED)

scenario("closing what another coroutine waits for gives it EBADF, and the number may be taken again", function(e)
  for _, close in ipairs {
    function(s) assert(s:close()) end,
    function(s) assert(assert(socket.fromfd((assert(s:detach())))):close()) end,
  } do
    local a, b = assert(socket.socketpair())
    local server = assert(socket.listen("127.0.0.1", 0))
    local p = assert(socket.poller())
    local c, d = assert(socket.socketpair())
    local from, silent = assert(socket.socketpair())
    local to = assert(socket.socketpair())
    local ended = 0
    for _, wait in ipairs {
      function() return a:recv() end, function() return server:accept() end,
      function() return p:wait() end, function() return socket.select({c, d}, nil) end,
      function() return to:sendfile(from) end,
    } do
      e.spawn(function()
        fails("EBADF", wait())
        ended = ended + 1
      end)
    end
    e.spawn(function()
      turn()
      equal(0, ended)
      close(a)
      close(server)
      close(d)
      p:close()
      close(to)
      equal(0, ended)
      local pairs_of = {}
      for i = 1, 4 do
        pairs_of[i] = {assert(socket.socketpair())}
        for _, s in ipairs(pairs_of[i]) do
          e.spawn(function()
            equal("y", s:recv())
            ended = ended + 1
          end)
        end
      end
      while ended < 5 do turn() end
      for _, pair in ipairs(pairs_of) do
        pair[1]:send "y"
        pair[2]:send "y"
      end
    end)
    e.run()
    equal(13, ended)
    silent:close()
    b:close()
  end
end, nil, UNTIMED)

scenario("what cqueues itself waits for may be closed by another coroutine", function(e)
  for _, close in ipairs {
    function(s) assert(s:close()) end,
    function(s) assert(assert(socket.fromfd((assert(s:detach())))):close()) end,
    function(s)
      local fd = s:getfd()
      assert(s:setfd(-1))
      assert(assert(socket.fromfd(fd)):close())
    end,
  } do
    local polled = 0
    local a, b = assert(socket.socketpair())
    local server = assert(socket.listen("127.0.0.1", 0))
    local d = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    for _, s in ipairs {a, server, d} do
      e.spawn(function()
        equal(s, e.cqueues.poll(s, 5))
        polled = polled + 1
      end)
    end
    e.spawn(function()
      turn()
      close(a)
      close(server)
      close(d)
      while polled < 3 do turn() end
    end)
    e.run()
    equal(3, polled)
    b:close()
  end
end, {luv = true, ["copas 4"] = true, ["the copas of 2009"] = true})

scenario("who waits for a number that was another's keeps the loop, when that other has gone", function(e)
  local a, b = assert(socket.socketpair())
  local number, got = a:fileno(), nil
  e.spawn(function() fails("EBADF", a:recv()) end)
  e.spawn(function()
    a:close()
    local c, d = assert(socket.socketpair())
    equal(number, c:fileno())
    e.spawn(function()
      turn()
      d:send "x"
    end)
    got = c:recv()
  end)
  e.run()
  equal("x", got)
  b:close()
end)

scenario("what was waited for once, closed later, leaves nothing behind", function(e)
  for _ = 1, 50 do
    both(e, function()
      local server <close> = assert(socket.listen("127.0.0.1", 0))
      e.spawn(function()
        local client <close> = assert(socket.connect(server:getsockname()))
        equal("x", client:recv())
      end)
      local conn <close> = assert(server:accept())
      turn()
      conn:send "x"
    end, turn)
  end
end)

scenario("descriptors are as many as before", function(e)
  local function once()
    local a, b = assert(socket.socketpair())
    both(e, function()
      a:recv()
      socket.select({a}, nil)
      turn()
    end, function()
      turn()
      b:send "x"
      turn()
      b:send "y"
    end)
    a:close()
    b:close()
  end
  once()
  local before = descriptors()
  for _ = 1, 10 do once() end
  equal(before, descriptors(before))
end, nil, UNTIMED)

scenario("ten thousand waits for one socket take no memory", function(e)
  local a, b = assert(socket.socketpair())
  local c, d = assert(socket.socketpair())
  local function rounds(n)
    both(e, function()
      for _ = 1, n do assert(a:recv() and d:send "y") end
    end, function()
      for _ = 1, n do assert(b:send "x" and c:recv()) end
    end)
    collectgarbage()
    collectgarbage()
    return collectgarbage "count"
  end
  rounds(100)
  local before = rounds(100)
  local after = rounds(5000)
  assert(after - before < 64, after - before)
end)

scenario("wait itself answers true when it is ready, and false when the time is over", function(e)
  local a, b = assert(socket.socketpair())
  local bridge = require("bsdsocket." .. (e.cqueues and "cqueues" or e.uv and "luv" or "copas"))
  e.spawn(function()
    equal(false, bridge.wait(a, "r", 0.005))
    equal(true, bridge.wait(a, "w", 5))
    b:send "x"
    equal(true, bridge.wait(a, "r", 5))
    equal(true, bridge.wait(a, "r", nil))
    equal(true, bridge.wait(a, "rw", 5))
  end)
  e.run()
end, UNTIMED)

scenario("deadlines that nobody needs any more do not keep the loop", function(e)
  local a, b = assert(socket.socketpair())
  a:settimeout(60)
  e.spawn(function() equal("x", a:recv()) end)
  e.spawn(function()
    turn()
    b:send "x"
  end)
  local start = socket.monotime()
  if e.uv then e.uv.run() elseif e.cqueues then e.run() else e.copas.loop() end
  assert(socket.monotime() - start < 10)
end, UNTIMED)

scenario("what arrives while nobody waits does not keep the loop busy", function(e)
  local a, b = assert(socket.socketpair())
  local c, d = assert(socket.socketpair())
  both(e, function()
    equal("x", a:recv())
    b:send "more"
    local start = os.clock()
    fails("timeout", c:settimeout(0.3):recv())
    assert(os.clock() - start < 0.1)
    equal("more", a:recv())
    d:close()
  end, function()
    turn()
    b:send "x"
  end)
end, UNTIMED)

scenario("an error in a coroutine that waited goes where the engine has them", function(e)
  e.spawn(function()
    turn()
    error "here it is"
  end)
  e.run()
end)

scenario("an error of the scheduler is the call's", function(e)
  local a, b = assert(socket.socketpair())
  local bridge = package.loaded["bsdsocket." .. (e.cqueues and "cqueues" or e.uv and "luv" or "copas")]
  socket.setwaiter(function(object, ...)
    if object == a then error("not this one", 0) end
    return bridge.wait(object, ...)
  end, bridge.wake)
  e.spawn(function()
    local ok, message = pcall(a.recv, a)
    equal(false, ok)
    equal("not this one", message)
    turn()
    b:send "x"
    equal("x", a:recv())
  end)
  e.run()
end)

scenario("a transfer of many pieces gives the others their turn", function(e)
  local server = assert(socket.listen("127.0.0.1", 0))
  local client = assert(socket.connect(server:getsockname()))
  local conn = assert(server:accept())
  local pieces = {}
  for i = 1, 100 * 1024 do pieces[i] = "x" end
  local written = false
  both(e, function()
    assert(client:write(table.unpack(pieces)))
    written = true
  end, function()
    assert(not written)
    equal(#pieces, #conn:read(#pieces))
  end)
end)

scenario("coroutines that are closed while they wait", function(e)
  local before = descriptors()
  for _ = 1, 3 do
    local a, b = assert(socket.socketpair())
    for _, wait in ipairs {
      function() a:recv() end, function() socket.getaddrinfo("localhost", 1) end,
      function() socket.select({a}, nil) end, function() a:settimeout(60):recv() end,
    } do
      assert(coroutine.close(e.spawn(wait)))
    end
    e.run()
    a:settimeout(nil)
    both(e, function() equal("x", a:recv()) end, function()
      turn()
      b:send "x"
    end)
    a:close()
    b:close()
  end
  equal(before, descriptors(before))
end, {cqueues = true, ["copas 4"] = true, ["the copas of 2009"] = true})

scenario("coroutines that somebody else resumes while they wait", function(e)
  local a, b = assert(socket.socketpair())
  local got
  local co = e.spawn(function() got = a:recv() end)
  for _ = 1, 3 do assert(coroutine.resume(co, "junk")) end
  e.spawn(function()
    turn()
    b:send "x"
  end)
  e.run()
  equal("x", got)
end, {cqueues = true, ["copas 4"] = true, ["the copas of 2009"] = true})

scenario("a controller that is thrown away with those who wait in it", function(e)
  local a, b = assert(socket.socketpair())
  local before = descriptors()
  local cq = e.cqueues.new()
  for _, wait in ipairs {
    function() a:recv() end, function() socket.getaddrinfo("localhost", 1) end,
    function() socket.select({a}, nil) end, function() a:settimeout(60):recv() end,
  } do
    cq:wrap(wait)
  end
  cq:step(0)
  cq = nil -- luacheck: ignore
  equal(before, descriptors(before))
  a:settimeout(nil)
  b:send "x"
  equal("x", a:recv())
end, {luv = true, ["copas 4"] = true, ["the copas of 2009"] = true})

scenario("threads that are removed while they wait", function(e)
  local a, b = assert(socket.socketpair())
  local thread = e.copas.addthread(function()
    a:recv()
    error "it goes on"
  end)
  e.spawn(function()
    turn()
    e.copas.removethread(thread)
    b:send "x"
    turn()
    equal("x", a:recv())
  end)
  e.run()
end, {luv = true, cqueues = true, ["the copas of 2009"] = true})

scenario("outside of the engine a call blocks", function()
  local a, b = assert(socket.socketpair())
  a:settimeout(0.05)
  local start = socket.monotime()
  fails("timeout", coroutine.wrap(function() return a:recv() end)())
  assert(socket.monotime() - start >= 0.05)
  fails("timeout", a:recv())
  b:send "x"
  equal("x", a:recv())
end, {luv = true, ["copas 4"] = true, ["the copas of 2009"] = true})

scenario("descriptors that select does not know are an error, and no crash", function(e)
  bridges.kept = {}
  repeat
    local s = assert(socket.socket())
    table.insert(bridges.kept, s)
  until s:fileno() >= 1023
  local a, b = assert(socket.socketpair())
  e.spawn(function()
    local ok, message = pcall(a.recv, a)
    equal(false, ok)
    assert(message:find "no descriptor beyond 1023: this is %d+$", message)
    b:send "x"
    equal("x", a:recv())
  end)
  e.run()
end, {luv = true, cqueues = true})

scenario("the program ends while sockets are waited for, and before that it opened some", function(e)
  local a, b = assert(socket.socketpair())
  bridges.kept = {a, b} -- not collected before the end
  e.spawn(function() a:recv() end)
  e.spawn(function() bridges.early[1]:recv() end)
  e.spawn(function() turn() end)
  if e.uv then
    e.uv.run "nowait"
  elseif e.cqueues then
    local cq = e.cqueues.new()
    cq:wrap(function() a:recv() end)
    cq:step(0)
  else
    e.copas.step(0)
  end
end)

--- What an engine remembers of a number is older then than what has it now.
scenario("the program ends while descriptors are waited for whose numbers were others' before", function(e)
  local early, other = table.unpack(bridges.early)
  local number = early:fileno()
  e.spawn(function() equal("x", early:recv()) end)
  e.spawn(function()
    turn()
    other:send "x"
  end)
  e.run()
  early:close()
  bridges.kept = {assert(socket.socketpair())} -- not collected before the end
  equal(number, bridges.kept[1]:fileno())
  for _, s in ipairs(bridges.kept) do e.spawn(function() s:recv() end) end
  e.spawn(turn)
end)

--- Between the lines "begin" and "end" only time goes by.
scenario("idle", function(e)
  local a, b = assert(socket.socketpair())
  e.spawn(function()
    io.stderr:write "begin\n"
    equal("x", a:recv())
    io.stderr:write "end\n"
  end)
  local function send()
    b:send "x"
  end
  if e.uv then
    e.uv.new_timer():start(1000, 0, send)
  elseif e.cqueues then
    e.spawn(function()
      e.cqueues.sleep(1)
      send()
    end)
  elseif e.timers then
    e.copas.addthread(function()
      e.copas.pause(1)
      send()
    end)
  end
  e.run()
end, UNTIMED)

---------------------------------------------------------------------------------------------------

function bridges.run(engine, name)
  bridges.early = {assert(socket.socketpair())} -- older than the engine
  local e, missing = load[engine]()
  if not e then return print(missing) end
  for _, s in ipairs(bridges.scenarios) do
    if s.name == name then
      s.f(e)
      print "ok"
    end
  end
end

return bridges
