-- Chaos: tasks that do by chance everything that can be done to the same few sockets, pollers, generators and tasks; in
-- finalizers, <close> variables, metamethods and comparisons of table.sort, too. Nothing of it has a right outcome, but
-- nothing may crash or hang, and afterwards no descriptor is left. `chaos.lua 7` is much the same each time (the kernel
-- has a say); spec/loop/hostile_spec.lua runs a few, and many more are worth a try with the build of `make asan`.
local socket, loop = require "bsdsocket", require "bsdsocket.loop"

local seed = math.tointeger(arg[1])
math.randomseed(seed)
local random = math.random

local function pick(...)
  return (select(random(select("#", ...)), ...))
end

local function lowest()
  local s <close> = assert(socket.socket())
  return s:fileno()
end

local sockets, tasks, pollers, generators = {}, {}, {}, {}
local listener, address
local large, buffer = ("x"):rep(300000), socket.buffer(5000)

-- Every socket has a timeout: somewhere it will be waited for where Lua cannot yield.
local function keep(s, t)
  for _, each in pairs {s, t} do sockets[#sockets + 1] = each:settimeout(pick(0, 0.001, 0.01)) end
  while #sockets > 40 do table.remove(sockets, 1) end -- the collector may have them
end

local function any() return sockets[random(#sockets)] end

local function first(n, ...) -- of an iterator's rounds
  for _ in ... do
    n = n - 1
    if n == 0 then break end
  end
end

local run
local over = false -- and what is left has to go

local always = {
  function() keep(socket.socketpair("AF_UNIX", pick("SOCK_STREAM", "SOCK_STREAM", "SOCK_DGRAM"))) end,
  function() keep((socket.connect(address, {timeout = pick(0, 0.01)}))) end,
  function() keep((socket.connect("localhost", address.port, {timeout = 0.02}))) end,
  function() keep((listener:accept())) end,
  function()
    local s = socket.socket()
    keep(s)
    s:connect(address)
    s:connect(address)
  end,
  function() keep((any():dup())) end,
  function()
    local fd = random(10) == 1 and any():detach()
    if fd then keep(socket.fromfd(fd)) end
  end,
  function() any():recv(pick(1, 10, 65536)) end,
  function() any():recv(10, "MSG_PEEK") end,
  function() any():recvinto(buffer) end,
  function() any():recvfrom(10) end,
  function() any():recvmsg(10) end,
  function() any():recvmmsg(3, 10) end,
  function() any():read(pick("l", "L", "n", 5, 0)) end,
  function() any():readuntil("xx", 50) end,
  function() first(4, any():lines()) end,
  function() first(4, any():chunks(7)) end,
  function() first(2, any():clients()) end,
  function() any():send(pick("", "x", "hello\n", large)) end,
  function() any():sendall(pick("", "x", "hello\n", large)) end,
  function() any():sendmsg {data = {"a", "b"}, fds = random(5) == 1 and {any()} or nil} end,
  function() any():sendmmsg {"a", "b"} end,
  function() any():setvbuf(pick("no", "full", "line")) end,
  function() any():write(pick("x", "hello\n", 12.5), "y") end,
  function() any():flush() end,
  function() if random(3) == 1 then any():close() end end,
  function() if random(3) == 1 then any():shutdown(pick("SHUT_RD", "SHUT_WR", "SHUT_RDWR")) end end,
  function() socket.getaddrinfo("localhost", "80", {timeout = pick(0, 0.001, 0.1)}) end,
  function() socket.select({any(), any()}, {any()}, pick(0, 0.001, 0.01)) end,
  function()
    local i = random(3)
    local p = pollers[i] or socket.poller()
    pollers[i] = p
    pcall(p.add, p, any(), pick("r", "w", "rw"))
    first(3, p:wait(pick(0, 0.001, 0.01)))
    if random(10) == 1 then
      p:close()
      pollers[i] = nil
    end
  end,
  function() loop.wait(any(), pick("r", "w", "rw"), pick(0, 0.001, 0.01)) end,
  function() loop.wait(any():fileno(), pick("r", "w", "rw"), pick(0, 0.001, 0.01)) end,
  function() loop.sleep(pick(0, 0, 0.001, 0.005)) end,
  function() if random(5) == 1 then collectgarbage(pick("collect", "step")) end end,
  function()
    if random(20) == 1 then error(pick("oops", {}, setmetatable({}, {__tostring = function() error "worse" end}))) end
  end,
  function() loop.timeout(0.02, pcall, tasks[random(#tasks)].join, tasks[random(#tasks)]) end,
  function() if random(3) == 1 then tasks[random(#tasks)]:cancel() end end,
  function() generators[random(5)]() end,
  function(depth) if #tasks < 200 then tasks[#tasks + 1] = loop.spawn(run, depth) end end,
}

local deeper = {
  function(depth) pcall(loop.timeout, pick(0, 0.001, 0.01), run, depth) end,
  function(depth)
    local g = loop.wrap(function()
      for i = 1, 3 do
        run(depth)
        coroutine.yield(i)
      end
    end)
    generators[random(5)] = g
    for _ = 1, random(3) do g() end
  end,
  function(depth)
    coroutine.wrap(function()
      run(depth)
      coroutine.yield()
    end)()
  end,
  function(depth)
    table.sort({3, 2, 1}, function(a, b)
      loop.sleep(0)
      run(depth)
      return a < b
    end)
  end,
  function(depth)
    local _ <close> = setmetatable({}, {__close = function()
      if random(4) == 1 then error "in close" end
      run(depth)
    end})
    run(depth)
  end,
  function(depth) setmetatable({}, {__gc = function() if not over then run(depth) end end}) end,
  function(depth) return setmetatable({}, {__index = function() run(depth) end}).x end,
  function() -- a coroutine that waits in a task is resumed, or closed, by another
    local co
    tasks[#tasks + 1] = loop.spawn(pick(pcall, loop.timeout), 0.01, function()
      co = coroutine.running()
      any():recv()
    end)
    loop.sleep(0)
    if co then pick(coroutine.resume, coroutine.close)(co) end
  end,
}

function run(depth)
  for _ = 1, random(6) do
    local list = depth > 0 and random(3) == 1 and deeper or always
    local action = list[random(#list)]
    if random(4) == 1 then action(depth - 1) else pcall(action, depth - 1) end
  end
end

local function main()
  for _ = 1, 30 do
    tasks[#tasks + 1] = loop.spawn(function()
      for _ = 1, 10 do run(2) end
    end)
  end
  for _ = 1, 40 do pcall(run, 2) end
  if random(3) == 1 then error "the end" end
  loop.sleep(0.02)
  for _, t in ipairs(tasks) do t:cancel() end
end

local before = lowest()
for _ = 1, 3 do
  listener = assert(socket.listen("127.0.0.1", 0)):settimeout(0.01)
  address = listener:getsockname()
  for _ = 1, 4 do always[1]() end
  over = false
  pcall(loop.run, main)
  over = true
  listener:close()
  for _, s in ipairs(sockets) do s:close() end
  sockets, tasks, pollers, generators = {}, {}, {}, {}
  collectgarbage()
  collectgarbage()
  assert(lowest() == before, "a descriptor is left")
end
print "unharmed"
