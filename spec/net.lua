-- What specs of transfers need again and again: sockets that are connected or full, other processes, clocks.
local socket = require "bsdsocket"
local helper = require "spec.helper"
local luassert = require "luassert"

local net = {}

-- Sockets that net.close closes: `after_each(net.close)` stands in each spec file that uses them.
local kept = {}

--- Keeps them for net.close, and gives them back.
local function keep(...)
  for i = 1, select("#", ...) do kept[#kept + 1] = select(i, ...) end
  return ...
end

net.keep = keep

function net.close()
  local list = kept
  kept = {}
  for _, s in ipairs(list) do
    if s.close then s:close() end -- accept's address is among them
  end
end

--- Keeps none of them any longer, without closing them.
function net.forget() kept = {} end

--- For several sockets that one call gives: `local a, b = ...; local _ <close> = net.closing(a, b)`.
function net.closing(...)
  return setmetatable({ ... }, { __close = function(list)
    for _, s in ipairs(list) do s:close() end
  end })
end

--- One that is closed.
function net.closed()
  local s = assert(socket.socket())
  s:close()
  return s
end

--- One of TCP that listens.
function net.listener(backlog)
  return assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen(backlog))
end

--- Both ends of a socketpair of that type.
function net.pair(kind)
  return keep(assert(socket.socketpair("AF_UNIX", kind)))
end

--- Both ends of a TCP connection: the one that connected, the one that was accepted. `prepare` gets
--- each socket before anything is sent: the connecting one, and the listener, which passes options on.
function net.tcp(prepare)
  prepare = prepare or function() end
  local listener <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
  prepare(listener)
  assert(listener:bind("127.0.0.1", 0)):listen()
  local client = assert(socket.socket("AF_INET", "SOCK_STREAM"))
  prepare(client)
  assert(client:connect(listener:getsockname()))
  local server = assert(listener:accept())
  return keep(client, server)
end

--- Two UDP sockets, the first connected to the second.
function net.udp()
  local receiver = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
  local sender = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
  return keep(assert(sender:connect(receiver:getsockname())), receiver)
end

--- An address of datagrams that goes nowhere. Whose it is talks to itself: were it free, it could become that of the
--- very socket that is to meet nobody.
function net.nobody()
  local s = keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
  return assert(s:connect(s:getsockname())):getsockname()
end

local function flags(fd)
  local file <close> = io.open("/proc/self/fdinfo/" .. fd)
    or helper.skip "the flags of a descriptor are not to be seen here"
  return tonumber(file:read "a":match "flags:%s*(%d+)", 8)
end

--- Has the file of that descriptor O_NONBLOCK? As the system tells.
function net.nonblocking(fd)
  return flags(fd) & 2048 ~= 0
end

--- Would a child inherit that descriptor? As the system tells.
function net.inherited(fd)
  return flags(fd) & 524288 == 0 -- O_CLOEXEC
end

--- Blocks the thread wherever it is called, as nobody can yield in there.
local function pause(seconds)
  string.gsub("x", "x", function() socket.select(nil, nil, seconds) end)
end

--- Of TCP: is there something that the other end has not acknowledged? It does so up to 40 ms later on Linux, and then
--- there is room for some more.
local function underway(s)
  if s:family() == socket.AF_UNIX then return false end
  local info = s:getsockopt("IPPROTO_TCP", socket.TCP_INFO or 0, 104)
  return info and #info >= 28 and string.unpack("I4", info, 25) > 0 -- tcpi_unacked
end

--- Sends until the other end takes no more; gives the number of bytes.
function net.fill(s)
  local timeout, total = s:gettimeout "w", 0
  local data = ("x"):rep(65536)
  s:settimeout(0, "w")
  repeat
    for size = 16, 0, -1 do
      local message, code, sent
      repeat
        message, code, sent = select(2, s:sendall(data, nil, 1, 1 << size))
        total = total + (message and sent or 1 << size)
      until message
      assert(code == "EAGAIN", message)
    end
    local waited = false
    while underway(s) do
      pause(0.001)
      waited = true
    end
  until not waited
  s:settimeout(timeout, "w")
  return total
end

--- The other end resets the connection instead of ending it.
function net.reset(s)
  assert(s:setsockopt("SOL_SOCKET", "SO_LINGER", string.pack("ii", 1, 0)))
  s:close()
end

--- The call has to give these results and no others.
function net.gives(expected, ...)
  expected.n = expected.n or #expected
  luassert.same(expected, table.pack(...))
end

---------------------------------------------------------------------------------------------------
-- Clocks

-- Under valgrind everything takes its time, and under the sanitizers what is done does. There the processor's time tells
-- less; without them it tells who is busy.
local slow = (os.getenv "LD_PRELOAD" or ""):find "vgpreload"
net.slow = slow ~= nil
local late, busy = slow and 0.5 or 0.02, slow and 1 or helper.instrumented and 0.2 or 0.01

local TRIES <const> = 8

--- Before it is tried again: who needs the machine may need it for a while.
local function rest(try)
  if try < TRIES then pause(math.min(0.03 * 2 ^ try, 1)) end
end

--- f(...) has to return true once in a few tries: others may need the machine. For what may be late, and never for
--- what may be early, or wrong; of that f makes an error.
function net.sometime(f, ...)
  local why
  for try = 1, TRIES do
    local ok
    ok, why = f(...)
    if ok then return end
    rest(try)
  end
  error("not once: " .. tostring(why), 2)
end

--- For how many seconds this process has been ready to run while others had the processor. What happens meanwhile may
--- be late by so much.
function net.heldup()
  local file <close> = io.open "/proc/self/schedstat"
  return file and select(2, file:read("n", "n")) / 1e9 or 0
end

--- f(...) has to take so many seconds, never less, and once in a few tries no more than 20 ms more but for what others
--- took of the processor; and hardly any of that itself. Gives the results of the last one.
function net.takes(seconds, f, ...)
  local least = math.huge
  for try = 1, TRIES do
    local heldup, cpu, start = net.heldup(), os.clock(), socket.monotime()
    local results = table.pack(f(...))
    local took = socket.monotime() - start
    cpu = os.clock() - cpu
    if took < seconds then error(("gave up after %f of %f s"):format(took, seconds), 2) end
    least = math.min(least, took - (net.heldup() - heldup))
    if least <= seconds + late and cpu <= busy + seconds / 20 then
      return table.unpack(results, 1, results.n)
    end
    rest(try)
  end
  error(("took %f s and not %f, or was busy meanwhile"):format(least, seconds), 2)
end

--- How often this process has given the processor away to wait for something; nil where nobody tells.
function net.switches()
  local file <close> = io.open "/proc/self/status"
  return file and tonumber(file:read "a":match "\nvoluntary_ctxt_switches:%s*(%d+)")
end

--- f(...) has to be over at once: soon, or, as others may need the machine, without having waited for anything.
function net.atonce(f, ...)
  local before, start = net.switches(), socket.monotime()
  local results = table.pack(f(...))
  local took = socket.monotime() - start
  if took > 0.2 + late and not (before and net.switches() == before) then error(("took %f s"):format(took), 2) end
  return table.unpack(results, 1, results.n)
end

---------------------------------------------------------------------------------------------------
-- Other processes

local child = {}
child.__index = child

--- Runs Lua code as a script of its own, with `...` as its arguments. Both its outputs are read by
--- child:line() and child:rest(); closed, it is killed.
function net.child(code, ...)
  local script = helper.saved("local socket = require 'bsdsocket'\nio.stdout:setvbuf 'no'\n", code)
  local pipe = assert(io.popen("exec 2>&1; echo $$; exec env " .. helper.command(script, ...)))
  return keep(setmetatable({ pipe = pipe, pid = pipe:read "n", nl = pipe:read "L" }, child))
end

--- A child that does with the other end `s` of a TCP connection what the code says: our end, and the child.
function net.peer(code, ...)
  local listener <close> = net.listener()
  local process = net.child("local s = assert(socket.connect('127.0.0.1', arg[1]))\n" .. code,
    listener:getsockname().port, ...)
  return keep((assert(listener:accept()))), process
end

function child:line()
  return self.pipe:read "l"
end

function child:signal(name)
  assert(os.execute(("kill -%s %d"):format(name, self.pid)))
end

--- Waits until it waits for something itself; it must have said that nothing else comes before.
function child:asleep()
  for _ = 1, 1000 do
    local file <close> = io.open(("/proc/%d/stat"):format(self.pid))
    if not file then break end
    if file:read "a":match "%) S " then return end
    socket.select(nil, nil, 0.002)
  end
  socket.select(nil, nil, 0.1) -- no /proc here
end

--- What it still says until it ends, and its exit status, 128 + number for a signal.
function child:rest()
  local text = self.pipe:read "a"
  local _, how, code = self.pipe:close()
  self.pipe = nil
  return text, how == "signal" and 128 + code or code
end

function child:close()
  if self.pipe then
    os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid))
    self.pipe:close()
    self.pipe = nil
  end
end

child.__close = child.close

return net
