-- csrc/message.c and csrc/control.c: sendmsg, recvmsg, sendmmsg, recvmmsg. What is sent crosses the kernel, and the
-- receiver compares the bytes and the sender's address.
local helper = require "spec.helper"
local net = require "spec.net"
local process = require "spec.process"
local build = require "fault.build"
local socket = require "bsdsocket"

after_each(net.close)

--- How many descriptors are open, also where hundreds were received.
local function descriptors() return helper.descriptors(1023) end

--- Two sockets: the second receives from the first, which has the address that comes third.
local function dgram(family, host, type)
  local receiver = assert(assert(socket.socket(family, type or "SOCK_DGRAM")):bind(host, 0))
  local sender = assert(assert(socket.socket(family, type or "SOCK_DGRAM")):bind(host, 0))
  net.keep(assert(sender:connect(receiver:getsockname())), receiver)
  return sender, receiver, sender:getsockname()
end

local function udp() return dgram("AF_INET", "127.0.0.1") end
local function udp6()
  local s = socket.socket("AF_INET6", "SOCK_DGRAM")
  if not s or not s:bind("::1", 0) then helper.skip "no IPv6 here" end
  s:close()
  return dgram("AF_INET6", "::1")
end

local function unix(kind)
  return function()
    local dir = helper.tmpdir()
    local receiver = net.keep(assert(assert(socket.socket("AF_UNIX", kind)):bind(dir .. "/r")))
    local sender = net.keep(assert(assert(socket.socket("AF_UNIX", kind)):bind(dir .. "/s")))
    if kind ~= "SOCK_DGRAM" then
      assert(receiver:listen())
      assert(sender:connect(receiver:getsockname()))
      receiver = net.keep((assert(receiver:accept())))
    else
      assert(sender:connect(receiver:getsockname()))
    end
    return sender, receiver, sender:getsockname()
  end
end

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

--- The entries of a kind in a message: the value of the only one, and its raw data.
local function control(m, level, type)
  local found
  for _, c in ipairs(m.control) do
    if c.level == socket[level] and c.type == socket[type] then
      assert.is_nil(found)
      found = c
    end
  end
  if not found then error(("no %s among %d entries"):format(type, #m.control), 2) end
  assert.equal("string", _G.type(found.data))
  return found.value, found.data
end

local function entry(level, type, value) return {level = level, type = type, value = value} end

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
    assert.equal("sendmsg 127.0.0.1:9: Message too long", helper.fails("s:sendmsg", "EMSGSIZE",
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

describe("control data", function()
  it("tells time to live and type of service of a datagram, and sets them", function()
    local a, b, from = udp()
    assert(b:setsockopt("IP_RECVTTL", true))
    assert(b:setsockopt("IP_RECVTOS", true))
    assert(a:sendmsg{data = "x", control = {entry("IPPROTO_IP", "IP_TTL", 7), entry("IPPROTO_IP", "IP_TOS", 16)}})
    local m = assert(b:recvmsg())
    assert.equal("x", m.data)
    assert.equal(from, m.address)
    assert.equal(7, (control(m, "IPPROTO_IP", "IP_TTL")))
    assert.equal(16, (control(m, "IPPROTO_IP", "IP_TOS")))
    assert.equal(2, #m.control)
    -- the same as raw bytes
    assert(a:sendmsg{data = "x", control = {
      {level = 0, type = socket.IP_TTL, data = ("i"):pack(9)}, {level = "SOL_IP", type = "IP_TOS", data = "\8"}}})
    m = assert(b:recvmsg())
    local value, data = control(m, "IPPROTO_IP", "IP_TTL")
    assert.same({9, ("i"):pack(9)}, {value, data})
    value, data = control(m, "IPPROTO_IP", "IP_TOS")
    assert.same({8, "\8"}, {value, data})
    helper.fails("s:sendmsg", "EINVAL", a:sendmsg{data = "x", control = {entry("IPPROTO_IP", "IP_TTL", 256)}})
    helper.fails("s:sendmmsg", "EINVAL", a:sendmmsg{{data = "x", control = {entry("IPPROTO_IP", "IP_TTL", 256)}}})
  end)

  it("tells hop limit and traffic class of a datagram, and sets them", function()
    local a, b, from = udp6()
    assert(b:setsockopt("IPV6_RECVHOPLIMIT", true))
    assert(b:setsockopt("IPV6_RECVTCLASS", true))
    assert(a:sendmsg{data = "x", control = {
      entry("IPPROTO_IPV6", "IPV6_HOPLIMIT", 7), entry("IPPROTO_IPV6", "IPV6_TCLASS", 16)}})
    local m = assert(b:recvmsg())
    assert.equal("x", m.data)
    assert.equal(from, m.address)
    assert.equal(7, (control(m, "IPPROTO_IPV6", "IPV6_HOPLIMIT")))
    assert.equal(16, (control(m, "IPPROTO_IPV6", "IPV6_TCLASS")))
  end)

  it("tells where a datagram was sent to, so that the answer can come from there", function()
    local lo = assert(socket.if_nametoindex "lo")
    local server = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("*", 0)))
    assert(server:setsockopt("IP_PKTINFO", true))
    local port = server:getsockname().port
    local client = net.keep(assert(socket.socket("AF_INET", "SOCK_DGRAM")))
    assert(client:connect("127.0.0.7", port))
    assert(client:send "hello")
    local m = assert(server:recvmsg())
    assert.equal(client:getsockname(), m.address)
    local info = control(m, "IPPROTO_IP", "IP_PKTINFO")
    assert.same({ifindex = lo, address = socket.address("AF_INET", "127.0.0.7", 0)}, info)
    -- a connected socket takes datagrams from nowhere else
    for i, value in ipairs {info, {address = info.address}, {address = "127.0.0.7"}} do
      local there = {entry("IPPROTO_IP", "IP_PKTINFO", value)}
      assert(server:sendmsg{data = "re" .. i, address = m.address, control = there})
      local answer = assert(client:recvmsg())
      assert.equal("re" .. i, answer.data)
      assert.equal(socket.address("AF_INET", "127.0.0.7", port), answer.address)
    end
    local there = {entry("IPPROTO_IP", "IP_PKTINFO", {ifindex = lo})}
    assert(server:sendmsg{data = "x", address = m.address, control = there})
  end)

  it("tells the group that a datagram was sent to", function()
    local group = "239.77.77.77"
    local server = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("*", 0)))
    assert(server:setsockopt("IP_PKTINFO", true))
    assert(server:setsockopt("IP_ADD_MEMBERSHIP", {group = group, interface = "lo"}))
    local client = net.keep(assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0)))
    assert(client:setsockopt("IP_MULTICAST_IF", "127.0.0.1"))
    assert(client:sendmsg{data = "all", address = socket.address("AF_INET", group, server:getsockname().port)})
    server:settimeout(5)
    local m = assert(server:recvmsg())
    assert.same({"all", client:getsockname()}, {m.data, m.address})
    assert.equal(group, control(m, "IPPROTO_IP", "IP_PKTINFO").address.host)
  end)

  it("tells where a datagram was sent to over IPv6", function()
    local lo = assert(socket.if_nametoindex "lo")
    local a, b, from = udp6()
    assert(b:setsockopt("IPV6_RECVPKTINFO", true))
    for _, value in ipairs {{}, {ifindex = lo, address = "::1"}, {address = socket.address("AF_INET6", "::1", 5)}} do
      assert(a:sendmsg{data = "x", control = {entry("IPPROTO_IPV6", "IPV6_PKTINFO", value)}})
      local m = assert(b:recvmsg())
      assert.equal(from, m.address)
      assert.same({ifindex = lo, address = socket.address("AF_INET6", "::1", 0)},
        (control(m, "IPPROTO_IPV6", "IPV6_PKTINFO")))
    end
  end)

  it("tells when a datagram came, in seconds", function()
    for _, name in ipairs {"SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_TIMESTAMP_NEW", "SO_TIMESTAMPNS_NEW"} do
      local a, b = udp()
      assert(b:setsockopt("SOL_SOCKET", socket[name], true))
      local before = os.time()
      assert(a:send "x")
      local value, data = control(assert(b:recvmsg()), "SOL_SOCKET", name)
      assert.equal("float", math.type(value))
      assert.is_true(value >= before and value <= os.time() + 1, value)
      assert.equal(16, #data)
    end
    local a, b = udp()
    assert(b:setsockopt("SO_TIMESTAMPING", 1 << 3 | 1 << 4)) -- SOF_TIMESTAMPING_RX_SOFTWARE, _SOFTWARE
    local before, m = os.time(), nil
    for _ = 1, 1000 do -- the system begins with it when it finds the time
      assert(a:send "x")
      m = assert(b:recvmsg())
      if m.control[1] then break end
      socket.select(nil, nil, 0.001)
    end
    local value, data = control(m, "SOL_SOCKET", "SCM_TIMESTAMPING")
    assert.is_true(value >= before and value <= os.time() + 1, value)
    assert.equal(48, #data)
  end)

  it("tells who sent a message over a unix socket", function()
    for _, kind in ipairs {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"} do
      local a, b = net.pair(kind)
      assert(b:setsockopt("SO_PASSCRED", true))
      local own = a:getsockopt("SO_PEERCRED")
      assert(a:send "x")
      local m = assert(b:recvmsg())
      assert.equal("x", m.data)
      assert.same(own, (control(m, "SOL_SOCKET", "SCM_CREDENTIALS")))
      for _, value in ipairs {{}, {pid = own.pid}, own} do
        assert(a:sendmsg{data = "y", control = {entry("SOL_SOCKET", "SCM_CREDENTIALS", value)}})
        assert.same(own, (control(assert(b:recvmsg()), "SOL_SOCKET", "SCM_CREDENTIALS")))
      end
    end
  end)

  it("tells the child's credentials, not ours", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(assert(socket.socket("AF_UNIX", "SOCK_DGRAM")):bind(dir .. "/s")))
    assert(s:setsockopt("SO_PASSCRED", true))
    local child <close> = net.child([[
      local s = socket.socket("AF_UNIX", "SOCK_DGRAM"):connect(arg[1])
      assert(s:send "I am")
    ]], dir .. "/s")
    local m = assert(s:recvmsg())
    assert.equal("I am", m.data)
    assert.equal(child.pid, control(m, "SOL_SOCKET", "SCM_CREDENTIALS").pid)
    assert.same({"", 0}, {child:rest()})
  end)

  it("tells what became of datagrams: the error queue", function()
    for family, row in pairs {AF_INET = {udp, "127.0.0.1", 2, 3, 3}, AF_INET6 = {udp6, "::1", 3, 1, 4}} do
      row[1]()
      local level = family == "AF_INET" and "IPPROTO_IP" or "IPPROTO_IPV6"
      local option = family == "AF_INET" and "IP_RECVERR" or "IPV6_RECVERR"
      local s = net.keep(assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(row[2], 0)))
      local gone = assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(row[2], 0))
      local to = gone:getsockname()
      gone:close()
      assert(s:setsockopt(option, true))
      s:settimeout(0.05)
      helper.fails("s:recvmsg", "timeout", net.takes(0.05, s.recvmsg, s, 9, {flags = "MSG_ERRQUEUE"}))
      s:settimeout(5)
      assert.equal(5, s:sendmsg{data = "hello", address = to})
      local m = assert(s:recvmsg(nil, {flags = "MSG_ERRQUEUE"}))
      assert.same({"hello", to, false}, {m.data, m.address, m.truncated})
      assert.equal(socket.MSG_ERRQUEUE, m.flags & socket.MSG_ERRQUEUE)
      local value, data = control(m, level, option)
      assert.equal(row[2], value.offender.host)
      value.offender = nil
      assert.same({errno = "ECONNREFUSED", origin = row[3], type = row[4], code = row[5], info = 0, data = 0}, value)
      assert.is_true(#data >= 16)
      s:sendmsg{data = "hello", address = to} -- this or the next tells the error
      s:settimeout(0)
      m = s:recvmsg(1 << 21, {flags = "MSG_ERRQUEUE"})
      assert.equal("hello", m and m.data)
      -- with less room than it needs it has no value, or no offender
      for size = 0, 100 do
        s:sendmsg{data = "hello", address = to}
        repeat
          m = s:recvmsg(0, {flags = "MSG_ERRQUEUE", control = size})
          local c = m and m.control[1]
          assert.equal(c ~= nil and #c.data >= 16, c ~= nil and c.value ~= nil)
          local whole = #data -- with the address
          assert.equal(c ~= nil and #c.data == whole, c ~= nil and c.value ~= nil and c.value.offender ~= nil)
        until not m
        s:recvmsg()
      end
    end
  end)

  it("tells how many datagrams were lost for want of room", function()
    local a, b = udp()
    assert(b:setsockopt("SO_RXQ_OVFL", true))
    assert(b:setsockopt("SO_RCVBUF", 2048))
    for _ = 1, 100 do a:send(("x"):rep(500)) end
    b:settimeout(0)
    local n = 0
    while b:recvmsg() do n = n + 1 end
    a:send "y"
    assert.equal(100 - n, (control(assert(b:recvmsg()), "SOL_SOCKET", "SO_RXQ_OVFL")))
  end)

  it("cuts data into datagrams, and tells of those put together", function()
    if not (socket.UDP_SEGMENT and socket.UDP_GRO) then helper.skip "this kernel does not have the option" end
    local a, b, from = udp()
    local data = ("x"):rep(1000) .. ("y"):rep(1000) .. ("z"):rep(10)
    local segment = {entry("IPPROTO_UDP", "UDP_SEGMENT", 1000)}
    assert.equal(2010, a:sendmsg{data = data, control = segment})
    for _, part in ipairs {("x"):rep(1000), ("y"):rep(1000), ("z"):rep(10)} do
      local m = assert(b:recvmsg())
      assert.equal(part, m.data)
      assert.equal(from, m.address)
    end
    assert(b:setsockopt("UDP_GRO", true))
    assert.equal(2010, a:sendmsg{data = data, control = segment})
    local m = assert(b:recvmsg())
    assert.equal(data, m.data)
    assert.equal(1000, (control(m, "IPPROTO_UDP", "UDP_GRO")))
  end)

  it("gives as a file the descriptor of the process that sent a message", function()
    local a, b = net.pair "SOCK_DGRAM"
    if not b:setsockopt("SOL_SOCKET", 76, 1) then helper.skip "this kernel does not have the option" end -- SO_PASSPIDFD
    local before = descriptors()
    assert(a:send "x")
    local m = assert(b:recvmsg())
    assert.same({}, m.fds)
    assert.equal(1, #m.control)
    assert.equal("file", io.type(m.control[1].value))
    assert.equal(before + 1, descriptors())
    assert.same({}, (socket.select({m.control[1].value}, nil, 0))) -- this process has not ended
    m.control[1].value:close()
    assert.equal(before, descriptors())
    for size = 0, 40 do -- and none is left behind
      assert(a:send "x")
      m = assert(b:recvmsg(1, {control = size}))
      local value = m.control[1] and m.control[1].value
      if value then value:close() end
      assert.equal(before, descriptors())
    end
  end)

  it("is raw where its kind is not known, and left behind where there is no room", function()
    local a, b = udp()
    assert(b:setsockopt("IP_RECVOPTS", true))
    assert(b:setsockopt("IP_RECVTTL", true))
    assert(a:setsockopt("IPPROTO_IP", "IP_OPTIONS", "\1\1\1\0")) -- nothing, three times, and the end
    assert(a:send "x")
    local m = assert(b:recvmsg())
    local value, data = control(m, "IPPROTO_IP", "IP_RECVOPTS")
    assert.is_nil(value)
    assert.equal("\1\1\1\0", data)
    for size = 0, 100 do
      assert(a:send "x")
      m = assert(b:recvmsg(9, {control = size}))
      assert.equal("x", m.data)
      assert.equal(#m.control < 2 or #m.control[2].data < 4, m.flags & socket.MSG_CTRUNC ~= 0)
      for _, c in ipairs(m.control) do
        if c.type == socket.IP_TTL then assert.equal(#c.data == 4 and 64 or nil, #c.data == 4 and c.value or nil) end
      end
    end
  end)
end)

---------------------------------------------------------------------------------------------------

describe("descriptors that are passed", function()
  local kinds = {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"}

  it("arrive as sockets that work, where they are sockets", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      local client, server = net.tcp()
      local peer = server:getpeername()
      assert.equal(4, a:sendmsg{data = "take", fds = {server}})
      server:close()
      local m = assert(b:recvmsg())
      assert.same({"take", {}, 0}, {m.data, m.control, m.flags})
      assert.equal(1, #m.fds)
      local got <close> = m.fds[1]
      assert.same({socket.AF_INET, socket.SOCK_STREAM}, {got:family(), got:type()})
      assert.is_false(got:getinheritable())
      assert.equal(peer, got:getpeername())
      assert.is_nil(got:gettimeout())
      assert(client:send "through")
      assert.equal("through", got:recv())
      got:settimeout(0.02) -- and it has all that sockets have
      helper.fails("s:recv", "timeout", got:recv())
    end
  end)

  it("arrive as files of Lua's where they are none, in the mode that they have", function()
    local a, b = net.pair()
    local name = helper.tmpname()
    local w, r <close> = assert(io.open(name, "w")), assert(io.open(name))
    local both <close> = assert(io.open(name, "r+"))
    local pipe <close> = assert(io.popen "echo from the pipe")
    assert(a:sendmsg{data = "x", fds = {w, r, both, pipe}})
    w:close()
    local fds = assert(b:recvmsg()).fds
    assert.equal(4, #fds)
    for i = 1, 4 do
      assert.equal("file", io.type(fds[i]))
      assert.equal(getmetatable(r), getmetatable(fds[i]))
    end
    assert(fds[1]:write("written", "\n"))
    assert.is_nil((fds[1]:read()))
    assert.is_true(fds[1]:close())
    assert.equal("closed file", io.type(fds[1]))
    assert.equal("written", fds[2]:read())
    assert.is_nil((fds[2]:write "x"))
    assert(fds[3]:seek("set", 0))
    assert(fds[3]:write "W")
    assert.equal(0, fds[3]:seek("set", 0))
    assert.equal("Written", fds[3]:read())
    assert.equal("from the pipe", fds[4]:read())
    for i = 2, 4 do assert.is_true(fds[i]:close()) end
  end)

  it("may be numbers, and objects with fileno", function()
    local a, b = net.pair()
    local c, d = net.pair()
    assert(a:sendmsg{data = "x", fds = {c:fileno(), {fileno = function() return c:fileno() end},
      {getfd = function() return c:fileno() end}}})
    local fds = b:recvmsg().fds
    assert.equal(3, #fds)
    for i = 1, 3 do
      assert(fds[i]:send(tostring(i)))
      assert.equal(tostring(i), d:recv())
      fds[i]:close()
    end
  end)

  it("are close-on-exec", function()
    local a, b = net.pair()
    local name = helper.tmpname()
    local file <close> = assert(io.open(name, "w"))
    assert(a:sendmsg{data = "x", fds = {file, b}})
    file:close() -- Lua opens files that are inherited
    local fds = b:recvmsg().fds
    local seen <close> = assert(a:dup())
    seen:setinheritable(true)
    local list = helper.shell "ls -l /proc/self/fd"
    local inheritable = fds[2]:getinheritable()
    for i = 1, 2 do fds[i]:close() end
    assert.is_false(inheritable)
    assert.equal(1, select(2, list:gsub("socket:", "")))
    assert.is_nil(list:find(name, 1, true))
  end)

  it("number 0 to 253", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      local before = descriptors()
      for _, n in ipairs {0, 1, 2, 100, 252, 253} do
        local list = {}
        for i = 1, n do list[i] = i % 2 == 0 and a or io.stdout end
        assert.equal(1, a:sendmsg{data = "x", fds = list})
        local m = assert(b:recvmsg())
        assert.same({"x", n, 0}, {m.data, #m.fds, m.flags})
        assert.equal(before + n, descriptors())
        for i = 1, n do
          assert.equal(i % 2 == 0, io.type(m.fds[i]) == nil)
          m.fds[i]:close()
        end
        assert.equal(before, descriptors())
      end
    end
  end)

  it("of more than 253 are refused: EINVAL", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    for _, n in ipairs {254, 255, 1000} do
      local list = {}
      for i = 1, n do list[i] = a end
      assert.equal("sendmsg: Invalid argument", helper.fails("s:sendmsg", "EINVAL", a:sendmsg{data = "x", fds = list}))
      helper.fails("s:sendmmsg", "EINVAL", a:sendmmsg{{data = "x", fds = list}})
    end
    helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(1, {flags = "MSG_DONTWAIT"}))
    assert.equal(before, descriptors())
  end)

  it("come with credentials and time at once", function()
    local a, b = net.pair "SOCK_DGRAM"
    assert(b:setsockopt("SO_PASSCRED", true))
    assert(b:setsockopt("SO_TIMESTAMP", true))
    local list = {}
    for i = 1, 253 do list[i] = a end
    assert(a:sendmsg{data = "x", fds = list})
    local m = assert(b:recvmsg())
    assert.same({253, 0}, {#m.fds, m.flags})
    assert(control(m, "SOL_SOCKET", "SCM_CREDENTIALS"))
    assert(control(m, "SOL_SOCKET", "SCM_TIMESTAMP"))
    for _, s in ipairs(m.fds) do s:close() end
  end)

  it("are delivered or closed, never left open, whatever room there is for them", function()
    for _, passcred in ipairs {false, true} do
      local a, b = net.pair "SOCK_DGRAM"
      assert(b:setsockopt("SO_PASSCRED", passcred))
      local before = descriptors()
      local most = 0
      for size = 0, 120 do
        assert(a:sendmsg{data = "x", fds = {a, b, io.stdout, a, b}})
        local m = assert(b:recvmsg(1, {control = size}))
        assert.equal("x", m.data)
        local complete = #m.fds == 5 and (not passcred or m.control[1].value ~= nil)
        assert.equal(not complete, m.flags & socket.MSG_CTRUNC ~= 0)
        most = math.max(most, #m.fds)
        local cred = m.control[1]
        assert.equal(cred ~= nil and #cred.data == 12, cred ~= nil and cred.value ~= nil)
        assert.equal(before + #m.fds, descriptors())
        for _, fd in ipairs(m.fds) do fd:close() end
        assert.equal(before, descriptors())
      end
      assert.equal(5, most)
    end
  end)

  it("are closed by the collector, too", function()
    helper.collects()
    local a, b = net.pair()
    assert(a:sendmsg{data = "x", fds = {a, io.stdout, b}})
    assert.equal(3, #b:recvmsg().fds)
  end)

  it("are not received by any other call, and closed there", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    local message = {data = "x", fds = {a, io.stdout}}
    for _, receive in ipairs {
      function() return b:recv() end, function() return b:recvfrom() end,
      function() return b:recvinto(socket.buffer(9)) end, function() return b:recvmmsg(1, 9) end,
      function() return b:recvmsg(9, {control = 0}) end,
    } do
      assert(a:sendmsg(message))
      assert(receive())
      assert.equal(before, descriptors())
    end
  end)

  it("are doubled by MSG_PEEK, and closed all the same", function()
    local a, b = net.pair "SOCK_DGRAM"
    local before = descriptors()
    assert(a:sendmsg{data = "x", fds = {a}})
    for _, flags in ipairs {"MSG_PEEK", 0} do
      local m = assert(b:recvmsg(1, {flags = flags}))
      assert.equal(1, #m.fds)
      m.fds[1]:close()
    end
    assert.equal(before, descriptors())
  end)

  it("that are closed are refused: EBADF, and nothing is sent", function()
    local a, b = net.pair "SOCK_DGRAM"
    local closed = assert(socket.socket())
    closed:close()
    local file = assert(io.open "/dev/null")
    file:close()
    for _, one in ipairs {closed, file, 10000, {fileno = function() end}} do
      assert.equal("sendmsg: Bad file descriptor",
        helper.fails("s:sendmsg", "EBADF", a:sendmsg{data = "x", fds = {a, one}}))
      helper.fails("s:sendmmsg", "EBADF", a:sendmmsg{{data = "x", fds = {one}}})
    end
    helper.fails("s:recvmsg", "EAGAIN", b:recvmsg(1, {flags = "MSG_DONTWAIT"}))
  end)

  it("are refused where the system would leave them out without a word", function()
    local a = udp()
    helper.raises("s:sendmsg", "field 'fds': only AF_UNIX sockets pass descriptors", a.sendmsg, a,
      {data = "x", fds = {a}})
    assert.equal(1, a:sendmsg{data = "x", fds = {}})
    local s = net.pair()
    helper.raises("s:sendmsg", "field 'fds': in a stream descriptors go with data", s.sendmsg, s, {fds = {a}})
    local d, e = net.pair "SOCK_DGRAM"
    assert.equal(0, d:sendmsg{fds = {a}})
    local m = assert(e:recvmsg())
    assert.equal(1, #m.fds)
    m.fds[1]:close()
  end)

  it("go along with sendmmsg", function()
    for _, kind in ipairs(kinds) do
      local a, b = net.pair(kind)
      assert.equal(2, a:sendmmsg{{data = "1", fds = {a}}, {data = "2", fds = {io.stdout, b}}})
      for i = 1, 2 do
        local m = assert(b:recvmsg(1))
        assert.same({tostring(i), i}, {m.data, #m.fds})
        for _, fd in ipairs(m.fds) do fd:close() end
      end
    end
  end)

  it("share with the sender what the system knows of them, and no call is misled by that", function()
    local listener = net.keep(assert(socket.listen("127.0.0.1", 0)))
    local child <close> = net.child([[ -- ends what would wait for ever
      socket.select(nil, nil, 3)
      socket.connect("127.0.0.1", arg[1])
    ]], listener:getsockname().port)
    local a, b = net.pair()
    assert(a:sendmsg{data = "x", fds = {listener, listener}})
    local one, two = table.unpack(b:recvmsg().fds)
    net.keep(one, two)
    for _, pair in ipairs {{one, two}, {two, listener}} do
      local first, second = table.unpack(pair)
      for _, s in ipairs(pair) do
        s:settimeout(0.02)
        helper.fails("s:accept", "timeout", s:accept()) -- makes it non-blocking
      end
      net.keep(assert(socket.fromfd((first:detach())))) -- and not any more
      helper.fails("s:accept", "timeout", second:accept())
    end
    child:__close()
  end)

  it("go along once with a message that a stream takes in parts", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", dir .. "/s"))))
    local child <close> = net.child([[
      local s = assert(socket.connect(socket.address("AF_UNIX", arg[1])))
      local total, fds = 0, 0
      repeat
        local m = assert(s:recvmsg(30000))
        total, fds = total + #m.data, fds + #m.fds
      until m.data == ""
      print(total, fds)
    ]], dir .. "/s")
    local conn <close> = assert(s:accept())
    conn:settimeout(10)
    local message = {data = {("x"):rep(1 << 20), ("y"):rep(1 << 20)}, fds = {s, io.stdout}}
    assert.equal(3, conn:sendmmsg{message, message, "z"})
    conn:close()
    assert.equal(("%d\t4"):format((1 << 22) + 1), child:line())
  end)

  it("cross from one process to another, which goes on with the connection", function()
    local dir = helper.tmpdir()
    local s = net.keep(assert(socket.listen(socket.address("AF_UNIX", dir .. "/s"))))
    local child <close> = net.child([[
      local s = assert(socket.connect(socket.address("AF_UNIX", arg[1])))
      local m = assert(s:recvmsg())
      local conn, file = m.fds[1], m.fds[2]
      s:close()
      file:write("served ", conn:recv(), " by ", m.data)
      file:close()
      conn:sendall "answer"
    ]], dir .. "/s")
    local unixconn <close> = assert(s:accept())
    local client, server = net.tcp()
    local name = helper.tmpname()
    local file <close> = assert(io.open(name, "w"))
    assert(unixconn:sendmsg{data = "worker 1", fds = {server, file}})
    server:close()
    assert(client:send "question")
    assert.equal("answer", client:recv())
    assert.equal("", client:recv())
    assert.same({"", 0}, {child:rest()})
    assert.equal("served question by worker 1", helper.read(name))
  end)

  it("are closed where the process has no more room for them, and MSG_CTRUNC says so", function()
    local output = process.confined(20, [[
      local a, b = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      assert(a:sendmsg{data = "x", fds = {a, a, a, a, a}})
      local open = {}
      fill(open)
      for i = 1, 2 do table.remove(open):close() end
      local m = assert(b:recvmsg())
      print(m.data, #m.fds, m.flags == socket.MSG_CTRUNC)
    ]])
    assert.equal("x\t2\ttrue\n", output)
  end)

  it("need no library io to be closed", function()
    local a, b = net.pair()
    local registry = debug.getregistry()
    local files = registry["FILE*"]
    local before = descriptors()
    assert(a:sendmsg{data = "x", fds = {io.stdout, 1}})
    registry["FILE*"] = nil
    local ok, m = pcall(b.recvmsg, b)
    registry["FILE*"] = files
    assert(ok, m)
    assert.equal(2, #m.fds)
    assert.equal(before + 2, descriptors())
    m = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(before, descriptors())
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
    assert.equal("sendmmsg: Message too long", helper.fails("s:sendmmsg", "EMSGSIZE", a:sendmmsg(list)))
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
      a.sendmmsg, a, {"x", "y", nil, "z"})
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
    if not signal then helper.skip "no compiler here" end
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
    ["field 'data': item 2: string or buffer expected, got nil"] = {{data = {"x", nil, "y"}}},
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
    ["field 'control': item 1: field 'ifindex': out of range"] = {
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
    helper.raises("s:sendmsg", "field 'fds': item 2: .-, got nil", a.sendmsg, a, {data = "x", fds = {a, nil, a}})
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
        collectgarbage("incremental", 0, 1000, 63)
        collectgarbage("setpause", 0)
        collectgarbage()
        collectgarbage "stop"
        setmetatable({}, meta)
        collectgarbage "restart"
        local message = b:recvmsg(100, { flags = %q })
        collectgarbage "stop"
        print(runs > 3, message.data)
      ]]):format(flags))
      assert.are.equal("true\tmine\n", output)
    end)
  end
end)

---------------------------------------------------------------------------------------------------

describe("when memory runs out", function()
  --- Runs a script in a state whose memory can be made to fail; it has to give back all of it.
  local function run(script)
    local alloc = build "alloc"
    if not alloc then helper.skip "no compiler here" end
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
