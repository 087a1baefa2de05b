-- Signals: Ctrl-C ends a script that waits, as Lua ends scripts; other signals change nothing, and least of all
-- how long a call under a timeout takes. Ctrl-C at the prompt is in repl_spec.lua.
-- In Lua no other signal can be caught. So that one is, and every system call that waits is really interrupted,
-- a module of a few lines of C catches SIGUSR1 in the scripts below.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"

local catcher -- the module

setup(function()
  local dir = helper.tmpdir()
  helper.save(dir .. "/catcher.c", [[
    #define _POSIX_C_SOURCE 200809L
    #include <signal.h>
    static void nothing (int n) { (void)n; }
    int luaopen_catcher (void *L);
    int luaopen_catcher (void *L) {
      struct sigaction sa;
      (void)L;
      sigemptyset(&sa.sa_mask);
      sa.sa_flags = 0; /* no SA_RESTART */
      sa.sa_handler = nothing;
      sigaction(SIGUSR1, &sa, 0);
      return 0;
    }
  ]])
  catcher = dir .. "/catcher.so"
  local output, status = helper.shell(("${CC:-cc} -shared -fPIC -o %s %s/catcher.c"):format(catcher, dir))
  assert(status == 0, output)
end)

local function script(code)
  return helper.saved(([[
    local socket = require "bsdsocket"
    io.stdout:setvbuf "line"
    assert(package.loadlib(%q, "luaopen_catcher"))()
  ]]):format(catcher) .. code .. "\nos.exit(0) -- with the catcher still there\n")
end

--- Sends the program signals all the time until it says a line, which has to come in so many seconds.
local function rain(program, seconds, signals)
  local deadline = socket.monotime() + seconds
  local kill = ""
  for signal in signals:gmatch "%u%w+" do kill = kill .. ("kill -%s %s;"):format(signal, program.pid) end
  while true do
    os.execute(kill)
    local line, why = program:line(socket.monotime() + 0.005)
    if line or why ~= "timeout" then return line end
    if socket.monotime() > deadline then return nil, "timeout" end
  end
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

-- What is made before, and the call, which has to end with the code "timeout"; the timeouts. A receive waits in
-- the kernel under one of a quarter of a second or more, and in poll under a shorter one. `stops`: being stopped
-- for a while interrupts it, too, though nothing catches that (man 7 signal).
local calls = {
  recv = { "a:settimeout(T)", "a:recv()", 0.1, 0.4, stops = true },
  ["recv of an exact number"] = { "a:settimeout(T)", "a:recv(2, 'MSG_WAITALL')", 0.1, 0.4, stops = true },
  recvfrom = { "a:settimeout(T)", "a:recvfrom()", 0.4, stops = true },
  recvinto = { "a:settimeout(T)", "a:recvinto(socket.buffer(1))", 0.4, stops = true },
  accept = { "s = socket.listen('127.0.0.1', 0):settimeout(T)", "s:accept()", 0.2 },
  sendall = { "a:settimeout(T) s = ('x'):rep(1 << 24)", "a:sendall(s)", 0.2 },
  connect = { "s, at = socket.socket():settimeout(T), crowd()", "s:connect(at)", 0.2 },
  ["socket.connect"] = { "at = crowd()", "socket.connect(at, {timeout = T})", 0.2 },
  select = { "", "(function() return nil, nil, not socket.select({a}, nil, T)[1] and 'timeout' end)()", 0.2 },
  ["wait of a poller"] = {
    "p = socket.poller() p:add(a, 'r')",
    "(function() for _ in p:wait(T) do return end return nil, nil, 'timeout' end)()", 0.2,
    stops = true,
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

-- Does the call end in time on which signals rain for most of its timeout, the last of which would show that it began
-- to wait anew? If not, also how late it was, if there was a rain.
local function intime(timeout, before, call, signals)
  local program <close> = process.start(script(frame:format(timeout, before, call)))
  assert.equal("now", process.line(program))
  local waits = process.glimpsed(program.pid)
  local line, why
  if waits then line, why = rain(program, 0.7 * timeout, signals) end
  if not waits or why == "timeout" then line = process.line(program) end
  local took = tonumber(line and line:match "^timeout\t(.*)$")
  if not took or took < timeout then error("gave up too early: " .. tostring(line), 2) end
  return waits and took - timeout < 0.05, waits and took - timeout
end

describe("a signal that Lua does not want to see #process", function()
  for signals, what in pairs { USR1 = "caught", ["STOP CONT"] = "that stops the process" } do
    local function check(case)
      for i = 3, #case do net.sometime(intime, case[i], case[1], case[2], signals) end
    end

    for name, case in pairs(calls) do
      if signals == "USR1" or case.stops then
        it(("(one %s) makes no %s take shorter or longer than its timeout"):format(what, name), function()
          check(case)
        end)
      end
    end
  end

  -- The script is told a port of ours. `act` does what the call waits for.
  local function goeson(code, act)
    local server <close> = assert(socket.listen("127.0.0.1", 0))
    local program <close> = process.start(script("local port = ...\n" .. code), server:getsockname().port)
    assert.equal("now", process.line(program))
    process.blocked(program.pid)
    assert.same({ nil, "timeout" }, { rain(program, 0.05, "USR1") })
    act(server, program)
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    return output
  end

  it("lets accept wait on", function()
    assert.equal("true\n", goeson([[
      local server = assert(socket.listen("127.0.0.1", 0))
      local s = assert(socket.connect("127.0.0.1", port))
      s:send(tostring(server:getsockname().port))
      print "now"
      local _, address = assert(server:accept())
      print(tostring(address) == s:recv())
    ]], function(server)
      local s <close> = assert(server:accept())
      local client <close> = assert(socket.connect("127.0.0.1", s:recv()))
      s:send(tostring(client:getsockname()))
    end))
  end)

  it("lets recv wait on, and what it has so far is not lost", function()
    local code = [[
      local s = assert(socket.connect("127.0.0.1", port))
      print "now"
      print(s:recv(6%s))
    ]]
    assert.equal("hihihi\n", goeson(code:format "", function(server)
      local s <close> = assert(server:accept())
      s:send "hihihi"
    end))
    assert.equal("hihihi\n", goeson(code:format ", 'MSG_WAITALL'", function(server, program)
      local s <close> = assert(server:accept())
      for _ = 1, 2 do
        s:send "hi"
        assert.same({ nil, "timeout" }, { rain(program, 0.02, "USR1") })
      end
      s:send "hi"
    end))
  end)

  it("lets sendall send on, each byte once", function()
    local data = ("0123456789"):rep(1 << 20)
    assert.equal(#data .. "\n", goeson([[
      local s = assert(socket.connect("127.0.0.1", port))
      print "now"
      print(s:sendall(("0123456789"):rep(1 << 20)))
    ]], function(server, program)
      local s <close> = assert(server:accept())
      local pieces = {}
      local piece = assert(s:recv())
      while piece ~= "" do
        pieces[#pieces + 1] = piece
        if #pieces % 16 == 0 then os.execute("kill -USR1 " .. program.pid .. " 2>/dev/null") end
        piece = assert(s:recv())
      end
      assert.is_true(table.concat(pieces) == data)
    end))
  end)

  it("lets connect wait on", function()
    local full <close> = assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen(0)
    local guest <close> = assert(socket.connect(full:getsockname()))
    assert.equal("true\n", goeson(([[
      local s = socket.socket()
      print "now"
      print(s:connect("127.0.0.1", %d) == s)
    ]]):format(full:getsockname().port), function()
      assert(full:accept()):close()
    end))
    guest:close()
  end)

  for name, code in pairs {
    select = "local ready = socket.select({s}, nil)[1]",
    ["a poller"] = "local ready p:add(s, 'r') for what in p:wait() do ready = what end",
  } do
    it("lets " .. name .. " wait on", function()
      assert.equal("x\n", goeson(([[
        local s = assert(socket.connect("127.0.0.1", port))
        local p <close> = socket.poller()
        print "now"
        %s
        print(ready:recv())
      ]]):format(code), function(server)
        local s <close> = assert(server:accept())
        s:send "x"
      end))
    end)
  end
end)
