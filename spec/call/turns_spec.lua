-- Several coroutines send on one socket, or receive from it: senders take turns, receivers exclude each other. In every
-- way in which calls can wait side by side.
local drivers = require "spec.support.drivers"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local socket = require "bsdsocket"

after_each(net.close)

local SIZE = 1 << 21 -- more than any socket takes at once

local function file(data)
  local f = net.keep(assert(io.tmpfile()))
  assert(f:write(data):seek("set"))
  return f
end

--- What sends a string as a whole, and gives the number of bytes.
local senders = {
  { "sendall", function(s, data) return s:sendall(data) end },
  { "send", function(s, data) return s:send(data) end, short = true },
  { "write", function(s, data)
    local ok, message, code, sent = s:write(data:sub(1, 1), data:sub(2))
    if ok then return #data end
    return nil, message, code, sent
  end },
  { "sendmsg", function(s, data) return s:sendmsg { data = { data:sub(1, 1), data:sub(2) } } end, short = true },
  { "sendfile of a file", function(s, data) return s:sendfile(file(data)) end },
  { "sendfile of a socket", function(s, data)
    local from, to = net.pair()
    assert(to:send(data))
    return s:sendfile(from, nil, #data)
  end, short = true },
}

local function tcp()
  return net.tcp(function(s)
    assert(s:setsockopt("SO_SNDBUF", 1 << 16))
    assert(s:setsockopt("SO_RCVBUF", 1 << 16))
  end)
end

local families = { { "a unix socket", net.pair }, { "TCP", tcp } }

--- All that comes, until there are so many bytes.
local function receive(s, n)
  local parts = {}
  while n > 0 do
    local data = assert(s:recv(math.min(n, 1 << 20)))
    if data == "" then break end
    parts[#parts + 1] = data
    n = n - #data
  end
  return table.concat(parts)
end

for _, driver in ipairs(drivers) do
  local spawn, join, settle = driver.spawn, driver.join, driver.settle

  describe(driver.name, function()
    for _, family in ipairs(families) do
      local name, make = table.unpack(family)

      for _, sender in ipairs(senders) do
        local function called(text) return text:format(name, sender[1]) end

        it(called("over %s %s comes after the message that is under way, and before the next"), function()
          local a, b = make()
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            local begun = receive(b, 1 << 16) -- there is room now
            local second = spawn(sender[2], a, "BBBB")
            local third = spawn(a.sendall, a, ("C"):rep(SIZE))
            local fourth = spawn(sender[2], a, "DDDD")
            settle()
            local got = begun .. receive(b, 2 * SIZE + 8 - #begun)
            assert.equal(SIZE, join(first))
            assert.equal(4, join(second))
            assert.equal(SIZE, join(third))
            assert.equal(4, join(fourth))
            assert.is_true(got == ("A"):rep(SIZE) .. "BBBB" .. ("C"):rep(SIZE) .. "DDDD")
          end)
        end)

        if not sender.short then
          it(called("over %s what comes while %s is in the middle waits until it has ended"), function()
            local a, b = make()
            driver.run(function()
              local first = spawn(sender[2], a, ("A"):rep(SIZE))
              settle()
              local begun = receive(b, 1 << 16)
              local second = spawn(a.send, a, "BBBB")
              settle()
              local got = begun .. receive(b, SIZE + 4 - #begun)
              assert.equal(SIZE, join(first))
              assert.equal(4, join(second))
              assert.is_true(got == ("A"):rep(SIZE) .. "BBBB")
            end)
          end)
        end

        it(called("over %s the time that %s spends in the queue counts, and it has sent nothing"), function()
          local a, b = make()
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            a:settimeout(0)
            helper.fails("s:" .. sender[1]:match "%w+", "EAGAIN", sender[2](a, "x"))
            a:settimeout(0.01)
            local results = table.pack(join(spawn(sender[2], a, "BBBB")))
            a:settimeout(nil)
            helper.fails("s:" .. sender[1]:match "%w+", "timeout", table.unpack(results, 1, 3))
            assert.is_true(results[4] == nil or results[4] == 0)
            local third = spawn(sender[2], a, "CCCC")
            settle()
            local got = receive(b, SIZE + 4)
            assert.equal(SIZE, join(first))
            assert.equal(4, join(third))
            assert.is_true(got == ("A"):rep(SIZE) .. "CCCC")
          end)
        end)

        it(called("over %s %s that is ended in the queue has sent nothing, and holds up nobody"), function()
          local a, b = make()
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            local second, third = spawn(sender[2], a, "BBBB"), spawn(sender[2], a, "CCCC")
            settle()
            assert.is_true(driver.cancel(second))
            local got = receive(b, SIZE + 4)
            assert.equal(SIZE, join(first))
            assert.equal(4, join(third))
            assert.is_true(got == ("A"):rep(SIZE) .. "CCCC")
          end)
        end)

        it(called("over %s %s goes on when who sends is ended in the middle"), function()
          for _, ending in ipairs { "cancel", "timeout" } do
            local a, b = make()
            driver.run(function()
              if ending == "timeout" then a:settimeout(0.01) end
              local first = spawn(a.sendall, a, ("A"):rep(SIZE))
              settle()
              a:settimeout(nil)
              local second = spawn(sender[2], a, "BBBB")
              settle()
              local sent
              if ending == "cancel" then
                assert.is_true(driver.cancel(first))
              else
                local _, message, code, taken = join(first)
                assert.same({ "sendall: timed out", "timeout" }, { message, code })
                sent = taken
              end
              local reader = spawn(function()
                local parts = {}
                repeat
                  parts[#parts + 1] = assert(b:recv())
                until parts[#parts]:find "B"
                return table.concat(parts)
              end)
              assert.equal(4, join(second))
              local got = join(reader)
              while #got:match "B*$" < 4 do got = got .. b:recv() end
              assert.match("^A+BBBB$", got)
              if sent then assert.equal(sent + 4, #got) end
            end)
          end
        end)

        it(called("over %s shutdown ends %s in the queue with EPIPE, and who sends"), function()
          local a, b = make()
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            local second = spawn(sender[2], a, "BBBB")
            settle()
            assert.equal(a, a:shutdown "SHUT_WR")
            local _, _, code, sent = join(first)
            assert.equal("EPIPE", code)
            helper.fails("s:" .. sender[1]:match "%w+", "EPIPE", table.unpack({ join(second) }, 1, 3))
            assert.equal(sent, #receive(b, SIZE))
          end)
        end)

        it(called("over %s close ends %s in the queue with EBADF, and who sends"), function()
          local a, b = make()
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            local second = spawn(sender[2], a, "BBBB")
            settle()
            assert.is_true(a:close())
            local _, _, code, sent = join(first)
            assert.equal("EBADF", code)
            helper.fails("s:" .. sender[1]:match "%w+", "EBADF", table.unpack({ join(second) }, 1, 3))
            assert.equal(sent, #receive(b, SIZE))
          end)
        end)
      end

      for _, mode in ipairs { "full", "line" } do
        local text = "over %s what is buffered (%s) never comes into the middle of another's message"
        it(text:format(name, mode), function()
          local a, b = make()
          assert(a:setvbuf(mode, 100))
          driver.run(function()
            local first = spawn(a.sendall, a, ("A"):rep(SIZE))
            settle()
            local begun = receive(b, 1 << 16)
            local second, third = spawn(a.write, a, "BB"), spawn(a.write, a, "CC")
            local fourth = spawn(a.flush, a)
            settle()
            local got = begun .. receive(b, SIZE - #begun)
            assert.equal(SIZE, join(first))
            assert.equal(a, join(second))
            assert.equal(a, join(third))
            join(fourth)
            assert.equal(a, a:flush())
            assert.is_true(got == ("A"):rep(SIZE))
            assert.equal("BBCC", receive(b, 4))
          end)
        end)
      end
    end

    it("datagrams of several senders queue", function()
      local path = helper.tmpdir() .. "/s"
      local to = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(path)))
      local s = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
      local address = to:getsockname()
      assert(s:settimeout(0))
      local n = 0
      while s:sendto("x", address) do n = n + 1 end
      s:settimeout(nil)
      driver.run(function()
        local list = {
          spawn(s.sendto, s, "1", address), spawn(s.sendmsg, s, { data = "2", address = address }),
          spawn(s.sendmmsg, s, { { data = "3", address = address } }), spawn(s.sendto, s, "4", address),
        }
        settle()
        for _ = 1, n do assert.equal("x", to:recv()) end
        for i = 1, 4 do assert.equal(tostring(i), to:recv()) end
        for _, handle in ipairs(list) do assert.equal(1, join(handle)) end
      end)
    end)

    it("close does not wait for what another is trying to flush: EBUSY, and EBADF for the other", function()
      local a, b = net.pair()
      assert(a:setvbuf("full", SIZE))
      assert(a:write(("A"):rep(SIZE)))
      driver.run(function()
        local first = spawn(a.flush, a)
        settle()
        helper.fails("s:close", "EBUSY", a:close())
        assert.is_nil(a:fileno())
        helper.fails("s:flush", "EBADF", table.unpack({ join(first) }, 1, 3))
        assert.is_true(#receive(b, SIZE) < SIZE)
      end)
    end)

    -- What is unfinished when half of it has come.
    local halves = {
      ["read(10)"] = function(s) return s:read(10) end,
      ["recv with MSG_WAITALL"] = function(s) return s:recv(10, "MSG_WAITALL") end,
      ["recvfrom with MSG_WAITALL"] = function(s) return (s:recvfrom(10, "MSG_WAITALL")) end,
      ["recvinto with MSG_WAITALL"] = function(s)
        local buf = socket.buffer(10)
        return s:recvinto(buf, 10, 1, "MSG_WAITALL") == 10 and buf:sub(1, 10)
      end,
      readuntil = function(s) return s:readuntil "0" end,
      lines = function(s) return s:lines(10)() end,
      ["read of two formats"] = function(s) return table.concat { s:read(5, 5) } end,
    }
    local seconds = {
      recv = function(s) return s:recv() end, peek = function(s) return s:recv(1, "MSG_PEEK") end,
      recvfrom = function(s) return s:recvfrom() end, recvmsg = function(s) return s:recvmsg() end,
      recvmmsg = function(s) return s:recvmmsg(1, 1) end, read = function(s) return s:read(1) end,
      readuntil = function(s) return s:readuntil "x" end,
      recvinto = function(s) return s:recvinto(socket.buffer(1)) end,
      sendfile = function(s)
        local to = net.pair()
        return to:sendfile(s, nil, 1)
      end,
    }
    for half, f in pairs(halves) do
      it("no other call takes a byte away from " .. half, function()
        local a, b = net.pair()
        driver.run(function()
          local first = spawn(f, a)
          settle()
          for _, bytes in ipairs { "", "12345" } do
            if bytes ~= "" then b:send(bytes) end
            for _ = 1, 2 do -- before it has looked, and after
              for name, second in pairs(seconds) do
                local _, _, code = second(a)
                assert.equal("EBUSY", code, name)
              end
              assert.is_false((pcall(a:lines())))
              assert.is_false((pcall(a:chunks())))
              settle()
            end
          end
          a:settimeout(0)
          assert.equal("", a:recv(0))
          assert.equal("", a:read(0))
          assert.equal("", assert(a:recvmsg(0)).data)
          a:settimeout(nil)
          b:send "67890rest"
          assert.equal("1234567890", join(first))
          assert.equal("rest", a:recv())
        end)
      end)
    end

    it("urgent data and the error queue pass by who receives", function()
      local a, b = net.tcp()
      driver.run(function()
        local first = spawn(a.recv, a)
        settle()
        a:settimeout(0)
        helper.fails("s:recv", "EAGAIN", a:recv(1, "MSG_ERRQUEUE"))
        b:send("!", "MSG_OOB")
        assert.equal("!", a:recv(1, "MSG_OOB"))
        a:settimeout(nil)
        b:send "data"
        assert.equal("data", join(first))
      end)
    end)

    it("several may wait for one connection to be made", function()
      local listener = net.keep(net.listener(0))
      local address = listener:getsockname()
      local guests = {}
      for i = 1, 4 do
        guests[i] = net.keep(assert(socket.socket()))
        guests[i]:settimeout(0)
        guests[i]:connect(address)
      end
      local s = net.keep(assert(socket.socket()))
      driver.run(function()
        local list = {}
        for i = 1, 3 do list[i] = spawn(s.connect, s, address) end
        local sender = spawn(s.sendall, s, "hello")
        settle()
        local server = spawn(function()
          for conn in listener:clients() do net.keep(conn) end
        end)
        for i = 1, 3 do assert.equal(s, join(list[i])) end
        assert.equal(5, join(sender))
        listener:close()
        join(server)
      end)
    end)

    it("who began a connection has it, too, when another was the first to hear of it", function()
      local listener = net.keep(net.listener())
      local s = net.keep(assert(socket.socket()))
      driver.run(function()
        local first = spawn(s.connect, s, listener:getsockname())
        local second = spawn(s.connect, s, listener:getsockname())
        assert.equal(s, join(first))
        assert.equal(s, join(second))
        helper.fails("s:connect", "EISCONN", s:connect(listener:getsockname()))
      end)
    end)
  end)
end

describe("where Lua cannot yield", function()
  it("a call gets EBUSY where it would have to wait for another's, which could not go on", function()
    local a, b = net.pair()
    local driver = drivers[1]
    driver.run(function()
      local first = driver.spawn(a.sendall, a, ("A"):rep(SIZE))
      driver.settle()
      string.gsub("x", "x", function()
        helper.fails("s:send", "EBUSY", a:send "B")
        helper.fails("s:sendall", "EBUSY", a:sendall "B")
        helper.fails("s:sendto", "EBUSY", a:sendto("B", a:getpeername()))
        helper.fails("s:sendmsg", "EBUSY", a:sendmsg { data = "B" })
        helper.fails("s:sendmmsg", "EBUSY", a:sendmmsg { "B" })
        helper.fails("s:sendfile", "EBUSY", a:sendfile(file "B"))
        helper.fails("s:write", "EBUSY", a:write "B")
      end)
      assert.equal(SIZE, #receive(b, SIZE))
      assert.equal(SIZE, driver.join(first))
    end)
  end)
end)
