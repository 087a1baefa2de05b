-- csrc/call/sendmsg.c and csrc/call/recvmsg.c: sendmsg, recvmsg, sendmmsg, recvmmsg. What is sent crosses the kernel,
-- and the receiver compares the bytes and the sender's address. Other files beside this one:   message_fds_spec.lua
-- descriptors that go along   control_spec.lua      control data
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local messages = require "spec.support.messages"
local build = require "fault.build"
local socket = require "bsdsocket"

after_each(net.close)

local udp, udp6, unix = messages.udp, messages.udp6, messages.unix
local entry, descriptors = messages.entry, messages.descriptors

local function tcp()
  local client, server = net.tcp()
  return client, server, nil
end

--- name -> a function that gives sender, receiver and the sender's address as the receiver sees it
local bounded = {
  ["UDP"] = udp,
  ["UDP over IPv6"] = udp6,
  ["a unix datagram socket"] = unix "SOCK_DGRAM",
  ["a unix sequenced packet socket"] = unix "SOCK_SEQPACKET",
}
local streams = {["TCP"] = tcp, ["a unix stream"] = unix "SOCK_STREAM"}

local function pieces(n)
  local list = {}
  for i = 1, n do list[i] = ("%d;"):format(i) end
  return list
end

---------------------------------------------------------------------------------------------------

describe("sendmsg and recvmsg", function()
  for name, make in pairs(bounded) do
    describe("over " .. name, function()
      it("carry the bytes and tell the sender", function()
        local a, b, from = make()
        assert.equal(5, a:sendmsg{data = "hello"})
        local m = assert(b:recvmsg())
        assert.same({"hello", from, false, 0, {}, {}},
          {m.data, m.address, m.truncated, m.flags, m.control, m.fds})
        assert.equal(from, m.address)
      end)

      it("gather the pieces of an array into one message, however many", function()
        local a, b, from = make()
        for _, n in ipairs {1, 2, 1023, 1024, 1025, 5000} do
          local list = pieces(n)
          local whole = table.concat(list)
          assert.equal(#whole, a:sendmsg{data = list})
          local m = assert(b:recvmsg())
          assert.equal(whole, m.data)
          assert.equal(from, m.address)
        end
      end)

      it("carry messages without bytes", function()
        local a, b, from = make()
        for _, message in ipairs {{}, {data = ""}, {data = {}}, {data = {"", ""}}} do
          assert.equal(0, a:sendmsg(message))
          local m = assert(b:recvmsg())
          assert.equal("", m.data)
          assert.equal(from, m.address)
          assert.is_false(m.truncated)
        end
      end)

      it("tell that a message was cut, and keep the bounds", function()
        local a, b = make()
        assert.equal(6, a:sendmsg{data = {"abc", "def"}})
        assert.equal(3, a:sendmsg{data = "ghi"})
        local m = assert(b:recvmsg(4))
        assert.same({"abcd", true}, {m.data, m.truncated})
        assert.equal(socket.MSG_TRUNC, m.flags & socket.MSG_TRUNC)
        m = assert(b:recvmsg(3))
        assert.same({"ghi", false}, {m.data, m.truncated})
        a:send "xyz"
        m = assert(b:recvmsg(0))
        assert.same({"", true}, {m.data, m.truncated})
      end)

      it("look at a message with MSG_PEEK, and never read more than was stored with MSG_TRUNC", function()
        local a, b, from = make()
        a:send "hello"
        for _, flags in ipairs {socket.MSG_PEEK, socket.MSG_PEEK | socket.MSG_TRUNC, socket.MSG_TRUNC} do
          local m = assert(b:recvmsg(2, {flags = flags}))
          assert.same({"he", true}, {m.data, m.truncated})
          assert.equal(from, m.address)
        end
        helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(2, {flags = "MSG_DONTWAIT"}))
      end)

      it("take room for a huge message only when there is one", function()
        local a, b = make()
        a:send(("x"):rep(60000))
        collectgarbage()
        local before = collectgarbage "count"
        local m = assert(b:recvmsg(1 << 40))
        assert.equal(60000, #m.data)
        assert.is_true(collectgarbage "count" - before < 100)
      end)
    end)
  end

  for name, make in pairs(streams) do
    describe("over " .. name, function()
      it("send the pieces of an array one after the other, at once or in part", function()
        local a, b = make()
        for _, n in ipairs {1, 2, 1024, 1025, 5000} do
          local list = pieces(n)
          local sent = assert(a:sendmsg{data = list})
          assert.is_true(sent >= #table.concat(list, "", 1, math.min(n, 1024)))
          local got = ""
          while #got < sent do got = got .. assert(b:recvmsg(7000)).data end
          assert.equal(table.concat(list):sub(1, sent), got)
        end
      end)

      it("do not stop at pieces without bytes", function()
        local a, b = make()
        local list = {}
        for i = 1, 3000 do list[i] = "" end
        list[3001] = "x"
        assert.equal(1, a:sendmsg{data = list})
        assert.equal("x", b:recvmsg().data)
      end)

      it("leave in the stream what was not asked for, and tell its end", function()
        local a, b = make()
        a:send "hello"
        local m = assert(b:recvmsg(0))
        assert.same({"", false, 0, {}, {}}, {m.data, m.truncated, m.flags, m.control, m.fds})
        assert.equal("he", b:recvmsg(2, {flags = "MSG_PEEK"}).data)
        assert.equal("he", b:recvmsg(2, {flags = "MSG_TRUNC"}).data)
        m = assert(b:recvmsg())
        assert.same({"llo", false}, {m.data, m.truncated})
        a:close()
        assert.equal("", assert(b:recvmsg()).data)
      end)
    end)
  end

  it("take strings, numbers and buffers as pieces", function()
    local a, b = udp()
    local buf = socket.buffer(3):set(1, "b\0f")
    assert.equal(9, a:sendmsg{data = {"s", 12, 1.5, buf}})
    assert.equal("s121.5b\0f", b:recvmsg().data)
    assert.equal(2, a:sendmsg{data = 12})
    assert.equal("12", b:recvmsg().data)
    assert.equal(3, a:sendmsg{data = buf})
    assert.equal("b\0f", b:recvmsg().data)
  end)

  it("take an array that has metamethods", function()
    local a, b = udp()
    local list = setmetatable({}, {__len = function() return 3 end, __index = function(_, i) return "p" .. i end})
    assert.equal(6, a:sendmsg{data = list})
    assert.equal("p1p2p3", b:recvmsg().data)
  end)

  it("send to the address that is given", function()
    for _, family in ipairs {"AF_INET", "AF_INET6"} do
      local _, b = (family == "AF_INET" and udp or udp6)()
      local host = family == "AF_INET" and "127.0.0.1" or "::1"
      local s = net.keep(assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(host, 0)))
      local far = net.keep(assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(host, 0)))
      assert(far:connect(s:getsockname()))
      assert.equal(1, s:sendmsg{data = "x", address = far:getsockname()})
      local m = assert(far:recvmsg())
      assert.equal("x", m.data)
      assert.equal(s:getsockname(), m.address)
      helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(1, {flags = "MSG_DONTWAIT"}))
    end
    local dir = helper.tmpdir()
    local r = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/r")))
    local u = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
    assert.equal(1, u:sendmsg{data = "x", address = r:getsockname()})
    assert.equal("", r:recvmsg().address.path)
  end)

  it("keep to the flags", function()
    local a, b = udp()
    assert.equal(1, a:sendmsg{data = "x", flags = "MSG_MORE"})
    assert.equal(1, a:sendmsg{data = "y", flags = 0})
    assert.equal("xy", b:recvmsg().data)
  end)

  it("carry out-of-band data, and wait for it", function()
    local a, b = net.tcp()
    helper.fails("s:recvmsg", "EINVAL", b:recvmsg(1, {flags = "MSG_OOB"}))
    assert.equal(1, a:sendmsg{data = "!", flags = "MSG_OOB"})
    b:settimeout(5)
    local m = assert(b:recvmsg(10, {flags = "MSG_OOB"}))
    assert.equal("!", m.data)
    assert.equal(socket.MSG_OOB, m.flags & socket.MSG_OOB)
  end)

  it("say in their messages where it went wrong", function()
    local dir = helper.tmpdir()
    local gone = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/gone")))
    local address = gone:getsockname()
    gone:close()
    local s = net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")))
    assert.equal("sendmsg " .. dir .. "/gone: Connection refused",
      helper.fails("s:sendmsg", "ECONNREFUSED", s:sendmsg{data = "x", address = address}))
    assert.equal("sendmmsg " .. dir .. "/gone: Connection refused",
      helper.fails("s:sendmmsg", "ECONNREFUSED", s:sendmmsg{{data = "x", address = address}}))
    local u = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
    local big = ("x"):rep(70000)
    assert.equal("sendmsg 127.0.0.1:9: " .. socket.strerror "EMSGSIZE", helper.fails("s:sendmsg", "EMSGSIZE",
      u:sendmsg{data = big, address = socket.address("AF_INET", "127.0.0.1", 9)}))
    assert.equal("sendmsg: Destination address required",
      helper.fails("s:sendmsg", "EDESTADDRREQ", u:sendmsg{data = "x"}))
    helper.fails("s:sendmmsg", "EDESTADDRREQ", u:sendmmsg{"x"})
    local stream = net.keep(assert(socket.socket("AF_UNIX", "SOCK_STREAM")))
    helper.fails("s:sendmsg", "ENOTCONN", stream:sendmsg{data = "x"})
    helper.fails("s:sendmmsg", "ENOTCONN", stream:sendmmsg{"x"})
    local t = net.keep(assert(socket.socket("AF_INET", "SOCK_STREAM")))
    helper.fails("s:recvmsg", "ENOTCONN", t:recvmsg())
    helper.fails("s:recvmmsg", "ENOTCONN", t:recvmmsg(1, 1))
  end)

  it("say EPIPE and ECONNRESET, and raise no signal", function()
    local a, b = net.pair()
    b:close()
    helper.fails("s:sendmsg", "EPIPE", a:sendmsg{data = "x"})
    helper.fails("s:sendmmsg", "EPIPE", a:sendmmsg{"x"})
    for _, call in ipairs {"recvmsg", "recvmmsg"} do
      local c, d = net.tcp()
      net.reset(d)
      helper.fails("s:" .. call, "ECONNRESET", c[call](c, 1, call == "recvmmsg" and 1 or nil))
    end
  end)

  it("say ECONNREFUSED when an earlier datagram met nobody", function()
    for _, call in ipairs {"sendmsg", "sendmmsg", "recvmsg", "recvmmsg"} do
      local u = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):connect(net.nobody())))
      assert(u:send "x")
      local argument = ({sendmsg = {}, sendmmsg = {"x"}, recvmsg = 1, recvmmsg = 1})[call]
      helper.fails("s:" .. call, "ECONNREFUSED", u[call](u, argument, call == "recvmmsg" and 1 or nil))
    end
  end)

  it("wait no longer than the timeout", function()
    local a, b = net.pair "SOCK_DGRAM"
    for _, seconds in ipairs {0.05, 0.3} do
      b:settimeout(seconds)
      assert.equal("recvmsg: timed out", helper.fails("s:recvmsg", "timeout", net.takes(seconds, b.recvmsg, b)))
      helper.fails("s:recvmmsg", "timeout", net.takes(seconds, b.recvmmsg, b, 2, 2))
    end
    a:settimeout(0)
    local sent = 0
    repeat
      local ok = a:sendmsg{data = "x"}
      sent = sent + (ok or 0)
    until not ok
    helper.fails("s:sendmsg", "EAGAIN", a:sendmsg{data = "x"})
    helper.fails("s:sendmmsg", "EAGAIN", a:sendmmsg{"x"})
    a:settimeout(nil)
    helper.fails("s:sendmsg", "EAGAIN", a:sendmsg{data = "x", flags = "MSG_DONTWAIT"})
    helper.fails("s:sendmmsg", "EAGAIN", a:sendmmsg({"x"}, "MSG_DONTWAIT"))
    helper.fails("s:sendmmsg", "EAGAIN", a:sendmmsg{{data = "x", flags = "MSG_DONTWAIT"}})
    a:settimeout(0.05)
    helper.fails("s:sendmsg", "timeout", net.takes(0.05, a.sendmsg, a, {data = "x"}))
    helper.fails("s:sendmmsg", "timeout", net.takes(0.05, a.sendmmsg, a, {"x"}))
    b:settimeout(0)
    for _ = 1, sent do assert.equal("x", b:recvmsg().data) end
    helper.fails("s:recvmsg", "EAGAIN", b:recvmsg())
    helper.fails("s:recvmmsg", "EAGAIN", b:recvmmsg(1, 1))
  end)

  it("wait until the other side does its part", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/s")))
    local child <close> = net.child([[
      local s = socket.socket("AF_UNIX", "SOCK_DGRAM"):bind(arg[1] .. "/c")
      local to = socket.address("AF_UNIX", arg[1] .. "/s")
      print "ready"
      while s:recvmsg().data == "go" do -- else a blocked sender goes on
        socket.select(nil, nil, 0.05)
        assert(s:sendmsg{data = "came", address = to})
      end
      local n = 1
      repeat n = n + #s:recvmmsg(64, 1) until n == 2000
      print "all"
    ]], dir)
    assert.equal("ready", child:line())
    local to = socket.address("AF_UNIX", dir .. "/c")
    for _, timeout in ipairs {false, 0.2, 5} do
      net.sometime(function()
        assert.equal(2, s:sendmsg{data = "go", address = to})
        local m, message, code = s:settimeout(timeout or nil):recvmsg()
        if not m and code == "timeout" then
          assert(s:settimeout(20):recvmsg())
          return false, message
        end
        assert.same({"came", to}, {m.data, m.address})
        return true
      end)
    end
    s:settimeout(nil)
    assert(s:connect(to))
    local list = {}
    for i = 1, 2000 do list[i] = "x" end
    assert.equal(2000, s:sendmmsg(list))
    assert.equal("all", child:line())
    assert.same({"", 0}, {child:rest()})
  end)
end)

---------------------------------------------------------------------------------------------------

describe("sendmmsg and recvmmsg", function()
  for name, make in pairs(bounded) do
    it("carry many messages at once over " .. name, function()
      local a, b, from = make()
      local buf = socket.buffer(2):set(1, "bu")
      local list = {"one", "", {data = {"th", "ree"}}, {}, 5, buf, {data = pieces(1500)}}
      assert.equal(#list, a:sendmmsg(list))
      local got, count = assert(b:recvmmsg(20, 8000))
      assert.equal(#list, count)
      assert.equal(#list, #got)
      for i, data in ipairs {"one", "", "three", "", "5", "bu", table.concat(pieces(1500))} do
        assert.equal(data, got[i].data)
        assert.equal(from, got[i].address)
        assert.is_false(got[i].truncated)
      end
    end)

    it("tell which messages were cut over " .. name, function()
      local a, b = make()
      assert.equal(3, a:sendmmsg{"abc", "defg", "h"})
      local got = assert(b:recvmmsg(3, 3))
      assert.same({"abc", false, "def", true, "h", false},
        {got[1].data, got[1].truncated, got[2].data, got[2].truncated, got[3].data, got[3].truncated})
      assert.equal(2, a:sendmmsg{"abc", ""})
      for _, flags in ipairs {"MSG_PEEK", "MSG_TRUNC"} do
        got = assert(b:recvmmsg(1, 2, flags))
        assert.same({"ab", true}, {got[1].data, got[1].truncated})
      end
      got = assert(b:recvmmsg(1, 0))
      assert.same({"", false}, {got[1].data, got[1].truncated})
    end)
  end

  for name, make in pairs(streams) do
    it("keep the order of " .. name .. ", however the messages are cut", function()
      local a, b = make()
      local long = pieces(5000)
      assert.equal(4, a:sendmmsg{"first;", {data = long}, {}, "last"})
      local whole = "first;" .. table.concat(long) .. "last"
      local got = {}
      repeat
        for _, m in ipairs(assert(b:recvmmsg(4, 1000))) do got[#got + 1] = m.data end
      until #table.concat(got) >= #whole
      assert.equal(whole, table.concat(got))
    end)

    it("lose nothing of " .. name .. " that takes a message in part only", function()
      local a, b = make()
      a:settimeout(0)
      local data = ("0123456789"):rep(1 << 20)
      local list, count = {}, 0
      for i = 1, 20 do list[i] = data end
      local _, bytes = helper.fails("s:sendmmsg", "EAGAIN", a:sendmmsg(list))
      assert.is_true(bytes > 0)
      b:settimeout(1)
      while count < bytes do
        local part = assert(b:recv(1 << 20))
        assert.equal(data:sub(count % 10 + 1, count % 10 + #part), part)
        count = count + #part
      end
      assert.equal(bytes, count)
      b:settimeout(0.02)
      helper.fails("s:recv", "timeout", b:recv())
      a:settimeout(0.05)
      _, bytes = helper.fails("s:sendmmsg", "timeout", a:sendmmsg(list))
      assert.is_true(bytes > 0)
    end)

    it("tell the end of " .. name .. " once", function()
      local a, b = make()
      assert.same({{}, 0}, {b:recvmmsg(3, 0)})
      a:send "hello"
      a:close()
      local got = assert(b:recvmmsg(10, 3))
      assert.same({"hel", "lo", ""}, {got[1].data, got[2].data, got[3].data})
      assert.equal(3, #got)
      assert.equal(1, #b:recvmmsg(10, 3))
    end)
  end

  it("tell the end of a sequenced packet connection once", function()
    local a, b = net.pair "SOCK_SEQPACKET"
    assert.equal(3, a:sendmmsg{"x", "", ""})
    assert.equal(3, select(2, b:recvmmsg(3, 9))) -- these were messages
    a:send "last"
    a:close()
    local got, count = b:recvmmsg(5, 9)
    assert.same({"last", "", 2, 2}, {got[1].data, got[2].data, count, #got})
  end)

  it("send to as many addresses as there are messages", function()
    local s = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    local list, receivers = {}, {}
    for i = 1, 5 do
      receivers[i] = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
      list[i] = {data = "to " .. i, address = receivers[i]:getsockname()}
    end
    assert.equal(5, s:sendmmsg(list))
    for i = 1, 5 do
      local got = assert(receivers[i]:recvmmsg(2, 9))
      assert.equal(1, #got)
      assert.equal("to " .. i, got[1].data)
      assert.equal(s:getsockname(), got[1].address)
    end
  end)

  it("keep to the flags of all and of each", function()
    local a, b = udp()
    assert.equal(4, a:sendmmsg{{data = "a", flags = "MSG_MORE"}, "b", {data = "c", flags = socket.MSG_MORE}, "d"})
    local got = assert(b:recvmmsg(9, 9))
    assert.same({"ab", "cd"}, {got[1].data, got[2].data})
    assert.equal(2, a:sendmmsg({"a", "b"}, "MSG_MORE"))
    assert(a:send "c")
    assert.equal("abc", b:recv())
    a:send "peek"
    got = assert(b:recvmmsg(9, 9, "MSG_PEEK"))
    assert.same({"peek", 1}, {got[1].data, #got})
    assert.equal("peek", b:recv())
  end)

  it("send nothing where there is nothing to send", function()
    local a, b = udp()
    assert.equal(0, a:sendmmsg{})
    b:settimeout(0)
    helper.fails("s:recvmmsg", "EAGAIN", b:recvmmsg(1, 1))
    a:close()
    helper.fails("s:sendmmsg", "EBADF", a:sendmmsg{})
  end)

  it("tell a failure only where no message went before, so that the next call tells it", function()
    local a, b = udp()
    local list = {"fits", ("x"):rep(70000), "too"}
    assert.equal(1, a:sendmmsg(list))
    table.remove(list, 1)
    assert.equal("sendmmsg: " .. socket.strerror "EMSGSIZE", helper.fails("s:sendmmsg", "EMSGSIZE", a:sendmmsg(list)))
    table.remove(list, 1)
    assert.equal(1, a:sendmmsg(list))
    local got = assert(b:recvmmsg(9, 9))
    assert.same({"fits", "too"}, {got[1].data, got[2].data})
  end)

  it("send what fits, and then no more", function()
    local a, b = net.pair "SOCK_DGRAM"
    local list = {}
    for i = 1, 3000 do list[i] = "x" end
    for _, timeout in ipairs {0, 0.05} do
      a:settimeout(timeout)
      local sent = assert(a:sendmmsg(list))
      assert.is_true(sent > 0 and sent < 3000)
      local got = 0
      while got < sent do got = got + select(2, assert(b:recvmmsg(1024, 9))) end
      assert.equal(sent, got)
    end
    a:settimeout(5) -- what goes by more than one system call waits no more either, once something went
    for i = 1, 3000, 2 do list[i] = {data = "x", flags = "MSG_NOSIGNAL"} end
    local sent = assert(net.atonce(a.sendmmsg, a, list))
    assert.is_true(sent > 0 and sent < 3000)
  end)

  it("check every message before one is sent", function()
    local a, b = udp()
    helper.raises("s:sendmmsg", "message 2: field 'data': string, buffer or array expected, got boolean",
      a.sendmmsg, a, {"x", {data = true}})
    helper.raises("s:sendmmsg", "message 3: table, string or buffer expected, got nil",
      a.sendmmsg, a, helper.list("x", "y", nil, "z"))
    b:settimeout(0)
    helper.fails("s:recvmmsg", "EAGAIN", b:recvmmsg(1, 1))
  end)

  it("wait for the first, and take what else is there", function()
    local s = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    local child <close> = net.child([[
      local s = socket.socket("AF_INET", "SOCK_DGRAM"):bind("127.0.0.1", 0)
      s:connect("127.0.0.1", arg[1])
      print(s:getsockname().port)
      while s:recv() == "go" do
        socket.select(nil, nil, 0.05)
        s:send "x"
      end
    ]], s:getsockname().port)
    local to = socket.address("AF_INET", "127.0.0.1", tonumber(child:line()))
    for _, timeout in ipairs {false, 0.2, 5} do
      net.sometime(function()
        local start = socket.monotime()
        s:sendto("go", to)
        local got, count, code = s:settimeout(timeout or nil):recvmmsg(100, 10)
        if not got and code == "timeout" then
          assert.equal("x", s:settimeout(20):recv())
          return false, count
        end
        assert.is_true(socket.monotime() - start >= 0.05)
        assert.same({"x", to, 1, 1}, {got[1].data, got[1].address, count, #got})
        return true
      end)
    end
    s:sendto("enough", to)
    assert.same({"", 0}, {child:rest()})
  end)

  it("fill an earlier result again", function()
    local a, b, from = udp()
    a:sendmmsg{"1", "2", "3"}
    local first = assert(b:recvmmsg(9, 9))
    local tables = {table.unpack(first)}
    a:sendmmsg{"four", "five"}
    local got, count = assert(b:recvmmsg(9, 3, nil, first))
    assert.equal(first, got)
    assert.same({2, 2}, {count, #got})
    assert.is_nil(got[3])
    for i, data in ipairs {"fou", "fiv"} do
      assert.equal(tables[i], got[i])
      assert.same({data = data, address = from, flags = socket.MSG_TRUNC, truncated = true}, got[i])
    end
    a:sendmmsg{"6", "7", "8", "9"}
    assert.equal(4, select(2, b:recvmmsg(9, 9, 0, first)))
    for i = 1, 4 do
      assert.same({data = tostring(i + 5), address = from, flags = 0, truncated = false}, first[i])
    end
    local stream, other = net.tcp()
    stream:send "x"
    local left = other:recvmmsg(1, 9, 0, first)
    assert.same({{data = "x", flags = 0, truncated = false}}, left) -- no address: none is left
    b:settimeout(0)
    helper.fails("s:recvmmsg", "EAGAIN", b:recvmmsg(9, 9, 0, first))
    assert.equal(1, #first) -- and is as it was
  end)

  it("tell each sender, call after call, whatever the length of their names", function()
    local dir = helper.tmpdir()
    local function dgramsocket() return net.keep(assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))) end
    local receiver = assert(dgramsocket():bind(dir .. "/receiver"))
    local senders = { "", dir .. "/s", dir .. "/" .. ("long"):rep(10) }
    for i, path in ipairs(senders) do
      local s = dgramsocket()
      if path ~= "" then assert(s:bind(path)) end
      senders[i] = { socket = s, path = path }
    end
    local into
    for turn = 1, 7 do
      local expected = {}
      for i = 1, 3 do
        local sender = senders[(turn * i) % 3 + 1]
        assert(sender.socket:sendto("x", receiver:getsockname()))
        expected[i] = sender.path
      end
      local n
      into, n = assert(receiver:recvmmsg(3, 9, 0, into))
      assert.equal(3, n)
      for i, m in ipairs(into) do assert.equal(expected[i], m.address.path) end
      assert(receiver:settimeout(0))
      helper.fails("s:recvmmsg", "EAGAIN", receiver:recvmmsg(3, 9, 0, into))
      receiver:settimeout(nil)
    end
  end)

  it("fill whatever table they are given, and never look at its metamethods", function()
    local a, b = udp()
    local function refuse() error "called" end
    local into = setmetatable({1, "x"}, {__index = refuse, __newindex = refuse, __len = refuse})
    a:sendmmsg{"1", "2", "3"}
    b:recvmmsg(3, 9, 0, into)
    for i = 1, 3 do assert.equal(tostring(i), rawget(into, i).data) end
    local cyclic = {}
    cyclic[1], cyclic[2] = cyclic, cyclic
    a:sendmmsg{"1"}
    assert.equal("1", b:recvmmsg(3, 9, 0, cyclic)[1].data)
    local powers = {}
    for i = 0, 62 do powers[1 << i] = i end -- its length may be anything
    a:sendmmsg{"1"}
    assert.equal("1", net.atonce(b.recvmmsg, b, 3, 9, 0, powers)[1].data)
  end)

  it("take no memory that is not used", function()
    local a, b = udp()
    a:sendmmsg{"1", "2"}
    collectgarbage()
    local before = collectgarbage "count"
    assert.equal(2, #b:recvmmsg(1024, 65536))
    assert.is_true(collectgarbage "count" - before < 10)
  end)

  it("refuse numbers out of range", function()
    local a = udp()
    for _, count in ipairs {0, -1, 1025, 1 << 31, math.maxinteger, math.mininteger} do
      helper.raises("s:recvmmsg", "bad argument #2 to '.-' %(1 to 1024 messages expected%)", a.recvmmsg, a, count, 1)
    end
    for _, n in ipairs {-1, math.mininteger} do
      helper.raises("s:recvmmsg", "bad argument #3 to '.-' %(count must not be negative%)", a.recvmmsg, a, 1, n)
    end
    for count, n in pairs {[1] = (1 << 28) + 1, [2] = math.maxinteger, [1024] = (1 << 18) + 1} do
      helper.raises("s:recvmmsg", "bad argument #3 to '.-' %(room for more than 256 MiB%)", a.recvmmsg, a, count, n)
    end
    for _, bad in ipairs {1.5, 0 / 0, "x", {}, true} do
      helper.raises("s:recvmmsg", "bad argument #2", a.recvmmsg, a, bad, 1)
      helper.raises("s:recvmmsg", "bad argument #3", a.recvmmsg, a, 1, bad)
    end
    helper.raises("s:recvmmsg", "bad argument #2", a.recvmmsg, a)
    helper.raises("s:recvmmsg", "bad argument #3", a.recvmmsg, a, 1)
    helper.raises("s:recvmmsg", "bad argument #4 .*unknown constant 'MSG_X'", a.recvmmsg, a, 1, 1, "MSG_X")
    helper.raises("s:recvmmsg", "bad argument #5 .*table expected, got string", a.recvmmsg, a, 1, 1, 0, "x")
    helper.raises("s:sendmmsg", "bad argument #3 .*unknown constant 'MSG_X'", a.sendmmsg, a, {}, "MSG_X")
    local t = net.tcp()
    helper.fails("s:recvmmsg", "EINVAL", t:recvmmsg(1, 1, "MSG_OOB"))
  end)
end)

---------------------------------------------------------------------------------------------------

describe("a message that waits to be sent", function()
  after_each(function()
    debug.sethook()
    local signal = build "signal"
    if signal then signal.every(0) end
  end)

  --- send(message) has to wait for room; meanwhile `change` is called, and then there is room. Gives its results,
  --- and what arrived.
  local function meanwhile(call, message, change)
    local signal = build "signal"
    if not signal then helper.skip "no C compiler is here" end
    local dir = helper.tmpdir()
    local b = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/b")))
    local a = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/a")))
    message.address = b:getsockname()
    repeat until not a:sendto("full", message.address, "MSG_DONTWAIT")
    signal.after(0.05, function()
      change(message)
      collectgarbage()
      local others = {} -- they get the memory that was given back, if any was
      for i = 1, 200 do others[i] = socket.address("AF_UNIX", dir .. "/" .. ("x"):rep(i % 40)) end
      for i = 1, 200 do others[i] = ("%d"):format(i):rep(50) end
      assert(#others == 200)
      while b:recv(9, "MSG_DONTWAIT") do end
    end)
    a:settimeout(5)
    local results = table.pack(a[call](a, call == "sendmsg" and message or {message}))
    local m = b:recvmsg(nil, {flags = "MSG_DONTWAIT"})
    if m then assert.equal(a:getsockname(), m.address) end
    return m, table.unpack(results, 1, results.n)
  end

  for _, call in ipairs {"sendmsg", "sendmmsg"} do
    it("is sent as it was given to " .. call .. ", whatever becomes of the tables", function()
      local c, d = net.pair()
      local digits = {}
      for i = 1, 100 do digits[i] = ("%d"):format(i):rep(20) end
      local whole = table.concat(digits)
      local m, sent = meanwhile(call, {
        data = digits,
        control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", {})},
        fds = {c},
      }, function(message)
        for i = 1, 100 do message.data[i] = i end
        message.control[1].value = "x"
        message.fds[1] = "x"
        for name in pairs(message) do message[name] = nil end
      end)
      assert.equal(call == "sendmsg" and #whole or 1, sent)
      assert.equal(whole, m.data)
      assert.equal(1, #m.fds)
      local got <close> = m.fds[1]
      assert(got:send "through")
      assert.equal("through", d:recv())
    end)

    it("is not sent with a stranger's descriptor by " .. call .. ", when its own was closed", function()
      for _, make in ipairs {socket.socket, function() return io.open "/dev/null" end} do
        local passed = assert(make())
        local stranger
        local m, ok, message, code = meanwhile(call, {data = "x", fds = {passed}}, function()
          passed:close()
          stranger = assert(make()) -- which has its number
        end)
        stranger:close()
        helper.fails("s:" .. call, "EBADF", ok, message, code)
        assert.is_nil(m)
      end
    end)
  end
end)

---------------------------------------------------------------------------------------------------

describe("a message that is none", function()
  local closed = assert(socket.socket())
  closed:close()

  --- pattern -> messages
  local wrong = {
    ["table expected, got "] = {"x", 1, true, io.stdout, print},
    ["unknown field 'dta'"] = {{dta = "x"}, {data = "x", dta = 1}},
    ["unknown field ''"] = {{[""] = 1}},
    ["unknown field 'data"] = {{["data\0"] = "x"}},
    ["its fields have names, and no number"] = {{"x"}, {data = "x", [1.5] = 1}},
    ["its fields have names, and no table"] = {{[{}] = 1}},
    ["field 'data': string, buffer or array expected, got "] = {{data = true}, {data = print}, {data = closed}},
    ["field 'data': item 1: string or buffer expected, got "] = {{data = {{}}}, {data = {true, "x"}}},
    ["field 'data': item 2: string or buffer expected, got nil"] = {{data = helper.list("x", nil, "y")}},
    ["field 'data': array expected, got a table without element 1"] = {{data = {[2] = "x"}}, {data = {x = "y"}}},
    ["field 'data': length out of range"] = {
      {data = setmetatable({}, {__len = function() return -1 end})},
      {data = setmetatable({}, {__len = function() return math.maxinteger end})},
    },
    ["field 'address': address expected, got "] = {{address = "127.0.0.1"}, {address = 1}, {address = {}}},
    ["field 'address': AF_INET address expected, got AF_UNIX address"] = {{address = socket.address("AF_UNIX", "/x")}},
    ["field 'flags': unknown constant 'MSG_X'"] = {{flags = "MSG_X"}},
    ["field 'flags': constant 'SO_DEBUG' is none of MSG_%*"] = {{flags = "SO_DEBUG"}},
    ["field 'flags': number has no integer representation"] = {{flags = 1.5}, {flags = 0 / 0}, {flags = math.huge}},
    ["field 'flags': out of range"] = {{flags = 1 << 31}, {flags = math.maxinteger}},
    ["field 'flags': integer or name of a constant expected, got table"] = {{flags = {}}},
    ["field 'control': array expected, got "] = {{control = "x"}, {control = 1}, {control = {level = 1}}},
    ["field 'control': item 1: table expected, got string"] = {{control = {"x"}}},
    ["field 'control': item 1: unknown field 'typ'"] = {{control = {{level = 1, typ = 1}}}},
    ["field 'control': item 1: field 'level': integer or name of a constant expected, got nil"] = {{control = {{}}}},
    ["field 'control': item 1: field 'level': constant 'SO_DEBUG' is none of SOL_%*, IPPROTO_%*"] = {
      {control = {{level = "SO_DEBUG"}}},
    },
    ["field 'control': item 2: field 'type': unknown constant 'SCM_X'"] = {
      {control = {{level = 0, type = 2, value = 1}, {level = 1, type = "SCM_X"}}},
    },
    ["field 'control': item 1: one of the fields 'data' and 'value' expected"] = {
      {control = {{level = 0, type = 2}}}, {control = {{level = 0, type = 2, data = "x", value = 1}}},
    },
    ["field 'control': item 1: field 'data': string or buffer expected, got boolean"] = {
      {control = {{level = 0, type = 2, data = true}}},
    },
    ["field 'control': item 1: field 'value': not known for this level and type; give 'data', the raw bytes"] = {
      {control = {entry(0, 250, 1)}}, {control = {entry(1, socket.SCM_TIMESTAMP, 1)}}, {control = {entry(1, 1, 1)}},
    },
    ["field 'control': item 1: field 'value': integer expected, got string"] = {
      {control = {entry("IPPROTO_IP", "IP_TTL", "x")}},
    },
    ["field 'control': item 1: field 'value': out of range: integer from %-2147483648 to 2147483647 expected"] = {
      {control = {entry("IPPROTO_IP", "IP_TTL", 1 << 31)}},
      {control = {entry("IPPROTO_IP", "IP_TOS", math.mininteger)}},
    },
    ["field 'control': item 1: field 'value': out of range: integer from 0 to 65535 expected"] = {
      {control = {entry("IPPROTO_UDP", "UDP_SEGMENT", 65536)}},
    },
    ["field 'control': item 1: field 'value': number has no integer representation"] = {
      {control = {entry("IPPROTO_IP", "IP_TTL", 1.5)}},
    },
    ["field 'control': item 1: field 'value': table expected, got number"] = {
      {control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", 1)}}, {control = {entry("IPPROTO_IP", "IP_PKTINFO", 1)}},
    },
    ["field 'control': item 1: field 'value': unknown field 'uuid'"] = {
      {control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", {uuid = 1})}},
    },
    ["field 'control': item 1: field 'pid': integer expected, got string"] = {
      {control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", {pid = "x"})}},
    },
    ["field 'control': item 1: field 'uid': out of range"] = {
      {control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", {uid = -1})}},
      {control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", {uid = 1 << 32})}},
    },
    ["field 'control': item 1: field 'ifindex': interface out of range"] = {
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {ifindex = -1})}},
    },
    ["field 'control': item 1: field 'address': AF_INET address expected, got "] = {
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {address = 1})}},
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {address = socket.address("AF_UNIX", "/x")})}},
    },
    ["field 'control': item 1: field 'address': a numeric host of the socket's family expected"] = {
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {address = "::1"})}},
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {address = "localhost"})}},
      {control = {entry("IPPROTO_IP", "IP_PKTINFO", {address = "127.0.0.1\0"})}},
      {control = {entry("IPPROTO_IPV6", "IPV6_PKTINFO", {address = "127.0.0.1"})}},
    },
    ["field 'fds': array expected, got "] = {{fds = 1}, {fds = closed}, {fds = {a = 1}}},
  }

  for pattern, list in pairs(wrong) do
    it("raises: " .. pattern, function()
      local a, b = udp()
      for _, message in ipairs(list) do
        local err = helper.raises("s:sendmsg", pattern, a.sendmsg, a, message)
        assert(err:find "bad argument #2 to ", err)
        if type(message) == "table" then
          err = helper.raises("s:sendmmsg", pattern, a.sendmmsg, a, {"x", message})
          assert(err:find "message 2: ", err)
        end
      end
      b:settimeout(0)
      helper.fails("s:recvmsg", "EAGAIN", b:recvmsg())
    end)
  end

  it("raises for descriptors that are none", function()
    local a = net.pair()
    for pattern, list in pairs {
      ["item 1: socket, descriptor, or object with fileno or getfd expected, got "] = {"x", true, {}, print},
      ["item 1: descriptor out of range"] = {-1, 1 << 31, math.maxinteger},
      ["item 1: number has no integer representation"] = {1.5, 0 / 0},
      ["item 1: its descriptor is not an integer in range"] = {
        {fileno = function() return "x" end}, {fileno = function() return 1 << 31 end},
      },
    } do
      for _, one in ipairs(list) do
        helper.raises("s:sendmsg", "field 'fds': " .. pattern, a.sendmsg, a, {data = "x", fds = {one}})
      end
    end
    local holed = {data = "x", fds = helper.list(a, nil, a)}
    helper.raises("s:sendmsg", "field 'fds': item 2: .-, got nil", a.sendmsg, a, holed)
    helper.raises("s:sendmsg", "mine", a.sendmsg, a, {data = "x", fds = {{fileno = function() error "mine" end}}})
  end)

  it("names the argument as it was written", function()
    local a = udp()
    local ok, err = pcall(function() return a:sendmsg{flags = {}} end)
    assert.is_false(ok)
    assert(err:find("bad argument #1 to 'sendmsg' (field 'flags': ", 1, true), err)
    helper.raises("s:sendmsg", "bad argument #2 to '.-' %(value expected%)", a.sendmsg, a)
    helper.raises("s:sendmmsg", "bad argument #2 to '.-' %(value expected%)", a.sendmmsg, a)
    helper.raises("s:sendmmsg", "bad argument #2 to '.-' %(array expected, got string%)", a.sendmmsg, a, "x")
  end)

  it("may be odd, as long as it says what it means", function()
    local a, b = udp()
    local cyclic = setmetatable({}, {__index = {data = "inherited"}})
    assert.equal(9, a:sendmsg(cyclic))
    assert.equal("inherited", b:recvmsg().data)
    local list = {"x"}
    list[2] = list
    helper.raises("s:sendmsg", "item 2: string or buffer expected, got table", a.sendmsg, a, {data = list})
    local closing = setmetatable({}, {__index = function(_, key)
      a:close()
      return key == "data" and "x" or nil
    end})
    helper.fails("s:sendmsg", "EBADF", a:sendmsg(closing))
  end)

  it("has options that are checked, too", function()
    local a = udp()
    for pattern, list in pairs {
      ["bad argument #3 to '.-' %(table expected, got "] = {"MSG_PEEK", 1, true},
      ["unknown field 'flag'"] = {{flag = 1}},
      ["field 'control': integer expected, got string"] = {{control = "x"}},
      ["field 'control': out of range"] = {{control = -1}, {control = 1 << 31}, {control = math.maxinteger}},
      ["field 'control': number has no integer representation"] = {{control = 1.5}},
      ["field 'flags': unknown constant"] = {{flags = "MSG_X"}},
    } do
      for _, options in ipairs(list) do helper.raises("s:recvmsg", pattern, a.recvmsg, a, 1, options) end
    end
    helper.raises("s:recvmsg", "bad argument #2 to '.-' %(count must not be negative%)", a.recvmsg, a, -1)
    helper.raises("s:recvmsg", "bad argument #2", a.recvmsg, a, 1.5)
    a:settimeout(0)
    helper.fails("s:recvmsg", "EAGAIN", a:recvmsg(math.maxinteger, {control = (1 << 31) - 1}))
  end)
end)

---------------------------------------------------------------------------------------------------

describe("a finalizer that receives meanwhile", function()
  for _, flags in ipairs { 0, "MSG_PEEK" } do
    it("changes nothing of what recvmsg gives, with flags " .. flags, function()
      local output = helper.lua("-e", ([[
        local socket = require "bsdsocket"
        local a, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
        local c, d = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
        local room, runs, meta = 0, 0, nil
        -- each thing that is made runs the whole collector, and so this
        meta = { __gc = function()
          runs, room = runs + 1, room + 100000 -- more room than there is
          c:send "theirs, and longer"
          d:recv(room)
          if room < 1000000 then setmetatable({}, meta) end
        end }
        a:send "mine"
        %s
        collectgarbage()
        collectgarbage "stop"
        setmetatable({}, meta)
        collectgarbage "restart"
        local message = b:recvmsg(100, { flags = %q })
        collectgarbage "stop"
        print(runs > 3, message.data)
      ]]):format(helper.EAGER, flags))
      assert.are.equal("true\tmine\n", output)
    end)
  end
end)

---------------------------------------------------------------------------------------------------

describe("when memory runs out", function()
  --- Runs a script in a state whose memory can be made to fail; it has to give back all of it.
  local function run(script)
    local alloc = build "alloc"
    if not alloc then helper.skip "no C compiler is here" end
    local before = descriptors()
    local err, bytes, blocks, wrong = alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local function descriptors()
        local count = 0
        for fd = 0, 100 do
          local file = io.open("/proc/self/fdinfo/" .. fd)
          if file then
            count = count + 1
            file:close()
          end
        end
        return count
      end
      --- f(again) fails at each of its requests for memory in turn; `check` looks what it left.
      local function each(f, check)
        for _, n in ipairs {1, 2, 1000} do
          local k, failed = 0, 0
          repeat
            k = k + 1
            local hit, ok, result = fault(k, n, f)
            if not ok then
              assert(tostring(result):find "not enough memory", result)
              failed = failed + 1
            end
            check(ok, result)
          until not hit
          assert(n == 1 or failed > 0)
        end
      end
    ]] .. script)
    assert.is_nil(err)
    assert.same({0, 0, false}, {bytes, blocks, wrong})
    assert.equal(before, descriptors())
  end

  it("no descriptor is left open by recvmsg, and no byte of a stream is lost", function()
    run [[
      for _, kind in ipairs {"SOCK_STREAM", "SOCK_DGRAM"} do
        local a <close>, b = socket.socketpair("AF_UNIX", kind)
        local b <close> = b
        assert(b:setsockopt("SO_PASSCRED", true))
        b:settimeout(0)
        local message = {data = ("a long string that is no short one "):rep(3), fds = {a, io.stdout, b, 1}}
        collectgarbage()
        local before = descriptors()
        local whole = 0
        assert(a:sendmsg(message))
        each(function() return b:recvmsg() end, function(ok, m)
          if ok then
            whole = whole + 1
            assert(m.data == message.data and #m.fds == 4)
            for _, fd in ipairs(m.fds) do fd:close() end
          else -- the bytes are there still, and come first
            m = assert(b:recvmsg())
            assert(m.data == message.data)
            for _, fd in ipairs(m.fds) do fd:close() end
          end
          m = nil
          collectgarbage()
          assert(descriptors() == before, descriptors())
          assert(a:sendmsg(message))
        end)
        assert(whole > 0)
        assert(b:recvmsg())
      end
    ]]
  end)

  it("sendmsg and sendmmsg send nothing", function()
    run [[
      local a <close>, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      local b <close> = b
      b:settimeout(0)
      local pieces = {}
      for i = 1, 1500 do pieces[i] = i end
      local whole = table.concat(pieces)
      local message = {data = pieces, fds = {a, io.stdout}, control = {
        {level = "SOL_SOCKET", type = "SCM_CREDENTIALS", value = {}}}}
      each(function() return a:sendmsg(message) end, function(ok)
        local m = b:recvmsg()
        assert(ok == not not m)
        assert(not m or m.data == whole and #m.fds == 2)
        for _, fd in ipairs(m and m.fds or {}) do fd:close() end
      end)
      local list = {message, "x", 12, {data = {"a", "b"}}}
      each(function() return a:sendmmsg(list) end, function(ok, n)
        assert(not ok or n == 4)
        for i = 1, n and ok and 4 or 0 do assert(b:recv() == ({whole, "x", "12", "ab"})[i]) end
        assert(not b:recv())
      end)
    ]]
  end)

  it("recvmmsg gives back its memory", function()
    run [[
      local a <close>, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      local b <close> = b
      b:settimeout(0)
      local into
      each(function() return b:recvmmsg(10, 20, nil, into) end, function(ok, list)
        if ok then
          for i = 1, list and #list or 0 do assert(list[i].data == "message " .. i) end
          into = not into and list or nil
        end
        while b:recv() do end
        a:sendmmsg{"message 1", "message 2", "message 3"}
      end)
    ]]
  end)

  it("the sender is told of what another call could not hand over", function()
    run [[
      local function bound() return assert(socket.socket("AF_INET", "SOCK_DGRAM"):bind("127.0.0.1", 0)) end
      for _, call in ipairs {"recvfrom", "recvmsg"} do
        for _, nextcall in ipairs {"recvmsg", "recvmmsg"} do
          local a <close> = bound()
          local b <close> = bound()
          local k, held = 0, false
          b:settimeout(5)
          assert(a:sendto("first", b:getsockname()) and b:recv()) -- now there is room for what comes
          repeat
            k = k + 1
            a:sendto(("0123456789"):rep(10), b:getsockname())
            local hit, ok = fault(k, 1000, b[call], b)
            if not ok then
              held = held or b:dirty()
              local got = assert(b[nextcall](b, 9, nextcall == "recvmmsg" and 100 or nil))
              got = nextcall == "recvmmsg" and got[1] or got
              assert(got.address == a:getsockname(), call .. " " .. nextcall)
            end
          until not hit
          assert(held, call)
        end
      end
    ]]
  end)

  it("what another call could not hand over is served first", function()
    run [[
      for _, call in ipairs {"recvmsg", "recvmmsg"} do
        for _, kind in ipairs {"SOCK_STREAM", "SOCK_DGRAM"} do
          local a <close>, b = socket.socketpair("AF_UNIX", kind)
          local b <close> = b
          local data = ("0123456789"):rep(10)
          local k, held = 0, false
          assert(a:send "first" and b:recv()) -- now there is room for what comes
          repeat
            k = k + 1
            a:send(data)
            local hit, ok = fault(k, 1000, b.recv, b)
            if not ok then
              if b:dirty() then
                held = true
                a:send "later"
                local got
                if call == "recvmsg" then
                  got = b:recvmsg(7, {flags = "MSG_PEEK"})
                  assert(got.data == "0123456", got.data)
                  assert(got.truncated == (kind == "SOCK_DGRAM"))
                  got = b:recvmsg()
                else
                  local list, n = b:recvmmsg(9, 200)
                  assert(n == 1, n)
                  got = list[1]
                end
                assert(got.data == data and got.truncated == false, got.data)
                assert(not b:dirty(), call .. kind .. " dirty")
                assert(b:recv() == "later", call .. kind .. " later")
              else
                assert(b:recv() == data, kind)
              end
            end
          until not hit
          assert(held, call .. kind)
        end
      end
    ]]
  end)
end)
