-- Lua's prompt as a user sits before it: a real `lua5.4 -i` at a pseudo-terminal. Ctrl-C interrupts each call
-- that waits, and the socket can be used as if nothing had been.
local process = require "spec.support.process"

-- Each case, typed at the prompt: what is made before, the call that waits, and what shows afterwards that
-- all is well, with what it prints.
local calls = {
  accept = {
    "server = socket.listen('127.0.0.1', 0)",
    "server:accept()",
    "c = socket.connect(server:getsockname()) print((select(2, server:accept())) == c:getsockname())", "true",
  },
  ["accept under a timeout"] = {
    "server = socket.listen('127.0.0.1', 0):settimeout(100)",
    "server:accept()",
    "c = socket.connect(server:getsockname()) print((select(2, server:accept())) == c:getsockname())", "true",
  },
  clients = {
    "server = socket.listen('127.0.0.1', 0)",
    "for c in server:clients() do end",
    "c = socket.connect(server:getsockname()) for x, at in server:clients() do print(at == c:getsockname()) break end",
    "true",
  },
  recv = {
    "a, b = socket.socketpair()",
    "a:recv()",
    "b:send('hello') print(a:recv())", "hello",
  },
  ["recv under a timeout"] = {
    "a, b = socket.socketpair() a:settimeout(100)",
    "a:recv()",
    "b:send('hello') print(a:recv())", "hello",
  },
  ["recv under a timeout that the kernel is not asked to keep"] = {
    "a, b = socket.socketpair() a:settimeout(100) twin = a:dup()",
    "a:recv()",
    "b:send('hello') print(a:recv())", "hello",
  },
  ["recv of an exact number"] = {
    "a, b = socket.socketpair() b:send('hel')",
    "a:recv(5, 'MSG_WAITALL')",
    "b:send('lo') print(a:recv(5, 'MSG_WAITALL'))", "hello",
  },
  recvinto = {
    "a, b = socket.socketpair() buf = socket.buffer(9)",
    "a:recvinto(buf)",
    "b:send('hello') print(a:recvinto(buf), buf:sub(1, 5))", "5\thello",
  },
  recvfrom = {
    "a = socket.socket('AF_INET', 'SOCK_DGRAM'):bind('127.0.0.1', 0)",
    "a:recvfrom()",
    "a:sendto('hello', a:getsockname()) print((a:recvfrom()))", "hello",
  },
  sendall = {
    "a, b = socket.socketpair()",
    "a:sendall(('x'):rep(1 << 24))",
    "n = 0 while b:recv(1 << 20, 'MSG_DONTWAIT') do n = n + 1 end a:send('y') print(n > 0, b:recv())", "true\ty",
  },
  connect = {
    "server, full = crowd()",
    "s = socket.socket() s:connect(server:getsockname())",
    "for _ = 1, full do server:accept() end s:settimeout(30) print(s:connect(server:getsockname()) == s)", "true",
  },
  ["connect to a path"] = { -- TCP tries again only after a second
    "server = pathcrowd()",
    "s = socket.socket('AF_UNIX') s:connect(server:getsockname())",
    "server:accept() s:settimeout(30) print(s:connect(server:getsockname()) == s)", "true",
  },
  ["socket.connect"] = {
    "server = crowd() do local s <close> = socket.socket() free = s:fileno() end",
    "socket.connect(server:getsockname())",
    "print(socket.connect('127.0.0.1', 1)) print(socket.socket():fileno() == free)",
    "nil\tconnect 127.0.0.1:1: Connection refused\tECONNREFUSED\ntrue",
  },
  select = {
    "a, b = socket.socketpair()",
    "socket.select({a}, nil)",
    "b:send('hello') print(socket.select({a}, nil)[1] == a, a:recv())", "true\thello",
  },
  ["select under a timeout"] = {
    "a, b = socket.socketpair()",
    "socket.select({a}, nil, 100)",
    "b:send('hello') print(socket.select({a}, nil, 100)[1] == a, a:recv())", "true\thello",
  },
  ["a poller's wait"] = {
    "a, b = socket.socketpair() p = socket.poller():add(a, 'r')",
    "for s in p:wait() do end",
    "b:send('hello') for s in p:wait() do print(s:recv()) end", "hello",
  },
}

-- A listener whose queue is full, so that a connect to it waits; and how many it has in its queue.
local crowd = [[
  guests = {}
  function crowd()
    local server = assert(socket.socket():bind('127.0.0.1', 0):listen(0))
    while true do
      local s = socket.socket():settimeout(0)
      s:connect(server:getsockname())
      guests[#guests + 1] = s
      if not select(2, socket.select(nil, {s}, 0.2))[1] then
        s:close()
        return server, #guests - 1
      end
    end
  end
  function pathcrowd()
    local server = assert(socket.socket('AF_UNIX'):bind(''):listen(0))
    repeat guests[#guests + 1] = socket.socket('AF_UNIX'):settimeout(0)
    until not guests[#guests]:connect(server:getsockname())
    return server
  end
]]

-- How it is called, and what is printed then; coroutine.wrap puts a position before an error that passes.
local ways = {
  ["at the prompt"] = { "%s", "interrupted!" },
  ["in coroutine.wrap"] = { "coroutine.wrap(function() %s end)()", "stdin:1: interrupted!" },
  ["in coroutine.resume"] = {
    "print(coroutine.resume(coroutine.create(function() %s end)))", "false\tinterrupted!",
  },
  ["two coroutines deep"] = {
    "coroutine.wrap(function() coroutine.wrap(function() %s end)() end)()", "stdin:1: stdin:1: interrupted!",
  },
  ["under pcall"] = { "print(pcall(function() %s end))", "false\tinterrupted!" },
}

-- What ran after the interruption ran to its end: a second `interrupted!` would have shown.
local busy = "for i = 1, 1000 do tostring(i) end coroutine.wrap(function() tostring(1) end)()"

local function interrupts(way, call)
  local before, waits, after, expected = table.unpack(calls[call])
  local form, says = table.unpack(ways[way])
  local terminal <close> = process.terminal(crowd)
  assert.equal("", terminal:run(before))
  terminal:waits(form:format(waits))
  terminal:type "\3"
  local lines = terminal:hear ".*interrupted!"
  assert.equal(says, (lines[#lines]:gsub("^%^C", "")))
  local rest = terminal:run(busy)
  assert.is_nil(rest:find("interrupted", 1, true), rest)
  assert.equal(expected, terminal:run(after))
  -- and it is no matter of luck that it works once
  assert.equal("still here", terminal:run "print('still here')")
end

describe("Ctrl-C at Lua's prompt #process", function()
  for call in pairs(calls) do
    it("interrupts " .. call, function() interrupts("at the prompt", call) end)
  end

  for way in pairs(ways) do
    for _, call in ipairs { "accept", "recv", "connect to a path", "select" } do
      if way ~= "at the prompt" then
        it(("interrupts %s %s"):format(call, way), function() interrupts(way, call) end)
      end
    end
  end

  -- lua.c tells the main thread alone, so the coroutine hears of it when it waits
  it("interrupts a coroutine that computed when it came, as soon as it waits", function()
    local terminal <close> = process.terminal()
    assert.equal("", terminal:run "a, b = socket.socketpair()")
    local mark, print_mark = terminal:mark()
    terminal:type(print_mark .. " coroutine.wrap(function() local t = socket.monotime() + 0.3 "
      .. "repeat until socket.monotime() > t a:recv() end)()\n")
    terminal:hear(mark)
    terminal:type "\3"
    terminal:hear ".*interrupted!"
    assert.is_nil(terminal:run(busy):find("interrupted", 1, true))
    assert.equal("hello", terminal:run "b:send('hello') print(a:recv())")
  end)
end)
