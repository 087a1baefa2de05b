-- csrc/object/control.c: the control data of messages, as it crosses the kernel. What is wrong with a table that a call
-- was
-- given is in message_spec.lua.
local helper = require "spec.support.helper"
local namespace = require "spec.support.namespace"
local net = require "spec.support.net"
local netlink = require "spec.support.netlink"
local messages = require "spec.support.messages"
local socket = require "bsdsocket"

local udp, udp6 = messages.udp, messages.udp6
local control, entry, descriptors = messages.control, messages.entry, messages.descriptors

after_each(net.close)

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
      assert.is_true(value >= before - 1 and value <= os.time() + 2, value)
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
    assert.is_true(value >= before - 1 and value <= os.time() + 2, value)
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

  --- A receiver with UDP_GRO, and a function that sends it three datagrams of 1000, 1000 and 10 bytes in one burst.
  local function merging()
    if not (socket.UDP_SEGMENT and socket.UDP_GRO) then helper.skip "this kernel does not have the option" end
    local a, b = udp()
    assert(b:setsockopt("UDP_GRO", true))
    b:settimeout(5)
    return b, function()
      local data = ("x"):rep(1000) .. ("y"):rep(1000) .. ("z"):rep(10)
      assert.equal(2010, a:sendmsg{data = data, control = {entry("IPPROTO_UDP", "UDP_SEGMENT", 1000)}})
      return data
    end, a
  end

  it("tells of datagrams put together with recvmmsg, too, unasked", function()
    for _, how in ipairs {"set", "adopted", "doubled"} do
      local b, burst, a = merging()
      if how == "adopted" then b = net.keep(assert(socket.fromfd((b:detach())))) end
      if how == "doubled" then b = net.keep(assert(b:dup())) end
      b:settimeout(5)
      local into
      for _ = 1, 2 do
        local data = burst()
        assert(a:send "alone")
        local list, n = assert(b:recvmmsg(1, 65536, 0, into))
        assert.equal(1, n)
        assert.equal(data, list[1].data)
        assert.equal(1000, (control(list[1], "IPPROTO_UDP", "UDP_GRO")))
        assert.same({0, false}, {list[1].flags, list[1].truncated})
        into = assert(b:recvmmsg(1, 65536, 0, list))
        assert.same({"alone", {}, false}, {into[1].data, into[1].control, into[1].truncated})
      end
      assert(b:setsockopt("UDP_GRO", false))
      assert(a:send "alone")
      assert.is_nil(b:recvmmsg(1, 10, 0, into)[1].control)
    end
  end)

  it("of datagrams put together is a mark that recv, recvfrom and recvinto give, as of a cut", function()
    local b, burst, a = merging()
    local buf = socket.buffer(65536)
    for _ = 1, 2 do
      local data = burst()
      net.gives({data, true}, b:recv())
      burst()
      net.gives({data, a:getsockname(), true}, b:recvfrom())
      burst()
      net.gives({2010, true}, b:recvinto(buf))
      assert.equal(data, buf:sub(1, 2010))
      burst()
      net.gives({data, true}, b:recv(65536, "MSG_PEEK"))
      net.gives({data:sub(1, 500), true}, b:recv(500))
      assert(a:send "alone")
      net.gives({"alone"}, b:recv())
      assert(a:send "alone")
      net.gives({"alone", a:getsockname()}, b:recvfrom())
      assert(a:send "alone")
      net.gives({"alo", true}, b:recv(3))
      b:settimeout(nil)
    end
    assert(b:setsockopt("IPPROTO_UDP", "UDP_GRO", string.pack("i", 0)))
    burst()
    for _, part in ipairs {("x"):rep(1000), ("y"):rep(1000), ("z"):rep(10)} do net.gives({part}, b:recv()) end
  end)

  it("comes with recvmmsg on request", function()
    local a, b, from = udp()
    assert(b:setsockopt("IP_RECVTTL", true))
    assert(a:setsockopt("IP_TTL", 33))
    assert(a:sendmmsg{"1", "2", "3"})
    local list, n = assert(b:recvmmsg(2, 9, {control = 100}))
    assert.equal(2, n)
    for i = 1, 2 do
      assert.same({tostring(i), from, 0, false}, {list[i].data, list[i].address, list[i].flags, list[i].truncated})
      assert.equal(33, (control(list[i], "IPPROTO_IP", "IP_TTL")))
    end
    list = assert(b:recvmmsg(2, 9, {control = 100, flags = "MSG_DONTWAIT"}, list))
    assert.equal(33, (control(list[1], "IPPROTO_IP", "IP_TTL")))
    assert(a:send "4")
    list = assert(b:recvmmsg(2, 9, {}, list)) -- not asked for: and none of earlier
    assert.same({"4", nil}, {list[1].data, list[1].control})
    assert.is_true(list[1].flags & socket.MSG_CTRUNC ~= 0)
    assert(a:send "5")
    list = assert(b:recvmmsg(2, 9, {control = 5}, list)) -- no room
    assert.same({"5", {}}, {list[1].data, list[1].control})
    assert.is_true(list[1].flags & socket.MSG_CTRUNC ~= 0)
    helper.fails("s:recvmmsg", "EAGAIN", b:recvmmsg(2, 9, {flags = "MSG_DONTWAIT"}))
  end)

  it("with recvmmsg leaves no descriptor behind: only recvmsg receives them", function()
    for _, kind in ipairs {"SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_STREAM"} do
      local a, b = net.pair(kind)
      assert(b:setsockopt("SO_PASSCRED", true))
      if socket.SO_PASSPIDFD then b:setsockopt("SO_PASSPIDFD", true) end
      local before = descriptors()
      assert.equal(2, a:sendmmsg{{data = "x", fds = {a, io.stdout, b}}, {data = "y", fds = {a}}})
      local list, n = assert(b:recvmmsg(2, 1, {control = 200}))
      assert.equal(2, n)
      assert.equal(before, descriptors())
      for i = 1, 2 do
        assert.is_true(list[i].flags & socket.MSG_CTRUNC ~= 0)
        assert.is_nil(list[i].fds)
        assert.equal("table", type(control(list[i], "SOL_SOCKET", "SCM_CREDENTIALS")))
        for _, c in ipairs(list[i].control) do
          assert.is_true(c.type ~= socket.SCM_RIGHTS)
          assert.is_nil(io.type(c.value))
        end
      end
    end
  end)

  it("with recvmmsg: what is wrong with its options is said", function()
    local a = udp()
    for options, message in pairs {
      [{control = -1}] = "bad argument #3 .*field 'control': out of range",
      [{control = "x"}] = "bad argument #3 .*field 'control': integer expected, got string",
      [{flags = "MSG_X"}] = "bad argument #3 .*field 'flags': .*MSG_X",
      [{room = 1}] = "bad argument #3 .*unknown field 'room'",
    } do
      helper.raises("s:recvmmsg", (message:gsub("#3", "#[34]")), a.recvmmsg, a, 1, 1, options)
    end
    helper.raises("s:recvmmsg", "room for more than 256 MiB", a.recvmmsg, a, 1024, 1 << 18, {control = 1 << 18})
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

-- What the kernel tells by a number or by an address has a value, and what it is told by a number is taken as one.
describe("control data that is a number or an address in the kernel:", function()
  -- An option or a kind of control data may be unknown to the kernel, or for root.
  local function try(result, message, code)
    if code == "ENOPROTOOPT" or code == "EOPNOTSUPP" then helper.skip "this kernel does not have the option" end
    if code == "EPERM" then helper.skip "no privilege for the option" end
    if result == nil then error(message, 2) end
    return result
  end

  local function itself(_, b) return b:getsockname() end

  -- name = {sockets, option of the receiver, level, entry to send, value (or a function that gives it)}
  local rows = {
    IP_ORIGDSTADDR = { udp, "IP_RECVORIGDSTADDR", "IPPROTO_IP", {}, itself },
    IPV6_ORIGDSTADDR = { udp6, "IPV6_RECVORIGDSTADDR", "IPPROTO_IPV6", {}, itself },
    SO_MARK = { udp, "SO_RCVMARK", "SOL_SOCKET", { SO_MARK = 2 ^ 32 - 2 | 0 }, 2 ^ 32 - 2 | 0 },
    SO_PRIORITY = { udp, "SO_RCVPRIORITY", "SOL_SOCKET", { SO_PRIORITY = 5 }, 5 },
    IPV6_2292HOPLIMIT = { udp6, "IPV6_2292HOPLIMIT", "IPPROTO_IPV6", { IPV6_2292HOPLIMIT = 9 }, 9 },
    TCP_CM_INQ = { net.tcp, "TCP_INQ", "IPPROTO_TCP", {}, 2 },
    SCM_INQ = { net.pair, "SO_INQ", "SOL_SOCKET", {}, 2 },
  }
  for name, row in pairs(rows) do
    it(name, function()
      if not (socket[row[2]] and socket[name]) then helper.skip "this system does not have the option" end
      local a, b = row[1]()
      try(b:setsockopt(row[2], true))
      local list = {}
      for type, value in pairs(row[4]) do list[1] = entry(row[3], type, value) end
      assert.equal(5, try(a:sendmsg{ data = "hello", control = list }))
      local m = assert(b:settimeout(5):recvmsg(3))
      assert.equal("hel", m.data)
      local value, data = control(m, row[3], name)
      local expected = row[5]
      if type(expected) == "function" then expected = expected(a, b) end
      if expected then assert.equal(expected, value) end
      if type(value) == "number" then assert.equal("integer", math.type(value)) end
      assert(#data >= 2)
    end)
  end

  it("IPV6_FLOWINFO", namespace.inside(function() -- elsewhere, who has rented a label keeps others from sending any
    local b <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("::1", 0)):settimeout(5)
    local a <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    assert(b:setsockopt("IPV6_FLOWINFO", true))
    local label = { level = "IPPROTO_IPV6", type = "IPV6_FLOWINFO", value = 5 }
    assert(a:sendmsg{ data = "x", address = b:getsockname(), control = { label } })
    local c = assert(b:recvmsg()).control[1]
    assert.same({ socket.IPPROTO_IPV6, socket.IPV6_FLOWINFO, 5, "\0\0\0\5" }, { c.level, c.type, c.value, c.data })
  end))

  it("IPV6_2292PKTINFO", function()
    local a, b = udp6()
    try(b:setsockopt("IPV6_2292PKTINFO", true))
    assert(a:send "x")
    local here = { ifindex = socket.if_nametoindex "lo", address = socket.address("AF_INET6", "::1", 0) }
    assert.same(here, (control(assert(b:recvmsg()), "IPPROTO_IPV6", "IPV6_2292PKTINFO")))
  end)

  it("NETLINK_PKTINFO", function()
    if not socket.NETLINK_PKTINFO then helper.skip "no netlink here" end
    local s = net.keep(assert(assert(socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE")):bind(0, 0)))
    assert(s:setsockopt("NETLINK_PKTINFO", true))
    assert(s:sendto(("=I4I2I2I4I4"):pack(16, 3, 1 | 4, 1, 0), 0, 0)) -- NLMSG_DONE with NLM_F_ACK
    assert.equal(0, (control(assert(s:settimeout(5):recvmsg()), "SOL_NETLINK", "NETLINK_PKTINFO")))
  end)

  it("IP_RECVFRAGSIZE and IPV6_RECVFRAGSIZE", namespace.inside(function(skip)
    if not os.execute "ip link set lo mtu 1500" then skip "ip is not here" end
    for family, row in pairs {
      AF_INET = { "127.0.0.1", "IPPROTO_IP", "IP_RECVFRAGSIZE", 1500 },
      AF_INET6 = { "::1", "IPPROTO_IPV6", "IPV6_RECVFRAGSIZE", 1496 },
    } do
      local b <close> = assert(assert(socket.socket(family, "SOCK_DGRAM")):bind(row[1], 0))
      local a <close> = assert(socket.socket(family, "SOCK_DGRAM"))
      assert(b:setsockopt(row[3], true))
      assert(a:sendto(("x"):rep(4000), b:getsockname()))
      local m = assert(b:settimeout(5):recvmsg())
      assert.equal(4000, #m.data)
      local c = m.control[1]
      assert.same({ socket[row[2]], socket[row[3]], row[4] }, { c.level, c.type, c.value })
    end
  end))

  it("IPV6_DONTFRAG, a switch, and IPV6_PATHMTU", namespace.inside(function(skip)
    if not os.execute "ip link set lo mtu 1500" then skip "ip is not here" end
    local b <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("::1", 0))
    local a <close> = assert(assert(socket.socket("AF_INET6", "SOCK_DGRAM")):bind("::1", 0))
    assert(a:setsockopt("IPV6_RECVPATHMTU", 1))
    for _, on in ipairs { true, 1, false, 0 } do
      local list = { { level = "IPPROTO_IPV6", type = "IPV6_DONTFRAG", value = on } }
      local sent, _, code = a:sendmsg{ data = ("x"):rep(4000), address = b:getsockname(), control = list }
      if on == true or on == 1 then
        assert.same({ nil, "EMSGSIZE" }, { sent, code })
        local m = assert(a:settimeout(5):recvmsg())
        local c = m.control[1]
        assert.same({ socket.IPPROTO_IPV6, socket.IPV6_PATHMTU }, { c.level, c.type })
        assert.same({ mtu = 1500, address = socket.address("AF_INET6", "::1", 0) }, c.value)
      else
        assert.equal(4000, sent)
        assert(b:settimeout(5):recvmsg())
      end
    end
    for _, wrong in ipairs { 2, -1, 0.5, "1", {} } do
      local list = { { level = "IPPROTO_IPV6", type = "IPV6_DONTFRAG", value = wrong } }
      local ok, message = pcall(a.sendmsg, a, { data = "x", control = list })
      assert.is_false(ok)
      assert.match("field 'value': boolean expected", message)
    end
  end))

  it("SCM_TXTIME, in nanoseconds", function()
    if not socket.SCM_TXTIME then helper.skip "this system does not have the option" end
    local a, b = udp()
    try(a:setsockopt("SO_TXTIME", { clockid = 1 }))
    local at = socket.monotime() * 1000000000 // 1 | 0
    assert.equal(1, a:sendmsg{ data = "x", control = { entry("SOL_SOCKET", "SCM_TXTIME", at) } })
    assert.equal("x", b:settimeout(5):recv())
  end)

  it("SO_TIMESTAMPING, which times are wanted of a message, and SCM_TS_OPT_ID, its number", function()
    if not socket.SOF_TIMESTAMPING_TX_SOFTWARE then helper.skip "this system does not have the option" end
    local a = udp()
    assert(a:setsockopt("SO_TIMESTAMPING",
      socket.SOF_TIMESTAMPING_SOFTWARE | socket.SOF_TIMESTAMPING_OPT_ID | socket.SOF_TIMESTAMPING_OPT_TSONLY))
    local stamp = entry("SOL_SOCKET", "SO_TIMESTAMPING", socket.SOF_TIMESTAMPING_TX_SOFTWARE)
    local before = os.time()
    assert.equal(1, a:sendmsg{ data = "x", control = { stamp } })
    local m = assert(a:settimeout(5):recvmsg(9, { flags = "MSG_ERRQUEUE" }))
    local value = control(m, "SOL_SOCKET", "SCM_TIMESTAMPING")
    assert(value >= before - 1 and value <= os.time() + 2, value) -- the system may set its clock
    if not a:sendmsg{ data = "x", control = { stamp, entry("SOL_SOCKET", "SCM_TS_OPT_ID", 4000000000) } } then
      helper.skip "this kernel does not have the option"
    end
    m = assert(a:recvmsg(9, { flags = "MSG_ERRQUEUE" }))
    assert.equal(4000000000, control(m, "IPPROTO_IP", "IP_RECVERR").data)
  end)

  it("IP_PROTOCOL", function()
    local a = udp()
    helper.fails("s:sendmsg", "EINVAL",
      a:sendmsg{ data = "x", control = { entry("IPPROTO_IP", "IP_PROTOCOL", 256) } })
    assert.equal(1, a:sendmsg{ data = "x", control = { entry("IPPROTO_IP", "IP_PROTOCOL", 17) } })
  end)

  it("raises for what is out of range", function()
    local a = udp()
    for _, row in ipairs {
      { "SOL_SOCKET", "SO_MARK", -1 }, { "SOL_SOCKET", "SO_MARK", 2 ^ 32 }, { "SOL_SOCKET", "SCM_TXTIME", -1 },
      { "SOL_SOCKET", "SO_PRIORITY", 0.5 }, { "IPPROTO_IPV6", "IPV6_FLOWINFO", 2 ^ 32 },
      { "IPPROTO_UDP", "UDP_SEGMENT", 65536 },
    } do
      helper.raises("s:sendmsg", "field 'value': ", a.sendmsg, a,
        { data = "x", control = { entry(row[1], row[2], row[3]) } })
    end
  end)
end)

describe("the interface of a datagram that is sent", function()
  it("is named as everywhere", namespace.inside(function(skip)
    local left, right = netlink.pair(skip)
    for _, row in ipairs {
      { "AF_INET", "IPPROTO_IP", "IP_PKTINFO", "239.1.2.3", { "right", right, "10.9.1.1",
        socket.address("AF_INET", "10.9.1.1", 0), "fe80::2%right" } },
      { "AF_INET6", "IPPROTO_IPV6", "IPV6_PKTINFO", "ff02::1234", { "right", right, "fe80::2", "fd09:0:0:1::1",
        "fe80::9%right", "::%right", socket.address("AF_INET6", "::", 0, 0, right) } },
    } do
      local s <close> = assert(socket.socket(row[1], "SOCK_DGRAM"))
      local receiver <close> = assert(assert(socket.socket(row[1], "SOCK_DGRAM")):bind("*", 0)):settimeout(5)
      local port = receiver:getsockname().port
      local six = row[1] == "AF_INET6"
      assert(s:setsockopt(six and "IPV6_MULTICAST_HOPS" or "IP_MULTICAST_TTL", 0)) -- it does not come back by the wire
      assert(receiver:setsockopt(six and "IPV6_RECVPKTINFO" or "IP_PKTINFO", 1))
      for _, name in ipairs { "left", "right" } do
        local join = six and "IPV6_JOIN_GROUP" or "IP_ADD_MEMBERSHIP"
        assert(receiver:setsockopt(join, { group = row[4], interface = name }))
      end
      local function send(value)
        return s:sendmsg{ data = "x", address = socket.address(row[1], row[4], port),
          control = { { level = row[2], type = row[3], value = value } } }
      end
      local function arrives(value, index, where)
        assert(send(value))
        assert.equal(index, assert(receiver:recvmsg()).control[1].value.ifindex, where)
      end
      for _, interface in ipairs(row[5]) do arrives({ ifindex = interface }, right, tostring(interface)) end
      if six then
        arrives({ address = "fe80::2%right" }, right)
        arrives({ address = "::%left" }, left)
        arrives({ address = "fe80::2%" .. right, ifindex = "right" }, right)
        arrives({ address = "*", ifindex = "right" }, right)
        arrives({ address = socket.address("AF_INET6", "fe80::2%right", 0) }, right)
        local ok, message = pcall(send, { address = "fe80::2%right", ifindex = "left" })
        assert.is_false(ok)
        assert.match("the zone of the address is another one", message)
        assert.equal("ENODEV", (select(3, send { address = "fe80::2%nosuch" })))
      else
        arrives({ address = "*", ifindex = "right" }, right)
      end
      assert(s:setsockopt(six and "IPV6_MULTICAST_IF" or "IP_MULTICAST_IF", "left"))
      for _, any in ipairs { "*", 0, six and "::" or "0.0.0.0" } do arrives({ ifindex = any }, left) end
      assert.equal("ENODEV", (select(3, send { ifindex = "nosuch" })))
      for _, wrong in ipairs { -1, 0.5, true, {}, "lo\0" } do
        local ok, message = pcall(send, { ifindex = wrong })
        assert.is_false(ok)
        assert.match("item 1: field 'ifindex': ", message)
      end
    end
  end))
end)
