-- Signals: Ctrl-C ends a script that waits, as Lua ends scripts; other signals change nothing, and least of all
-- how long a call under a timeout takes. Ctrl-C at the prompt is in repl_spec.lua.
local socket = require "bsdsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local function script(code)
  local name = helper.tmpname()
  local file <close> = assert(io.open(name, "w"))
  file:write("local socket = require 'bsdsocket' io.stdout:setvbuf 'line'\n", code)
  return name
end

describe("SIGINT #process", function()
  it("ends a script that waits with Lua's own error, and runs its <close> variables", function()
    local program <close> = process.start(script [[
      local a, b = assert(socket.socketpair())
      local closed <close> = setmetatable({}, {__close = function(_, err) print("closed", err) end})
      print "now"
      a:recv()
    ]])
    assert.equal("now", process.line(program))
    process.blocked(program.pid)
    program:kill "INT"
    local output, status = process.rest(program)
    assert.match("^closed\tinterrupted!\n.*\n[^\n]*: interrupted!\nstack traceback:\n", output)
    assert.equal(1, status)
  end)

  -- lua.c sees to it; nothing of the library is to be in its way
  it("ends a script that caught the error of a first one at the second", function()
    local program <close> = process.start(script [[
      local a, b = assert(socket.socketpair())
      for _ = 1, 2 do
        print "now"
        print(pcall(a.recv, a))
      end
    ]])
    assert.equal("now", process.line(program))
    process.blocked(program.pid)
    program:kill "INT"
    assert.equal("false\tinterrupted!", process.line(program))
    assert.equal("now", process.line(program))
    process.blocked(program.pid)
    program:kill "INT"
    assert.same({ "", 130 }, { process.rest(program) })
  end)
end)

-- What is made before, and the call, which has to end with the code "timeout". A receive waits in the
-- kernel under a timeout of a quarter of a second or more, and in poll under a shorter one.
local calls = {
  recv = { "a:settimeout(T)", "a:recv()", 0.1, 0.4 },
  ["recv of an exact number"] = { "a:settimeout(T)", "a:recv(2, 'MSG_WAITALL')", 0.1, 0.4 },
  recvfrom = { "a:settimeout(T)", "a:recvfrom()", 0.4 },
  recvinto = { "a:settimeout(T)", "a:recvinto(socket.buffer(1))", 0.4 },
  accept = { "s = socket.listen('127.0.0.1', 0):settimeout(T)", "s:accept()", 0.2 },
  sendall = { "a:settimeout(T)", "a:sendall(('x'):rep(1 << 24))", 0.2 },
  connect = { "s, at = socket.socket():settimeout(T), crowd()", "s:connect(at)", 0.2 },
  ["socket.connect"] = { "at = crowd()", "socket.connect(at, {timeout = T})", 0.2 },
  select = { "", "(function() return nil, nil, not socket.select({a}, nil, T)[1] and 'timeout' end)()", 0.2 },
  ["wait of a poller"] = {
    "p = socket.poller() p:add(a, 'r')",
    "(function() for _ in p:wait(T) do return end return nil, nil, 'timeout' end)()", 0.2,
  },
}

local frame = [[
  local T = %f
  local s, at, p
  local a, b = assert(socket.socketpair())
  local guests = {}
  local function crowd() -- the address of a listener whose queue is full
    local server = assert(socket.socket():bind("127.0.0.1", 0):listen(0))
    guests[1] = server
    while true do
      local s = socket.socket():settimeout(0)
      s:connect(server:getsockname())
      guests[#guests + 1] = s
      if not select(2, socket.select(nil, {s}, 0.1))[1] then return server:getsockname() end
    end
  end
  %s
  print "now"
  local start = socket.monotime()
  local _, _, code = %s
  print(code, socket.monotime() - start)
]]

-- How much longer than its timeout the call takes while signals rain on it.
local function late(timeout, before, call)
  local program <close> = process.start(script(frame:format(timeout, before, call)))
  assert.equal("now", process.line(program))
  process.blocked(program.pid)
  local deadline = socket.monotime() + timeout + 3
  local line, why
  repeat
    assert(os.execute(("kill -STOP %s; kill -CONT %s"):format(program.pid, program.pid)))
    line, why = program:line(socket.monotime() + 0.01)
    if socket.monotime() > deadline then error("each signal gives it its whole timeout anew", 2) end
  until line or why ~= "timeout"
  local took = tonumber(line and line:match "^timeout\t(.*)$")
  if not took or took < timeout then error("gave up too early: " .. tostring(line), 2) end
  return took - timeout
end

describe("a signal that Lua does not want to see #process", function()
  for name, case in pairs(calls) do
    it(("makes no %s take shorter or longer than its timeout"):format(name), function()
      for i = 3, #case do
        local best = math.huge
        for _ = 1, 5 do -- others may need the machine; early it is never
          best = math.min(best, late(case[i], case[1], case[2]))
          if best < 0.05 then break end
        end
        assert.is_true(best < 0.05, ("%f s late"):format(best))
      end
    end)
  end
end)
