-- Every call that can wait, one row each, for the specs that hold of all of them alike.
--
-- A row: name      the call as messages and spec/support/failures.lua name it; what: which of its uses
--        side      "r" or "w": which of a socket's two waiters it is; nil: a second one is no matter
--        raises    a failure is an error, as of an iterator in `for`
--        flushes   something is written and not yet sent
--        slow      takes a second, as TCP does not try again sooner
--        prepare() makes a case, outside of every task:
--          sock       what is waited on, and can be closed
--          call()     has to wait
--          act()      in another task, lets it go on; may give a task that is to be cancelled afterwards
--          check(...) of the results of call
--          limit(s, direction)  the timeout of the next call; of calls of one side only, where the socket keeps it
--          timedout(...) of the results at the timeout; nil: nil, message, "timeout"
--          closed(...)   of the results when sock is closed; nil: nil, message, "EBADF"; false: not to be tried
--          now        the code under timeout 0; nil: "EAGAIN"; false: no code
--          once       what call does cannot be done twice
local assert = require "luassert"
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local loop = require "bsdsocket.loop"

local MORE = 1 << 19 -- than any socket takes at once

local waits = {}

local rows, cases = {}, {}
waits.rows = rows

local function add(row)
  local prepare = row.prepare
  function row.prepare()
    local c = prepare()
    cases[#cases + 1] = c
    return c
  end
  rows[#rows + 1] = row
end

--- After a spec: closes what cases have opened, whatever is still to be flushed.
function waits.close()
  for i, c in ipairs(cases) do
    c.limit(0)
    cases[i] = nil
  end
  net.close()
end

--- A case of socket `s`.
local function case(s, call, act, check)
  return {
    sock = s, call = call, act = act, check = check,
    limit = function(seconds, direction) s:settimeout(seconds, direction) end,
  }
end

---------------------------------------------------------------------------------------------------
-- Receiving: the other end sends.

local function datagrams()
  local b, a = net.udp()
  return a, b
end

--- `call(s)` has to give `...` when the other end has sent `data`.
local function receiving(name, what, make, data, call, check)
  add { name = "s:" .. name, what = what, side = "r", prepare = function()
    local a, b = make()
    return case(a, function() return call(a) end, function() assert(b:sendall(data)) end,
      function(...) check(a, ...) end)
  end }
end

local function gives(...)
  local wanted = table.pack(...)
  return function(_, ...) assert.same(wanted, table.pack(...)) end
end

receiving("recv", nil, net.pair, "hello", function(s) return s:recv() end, gives "hello")
receiving("recv", "of TCP", net.tcp, "hello", function(s) return s:recv(4) end, gives "hell")
receiving("recv", "of a datagram", datagrams, "hello", function(s) return s:recv(4) end, gives("hell", true))
receiving("recv", "with MSG_PEEK", net.pair, "hello", function(s) return s:recv(9, "MSG_PEEK") end, gives "hello")
receiving("recvfrom", nil, datagrams, "hello", function(s) return s:recvfrom() end, function(_, data, address, cut)
  assert.equal("hello", data)
  assert.equal("127.0.0.1", address.host)
  assert.is_nil(cut)
end)
receiving("recvinto", nil, net.pair, "hello", function(s)
  local buf = socket.buffer(10)
  local n, message, code = s:recvinto(buf, 9, 2)
  if not n then return nil, message, code end
  return n, buf:sub(1, 6)
end, gives(5, "\0hello"))
receiving("recvmsg", nil, net.pair, "hello", function(s)
  local message, why, code = s:recvmsg()
  if not message then return nil, why, code end
  return message.data
end, gives "hello")
receiving("recvmmsg", nil, datagrams, "hello", function(s)
  local list, why, code = s:recvmmsg(5, 100)
  if not list then return nil, why, code end
  return #list, list[1].data
end, gives(1, "hello"))
receiving("read", "of a line", net.pair, "one\r\ntwo\n", function(s) return s:read() end, function(s, ...)
  assert.same({ "one" }, { ... })
  assert.equal("two\n", s:recv())
end)
receiving("read", "of a count", net.pair, "hello", function(s) return s:read(5) end, gives "hello")
receiving("read", "of several formats", net.pair, "12 one\ntwo\n", function(s) return s:read("n", "L", "l") end,
  gives(12, " one\n", "two"))
receiving("readuntil", nil, net.pair, "one\0", function(s) return s:readuntil "\0" end, gives "one\0")

--- The first thing that an iterator gives; nothing if it ends.
local function first(iterator, state)
  return iterator(state)
end

add { name = "s:lines", side = "r", raises = true, prepare = function()
  local a, b = net.pair()
  return case(a, function() return first(a:lines()) end, function() b:send "one\n" end, function(line)
    assert.equal("one", line)
  end)
end }

add { name = "s:chunks", side = "r", raises = true, prepare = function()
  local a, b = net.pair()
  return case(a, function() return first(a:chunks()) end, function() b:send "hello" end, function(data)
    assert.equal("hello", data)
  end)
end }

add { name = "s:recv", what = "with MSG_WAITALL, in two pieces", side = "r", prepare = function()
  local a, b = net.tcp()
  return case(a, function() return a:recv(6, "MSG_WAITALL") end, function()
    b:send "one"
    loop.sleep(0.005)
    b:send "two"
  end, function(data) assert.equal("onetwo", data) end)
end }

add { name = "s:read", what = "of all", side = "r", prepare = function()
  local a, b = net.pair()
  local c = case(a, function() return a:read "a" end, function()
    b:send "one"
    loop.sleep(0)
    b:close()
  end, function(data) assert.equal("one", data) end)
  c.once = true
  return c
end }

---------------------------------------------------------------------------------------------------
-- Sending: the other end is full, and then read empty.

local function drain(s)
  return loop.spawn(function()
    local data
    repeat data = s:recv(MORE) until not data or data == ""
  end)
end

--- call(s) has to give `...` when there is room.
local function sending(name, what, make, call, check, change)
  local function prepare()
    local a, b = make()
    net.fill(a)
    local c = case(a, function() return call(a) end, function() return drain(b) end,
      function(...) check(a, ...) end)
    if change then change(c, a) end
    return c
  end
  local flushes = name == "flush" or what == "which flushes"
  add { name = "s:" .. name, what = what, side = "w", flushes = flushes, prepare = prepare }
end

local function itself(s, ...) assert.same({ s, n = 1 }, table.pack(...)) end

sending("send", nil, net.pair, function(s) return s:send "x" end, gives(1))
sending("send", "over TCP", net.tcp, function(s) return s:send "x" end, gives(1))
sending("sendall", nil, net.pair, function(s) return s:sendall(("x"):rep(MORE)) end, gives(MORE))
sending("sendmsg", nil, net.pair, function(s) return s:sendmsg { data = { "x", "y" } } end, gives(2))
sending("sendmmsg", nil, net.pair, function(s) return s:sendmmsg { "x", "y" } end, gives(2))
sending("write", nil, net.pair, function(s) return s:write("x", 12, ("y"):rep(MORE)) end, itself)

-- What is to be flushed has been written.
local function flushing(name, what, call, check, change)
  sending(name, what, net.pair, call, check, function(c, s)
    assert(s:setvbuf "full")
    assert(s:write "x")
    if change then change(c) end
  end)
end

flushing("flush", nil, function(s) return s:flush() end, itself)
flushing("shutdown", "which flushes", function(s) return s:shutdown "SHUT_WR" end, itself, function(c)
  c.once = true
end)
flushing("close", "which flushes", function(s) return s:close() end, gives(true), function(c)
  c.once = true
  c.closed = false
end)

add { name = "s:sendfile", side = "w", prepare = function()
  local a, b = net.pair()
  net.fill(a)
  local file = net.keep(assert(io.tmpfile()))
  assert(file:write(("x"):rep(MORE)):flush())
  return case(a, function() return a:sendfile(file, 0) end, function() return drain(b) end,
    function(...) assert.same({ MORE }, { ... }) end)
end }

add { name = "s:sendto", what = "to a full unix socket", side = "w", prepare = function()
  local path = helper.tmpdir() .. "/s"
  local full = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path)))
  local s = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
  local address = full:getsockname()
  s:settimeout(0)
  repeat until not s:sendto("x", address)
  s:settimeout(nil)
  return case(s, function() return s:sendto("hello", address) end, function() return drain(full) end,
    function(...) assert.same({ 5 }, { ... }) end)
end }

---------------------------------------------------------------------------------------------------
-- Connections

local function guest(address)
  local s = net.keep(assert(socket.socket(address.family)))
  s:settimeout(0)
  s:connect(address)
end

--- A listener whose queue is full.
local function crowd(path)
  local listener = net.keep(assert(socket.socket(path and "AF_UNIX" or "AF_INET")))
  if path then assert(listener:bind(path)) else assert(listener:bind("127.0.0.1", 0)) end
  assert(listener:listen(0))
  for _ = 1, 4 do guest(listener:getsockname()) end
  return listener, listener:getsockname()
end

local function welcome(listener)
  return loop.spawn(function()
    for s in listener:clients() do net.keep(s) end
  end)
end

local function unixpath() return helper.tmpdir() .. "/s" end

add { name = "s:accept", side = "r", prepare = function()
  local s = net.keep(assert(socket.listen("127.0.0.1", 0)))
  return case(s, function() return s:accept() end, function() guest(s:getsockname()) end, function(conn, address)
    assert.equal(address, net.keep(conn):getpeername())
    assert.is_nil(conn:gettimeout())
  end)
end }

add { name = "s:accept", what = "on a path", side = "r", prepare = function()
  local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", unixpath()))))
  return case(s, function() return s:accept() end, function() guest(s:getsockname()) end, function(conn)
    assert.equal(socket.AF_UNIX, net.keep(conn):family())
  end)
end }

add { name = "s:clients", side = "r", raises = true, prepare = function()
  local s = net.keep(assert(socket.listen("127.0.0.1", 0)))
  local c = case(s, function() return first(s:clients()) end, function() guest(s:getsockname()) end,
    function(conn, address) assert.equal(address, net.keep(conn):getpeername()) end)
  function c.closed(...) assert.equal(0, select("#", ...)) end
  return c
end }

for _, path in ipairs { false, unixpath } do
  local what = path and "to a path" or "over TCP"
  add { name = "s:connect", what = what, slow = not path, prepare = function()
    local listener, address = crowd(path and path())
    local s = net.keep(assert(socket.socket(address.family)))
    local c = case(s, function() return s:connect(address) end, function() return welcome(listener) end,
      function(...) itself(s, ...) end)
    c.now = not path and "EINPROGRESS" or nil
    return c
  end }

  add { name = "socket.connect", what = what, slow = not path, prepare = function()
    local listener, address = crowd(path and path())
    local timeout
    return {
      call = function()
        return socket.connect(address, { timeout = timeout })
      end,
      limit = function(seconds) timeout = seconds end,
      act = function() return welcome(listener) end,
      check = function(s) assert.equal(address, net.keep(s):getpeername()) end,
      now = false,
    }
  end }
end

---------------------------------------------------------------------------------------------------
-- Readiness

--- Waits for `what` in the way that `call(what, timeout)` does.
local function ready(name, call, check, timedout, closed, change)
  add { name = name, prepare = function()
    local a, b = net.pair()
    local timeout
    local c = {
      sock = a, limit = function(seconds) timeout = seconds end,
      call = function() return call(a, timeout) end,
      act = function() b:send "x" end,
      check = function(...) check(a, ...) end,
      timedout = timedout, closed = closed, now = false,
    }
    if change then change(c, a) end
    return c
  end }
end

ready("socket.select", function(s, timeout) return socket.select({ s }, nil, timeout) end, function(s, readers, writers)
  assert.same({ s, [s] = 1 }, readers)
  assert.same({}, writers)
end, function(...) assert.same({ {}, {} }, { ... }) end)

ready("loop.wait", function(s, timeout) return loop.wait(s, "r", timeout) end, function(_, ...)
  assert.same({ "r" }, { ... })
end)

ready("p:wait", nil, function(s, ...)
  assert.same({ s, "r" }, { ... })
end, function(...) assert.is_nil((...)) end, nil, function(c, s)
  local p = net.keep(assert(socket.poller()))
  assert(p:add(s, "r"))
  local timeout
  c.sock = p
  function c.limit(seconds) timeout = seconds end
  function c.call()
    local iterator, state, code = p:wait(timeout)
    if not iterator then return nil, state, code end
    return first(iterator, state)
  end
end)

---------------------------------------------------------------------------------------------------

--- What the call gave: as `call` gives it, errors as nil, message, true.
local function outcome(row, call)
  if not row.raises then return call() end
  local results = table.pack(pcall(call))
  if results[1] then return table.unpack(results, 2, results.n) end
  return nil, results[2], true
end

--- call() had to fail with the code.
function waits.fails(row, code, call)
  local _, message, raised = outcome(row, call)
  if raised ~= true then return helper.fails(row.name, code, _, message, raised) end
  local text = code == "timeout" and "timed out" or socket.strerror(code)
  assert.equal(text, tostring(message):match "[^:]*$":sub(2))
  local name = row.name == "s:clients" and "accept" or row.name:match "%w+$"
  assert.truthy(message:find(name .. ": ", 1, true), message)
end

--- call() had to end by the timeout.
function waits.timesout(row, c, call)
  if c.timedout then return c.timedout((call or c.call)()) end
  waits.fails(row, "timeout", call or c.call)
end

return waits
