-- The Lua stack: calls of every kind where few slots are left, and where errors come from deep in their arguments. What
-- goes beyond them mostly shows nothing; under the Lua of `make hard`, whose stack moves at each call and whose API is
-- checked, it ends the program, and with MALLOC_PERTURB_ set a value of the wrong type may come out. `stack.lua 40` has
-- 0 to 40 more values on the stack.
local socket, loop = require "bsdsocket", require "bsdsocket.loop"

local most = math.tointeger(arg[1]) or 40
local listener <close> = assert(socket.listen("127.0.0.1", 0))
local port = listener:getsockname().port
local datagrams <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
local deep = {level = "IPPROTO_IP", type = "IP_PKTINFO", value = {ifindex = 1, address = datagrams}}

local function opened() return assert(socket.socket()) end

local function pair(type) -- both live as long as the first
  local a, b = assert(socket.socketpair("AF_UNIX", type))
  return setmetatable({}, {__close = function()
    a:close()
    b:close()
  end}), a, b
end

local function takes(s) -- accepts and closes it again, so that the listener's queue does not fill
  assert(listener:accept()):close()
  return s
end

-- name = {what it gives, f}; an error's text is a string
local calls = {
  address = {"userdata", function() return socket.address("AF_INET", "localhost", port) end},
  connect = {"userdata", function()
    local s <close> = opened()
    return takes(s:connect("localhost", port))
  end},
  bind = {"userdata", function()
    local s <close> = opened()
    return s:bind("localhost", 0)
  end},
  getaddrinfo = {"table", function() return socket.getaddrinfo("localhost", port) end},
  getnameinfo = {"string", function() return (socket.getnameinfo(listener:getsockname())) end},
  ["socket.connect"] = {"userdata", function()
    local s <close> = assert(socket.connect("localhost", port))
    return takes(s)
  end},
  ["a mistake in a message"] = {"string", function()
    return select(2, pcall(datagrams.sendmsg, datagrams, {data = "x", control = {deep}}))
  end},
  ["a mistake in one of many messages"] = {"string", function()
    return select(2, pcall(datagrams.sendmmsg, datagrams, {{data = "x", control = {deep}}}))
  end},
  ["a mistake in an array"] = {"string", function()
    return select(2, pcall(datagrams.sendmmsg, datagrams, {"x", {data = {"y", datagrams}}}))
  end},
  ["an unknown field"] = {"string", function()
    return select(2, pcall(datagrams.sendmmsg, datagrams, {{data = "x", control = {{levle = 1}}}}))
  end},
  ["a wrong option"] = {"string", function()
    return select(2, pcall(datagrams.setsockopt, datagrams, "IPPROTO_IP", "IP_ADD_MEMBERSHIP", {multiaddr = datagrams}))
  end},
  ["read with many formats"] = {"number", function()
    local both <close>, a, b = pair()
    assert(both and a:send(("1 "):rep(200)) == 400)
    local formats = {}
    for i = 1, 200 do formats[i] = "n" end
    return select("#", b:read(table.unpack(formats)))
  end},
  ["lines with many formats"] = {"number", function()
    local both <close>, a, b = pair()
    assert(both and a:send(("1 "):rep(200)) == 400)
    local formats = {}
    for i = 1, 200 do formats[i] = "n" end
    return select("#", b:lines(table.unpack(formats))())
  end},
  ["write of many values"] = {"userdata", function()
    local both <close>, a, b = pair()
    return both and b and a:write(table.unpack({("x"):rep(200):byte(1, -1)}))
  end},
  ["a message with descriptors"] = {"userdata", function()
    local both <close>, a, b = pair()
    assert(both and a:sendmsg {data = "x", fds = {listener, datagrams}})
    local message = assert(b:recvmsg(10))
    for _, fd in ipairs(message.fds) do fd:close() end
    return message.fds[2]
  end},
  ["many messages"] = {"table", function()
    local both <close>, a, b = pair "SOCK_DGRAM"
    assert(both and a:sendmmsg {"x", "y", "z"} == 3)
    return b:recvmmsg(3, 10)
  end},
  ["a poller"] = {"userdata", function()
    local p <close> = socket.poller()
    local both <close>, a, b = pair()
    p:add(a, "rw")
    local f, state = p:wait(1)
    return both and b and (f(state))
  end},
  select = {"userdata", function()
    local both <close>, a, b = pair()
    local _, writable = socket.select({b}, {a})
    return both and writable[1]
  end},
}

-- In tasks besides: results, and errors of every kind.
local intasks = {
  ["an error in loop.wrap"] = {"string", function()
    return select(2, pcall(loop.wrap(function() error "x" end)))
  end},
  ["an error in loop.timeout"] = {"string", function() return select(2, pcall(loop.timeout, 1, error, "x")) end},
  ["a yield in loop.timeout"] = {"string", function() return select(2, pcall(loop.timeout, 1, coroutine.yield)) end},
  ["an error of a task"] = {"string", function() return select(2, loop.spawn(error, "x"):join()) end},
  ["a yield of a task"] = {"string", function() return select(2, loop.spawn(coroutine.yield, "x"):join()) end},
  ["an error of a <close> variable"] = {"string", function()
    local task = loop.spawn(function()
      local _ <close> = setmetatable({}, {__close = function() error "x" end})
      loop.sleep(1)
    end)
    loop.sleep(0)
    task:cancel()
    return select(2, task:join())
  end},
  ["many results"] = {"number", function()
    return select("#", loop.spawn(function() return table.unpack({}, 1, 200) end):join())
  end},
  ["many results of a generator"] = {"number", function()
    return select("#", loop.wrap(function() coroutine.yield(table.unpack({}, 1, 200)) end)())
  end},
  ["a timeout"] = {"string", function() return select(3, loop.timeout(0.0001, loop.sleep, 1)) end},
  ["a cancel"] = {"string", function()
    local task = loop.spawn(loop.timeout, 1, loop.wrap(function() loop.sleep(1) end))
    loop.sleep(0)
    task:cancel()
    return select(2, task:join())
  end},
}

local function check(name, how, expected, f, k)
  local function g() -- a frame of a size of its own
    local result = f()
    return type(result)
  end
  local got = g()
  if got ~= expected then
    error(("%s %s with %d more values on the stack gives a %s"):format(name, how, k, got), 0)
  end
end

local function each(list, how, run)
  for name, call in pairs(list) do
    for k = 0, most do
      run(function(...) check(name, how, call[1], call[2], select("#", ...)) end, table.unpack({}, 1, k))
    end
  end
end

local function inside(f, ...) coroutine.wrap(f)(...) end

local function alone(f, ...) f(...) end

each(calls, "as it is", alone)
each(calls, "in a coroutine", inside)
loop.run(function()
  local function intask(...)
    local ok, err = loop.spawn(...):join()
    if not ok then error(err, 0) end
  end
  each(calls, "in a task", intask)
  each(intasks, "in a task", intask)
end)
socket.setwaiter(function() end) -- the call blocks the thread
each(calls, "under a scheduler", inside)
socket.setwaiter(function() coroutine.yield() end)
each(calls, "under a scheduler that yields", function(f, ...)
  local co = coroutine.create(f)
  local ok, err = coroutine.resume(co, ...)
  while ok and coroutine.status(co) ~= "dead" do ok, err = coroutine.resume(co) end
  if not ok then error(err, 0) end
end)
socket.setwaiter(nil)
print "unharmed"
