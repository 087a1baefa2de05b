-- s:sendfile: files, pipes and sockets through a socket, each byte once, whatever ends a call early.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local trace = require "spec.support.trace"
local loop = require "bsdsocket.loop"
local build = require "fault.build"

local saved = helper.saved -- the name of a new file

after_each(net.close)

local block -- in which no two pieces are alike
do
  local words = {}
  for i = 1, 125000 do words[i] = ("%08d"):format(i) end
  block = table.concat(words) .. "end"
end

--- So many bytes, of which no place looks like one nearby.
local function content(n)
  return block:rep(n // #block + 1):sub(1, n)
end

--- A new file that holds `data`, open for reading (or as `mode` has it); net.close closes it.
local function file(data, mode)
  local f = assert(io.open(saved(data), mode or "rb"))
  net.keep({ close = function() if io.type(f) == "file" then f:close() end end })
  return f
end

--- What is opened next has this descriptor.
local function nextfd()
  local s <close> = assert(socket.socket())
  return s:fileno()
end

--- A file and its descriptor.
local function descriptor(data)
  local fd = nextfd()
  return file(data), fd
end

--- Everything that comes until the end of the stream.
local function receive(s)
  local pieces = {}
  repeat
    local piece = assert(s:recv())
    pieces[#pieces + 1] = piece
  until piece == ""
  return table.concat(pieces)
end

--- What has come so far.
local function arrived(s)
  local pieces = {}
  for i = 1, math.huge do
    local piece = s:recv(65536, "MSG_DONTWAIT")
    if not piece or piece == "" then return table.concat(pieces) end
    pieces[i] = piece
  end
end

--- A pipe from a shell command, as a Lua file.
local function piped(command)
  if not socket.AF_NETLINK then helper.skip "not Linux" end
  local pipe = assert(io.popen(command))
  net.keep({ close = function() if io.type(pipe) == "file" then pipe:close() end end })
  return pipe
end

-- Below and above what is copied, what goes at once, what a socket takes.
local sizes = { 0, 1, 100, 16383, 16384, 16385, 65536, 1000003 }
local connections = {
  ["a unix stream"] = net.pair,
  ["TCP"] = function()
    return net.tcp(function(s) s:setsockopt("SO_SNDBUF", 65536):setsockopt("SO_RCVBUF", 65536) end)
  end,
}

--- Sends what is left of `data` behind `first`, through a to b, by calls that time out and are made again, until all
--- has come. arguments(total) gives those of a call after so many bytes.
local function resumes(data, first, a, b, arguments, what)
  a:settimeout(0.01)
  local got, total, timeouts = { first }, #first, 0
  repeat
    local sent, _, code, part = a:sendfile(arguments(total))
    if not sent then
      timeouts = timeouts + 1
      assert.equal("timeout", code, what)
    end
    total = total + (sent or part)
    got[#got + 1] = arrived(b)
  until sent or timeouts == 1000
  assert.equal(#data, total, what)
  a:close()
  assert.is_true(table.concat(got) .. receive(b) == data, what)
  assert.is_true(timeouts > 0, what)
end

for name, connect in pairs(connections) do
  describe("sendfile over " .. name, function()
    for _, size in ipairs(sizes) do
      it(("sends a file of %d bytes, and its position moves to its end"):format(size), function()
        local data, a, b = content(size), connect()
        local f = file(data)
        a:settimeout(0)
        local got, total = {}, 0
        repeat
          local sent, _, code, part = a:sendfile(f)
          assert(sent or code == "EAGAIN")
          total = total + (sent or part)
          assert.equal(total, f:seek())
          got[#got + 1] = arrived(b)
        until sent
        assert.equal(size, total)
        assert.is_nil(f:read(1))
        assert.equal(0, a:sendfile(f))
        a:close()
        assert.is_true(table.concat(got) .. receive(b) == data)
      end)
    end

    it("goes on after a timeout where it stopped, from a file, a descriptor and an offset", function()
      local data = content(1000000)
      local f, fd = descriptor(data)
      for what, arguments in pairs {
        ["file"] = function() return f end,
        ["descriptor"] = function() return fd end,
        ["object"] = function() return { fileno = function() return fd end } end,
        ["offset"] = function(total) return f, total end,
        ["offset and count"] = function(total) return f, total, #data - total end,
        ["count"] = function(total) return fd, nil, #data - total end,
      } do
        f:seek "set"
        local a, b = connect()
        resumes(data, "", a, b, arguments, what)
      end
    end)
  end)
end

describe("sendfile", function()
  it("begins where the file stands, whatever Lua has read ahead of it", function()
    local a, b = net.pair()
    local f = file("one\ntwo\n 12 three\nfour\n")
    assert.equal("one", f:read())
    assert.equal(4, a:sendfile(f, nil, 4))
    assert.equal("two\n", b:recv())
    assert.equal(12, f:read "n") -- puts back the byte after it
    assert.equal(7, a:sendfile(f, nil, 7))
    assert.equal(" three\n", b:recv())
    assert.equal("four", f:read())
    f:seek("cur", -3)
    assert.equal(3, a:sendfile(f))
    assert.equal("ur\n", b:recv())
    assert.is_nil(f:read())
    f:seek "set"
    assert.equal("one", f:read())
  end)

  it("sends what was written to the file, and what is written then comes after that", function()
    local a, b = net.pair()
    local f = file("", "w+b")
    f:setvbuf("full", 1 << 20)
    f:write "hello"
    assert.equal(0, a:sendfile(f))
    assert.equal(5, a:sendfile(f, 0))
    f:seek "set"
    assert.equal(2, a:sendfile(f, nil, 2))
    assert.equal("hellohe", b:recv())
    f:write "LL"
    f:seek "set"
    assert.equal("heLLo", f:read "a")
  end)

  it("leaves the position alone where an offset is given", function()
    local a, b = net.pair()
    local data = content(40000)
    local f, fd = descriptor(data)
    f:seek("set", 7)
    for _, source in ipairs { f, fd } do
      assert.equal(5, a:sendfile(source, 3, 5))
      assert.equal(30000, a:sendfile(source, 10000))
      assert.is_true(b:recv(100000, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == data:sub(4, 8) .. data:sub(10001))
      assert.equal(7, f:seek())
    end
    assert.equal(data:sub(8, 11), f:read(4))
  end)

  it("moves the position of a descriptor along", function()
    local a, b = net.pair()
    local data = content(70000)
    local f, fd = descriptor(data)
    f:setvbuf "no"
    assert.equal(10, a:sendfile(fd, nil, 10))
    assert.equal(60000, a:sendfile(fd, nil, 60000))
    assert.is_true(b:recv(100000, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == data:sub(1, 60010))
    assert.equal(data:sub(60011), f:read "a")
  end)

  it("sends to the end where the count goes beyond it, and nothing from beyond the end", function()
    local a, b = net.pair()
    for _, size in ipairs { 10, 50000 } do
      local data = content(size)
      local f = file(data)
      for _, count in ipairs { size, size + 1, 1 << 31, 1 << 40, math.maxinteger } do
        assert.equal(size, a:sendfile(f, 0, count))
        assert.is_true(arrived(b) == data)
        assert.equal(size - 3, a:sendfile(f, 3, count))
        assert.is_true(arrived(b) == data:sub(4))
      end
      for _, offset in ipairs { size, size + 1, 1 << 31, 1 << 40, math.maxinteger } do
        assert.equal(0, a:sendfile(f, offset))
        assert.equal(0, a:sendfile(f, offset, 10))
        assert.equal(0, a:sendfile(f, offset, math.maxinteger))
      end
      f:seek("set", size + 10)
      assert.equal(0, a:sendfile(f))
      assert.equal(size + 10, f:seek())
      assert.equal(0, a:sendfile(f, 0, 0))
    end
    assert.equal("", arrived(b))
  end)

  it("knows places beyond 4 GiB", function()
    local a, b = net.pair()
    local f = file "x"
    local name = saved "x"
    local writer <close> = assert(io.open(name, "r+b"))
    if not writer:seek("set", (1 << 32) + 5) or not writer:write "hello" or not writer:flush() then
      helper.skip "no file of four gigabytes can be made here"
    end
    local g <close> = assert(io.open(name, "rb"))
    assert.equal(5, a:sendfile(g, (1 << 32) + 5))
    assert.equal("hello", b:recv())
    g:seek("set", (1 << 32) + 6)
    assert.equal(3, a:sendfile(g, nil, 3))
    assert.equal("ell", b:recv())
    assert.equal((1 << 32) + 9, g:seek())
    f:close()
  end)

  -- No system call sends so much at once.
  it("sends more than two gigabytes in one call #slow", function()
    local zero = io.open("/dev/zero", "rb")
    if not zero then helper.skip "not Linux" end
    net.keep(zero)
    local count = (1 << 31) + 12345
    if helper.instrumented then count = (1 << 30) + 12345 end
    local s, child = net.peer [[
      local buf, total = socket.buffer(1 << 20), 0
      repeat
        local n = assert(s:recvinto(buf))
        total = total + n
      until n == 0
      print(total)
    ]]
    assert.equal(count, s:sendfile(zero, nil, count))
    s:close()
    assert.equal(count, tonumber(child:line()))
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("sends files that are made up as they are read", function()
    local a, b = net.pair()
    for _, name in ipairs { "/proc/self/environ", "/proc/version", "/proc/self/cmdline", "/proc/filesystems" } do
      local f <close> = io.open(name, "rb")
      if not f then helper.skip "not Linux" end
      local data = f:read "a"
      f:seek "set"
      assert.equal(#data, a:sendfile(f))
      assert.equal(data, arrived(b))
      assert.equal(#data, f:seek())
      assert.equal(#data - 1, a:sendfile(f, 1))
      assert.equal(data:sub(2), arrived(b))
      f:seek "set"
      assert.equal(2, a:sendfile(f, nil, 2))
      assert.equal(data:sub(1, 2), arrived(b))
      assert.equal(data:sub(3), f:read "a")
    end
  end)

  for _, change in ipairs { "shrinks", "grows" } do
    it("tells what it has sent of a file that " .. change .. " meanwhile", function()
      local data = content(20000000)
      local name = saved(data)
      local s, child = net.peer([[
        local total = #assert(s:recv(100000, "MSG_WAITALL"))
        if arg[3] == "shrinks" then
          io.open(arg[2], "wb"):close()
        else
          local f <close> = io.open(arg[2], "ab")
          f:write(("x"):rep(5000000))
        end
        for data in s:chunks() do total = total + #data end
        print(total)
      ]], name, change)
      local f <close> = assert(io.open(name, "rb"))
      local sent = assert(s:sendfile(f))
      s:close()
      assert.equal(sent, tonumber(child:line()))
      assert.equal(sent, f:seek())
      if change == "shrinks" then
        assert.is_true(sent >= 100000 and sent < #data)
      else -- to the end that it had
        assert.equal(#data, sent)
        assert.equal("xxx", f:read(3))
      end
      assert.same({ "", 0 }, { child:rest() })
    end)
  end

  it("comes after what write has left in the buffer", function()
    for _, size in ipairs { 5, 50000 } do
      local a, b = net.pair()
      local data = content(size)
      assert(a:setvbuf "full")
      a:write "header "
      assert.equal(size, a:sendfile(file(data)))
      assert(a:write " trailer")
      a:close()
      assert.is_true(receive(b) == "header " .. data .. " trailer")
    end
  end)

  it("sends none of the file where what is unflushed does not get away", function()
    local a, b = net.pair()
    local full = net.fill(a)
    a:settimeout(0)
    assert(a:setvbuf "full")
    a:write "header "
    local f = file "hello"
    assert.same({ "EAGAIN", 0 }, { select(3, a:sendfile(f)) })
    assert.equal(0, f:seek())
    assert(b:recvinto(socket.buffer(full), full, 1, "MSG_WAITALL"))
    assert.equal(5, a:sendfile(f))
    assert.equal("header hello", b:recv())
  end)
end)

describe("sendfile from a pipe", function()
  it("sends what comes, to its end", function()
    local a, b = net.pair()
    local pipe = piped "printf 'one\\n'; sleep 0.05; printf 'two\\n'; sleep 0.05; printf three"
    assert.equal(13, a:sendfile(pipe))
    assert.equal("one\ntwo\nthree", b:recv())
    assert.equal(0, a:sendfile(pipe))
    assert.is_nil(pipe:read(1))
  end)

  it("sends first what Lua has read ahead of it, and leaves what is beyond the count", function()
    local a, b = net.pair()
    local pipe = piped "printf 'one\\ntwo\\n12 three\\nfour\\n'; sleep 0.05; printf 'five\\n'"
    assert.equal("one", pipe:read())
    assert.equal(4, a:sendfile(pipe, nil, 4))
    assert.equal("two\n", b:recv())
    assert.equal(12, pipe:read "n")
    assert.equal(3, a:sendfile(pipe, nil, 3))
    assert.equal(" th", b:recv())
    assert.equal("ree", pipe:read())
    assert.equal(7, a:sendfile(pipe, nil, 7))
    assert.equal("four\nfi", b:recv())
    assert.equal("ve", pipe:read())
    assert.equal(0, a:sendfile(pipe))
  end)

  it("sends first what Lua has read ahead of it, though nothing else comes for long", function()
    local a, b = net.pair()
    a:settimeout(0.02)
    local go = helper.tmpname()
    local pipe = piped(("printf 'one\\ntwo\\n'; for i in $(seq 100); do [ -e %s ] || sleep 0.1; done; printf three")
      :format(go))
    assert.equal("one", pipe:read())
    assert.same({ "timeout", 4 }, { select(3, a:sendfile(pipe)) })
    assert.equal("two\n", b:recv())
    assert.same({ "timeout", 0 }, { select(3, net.takes(0.02, a.sendfile, a, pipe)) })
    a:settimeout(0)
    assert.same({ "EAGAIN", 0 }, { select(3, a:sendfile(pipe)) })
    assert(io.open(go, "w")):close()
    a:settimeout(20)
    assert.equal(5, a:sendfile(pipe))
    assert.equal("three", b:recv())
  end)

  for name, connect in pairs(connections) do
    it("goes on after a timeout where it stopped, over " .. name, function()
      local data = content(1000000)
      local pipe = piped("cat " .. saved(data))
      local a, b = connect()
      assert.equal(data:sub(1, 10), pipe:read(10))
      resumes(data, data:sub(1, 10), a, b, function() return pipe end)
    end)
  end

  it("given by its descriptor, or by an object that has it, leaves that open", function()
    local a, b = net.pair()
    local fd = nextfd()
    local pipe = piped "printf hello"
    local before = helper.descriptors()
    assert.equal(2, a:sendfile(fd, nil, 2))
    assert.equal(2, a:sendfile({ fileno = function() return fd end }, nil, 2))
    assert.equal(before, helper.descriptors())
    assert.equal("hell", b:recv())
    assert.equal("o", pipe:read "a")
  end)

  it("is no slower for a timeout where it comes in small pieces", function()
    local s, child = net.peer [[
      local total = 0
      for data in s:chunks() do total = total + #data end
      print(total)
    ]]
    s:settimeout(60)
    local start = socket.monotime()
    assert.equal(1000 * 100, s:sendfile(piped "i=0; while [ $i -lt 1000 ]; do printf %0100d 0; i=$((i+1)); done"))
    assert.is_true(socket.monotime() - start < 30)
    s:close()
    assert.equal("100000", child:line())
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("tells when no descriptor is left for it, and can go on #process", function()
    local output = process.confined(40, [[
      local a, b = socket.socketpair()
      local pipe = io.popen "printf hello"
      local kept = {}
      fill(kept)
      print(a:sendfile(pipe))
      kept = nil -- garbage is collected when that helps
      print(a:sendfile(pipe))
      pipe:close()
    ]])
    local message, code, sent = output:match "^nil\t(.-)\t(.-)\t(%d+)\n5\n$"
    assert(message, output)
    helper.fails("s:sendfile", "EMFILE", nil, message, code)
    assert.equal("0", sent)
  end)
end)

describe("sendfile from a socket", function()
  it("sends what comes, to the end of its stream", function()
    local a, b = net.pair()
    local source, child = net.peer [[
      for i = 1, 3 do
        s:sendall "hello "
        socket.select(nil, nil, 0.02)
      end
    ]]
    assert.equal(18, a:sendfile(source))
    assert.equal("hello hello hello ", b:recv())
    assert.equal(0, a:sendfile(source))
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("sends first what was read ahead, and leaves what is beyond the count", function()
    local a, b = net.pair()
    local source, other = net.pair()
    other:sendall "one\ntwo\nthree\n"
    assert.equal("one", source:read())
    assert.equal(6, a:sendfile(source, nil, 6))
    assert.equal("two\nth", b:recv())
    assert.equal("ree", source:read())
    other:sendall "four\nfive\n"
    assert.equal(6, a:sendfile(source, nil, 6))
    assert.equal("four\nf", b:recv())
    assert.equal(0, source:pending())
    assert.equal("ive\n", source:recv())
  end)

  for name, connect in pairs(connections) do
    it("goes on after a timeout where it stopped, over " .. name, function()
      local data = content(1000000)
      local source, child = net.peer([[
        local f <close> = io.open(arg[2], "rb")
        s:sendfile(f)
      ]], saved(data))
      local a, b = connect()
      resumes(data, "", a, b, function() return source end)
      assert.same({ "", 0 }, { child:rest() })
    end)
  end

  it("waits for it under its own timeout, not the source's", function()
    local a = net.pair()
    local source = net.pair()
    source:settimeout(0.3)
    helper.fails("s:recv", "timeout", source:recv()) -- leaves its timeout in the kernel
    a:settimeout(0.02)
    assert.same({ "timeout", 0 }, { select(3, net.takes(0.02, a.sendfile, a, source)) })
    a:settimeout(0)
    assert.same({ "EAGAIN", 0 }, { select(3, net.atonce(a.sendfile, a, source)) })
    local late, child = net.peer "s:recv() socket.select(nil, nil, 0.4) s:sendall 'hello'"
    late:settimeout(0.25)
    helper.fails("s:recv", "timeout", late:recv())
    assert(late:send "?")
    a:settimeout(nil)
    assert.equal(5, a:sendfile(late))
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("sends what the source itself has not flushed before it waits for the answer", function()
    local a, b = net.pair()
    local source, child = net.peer "s:sendall('you said ' .. s:recv())"
    assert(source:setvbuf "full")
    source:write "hello"
    assert.equal(14, a:sendfile(source))
    assert.equal("you said hello", b:recv())
    assert.same({ "", 0 }, { child:rest() })

    a:settimeout(5)
    source, child = net.peer "s:sendall('you said ' .. s:recv())"
    assert(source:setvbuf "full")
    source:write "hello"
    assert.equal(14, a:sendfile(source))
    assert.equal("you said hello", b:recv())
    assert.same({ "", 0 }, { child:rest() })
  end)

  it("waits for room for what the source has not flushed, and then for the answer", function()
    local a, b = net.pair()
    local source, other = net.pair()
    source:setvbuf("full", 10000000)
    source:write(content(5000000))
    a:settimeout(0.01)
    assert.same({ "timeout", 0 }, { select(3, a:sendfile(source)) })
    a:settimeout(20)
    loop.run(function()
      local sending = loop.spawn(a.sendfile, a, source)
      local asked = 0
      repeat asked = asked + #other:recv() until asked == 5000000
      assert(other:send "answer")
      other:close()
      assert.same({ true, 6 }, { sending:join() })
    end)
    assert.equal("answer", b:recv())
  end)

  it("makes an echo of a socket that is its own source", function()
    local s, child = net.peer [[
      local data = ("0123456789"):rep(1000)
      s:sendall(data)
      s:shutdown "SHUT_WR"
      print(s:read "a" == data)
    ]]
    assert.equal(10000, s:sendfile(s))
    s:close()
    assert.same({ "true\n", 0 }, { child:rest() })
  end)

  it("tells that the source broke, with what was sent before", function()
    local a, b = net.pair()
    local source, other = net.tcp()
    other:sendall "hello"
    assert.equal("h", source:read(1))
    net.reset(other)
    local message, sent = helper.fails("s:sendfile", "ECONNRESET", a:sendfile(source))
    assert.equal("sendfile: Connection reset by peer", message)
    assert.equal(4, sent)
    assert.equal("ello", b:recv())
  end)
end)

describe("what is read and what sendfile sends, in turns at random", function()
  local opened = {
    file = function(name) return net.keep(assert(io.open(name, "rb"))) end,
    pipe = function(name) return piped("cat " .. name) end,
    socket = function(name) return (net.peer([[
      local f <close> = io.open(arg[2], "rb")
      s:sendfile(f)
    ]], name)) end,
  }
  for what, open in pairs(opened) do
    it("is all that there is, each byte once: a " .. what, function()
      local data = content(1000000):gsub("%d%d%d%d%d%d%d%d%d%d%d%d%d", "%0\n")
      local source = open(saved(data))
      local a, b = net.pair()
      local seed = math.randomseed()
      local got, n, ended = {}, 0, false
      repeat
        local choice = math.random(5)
        local piece
        if choice == 1 then
          piece = source:read(math.random(1 << math.random(16)))
          ended = not piece
        elseif choice == 2 then
          piece = source:read "L"
          ended = not piece
        else
          a:settimeout(choice == 3 and 0 or 0.001)
          local sent, _, code, part = a:sendfile(source, nil, math.random(1 << math.random(17)))
          assert(sent or code == "EAGAIN" or code == "timeout", code)
          piece = arrived(b)
          assert.equal(sent or part, #piece)
        end
        n = n + 1
        got[n] = piece
      until ended
      assert.is_true(table.concat(got) == data, "seed " .. tostring(seed))
    end)
  end
end)

describe("sendfile fails", function()
  local function fails(code, sent, ...)
    local _, fourth = helper.fails("s:sendfile", code, ...)
    assert.equal(sent, fourth)
  end

  it("where the other end is gone, and no signal comes of it", function()
    for _, size in ipairs { 10, 50000 } do
      local f = file(content(size))
      local a, b = net.pair()
      b:close()
      fails("EPIPE", 0, a:sendfile(f))
      assert.equal(0, f:seek())
      local c, d = net.tcp()
      net.reset(d)
      fails("ECONNRESET", 0, c:sendfile(f))
      fails("EPIPE", 0, c:sendfile(f))
      assert.equal(0, f:seek())
      a:setvbuf "full"
      a:write "header"
      fails("EPIPE", 0, a:sendfile(f))
    end
    local a, b = net.pair()
    b:close()
    local pipe = piped "printf hello"
    fails("EPIPE", 0, a:sendfile(pipe))
    assert.equal("hello", pipe:read "a")
    local source, other = net.pair()
    other:sendall "hello"
    fails("EPIPE", 0, a:sendfile(source))
    assert.equal("hello", source:recv())
  end)

  it("where the other end goes away in the middle, and says how much was taken", function()
    for _, timeout in ipairs { false, 20 } do
      local s, child = net.peer "s:recv(100000, 'MSG_WAITALL') s:close()"
      s:settimeout(timeout or nil)
      local f = file(content(30000000))
      local sent, _, code, part = s:sendfile(f)
      assert.is_nil(sent)
      assert.is_true(code == "EPIPE" or code == "ECONNRESET", code)
      assert.is_true(part >= 100000 and part < 30000000)
      assert.equal(part, f:seek())
      assert.same({ "", 0 }, { child:rest() })
    end
  end)

  it("at its deadline: neither early nor late", function()
    local f = file(content(30000000))
    for _, connect in pairs(connections) do
      local a = connect()
      a:settimeout(0.05)
      net.takes(0.05, function()
        local at = f:seek()
        local sent, _, code, part = a:sendfile(f)
        assert.is_nil(sent)
        assert.equal("timeout", code)
        assert.equal(at + part, f:seek())
      end)
      net.fill(a)
      local at = f:seek()
      fails("timeout", 0, a:sendfile(f))
      assert.equal(at, f:seek())
    end
  end)

  it("under timeout 0 as soon as there is no room", function()
    local a = net.pair()
    local f = file(content(3000000))
    a:settimeout(0)
    local sent, _, code, part = net.atonce(a.sendfile, a, f)
    assert.is_nil(sent)
    assert.equal("EAGAIN", code)
    assert.is_true(part > 0)
    fails("EAGAIN", 0, net.atonce(a.sendfile, a, f))
    assert.equal(part, f:seek())
  end)

  it("on sockets that are not connected, or no streams", function()
    for _, size in ipairs { 10, 50000 } do
      local f = file(content(size))
      local s <close> = assert(socket.socket())
      fails("EPIPE", 0, s:sendfile(f))
      local listener <close> = assert(socket.listen("127.0.0.1", 0))
      fails("EPIPE", 0, listener:sendfile(f))
      local u <close> = assert(socket.socket "AF_UNIX")
      fails("ENOTCONN", 0, u:sendfile(f))
      local sender = net.udp()
      fails("EOPNOTSUPP", 0, sender:sendfile(f))
      local a, b = net.pair "SOCK_SEQPACKET"
      fails("EOPNOTSUPP", 0, a:sendfile(f))
      local stream = net.pair()
      fails("EOPNOTSUPP", 0, stream:sendfile(b))
      assert.equal(0, f:seek())
    end
  end)

  it("for what cannot be read", function()
    local a = net.pair()
    local directory = assert(io.open(helper.tmpdir()))
    net.keep(directory)
    fails("EISDIR", 0, a:sendfile(directory))
    fails("EISDIR", 0, a:sendfile(directory, 0, 10))
    for _, size in ipairs { 10, 50000 } do
      local f = file(content(size), "ab")
      fails("EBADF", 0, a:sendfile(f, 0))
    end
    local pipe = piped "printf hello"
    fails("ESPIPE", 0, a:sendfile(pipe, 0))
    fails("ESPIPE", 0, a:sendfile(pipe, 1, 100000))
    local source, other = net.pair()
    other:send "hello"
    fails("ESPIPE", 0, a:sendfile(source, 0))
    local poller <close> = assert(socket.poller()) -- neither has a position nor is read
    if poller:fileno() then fails("ESPIPE", 0, a:sendfile(poller)) end
    local full = io.open("/dev/full", "w") -- what is unwritten does not get away
    if full then
      full:write "hello"
      local _, _, code, sent = a:sendfile(full)
      assert.same({ "ENOSPC", 0 }, { code, sent })
      full:close()
    end
  end)

  it("for closed sockets, closed descriptors, and raises for closed files", function()
    local a, b = net.pair()
    local f = file "hello"
    local fd = nextfd()
    fails("EBADF", 0, a:sendfile(fd))
    fails("EBADF", 0, a:sendfile({ fileno = function() end }))
    local closed = net.pair()
    closed:close()
    fails("EBADF", 0, a:sendfile(closed))
    fails("EBADF", 0, closed:sendfile(f))
    fails("EBADF", 0, closed:sendfile(a))
    f:close()
    helper.raises("s:sendfile", "bad argument #1 to 'sendfile' %(closed file%)$", function() a:sendfile(f) end)
    assert.equal("", arrived(b))
  end)

  it("by raising where the program is wrong", function()
    local a, b = net.pair()
    local f = file "hello"
    local function wrong(argument, pattern, ...)
      local arguments = table.pack(...)
      helper.raises("s:sendfile", ("bad argument #%d to 'sendfile' %%(%s%%)$"):format(argument, pattern),
        function() a:sendfile(table.unpack(arguments, 1, arguments.n)) end)
    end
    local expected = "socket, descriptor, or object with fileno or getfd expected, got %s"
    wrong(1, expected:format "nil", nil)
    wrong(1, expected:format "string", "README.md")
    wrong(1, expected:format "table", {})
    wrong(1, expected:format "boolean", true)
    wrong(1, "descriptor out of range", -1)
    wrong(1, "descriptor out of range", 1 << 31)
    wrong(1, "number has no integer representation", 1.5)
    wrong(1, "its descriptor is not an integer in range", { fileno = function() return "x" end })
    wrong(2, "offset must not be negative", f, -1)
    wrong(2, "offset must not be negative", f, math.mininteger)
    wrong(2, "number has no integer representation", f, 2 ^ 63)
    wrong(2, "number has no integer representation", f, 0.5)
    wrong(2, "number expected, got table", f, {})
    wrong(3, "count must not be negative", f, 0, -1)
    wrong(3, "number has no integer representation", f, 0, math.huge)
    wrong(3, "number has no integer representation", f, nil, 0 / 0)
    wrong(3, "number expected, got string", f, nil, "x")
    assert.equal(0, f:seek())
    assert.equal("", arrived(b))
  end)
end)

describe("a file that is closed while sendfile waits", function()
  -- A hook is the one thing that runs then in a program without tasks.
  it("gives EBADF, and what has its number now is left alone", function()
    local signal = build "signal"
    if not signal then helper.skip "no C compiler is here" end
    local a = net.pair()
    local f = file(content(3000000))
    local other
    signal.after(0.02, function()
      f:close()
      other = file(content(3000000))
    end)
    local _, _, code, sent = a:sendfile(f)
    assert.equal("EBADF", code)
    assert.is_true(sent > 0)
    assert.equal(0, other:seek())
  end)

  it("gives EBADF for a socket, too", function()
    local signal = build "signal"
    if not signal then helper.skip "no C compiler is here" end
    local a = net.pair()
    local source = net.pair()
    for _, timeout in ipairs { false, 20 } do
      a:settimeout(timeout or nil)
      for _, victim in ipairs { source, a } do
        signal.after(0.02, function() victim:close() end)
        helper.fails("s:sendfile", "EBADF", a:sendfile(source))
        if victim == source then
          source = net.pair()
        else
          a = net.pair()
          a:settimeout(timeout or nil)
        end
      end
    end
  end)
end)

describe("sendfile under signals #process", function()
  it("sends each byte once", function()
    local signal = build "signal"
    if not signal then helper.skip "no C compiler is here" end
    local data = content(20000000)
    local name = saved(data)
    for _, timeout in ipairs { false, 60 } do
      for _, way in ipairs { "file", "pipe" } do
        local s, child = net.peer([[
          local f <close> = io.open(arg[2], "rb")
          local total = 0
          for data in s:chunks() do
            assert(data == f:read(#data))
            total = total + #data
          end
          print(total)
        ]], name)
        s:settimeout(timeout or nil)
        local f <close> = way == "file" and io.open(name, "rb") or io.popen("cat " .. name)
        signal.every(0.002)
        local sent = s:sendfile(f)
        local count = signal.count()
        signal.every(0)
        assert.equal(#data, sent)
        assert.is_true(count > 0)
        s:close()
        assert.same({ #data .. "\n", 0 }, { child:rest() })
      end
    end
  end)

  it("is interrupted by Ctrl-C, and the file stands behind what was sent", function()
    local name = saved(content(30000000))
    for _, timeout in ipairs { "nil", "60" } do
      local child <close> = net.child([[
        local f = io.open(arg[1], "rb")
        local a, b = socket.socketpair()
        a:settimeout(load("return " .. arg[2])())
        print "now"
        print(pcall(a.sendfile, a, f))
        local at = f:seek()
        a:close()
        print(at > 0, at == #b:read "a")
      ]], name, timeout)
      assert.equal("now", child:line())
      child:asleep()
      child:signal "INT"
      assert.same({ "false\tinterrupted!\ntrue\ttrue\n", 0 }, { child:rest() })
    end
  end)
end)

local function exists(name)
  local f = io.open(name)
  return f and f:close()
end

--- The sources of a file's content, in a task or with another scheduler. From a pipe or a socket nothing comes before
--- there is a file of the name `go`, if that is given.
local sources = {
  file = function(name) return net.keep(assert(io.open(name, "rb"))) end,
  pipe = function(name, go)
    return piped((go and ("until [ -e %s ]; do sleep 0.01; done; cat "):format(go) or "sleep 0.02; cat ") .. name)
  end,
  socket = function(name, go)
    local source, other = net.pair()
    loop.spawn(function()
      loop.sleep(0.02)
      while go and not exists(go) do loop.sleep(0.001) end
      local f <close> = io.open(name, "rb")
      assert(other:sendfile(f))
      other:close()
    end)
    return source
  end,
}

describe("sendfile in a task", function()
  for what, open in pairs(sources) do
    for name, connect in pairs(connections) do
      it(("suspends only that task, from a %s over %s"):format(what, name), function()
        local data = content(1500000)
        local saved_name, pieces, turns, go = saved(data), {}, 0, helper.tmpname()
        local sent = loop.run(function()
          local a, b = connect()
          local reader = loop.spawn(function()
            for piece in b:chunks() do pieces[#pieces + 1] = piece end
          end)
          local ticker = loop.spawn(function()
            while true do
              turns = turns + 1
              if turns == 6 then helper.save(go) end
              loop.sleep(0.001)
            end
          end)
          local n = assert(a:sendfile(open(saved_name, go)))
          a:close()
          reader:join()
          ticker:cancel()
          return n
        end)
        assert.equal(#data, sent)
        assert.is_true(table.concat(pieces) == data)
        if what ~= "file" then assert.is_true(turns > 5, turns) end -- or nothing would have come
      end)
    end

    it("goes on after a timeout where it stopped, from a " .. what, function()
      local data = content(1500000)
      local saved_name, pieces, timeouts, total = saved(data), {}, 0, 0
      loop.run(function()
        local a, b = net.pair()
        local source = open(saved_name)
        a:settimeout(0.005)
        repeat
          local sent, _, code, part = a:sendfile(source)
          if not sent then
            assert(code == "timeout", code)
            timeouts = timeouts + 1
          end
          total = total + (sent or part)
          pieces[#pieces + 1] = arrived(b)
        until sent
      end)
      assert.is_true(timeouts > 0)
      assert.equal(#data, total)
      assert.is_true(table.concat(pieces) == data)
    end)
  end

  it("leaves nothing open, and every byte in its place, when it is cancelled", function()
    local data = content(1000000)
    for what, open in pairs { file = sources.file, pipe = sources.pipe } do
      loop.run(function()
        local a, b = net.pair()
        local go = helper.tmpname()
        local source = open(saved(data), go)
        local free = helper.descriptors()
        local task = loop.spawn(function() a:sendfile(source) end)
        loop.sleep(0.01)
        if what == "pipe" then assert.equal(free + 1, helper.descriptors()) end
        assert.is_true(task:cancel())
        assert.equal(free, helper.descriptors())
        a:close()
        helper.save(go)
        local got = b:read "a"
        assert.is_true(got .. source:read "a" == data, what)
      end)
    end
  end)

  it("is woken when its source is closed, or its socket while there is no room", function()
    loop.run(function()
      local a, b = net.pair()
      local source = net.pair()
      local task = loop.spawn(function() return a:sendfile(source) end)
      loop.sleep(0)
      source:close()
      helper.fails("s:sendfile", "EBADF", select(2, task:join()))
      local f = file(content(1000000))
      task = loop.spawn(function() return a:sendfile(f) end)
      loop.sleep(0)
      a:close()
      local _, _, _, code, sent = task:join()
      assert.equal("EBADF", code)
      assert.equal(sent, f:seek())
      assert.equal(sent, #b:read "a")
      a, b = net.pair()
      f:seek "set"
      task = loop.spawn(function() return a:sendfile(f) end)
      loop.sleep(0)
      f:close()
      local got = loop.spawn(function() return b:read "a" end)
      _, _, _, code, sent = task:join()
      assert.equal("EBADF", code)
      a:close()
      assert.equal(sent, #select(2, got:join()))
    end)
  end)

  it("refuses a coroutine that is no task", function()
    local data = content(1000000)
    loop.run(function()
      local a = net.pair()
      local f = file(data)
      local message = helper.raises("s:sendfile", "loop%.wrap",
        coroutine.wrap(function() a:sendfile(f) end))
      assert.match("^[^\n]*sendfile", message)
    end)
  end)

  it("joins two connections, both ways at once", function()
    local data = content(1000000)
    loop.run(function()
      local left, left_end = net.tcp()
      local right, right_end = net.pair()
      for _, way in ipairs { { left_end, right_end }, { right_end, left_end } } do
        loop.spawn(function()
          assert.equal(#data, way[1]:sendfile(way[2]))
          way[1]:shutdown "SHUT_WR"
        end)
      end
      for _, s in ipairs { left, right } do
        loop.spawn(function()
          assert.equal(#data, s:sendall(data))
          s:shutdown "SHUT_WR"
        end)
        loop.spawn(function() assert.is_true(s:read "a" == data) end)
      end
    end)
  end)
end)

describe("sendfile under another scheduler", function()
  after_each(function() socket.setwaiter(nil) end)

  it("has it wait for the source or for the socket, whichever it is", function()
    local a, b = net.pair()
    local source, other = net.pair()
    local go = helper.tmpname()
    local pipe = piped(("for i in $(seq 100); do [ -e %s ] || sleep 0.1; done; printf hello"):format(go))
    local f = file(content(1000000))
    local log = {}
    socket.setwaiter(function(object, events)
      coroutine.yield(object, events)
      return true
    end)
    local co = coroutine.create(function()
      log[1] = a:sendfile(source)
      log[2] = a:sendfile(pipe)
      log[3] = a:sendfile(f)
    end)
    local function step(expected, expected_events)
      local ok, object, events = coroutine.resume(co)
      assert(ok, object)
      if expected then assert.equal(expected, object) end
      assert.equal(expected_events, events)
      return object
    end
    step(source, "r")
    other:sendall "hello"
    step(source, "r")
    other:close()
    local made
    -- the shell may still be about to close what it inherited; and this scheduler lies, so there are rests
    repeat made = step(nil, "r") until made ~= source and made:type() ~= socket.SOCK_DGRAM
    assert.is_true(made ~= a)
    assert(io.open(go, "w")):close()
    assert.equal(made, socket.select({ made }, nil, 20)[1])
    local _, object, events = coroutine.resume(co)
    while object ~= a do _, object, events = coroutine.resume(co) end -- its end, and rests: this scheduler lies
    assert.equal(a, object)
    assert.equal("w", events)
    assert.is_nil(made:fileno())
    assert.same({ 5, 5 }, log)
    local got = {}
    while coroutine.status(co) == "suspended" do
      got[#got + 1] = arrived(b)
      coroutine.resume(co)
    end
    got[#got + 1] = arrived(b)
    assert.same({ 5, 5, 1000000 }, log)
    assert.is_true(table.concat(got) == "hellohello" .. content(1000000))
  end)
end)

describe("a pipe that comes to be ready just after it was not #process", function()
  it("is not taken for a socket without room, which a task would wait for in vain", function()
    local preload = process.preload [[
      ssize_t splice (int in, off64_t *at, int out, off64_t *to, size_t n, unsigned flags) {
        static int calls;
        ssize_t (*real) (int, off64_t *, int, off64_t *, size_t, unsigned);
        *(void **)&real = dlsym(RTLD_NEXT, "splice");
        if (calls++ == 0) {
          errno = EAGAIN;
          return -1;
        }
        return real(in, at, out, to, n, flags);
      }
    ]]
    local output, status = helper.shell(preload .. helper.command("-e", [[
      local socket, loop = require "bsdsocket", require "bsdsocket.loop"
      loop.run(function()
        local a, b = socket.socketpair()
        loop.spawn(function() for _ in b:chunks() do end end)
        local f <close> = io.open(arg[1])
        print(a:sendfile(f)) -- waits, and so the loop knows the socket
        local pipe <close> = io.popen "printf hello"
        socket.select({pipe}, nil, 20)
        loop.sleep(0.1) -- the other task has nothing to read any more
        a:settimeout(5)
        print(a:sendfile(pipe))
        a:close()
      end)
    ]], "/dev/null", saved(content(1000000))))
    assert.same({ "1000000\n5\n", 0 }, { output, status })
  end)
end)

-- What a program sees of SIGPIPE, by a module of a few lines of C.
describe("the signal of a broken pipe #process", function()
  local guard

  setup(function()
    local dir = helper.tmpdir()
    helper.save(dir .. "/guard.c", [[
      #define _GNU_SOURCE 1
      #include <lauxlib.h>
      #include <pthread.h>
      #include <signal.h>
      #include <unistd.h>

      static sigset_t sigpipe (void) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        return set;
      }
      static int block (lua_State *L) {
        sigset_t set = sigpipe();
        pthread_sigmask(lua_toboolean(L, 1) ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
        return 0;
      }
      static int blocked (lua_State *L) {
        sigset_t set;
        pthread_sigmask(SIG_BLOCK, NULL, &set);
        lua_pushboolean(L, sigismember(&set, SIGPIPE));
        return 1;
      }
      static int pending (lua_State *L) {
        sigset_t set;
        sigpending(&set);
        lua_pushboolean(L, sigismember(&set, SIGPIPE));
        return 1;
      }
      static int own (lua_State *L) {
        pthread_kill(pthread_self(), SIGPIPE);
        return 0;
      }
      int luaopen_guard (lua_State *L);
      int luaopen_guard (lua_State *L) {
        static const luaL_Reg f[] = {
          {"block", block}, {"blocked", blocked}, {"pending", pending}, {"raise", own}, {NULL, NULL}
        };
        luaL_newlib(L, f);
        return 1;
      }
    ]])
    guard = dir .. "/guard.so"
    local output, status = helper.shell(([[
      cd %s && include=$(sh tools/find.sh include) || exit
      case $(uname -s) in Darwin) how='-bundle -undefined dynamic_lookup' ;; *) how=-shared ;; esac
      ${CC:-cc} -std=c99 -I"$include" -fPIC $how -o %s %s/guard.c
    ]]):format(helper.quote(helper.root), guard, dir))
    assert(status == 0, output)
  end)

  local frame = [[
    local guard = package.loadlib(arg[1], "luaopen_guard")()
    local a, b = socket.socketpair()
    local f = io.open(arg[2], "rb")
    local function broken(...)
      local _, _, code = a:sendfile(...)
      assert(code == "EPIPE", code)
    end
    local pipe = io.popen "printf hello"
    local function all()
      b:close()
      broken(f)
      broken(f, 0, 10)
      broken(f, 0, 20000)
      broken(pipe)
    end
  ]]

  local function run(code)
    local child <close> = net.child(frame .. code .. "\npipe:close()\nprint 'done'", guard, saved(content(3000000)))
    assert.same({ "done\n", 0 }, { child:rest() })
  end

  it("does not come", function()
    run [[
      all()
      assert(not guard.blocked() and not guard.pending())
    ]]
  end)

  -- The kernel does so where the connection breaks between two pieces of one call, which seldom comes by chance.
  it("does not come either where the connection breaks after a part", function()
    local preload = process.preload [[
      #include <sys/sendfile.h>
      ssize_t sendfile (int out, int in, off_t *at, size_t n) {
        ssize_t (*real) (int, int, off_t *, size_t);
        *(void **)&real = dlsym(RTLD_NEXT, "sendfile");
        pthread_kill(pthread_self(), SIGPIPE);
        return real(out, in, at, n / 2);
      }
    ]]
    local output, status = helper.shell(preload .. helper.command("-e", [[
      local socket = require "bsdsocket"
      local guard = package.loadlib(arg[1], "luaopen_guard")()
      local a, b = socket.socketpair()
      local f = io.open(arg[2], "rb")
      print(a:sendfile(f, 0, 100000), guard.blocked(), guard.pending())
      print(#b:recv(200000))
    ]], "/dev/null", guard, saved(content(100000))))
    assert.same({ "100000\tfalse\tfalse\n100000\n", 0 }, { output, status })
  end)

  it("does not wait for a program that blocks it", function()
    run [[
      guard.block(true)
      all()
      assert(guard.blocked() and not guard.pending())
      guard.block(false)
    ]]
  end)

  it("still waits for it if it was there before", function()
    run [[
      guard.block(true)
      guard.raise()
      all()
      assert(guard.blocked() and guard.pending())
    ]]
  end)
end)

describe("the system calls of sendfile #strace #process", function()
  --- Those between begin() and done() in the script, by names that all systems share, with the argument that tells
  --- the way; one string each.
  local function calls(code, ...)
    local _, parts = trace([[
      local a, b = assert(socket.socketpair())
      local f = assert(io.open(arg[1], "rb"))
    ]] .. code, nil, ...)
    for i, part in ipairs(parts) do
      for k, line in ipairs(part) do
        local name = line:match "^[%w_]+"
        part[k] = name:gsub("^newf", "f"):gsub("^fstatat$", "fstat"):gsub("^rt_", "")
          .. (name == "sendfile" and " " .. line:match ", (%d+)%) *= " or "")
      end
      parts[i] = table.concat(part, ", ")
    end
    return parts
  end

  it("are few, and ask for no more than the file has", function()
    local f = saved(content(100000))
    assert.same({
      "fstat, pread64, sendto",
      "fstat, sigprocmask, sendfile 100000, sigprocmask",
      "fstat, sigprocmask, sendfile 50000, sigprocmask",
    }, calls([[
      for _, arguments in ipairs {{f, 10, 1000}, {f, 0}, {f, 50000, 1 << 40}} do
        begin()
        a:sendfile(table.unpack(arguments))
        done()
      end
    ]], f))
  end)
end)

describe("sendfile where memory is out", function()
  it("loses nothing and leaks nothing", function()
    local alloc = build "alloc"
    if not alloc then helper.skip "no C compiler is here" end
    local message, bytes, blocks, wrong = alloc.run(package.path, package.cpath, [[
      local socket = require "bsdsocket"
      local name = ...
      local function lowest()
        local s <close> = assert(socket.socket())
        return s:fileno()
      end
      local sources = {
        file = function() return io.open(name, "rb") end,
        pipe = function() return io.popen("cat " .. name) end,
        socket = function()
          local s, other = socket.socketpair()
          other:sendall "0123456789"
          other:close()
          return s
        end,
      }
      local free = lowest()
      for what, open in pairs(sources) do
        for failing = 1, 2 do
          for k = 1, 1000 do
            local a, b = socket.socketpair()
            local source = open()
            local hit, done, sent = fault(k, failing, a.sendfile, a, source)
            assert(done or sent == "not enough memory", sent)
            collectgarbage()
            if not done then assert(a:sendfile(source)) end
            a:close()
            assert(b:recv() == "0123456789", what)
            b:close()
            source:close()
            collectgarbage()
            assert(lowest() == free, "a descriptor was leaked: " .. what)
            if not hit then break end
          end
        end
      end
    ]], saved "0123456789")
    assert.is_nil(message)
    assert.same({ 0, 0, false }, { bytes, blocks, wrong })
  end)
end)
