-- What the file face costs: system calls and memory; and what becomes of its bytes when memory is out.
local helper = require "spec.support.helper"
local build = require "fault.build"
local trace = require "spec.support.trace"

describe("the file face needs one system call #strace #process", function()
  --- Each part has to have made exactly that many calls: all of them to receive, or to send.
  local function count(expected, code)
    local lists = trace(code)
    assert.equal(#expected, #lists)
    for i, list in ipairs(lists) do
      local kind, n = expected[i][1], expected[i][2]
      local calls = {}
      for name in list:gmatch "%S+" do
        calls[#calls + 1] = name
        if kind == "receive" then
          assert.match("^re[ac]", name, ("part %d: %s"):format(i, list))
        else
          assert.is_true(name:find "^send" ~= nil or name == "writev", ("part %d: %s"):format(i, list))
        end
      end
      assert.equal(n, #calls, ("part %d: %s"):format(i, list))
    end
  end

  it("for 1000 lines that have come together", function()
    count({{"receive", 1}, {"receive", 1}, {"receive", 1}, {"receive", 1}}, [[
      local a, b = socket.socketpair()
      for _, read in ipairs {
        function() return b:read() end, b:lines "L", function() return b:readuntil "\n" end,
        function() return b:read(4, "l") end,
      } do
        a:sendall(("a line\n"):rep(1000))
        begin()
        for i = 1, 1000 do assert(read()) end
        done()
      end
    ]])
  end)

  it("for a line, whatever the timeout", function()
    assert.same({"recvfrom", "recvfrom", "recvfrom", "recvfrom"}, trace [[
      local a, b = socket.socketpair()
      b:settimeout(1)
      a:send "x\n"
      b:read() -- tells the kernel once
      for _, timeout in ipairs { 1, false, 0.1, 0 } do
        b:settimeout(timeout or nil)
        if not timeout then
          a:send "x\n"
          b:read()
        end
        a:send "a line\n"
        begin()
        assert(b:read() == "a line")
        done()
      end
    ]])
  end)

  it("for an end of the stream, and none for what was read ahead", function()
    count({{"receive", 0}, {"receive", 1}}, [[
      local a, b = socket.socketpair()
      a:send "one\ntwo\nthree\nfour 5 abc;rest"
      b:read()
      begin()
      b:read()
      b:readuntil "\n"
      b:read(5, "n")
      b:read(0)
      b:read(3)
      b:recv(1)
      b:recv(2, "MSG_PEEK")
      b:recv()
      done()
      a:close()
      begin()
      assert(b:read() == nil)
      done()
    ]])
  end)

  it("for a write of many strings", function()
    count({{"send", 1}, {"send", 1}, {"send", 1}, {"send", 0}}, [[
      local a, b = socket.socketpair()
      begin()
      a:write("one", "two", 3, "four", "five", 6.5, "seven", "eight", "nine", "\n")
      done()
      a:settimeout(0.5)
      begin()
      a:write(("x"):rep(50000), "two")
      done()
      begin()
      a:write "x"
      done()
      begin()
      a:write()
      a:write ""
      done()
    ]])
  end)

  it("for 1000 writes that are held back together", function()
    count({{"send", 0}, {"send", 1}, {"send", 0}, {"send", 1}, {"send", 1}}, [[
      local a, b = socket.socketpair()
      a:setvbuf("full", 65536)
      begin()
      for i = 1, 1000 do a:write("line ", i, "\n") end
      done()
      begin()
      a:flush()
      done()
      begin()
      a:flush()
      done()
      a:setvbuf "line"
      begin()
      for i = 1, 10 do a:write("part ", i) end
      a:write "\n"
      done()
      a:setvbuf("full", 1000)
      a:write "held back"
      begin()
      a:write(("x"):rep(50000))
      done()
    ]])
  end)

  it("to flush before a call waits, and none where it need not wait", function()
    local lists = trace [[
      local a, b = socket.socketpair()
      a:setvbuf "full"
      a:settimeout(0.01)
      a:write "x"
      begin()
      a:recv()
      done()
      a:write "x"
      begin()
      a:read()
      done()
      b:send "one\ntwo\n"
      a:write "x"
      begin()
      a:read()
      a:read()
      done()
    ]]
    for i = 1, 2 do
      local flushed = 0
      for _ in lists[i]:gmatch "send" do flushed = flushed + 1 end
      assert.equal(1, flushed, lists[i])
      assert.match("send.*poll", lists[i])
    end
    assert.equal("recvfrom", lists[3])
  end)
end)

describe("the file face", function()
  it("needs little memory for each of many sockets of which a part of a line has come", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    assert.same({nil, 0, 0, false}, {alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local N = 500
      local a, b = socket.socketpair()
      b:settimeout(0)
      a:send "x\n"
      assert(b:read() == "x") -- what is made once
      local list = {}
      for i = 1, N do -- each twin reads its own part of the same stream
        list[i] = assert(b:dup())
        list[i]:settimeout(0)
      end
      collectgarbage()
      local before = used()
      for i = 1, N do
        a:send("part " .. i)
        assert(select(3, list[i]:read()) == "EAGAIN")
      end
      collectgarbage()
      local each = (used() - before) / N
      assert(each < 1024, each)
      for i = N, 1, -1 do
        a:send "\n"
        assert(list[i]:read() == "part " .. i)
      end
      collectgarbage()
      each = (used() - before) / N
      assert(each < 150, each)
    ]])})
  end)

  it("keeps no memory of a socket that is closed", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    assert.same({nil, 0, 0, false}, {alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local function use(s)
        s:setmaxline(100)
        s:setvbuf("full", 1000)
        s:write(("x"):rep(500))
        s:read(0)
        s:pending()
        s:flush()
        s:write "x"
        return s
      end
      local a, b = socket.socketpair()
      local c, d = socket.socketpair()
      assert(assert(socket.fromfd((use(b):detach()))):close())
      use(b)
      use(a)
      a:close()
      use(a)
      use(c)
      c:flush()
      local fd = c:fileno()
      assert(c:setfd(-1))
      assert(use(c):setfd(fd))
      use(c)
      d:close()
      c:close()
    ]])})
  end)

  it("gives back the room that a long line needed", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    assert.same({nil, 0, 0, false}, {alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local a, b = socket.socketpair()
      b:settimeout(0)
      b:setmaxline(1 << 24)
      a:send "x\n"
      b:read()
      collectgarbage()
      local before = used()
      for _, ending in ipairs { "\n", "\nrest", ";" } do
        for i = 1, 100 do
          a:sendall(("x"):rep(50000))
          assert(select(3, b:read()) == "EAGAIN")
        end
        a:send(ending)
        if ending == ";" then
          assert(b:readuntil ";")
        else
          assert(#b:read() == 5000000)
        end
        if ending == "\nrest" then assert(b:recv() == "rest") end
        collectgarbage()
        assert(used() - before < 100000, used() - before)
      end
    ]])})
  end)
end)

---------------------------------------------------------------------------------------------------
-- Memory that runs out: each request for it fails once in each call.

-- Before each script: each(setup, trial, check) calls trial(setup()) again and again, while its first, its second,
-- its third ... request for memory fails, until none does any more; then check(t, whether it succeeded, results).
local prelude = [[
  local socket = require "bsdsocket"
  local failing = tonumber((...))

  local function finish(k, t, check, hit, ok, ...)
    if not ok then assert((...) == "not enough memory", ("request %d: %s"):format(k, (...))) end
    check(t, ok, ...)
    return hit
  end

  local function each(setup, trial, check)
    for k = 1, 100000 do
      local t = setup()
      collectgarbage()
      local hit = finish(k, t, check, fault(k, failing, trial, t))
      t.a:close()
      t.b:close()
      t = nil
      collectgarbage()
      if not hit then return end
    end
  end

  -- a pair at whose second socket the text is, of which so many bytes are read ahead, and then the end
  local function ready(text, ahead)
    return function()
      local a, b = assert(socket.socketpair())
      b:settimeout(5)
      if ahead then
        a:sendall("\n" .. text:sub(1, ahead))
        assert(b:read() == "")
        assert(b:pending() == ahead)
      end
      assert(a:sendall(text, nil, (ahead or 0) + 1))
      a:close()
      return { a = a, b = b, seen = { 0, 0, 0, 0, 0, 0, 0, 0 }, n = 0 }
    end
  end

  local long = ("0123456789"):rep(15000)
]]

local scripts = {
  {"read", [[
    -- whatever fails, a second call gives what the first would have given, and the rest is behind it
    local function check(text, ahead, ...)
      local formats, list = table.pack(...), {}
      local file = assert(io.tmpfile())
      file:write(text)
      file:seek "set"
      local wanted = table.pack(file:read(...))
      local rest = file:read "a"
      file:close()
      each(ready(text, ahead), function(t)
        return t.b:read(table.unpack(formats))
      end, function(t, ok, ...)
        local got = ok and table.pack(...) or table.pack(t.b:read(table.unpack(formats)))
        assert(got.n == wanted.n, got.n)
        for i = 1, got.n do assert(got[i] == wanted[i], tostring(got[i]):sub(1, 80)) end
        assert(t.b:read "a" == rest)
      end)
    end
    for _, ahead in ipairs { false, 2, 9 } do
      check("12 one\ntwo\n\nabcdef", ahead, "l")
      check("12 one\ntwo\n\nabcdef", ahead, "L")
      check("12 one\ntwo\n\nabcdef", ahead, "n")
      check("12 one\ntwo\n\nabcdef", ahead, 4)
      check("12 one\ntwo\n\nabcdef", ahead, "a")
      check("12 one\ntwo\n\nabcdef", ahead, 0)
      check("12 one\ntwo\n\nabcdef", ahead, "n", "l", "L", "l", 2, "a")
      check("12 one\ntwo\n\nabcdef", ahead, "l", "n", "l")
      check("12 one\ntwo\n\nabcdef", ahead, "a", "l")
      check(long, ahead, "l")
      check(long, ahead, "a")
      check(long .. "\n" .. "rest", ahead, "l", 2)
      check(long, ahead, 140000)
      check(long, ahead, 1, 70000, 70000)
      check(long, ahead, 200000)
    end
    check(("1"):rep(199) .. " 2", 50, "n", "n")
  ]]},
  {"lines, readuntil and chunks", [[
    local text = "one\ntwo;three\n" .. ("x"):rep(1000) .. "\nfive"
    local function check(t)
      local n = t.n
      t.b:settimeout(5)
      assert(table.concat(t.seen, "", 1, n) .. t.b:read "a" == text, n)
    end
    for _, ahead in ipairs { false, 2, 6 } do
      each(ready(text, ahead), function(t)
        local nextline = t.b:lines "L"
        for i = 1, 3 do
          t.seen[i] = nextline()
          t.n = i
        end
      end, check)
      each(ready(text, ahead), function(t)
        for i = 1, 2 do
          t.seen[i] = t.b:readuntil(i == 1 and ";" or "x")
          t.n = i
        end
      end, check)
      each(ready(text, ahead), function(t)
        for data in t.b:chunks(500) do
          t.n = t.n + 1
          t.seen[t.n] = data
        end
      end, check)
      each(ready(text, ahead), function(t)
        t.seen[1] = t.b:read(2)
        t.n = 1
        t.seen[2] = t.b:recv(3)
        t.n = 2
        t.b:recv(2, "MSG_PEEK")
        t.seen[3] = t.b:recvfrom(3)
        t.n = 3
        t.seen[4] = t.b:readuntil "\n"
        t.n = 4
      end, check)
    end
  ]]},
  {"recv, to read", [[
    each(function()
      local t = {}
      t.a, t.b = assert(socket.socketpair())
      t.b:settimeout(0)
      t.a:send(("x"):rep(2000))
      assert(select(3, t.b:read()) == "EAGAIN") -- what has been looked through is no longer there then
      assert(#t.b:recv() == 2000)
      t.a:send("one\n" .. ("y"):rep(1000))
      return t
    end, function(t)
      return t.b:recv()
    end, function(t, ok, data)
      if not ok then
        assert(t.b:read() == "one")
        data = "one\n" .. t.b:recv()
      end
      assert(data == "one\n" .. ("y"):rep(1000))
    end)
  ]]},
  {"a read that fails", [[
    local function setup(text)
      return function()
        local t = { }
        t.a, t.b = assert(socket.socketpair())
        t.a:sendall(text)
        t.b:settimeout(0)
        t.b:setmaxline(100)
        t.text = text
        return t
      end
    end
    local function check(wanted)
      return function(t, ok, _, message, code)
        if ok then assert(code == wanted, message) end
        t.a:close()
        t.b:setmaxline(1 << 30)
        assert(t.b:read "a" == t.text)
      end
    end
    for _, formats in ipairs { { "l", "l", 10 }, { "l", "l", "n" }, { "n", "l", "l", "a" }, { 1, 1, 1, "a" } } do
      each(setup "12 one\ntwo\n3", function(t) return t.b:read(table.unpack(formats)) end, check "EAGAIN")
    end
    each(setup "12 one\ntwo\n3", function(t) return t.b:readuntil "x" end, check "EAGAIN")
    each(setup("12 one\n" .. ("x"):rep(200) .. "\n"), function(t) return t.b:read("n", "l", "l") end, check "EMSGSIZE")
    each(setup(("x"):rep(200)), function(t) return t.b:readuntil ";" end, check "EMSGSIZE")
    each(setup(long), function(t)
      t.b:setmaxline(1 << 30)
      return t.b:read "l"
    end, check "EAGAIN")
  ]]},
  {"reads of several sockets one after the other", [[
    local names = { "a", "b", "c" }
    each(function()
      local t = { a = { close = function() end }, b = { close = function() end }, pairs = {} }
      for i, name in ipairs(names) do
        local p = { data = false }
        p.a, p.b = assert(socket.socketpair())
        p.b:settimeout(0)
        p.a:send(name:rep(1000) .. "\n" .. name)
        t.pairs[i] = p
      end
      return t
    end, function(t)
      for i = 1, 3 do
        local ok, data = pcall(t.pairs[i].b.read, t.pairs[i].b)
        if ok then t.pairs[i].data = data end
      end
    end, function(t)
      for i = 3, 1, -1 do
        local p = t.pairs[i]
        assert((p.data or p.b:read()) == names[i]:rep(1000))
        p.a:send "\n"
        assert(p.b:read() == names[i])
        assert(select(3, p.b:recv()) == "EAGAIN")
        p.a:close()
        p.b:close()
      end
    end)
  ]]},
  {"write", [[
    -- a write that raises has taken nothing
    local function check(mode, size)
      each(function()
        local t = { n = 0 }
        t.a, t.b = assert(socket.socketpair())
        t.b:settimeout(5)
        return t
      end, function(t)
        assert(t.a:setvbuf(mode, size))
        for i = 1, 60 do
          t.a:write("line ", i, i % 3 == 0 and "\n" or ",", i + 0.5)
          t.n = i
        end
        t.a:write(long)
        t.n = 61
        t.a:flush()
      end, function(t)
        local all = {}
        for i = 1, math.min(t.n, 60) do all[i] = "line " .. i .. (i % 3 == 0 and "\n" or ",") .. i + 0.5 end
        if t.n == 61 then all[61] = long end
        assert(t.a:close())
        local got = t.b:read "a"
        assert(got == table.concat(all), got:sub(1, 1000))
      end)
    end
    check "no"
    check "line"
    check "full"
    check("full", 100)
    check("full", 10)
  ]]},
  {"what sends it", [[
    for i, send in ipairs {
      function(t) t.a:flush() end,
      function(t) t.a:close() end,
      function(t) t.a:shutdown "SHUT_WR" end,
      function(t) local s <close> = t.a end,
      function(t) t.a:setvbuf("full", 5) end,
      function(t) t.a:setvbuf "no" end,
      function(t) t.a:setvbuf("full", 100000) end,
      function(t) t.a:settimeout(0) t.a:read() t.a:recv() end,
    } do
      each(function()
        local t = {}
        t.a, t.b = assert(socket.socketpair())
        t.b:settimeout(5)
        t.a:setvbuf("full", 1000)
        t.a:write("held ", "back")
        return t
      end, send, function(t)
        t.a:close()
        assert(t.b:read "a" == "held back", i)
      end)
    end
  ]]},
}

local runs = {
  {1, "one request"},
  {2, "a request and the one after the collector ran"},
  {1000000000, "every request from one on"},
}

describe("when memory is out for", function()
  for _, how in ipairs(runs) do
    describe(how[2], function()
      for _, script in ipairs(scripts) do
        it("no byte is lost of " .. script[1], function()
          local alloc = build "alloc" or helper.skip "no C compiler is here"
          local message, bytes, blocks, wrong =
            alloc.run(package.path, package.cpath, prelude .. script[2], tostring(how[1]))
          assert.is_nil(message)
          assert.same({0, 0, false}, {bytes, blocks, wrong})
        end)
      end
    end)
  end
end)
