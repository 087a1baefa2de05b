-- The life of a socket object: made, duplicated, given up, closed; its descriptor, its timeout, its looks.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local loop = require "bsdsocket.loop"

local inf, nan = math.huge, 0 / 0

-- Two connected sockets of TCP.
local function tcppair()
  local l <close> = net.listener()
  local a = assert(assert(socket.socket()):connect(l:getsockname()))
  return a, assert(l:accept())
end

-- Does a descriptor stand for anything? (A twin of it would, or not.)
local function isopen(fd)
  local s = socket.fromfd(fd)
  if s then s:setfd(-1) end
  return s ~= nil
end

local function nonblocking(s) return net.nonblocking(s:fileno()) end

-- SO_RCVTIMEO as bytes, whatever the library says of it
local function rcvtimeo(s)
  return assert(s:getsockopt("SOL_SOCKET", "SO_RCVTIMEO", 16))
end

-- Runs Lua code in a process that may open 16 descriptors (process.confined). `try(name, ...)` in it tells of a
-- call's results; gives for each name the list of what was told: "ok", or {message, code}.
local function starved(code)
  local output = process.confined(16, [[
    local function try(name, result, message, code)
      if result then print(name .. "|ok") else print(("%s|%s|%s"):format(name, message, code)) end
      return result
    end
    local function listener()
      return assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen())
    end
  ]] .. code)
  local told = {}
  for line in output:gmatch "[^\n]+" do
    local name, message, errcode = line:match "^([%w:.]+)|(.-)|(%w+)$"
    name = name or line:match "^([%w:.]+)|ok$"
    assert(name, output)
    told[name] = told[name] or {}
    table.insert(told[name], message and { message, errcode } or "ok")
  end
  return told, output
end

describe("socket.socket", function()
  it("makes a TCP socket unless told otherwise", function()
    local s <close> = assert(socket.socket())
    assert.equal(socket.AF_INET, s:family())
    assert.equal(socket.SOCK_STREAM, s:type())
    assert.equal(0, s:protocol())
    assert.equal("integer", math.type(s:fileno()))
    assert.is_nil(s:gettimeout())
  end)

  it("takes numbers, names, and nil for what is left out", function()
    for _, arguments in ipairs {
      { "AF_INET", "SOCK_DGRAM", "IPPROTO_UDP" }, { 2, 2, 17 }, { "PF_INET", socket.SOCK_DGRAM, 17 },
      { nil, "SOCK_DGRAM", 17.0 },
    } do
      local s <close> = assert(socket.socket(table.unpack(arguments, 1, 3)))
      assert.equal(socket.AF_INET, s:family())
      assert.equal(socket.SOCK_DGRAM, s:type())
      assert.equal(17, s:protocol())
    end
    local u <close> = assert(socket.socket("AF_UNIX", nil, nil))
    assert.equal(socket.AF_UNIX, u:family())
  end)

  it("takes SOCK_NONBLOCK and SOCK_CLOEXEC with the type, and tells the type without them", function()
    local s <close> = assert(socket.socket("AF_INET", socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC))
    assert.equal(socket.SOCK_DGRAM, s:type())
    assert.equal(0, s:gettimeout())
    helper.fails("s:recv", "EAGAIN", s:recv())
    s:settimeout(0.001)
    helper.fails("s:recv", "timeout", s:recv())
  end)

  it("returns what the system refuses, with what was asked for", function()
    local message = helper.fails("socket.socket", "EAFNOSUPPORT", socket.socket("AF_UNSPEC"))
    assert.equal("socket AF_UNSPEC SOCK_STREAM (a socket is of one family, such as AF_INET): "
      .. socket.strerror "EAFNOSUPPORT", message)
    helper.fails("socket.socket", "EAFNOSUPPORT", socket.socket(12345))
    helper.fails("socket.socket", "EAFNOSUPPORT", socket.socket(-1))
    message = helper.fails("socket.socket", "EPROTONOSUPPORT", socket.socket("AF_INET", "SOCK_STREAM", "IPPROTO_UDP"))
    assert.equal("socket AF_INET SOCK_STREAM (UDP goes with SOCK_DGRAM): Protocol not supported", message)
    helper.fails("socket.socket", "ESOCKTNOSUPPORT", socket.socket("AF_INET", "SOCK_RDM"))
    helper.fails("socket.socket", "EINVAL", socket.socket("AF_INET", 15))
    helper.fails("socket.socket", "EINVAL", socket.socket("AF_INET", "SOCK_STREAM", -1))
  end)

  it("raises for constants that are none, and names them", function()
    for arg = 1, 3 do
      for _, value in ipairs {
        "NOSUCH", "SO_ERROR", "", "AF_INET\0", "2", 1.5, nan, inf, 2 ^ 31, 2 ^ 63, math.maxinteger, math.mininteger,
        true, {}, io.stdout, print,
      } do
        local arguments = { "AF_INET", "SOCK_STREAM", 0 }
        arguments[arg] = value
        for _, name in ipairs { "socket", "socketpair" } do
          local err = helper.raises("socket." .. name, "bad argument #" .. arg .. " to '" .. name .. "'", function()
            if name == "socket" then return socket.socket(table.unpack(arguments)) end
            return socket.socketpair(table.unpack(arguments))
          end)
          if type(value) == "string" then
            assert.truthy(err:find("'" .. value:gsub("%z", ""), 1, true), err)
          end
        end
      end
    end
  end)

  it("is closed in the programs that this one starts", function()
    local s <close> = assert(socket.socket())
    local a, b = assert(socket.socketpair())
    local l <close> = net.listener()
    local client <close> = assert(assert(socket.socket()):connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    local twin <close> = assert(s:dup())
    local _ <close> = net.closing(a, b)
    for _, each in ipairs { s, a, b, client, conn, twin, l } do
      assert.is_false(net.inherited(each:fileno()))
      assert.is_false(each:getinheritable())
    end
  end)
end)

describe("socket.socketpair", function()
  it("makes two connected unix stream sockets unless told otherwise", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    for _, s in ipairs { a, b } do
      assert.equal(socket.AF_UNIX, s:family())
      assert.equal(socket.SOCK_STREAM, s:type())
      assert.equal(0, s:protocol())
    end
    assert.equal(5, a:send "there")
    assert.equal("there", b:recv())
    assert.equal(4, b:send "back")
    assert.equal("back", a:recv())
  end)

  it("makes other types, and passes SOCK_NONBLOCK to both", function()
    for _, kind in ipairs { "SOCK_DGRAM", "SOCK_SEQPACKET" } do
      local a, b = assert(socket.socketpair("AF_UNIX", socket[kind] | socket.SOCK_NONBLOCK))
      local _ <close> = net.closing(a, b)
      assert.equal(socket[kind], a:type())
      helper.fails("s:recv", "EAGAIN", a:recv())
      helper.fails("s:recv", "EAGAIN", b:recv())
      assert.equal(0, a:gettimeout())
      assert.equal(0, b:gettimeout())
    end
  end)

  it("returns what the system refuses", function()
    local message = helper.fails("socket.socketpair", "EOPNOTSUPP", socket.socketpair("AF_INET"))
    assert.equal("socketpair AF_INET SOCK_STREAM (only AF_UNIX sockets come in pairs): "
      .. socket.strerror "EOPNOTSUPP", message)
    helper.fails("socket.socketpair", "EAFNOSUPPORT", socket.socketpair("AF_UNSPEC"))
    helper.fails("socket.socketpair", "ESOCKTNOSUPPORT", socket.socketpair("AF_UNIX", "SOCK_RDM"))
    helper.fails("socket.socketpair", "EPROTONOSUPPORT", socket.socketpair("AF_UNIX", "SOCK_STREAM", 77))
  end)
end)

describe("socket.fromfd", function()
  it("owns the descriptor, and asks the kernel what it is", function()
    local s = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    local fd = assert(s:detach())
    local t <close> = assert(socket.fromfd(fd))
    assert.equal(fd, t:fileno())
    assert.equal(socket.AF_INET6, t:family())
    assert.equal(socket.SOCK_DGRAM, t:type())
    assert.equal(socket.IPPROTO_UDP, t:protocol())
    assert.is_nil(t:gettimeout())
    t:close()
    assert.is_false(isopen(fd))
  end)

  it("leaves the descriptor's flags as it found them", function()
    local s = assert(socket.socket())
    assert(s:setinheritable(true))
    local fd = assert(s:detach())
    local t <close> = assert(socket.fromfd(fd))
    assert.is_true(t:getinheritable())
    assert.is_false(nonblocking(t))
  end)

  it("takes a descriptor that does not block, and waits all the same #slow", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local twin <close> = assert(a:dup())
    helper.fails("s:accept", "EINVAL", twin:settimeout(1):accept()) -- accept needs the flag
    assert.is_true(nonblocking(a))
    local c <close> = assert(socket.fromfd((a:detach())))
    assert.is_true(nonblocking(c))
    c:settimeout(0.3)
    net.takes(0.3, function() helper.fails("s:recv", "timeout", c:recv()) end)
    assert.is_true(nonblocking(c)) -- as it was found
  end)

  it("returns ENOTSOCK for what is no socket and EBADF for what is not open, and leaves it alone", function()
    local name = helper.tmpname()
    local file <close> = assert(io.open(name, "w"))
    local fd
    for candidate = 3, 255 do -- find the file's descriptor: the one that is there and no socket
      local s, _, code = socket.fromfd(candidate)
      if s then s:setfd(-1) end
      if code == "ENOTSOCK" then fd = candidate end
    end
    assert.equal("fromfd: " .. socket.strerror "ENOTSOCK",
      helper.fails("socket.fromfd", "ENOTSOCK", socket.fromfd(fd)))
    collectgarbage()
    assert(assert(file:write "still open"):flush())
    assert.equal("fromfd: Bad file descriptor", helper.fails("socket.fromfd", "EBADF", socket.fromfd(-1)))
    helper.fails("socket.fromfd", "EBADF", socket.fromfd(2147483647))
  end)

  it("raises for what is no descriptor", function()
    for _, value in ipairs {
      -2, 2 ^ 31, 2 ^ 63, math.maxinteger, math.mininteger, 1.5, nan, inf, "x", "", true, {}, io.stdout, print,
    } do
      helper.raises("socket.fromfd", "bad argument #1 to 'fromfd'", function() return socket.fromfd(value) end)
    end
    local s <close> = assert(socket.socket())
    helper.raises("socket.fromfd", "bad argument #1", function() return socket.fromfd(s) end)
    helper.raises("socket.fromfd", "bad argument #1", function() return socket.fromfd() end)
  end)
end)

describe("a closed socket", function()
  -- What each method is called with; EBADF unless `gives` says what it returns.
  local calls = {
    bind = { "127.0.0.1", 0 }, listen = {}, connect = { "127.0.0.1", 1 }, accept = {}, shutdown = {},
    getsockname = {}, getpeername = {}, dup = {}, detach = {},
    setinheritable = { true }, getinheritable = {}, settimeout = { 1 }, setblocking = { true },
    gettimeout = {}, getblocking = {}, sockatmark = {},
    send = { "x" }, sendall = { "x" }, sendfile = { 0 }, sendto = { "x", "127.0.0.1", 1 }, recv = {}, recvfrom = {},
    recvinto = { socket.buffer(1) }, setsockopt = { "SO_REUSEADDR", true }, getsockopt = { "SO_REUSEADDR" },
    sendmsg = { { data = "x" } }, sendmmsg = { { "x" } }, recvmsg = {}, recvmmsg = { 1, 1 },
    read = {}, readuntil = { "x" }, write = { "x" }, flush = {}, setvbuf = { "no" }, setmaxline = { 80 }, pending = {},
  }
  local gives = {
    close = true, getfd = -1, pollfd = -1, dirty = false, events = "r",
    family = socket.AF_INET, type = socket.SOCK_DGRAM, protocol = socket.IPPROTO_UDP,
  }

  local function closed()
    local s = assert(socket.socket("AF_INET", "SOCK_DGRAM", "IPPROTO_UDP"))
    assert.is_true(s:close())
    return s
  end

  for name, arguments in pairs(calls) do
    it("answers " .. name .. " by EBADF", function()
      local s = closed()
      local bystander <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM")) -- has its descriptor
      local before = tostring(bystander)
      assert.equal(name .. (name == "bind" and " 127.0.0.1:0" or name == "connect" and " 127.0.0.1:1"
        or name == "sendto" and " 127.0.0.1:1" or "") .. ": Bad file descriptor",
        helper.fails("s:" .. name, "EBADF", s[name](s, table.unpack(arguments))))
      s:settimeout(0)
      helper.fails("s:" .. name, "EBADF", s[name](s, table.unpack(arguments)))
      assert.equal(before, tostring(bystander))
    end)
  end

  it("says what it was, and that it is closed", function()
    local s = closed()
    for name, value in pairs(gives) do assert.equal(value, s[name](s)) end
    assert.is_nil(s:fileno())
    assert.is_nil(s:timeout())
    assert.equal("socket (closed, AF_INET SOCK_DGRAM)", tostring(s))
  end)

  it("answers every method of the library", function()
    local known = { clients = true, chunks = true, lines = true, setfd = true, fileno = true, timeout = true }
    for name in pairs(calls) do known[name] = true end
    for name in pairs(gives) do known[name] = true end
    for name in pairs(getmetatable(closed()).__index) do assert.is_true(known[name], name) end
  end)

  it("never touches a descriptor that has its number now", function()
    local s = assert(socket.socket())
    local fd = s:fileno()
    s:close()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    assert.is_true(a:fileno() == fd or b:fileno() == fd)
    s:close()
    getmetatable(s).__gc(s)
    getmetatable(s).__close(s)
    do local _ <close> = s end
    s = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv())
  end)
end)

describe("a socket", function()
  it("is closed by close, once and again", function()
    local s = assert(socket.socket())
    local fd = s:fileno()
    assert.is_true(isopen(fd))
    assert.is_true(s:close())
    assert.is_false(isopen(fd))
    assert.is_true(s:close())
  end)

  it("is closed at the end of its block, after an error too", function()
    local fd
    do
      local s <close> = assert(socket.socket())
      fd = s:fileno()
    end
    assert.is_false(isopen(fd))
    pcall(function()
      local s <close> = assert(socket.socket())
      fd = s:fileno()
      error "oops"
    end)
    assert.is_false(isopen(fd))
    local co = coroutine.create(function()
      local s <close> = assert(socket.socket())
      coroutine.yield(s:fileno())
    end)
    local _, infd = coroutine.resume(co)
    assert.is_true(isopen(infd))
    coroutine.close(co)
    assert.is_false(isopen(infd))
  end)

  it("is closed by the collector", function()
    local fd = assert(socket.socket()):fileno()
    local pair = { assert(socket.socketpair()) }
    local twin = assert(pair[1]:dup()):fileno()
    local first = pair[1]:fileno()
    pair = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_false(isopen(fd))
    assert.is_false(isopen(twin))
    assert.is_false(isopen(first))
  end)

  it("is closed when its Lua state is #process", function()
    -- lua5.4 closes its state at the end; a child of it would see what is left
    -- what was made before the library is finalized after it
    local output = helper.lua("-e", [[
      last = setmetatable({}, { __gc = function()
        print(a, a:fileno(), a:close(), (a:send "x"), pcall(a.recv, a))
        print(listener, (listener:accept()), select("#", socket.address("AF_INET", "1.2.3.4", 5):unpack()))
      end })
      socket = require "bsdsocket"
      a, b = socket.socketpair()
      b:send "x"
      a:recv()
      listener = socket.socket():bind("127.0.0.1", 0):listen()
    ]])
    assert.truthy(output:find "^socket %(closed, AF_UNIX SOCK_STREAM%)\tnil\ttrue\tnil\t", output)
    assert.truthy(output:find "\nsocket %(closed, AF_INET SOCK_STREAM%)\tnil\t2\n$", output)
  end)

  it("has methods that refuse what is no socket, however they get it", function()
    local s <close> = assert(socket.socket())
    local mt = getmetatable(s)
    local p <close> = assert(socket.poller())
    local address = socket.address("AF_INET", "127.0.0.1", 1)
    for _, other in ipairs {
      io.stdout, 1, "x", true, {}, setmetatable({}, mt), print, coroutine.create(print), p, address, socket.buffer(8),
    } do
      for name, method in pairs(mt.__index) do
        helper.raises("s:" .. name, "bad argument #1 to '.-' %(socket expected", method, other)
      end
      for _, name in ipairs { "__gc", "__close", "__tostring" } do
        helper.raises("s:close", "socket expected", mt[name], other)
      end
    end
    for name, method in pairs(mt.__index) do
      helper.raises("s:" .. name, "bad argument #1 to '.-' %(socket expected, got no value", method)
    end
    assert.equal("socket", mt.__name)
    assert.is_nil(s.nosuch)
  end)

  it("raises no SIGPIPE, whatever is sent where nobody reads #process", function()
    local output, status = helper.lua("-e", [[
      local socket = require "bsdsocket"
      local function codes(s)
        return (select(3, s:send "x")), (select(3, s:sendall "x")), (select(3, s:send("x", 0, 1, 1)))
      end
      local a, b = socket.socketpair()
      b:close()
      print(codes(a))
      local l = socket.socket():bind("127.0.0.1", 0):listen()
      local c = socket.socket():connect(l:getsockname())
      c:shutdown "SHUT_WR"
      print(codes(c))
      a, b = socket.socketpair("AF_UNIX", "SOCK_SEQPACKET")
      b:close()
      print(codes(a))
    ]])
    assert.equal(("EPIPE\tEPIPE\tEPIPE\n"):rep(3), output)
    assert.equal(0, status)
  end)
end)

describe("tostring of a socket", function()
  it("tells the descriptor, family, type, both addresses and state", function()
    local s <close> = assert(socket.socket())
    local start = "socket (" .. s:fileno() .. ", AF_INET SOCK_STREAM, "
    assert.equal(start .. "0.0.0.0:0, not connected)", tostring(s))
    assert(s:bind("127.0.0.1", 0))
    local name = tostring(s:getsockname())
    assert.equal(start .. name .. ", not connected)", tostring(s))
    assert(s:listen())
    assert.equal(start .. name .. ", listening)", tostring(s))
    local c <close> = assert(assert(socket.socket()):connect(s:getsockname()))
    local cname = tostring(c:getsockname())
    assert.equal("socket (" .. c:fileno() .. ", AF_INET SOCK_STREAM, " .. cname .. " -> " .. name .. ", connected)",
      tostring(c))
    c:shutdown()
    assert.truthy(tostring(c):find("socket (" .. c:fileno() .. ", AF_INET SOCK_STREAM", 1, true))
    c:close()
    assert.equal("socket (closed, AF_INET SOCK_STREAM)", tostring(c))
  end)

  it("tells a name for every family and type that has one", function()
    for _, row in ipairs {
      { "AF_INET", "SOCK_STREAM" }, { "AF_INET", "SOCK_DGRAM" }, { "AF_INET6", "SOCK_STREAM" },
      { "AF_UNIX", "SOCK_STREAM" }, { "AF_UNIX", "SOCK_DGRAM" }, { "AF_UNIX", "SOCK_SEQPACKET" },
    } do
      local s <close> = assert(socket.socket(row[1], row[2]))
      assert.truthy(tostring(s):find("socket (" .. s:fileno() .. ", " .. row[1] .. " " .. row[2] .. ", ", 1, true),
        tostring(s))
    end
  end)

  it("tells that an attempt to connect is under way", function()
    local full <close> = assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen(0))
    local first <close> = assert(assert(socket.socket()):connect(full:getsockname()))
    local c <close> = assert(socket.socket())
    c:settimeout(0)
    local _, _, code = c:connect(full:getsockname())
    assert.equal("EINPROGRESS", code)
    assert.truthy(tostring(c):find ", connecting%)$", tostring(c))
    assert.truthy(first:fileno())
  end)

  it("never fails, whatever the descriptor is by now", function()
    local s <close> = assert(socket.socket())
    local thief = assert(socket.fromfd(s:fileno()))
    thief:close()
    assert.equal("socket (" .. s:fileno() .. ", AF_INET SOCK_STREAM, not connected)", tostring(s))
    s:setfd(-1)
    assert.equal("socket (closed, AF_INET SOCK_STREAM)", tostring(s))
    local long <close> = assert(socket.socket("AF_UNIX"))
    assert(assert(long:bind("\0" .. ("\1"):rep(107))):listen())
    local c <close> = assert(assert(socket.socket("AF_UNIX")):bind("\0" .. ("\2"):rep(107)))
    assert(c:connect(long:getsockname()))
    assert.truthy(tostring(c):find("@" .. ("\2"):rep(107) .. " -> @" .. ("\1"):rep(107) .. ", connected", 1, true))
  end)
end)

describe("s:detach", function()
  it("gives up the descriptor without closing it", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local number = a:fileno()
    local fd, ahead = a:detach()
    assert.equal(number, fd)
    assert.equal("", ahead)
    assert.is_nil(a:fileno())
    helper.fails("s:send", "EBADF", a:send "x")
    a:close()
    collectgarbage()
    local again <close> = assert(socket.fromfd(fd))
    assert.equal(1, again:send "x")
    assert.equal("x", b:recv())
  end)

  it("puts O_NONBLOCK back as it was found", function()
    local l <close> = net.listener()
    assert.is_false(nonblocking(l))
    l:settimeout(0.001)
    helper.fails("s:accept", "timeout", l:accept())
    assert.is_true(nonblocking(l))
    local again <close> = assert(socket.fromfd((l:detach())))
    assert.is_false(nonblocking(again))

    local twin <close> = assert(again:dup())
    helper.fails("s:accept", "timeout", twin:settimeout(0.001):accept())
    local set <close> = assert(socket.fromfd((again:detach()))) -- by another: it stays
    assert.is_true(nonblocking(set))
    helper.fails("s:accept", "timeout", set:settimeout(0.001):accept())
    local same <close> = assert(socket.fromfd((set:detach())))
    assert.is_true(nonblocking(same))
  end)

  it("puts SO_RCVTIMEO back as it was found", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local before = rcvtimeo(a)
    b:send "x"
    assert.equal("x", a:settimeout(5):recv())
    assert.not_equal(before, rcvtimeo(a))
    local again <close> = assert(socket.fromfd((a:detach())))
    assert.equal(before, rcvtimeo(again))
  end)

  it("gives the bytes that were read ahead", function()
    local client, conn = tcppair()
    local _ <close> = net.closing(client, conn)
    assert.equal(1, client:send "u") -- unread bytes at close: a reset
    assert.equal(3, conn:sendall "abc")
    conn:recv(1, "MSG_PEEK")
    conn:close()
    helper.fails("s:recv", "ECONNRESET", client:recv(10, "MSG_WAITALL"))
    assert.is_true(client:dirty())
    local fd, ahead = client:detach()
    assert.equal("abc", ahead)
    assert.is_false(client:dirty())
    local again <close> = assert(socket.fromfd(fd))
    assert.truthy(again)
  end)
end)

describe("s:dup", function()
  it("gives a second socket on the same end", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    a:settimeout(3)
    local twin <close> = assert(a:dup())
    assert.not_equal(a:fileno(), twin:fileno())
    assert.equal(a:family(), twin:family())
    assert.equal(a:type(), twin:type())
    assert.equal(3, twin:gettimeout())
    assert.equal(1, twin:send "x")
    assert.equal("x", b:recv())
    a:close()
    assert.equal(1, twin:send "y")
    assert.equal("y", b:recv())
  end)

  it("keeps a twin's timeout from ending the other's call early or late #slow", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    a:settimeout(0.3)
    net.takes(0.3, function() helper.fails("s:recv", "timeout", a:recv()) end) -- the kernel has it now
    local twin <close> = assert(a:dup())
    twin:settimeout(0.5)
    net.takes(0.5, function() helper.fails("s:recv", "timeout", twin:recv()) end)
    net.takes(0.3, function() helper.fails("s:recv", "timeout", a:recv()) end)
    twin:settimeout(0.05)
    net.takes(0.05, function() helper.fails("s:recv", "timeout", twin:recv()) end)
    twin:settimeout(0)
    helper.fails("s:recv", "EAGAIN", twin:recv())
    net.takes(0.3, function() helper.fails("s:recv", "timeout", a:recv()) end)
  end)

  it("lets a call without a timeout wait for ever, whatever the twin left in the kernel #process #slow", function()
    local l <close> = net.listener()
    local child <close> = assert(io.popen(helper.command("-e", ([[
      local socket = require "bsdsocket"
      local pause = socket.socket "AF_UNIX"
      local function wait(seconds) socket.select({}, {}, seconds) end
      local c = socket.socket():connect("127.0.0.1", %d)
      c:recv()
      wait(0.3)
      c:send "late"
      c:recv()
      wait(0.05)
      socket.socket():connect("127.0.0.1", %d)
    ]]):format(l:getsockname().port, l:getsockname().port))))
    local conn <close> = assert(l:accept())
    conn:settimeout(0.25)
    helper.fails("s:recv", "timeout", conn:recv())
    local twin <close> = assert(conn:dup())
    twin:settimeout(nil)
    conn:send "?"
    assert.equal("late", twin:recv())
    local ltwin <close> = assert(l:dup())
    ltwin:settimeout(0.001)
    helper.fails("s:accept", "timeout", ltwin:accept())
    assert.is_true(nonblocking(l))
    conn:send "?"
    assert(assert(l:accept()):close()) -- though it is told not to block
    child:read "a"
  end)

  it("lets a call under a timeout end, whatever the twin took out of the kernel #slow", function()
    local l <close> = net.listener()
    l:settimeout(0.05)
    helper.fails("s:accept", "timeout", l:accept())
    local twin = assert(l:dup())
    l:settimeout(nil)
    local third = assert(socket.fromfd((twin:detach())))
    third:settimeout(0.001)
    helper.fails("s:accept", "timeout", third:accept())
    third:close()
    l:settimeout(0.05)
    local fourth = assert(l:dup())
    fourth:settimeout(0.001)
    helper.fails("s:accept", "timeout", fourth:accept())
    assert(socket.fromfd((fourth:detach()))):close()
    net.takes(0.05, function() helper.fails("s:accept", "timeout", l:accept()) end)
  end)

  it("puts the flags back when the last of the twins is given up", function()
    local l <close> = net.listener()
    l:settimeout(0.001)
    helper.fails("s:accept", "timeout", l:accept())
    local twin = assert(l:dup())
    l:close()
    local again <close> = assert(socket.fromfd((twin:detach())))
    assert.is_false(nonblocking(again))

    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local before = rcvtimeo(a)
    b:send "x"
    assert.equal("x", a:settimeout(5):recv())
    twin = assert(a:dup())
    a:close()
    local last <close> = assert(socket.fromfd((twin:detach())))
    assert.equal(before, rcvtimeo(last))
  end)

  it("puts the timeout back that was found, whoever of the twins set another", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    assert(a:setsockopt("SO_RCVTIMEO", 7))
    local found = rcvtimeo(a)
    b:send "xy"
    assert.equal("x", a:settimeout(5):recv(1))
    assert.not_equal(found, rcvtimeo(a))
    local twin = assert(a:dup())
    assert.equal("y", twin:recv(1))
    a:close()
    local again <close> = assert(socket.fromfd((twin:detach())))
    assert.equal(found, rcvtimeo(again))
  end)

  it("puts the flags back once, not to and fro", function()
    local l <close> = net.listener()
    l:settimeout(0.001)
    helper.fails("s:accept", "timeout", l:accept())
    local twin = assert(l:dup())
    twin:settimeout(0.001)
    helper.fails("s:accept", "timeout", twin:accept())
    local one <close> = assert(socket.fromfd((twin:detach())))
    local other <close> = assert(socket.fromfd((l:detach())))
    assert.is_false(nonblocking(one))
    assert.is_false(nonblocking(other))
  end)

  it("puts the flags back though a twin did it in between", function()
    local l <close> = net.listener()
    l:settimeout(0.001)
    helper.fails("s:accept", "timeout", l:accept())
    local twin = assert(l:dup())
    local one <close> = assert(socket.fromfd((twin:detach())))
    assert.is_false(nonblocking(one))
    helper.fails("s:accept", "timeout", l:accept())
    local other <close> = assert(socket.fromfd((l:detach())))
    assert.is_false(nonblocking(other))
  end)
end)

describe("s:getfd, s:setfd and s:dirty", function()
  it("have the meaning that LuaSec and LuaSocket give them", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local fd = a:getfd()
    assert.equal(a:fileno(), fd)
    assert.equal(a, a:setfd(-1))
    assert.equal(-1, a:getfd())
    assert.is_nil(a:fileno())
    assert.is_false(a:dirty())
    a:close()
    assert.equal(a, a:setfd(-1))
    assert.equal(a, a:setfd(fd)) -- was not closed
    assert.equal(fd, a:getfd())
    assert.equal(a, a:setfd(fd))
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv())
  end)

  it("make the socket what the new descriptor is, and leave the old one open", function()
    local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    s:settimeout(7)
    local old = s:fileno()
    local other = assert(socket.socket("AF_UNIX"))
    assert.equal(s, s:setfd((other:detach())))
    assert.equal(socket.AF_UNIX, s:family())
    assert.equal(socket.SOCK_STREAM, s:type())
    assert.equal(7, s:gettimeout())
    assert.is_true(isopen(old))
    assert(socket.fromfd(old)):close()
  end)

  it("refuse to lose bytes that were read ahead", function()
    local client, conn = tcppair()
    local _ <close> = net.closing(client, conn)
    assert.equal(1, client:send "u")
    assert.equal(3, conn:sendall "abc")
    conn:recv(1, "MSG_PEEK")
    conn:close()
    assert.is_false(client:dirty())
    helper.fails("s:recv", "ECONNRESET", client:recv(10, "MSG_WAITALL"))
    assert.is_true(client:dirty())
    local fd = client:getfd()
    local other <close> = assert(socket.socket())
    helper.raises("s:setfd", "read ahead", client.setfd, client, other:getfd())
    assert.equal(fd, client:getfd())
    assert.equal("abc", client:recv())
    assert.is_false(client:dirty())
    client:setfd(-1)
    assert(socket.fromfd(fd)):close()
  end)

  it("return what is wrong with a descriptor, and raise for what is none", function()
    local s <close> = assert(socket.socket())
    local fd = s:getfd()
    local free = assert(s:dup())
    local unused = free:fileno()
    free:close()
    assert.equal("setfd: Bad file descriptor", helper.fails("s:setfd", "EBADF", s:setfd(unused)))
    helper.fails("s:setfd", "ENOTSOCK", s:setfd(0))
    assert.equal(fd, s:getfd())
    for _, value in ipairs { -2, 2 ^ 31, 2 ^ 63, math.maxinteger, 1.5, nan, "x", true, {}, io.stdout } do
      helper.raises("s:setfd", "bad argument #1 to 'setfd'", function() return s:setfd(value) end)
    end
    helper.raises("s:setfd", "bad argument #1 to 'setfd'", function() return s:setfd() end)
    assert.equal(fd, s:getfd())
  end)

  it("let LuaSec speak TLS over our sockets #process", function()
    local loaded, ssl = pcall(require, "ssl")
    if not loaded then helper.skip "LuaSec for Lua 5.4 is not here" end
    local dir = helper.tmpdir()
    local _, status = helper.shell("cd " .. dir .. " && openssl req -x509 -newkey ec -pkeyopt "
      .. "ec_paramgen_curve:prime256v1 -nodes -keyout key -out certificate -subj /CN=localhost -days 1")
    if status ~= 0 then helper.skip "openssl is not here to make a certificate" end
    local client, conn = tcppair()
    local _ <close> = net.closing(client, conn)
    client:settimeout(5) -- LuaSec wants its own way with the flags
    local fd = client:getfd()
    local c = assert(ssl.wrap(client, { mode = "client", protocol = "any", verify = "none" }))
    local s = assert(ssl.wrap(conn, {
      mode = "server", protocol = "any", key = dir .. "/key", certificate = dir .. "/certificate",
    }))
    assert.equal(-1, client:getfd())
    assert.equal(-1, conn:getfd())
    client:close() -- harmless: it let go
    assert.is_true(isopen(fd))
    c:settimeout(0)
    s:settimeout(0)
    local cdone, sdone
    for _ = 1, 100 do -- both in one thread, turn by turn
      cdone = cdone or c:dohandshake()
      sdone = sdone or s:dohandshake()
    end
    assert.is_true(cdone)
    assert.is_true(sdone)
    assert.equal(14, c:send "hello over TLS")
    s:settimeout(5)
    assert.equal("hello over TLS", s:receive(14))
    assert.equal(5, s:send "again")
    c:settimeout(5)
    assert.equal("again", c:receive(5))
    c:close()
    s:close()
    assert.is_false(isopen(fd))
  end)
end)

describe("s:pollfd, s:events and s:timeout", function()
  it("say to cqueues what the socket waits for", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    assert.equal(a:fileno(), a:pollfd())
    assert.equal("r", a:events())
    assert.is_nil(a:timeout())
    a:settimeout(2.5)
    assert.equal(2.5, a:timeout())
    a:settimeout(0)
    assert.is_nil(a:timeout())
  end)

  for _, timeout in ipairs { 0, 0.001 } do
    it("say so after a call that had to give up under timeout " .. timeout, function()
      local a, b = assert(socket.socketpair())
      local _ <close> = net.closing(a, b)
      a:settimeout(timeout)
      local code = timeout == 0 and "EAGAIN" or "timeout"
      helper.fails("s:recv", code, a:recv())
      assert.equal("r", a:events())
      helper.fails("s:sendall", code, a:sendall(("x"):rep(10000000)))
      assert.equal("w", a:events())
      helper.fails("s:recv", code, a:recv())
      assert.equal("r", a:events())
    end)

    it("say no more after one that waited for no readiness, wherever it was, under timeout " .. timeout, function()
      local path = helper.tmpname()
      local l, first = assert(socket.socket("AF_UNIX")), assert(socket.socket("AF_UNIX"))
      local _ <close> = net.closing(l, first)
      assert(assert(l:bind(path)):listen(0))
      assert(first:connect(path))
      local function connect()
        local s <close> = assert(socket.socket("AF_UNIX"))
        s:settimeout(timeout)
        helper.fails("s:connect", timeout == 0 and "EAGAIN" or "timeout", s:connect(path))
        assert.equal("r", s:events())
      end
      connect()
      loop.run(connect)
      socket.setwaiter(function() end) -- which lets it block
      finally(function() socket.setwaiter(nil) end)
      coroutine.wrap(connect)()
    end)
  end
end)

describe("s:setinheritable", function()
  -- what a program that we start finds at this descriptor
  local function inchild(s)
    local child <close> = assert(io.popen(helper.command("-e", ([[
      local s, _, code = require "bsdsocket".fromfd(%d)
      print(s and "inherited" or code)
    ]]):format(s:fileno()))))
    return child:read()
  end

  it("decides whether programs that are started have the descriptor #process", function()
    local s <close> = assert(socket.socket())
    assert.is_false(s:getinheritable())
    assert.equal("EBADF", inchild(s))
    assert.equal(s, s:setinheritable(true))
    assert.is_true(s:getinheritable())
    assert.equal("inherited", inchild(s))
    assert.equal(s, s:setinheritable(false))
    assert.is_false(s:getinheritable())
    assert.equal("EBADF", inchild(s))
  end)

  it("does not let what the other program does with the socket make our calls late #process #slow", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    a:settimeout(0.3)
    helper.fails("s:recv", "timeout", a:recv()) -- the kernel keeps 0.3 s for us now
    assert(a:setinheritable(true))
    b:send "x"
    local output = helper.lua("-e", ([[
      print((require "bsdsocket".fromfd(%d):settimeout(10):recv())) -- and 10 s from here on
    ]]):format(a:fileno()))
    assert.equal("x\n", output)
    net.takes(0.3, function() helper.fails("s:recv", "timeout", a:recv()) end)
  end)

  it("raises for what is no boolean", function()
    local s <close> = assert(socket.socket())
    for _, value in ipairs { 1, 0, "true", {}, io.stdout } do
      helper.raises("s:setinheritable", "bad argument #1 to 'setinheritable' %(boolean expected", function()
        return s:setinheritable(value)
      end)
    end
    helper.raises("s:setinheritable", "boolean expected", function() return s:setinheritable() end)
    helper.raises("s:setinheritable", "boolean expected", function() return s:setinheritable(nil) end)
    assert.is_false(s:getinheritable())
  end)
end)

describe("s:settimeout", function()
  it("is read back by gettimeout; nil and math.huge are for ever", function()
    local s <close> = assert(socket.socket())
    assert.is_nil(s:gettimeout())
    for _, value in ipairs { 0, 1, 0.25, 1e-9, 5e-324, 1e9, 1e300, 2 ^ 63 } do
      assert.equal(s, s:settimeout(value))
      assert.equal(value, s:gettimeout())
    end
    assert.equal(s, s:settimeout(inf))
    assert.is_nil(s:gettimeout())
    s:settimeout(1)
    assert.equal(s, s:settimeout(nil))
    assert.is_nil(s:gettimeout())
    s:settimeout(1)
    assert.equal(s, s:settimeout())
    assert.is_nil(s:gettimeout())
  end)

  it("raises for what is no time, and leaves the old one", function()
    local s <close> = assert(socket.socket())
    s:settimeout(3)
    for _, value in ipairs { -1, -0.001, -inf, nan, math.mininteger, "x", true, {}, io.stdout } do
      helper.raises("s:settimeout", "bad argument #1 to 'settimeout'", function() return s:settimeout(value) end)
    end
    assert.equal(3, s:gettimeout())
  end)

  it("asks nothing of the kernel: no flag changes until a call needs one", function()
    local s <close> = assert(socket.socket())
    local before = rcvtimeo(s)
    s:settimeout(0)
    s:settimeout(5)
    s:setblocking(false)
    assert.is_false(nonblocking(s))
    assert.equal(before, rcvtimeo(s))
  end)

  it("bounds one call in all, never early, at most 20 ms late #slow", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    local l <close> = net.listener()
    for _, seconds in ipairs { 0.001, 0.05, 0.3 } do
      a:settimeout(seconds)
      l:settimeout(seconds)
      net.takes(seconds, function() helper.fails("s:recv", "timeout", a:recv()) end)
      net.takes(seconds, function() helper.fails("s:accept", "timeout", l:accept()) end)
    end
  end)
end)

describe("s:setblocking", function()
  it("is the timeout nil or 0", function()
    local s <close> = assert(socket.socket())
    assert.is_true(s:getblocking())
    assert.equal(s, s:setblocking(false))
    assert.equal(0, s:gettimeout())
    assert.is_false(s:getblocking())
    assert.equal(s, s:setblocking(true))
    assert.is_nil(s:gettimeout())
    assert.is_true(s:getblocking())
    s:settimeout(1)
    assert.is_true(s:getblocking())
  end)

  it("raises for what is no boolean", function()
    local s <close> = assert(socket.socket())
    for _, value in ipairs { 0, 1, "false", {}, io.stdout } do
      helper.raises("s:setblocking", "bad argument #1 to 'setblocking' %(boolean expected", function()
        return s:setblocking(value)
      end)
    end
    helper.raises("s:setblocking", "boolean expected", function() return s:setblocking() end)
    assert.is_true(s:getblocking())
  end)
end)

describe("when descriptors run out #process", function()
  it("unreachable sockets are collected and the call is tried once more", function()
    local told, output = starved [[
      collectgarbage "stop" -- who collects is the library
      for _ = 1, 100 do try("socket.socket", socket.socket()) end
      for _ = 1, 100 do try("socket.socketpair", socket.socketpair()) end
      for _ = 1, 100 do try("socket.poller", socket.poller()) end
      local s = assert(socket.socket())
      for _ = 1, 100 do try("s:dup", s:dup()) end
      local l = listener()
      for _ = 1, 100 do
        -- the client lives until its connection is there; the rest is garbage
        local c = assert(socket.socket())
        assert(c:connect(l:getsockname()))
        try("s:accept", l:accept())
        c:close()
      end
    ]]
    for _, name in ipairs { "socket.socket", "socket.socketpair", "socket.poller", "s:dup", "s:accept" } do
      assert.equal(100, told[name] and #told[name], output)
      for _, answer in ipairs(told[name]) do assert.equal("ok", answer) end
    end
  end)

  it("and none is unreachable, the calls return EMFILE, and work again later", function()
    local told, output = starved [[
      local list = {}
      local l, c = listener(), assert(socket.socket())
      assert(c:connect(l:getsockname()))
      fill(list)
      try("socket.socket", socket.socket())
      try("socket.socketpair", socket.socketpair())
      try("s:dup", l:dup())
      try("s:accept", l:accept())
      l:settimeout(0)
      try("s:accept", l:accept())
      l:settimeout(5)
      try("s:accept", l:accept())
      if socket.poller then
        local p, message, code = socket.poller()
        if not p then try("socket.poller", p, message, code) end
      end
      table.remove(list):close()
      table.remove(list):close()
      local conn = try("s:accept", l:accept())
      conn:close()
      try("socket.socketpair", socket.socketpair())
    ]]
    assert.equal("ok", table.remove(told["s:accept"]), output)
    assert.equal("ok", table.remove(told["socket.socketpair"]), output)
    assert.equal(3, #told["s:accept"])
    for name, answers in pairs(told) do
      for _, answer in ipairs(answers) do helper.fails(name, "EMFILE", nil, table.unpack(answer)) end
    end
    assert.equal("socket AF_INET SOCK_STREAM: " .. socket.strerror "EMFILE", told["socket.socket"][1][1])
    assert.equal("socketpair AF_UNIX SOCK_STREAM: " .. socket.strerror "EMFILE", told["socket.socketpair"][1][1])
    assert.equal("dup: " .. socket.strerror "EMFILE", told["s:dup"][1][1])
    assert.equal("accept: " .. socket.strerror "EMFILE", told["s:accept"][1][1])
  end)

  it("the one descriptor of two that socketpair might have got is not lost", function()
    local told = starved [[
      local list = {}
      fill(list)
      table.remove(list):close()
      for _ = 1, 20 do try("socket.socketpair", socket.socketpair()) end
      try("socket.socket", socket.socket())
    ]]
    for _, answer in ipairs(told["socket.socketpair"]) do assert.equal("EMFILE", answer[2]) end
    assert.same({ "ok" }, told["socket.socket"])
  end)

  it("a finalizer that closes or opens sockets meanwhile does no harm", function()
    local told, output = starved [[
      collectgarbage "stop"
      local list, victim = {}, nil
      local l = listener()
      local function arm(f) setmetatable({}, {__gc = f}) end
      -- closes the listener that accept is called on
      local c = assert(socket.socket())
      assert(c:connect(l:getsockname()))
      fill(list)
      arm(function() l:close() end)
      try("s:accept", l:accept())
      -- closes the socket that dup is called on
      victim = table.remove(list)
      fill(list)
      arm(function() victim:close() end)
      try("s:dup", victim:dup())
      -- takes what it frees
      fill(list)
      arm(function() table.remove(list):close() fill(list) end)
      try("socket.socket", socket.socket())
      arm(function() table.remove(list):close() fill(list) end)
      try("socket.socketpair", socket.socketpair())
      -- raises
      arm(function() error "in a finalizer" end)
      try("socket.socket", socket.socket())
    ]]
    assert.equal("EBADF", told["s:accept"][1][2], output)
    assert.equal("EBADF", told["s:dup"][1][2])
    assert.equal("EMFILE", told["socket.socket"][1][2])
    assert.equal("EMFILE", told["socket.socketpair"][1][2])
    assert.equal("EMFILE", told["socket.socket"][2][2])
  end)
end)
