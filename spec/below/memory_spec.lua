-- Memory that runs out: each request for it fails once in each call, and nothing is lost or leaked.
-- The scripts run in Lua states of their own, whose memory fault/alloc.c doles out.
local helper = require "spec.support.helper"
local build = require "fault.build"

-- Before each script: try(setup, trial, after) calls trial(setup()) again and again, while its first, its
-- second, its third ... request for memory fails, until none does any more. `after` gets what setup gave,
-- then what pcall(trial) gave.
local prelude = [[
  local socket = require "bsdsocket"
  local failing, dir = tonumber((...)), (select(2, ...))

  local function lowest()
    local s <close> = assert(socket.socket())
    return s:fileno()
  end

  local function finish(k, t, after, hit, ok, ...)
    if not ok then assert((...) == "not enough memory", ("request %d: %s"):format(k, (...))) end
    if after then after(t, ok, ...) end
    return hit
  end

  local function try(setup, trial, after)
    local free = lowest()
    for k = 1, 100000 do
      local t = setup and setup() or {}
      collectgarbage()
      local hit = finish(k, t, after, fault(k, failing, trial, t))
      for _, s in pairs(t) do
        if type(s) == "userdata" and s.close then s:close() end
      end
      t = nil
      collectgarbage()
      collectgarbage()
      assert(lowest() == free, "a descriptor was leaked")
      if not hit then return k end
    end
  end

  -- What a trial gives if it succeeds, and what must come when it is tried again if not.
  local function gives(...)
    local wanted = table.pack(...)
    return function(t, ok, ...)
      local got = table.pack(...)
      if not ok then got = table.pack(t.again()) end
      assert(got.n == wanted.n, "the number of results")
      for i = 1, got.n do assert(got[i] == wanted[i], ("result %d: %s"):format(i, tostring(got[i]):sub(1, 40))) end
    end
  end

  local function pair(kind)
    local a, b = assert(socket.socketpair("AF_UNIX", kind))
    return { a = a, b = b, data = false } -- there is room for what is received, that a trial may keep it
  end

  local function udp()
    local b = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
    local a = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
    a:connect(b:getsockname())
    b:settimeout(5)
    return { a = a, b = b }
  end
]]

local scripts = {
  { "sockets that are made", [[
    try(nil, function() return socket.socket() end)
    try(nil, function() return socket.socket("AF_INET6", "SOCK_DGRAM", "IPPROTO_UDP") end)
    try(nil, function() return socket.socketpair() end)
    try(function() return pair() end, function(t) t.c = t.a:dup() end)
    try(function() return { fd = socket.socket():detach() } end, function(t) return socket.fromfd(t.fd) end,
      function(t, ok, s) if not ok then s = socket.fromfd(t.fd) end assert(s):close() end)
    try(nil, function() local s <close> = socket.socket() return tostring(s) end)
    try(nil, function() local l <close> = socket.listen("127.0.0.1", 0) return tostring(l), l:getsockname() end)
  ]] },
  { "what opens something besides", [[
    -- of whoever has only the number between the two
    try(pair, function(t)
      local c <close> = socket.fromfd(t.a:detach())
      return c:fileno()
    end)
    try(function()
      local t = pair()
      t.b:send "hello"
      t.a:recv(1, "MSG_PEEK")
      t.a:read(1)
      return t
    end, function(t) return socket.fromfd(t.a:detach()):close() end)
    -- a scheduler, the first and another one, and none
    local function wait() end
    try(nil, function() socket.setwaiter(wait) end, function() socket.setwaiter(nil) end)
    try(function() socket.setwaiter(wait) return {} end, function() socket.setwaiter(wait, wait) end,
      function() socket.setwaiter(nil) end)
    try(function() socket.setwaiter(wait) return {} end, function() socket.setwaiter(nil) end,
      function() socket.setwaiter(nil) end)
    try(function() return { p = socket.poller() } end, function(t) return t.p:close(), socket.poller() end)
    -- a close that lasts
    try(function()
      local l <close> = assert(socket.listen("127.0.0.1", 0))
      local c = assert(socket.connect(l:getsockname()))
      return { c = c:setsockopt("SO_LINGER", 5), s = assert(l:accept()) }
    end, function(t) return t.c:close() end)
    -- a pipe that is sent
    try(function()
      local t = pair()
      t.data = io.popen "echo hello"
      return t
    end, function(t) return t.a:sendfile(t.data) end)
    -- a descriptor that is passed on
    try(function()
      local t = pair()
      assert(t.a:sendmsg { data = "x", fds = { t.b } })
      return t
    end, function(t) return t.b:recvmsg() end)
  ]] },
  { "what cannot be made", [[
    try(nil, function() return socket.socket(250, "SOCK_STREAM") end)
    try(nil, function() return socket.socketpair("AF_INET") end)
    try(nil, function() return socket.fromfd(0) end)
    try(pair, function(t)
      t.a:close()
      return t.a:dup(), t.a:recv(), t.a:send "x", t.a:getsockname(), t.a:bind "/x", t.a:getsockopt "SO_ERROR"
    end)
  ]] },
  { "accept", [[
    try(function()
      local l = assert(socket.listen("127.0.0.1", 0))
      return { l = l, c = assert(socket.connect(l:getsockname())) }
    end, function(t) return t.l:accept() end, function(t, ok, s, address)
      if ok then
        assert(address == t.c:getsockname())
        s:close()
      end
      local c <close> = assert(socket.connect(t.l:getsockname()))
      t.l:settimeout(1)
      local first <close>, from = assert(t.l:accept()) -- the first one, if it was not taken out
      assert(from == c:getsockname() or from == t.c:getsockname())
    end)
    try(function()
      local l = assert(socket.listen("127.0.0.1", 0))
      return { l = l, c = assert(socket.connect(l:getsockname())) }
    end, function(t)
      for s in t.l:clients() do s:close() break end
    end)
  ]] },
  { "recv, of a stream", [[
    local function ready(n, data)
      return function()
        local t = pair()
        t.b:sendall(data)
        t.again = function() return t.a:recv(n) end
        return t
      end
    end
    local long = ("0123456789"):rep(15000)
    try(ready(nil, "hello"), function(t) return t.a:recv() end, gives "hello")
    try(ready(3, "hello"), function(t) return t.a:recv(3) end, gives "hel")
    try(ready(100, long), function(t) return t.a:recv(100) end, gives(long:sub(1, 100)))
    try(ready(200000, long), function(t) return t.a:recv(200000) end, gives(long))
    try(ready(1 << 62, long), function(t) return t.a:recv(1 << 62) end, gives(long))
    try(ready(3, "hello"), function(t) return t.a:recv(3, "MSG_PEEK") end, gives "hel")
    try(ready(3, "hello"), function(t) return t.a:recv(4, "MSG_PEEK") .. t.a:recv() end,
      function(t, ok, data)
        if ok then assert(data == "hellhello") end
      end)
  ]] },
  { "recv, asked for less than what waits the next time", [[
    try(function()
      local t = pair()
      t.b:send "hello"
      return t
    end, function(t) return t.a:recv() end, function(t, ok, data)
      data = ok and data or ""
      t.b:send " world"
      t.a:settimeout(5)
      while #data < 11 do
        assert(#socket.select({ t.a }, nil, 5) == 1)
        local ahead = t.a:recv(2, "MSG_PEEK")
        local piece = t.a:recv(2)
        assert(ahead == piece)
        data = data .. piece
      end
      assert(data == "hello world")
      t.a:settimeout(0)
      assert(select(3, t.a:recv()) == "EAGAIN")
    end)
  ]] },
  { "recv, of several sockets one after the other", [[
    try(function()
      local t = { a = pair(), b = pair(), c = pair() }
      for name, p in pairs(t) do p.b:send(name:rep(1000)) end -- so much that each string is a new one
      return t
    end, function(t)
      for _, name in ipairs { "a", "b", "c" } do
        local ok, data = pcall(t[name].a.recv, t[name].a)
        if ok then t[name].data = data end
      end
    end, function(t)
      for _, name in ipairs { "c", "a", "b" } do
        local p = t[name]
        p.a:settimeout(0)
        assert((p.data or p.a:recv()) == name:rep(1000))
        assert(select(3, p.a:recv()) == "EAGAIN")
        p.a:close()
        p.b:close()
      end
    end)
  ]] },
  { "recv and recvfrom, of datagrams", [[
    for _, make in ipairs {
      udp, function() return pair "SOCK_DGRAM" end, function() return pair "SOCK_SEQPACKET" end
    } do
      for _, data in ipairs { "hello", "", ("x"):rep(60000) } do
        for _, n in ipairs { 65536, 3, 1 << 40 } do
          if not (data == "" and n == 3) then
            local function setup()
              local t = make()
              t.a:send(data)
              t.a:send "next"
              return t
            end
            local cut = #data > n or nil
            local function same(t, ok, ...)
              local function check(got, second, third)
                assert(got == data:sub(1, n))
                if t.from then
                  assert(second == t.a:getsockname() or second.family == socket.AF_UNIX or second == nil)
                  second = third
                end
                assert(second == cut)
              end
              if ok then
                check(...)
              elseif t.from then
                check(t.b:recvfrom(n))
              else
                check(t.b:recv(n))
              end
              assert(t.b:recv() == "next")
            end
            try(setup, function(t) return t.b:recv(n) end, same)
            try(setup, function(t) t.from = true return t.b:recvfrom(n) end, same)
          end
        end
      end
    end
  ]] },
  { "a datagram that another call than before asks for", [[
    local function setup()
      local t = udp()
      t.a:send "hello"
      t.a:send "next"
      return t
    end
    try(setup, function(t) return t.b:recvfrom(4) end, function(t, ok, data, from, cut)
      if not ok then
        assert(t.b:recv(2, "MSG_PEEK") == "he")
        local buf = socket.buffer(3)
        local n
        n, cut = t.b:recvinto(buf)
        assert(n == 3 and buf:sub(1) == "hel" and cut == true)
      end
      assert(t.b:recv() == "next")
    end)
    try(setup, function(t) return t.b:recv() end, function(t, ok)
      if not ok then
        local data, from, cut = t.b:recvfrom(1 << 40)
        assert(data == "hello" and cut == nil)
      end
      assert(t.b:recv() == "next")
    end)
    try(setup, function(t) return t.b:recvfrom() end, function(t, ok)
      if not ok then
        local data, from, cut = t.b:recvfrom()
        assert(data == "hello" and from == t.a:getsockname() and cut == nil)
      end
    end)
  ]] },
  { "recvinto", [[
    try(function()
      local t = pair()
      t.b:send "hello"
      t.buf = socket.buffer(10)
      t.again = function() return t.a:recvinto(t.buf, 3, 2) end
      return t
    end, function(t) return t.a:recvinto(t.buf, 3, 2) end, function(t, ok, n)
      if not ok then n = t.again() end
      assert(n == 3 and t.buf:sub(1, 4) == "\0hel")
      assert(t.a:recv() == "lo")
    end)
  ]] },
  { "MSG_WAITALL", [[
    local long = ("0123456789"):rep(15000)
    for _, n in ipairs { 150000, 70000, 200000, 1 << 40 } do
      try(function()
        local t = pair()
        t.b:sendall(long)
        t.a:settimeout(0)
        t.again = function() return t.a:recv(n, "MSG_WAITALL") end
        return t
      end, function(t) return t.a:recv(n, "MSG_WAITALL") end, gives(long:sub(1, n)))
    end
    -- what is there already, and more than fits beside it
    try(function()
      local t = pair()
      t.b:send "hello"
      t.a:settimeout(0)
      return t
    end, function(t)
      local ok, data = pcall(t.a.recv, t.a)
      if ok then t.data = data end
      t.b:sendall(long)
      local more = t.a:recv(200000, "MSG_WAITALL")
      t.data = (t.data or "") .. more
    end, function(t, ok)
      if not ok and not t.data then
        local data = t.a:recv(200000, "MSG_WAITALL")
        assert(data == "hello" .. long or data == "hello" or data == long)
      elseif ok then
        assert(t.data == "hello" .. long)
      end
    end)
  ]] },
  { "what is received while memory is out, by who closes or detaches then", [[
    local function setup()
      local t = pair()
      t.b:send "hello"
      return t
    end
    try(setup, function(t) return t.a:recv() end, function(t) t.a:close() assert(select(3, t.a:recv()) == "EBADF") end)
    try(setup, function(t) return t.a:recv() end, function(t, ok)
      local fd, data = t.a:detach()
      assert(data == (ok and "" or "hello") or ok == false and data == "") -- the failure may have come before
      local s <close> = assert(socket.fromfd(fd))
      if not ok and data == "" then assert(s:recv() == "hello") end
    end)
    try(function()
      local t = setup()
      t.fd, t.rest = false, false
      return t
    end, function(t)
      local ok, data = pcall(t.a.recv, t.a)
      if ok then t.data = data end
      t.fd, t.rest = t.a:detach()
      return t.fd
    end, function(t, ok)
      if ok and t.fd then
        local s <close> = assert(socket.fromfd(t.fd))
        s:settimeout(0)
        assert((t.data or "") .. t.rest .. (s:recv() or "") == "hello")
      else
        assert((t.data or t.a:recv()) == "hello")
      end
    end)
  ]] },
  { "sending", [[
    try(pair, function(t) return t.a:send "hello" end, function(t, ok, n) if ok then assert(n == 5) end end)
    try(pair, function(t) return t.a:send(12345) end)
    try(function()
      local t = pair()
      t.a:settimeout(0)
      t.data = ("x"):rep(1 << 20)
      return t
    end, function(t) return t.a:sendall(t.data) end)
    try(udp, function(t) return t.a:sendto("hello", "127.0.0.1", 9) end)
    try(udp, function(t) return t.a:sendto("hello", "localhost", 9) end)
    try(udp, function(t) return t.a:sendto(("x"):rep(70000), t.b:getsockname()) end)
  ]] },
  { "select and pollers", [[
    local function setup()
      local t = pair()
      t.c, t.d = socket.socketpair()
      t.b:send "hello"
      return t
    end
    try(setup, function(t) return socket.select({ t.a, t.c, t.b }, { t.a, t.c:fileno() }, 0) end,
      function(t, ok, r, w)
        if ok then assert(#r == 1 and r[1] == t.a and r[t.a] == 1 and #w == 2) end
      end)
    try(setup, function(t) return socket.poller() end, function(_, ok, p) if ok then p:close() end end)
    try(function()
      local t = setup()
      t.p = assert(socket.poller())
      return t
    end, function(t)
      t.p:add(t.a, "r", { "data" })
      t.p:add(t.c, "rw")
      t.p:modify(t.a, "rw", "other")
      local seen = {}
      for what, events in t.p:wait(0) do seen[#seen + 1] = { what, events } end
      t.p:remove(t.c)
      return seen
    end, function(t, ok, seen)
      if ok then assert(#seen == 2) end
      t.p:remove(t.a)
      t.p:remove(t.c)
      t.p:add(t.a, "r")
      local n = 0
      for what in t.p:wait(0) do
        assert(what == t.a)
        n = n + 1
      end
      assert(n == 1)
    end)
    -- bytes that wait in the library are readable
    try(setup, function(t) return t.a:recv() end, function(t, ok)
      if ok then return end
      t.p = socket.poller()
      t.p:add(t.a, "r")
      local n = 0
      for what, events in t.p:wait(5) do
        assert(what == t.a and events == "r")
        n = n + 1
      end
      assert(n == 1 and t.a:recv() == "hello")
    end)
  ]] },
  { "addresses", [[
    try(nil, function() return socket.address("AF_INET", "127.0.0.1", 80) end,
      function(_, ok, a) if ok then assert(tostring(a) == "127.0.0.1:80") end end)
    try(nil, function() return socket.address("AF_INET6", "::1", "80", 5, 6):unpack() end)
    try(nil, function() return tostring(socket.address("AF_UNIX", "\0name")) end)
    try(nil, function() return socket.address("AF_UNIX", "/x").path end)
    try(nil, function() return socket.address(63, ("x"):rep(18)).bytes end)
    if socket.AF_NETLINK then
      try(nil, function() return socket.address("AF_PACKET", 1, "ETH_P_IP", "hwaddr"):unpack() end)
      try(nil, function() return socket.address("AF_PACKET", "lo", 3).ifname end)
      try(nil, function() return socket.address("AF_NETLINK", 1, 2):unpack() end)
      try(nil, function() return tostring(socket.address("AF_VSOCK", "VMADDR_CID_ANY", 2)) end)
      try(nil, function() return socket.address("AF_TIPC", { type = 1, instance = 2, upper = 3 }):unpack() end)
    end
    try(nil, function() return socket.address("AF_INET", "localhost", "http") end)
    try(nil, function()
      local t = {}
      for i = 1, 20 do t[socket.address("AF_INET", "127.0.0.1", i)] = i end
      for i = 1, 20 do assert(t[socket.address("AF_INET", "127.0.0.1", i)] == i) end
    end)
  ]] },
  { "names", [[
    try(nil, function() return socket.getaddrinfo("127.0.0.1", 80) end)
    try(nil, function()
      return socket.getaddrinfo("localhost", "http", { type = "SOCK_STREAM", flags = "AI_CANONNAME" })
    end)
    try(nil, function() return socket.getaddrinfo(nil, 80, { flags = "AI_PASSIVE" }) end)
    try(nil, function() return socket.getaddrinfo("no such name", 80) end)
    try(nil, function() return socket.getnameinfo(socket.address("AF_INET", "127.0.0.1", 80)) end)
    try(nil, function() return socket.getnameinfo(socket.address("AF_INET", "127.0.0.1", 80), "NI_NUMERICHOST") end)
    try(nil, function()
      return socket.getservbyname "http", socket.getservbyport(80, "tcp"), socket.getprotobyname "udp"
    end)
    try(nil, function() return socket.gethostname() end)
    try(nil, function() return socket.getifaddrs() end)
    try(nil, function() return socket.if_nameindex() end)
    try(nil, function() return socket.if_indextoname(1), socket.if_nametoindex "nothing" end)
    try(nil, function() return socket.inet_ntop("AF_INET6", socket.inet_pton("AF_INET6", "2001:db8::1")) end)
    try(nil, function() return socket.strerror "EPIPE", socket.strerror(5), socket.strerror "EAI_NONAME" end)
  ]] },
  { "options", [[
    local function setup()
      local l = assert(socket.listen("127.0.0.1", 0))
      local c = assert(socket.connect(l:getsockname()))
      return { l = l, c = c, s = (l:accept()) }
    end
    try(setup, function(t) return t.c:getsockopt "TCP_INFO" end)
    try(setup, function(t) return t.c:getsockopt "TCP_CONGESTION" end)
    try(setup, function(t) return t.c:setsockopt("SO_LINGER", 5):getsockopt "SO_LINGER" end)
    try(setup, function(t) return t.c:setsockopt("TCP_NODELAY", true):getsockopt("SOL_SOCKET", "SO_RCVBUF", 4) end)
    try(pair, function(t) return t.a:getsockopt "SO_PEERCRED" end)
    try(pair, function(t) return t.a:getsockopt("IPPROTO_TCP", "TCP_NODELAY") end)
    try(udp, function(t)
      return t.b:setsockopt("IP_ADD_MEMBERSHIP", { group = "239.1.2.3", interface = "127.0.0.1" })
    end)
  ]] },
  { "socket.connect", [[
    local function setup()
      return { l = assert(socket.listen("127.0.0.1", 0)) }
    end
    local function check(_, ok, s)
      if ok then assert(s:close()) end
    end
    try(setup, function(t) return socket.connect(t.l:getsockname()) end, check)
    try(setup, function(t) return socket.connect("127.0.0.1", t.l:getsockname().port) end, check)
    try(setup, function(t)
      return socket.connect("localhost", t.l:getsockname().port, { timeout = 5, nodelay = true })
    end, check)
    try(setup, function(t)
      local port = t.l:getsockname().port
      t.l:close()
      return socket.connect("localhost", port)
    end, function(_, ok, s, message, code)
      if ok then assert(s == nil and code == "ECONNREFUSED", message) end
    end)
    try(setup, function(t)
      return socket.connect("127.0.0.1", t.l:getsockname().port, { bind = "127.0.0.1", keepalive = true })
    end, check)
  ]] },
  { "socket.listen", [[
    try(nil, function() return socket.listen("127.0.0.1", 0) end,
      function(_, ok, s) if ok then assert(s:close()) end end)
    try(nil, function() return socket.listen(nil, 0, { reuseport = true, backlog = 5 }) end,
      function(_, ok, s) if ok then assert(s:close()) end end)
    try(nil, function() return socket.listen("192.0.2.1", 0) end)
    local path = dir .. "/s"
    try(function()
      os.remove(path)
      local stale <close> = assert(assert(socket.socket("AF_UNIX")):bind(path))
    end, function() return socket.listen(socket.address("AF_UNIX", path), { mode = "600" }) end, function(_, ok, s)
      if ok then
        assert(assert(socket.connect(socket.address("AF_UNIX", path))):close())
        assert(s:close())
      end
      assert(assert(socket.listen(socket.address("AF_UNIX", path))):close())
    end)
  ]] },
  { "buffers", [[
    try(nil, function() return socket.buffer(1000) end,
      function(_, ok, buf) if ok then assert(buf:sub(1) == ("\0"):rep(1000)) end end)
    try(function() return { buf = socket.buffer(1000) } end, function(t)
      return t.buf:set(1, "hello"):sub(1, 900), tostring(t.buf), #t.buf
    end)
  ]] },
  { "waiting", [[
    try(function()
      local t = pair()
      t.a:settimeout(0.001)
      return t
    end, function(t) return t.a:recv() end, function(t, ok, data, message, code)
      if ok then assert(code == "timeout") end
      t.b:send "x"
      assert(t.a:recv() == "x")
    end)
    try(function()
      local t = pair()
      t.a:settimeout(0)
      return t
    end, function(t) return t.a:recv() end, function(t, ok, data, message, code)
      if ok then assert(code == "EAGAIN") end
    end)
  ]] },
}

local runs = {
  { 1, "one request" },
  { 2, "a request and the one after the collector ran" },
  { 1000000000, "every request from one on" },
}

describe("when memory is out for", function()
  for _, how in ipairs(runs) do
    describe(how[2], function()
      for _, script in ipairs(scripts) do
        it("leaks and loses nothing of " .. script[1], function()
          local alloc = build "alloc" or helper.skip "no C compiler is here"
          local dir = helper.tmpdir()
          local message, bytes, blocks, wrong =
            alloc.run(package.path, package.cpath, prelude .. script[2], tostring(how[1]), dir)
          assert.is_nil(message)
          assert.same({ 0, 0, false }, { bytes, blocks, wrong })
        end)
      end

      it("is not opened, and leaks nothing #parser", function()
        local alloc = build "alloc" or helper.skip "no C compiler is here"
        local k = 1
        repeat
          local hit, message, bytes, blocks, wrong = alloc.open(package.path, package.cpath, "bsdsocket", k, how[1])
          assert.same({ 0, 0, false }, { bytes, blocks, wrong })
          assert.is_true(message == nil or message:find "not enough memory" ~= nil, message)
          k = k < 100 and k + 1 or k + 37 -- most of them are names of constants
        until not hit
        assert.is_true(k > 1000)
      end)
    end)
  end

  it("is told as Lua tells it", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    assert.is_nil((alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local a, b = socket.socketpair()
      b:send "x"
      local hit, ok, message = fault(1, 1000, a.recv, a)
      assert(hit and not ok and message == "not enough memory", message)
      hit, ok, message = fault(1, 1000, socket.buffer, 1000)
      assert(hit and not ok and message == "not enough memory", message)
    ]])))
  end)

  it("is not missed for long after much came at once", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    assert.same({ nil, 0, 0, false }, { alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local a, b = socket.socketpair()
      local c, d = socket.socketpair("AF_UNIX", "SOCK_DGRAM")
      for _, s in ipairs { a, c } do s:setsockopt("SO_SNDBUF", 1 << 24) s:settimeout(0) end
      local sent = select(4, a:sendall(("x"):rep(1 << 24))) or 1 << 24
      local long = ("x"):rep(1 << 22)
      repeat long = long:sub(1, #long // 2) until c:send(long)
      b:settimeout(0)
      a:send "x"
      collectgarbage()
      local before = used()
      assert(#b:recv(1 << 40, "MSG_WAITALL") >= sent)
      collectgarbage()
      assert(used() - before < 100000, used() - before)
      assert(#d:recv(1 << 40, "MSG_PEEK") == #long)
      assert(not b:recv(10))
      collectgarbage()
      assert(used() - before < 100000, used() - before)
      assert(#d:recv(1 << 40) == #long)
      collectgarbage()
      assert(used() - before < 100000, used() - before)
    ]]) })
  end)

  it("has nothing to do with what a state that ends is still asked", function()
    local alloc = build "alloc" or helper.skip "no C compiler is here"
    local output = helper.tmpname()
    assert.same({ nil, 0, 0, false }, { alloc.run(package.path, package.cpath, [[
      -- older than the library: its finalizer runs when those of sockets have run
      local list, output = {}, ...
      setmetatable(list, { __gc = function()
        local said = {}
        for _, s in ipairs(list) do
          for _, call in ipairs {
            "recv", "recvfrom", "accept", "getsockname", "close", "detach", "fileno", "settimeout"
          } do
            said[#said + 1] = call .. " " .. tostring((select(4, pcall(s[call], s, 1))))
          end
          said[#said + 1] = "recv of all " .. tostring((select(4, pcall(s.recv, s, 100, "MSG_WAITALL"))))
          said[#said + 1] = "send " .. tostring((select(4, pcall(s.send, s, "x"))))
          said[#said + 1] = tostring(s) .. "\n"
        end
        local file = io.open(output, "w")
        file:write(table.concat(said, "\n"))
        file:close()
      end })
      local socket = require "bsdsocket"
      for i = 1, 3 do
        local a, b = socket.socketpair()
        b:send "hello"
        fault(1, 1e9, a.recv, a)
        list[i] = a
      end
      list[1]:recv()
    ]], output) })
    local file <close> = assert(io.open(output))
    assert.equal(([[
recv EBADF
recvfrom EBADF
accept EBADF
getsockname EBADF
close nil
detach EBADF
fileno nil
settimeout EBADF
recv of all EBADF
send EBADF
socket (closed, AF_UNIX SOCK_STREAM)
]]):rep(3, "\n"), file:read "a")
  end)
end)
