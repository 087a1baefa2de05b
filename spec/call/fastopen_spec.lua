-- MSG_FASTOPEN and TCP_FASTOPEN_CONNECT: a sending call that connects first, in every driver.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

after_each(net.close)

--- A fresh socket; skips where clients have no fast open.
local function fresh(deferred)
  local s = net.keep(assert(socket.socket()))
  if deferred and not (socket.TCP_FASTOPEN_CONNECT and s:setsockopt("TCP_FASTOPEN_CONNECT", true)) then
    helper.skip "this kernel does not have the option"
  end
  if deferred then s:setsockopt("TCP_FASTOPEN_NO_COOKIE", true) end -- else it connects at once
  return s
end

local function supported()
  if not socket.MSG_FASTOPEN then helper.skip "this system has no MSG_FASTOPEN" end
  local _, _, code = fresh():sendto("x", net.nobody(), "MSG_FASTOPEN")
  if code == "EOPNOTSUPP" then helper.skip "fast open is switched off here" end
end

--- The first answer of f(...) that is not EINPROGRESS.
local function eventually(f, ...)
  local results, code
  repeat
    results = table.pack(f(...))
    code = results[3]
  until code ~= "EINPROGRESS"
  return table.unpack(results, 1, results.n)
end

--- Calls that send "hello" to an address: their results, and what is to be given at success.
local flagged = {
  {"sendto", 5, function(s, to) return s:sendto("hello", to, "MSG_FASTOPEN") end},
  {"sendmsg", 5, function(s, to)
    return s:sendmsg{data = {"he", socket.buffer(0 + 1):set(1, "l"), "lo"}, address = to, flags = "MSG_FASTOPEN"}
  end},
  {"sendmmsg", 2, function(s, to)
    return s:sendmmsg{{data = "hel", address = to, flags = "MSG_FASTOPEN"}, {data = "lo"}}
  end},
  {"sendmmsg", 2, function(s, to) return s:sendmmsg({{data = "hel", address = to}, {data = "lo"}}, "MSG_FASTOPEN") end},
}

local function file()
  local f = assert(io.tmpfile())
  f:write "hello"
  f:seek "set"
  return f
end

local deferred = {
  {"send", 5, function(s) return s:send "hello" end},
  {"sendall", 5, function(s) return s:sendall "hello" end},
  {"sendmsg", 5, function(s) return s:sendmsg{data = {"hel", "lo"}} end},
  {"sendmmsg", 2, function(s) return s:sendmmsg{"hel", "lo"} end},
  {"write", nil, function(s) return s:write("hel", "lo") end},
  {"flush", nil, function(s)
    s:setvbuf "full"
    s:write "hello"
    return s:flush()
  end},
  {"sendfile", 5, function(s)
    local f <close> = file()
    return s:sendfile(f)
  end},
}

local function scheduled(wait)
  return function(f)
    socket.setwaiter(wait)
    local results
    local ok, message = pcall(coroutine.wrap(function() results = table.pack(f()) end))
    socket.setwaiter(nil)
    assert(ok, message)
    return table.unpack(results, 1, results.n)
  end
end

local drivers = {
  {"plainly", nil, function(f) return f() end},
  {"under a short timeout", 0.2, function(f) return f() end},
  {"under a timeout", 5, function(f) return f() end},
  {"in a task", nil, function(f) return tasks.run(f) end},
  {"in a task under a timeout", 5, function(f) return tasks.run(f) end},
  {"in a loop.wrap", nil, function(f) return tasks.run(function() return loop.wrap(f)() end) end},
  {"under another scheduler", 5, scheduled(function(object, events, timeout)
    local r, w = socket.select(events == "r" and {object} or nil, events == "w" and {object} or nil, timeout)
    return #r + #w > 0
  end)},
}

--- `make()` gives a socket and the address for `call`; the answer, and that the data has come.
local function sends(rows, make)
  for _, row in ipairs(rows) do
    for _, driver in ipairs(drivers) do
      local name, expected, call = table.unpack(row, 1, 3)
      local what = ("%s %s"):format(name, driver[1])
      local listener = net.listener()
      local s, to = make(listener)
      s:settimeout(driver[2])
      assert.equal(expected or s, (select(1, assert(driver[3](function() return call(s, to) end)))), what)
      local peer = net.keep((assert(listener:accept())))
      peer:settimeout(5)
      s:shutdown "SHUT_WR"
      assert.equal("hello", peer:read "a", what)
      s:close()
      peer:close()
      listener:close()
    end
  end
end

describe("MSG_FASTOPEN", function()
  it("connects and sends, whoever waits for it", function()
    supported()
    sends(flagged, function(listener) return fresh(), listener:getsockname() end)
  end)

  it("under timeout 0 gives EINPROGRESS, and the call repeated goes on", function()
    supported()
    for _, row in ipairs(flagged) do
      local name, expected, call = table.unpack(row, 1, 3)
      for _, how in ipairs {"timeout", "flag"} do
        local listener = net.listener()
        local to = listener:getsockname()
        local s = fresh()
        if how == "timeout" then s:settimeout(0) end
        local function once()
          if how == "timeout" then return call(s, to) end
          s:settimeout(0)
          return call(s, to)
        end
        assert.match(": Operation now in progress$", helper.fails("s:" .. name, "EINPROGRESS", once()))
        local peer = net.keep((assert(listener:accept())))
        assert.equal(expected, eventually(once))
        peer:settimeout(5)
        s:shutdown "SHUT_WR"
        assert.equal("hello", peer:read "a")
        for _, each in ipairs {s, peer, listener} do each:close() end
      end
    end
  end)

  it("tells who was not there, whoever waits for it", function()
    supported()
    for _, row in ipairs(flagged) do
      for _, driver in ipairs(drivers) do
        local s = fresh()
        s:settimeout(driver[2])
        helper.fails("s:" .. row[1], "ECONNREFUSED", driver[3](function() return row[3](s, net.nobody()) end))
        s:close()
      end
    end
  end)

  it("is for the first part of a long message only", function()
    supported()
    local listener = net.listener()
    local child <close> = net.child([[
      local s = assert(socket.connect("127.0.0.1", arg[1]))
      print(#assert(s:read "a"))
    ]], listener:getsockname().port)
    local relay = net.keep((assert(listener:accept())))
    listener:close()
    local second = net.listener()
    local s = fresh()
    s:settimeout(5)
    local n = 1 << 22
    tasks.run(tasks.all, function()
      assert.equal(2, s:sendmmsg({{data = ("x"):rep(n), address = second:getsockname()}, "y"}, "MSG_FASTOPEN"))
      s:close()
    end, function()
      local peer <close> = assert(second:accept())
      for data in peer:chunks() do assert(relay:sendall(data)) end
      relay:close()
      second:close()
    end)
    assert.equal(tostring(n + 1), child:line())
  end)
end)

describe("TCP_FASTOPEN_CONNECT", function()
  it("connects with the first data, whatever call sends it and whoever waits for it", function()
    supported()
    sends(deferred, function(listener)
      local s = fresh(true)
      assert(s:connect(listener:getsockname()))
      return s
    end)
  end)
end)
