-- What is left of a closed socket and a closed poller, and what methods do with a self that is none of theirs.
-- Every method of the live module is gone through, so that a new one is not forgotten. At the end, the failures
-- that all calls for data share.
local helper = require "spec.support.helper"
local socket = require "bsdsocket"

--- What each method of a closed socket answers: a code, or a function that checks its results.
local function gives(...)
  local expected = table.pack(...)
  return function(...) assert.same(expected, table.pack(...)) end
end

local address = socket.address("AF_INET", "127.0.0.1", 9)

--- method -> {answer, arguments that would do on an open socket}
local of_socket = {
  accept = {"EBADF"},
  bind = {"EBADF", "127.0.0.1", 0},
  clients = {function(iterator, s)
    assert.equal("function", type(iterator))
    assert.is_nil(iterator(s)) -- the loop has no rounds
  end},
  chunks = {function(iterator) helper.raises("s:chunks", "chunks: Bad file descriptor", iterator) end},
  close = {gives(true)},
  connect = {"EBADF", address},
  detach = {"EBADF"},
  dirty = {gives(false)},
  dup = {"EBADF"},
  events = {gives("r")},
  family = {gives(socket.AF_INET)},
  fileno = {gives(nil)},
  flush = {"EBADF"},
  getblocking = {"EBADF"},
  getfd = {gives(-1)},
  getinheritable = {"EBADF"},
  getpeername = {"EBADF"},
  getsockname = {"EBADF"},
  getsockopt = {"EBADF", "SO_TYPE"},
  gettimeout = {"EBADF"},
  lines = {function(iterator) helper.raises("s:lines", "lines: Bad file descriptor", iterator) end},
  listen = {"EBADF"},
  pending = {"EBADF"},
  pollfd = {gives(-1)},
  protocol = {gives(0)},
  read = {"EBADF"},
  readuntil = {"EBADF", "\n"},
  recv = {"EBADF"},
  recvfrom = {"EBADF"},
  recvinto = {"EBADF", socket.buffer(1)},
  recvmmsg = {"EBADF", 2, 10},
  recvmsg = {"EBADF"},
  send = {"EBADF", "x"},
  sendall = {"EBADF", "x"},
  sendfile = {"EBADF", 0},
  sendmmsg = {"EBADF", {"x"}},
  sendmsg = {"EBADF", {data = "x"}},
  sendto = {"EBADF", "x", address},
  setblocking = {"EBADF", true},
  setfd = {function(...) assert.equal("socket", getmetatable((...)).__name) end, -1},
  setinheritable = {"EBADF", true},
  setmaxline = {"EBADF", 80},
  setsockopt = {"EBADF", "SO_REUSEADDR", true},
  settimeout = {"EBADF", 1},
  setvbuf = {"EBADF", "full"},
  shutdown = {"EBADF"},
  sockatmark = {"EBADF"},
  timeout = {gives(nil)},
  type = {gives(socket.SOCK_STREAM)},
  write = {"EBADF", "x"},
  __close = {gives()},
  __gc = {gives()},
  __tostring = {gives("socket (closed, AF_INET SOCK_STREAM)")},
}

local of_poller = {
  add = {"EBADF", 0, "r"},
  close = {gives(true)},
  fileno = {gives(nil)},
  modify = {"EBADF", 0, "r"},
  remove = {"EBADF", 0},
  wait = {"EBADF", 0},
  __close = {gives()},
  __gc = {gives()},
  __tostring = {gives("poller (closed)")},
}

--- Arguments of the methods that a class without a closed state has.
local of_buffer = {sub = {false, 1}, set = {false, 1, "x"}, __len = {}, __tostring = {}}
local of_address = {unpack = {}, __tostring = {}, __index = {false, "family"}}

local function closed_socket()
  local s = assert(socket.socket("AF_INET", "SOCK_STREAM"))
  assert(s:close())
  return s
end

local function closed_poller()
  local p = assert(socket.poller())
  assert(p:close())
  return p
end

--- Every method and metamethod of a class: name -> function.
local function methods_of(object)
  local all = {}
  local meta = getmetatable(object)
  for name, value in pairs(meta) do
    if type(value) == "function" then all[name] = value end
  end
  if type(meta.__index) == "table" then
    for name, value in pairs(meta.__index) do all[name] = value end
  end
  return all
end

local function each(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  local i = 0
  return function()
    i = i + 1
    return names[i], t[names[i]]
  end
end

local function describe_closed(receiver, make, expected)
  for name, method in each(methods_of(make())) do
    local row = expected[name]
    if name == "next" then -- what the loop of a poller calls: no method, and no error either
      goto continue
    end
    it("answers " .. receiver .. ":" .. name .. " as the manual says", function()
      assert(row, "no row for " .. receiver .. ":" .. name)
      local before = helper.descriptors()
      if type(row[1]) == "string" then
        helper.fails(receiver .. ":" .. name, row[1], method(make(), table.unpack(row, 2)))
      else
        row[1](method(make(), table.unpack(row, 2)))
      end
      assert.equal(before, helper.descriptors())
    end)
    ::continue::
  end
end

describe("a closed socket", function()
  describe_closed("s", closed_socket, of_socket)

  it("has no rows for methods that there are not", function()
    for name in pairs(of_socket) do assert(methods_of(closed_socket())[name], name) end
    for name in pairs(of_poller) do assert(methods_of(closed_poller())[name], name) end
  end)

  it("never touches a stranger that got its descriptor", function()
    for name, row in each(of_socket) do
      local s <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
      local fd = s:fileno()
      assert(s:close())
      local a <close>, other = assert(socket.socketpair())
      local b <close> = other
      assert.equal(fd, a:fileno())
      methods_of(s)[name](s, table.unpack(row, 2))
      assert.equal(fd, a:fileno(), name)
      assert.equal(1, a:send("x"), name)
      assert.equal("x", b:recv(), name)
      assert.is_false(a:getinheritable(), name)
      assert.is_true(a:getblocking(), name)
    end
  end)

  it("has nothing looked up for it: names that are not there are EBADF, too", function()
    local s = assert(socket.socket("AF_INET", "SOCK_STREAM"))
    assert(s:settimeout(0)) -- EAGAIN would tell that the resolver was to be asked
    assert(s:close())
    for _, given in ipairs {{"no-such.invalid", 80}, {"no-such.invalid", "http"}, {"127.0.0.1", "no-such"}} do
      local ending = (" %s:%s: Bad file descriptor"):format(table.unpack(given))
      assert.equal("bind" .. ending, helper.fails("s:bind", "EBADF", s:bind(table.unpack(given))))
      assert.equal("connect" .. ending, helper.fails("s:connect", "EBADF", s:connect(table.unpack(given))))
      assert.equal("sendto" .. ending, helper.fails("s:sendto", "EBADF", s:sendto("x", table.unpack(given))))
    end
    helper.raises("s:bind", "port out of range", s.bind, s, "no-such.invalid", 70000)
  end)

  it("is closed by setfd(-1) and detach as well, without closing the descriptor", function()
    for _, letgo in ipairs {function(s) assert(s:setfd(-1)) end, function(s) assert(s:detach()) end} do
      local s = assert(socket.socket())
      local fd = s:fileno()
      letgo(s)
      assert.is_nil(s:fileno())
      helper.fails("s:getsockname", "EBADF", s:getsockname())
      assert(assert(socket.fromfd(fd)):close())
    end
  end)

  it("is closed once, whoever closes it and however often", function()
    local s = assert(socket.socket())
    local meta = getmetatable(s)
    local fd = s:fileno()
    meta.__gc(s)
    local stranger <close> = assert(socket.socket())
    assert.equal(fd, stranger:fileno())
    meta.__gc(s)
    meta.__close(s, nil)
    assert.is_true(s:close())
    assert(stranger:getsockname())
  end)
end)

describe("a closed poller", function()
  describe_closed("p", closed_poller, of_poller)

  it("ends the loop that is under way", function()
    local p <close> = assert(socket.poller())
    local a <close>, other = assert(socket.socketpair())
    local b <close> = other
    assert(p:add(a, "w"))
    assert(p:add(b, "w"))
    local rounds = 0
    for _ in p:wait(0) do
      rounds = rounds + 1
      p:close()
    end
    assert.equal(1, rounds)
  end)
end)

describe("a self that is another's", function()
  -- class -> {how rows name it, an object, arguments}
  local classes = {
    Socket = {"s", closed_socket(), of_socket},
    Poller = {"p", closed_poller(), of_poller},
    Buffer = {"buf", socket.buffer(1), of_buffer},
    Address = {"address", socket.address("AF_UNSPEC"), of_address},
  }

  local function strangers(class)
    local list = {
      "a string", 1, true, {}, print, coroutine.create(print), io.stdout,
      setmetatable({}, getmetatable(classes[class][2])), -- a table that claims to be one
    }
    for other, row in pairs(classes) do
      if other ~= class then list[#list + 1] = row[2] end
    end
    return list
  end

  for class, row in each(classes) do
    local receiver, object, arguments = table.unpack(row)
    local all = methods_of(object)
    if class == "Address" then
      all.unpack, all.__eq = object.unpack, nil -- what is compared with one need be none
      it("is not equal to an address", function()
        local equals = getmetatable(object).__eq
        for _, stranger in ipairs(strangers(class)) do
          assert.is_false(equals(object, stranger))
          assert.is_false(equals(stranger, object))
        end
        assert.is_false(equals(object))
        assert.is_false(equals())
        assert.is_false(equals(debug.upvalueid(methods_of, 1), object))
        assert.is_true(equals(object, object))
      end)
    end
    for name, method in each(all) do
      it("raises: " .. receiver .. ":" .. name, function()
        local args = arguments[name] or name == "next" and {} or error("no row for " .. name)
        local key = receiver .. ":" .. name
        local expected = "bad argument #1 to '[^']+' %(" .. class:lower() .. " expected, got "
        for _, stranger in ipairs(strangers(class)) do
          helper.raises(key, expected, method, stranger, table.unpack(args, 2))
        end
        helper.raises(key, expected, method, nil, table.unpack(args, 2))
        helper.raises(key, "bad argument #%d to '[^']+'", method)
        helper.raises(key, expected .. "light userdata", method, debug.upvalueid(methods_of, 1))
        assert.equal("file", io.type(io.stdout)) -- and is open still
      end)
    end
  end
end)

describe("a socket without a peer, or with one that does not answer", function()
  it("says ENOTCONN, or where messages need no connection EDESTADDRREQ", function()
    local s <close> = assert(socket.socket("AF_UNIX", "SOCK_STREAM"))
    helper.fails("s:send", "ENOTCONN", s:send("x"))
    local _, sent = helper.fails("s:sendall", "ENOTCONN", s:sendall("x"))
    assert.equal(0, sent)
    local u <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.fails("s:send", "EDESTADDRREQ", u:send("x"))
    _, sent = helper.fails("s:sendall", "EDESTADDRREQ", u:sendall("x"))
    assert.equal(0, sent)
  end)

  it("says ECONNREFUSED to the next receive of a datagram socket", function()
    local gone <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
    local u <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):connect(gone:getsockname()))
    gone:close()
    assert(u:send("x"))
    helper.fails("s:recvinto", "ECONNREFUSED", u:recvinto(socket.buffer(1)))
  end)

  it("says EINVAL where there is no out-of-band data", function()
    local server <close> = assert(socket.listen("127.0.0.1", 0))
    local s <close> = assert(socket.connect(server:getsockname()))
    helper.fails("s:recv", "EINVAL", s:recv(1, "MSG_OOB"))
    helper.fails("s:recvfrom", "EINVAL", s:recvfrom(1, "MSG_OOB"))
    helper.fails("s:recvinto", "EINVAL", s:recvinto(socket.buffer(1), 1, 1, "MSG_OOB"))
  end)

  it("takes no other peer: EISCONN", function()
    local a <close>, other = assert(socket.socketpair())
    local _ <close> = other
    helper.fails("s:sendto", "EISCONN", a:sendto("x", "/nobody"))
  end)
end)
