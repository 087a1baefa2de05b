-- Random programs of tasks on one connection, with a model of every byte: the bytes of one sending call lie together,
-- in the order in which the calls were made; what each call says of itself is true; a receiving call is EBUSY while
-- another is unfinished, and never else; nobody sleeps who could go on. `turns.lua 7 100` runs the programs 7 to 106
-- in tasks, `turns.lua 7 100 setwaiter` by socket.setwaiter. spec/call/turns_end_spec.lua runs a few; many more are
-- worth a try with the builds of `make asan` and of the engine poll.
local socket, loop = require "bsdsocket", require "bsdsocket.loop"
local scheduler = require "spec.support.scheduler"

local random = math.random
local first, count, how = tonumber(arg[1]), tonumber(arg[2] or 1), arg[3] or "tasks"
local SECONDS = 20 -- a program that takes longer hangs

local function pick(...)
  return (select(random(select("#", ...)), ...))
end

-- ---- the two ways in which coroutines wait ----

local driver = {}

if how == "tasks" then
  driver.spawn, driver.sleep = loop.spawn, loop.sleep
  function driver.cancel(task) return task:cancel() end
  function driver.within(f) return loop.timeout(pick(0, 0.001, 0.003), f) end
  function driver.run(f) return loop.run(f) end
else
  local s
  function driver.spawn(f) return s.spawn(f) end
  function driver.sleep(seconds) s.pause(seconds) end
  function driver.cancel(co)
    return coroutine.status(co) == "suspended" and coroutine.close(co)
  end
  function driver.within(f) return f() end
  function driver.run(f)
    s = scheduler()
    socket.setwaiter(s.wait, s.wake)
    local ended = false
    s.spawn(function()
      f()
      ended = true
    end)
    while not ended do s.step() end
    socket.setwaiter(nil)
  end
end

-- ---- a program ----

local program, log -- its number; what it did, for who looks for the mistake

local function fail(...)
  io.write(("program %d %s: "):format(program, how), string.format(...), "\n")
  for i = math.max(1, #log - 40), #log do io.write("  ", log[i], "\n") end
  os.exit(1)
end

local function note(...) log[#log + 1] = string.format(...) end

local function tcp()
  local l <close> = assert(socket.listen("127.0.0.1", 0))
  local a = assert(socket.connect(l:getsockname()))
  return a, (assert(l:accept()))
end

local function udp()
  local a = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
  local b = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
  return assert(a:connect(b:getsockname())), assert(b:connect(a:getsockname()))
end

local function unix(kind) return function() return assert(socket.socketpair("AF_UNIX", kind)) end end

local families = {
  { name = "TCP", make = tcp, stream = true }, { name = "TCP", make = tcp, stream = true },
  { name = "unix stream", make = unix "SOCK_STREAM", stream = true },
  { name = "unix stream", make = unix "SOCK_STREAM", stream = true },
  { name = "unix seqpacket", make = unix "SOCK_SEQPACKET" }, { name = "unix dgram", make = unix "SOCK_DGRAM" },
  { name = "UDP", make = udp, loses = true },
}

local END = "!" -- the last message, where there is no end of the stream
local buffer = socket.buffer(70000)

local function run(number)
  program, log = number, {}
  math.randomseed(number)
  local family = families[random(#families)]
  local a, b = family.make()
  local stream = family.stream
  local least = family.name == "TCP" and 20000 or 2000 -- with less the kernel itself waits again and again
  if random(2) == 1 then a:setsockopt("SO_SNDBUF", pick(least, 5 * least)) end
  if random(2) == 1 then b:setsockopt("SO_RCVBUF", pick(least, 5 * least)) end
  note("%s", family.name)

  local calls = {}            -- in the order in which they were made: { letter, len, sent or nil if nobody can know }
  local received, total = {}, 0 -- pieces of the stream, or messages
  local peeks = {}
  local inside = {}           -- the receiving calls that have not ended
  local watching = {}
  local over = false

  -- ---- sending ----

  local function payload()
    local id = #calls + 1
    local letter = string.char(33 + id)
    local len = stream and pick(1, 7, 100, 5000, 40000, 200000) or pick(1, 100, 1500)
    local data = letter:rep(len)
    if stream then data = (letter .. (letter:rep(random(60)) .. "\n"):rep(len // 2 + 1)):sub(1, len) end
    local call = { letter = letter, len = len }
    calls[id] = call
    return data, call
  end

  local function halves(data)
    local at = random(0, #data)
    return data:sub(1, at), data:sub(at + 1)
  end

  --- What a call answered that gives the number of bytes, and else as a fourth value.
  local function told(call, n, _, code, sent)
    if type(n) == "number" then
      call.sent = n
    elseif n then
      call.sent = call.len
    else
      if not code then fail("no code") end
      call.sent = sent or 0
    end
    note("%s of %d: %s %s", call.letter, call.len, call.sent, code or "")
  end

  local senders = {
    function()
      local data, call = payload()
      told(call, a:send(data))
    end,
    function()
      local data, call = payload()
      told(call, a:send(data, "MSG_DONTWAIT"))
    end,
    function()
      local data, call = payload()
      told(call, a:sendall(data))
    end,
    function()
      local data, call = payload()
      told(call, a:sendmsg { data = { halves(data) } })
    end,
    function()
      local data, call = payload()
      told(call, a:write(halves(data)))
    end,
    function()
      local list, made, n = {}, {}, random(3)
      for i = 1, n do list[i], made[i] = payload() end
      local sent, _, code, bytes = a:sendmmsg(list)
      for i = 1, n do -- of a stream's messages the last one may have gone in part
        local part = code and math.min(bytes or 0, made[i].len)
        made[i].sent = part or i <= sent and made[i].len or 0
        bytes = code and (bytes or 0) - part
        note("%s of %d: %s %s", made[i].letter, made[i].len, made[i].sent, code or "")
      end
    end,
  }
  if stream then
    for _, f in ipairs {
      function() a:flush() end, function() a:setvbuf(pick("no", "full", "line"), pick(10, 1000, 100000)) end,
      function()
        local data, call = payload()
        local f <close> = assert(io.tmpfile())
        f:write(data)
        f:seek "set"
        told(call, a:sendfile(f))
      end,
      function()
        local data, call = payload()
        local from, to = assert(socket.socketpair())
        local _ <close> = from
        local _ <close> = to
        to:settimeout(0)
        to:send(data)
        to:shutdown "SHUT_WR"
        local n, message, code, sent = a:sendfile(from)
        if n then call.sent = n else told(call, n, message, code, sent) end
      end,
      function()
        local data, call = payload()
        told(call, a:write(data:sub(1, 50)))
        call.len = math.min(50, call.len)
        call.sent = math.min(50, call.sent)
      end,
    } do senders[#senders + 1] = f end
  end

  -- ---- receiving ----

  local function take(data)
    if not stream and data == END then over = true end
    if data == "" or not data then
      if stream or family.name == "unix seqpacket" then over = true end
      return
    end
    if not stream and data == END then return end
    received[#received + 1] = data
    total = total + #data
  end

  local function found(data, _, code)
    if data or not code then take(data) end
    return code
  end

  local function raised(ok, data)
    if ok then return take(data) end
    return data:find "busy" and "EBUSY" or data:find "timed out" and "timeout" or data
  end

  local receivers = {
    function() return found(b:recv()) end, function() return found(b:recvfrom()) end,
    function()
      local n, _, code = b:recvinto(buffer)
      if n then take(buffer:sub(1, n)) end
      return code
    end,
    function()
      local m, _, code = b:recvmsg()
      if m then take(m.data) end
      return code
    end,
    function()
      local at = total
      local data, _, code = b:recv(pick(10, 2000), "MSG_PEEK")
      if data and stream then peeks[#peeks + 1] = { at, data } end
      return code
    end,
  }
  local simple = #receivers
  if stream then
    for _, f in ipairs {
      function() return found(b:recv(pick(1, 10, 1000))) end,
      function() return found(b:recv(pick(1, 10, 3000), "MSG_WAITALL")) end,
      function() return found(b:recvfrom(pick(10, 3000), "MSG_WAITALL")) end,
      function() return found(b:read(pick(1, 10, 3000))) end, function() return found(b:read "L") end,
      function() return found(b:readuntil("\n", 1 << 20)) end,
      function()
        local x, y, code = b:read("L", pick(5, "L"))
        if x or not code then
          take(x)
          if x and y then take(y) end
          return nil
        end
        return code
      end,
      function() return raised(pcall((b:lines(pick("L", 100))))) end,
      function() return raised(pcall((b:chunks(1000)))) end,
    } do receivers[#receivers + 1] = f end
  else
    receivers[#receivers + 1] = function()
      local list, n, code = b:recvmmsg(3, 2000)
      for i = 1, list and n or 0 do take(list[i].data) end
      return code
    end
  end

  --- One call; `soft` is one that loop.timeout may end a little before its <close> variables know.
  local function receive(soft, which)
    which = which or random(#receivers)
    local others, certain = 0, true
    for each in pairs(inside) do
      others = others + 1
      certain = certain and not each.soft
    end
    local me = { soft = soft, simple = which <= simple, since = socket.monotime() }
    local _ <close> = setmetatable({}, { __close = function() inside[me] = nil end })
    inside[me] = which
    local code = receivers[which]()
    note("received %d: %s, %d", which, code, total)
    if code == "EBUSY" and others == 0 then fail("EBUSY, and nobody receives (%d)", which) end
    if code ~= "EBUSY" and others > 0 and certain and not over then fail("%d passes by another", which) end
    return code
  end

  local watchers = {
    function() socket.select({ b }, {}) end,
    function()
      local p <close> = assert(socket.poller())
      p:add(b, "r")
      p:wait()
    end,
    how == "tasks" and function() loop.wait(b, "r") end or nil,
  }

  -- ---- the tasks ----

  local handles, doing = {}, {}
  local alive = 0

  local function start(name, f)
    local state = { name = name }
    local function body()
      alive = alive + 1
      doing[state] = true
      local _ <close> = setmetatable({}, { __close = function()
        alive = alive - 1
        doing[state] = nil
      end })
      f(state)
    end
    handles[#handles + 1] = driver.spawn(body)
  end

  local function rest()
    local n = random(6)
    if n == 1 then driver.sleep(0) elseif n == 2 then driver.sleep(0.0005) end
    if random(30) == 1 then collectgarbage(pick("step", "collect")) end
  end

  local function writer(state)
    for _ = 1, random(6) do
      if #calls > 80 then return end
      local i = random(#senders)
      state.call = i
      if random(8) == 1 then driver.within(senders[i]) else senders[i]() end
      if random(4) == 1 then a:settimeout(pick(nil, nil, 0.001, 0.01), "w") end
      rest()
    end
  end

  local function reader(state)
    for _ = 1, random(10, 40) do
      if over then return end
      local soft = how == "tasks" and random(8) == 1
      state.call = "receive"
      if soft then
        driver.within(function() receive(true) end)
      elseif receive() == "EBUSY" then
        driver.sleep(0.0005)
      end
      if random(6) == 1 then b:settimeout(pick(nil, nil, 0.001, 0.01), "r") end
      if random(6) == 1 then assert(not stream or b:read(0) or true) end
      rest()
    end
  end

  local function watcher(state)
    while not over do
      local me = { since = socket.monotime() }
      local _ <close> = setmetatable({}, { __close = function() watching[me] = nil end })
      watching[me] = true
      state.call = "watch"
      watchers[random(#watchers)]()
      watching[me] = nil
      driver.sleep(0.0005)
    end
  end

  --- Who has waited for long, though there is something to read?
  local function quiet()
    local before, now = total, socket.monotime()
    driver.sleep(0.002)
    for _ = 1, 3 do driver.sleep(0) end
    if total ~= before or over or #socket.select({ b }, {}, 0) == 0 then return end
    local busy = false
    for each in pairs(inside) do
      busy = true
      if each.simple and each.since < now then fail "a receive sleeps, and there is something" end
    end
    for each in pairs(watching) do
      if not busy and each.since < now then fail "a watcher sleeps, and there is something" end
    end
  end

  local function drain()
    while not over do
      if receive(false, 1) == "EBUSY" then driver.sleep(0.001) end
    end
  end

  driver.run(function()
    local till = socket.monotime() + SECONDS
    local function wait(n)
      while alive > n do
        if socket.monotime() > till then
          for state in pairs(doing) do note("still there: %s %s", state.name, state.call) end
          fail("hangs; %d of %d", alive, #handles)
        end
        driver.sleep(0.0005)
      end
    end
    for i = 1, random(4) do start("writer " .. i, writer) end
    local writers = #handles
    for i = 1, random(3) do start("reader " .. i, reader) end
    for i = 1, random(0, 2) do start("watcher " .. i, watcher) end
    driver.sleep(0)
    driver.sleep(0)
    for _ = 1, random(0, 6) do
      driver.sleep(pick(0, 0, 0.001))
      if random(2) == 1 then quiet() end
      if random(3) == 1 then driver.cancel(handles[random(#handles)]) end
    end
    start("drain", drain)
    local function writing()
      for state in pairs(doing) do
        if state.name:find "writer" then return true end
      end
    end
    while writing() and socket.monotime() < till do driver.sleep(0.0005) end
    if writing() then wait(0) end
    assert(writers > 0)
    a:settimeout(nil)
    b:settimeout(nil)
    assert(a:flush())
    if stream or family.name == "unix seqpacket" then
      assert(a:shutdown "SHUT_WR")
    else
      repeat
        a:send(END, family.loses and "MSG_DONTWAIT" or 0)
        driver.sleep(0.001)
      until over or not family.loses
    end
    while not over and socket.monotime() < till do driver.sleep(0.0005) end
    if not stream and family.name ~= "unix seqpacket" then -- others wait for messages that will not come
      for _, handle in ipairs(handles) do driver.cancel(handle) end
    end
    wait(0)
  end)
  a:close()
  b:close()

  -- ---- what came ----

  local function is(call, n)
    if n > call.len or (call.sent and n ~= call.sent) then
      fail("of %s came %d bytes; %s of %d were sent", call.letter, n, call.sent, call.len)
    end
  end

  local at = 0 -- the last call of which something came
  local function came(letter, n)
    local id = letter:byte() - 33
    if id <= at then fail("%s came again, or late", letter) end
    for i = at + 1, id - 1 do
      if not family.loses then is(calls[i], 0) end
    end
    at = id
    is(calls[id], n)
  end

  if stream then
    local whole = table.concat(received)
    for _, peek in ipairs(peeks) do
      if whole:sub(peek[1] + 1, peek[1] + #peek[2]) ~= peek[2] then fail("what was peeked at is not what came") end
    end
    local from = 1
    while from <= #whole do
      local letter = whole:sub(from, from)
      local _, last = whole:find("^[" .. (letter:find "%w" and letter or "%" .. letter) .. "\n]+", from)
      if not last then fail("a line feed begins") end
      came(letter, last - from + 1)
      from = last + 1
    end
  else
    for _, data in ipairs(received) do
      if data ~= data:sub(1, 1):rep(#data) then fail "a message is torn" end
      came(data:sub(1, 1), #data)
    end
  end
  if not family.loses then
    for i = at + 1, #calls do is(calls[i], 0) end
  end
end

for number = first, first + count - 1 do run(number) end
print "unharmed"
