-- One test for each bug that a review found, named by what a user saw. (Bugs that the other specs' authors
-- found are in those.)
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

--- The child's output when its descriptors are few.
local function short(limit, code)
  return (helper.shell(("ulimit -n %d; "):format(limit) .. helper.command("-e", [[
    local socket = require "bsdsocket"
    local keep = {}
    local function fill()
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        keep[#keep + 1] = file
      end
    end
    local function show(...) print((select(3, ...))) end
  ]] .. code)))
end

describe("Ctrl-C #process", function()
  it("that comes in a call, before it begins to wait, interrupts it", function()
    -- the collector's step in accept runs a finalizer, in which the signal comes
    local output, status = helper.lua("-e", [[
      local socket = require "bsdsocket"
      local file = io.open "/proc/self/stat"
      if not file then print "interrupted!" os.exit(1) end
      local pid = file:read "n"
      file:close()
      local l = socket.listen("127.0.0.1", 0)
      l:settimeout(20)
      for i = 1, 60 do
        collectgarbage()
        collectgarbage "stop"
        setmetatable({}, { __gc = function() io.popen("kill -INT " .. pid):close() end })
        local junk = {}
        for j = 1, i do junk[j] = {} end
        local set = _VERSION == "Lua 5.4" and { "setpause", "setstepmul" } or { "param", "param" }
        collectgarbage(set[1], set[1] == "param" and "pause" or 1, 1)
        collectgarbage(set[2], set[2] == "param" and "stepmul" or 1000, 1000)
        collectgarbage "restart"
        l:accept()
      end
      print "never"
    ]])
    assert.match("interrupted!", output)
    assert.not_match("never", output)
    assert.equal(1, status)
  end)
end)

describe("a timeout", function()
  it("holds for one adopter of a description when another lets go of it", function()
    local l <close> = assert(socket.listen("127.0.0.1", 0))
    local twin <close> = l:dup()
    local u <close> = assert(socket.fromfd((twin:detach())))
    for _, s in ipairs { l, u } do
      helper.fails("s:accept", "timeout", s:settimeout(0.02):accept())
    end
    local rest <close> = assert(socket.fromfd((l:detach())))
    assert.is_nil(rest:gettimeout())
    helper.fails("s:accept", "timeout", u:accept()) -- and does not hang
  end)

  it("of 0 hides no lack of descriptors", function()
    assert.equal("EMFILE\nEMFILE\n", short(30, [[
      local s = socket.socket()
      s:settimeout(0)
      fill()
      show(s:bind("127.0.0.1", "http"))
      show(socket.getaddrinfo(nil, "http", { timeout = 0 }))
    ]]))
  end)
end)

describe("a socket", function()
  it("that a finalizer brought back and setfd opened is closed by the collector again", function()
    helper.collects()
    local kept = {}
    do
      local s = assert(socket.socket())
      setmetatable({}, { __gc = function() kept.s = s end })
    end
    collectgarbage()
    collectgarbage()
    assert.match("closed", tostring(kept.s))
    local fd = assert(socket.socket()):detach()
    assert(kept.s:setfd(fd))
    kept.s = nil
    collectgarbage()
    collectgarbage()
    helper.fails("socket.fromfd", "EBADF", socket.fromfd(fd))
  end)
end)

describe("a received message", function()
  -- in a state of its own: this one has much more for the collector to go through
  local function damaged(setup)
    return helper.lua("-e", [[
      local socket = require "bsdsocket"
      local c, d = assert(socket.socketpair("AF_UNIX", "SOCK_DGRAM"))
      local met = 0
      local sentinel = { __gc = function() assert(c:send "other") assert(d:recv()) met = met + 1 end }
      for _ = 1, 10000 do setmetatable({}, sentinel) end
      collectgarbage("incremental", 100, 100, 5) -- in the smallest of steps
      local damaged = 0
    ]] .. setup .. [[
      for _ = 1, 5000 do
        if receive() ~= "mine!" then damaged = damaged + 1 end
      end
      print(met > 10, damaged)
    ]])
  end

  it("is what was sent where a finalizer receives in the middle of recvmsg", function()
    assert.equal("true\t0\n", (damaged [[
      local a, b = assert(socket.socketpair("AF_UNIX", "SOCK_DGRAM"))
      local function receive() assert(a:send "mine!") return b:recvmsg().data end
    ]]))
  end)

  it("is what was sent where a finalizer receives while recvmmsg serves what was read ahead", function()
    assert.equal("true\t0\n", (damaged [[
      local a, b = assert(socket.socketpair())
      local function receive() assert(a:send "x\nmine!") assert(b:read()) return b:recvmmsg(1, 9)[1].data end
    ]]))
  end)
end)

describe("an address", function()
  it("made meanwhile by a finalizer is the same object #process", function()
    -- in a state of its own: this one has much more for the collector to go through
    assert.same({ "same\n", 0 }, { helper.lua("-e", [[
      local socket = require "bsdsocket"
      for _, mode in ipairs { "incremental", "generational" } do
        collectgarbage(mode)
        for i = 1, 300 do
          local other
          collectgarbage()
          collectgarbage "stop"
          setmetatable({}, { __gc = function() other = socket.address("AF_INET", "9.9.9.9", 9) end })
          for j = 1, i % 50 do assert({ j }) end
          collectgarbage "restart"
          local address = socket.address("AF_INET", "9.9.9.9", 9)
          collectgarbage()
          assert(other == nil or other == address)
        end
      end
      print "same"
    ]]) })
  end)
end)

describe("p:wait", function()
  it("does not spin over what was closed behind its back while a twin lives", function()
    local a, b = assert(socket.socketpair())
    local c, d = assert(socket.socketpair())
    local twin <close> = a:dup()
    local p <close> = socket.poller()
    local fd = a:fileno()
    assert(p:add(fd, "r")):add(c, "r")
    a:close()
    helper.fails("p:remove", "EBADF", p:remove(fd))
    b:send "x"
    local number, cpu = p:fileno(), os.clock()
    for what in p:wait(0.3) do error(tostring(what)) end
    assert.is_true(os.clock() - cpu < 0.1)
    assert.equal(number, p:fileno())
    d:send "x"
    for what, events in p:wait(1) do assert.same({ c, "r" }, { what, events }) end
    assert(p:remove(c))
    assert.equal("x", twin:recv())
    for _, s in ipairs { b, c, d } do s:close() end
  end)
end)

describe("without descriptors", function()
  it("a look-up says so, in a process that has looked up before, too", function()
    assert.equal("EMFILE\nEMFILE\nnil\n", short(30, [[
      local address = socket.address("AF_INET", "127.0.0.1", 80)
      socket.getnameinfo(address)
      fill()
      show(socket.getnameinfo(address))
      show(socket.address("AF_INET6", "fe80::1%lo", 1))
      keep = {} -- only garbage holds them now
      show(socket.getnameinfo(address))
    ]]))
  end)

  it("socket.listen does not take a stale path for one in use, and collects garbage first", function()
    local path = helper.tmpname()
    assert.equal("EMFILE\nEMFILE\nnil\n", short(30, ([[
      local address = socket.address("AF_UNIX", %q)
      socket.listen(address):close()
      fill()
      keep[#keep]:close()
      show(socket.listen(address))
      keep[1]:close()
      show(socket.listen(address))
      keep = {}
      show(socket.listen(address))
    ]]):format(path)))
  end)
end)
