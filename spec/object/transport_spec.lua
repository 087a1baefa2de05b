-- csrc/object/transport.c: every call of a stream goes through the transport of its socket. The one used here, of
-- fault/transport.c, changes each byte, cuts, keeps back and fails; the other end of the connection is the kernel's
-- own.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local build = require "fault.build"
local drivers = require "spec.support.drivers"
local helper = require "spec.support.helper"
local net = require "spec.support.net"

after_each(net.close)

local KEY = 0x15

local function fails(code, ...)
  local value, message, its = ...
  assert.is_nil(value)
  assert.equal("string", type(message))
  assert.equal(code, its)
end

--- As it crosses the kernel, and back.
local function changed(text)
  return (text:gsub(".", function(c) return string.char(c:byte() ~ KEY) end))
end

local wrap
setup(function() wrap = build("transport", "-D_GNU_SOURCE") end)

--- A stream with such a transport, and its peer without.
local function pair(setting)
  if not wrap then helper.skip "no C compiler is here" end
  local a, b = net.pair()
  local options = { key = KEY }
  for name, value in pairs(setting) do options[name] = value end
  options.name = nil
  return wrap(a, options), b
end

local settings = {
  { name = "that changes each byte" },
  { name = "that cuts", cut = 3 },
  { name = "that keeps back what it has taken", late = true },
  { name = "that cuts and keeps back", cut = 2, late = true },
}

local plainly = {
  name = "plainly", run = function(f) f() end,
  spawn = function(f, ...) return table.pack(f(...)) end,
  join = function(results) return table.unpack(results, 1, results.n) end,
}
local all = { plainly, table.unpack(drivers) }

--- The results of an iterator, joined.
local function joined(...)
  local list = {}
  for piece in ... do list[#list + 1] = piece end
  return table.concat(list, "|")
end

-- what comes, what is called, what it gives; `ends`: the peer sends no more after it
local receiving = {
  { "recv", "hello", function(s) return s:recv() end, { "hello" } },
  { "recv of some bytes, and of the rest", "hello", function(s) return s:recv(2), s:recv(9) end, { "he", "llo" } },
  { "recv with MSG_PEEK", "hello", function(s) return s:recv(4, "MSG_PEEK"), s:recv() end, { "hell", "hello" } },
  { "recv with MSG_WAITALL", "hello you", function(s) return s:recv(9, "MSG_WAITALL") end, { "hello you" } },
  { "recvfrom", "hello", function(s) return (s:recvfrom(5)) end, { "hello" } },
  { "recvinto", "hello", function(s)
    local buffer = socket.buffer(8)
    return s:recvinto(buffer), buffer:sub(1, 5)
  end, { 5, "hello" } },
  { "recvmsg", "hello", function(s)
    local m = s:recvmsg(16)
    return m.data, m.truncated, #m.fds, #m.control
  end, { "hello", false, 0, 0 } },
  { "recvmmsg", "hello", function(s)
    local messages, n = s:recvmmsg(4, 16)
    return n, messages[1].data
  end, { 1, "hello" } },
  { "chunks", "hello", function(s) return joined(s:chunks()) end, { "hello" }, ends = true },
  { "read of a line", "one\r\ntwo\n", function(s) return s:read(), s:read "L" end, { "one", "two\n" } },
  { "read of a number and a count", "12.5 rest", function(s) return s:read("n", 5) end, { 12.5, " rest" } },
  { "read of all", "one\ntwo", function(s) return s:read "a" end, { "one\ntwo" }, ends = true },
  { "read of nothing", "x", function(s) return s:read(1), s:read(0) end, { "x", nil }, ends = true },
  { "lines", "one\ntwo\nthree", function(s) return joined(s:lines()) end, { "one|two|three" }, ends = true },
  { "readuntil", "head;;body", function(s) return s:readuntil ";;", s:recv(4) end, { "head;;", "body" } },
  { "recv at the end", "", function(s) return s:recv(), s:read() end, { "", nil }, ends = true },
}

-- what is called; all of it is TEXT in the end
local TEXT = "the text that goes\nthrough it"
local sending = {
  { "send", function(s)
    local at = 1
    repeat at = at + assert(s:send(TEXT, 0, at)) until at > #TEXT
  end },
  { "sendall", function(s) assert.equal(#TEXT, s:sendall(TEXT)) end },
  { "sendall of a part of a buffer", function(s)
    local buffer = socket.buffer(#TEXT + 4)
    buffer:set(3, TEXT)
    assert.equal(#TEXT, s:sendall(buffer, 0, 3, #TEXT + 2))
  end },
  { "write", function(s) assert.equal(s, s:write(TEXT:sub(1, 7), TEXT:sub(8, 8), TEXT:sub(9))) end },
  { "write and flush", function(s)
    assert(s:setvbuf "full")
    assert(s:write(TEXT:sub(1, 7)))
    assert(s:write(TEXT:sub(8)))
    assert.equal(s, s:flush())
  end },
  { "write of lines", function(s)
    assert(s:setvbuf "line")
    assert(s:write(TEXT))
    assert(s:flush())
  end },
  { "what is unflushed before a sendall", function(s)
    assert(s:setvbuf "full")
    assert(s:write(TEXT:sub(1, 7)))
    assert.equal(#TEXT - 7, s:sendall(TEXT:sub(8)))
  end },
  { "sendmsg", function(s)
    local at = 1
    repeat at = at + assert(s:sendmsg { data = { TEXT:sub(at, at + 4), TEXT:sub(at + 5) } }) until at > #TEXT
  end },
  { "sendmmsg", function(s)
    assert.equal(3, s:sendmmsg { TEXT:sub(1, 3), { data = TEXT:sub(4, 9) }, TEXT:sub(10) })
  end },
  { "sendfile", function(s)
    local file <close> = assert(io.open(helper.saved(TEXT)))
    assert.equal(#TEXT, s:sendfile(file))
  end },
  { "sendfile of another socket", function(s)
    local from, other = net.pair()
    assert(other:sendall(TEXT))
    assert.equal(#TEXT, s:sendfile(from, nil, #TEXT))
  end },
}

for _, setting in ipairs(settings) do
  for _, driver in ipairs(all) do
    describe(driver.name .. ", through a transport " .. setting.name .. ",", function()
      local function inside(f)
        return function() driver.run(f) end
      end

      for _, row in ipairs(receiving) do
        local name, text, call, expected = table.unpack(row, 1, 4)

        it(name .. " gets what has come", inside(function()
          local a, b = pair(setting)
          if text ~= "" then assert(b:sendall(changed(text))) end
          if row.ends then assert(b:shutdown "SHUT_WR") end
          assert.same(table.pack(table.unpack(expected, 1, expected.n or #expected)), (function(...)
            local got = table.pack(...)
            while got.n > #expected do got.n = got.n - 1 end
            return got
          end)(call(a)))
        end))

        if driver.settle then
          it(name .. " waits for what comes byte by byte", inside(function()
            local a, b = pair(setting)
            local got
            local waits = driver.spawn(function()
              if name:find "^recv" and text ~= "" then assert(a:recv(#text, "MSG_WAITALL|MSG_PEEK")) end
              got = table.pack(call(a))
            end)
            if not name:find "^recv" then
              for c in changed(text):gmatch "." do
                driver.settle()
                assert(b:sendall(c))
              end
            elseif text ~= "" then
              driver.settle()
              assert(b:sendall(changed(text)))
            end
            driver.settle()
            if row.ends then assert(b:shutdown "SHUT_WR") end
            driver.join(waits)
            assert.equal(tostring(expected[1]), tostring(name == "chunks" and got[1]:gsub("|", "") or got[1]))
          end))
        end
      end

      for _, row in ipairs(sending) do
        local name, call = table.unpack(row)

        it(name .. " sends all of it", inside(function()
          local a, b = pair(setting)
          call(a)
          assert.equal(TEXT, changed(b:recv(#TEXT, "MSG_WAITALL")))
        end))
      end

      it("a megabyte goes there and comes back", inside(function()
        if driver == plainly then return end
        local a, b = pair { name = setting.name, cut = setting.cut and 1000, late = setting.late }
        local pieces = {}
        for i = 1, 1 << 14 do pieces[i] = ("%063d\n"):format(i) end
        local whole = table.concat(pieces)
        local echo = driver.spawn(function()
          for data in b:chunks() do assert(b:sendall(data)) end
          assert(b:shutdown "SHUT_WR")
        end)
        local back = driver.spawn(function()
          local got = {}
          for line in a:lines "L" do got[#got + 1] = line end
          return table.concat(got)
        end)
        assert.equal(#whole, a:sendall(whole))
        assert(a:shutdown "SHUT_WR")
        local got = driver.join(back)
        driver.join(echo)
        assert.equal("\4", got:sub(#whole + 1))
        assert.is_true(got:sub(1, #whole) == whole)
      end))
    end)
  end
end

describe("a transport", function()
  it("tells the peer of the end before shutdown, and not before what is unflushed", function()
    local a, b = pair { late = true }
    assert(a:setvbuf "full")
    assert(a:write "last words")
    assert(a:shutdown "SHUT_WR")
    assert.equal("last words\4", changed(b:read "a"))
  end)

  it("gives the kernel at close what it has kept back", function()
    for _, close in ipairs { "close", "__close", "__gc" } do
      local a, b = pair { late = true }
      a:settimeout(0) -- so nobody waits until it has gone
      assert.equal(4, a:sendall "text")
      if close == "close" then a:close() else getmetatable(a)[close](a) end
      assert.equal("text", changed(b:read "a"), close)
    end
  end)

  it("makes its socket readable for select, pollers and loop.wait when it holds more than was asked for", function()
    local a, b = pair { cut = 2 }
    assert(b:sendall(changed "one\ntwo\n"))
    assert.equal("one", a:read())
    assert.equal(4, a:pending())
    assert.same({ a, [a] = 1 }, (socket.select({ a }, nil, 0)))
    local poller <close> = assert(socket.poller())
    assert(poller:add(a, "r"))
    local ready
    for s in poller:wait(0) do ready = s end
    assert.equal(a, ready)
    loop.run(function() assert.equal("r", loop.wait(a, "r", 10)) end)
    assert.equal("two", a:read())
  end)

  it("lets a call end at its timeout, or at once under timeout 0, and go on later", function()
    local a, b = pair { cut = 2 }
    a:settimeout(0)
    helper.fails("s:recv", "EAGAIN", a:recv())
    helper.fails("s:read", "EAGAIN", a:read())
    a:settimeout(0.01)
    helper.fails("s:recv", "timeout", a:recv())
    assert(b:sendall(changed "half a "))
    helper.fails("s:read", "timeout", a:read())
    assert(b:sendall(changed "line\n"))
    assert.equal("half a line", a:read())
  end)

  it("counts what is gone where a send ends at its timeout, so that nothing is lost or sent twice", function()
    for _, late in ipairs { false, true } do
      local a, b = pair { cut = 1000, late = late }
      assert(a:setsockopt("SO_SNDBUF", 4096))
      local whole = ("0123456789abcdef"):rep(20000)
      a:settimeout(0.02)
      local n, message, code, sent = a:sendall(whole)
      helper.fails("s:sendall", "timeout", n, message, code)
      assert(sent > 0 and sent < #whole)
      loop.run(function()
        local rest = loop.spawn(function()
          a:settimeout(nil)
          assert.equal(#whole - sent, a:sendall(whole, 0, sent + 1))
          assert(a:shutdown "SHUT_WR")
        end)
        assert.is_true(changed(b:read "a") == whole .. "\4")
        assert(rest:join())
      end)
    end
  end)

  it("hands its own failures to the call, and what came before them", function()
    local a, b = pair { failrecv = 1 }
    assert(b:sendall(changed "one\n"))
    assert.equal("one", a:read())
    fails("EIO", a:recv())
    fails("EIO", a:read())
    a, b = pair { failsend = 1, cut = 2 }
    local n, message, code, sent = a:sendall "four"
    fails("EIO", n, message, code)
    assert.equal(2, sent)
    fails("EIO", a:write "x")
    fails("EIO", a:sendmsg { data = "x" })
    assert.equal("fo", changed(b:recv()))
    fails("EIO", loop.run(function() return a:send "x" end))
  end)

  it("takes bytes and nothing else: no flags, addresses, descriptors, out-of-band data", function()
    local a, b = pair {}
    fails("EOPNOTSUPP", a:send("x", "MSG_OOB"))
    fails("EOPNOTSUPP", a:sendall("x", "MSG_OOB"))
    fails("EOPNOTSUPP", a:recv(1, "MSG_OOB"))
    fails("EOPNOTSUPP", a:sendmsg { data = "x", fds = { b } })
    fails("EOPNOTSUPP", a:dup())
    fails("EOPNOTSUPP", a:detach())
    assert.equal(1, a:sendall "y")
    assert.equal("y", changed(b:recv()))
  end)

  it("lets a task's receive and another's send go on side by side", function()
    loop.run(function()
      local a, b = pair { cut = 5, late = true }
      local got
      local reader = loop.spawn(function() got = a:read() end)
      loop.sleep(0)
      assert.equal(10, a:sendall "0123456789")
      assert.equal("0123456789", changed(b:recv(10, "MSG_WAITALL")))
      assert(b:sendall(changed "answer\n"))
      assert(reader:join())
      assert.equal("answer", got)
    end)
  end)

  it("goes with its socket: by close, by the collector, and where a task waits", function()
    local a = pair { late = true }
    loop.run(function()
      local reader = loop.spawn(function() return a:recv() end)
      loop.sleep(0)
      a:close()
      local _, _, _, code = reader:join()
      assert.equal("EBADF", code)
    end)
    pair { late = true } -- net.close closes it
  end)
end)
