-- csrc/call/read.c, reading a stream as a file: read lines, and chunks. Other files beside this one have the rest of
-- the file face:   stream_bound_spec.lua   readuntil setmaxline: delimiters, and how long a line may be
-- stream_ahead_spec.lua   pending, and what all other calls make of bytes that were read ahead
-- stream_script_spec.lua  a generated script of formats, on a file and on a socket   stream_write_spec.lua   write
-- flush setvbuf, and what is not flushed yet   stream_cost_spec.lua    system calls, memory, and memory that runs out
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"

local closed, gives = net.closed, net.gives

after_each(net.close)

local nan, inf = 0 / 0, math.huge
local big = 2 ^ 63 -- a float that is no integer of Lua's

local a, b -- b reads what a sends

before_each(function()
  a, b = net.pair()
  b:settimeout(5) -- so that nothing hangs
end)

--- What `read` of a file gives for this text with each of the lists of formats, one after the other.
local function infile(text, lists)
  local file <close> = assert(io.tmpfile())
  assert(file:write(text))
  file:seek "set"
  local all = {}
  for i, formats in ipairs(lists) do all[i] = table.pack(file:read(table.unpack(formats))) end
  return all
end

--- The same of a socket to which the text comes at once, and its end behind it.
local function insocket(text, lists)
  local c, d = net.pair()
  d:settimeout(5)
  assert(c:sendall(text))
  c:close()
  local all = {}
  for i, formats in ipairs(lists) do all[i] = table.pack(d:read(table.unpack(formats))) end
  d:close()
  return all
end
describe("read", function()
  local text = "one\ntwo\r\n\n\r\n\r\r\nth\rree\0\n\n\rx\n"

  it("gives one line after the other, without its \\n or \\r\\n but with every other byte", function()
    a:sendall(text)
    for _, line in ipairs {"one", "two", "", "", "\r", "th\rree\0", "", "\rx"} do gives({line}, b:read "l") end
  end)

  it("gives lines as they are for L", function()
    a:sendall(text)
    for line in text:gmatch "[^\n]*\n" do gives({line}, b:read "L") end
  end)

  it("reads a line where no format says otherwise", function()
    a:sendall "one\r\ntwo\n"
    gives({"one"}, b:read())
    gives({"two"}, b:read())
  end)

  it("takes formats with a star, and what follows their letter, as files do", function()
    a:sendall "one\ntwo\n3 four\nfive\nsix\nseven"
    gives({"one", "two\n", 3, " four"}, b:read("*l", "*L", "*n", "line"))
    gives({"five", "six\n"}, b:read("*line", "*L"))
    a:close()
    gives({"seven"}, b:read "*a")
  end)

  it("gives exactly as many bytes as asked for", function()
    a:sendall "abcdefg\n\0\r\n"
    gives({"abc"}, b:read(3))
    gives({"d"}, b:read(1.0))
    gives({"efg\n\0\r\n"}, b:read(7))
    b:settimeout(0)
    a:send "ab"
    helper.fails("s:read", "EAGAIN", b:read(3))
    a:send "cd"
    gives({"abc"}, b:read(3))
    gives({"d"}, b:read(1))
  end)

  it("gives as many bytes as asked for when they are very many", function()
    local piece = ("0123456789"):rep(6000)
    local n = 2500000
    b:settimeout(0)
    local fed, data = 0
    repeat
      a:sendall(piece)
      fed = fed + #piece
      data = b:read(n)
    until data or fed > 2 * n
    assert.equal(n, #data)
    assert.is_true(data == piece:rep(n // #piece + 1):sub(1, n))
    assert.equal(fed - n, b:pending())
  end)

  it("gives everything up to the end for a", function()
    b:settimeout(0)
    a:sendall "one\n"
    helper.fails("s:read", "EAGAIN", b:read "a")
    a:sendall "two\r\n\0"
    helper.fails("s:read", "EAGAIN", b:read "a")
    a:close()
    gives({"one\ntwo\r\n\0"}, b:read "a")
    gives({""}, b:read "a")
    gives({""}, b:read "a")
  end)

  it("gives at the end what is left, then nil again and again", function()
    for _, case in ipairs {
      {"abc", "l", "abc"}, {"abc\r", "l", "abc\r"}, {"\r", "l", "\r"}, {"\n", "l", ""}, {"abc", "L", "abc"},
      {"abc", 4, "abc"}, {"abc", 3, "abc"}, {"abc", 1 << 40, "abc"}, {"abc", math.maxinteger, "abc"},
      {"12", "n", 12}, {" -0x1p4", "n", -16.0},
    } do
      local c, d = net.pair()
      d:settimeout(5)
      c:sendall(case[1])
      c:close()
      gives({case[3]}, d:read(case[2]))
      for _ = 1, 3 do
        for _, format in ipairs {"l", "L", "n", 1, 0, 1 << 40} do gives({nil, n = 1}, d:read(format)) end
        gives({nil, n = 1}, d:read())
      end
      gives({""}, d:read "a")
      net.close()
    end
  end)

  it("reads numerals as files do", function()
    local texts = {
      "0", "12", "-12", "+12", "12.5", ".5", "5.", "-.5e3", "1e10", "1E+10", "1e-10", "1e400", "0x10", "0XfF", "-0x1p4",
      "0x.8p1", "0xA.8P-1", "0x1p+", "9223372036854775807", "9223372036854775808", "0x7fffffffffffffff",
      "0xffffffffffffffffff", "  \t\n\v\f\r 42", "00012", "0x", "0xg", "1e", "1e+", "1e+x", "e5", ".",
      "-", "+", "+-5", "--5", "nan", "inf", "-nan", "x12", "", " ", "\n", "12x", "12,5", "1.2.3", "1..2", "1_000",
      "0b1", "\0" .. "12", "12\0", "1\r\n2", "0x1.p1", "0x.p1", "0xep1", "1p4", "3-2", "1e5e5", "\xa0" .. "12",
    }
    for n = 197, 203 do
      texts[#texts + 1] = ("1"):rep(n)
      texts[#texts + 1] = "-" .. ("0"):rep(n)
      texts[#texts + 1] = "0x" .. ("f"):rep(n)
      texts[#texts + 1] = "1." .. ("1"):rep(n)
      texts[#texts + 1] = "1e" .. ("0"):rep(n)
      texts[#texts + 1] = (" "):rep(n) .. ("1"):rep(n) .. "e5"
    end
    for _, numeral in ipairs(texts) do
      for _, after in ipairs {"", " 7 x", "\nz", "e", ".", "0"} do
        local lists = {{"n"}, {"n"}, {"a"}}
        local expected, gotten = infile(numeral .. after, lists), insocket(numeral .. after, lists)
        assert.same(expected, gotten, ("%q"):format(numeral .. after))
        for i, values in ipairs(expected) do
          assert.equal(math.type(values[1]), math.type(gotten[i][1]), ("%q"):format(numeral .. after))
        end
      end
    end
  end)

  it("goes on with a numeral of which only a part has come", function()
    b:settimeout(0)
    for _, piece in ipairs {" ", "-", "0", "x", "1", ".", "8", "p", "+", "1"} do
      a:send(piece)
      helper.fails("s:read", "EAGAIN", b:read "n")
    end
    a:send ";"
    gives({-3.0}, b:read "n")
    gives({";"}, b:read(1))
  end)

  it("for 0 tells whether the end has come, and never waits", function()
    b:settimeout(nil)
    gives({""}, net.atonce(b.read, b, 0))
    a:send "xy"
    gives({""}, net.atonce(b.read, b, 0))
    gives({"x"}, b:read(1))
    gives({""}, net.atonce(b.read, b, 0))
    a:close()
    gives({""}, net.atonce(b.read, b, 0))
    gives({"y", nil, n = 2}, b:read(1, 0))
    gives({nil, n = 1}, b:read(0))
    gives({nil, n = 1}, b:read(0, "l"))
  end)

  it("for 0 leaves what is there to others", function()
    a:send "xy"
    gives({"", ""}, b:read(0, 0))
    assert.equal("xy", b:recv())
  end)

  it("takes several formats in one call", function()
    a:sendall "12 one\ntwo\r\nabcdrest"
    gives({12, " one", "two\r\n", "", "ab", "cd"}, b:read("n", "l", "L", 0, 2, 2))
    a:close()
    gives({"rest"}, b:read "a")
  end)

  it("stops at the first format for which there is nothing", function()
    a:sendall "one\nx2\n"
    a:close()
    gives({"one", nil, n = 2}, b:read("l", "n", "l"))
    gives({"x2", nil, n = 2}, b:read("l", "l", "a"))
  end)

  it("takes as many formats as Lua passes", function()
    local data, formats = ("abcdefghij"):rep(50), {}
    a:sendall(data)
    for i = 1, #data do formats[i] = 1 end
    assert.equal(data, table.concat({b:read(table.unpack(formats))}))
  end)

  it("under timeout 0 says EAGAIN, keeps what has come, and goes on when it is repeated", function()
    b:settimeout(0)
    for _, formats in ipairs {{}, {"l"}, {"L"}, {"a"}, {10}, {"n"}, {"l", "l"}, {1, 10}, {"n", "n"}, {0, "a"}} do
      a:send "12"
      assert.equal("read: Resource temporarily unavailable",
        helper.fails("s:read", "EAGAIN", net.atonce(b.read, b, table.unpack(formats))))
      assert.equal(2, b:pending())
      helper.fails("s:read", "EAGAIN", b:read(table.unpack(formats)))
      assert.equal("12", b:recv())
      helper.fails("s:read", "EAGAIN", b:read(table.unpack(formats)))
    end
    for _, piece in ipairs {"one", "\r", " and", " a half\r"} do
      a:send(piece)
      helper.fails("s:read", "EAGAIN", b:read())
    end
    a:send "\n"
    gives({"one\r and a half"}, b:read())
  end)

  it("that fails in any format puts everything back", function()
    b:settimeout(0)
    a:send "12 one\ntwo"
    helper.fails("s:read", "EAGAIN", b:read("n", "l", "l"))
    assert.equal(10, b:pending())
    helper.fails("s:read", "EAGAIN", b:read("n", 1, "L", "L"))
    assert.equal(10, b:pending())
    a:send "\n"
    gives({12, " one", "two"}, b:read("n", "l", "l"))
    assert.equal(0, b:pending())
  end)

  it("takes no longer than its timeout in all, however the bytes dribble in #process", function()
    local s, child = net.peer [[
      while s:send "1" do socket.select(nil, nil, 0.01) end
    ]]
    s:settimeout(0.1)
    for _, call in ipairs {{"read", "n"}, {"read"}, {"read", "a"}, {"read", 10000}, {"readuntil", "\n"}} do
      local method = s[call[1]]
      assert.equal(call[1] .. ": timed out",
        helper.fails("s:" .. call[1], "timeout", net.takes(0.1, method, s, table.unpack(call, 2))))
    end
    net.sometime(function()
      helper.fails("s:read", "timeout", s:read "a")
      return s:pending() > 10, s:pending()
    end)
    local n = s:pending()
    assert.equal(("1"):rep(n), s:read(n))
    child:close()
  end)

  it("waits without a timeout until everything is there #process", function()
    local s, child = net.peer [[
      for _, piece in ipairs { "1", "2 he", "l", "lo\r", "\nab", "c", "de", "f--", "-" } do
        s:send(piece)
        socket.select(nil, nil, 0.02)
      end
    ]]
    gives({12, " hello", "abc"}, s:read("n", "l", 3))
    gives({"def---"}, s:readuntil "---")
    gives({nil, n = 1}, s:read())
    child:close()
  end)

  it("tells a reset from the end, and keeps what came before it", function()
    local c, d = net.tcp()
    d:settimeout(5)
    c:send "one\ntwo"
    gives({"one"}, d:read())
    net.reset(c)
    assert.equal("read: Connection reset by peer", helper.fails("s:read", "ECONNRESET", d:read("l", "l")))
    assert.equal(3, d:pending())
    assert.equal("two", d:recv())
    c, d = net.tcp()
    d:settimeout(0)
    c:send "one\ntwo"
    socket.select({d}, nil, 5)
    helper.fails("s:readuntil", "EAGAIN", d:readuntil "x")
    net.reset(c)
    d:settimeout(5)
    helper.fails("s:readuntil", "ECONNRESET", d:readuntil "x")
    gives({"one"}, d:read())
  end)

  it("says ENOTCONN on a socket without a connection", function()
    local s <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
    for _, format in ipairs {"l", "L", "a", "n", 1} do
      assert.equal("read: " .. socket.strerror "ENOTCONN", helper.fails("s:read", "ENOTCONN", s:read(format)))
    end
    helper.fails("s:readuntil", "ENOTCONN", s:readuntil "x")
  end)

  it("says EBADF on a closed socket, whatever is asked", function()
    for _, format in ipairs {"l", "L", "a", "n", 1, 0} do
      assert.equal("read: Bad file descriptor", helper.fails("s:read", "EBADF", closed():read(format)))
    end
    helper.fails("s:read", "EBADF", closed():read())
    a:send "one\ntwo\n"
    gives({"one"}, b:read())
    b:close()
    helper.fails("s:read", "EBADF", b:read())
  end)

  it("says EOPNOTSUPP where messages have bounds", function()
    for _, kind in ipairs {"SOCK_DGRAM", "SOCK_SEQPACKET"} do
      local c, d = net.pair(kind)
      c:send "one\ntwo\n"
      for _, format in ipairs {"l", "a", "n", 1, 0} do
        assert.equal("read: " .. socket.strerror "EOPNOTSUPP", helper.fails("s:read", "EOPNOTSUPP", d:read(format)))
      end
      helper.fails("s:readuntil", "EOPNOTSUPP", d:readuntil "\n")
      assert.equal("one\ntwo\n", d:recv())
    end
  end)

  it("raises on what is no format, and has consumed nothing then", function()
    a:send "one\ntwo\n"
    for _, value in ipairs {
      true, {}, print, io.stdout, "", "*", "x", "**l", "5", "\0l", -1, math.mininteger, 1.5, nan, inf, big,
    } do
      helper.raises("s:read", "bad argument #1 to 'read'", function() b:read(value) end)
      helper.raises("s:read", "bad argument #3 to 'read'", function() b:read("l", 2, value) end)
    end
    helper.raises("s:read", "bad argument #2 to 'read'", function() b:read("l", nil) end)
    helper.raises("s:read", "socket expected", b.read, io.stdout)
    gives({"one", "two"}, b:read("l", "l"))
  end)

  -- Calls f, and `act` as a finalizer of what f makes first: for that the collector runs as far as it goes.
  local function finalizing(act, f)
    local acted = false
    helper.eager()
    collectgarbage()
    collectgarbage "stop"
    setmetatable({}, {__gc = function()
      acted = true
      act()
    end})
    collectgarbage "restart"
    local results = table.pack(pcall(f))
    assert.is_true(acted)
    helper.lazy()
    return table.unpack(results, 1, results.n)
  end

  it("is not harmed by a finalizer that closes the socket, or reads from others, meanwhile", function()
    for _, name in ipairs {"read", "lines", "readuntil"} do
      for _, act in ipairs {
        function(s) s:close() end,
        function()
          local e <close>, other = socket.socketpair()
          local f <close> = other
          e:send "other\nx"
          assert.equal("other", f:read())
        end,
      } do
        local c, d = net.pair()
        c:send "one\nnext\n"
        d:settimeout(5)
        local nextline = d:lines "L"
        local calls = {
          read = function() return d:read "L" end, lines = nextline, readuntil = function() return d:readuntil "\n" end,
        }
        local ok, data = finalizing(function() act(d) end, calls[name])
        if d:fileno() then
          assert.is_true(ok)
          assert.equal("one\n", data)
          gives({"next"}, d:read())
        end
      end
    end
  end)

  local line = ("x"):rep(100) -- long enough to be made anew each time

  it("tells in a loop over lines, too, that a finalizer took what it had found", function()
    for message, act in pairs {
      ["lines: " .. socket.strerror "EBUSY"] = function(s) s:read() end,
      ["lines: Bad file descriptor"] = function(s) s:close() end,
    } do
      local c, d = net.pair()
      c:send("first\n" .. (line .. "\n"):rep(3))
      assert.equal("first", d:read())
      gives({false, message}, finalizing(function() act(d) end, d:lines("l", "l")))
      if d:fileno() then gives({line, line}, d:read("l", "l")) end
    end
  end)

  it("loses no line to a finalizer that reads from the socket meanwhile, nor does recv", function()
    local n = #line + 1
    for _, name in ipairs {"read", "lines", "readuntil", "recv", "recvfrom", "MSG_WAITALL"} do
      local c, d = net.pair()
      c:send("first\n" .. line .. "\nlast\n")
      d:settimeout(5)
      assert.equal("first", d:read())
      local calls = {
        read = function() return d:read "L" end, lines = d:lines "L",
        readuntil = function() return d:readuntil "\n" end,
        recv = function() return d:recv(n) end, recvfrom = function() return (d:recvfrom(n)) end,
        MSG_WAITALL = function() return d:recv(n, "MSG_WAITALL") end,
      }
      local read
      gives({true, line .. "\n"}, finalizing(function() read = d:read() end, calls[name]))
      assert.equal(line, read)
      gives({"last"}, d:read())
    end
  end)

  it("is ended by Ctrl-C, and has lost nothing then #process", function()
    for _, call in ipairs {"read 'l'", "readuntil 'x'", "read('n', 'a')", "lines('L')()"} do
      local child <close> = net.child(([[
        local a, b = socket.socketpair()
        a:send "12 one"
        print "now"
        print(pcall(function() b:%s end))
        a:send " more\n"
        b:settimeout(20)
        print(b:read())
      ]]):format(call))
      assert.equal("now", child:line())
      child:asleep()
      child:signal "INT"
      assert.match("^false\t[^\n]*interrupted!\n12 one more\n$", (child:rest()))
    end
  end)
end)

describe("lines", function()
  it("goes through the lines of a stream, as those of a file", function()
    a:sendall "one\r\n\ntwo\nthree"
    a:close()
    local seen = {}
    for line in b:lines() do seen[#seen + 1] = line end
    assert.same({"one", "", "two", "three"}, seen)
    assert.is_truthy(b:fileno())
    for _ in b:lines() do error "there are no more" end
  end)

  it("takes the formats of read, several of them, too", function()
    a:sendall "12 one\n13 two\r\nabc"
    a:close()
    local seen = {}
    for n, space, rest in b:lines("n", 1, "L") do seen[#seen + 1] = ("%d%s%s"):format(n, space, rest) end
    assert.same({"12 one\n", "13 two\r\n"}, seen)
    local c, d = net.pair()
    c:sendall "abcde"
    c:close()
    seen = {}
    for two, more in d:lines(2, 0) do
      seen[#seen + 1] = two
      seen[#seen + 1] = more and "+" or "-"
    end
    assert.same({"ab", "+", "cd", "+", "e", "-"}, seen)
  end)

  it("can be left and begun again without losing a byte", function()
    a:sendall "one\ntwo\nthree\nfour\n"
    for line in b:lines() do
      if line == "two" then break end
    end
    assert.equal("thr", b:recv(3))
    assert.equal("ee\n", b:lines "L"())
    gives({"four"}, b:read())
  end)

  it("raises where read would return a failure, and goes on when it is called again", function()
    b:settimeout(0)
    a:send "one\ntw"
    local nextline = b:lines()
    gives({"one"}, nextline())
    helper.raises("s:lines", "Resource temporarily unavailable$", nextline)
    a:send "o\n"
    gives({"two"}, nextline())
    b:settimeout(0.01)
    helper.raises("s:lines", "timed out$", nextline)
    a:send "a line that is too long"
    b:setmaxline(3)
    helper.raises("s:lines", socket.strerror "EMSGSIZE" .. "$", nextline)
    b:setmaxline(100)
    a:close()
    gives({"a line that is too long"}, nextline())
    gives({nil, n = 1}, nextline())
    gives({nil, n = 1}, nextline())
    b:close()
    helper.raises("s:lines", "Bad file descriptor$", nextline)
  end)

  it("raises when the socket is closed inside the loop, or is closed already", function()
    a:sendall "one\ntwo\n"
    local rounds = 0
    helper.raises("s:lines", "Bad file descriptor$", function()
      for _ in b:lines() do
        rounds = rounds + 1
        b:close()
      end
    end)
    assert.equal(1, rounds)
    helper.raises("s:lines", "Bad file descriptor$", function() closed():lines()() end)
  end)

  it("raises at once on what is no format", function()
    for _, value in ipairs {true, {}, print, "", "x", "5", -1, 1.5, nan} do
      helper.raises("s:lines", "bad argument #1 to 'lines'", function() b:lines(value) end)
      helper.raises("s:lines", "bad argument #2 to 'lines'", function() b:lines("l", value) end)
    end
    helper.raises("s:lines", "socket expected", b.lines, io.stdout)
    local many = {}
    for i = 1, 240 do many[i] = 1 end
    a:sendall(("x"):rep(240))
    assert.equal(240, select("#", b:lines(table.unpack(many))()))
    for i = 1, 260 do many[i] = 1 end
    helper.raises("s:lines", "too many arguments", function() b:lines(table.unpack(many)) end)
  end)

  it("raises at once where messages have bounds", function()
    for _, kind in ipairs {"SOCK_DGRAM", "SOCK_SEQPACKET"} do
      local _, d = net.pair(kind)
      helper.raises("s:lines", socket.strerror "EOPNOTSUPP", function() d:lines() end)
    end
  end)

  it("keeps its socket alive", function()
    helper.collects()
    local c, d = socket.socketpair()
    c:sendall "one\ntwo\n"
    c:close()
    local nextline = d:lines()
    d = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    gives({"one"}, nextline())
    gives({"two"}, nextline())
    gives({nil, n = 1}, nextline())
  end)
end)

describe("chunks", function()
  it("gives what arrives as it arrives, until the end of the stream", function()
    local nextchunk = b:chunks()
    for _, piece in ipairs {"one", "\0\r\ntwo\n", "x"} do
      a:send(piece)
      gives({piece}, net.atonce(nextchunk))
    end
    a:close()
    gives({nil, n = 1}, nextchunk())
    gives({nil, n = 1}, nextchunk())
    for _ in b:chunks() do error "there is nothing more" end
    assert.is_truthy(b:fileno())
  end)

  it("gives no more than n bytes at a time", function()
    a:sendall "abcdefg"
    a:close()
    local seen = {}
    for data in b:chunks(3) do seen[#seen + 1] = data end
    assert.same({"abc", "def", "g"}, seen)
  end)

  it("begins with the bytes that were read ahead, and leaves the next to others", function()
    a:sendall "one\ntwo\nthree"
    gives({"one"}, b:read())
    gives({"tw"}, b:chunks(2)())
    gives({"o"}, b:read())
    a:close()
    local all = {}
    for data in b:chunks() do all[#all + 1] = data end
    assert.equal("three", table.concat(all))
  end)

  it("raises where recv would return a failure, and goes on when it is called again", function()
    b:settimeout(0)
    local nextchunk = b:chunks()
    helper.raises("s:chunks", "Resource temporarily unavailable$", nextchunk)
    b:settimeout(0.01)
    helper.raises("s:chunks", "timed out$", nextchunk)
    a:send "x"
    gives({"x"}, nextchunk())
    b:close()
    helper.raises("s:chunks", "Bad file descriptor$", nextchunk)
    local c, d = net.tcp()
    net.reset(c)
    helper.raises("s:chunks", "Connection reset by peer$", d:chunks())
  end)

  it("raises at once where messages have bounds", function()
    for _, kind in ipairs {"SOCK_DGRAM", "SOCK_SEQPACKET"} do
      local _, d = net.pair(kind)
      helper.raises("s:chunks", socket.strerror "EOPNOTSUPP", function() d:chunks() end)
    end
  end)

  it("raises at once on what is no count", function()
    for _, value in ipairs {true, {}, "x", 0, -1, 1.5, nan, big} do
      helper.raises("s:chunks", "bad argument #1 to 'chunks'", function() b:chunks(value) end)
    end
    helper.raises("s:chunks", "socket expected", b.chunks, io.stdout)
  end)
end)
