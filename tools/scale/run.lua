-- Many clients, a balancer, four workers, and one of them killed: `make test-scale` runs it, once for each balancer.
-- Their configurations are those in docs/scaling.md, with ports that are free here; the workers are those of
-- examples/24_workers.lua; the clients are tasks of this script. It prints what it counted, what came of each promise,
-- and in the last line how many were kept.
--
-- How fast the machine is does not matter: nothing is measured, only counted.

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local child = dofile "examples/child.lua"
local start = dofile "examples/worker.lua"

local PAGE = "docs/scaling.md"
local CLIENTS = 1000 -- connections that are there when a worker dies
local ECHOES = 5 -- of each of them, on average, before that and after
local REST = 0.2 -- seconds between a client's echoes
local CALLERS = 8 -- tasks that open and close one connection after the other meanwhile
local CALLS = 300 -- new connections, at least, while the worker is gone,
local GONE = 2 -- and seconds, so that the balancer has left it out
local PAUSE = 0.01 -- seconds between a task's calls
local SECONDS = 10 -- what takes one call longer has failed
local ALL = 30 -- the same of all that is done with one balancer

-- The ports on the page: where clients call, and where the workers listen.
local FRONT, WORKERS = "8000", { "8001", "8002", "8003", "8004" }

-- How a balancer is started with a configuration file, and how to see that it is here. It does not become a daemon, and
-- has no other processes.
local balancers = {
  {
    name = "haproxy",
    here = "haproxy -v",
    run = "haproxy -db -f %s",
  },
  {
    name = "nginx",
    here = "nginx -v && ls /etc/nginx/modules-enabled/*stream*",
    run = "nginx -e stderr -c %s -g 'daemon off; master_process off; pid /dev/null; error_log stderr;'",
    skip = "nginx with its stream module is not here",
  },
}

---------------------------------------------------------------------------------------------------
-- Promises

local passed, failed, skipped = 0, 0, 0

local function promise(kept, text, ...)
  if kept then passed = passed + 1 else failed = failed + 1 end
  print((kept and "ok      " or "FAILED  ") .. text:format(...))
end

---------------------------------------------------------------------------------------------------
-- The balancer

--- The configuration on the page, with an address in the place of each port: port -> address.
local function configuration(name, addresses)
  local file <close> = assert(io.open(PAGE))
  local text = assert(file:read "a":match("\n```" .. name .. "\n(.-\n)```\n"), "no configuration in " .. PAGE)
  local missing = {}
  for port in pairs(addresses) do missing[port] = true end
  text = text:gsub("127%.0%.0%.1:(%d+)", function(port)
    assert(missing[port], "an address too many in " .. PAGE)
    missing[port] = nil
    return tostring(addresses[port])
  end)
  assert(not next(missing), "an address is missing in " .. PAGE)
  return text
end

--- A free port that stays free for those who set SO_REUSEADDR or SO_REUSEPORT before they bind, as balancers and
--- workers do: nobody listens at this socket, so it gets no connection.
local function place()
  local s = assert(socket.socket())
  return assert(s:setsockopt("SO_REUSEADDR", true):setsockopt("SO_REUSEPORT", true):bind("127.0.0.1", 0))
end

---------------------------------------------------------------------------------------------------
-- The workers

local program = child.quote(arg[-1]) .. " examples/worker.lua"

local function employ(address)
  local pair, process = start(program, address)
  local worker = { pair = pair:settimeout(SECONDS), process = process, address = address }
  worker.id = assert(pair:read "l", "a worker did not start")
  return worker
end

local function kill(worker)
  assert(os.execute("kill -KILL " .. worker.id))
end

--- Waits until a worker has ended: how, in words.
local function dismiss(worker)
  local _, _, why = worker.pair:recv()
  if why == "timeout" then kill(worker) end
  worker.pair:close()
  local _, how, code = worker.process:close()
  worker.process = nil
  return how .. " " .. code
end

---------------------------------------------------------------------------------------------------
-- Clients

--- A connection, and the id of the worker that it has come to.
local function call(front)
  local s, message = socket.connect(front, { timeout = SECONDS })
  if not s then return nil, message end
  local line, why = s:settimeout(SECONDS):read "l"
  local id = line and line:match "^worker (%d+)$"
  if id then return s, id end
  s:close()
  return nil, why or "the stream has ended"
end

local function echo(s, text)
  local sent, why = s:sendall(text .. "\n")
  local line
  if sent then line, why = s:read "l" end
  if line == text then return true end
  return false, why or line and "another's echo: " .. line or "the stream has ended"
end

--- Stays connected and sends one number after the other: until all is over, or an echo does not come.
local function stay(client, front, now)
  local s <close>, id = call(front)
  if not s then
    client.failure = id
    return
  end
  client.worker = id
  for i = 1, math.huge do
    local last = now.over
    local ok, why = echo(s, client.n .. "." .. i)
    if not ok then
      client.failure = why
      return
    end
    now.echoes = now.echoes + 1
    if i == 1 then now.established = now.established + 1 end
    if last then
      client.after = true
      return
    end
    loop.sleep(REST)
  end
end

--- Calls, sends its number, and hangs up; again and again.
local function visit(calls, front, now)
  while not now.over do
    local c = { begun = loop.now() }
    calls[#calls + 1] = c
    local text = "call " .. #calls
    local s <close>, id = call(front)
    if s then
      c.worker = id
      c.ok, c.failure = echo(s, text)
    else
      c.failure = id
    end
    c.ended = loop.now()
    loop.sleep(PAUSE)
  end
end

---------------------------------------------------------------------------------------------------

local function wait(what, condition)
  local deadline = loop.now() + SECONDS
  while not condition() do
    if loop.now() > deadline then error("waited in vain for " .. what, 0) end
    loop.sleep(0.02)
  end
end

--- How many of a list meet a condition, and for the end of a sentence why the first of them failed.
local function count(list, condition)
  local n, why = 0, ""
  for _, each in ipairs(list) do
    if condition(each) then
      if n == 0 and each.failure then why = ": " .. each.failure end
      n = n + 1
    end
  end
  return n, why
end

--- An array whose elements are closed, in whatever way the block ends.
local function closing(close)
  return setmetatable({}, {
    __close = function(self)
      for _, each in pairs(self) do close(each) end
    end,
  })
end

local function try(balancer)
  local places <close> = closing(function(s) s:close() end)
  local workers <close> = closing(function(worker)
    if not worker.process then return end
    kill(worker)
    worker.pair:close()
    worker.process:close()
  end)
  local addresses = {}
  for _, port in ipairs { FRONT, table.unpack(WORKERS) } do
    places[port] = place()
    addresses[port] = places[port]:getsockname()
  end
  for i, port in ipairs(WORKERS) do workers[i] = employ(addresses[port]) end
  local front = addresses[FRONT]

  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  assert(file:write(configuration(balancer.name, addresses)))
  file:close()
  local running <close> = child.start("env PATH=\"$PATH:/usr/sbin\" " .. balancer.run:format(name))
  wait(balancer.name, function()
    local line, more = running:line(loop.now())
    if line then
      print(line)
    elseif more ~= "timeout" then
      error("it has ended", 0)
    end
    local s = socket.connect(front, { timeout = SECONDS })
    return s and s:close()
  end)
  os.remove(name)

  -- before
  local now, clients, calls, tasks = { established = 0, echoes = 0 }, {}, {}, {}
  for n = 1, CLIENTS do
    clients[n] = { n = n }
    tasks[n] = loop.spawn(stay, clients[n], front, now)
  end
  wait("the connections", function()
    return now.established + count(clients, function(c) return c.failure end) >= CLIENTS
  end)
  local _, why = count(clients, function(c) return c.failure end)
  promise(now.established == CLIENTS, "%d of %d connections are there, each with its own echo%s", now.established,
    CLIENTS, why)
  for i, worker in ipairs(workers) do
    worker.clients = count(clients, function(c) return c.worker == worker.id end)
    promise(worker.clients > 0, "%d of them are with worker %d", worker.clients, i)
  end
  for _ = 1, CALLERS do tasks[#tasks + 1] = loop.spawn(visit, calls, front, now) end
  wait("echoes and calls", function() return now.echoes >= ECHOES * CLIENTS and #calls > CALLS end)

  -- a worker is killed; it is gone when it has been waited for
  local victim = workers[2]
  local killed, before = loop.now(), now.echoes
  kill(victim)
  dismiss(victim)
  local gone, begun = loop.now(), #calls
  wait("calls while the worker is gone", function()
    return #calls > begun + CALLS and now.echoes >= before + ECHOES * CLIENTS and loop.now() >= gone + GONE
  end)

  -- another one comes in its place
  local back = loop.now()
  local successor = employ(victim.address)
  workers[2] = successor
  local function issuccessors(c) return c.worker == successor.id and c.ok end
  pcall(wait, "the new worker's first client", function() return count(calls, issuccessors) > 0 end)

  -- after
  now.over = true
  for _, task in ipairs(tasks) do assert(task:join()) end
  local function isvictims(c) return c.worker == victim.id end
  local function isnew(c) return c.begun >= gone end
  local function isold(c) return c.ended <= killed end
  local harmed, lost, refused, new
  harmed, why = count(clients, function(c) return not isvictims(c) and not c.after end)
  promise(harmed == 0, "%d of %d connections to the other workers were harmed%s", harmed,
    count(clients, function(c) return not isvictims(c) end), why)
  lost = count(clients, function(c) return isvictims(c) and not c.after end)
  promise(lost == victim.clients, "%d of %d connections to the killed worker have ended", lost, victim.clients)
  new = count(calls, isnew)
  refused, why = count(calls, function(c) return isnew(c) and not c.ok end)
  promise(new > CALLS and refused == 0, "%d of %d new connections failed after that%s", refused, new, why)
  refused, why = count(calls, function(c) return isold(c) and not c.ok end)
  promise(refused == 0, "%d of %d new connections failed before that%s", refused, count(calls, isold), why)
  local function ismoments(c) return not isnew(c) and not isold(c) end
  refused, why = count(calls, function(c) return ismoments(c) and not c.ok and c.worker and not isvictims(c) end)
  promise(refused == 0, "%d of %d in that moment failed at other workers%s", refused, count(calls, ismoments), why)
  lost = count(calls, function(c) return ismoments(c) and not c.ok end)
  promise(count(calls, issuccessors) > 0, "%d connections have come to the worker in its place",
    count(calls, issuccessors))

  -- the end: nobody is connected any more, and each worker is told
  for i, worker in ipairs(workers) do
    worker.pair:shutdown("SHUT_WR")
    local how = dismiss(worker)
    promise(how == "exit 0", "worker %d, told to end, has ended: %s", i, how)
  end
  print(("        %d echoes; %d calls, of which %d were lost in the moment of death; the worker was gone for %.1f s")
    :format(now.echoes, #calls, lost, back - gone))
end

local function main()
  for _, balancer in ipairs(balancers) do
    print("== " .. balancer.name)
    local here = os.execute("PATH=\"$PATH:/usr/sbin\"; { " .. balancer.here .. "; } >/dev/null 2>&1")
    if here or not balancer.skip then
      local ok, err, late = pcall(loop.timeout, ALL, try, balancer)
      if not ok or late then promise(false, "%s", tostring(late or err)) end
    else
      print("1 skipped: " .. balancer.skip)
      skipped = skipped + 1
    end
  end
end

io.stdout:setvbuf "line"
local ok, message = pcall(loop.run, main)
if not ok then promise(false, "%s", tostring(message)) end
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0, true)
