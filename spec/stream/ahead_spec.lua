-- Bytes that a read took from the kernel and did not need yet: pending, and what every other call makes of them.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"

local closed, gives = net.closed, net.gives

after_each(net.close)

local a, b -- b reads what a sends

before_each(function()
  a, b = net.pair()
  b:settimeout(5) -- so that nothing hangs
end)

describe("bytes that were read ahead", function()
  local ahead = "two three"

  before_each(function()
    a:send("one\n" .. ahead)
    gives({"one"}, b:read())
  end)

  it("are counted by pending", function()
    assert.equal(#ahead, b:pending())
    b:read(3)
    assert.equal(#ahead - 3, b:pending())
    b:read(#ahead - 3)
    assert.equal(0, b:pending())
    assert.equal(0, a:pending())
    local c, d = net.udp()
    c:send "x"
    assert.equal(0, d:pending())
    helper.fails("s:pending", "EBADF", closed():pending())
  end)

  it("go to recv first, which waits for no more", function()
    gives({"two"}, b:recv(3))
    gives({" three"}, net.atonce(b.recv, b, 1000))
    a:send "!"
    gives({"!"}, b:recv())
    a:close()
    gives({""}, b:recv())
  end)

  it("go to recvfrom, recvinto, recvmsg and recvmmsg as well", function()
    local buf = socket.buffer(4)
    assert.equal("tw", (b:recvfrom(2)))
    gives({3}, b:recvinto(buf, 3, 2))
    assert.equal("o t", buf:sub(2))
    assert.equal("hr", b:recvmsg(2).data)
    local messages, n = b:recvmmsg(1, 100)
    assert.same({1, "ee"}, {n, messages[1].data})
    assert.equal(0, b:pending())
  end)

  it("have the peer's address, as what comes from the kernel", function()
    local l <close> = assert(socket.listen(socket.address("AF_UNIX", helper.tmpdir() .. "/s")))
    local c <close> = assert(socket.connect(l:getsockname()))
    local d <close> = assert(l:accept())
    d:send("one\n" .. ahead)
    gives({"one"}, c:read())
    gives({"tw", l:getsockname()}, c:recvfrom(2))
    assert.equal(l:getsockname(), c:recvmsg(2).address)
    assert.equal(l:getsockname(), c:recvmmsg(1, 2)[1].address)
    gives({"ree", l:getsockname()}, c:recvfrom(3, "MSG_WAITALL"))
  end)

  it("are looked at by MSG_PEEK before what is still in the kernel", function()
    local buf = socket.buffer(3)
    a:send "!"
    for _ = 1, 2 do
      gives({"tw"}, b:recv(2, "MSG_PEEK"))
      assert.equal("two", (b:recvfrom(3, "MSG_PEEK")))
      assert.equal(3, b:recvinto(buf, 3, 1, "MSG_PEEK"))
      assert.equal("two", buf:sub(1))
      assert.equal("two t", b:recvmsg(5, {flags = "MSG_PEEK"}).data)
      local all = b:recv(100, "MSG_PEEK")
      assert.equal((ahead .. "!"):sub(1, #all), all)
    end
    gives({ahead .. "!"}, b:read(#ahead + 1))
    a:send "x\n"
    gives({"x"}, b:recv(1, "MSG_PEEK"))
    gives({"x"}, b:read())
  end)

  it("are the first part of what MSG_WAITALL waits for", function()
    a:send "!!"
    gives({ahead .. "!!"}, b:recv(#ahead + 2, "MSG_WAITALL"))
    a:send "one\ntwo"
    gives({"one"}, b:read())
    a:send "!!"
    assert.equal("two!!", (b:recvfrom(5, "MSG_WAITALL")))
    a:send "one\ntwo"
    gives({"one"}, b:read())
    local buf = socket.buffer(5)
    a:send "xy"
    gives({5}, b:recvinto(buf, 5, 1, "MSG_WAITALL"))
    assert.equal("twoxy", buf:sub(1))
    a:send "one\ntwo"
    gives({"one"}, b:read())
    b:settimeout(0)
    local data = b:recv(5, "MSG_WAITALL") or b:recv()
    assert.equal("two", data)
  end)

  it("are passed by of MSG_OOB and MSG_ERRQUEUE", function()
    local c, d = net.tcp()
    d:settimeout(5)
    c:send "one\ntwo"
    gives({"one"}, d:read())
    c:send("!", "MSG_OOB")
    gives({"!"}, d:recv(1, "MSG_OOB"))
    assert.equal(3, d:pending())
    if socket.MSG_ERRQUEUE then
      helper.fails("s:recv", "EAGAIN", d:recv(10, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT))
      assert.equal(3, d:pending())
    end
    gives({"two"}, d:read(3))
  end)

  it("stand before the mark of out-of-band data", function()
    local c, d = net.tcp()
    d:settimeout(5)
    c:send "one\ntwo"
    c:send("!", "MSG_OOB")
    gives({"one"}, d:read())
    gives({"!"}, d:recv(1, "MSG_OOB"))
    assert.is_false(d:sockatmark())
    gives({"tw"}, d:recv(2))
    assert.is_false(d:sockatmark())
    gives({"o"}, d:recv())
    assert.is_true(d:sockatmark())
  end)

  it("make select call the socket readable", function()
    local _, quiet = net.pair()
    local readable, writable = net.atonce(socket.select, {quiet, b}, {b}, 5)
    assert.same({1, b, 1}, {#readable, readable[1], #writable})
    readable = net.atonce(socket.select, {quiet, b})
    assert.same({1, b}, {#readable, readable[1]})
    b:read(#ahead)
    readable = socket.select({quiet, b}, nil, 0)
    assert.equal(0, #readable)
  end)

  it("make a poller call the socket readable, whenever it was added", function()
    local p <close> = assert(socket.poller())
    local _, quiet = net.pair()
    local function ready(timeout)
      local list = {}
      for what, events in p:wait(timeout) do list[#list + 1] = {what, events} end
      return list
    end
    assert(p:add(quiet, "r"))
    assert(p:add(b, "r"))
    for _ = 1, 2 do assert.same({{b, "r"}}, net.atonce(ready, 5)) end
    b:read(1)
    assert.same({{b, "r"}}, net.atonce(ready))
    assert(p:modify(b, "w"))
    assert.same({{b, "w"}}, ready(0))
    assert(p:modify(b, "rw"))
    assert.same({{b, "rw"}}, ready(0))
    b:read(#ahead - 1)
    assert.same({{b, "w"}}, ready(0))
    assert(p:modify(b, "r"))
    assert.same({}, ready(0))
    a:send "one\ntwo"
    assert.same({{b, "r"}}, ready(5))
    gives({"one"}, b:read())
    assert.same({{b, "r"}}, net.atonce(ready, 5))
    b:read(3)
    assert.same({}, ready(0))
  end)

  it("are given by detach", function()
    local fd, data = b:detach()
    local s <close> = assert(socket.fromfd(fd))
    assert.equal(ahead, data)
    assert.is_nil(b:fileno())
    a:send "!"
    assert.equal("!", s:recv())
  end)

  it("stay with the socket when there is a twin of it", function()
    local twin <close> = assert(b:dup())
    assert.equal(0, twin:pending())
    a:send "!"
    assert.equal("!", twin:recv())
    gives({ahead}, b:read(#ahead))
  end)

  it("make the socket dirty, and setfd(-1) raise when it has let go", function()
    local fd = b:fileno()
    assert.is_true(b:dirty())
    helper.raises("s:setfd", "read ahead", b.setfd, b, -1)
    assert.is_nil(b:fileno())
    assert.is_false(b:dirty())
    assert.equal(b, b:setfd(-1))
    assert(assert(socket.fromfd(fd)):close())
  end)

  it("are there after shutdown and after the end of the stream", function()
    assert(b:shutdown "SHUT_RD")
    gives({"two"}, b:read(3))
    a:close()
    gives({" three"}, b:read())
    gives({nil, n = 1}, b:read())
  end)

  it("are gone with a socket that is closed, and are nobody else's", function()
    local _, d = net.pair()
    b:close()
    assert.is_false(b:dirty())
    helper.fails("s:pending", "EBADF", b:pending())
    helper.fails("s:recv", "EBADF", b:recv())
    d:settimeout(0)
    assert.equal(0, d:pending())
    helper.fails("s:read", "EAGAIN", d:read())
  end)

  it("are each socket's own, however the calls are mixed", function()
    local pairs_ = {}
    for i = 1, 20 do
      local c, d = net.pair()
      d:settimeout(0)
      for k = 1, 3 do c:send(("%d:%d\n"):format(i, k)) end
      c:send(tostring(i))
      pairs_[i] = {c, d}
    end
    for k = 1, 3 do
      for i = 20, 1, -1 do gives({("%d:%d"):format(i, k)}, pairs_[i][2]:read()) end
    end
    for i = 1, 20 do helper.fails("s:read", "EAGAIN", pairs_[i][2]:read()) end
    for i = 20, 1, -1 do
      pairs_[i][1]:send "\n"
      gives({tostring(i)}, pairs_[i][2]:read())
    end
    gives({ahead}, b:read(#ahead))
  end)

  it("are looked through anew for something else, wherever they are kept meanwhile", function()
    local c, d = net.pair()
    local e, f = net.pair()
    d:settimeout(0)
    f:settimeout(0)
    for _, format in ipairs {"l", "L"} do
      c:send "one\nmore"
      helper.fails("s:readuntil", "EAGAIN", d:readuntil ";;")
      e:send "something else"
      helper.fails("s:read", "EAGAIN", f:read())
      e:send "\n"
      gives({"something else"}, f:read())
      c:send ";"
      helper.fails("s:read", "EAGAIN", d:read "a")
      gives({format == "l" and "one" or "one\n"}, d:read(format))
      helper.fails("s:read", "EAGAIN", d:read(format))
      c:send ";"
      gives({"more;;"}, d:readuntil ";;")
    end
    gives({ahead}, b:read(#ahead))
  end)

  it("leave descriptors that come after them to recvmsg", function()
    assert(a:sendmsg {data = "x", fds = {a}})
    assert.equal(ahead, b:recvmsg().data)
    local message = assert(b:recvmsg())
    local s <close> = message.fds[1]
    assert.equal("x", message.data)
    assert.equal(1, s:send "y")
    assert.equal("y", b:recv())
  end)

  it("go on to another process's reader with the descriptor's own bytes behind them", function()
    a:send " four"
    local fd, data = b:detach()
    local s <close> = assert(socket.fromfd(fd))
    assert.equal(ahead .. " four", data .. s:recv())
  end)
end)
