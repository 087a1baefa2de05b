-- Listening on a path where an earlier server may have left its socket file.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"

after_each(net.close)

local function at(path)
  return socket.address("AF_UNIX", path)
end

local function listen(path, opts)
  local s, message, code = socket.listen(at(path), opts)
  if s then net.keep(s) end
  return s, message, code
end

--- A socket file that nobody is bound to any more.
local function stale(path, kind)
  assert(assert(socket.socket("AF_UNIX", kind)):bind(path)):close()
  return path
end

local function quote(path)
  return helper.quote(path)
end

--- The letters that ls shows.
local function letters(path)
  return (helper.shell("ls -ld " .. quote(path)):match "^%S+"):sub(1, 10)
end

local function files(dir)
  return (helper.shell("ls -A " .. quote(dir)))
end

describe("socket.listen on a path", function()
  local dir, path

  before_each(function()
    dir = helper.tmpdir()
    path = dir .. "/s"
  end)

  it("listens, and leaves no other file behind", function()
    local s = assert(listen(path))
    assert.equal("s\n", files(dir))
    assert.equal(path, s:getsockname().path)
    local c <close> = assert(socket.connect(at(path)))
    local d <close> = assert(s:accept())
    c:send "x"
    assert.equal("x", d:recv())
    s:close()
    assert.equal("s\n", files(dir))
  end)

  it("replaces a file that nobody answers at", function()
    for _, kind in ipairs { "SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM" } do
      local s = assert(listen(stale(path .. kind, kind)))
      assert(socket.connect(at(path .. kind))):close()
      s:close()
      assert(listen(path .. kind))
      assert(socket.connect(at(path .. kind))):close()
    end
  end)

  it("says EADDRINUSE where somebody answers, who hears nothing of it", function()
    local s = assert(listen(path))
    for _ = 1, 3 do
      local message = helper.fails("socket.listen", "EADDRINUSE", listen(path))
      assert.equal("listen " .. path .. ": " .. socket.strerror "EADDRINUSE", message)
    end
    s:settimeout(0)
    helper.fails("s:accept", "EAGAIN", s:accept())
    net.keep(assert(socket.connect(at(path))))
    assert(s:accept()):close()
  end)

  it("says EADDRINUSE where somebody's queue is full", function()
    local s = assert(listen(path, { backlog = 0 }))
    local list = {}
    for i = 1, 3 do
      list[i] = net.keep(assert(socket.socket("AF_UNIX")))
      list[i]:settimeout(0)
      list[i]:connect(path)
    end
    helper.fails("socket.listen", "EADDRINUSE", net.atonce(listen, path))
    assert(s:accept()):close()
  end)

  it("takes many in advance if the backlog is negative", function()
    for _, backlog in ipairs { -1, math.mininteger } do
      local s = assert(listen(path, { backlog = backlog }))
      for _ = 1, 10 do net.keep(assert(socket.connect(at(path), { timeout = 0 }))) end
      s:close()
    end
  end)

  it("says EADDRINUSE where somebody is bound and does not listen yet, or never will", function()
    for _, kind in ipairs { "SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM" } do
      local s <close> = assert(assert(socket.socket("AF_UNIX", kind)):bind(path .. kind))
      helper.fails("socket.listen", "EADDRINUSE", listen(path .. kind))
      assert.equal("s", letters(path .. kind):sub(1, 1))
      if kind ~= "SOCK_DGRAM" then
        assert(s:listen())
        assert(net.keep(assert(socket.socket("AF_UNIX", kind))):connect(path .. kind))
      end
    end
  end)

  it("removes nothing that is no socket file", function()
    helper.save(path, "precious")
    helper.fails("socket.listen", "EADDRINUSE", listen(path))
    assert.equal("precious", (helper.shell("cat " .. quote(path))))
    local others = {
      directory = "mkdir x", ["link to nothing"] = "ln -s nothing x", ["link to a file"] = "ln -s s x",
      ["link to a stale socket file"] = "ln -s stale x", fifo = "mkfifo x", empty = ": > x",
    }
    stale(dir .. "/stale")
    for name, command in pairs(others) do
      assert.same({ "", 0 }, { helper.shell("cd " .. quote(dir) .. " && " .. command) })
      local before = letters(dir .. "/x")
      local _, message, code = listen(dir .. "/x")
      assert.equal("EADDRINUSE", code, name .. ": " .. tostring(message))
      assert.equal(before, letters(dir .. "/x"))
      helper.shell("cd " .. quote(dir) .. " && rm -r x")
    end
    assert.equal("s\nstale\n", files(dir))
  end)

  it("says what else is in the way", function()
    helper.fails("socket.listen", "ENOENT", listen(dir .. "/none/s"))
    assert(io.open(path, "w")):close()
    helper.fails("socket.listen", "ENOTDIR", listen(path .. "/s"))
    assert.equal("s\n", files(dir))
  end)

  it("works without a directory in the path, and with the longest path", function()
    local output = helper.shell(("cd %s && %s"):format(quote(dir), helper.command("-e", [[
      local socket = require "bsdsocket"
      local a = assert(assert(socket.socket("AF_UNIX")):bind("s"))
      a:close()
      local s <close> = assert(socket.listen(socket.address("AF_UNIX", "s")))
      assert(socket.connect(socket.address("AF_UNIX", "s"))):close()
      assert(select(3, socket.listen(socket.address("AF_UNIX", "./s"))) == "EADDRINUSE")
      print "good"
    ]])))
    assert.equal("good\n", output)
    local long = dir .. "/" .. ("x"):rep(107 - #dir - 1)
    for _ = 1, 2 do
      local s = assert(listen(long))
      assert.equal(long, s:getsockname().path)
      assert(socket.connect(at(long))):close()
      s:close()
    end
  end)

  it("gives the file the mode, and without one what the umask leaves", function()
    for mode, shown in pairs {
      ["600"] = "srw-------", ["0600"] = "srw-------", [384] = "srw-------", ["777"] = "srwxrwxrwx",
      ["0"] = "s---------", [0] = "s---------", ["666"] = "srw-rw-rw-", ["0000660"] = "srw-rw----",
    } do
      local s = assert(listen(path, { mode = mode }))
      assert.equal(shown, letters(path))
      s:close()
      s = assert(listen(stale(dir .. "/t"), { mode = mode }))
      assert.equal(shown, letters(dir .. "/t"))
      s:close()
      os.remove(path)
      os.remove(dir .. "/t")
    end
    local output = helper.shell(("umask 027; %s; ls -l %s"):format(helper.command("-e", ([[
      local socket = require "bsdsocket"
      assert(socket.listen(socket.address("AF_UNIX", %q)))
    ]]):format(path)), quote(path)))
    assert.match("^srwxr%-x%-%-%-", output)
  end)

  it("leaves no file if its mode or its listening failed", function()
    helper.raises("socket.listen", "mode", listen, path, { mode = "800" })
    assert.equal("", files(dir))
  end)

  it("listens on names that are in no directory", function()
    local name = "\0bsdsocket-spec-" .. dir
    local s = assert(listen(name))
    assert.equal(name, s:getsockname().path)
    assert(socket.connect(at(name))):close()
    helper.fails("socket.listen", "EADDRINUSE", listen(name))
    local any = assert(listen "")
    assert.equal("\0", any:getsockname().path:sub(1, 1))
    assert(socket.connect(any:getsockname())):close()
    assert.equal("", files(dir))
  end)

  it("goes without replacing anything while a stranger locks the directory", function()
    if select(2, helper.shell "flock --version") ~= 0 then
      helper.skip "flock is not here"
    end
    stale(path)
    local stranger = assert(io.popen(("exec flock %s sh -c 'touch %s/locked; cat'"):format(quote(dir), dir), "w"))
    repeat
      socket.select(nil, nil, 0.002)
      local file = io.open(dir .. "/locked")
    until file and file:close()
    helper.fails("socket.listen", "EADDRINUSE", listen(path))
    assert(listen(dir .. "/fresh")):close()
    stranger:close()
    assert(listen(path))
  end)

  it("of starters at the same time over a stale file lets exactly one win #process", function()
    local control = net.keep(assert(socket.listen("127.0.0.1", 0)))
    local starters, rounds = 6, 50
    for round = 1, rounds do stale(dir .. "/" .. round) end
    local children = {}
    for i = 1, starters do
      children[i] = net.child([[
        local dir, port, rounds = arg[1], arg[2], tonumber(arg[3])
        local control = assert(socket.connect("127.0.0.1", port))
        local start = tonumber(control:recv())
        local kept, results = {}, {}
        for round = 1, rounds do
          local address = socket.address("AF_UNIX", dir .. "/" .. round)
          repeat until socket.monotime() >= start + round * 0.01
          local s, _, code = socket.listen(address)
          kept[round] = s
          results[round] = s and "won" or code
        end
        print(table.concat(results, " "))
        control:recv()
        -- nobody has taken away what was won
        for round, s in pairs(kept) do
          s:settimeout(0)
          local c, from = s:accept()
          assert(c, "nobody reached round " .. round)
          assert(c:recv() == "hello")
          assert(not s:accept())
        end
        print "good"
      ]], dir, control:getsockname().port, rounds)
    end
    local connections = {}
    for i = 1, starters do connections[i] = net.keep((assert(control:accept()))) end
    local start = ("%.6f"):format(socket.monotime() + 0.02)
    for i = 1, starters do connections[i]:send(start) end
    local won = {}
    for i = 1, starters do
      local round = 0
      for result in children[i]:line():gmatch "%S+" do
        round = round + 1
        if result == "won" then
          won[round] = (won[round] or 0) + 1
        else
          assert.equal("EADDRINUSE", result)
        end
      end
      assert.equal(rounds, round)
    end
    for round = 1, rounds do
      assert.equal(1, won[round])
      local c = net.keep(assert(socket.connect(at(dir .. "/" .. round))))
      c:send "hello"
    end
    for i = 1, starters do connections[i]:send "look" end
    for i = 1, starters do assert.same({ "good\n", 0 }, { children[i]:rest() }) end
  end)
end)
