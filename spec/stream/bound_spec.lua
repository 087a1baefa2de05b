-- Parts of a stream up to a delimiter, and how long a line may be: readuntil setmaxline.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local socket = require "bsdsocket"
local makerandom = require "spec.support.random"

local closed, gives = net.closed, net.gives

after_each(net.close)

local nan, inf = 0 / 0, math.huge
local big = 2 ^ 63 -- a float that is no integer of Lua's

local a, b -- b reads what a sends

before_each(function()
  a, b = net.pair()
  b:settimeout(5) -- so that nothing hangs
end)

describe("readuntil", function()
  it("gives the data up to and with the delimiter", function()
    a:sendall "GET / HTTP/1.1\r\nHost: x\r\n\r\nbody;more\0\0end"
    gives({"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, b:readuntil "\r\n\r\n")
    gives({"body;"}, b:readuntil ";")
    gives({"more\0\0"}, b:readuntil "\0\0")
    gives({"e"}, b:readuntil "e")
    gives({"nd"}, b:readuntil "nd")
  end)

  it("gives at the end of the stream what is left, then nil", function()
    a:sendall "one;two"
    a:close()
    gives({"one;"}, b:readuntil ";")
    gives({"two"}, b:readuntil ";")
    gives({nil, n = 1}, b:readuntil ";")
    gives({nil, n = 1}, b:readuntil ";")
  end)

  it("finds a delimiter wherever the pieces are cut", function()
    b:settimeout(0)
    for _, case in ipairs {{"xaaaab", "aab"}, {"\r\r\n\r\r\n\r\n", "\r\n\r\n"}, {"ababac", "abac"}, {"--", "--"}} do
      local text, delimiter = table.unpack(case)
      for first = 0, #text - 1 do
        for second = first, #text - 1 do
          for _, cut in ipairs {{1, first}, {first + 1, second}} do
            a:sendall(text:sub(cut[1], cut[2]))
            helper.fails("s:readuntil", "EAGAIN", b:readuntil(delimiter))
          end
          a:sendall(text:sub(second + 1) .. "rest")
          gives({text}, b:readuntil(delimiter))
          gives({"rest"}, b:read(4))
        end
      end
    end
  end)

  it("finds the first of all places, as string.find does", function()
    local random, seed = makerandom()
    local function word(n)
      local letters = {}
      for i = 1, random(0, n) do letters[i] = random(2) == 1 and "a" or "b" end
      return table.concat(letters)
    end
    for _ = 1, 500 do
      local text, delimiter = word(60), word(4) .. "a"
      a:sendall(text .. "\n")
      local rest = text .. "\n"
      while true do
        local _, at = rest:find(delimiter, 1, true)
        if not at then break end
        assert.equal(rest:sub(1, at), b:readuntil(delimiter), seed)
        rest = rest:sub(at + 1)
      end
      assert.equal(rest, b:read "L", seed)
    end
  end)

  it("gives as much as max bytes before the delimiter, and keeps what is more", function()
    b:settimeout(0)
    for _, delimiter in ipairs {";", "\r\n", "aab"} do
      a:send("12345" .. delimiter .. "123456" .. delimiter)
      gives({"12345" .. delimiter}, b:readuntil(delimiter, 5))
      assert.equal("readuntil: " .. socket.strerror "EMSGSIZE",
        helper.fails("s:readuntil", "EMSGSIZE", b:readuntil(delimiter, 5)))
      helper.fails("s:readuntil", "EMSGSIZE", b:readuntil(delimiter, 1))
      gives({"123456" .. delimiter}, b:readuntil(delimiter, 6))
      a:send(delimiter .. "1" .. delimiter)
      gives({delimiter}, b:readuntil(delimiter, 1))
      gives({"1" .. delimiter}, b:readuntil(delimiter, 1))
    end
  end)

  it("says EMSGSIZE as soon as the bound is passed, not when the delimiter comes, nor before", function()
    b:settimeout(0)
    a:send "12345"
    helper.fails("s:readuntil", "EAGAIN", b:readuntil("\r\n", 5))
    a:send "\r" -- the delimiter may have begun
    helper.fails("s:readuntil", "EAGAIN", b:readuntil("\r\n", 5))
    a:send "\n"
    gives({"12345\r\n"}, b:readuntil("\r\n", 5))
    a:send "123456"
    helper.fails("s:readuntil", "EMSGSIZE", b:readuntil("\n", 5))
    assert.equal(6, b:pending())
    helper.fails("s:readuntil", "EMSGSIZE", b:readuntil("\n", 5))
    a:close()
    helper.fails("s:readuntil", "EMSGSIZE", b:readuntil("\n", 5))
    gives({"123456"}, b:readuntil("\n", 6))
    local c, d = net.pair()
    d:settimeout(0)
    c:send "12345\r"
    helper.fails("s:readuntil", "EAGAIN", d:readuntil("\r\n", 5))
    c:close()
    helper.fails("s:readuntil", "EMSGSIZE", d:readuntil("\r\n", 5))
    gives({"12345\r"}, d:readuntil("\r\n", 6))
  end)

  it("gives up at its timeout, and goes on then", function()
    b:settimeout(0.02)
    a:send "on"
    assert.equal("readuntil: timed out",
      helper.fails("s:readuntil", "timeout", net.takes(0.02, b.readuntil, b, ";")))
    a:send "e;"
    gives({"one;"}, b:readuntil ";")
    b:settimeout(0)
    assert.equal("readuntil: Resource temporarily unavailable", helper.fails("s:readuntil", "EAGAIN", b:readuntil ";"))
  end)

  it("says EBADF on a closed socket", function()
    helper.fails("s:readuntil", "EBADF", closed():readuntil ";")
  end)

  it("raises on what is no delimiter, no bound", function()
    a:send "one;"
    for _, value in ipairs {true, {}, print, io.stdout, ""} do
      helper.raises("s:readuntil", "bad argument #1 to 'readuntil'", function() b:readuntil(value) end)
    end
    helper.raises("s:readuntil", "bad argument #1 to 'readuntil'", function() b:readuntil() end)
    for _, value in ipairs {true, {}, "x", 0, -1, math.mininteger, 1.5, nan, inf, big} do
      helper.raises("s:readuntil", "bad argument #2 to 'readuntil'", function() b:readuntil(";", value) end)
    end
    helper.raises("s:readuntil", "socket expected", b.readuntil, io.stdout, ";")
    gives({"one;"}, b:readuntil(";", math.maxinteger))
  end)
end)

describe("setmaxline", function()
  it("bounds lines by what stands before the newline", function()
    b:settimeout(0)
    assert.equal(b, b:setmaxline(5))
    for _, format in ipairs {"l", "L"} do
      a:send "12345\n123456\n"
      gives({format == "l" and "12345" or "12345\n"}, b:read(format))
      assert.equal("read: " .. socket.strerror "EMSGSIZE", helper.fails("s:read", "EMSGSIZE", b:read(format)))
      helper.fails("s:read", "EMSGSIZE", b:read(format))
      assert.equal(7, b:pending())
      assert.equal("123456\n", b:recv())
    end
    a:send "12345;123456;"
    gives({"12345;"}, b:readuntil ";")
    helper.fails("s:readuntil", "EMSGSIZE", b:readuntil ";")
    gives({"123456;"}, b:readuntil(";", 6))
  end)

  it("can be raised to go on with a line that was too long", function()
    b:settimeout(0)
    b:setmaxline(5)
    a:send "12345"
    helper.fails("s:read", "EAGAIN", b:read())
    a:send "6"
    helper.fails("s:read", "EMSGSIZE", b:read())
    b:setmaxline(10)
    helper.fails("s:read", "EAGAIN", b:read())
    a:send "78\n"
    gives({"12345678"}, b:read())
  end)

  it("bounds the last line as well, which has no newline", function()
    b:setmaxline(5)
    a:send "12345\n123456"
    a:close()
    gives({"12345"}, b:read())
    helper.fails("s:read", "EMSGSIZE", b:read())
    b:setmaxline(6)
    gives({"123456"}, b:read())
    gives({nil, n = 1}, b:read())
  end)

  it("puts back what other formats of the call have read", function()
    b:setmaxline(5)
    a:send "1 2345\n123456\n"
    helper.fails("s:read", "EMSGSIZE", b:read("n", "l", "l"))
    assert.equal(14, b:pending())
    gives({1, " 2345", "123"}, b:read("n", "l", 3))
  end)

  it("bounds the white space before a numeral", function()
    b:setmaxline(5)
    a:send "     1 "
    gives({1}, b:read "n")
    a:send(("\n"):rep(100))
    helper.fails("s:read", "EMSGSIZE", b:read "n")
    gives({(" " .. ("\n"):rep(100))}, b:read(101))
  end)

  it("does not bound counts, nor a", function()
    b:setmaxline(2)
    a:send "0123456789abcdef"
    gives({"0123456789"}, b:read(10))
    a:close()
    gives({"abcdef"}, b:read "a")
  end)

  it("is a mebibyte unless set", function()
    b:settimeout(0)
    local fed, limit = 0, 1 << 20
    local function feed(upto)
      while fed < upto do
        local n = math.min(50000, upto - fed)
        a:sendall(("x"):rep(n))
        fed = fed + n
        local _, message, code = b:read()
        if fed <= limit then helper.fails("s:read", "EAGAIN", nil, message, code) end
      end
    end
    feed(limit)
    a:send "\n"
    assert.equal(limit, #b:read())
    fed = 0
    feed(limit)
    feed(limit + 1)
    helper.fails("s:read", "EMSGSIZE", b:read())
    assert.equal(limit + 1, #b:read(limit + 1))
  end)

  it("says EBADF on a closed socket", function()
    helper.fails("s:setmaxline", "EBADF", closed():setmaxline(10))
  end)

  it("raises on what is no bound", function()
    for _, value in ipairs {true, {}, print, "x", 0, -1, math.mininteger, 1.5, nan, inf, big} do
      helper.raises("s:setmaxline", "bad argument #1 to 'setmaxline'", function() b:setmaxline(value) end)
    end
    helper.raises("s:setmaxline", "bad argument #1 to 'setmaxline'", function() b:setmaxline() end)
    helper.raises("s:setmaxline", "socket expected", b.setmaxline, io.stdout, 1)
    assert.equal(b, b:setmaxline(math.maxinteger))
    a:send "x\n"
    gives({"x"}, b:read())
  end)
end)

describe("what comes in small pieces", function()
  it("costs no more time for each of them the more of it is there", function()
    local limit = (net.slow or helper.instrumented) and 20 or 1
    local vain = {
      {"x", "read", "l"}, {"x", "read", 1 << 30}, {"x", "read", "a"}, {" ", "read", "n"}, {"\r", "readuntil", "\r\n"},
      {"\n", "readuntil", "\r\n"}, {"\r\n--", "readuntil", "\r\n--boundary"}, {" ", "read", "n", "l"},
      {" ", "read", "n", "n", before = "1"}, {" ", "read", "l", "n", 3, "n", before = "line\n2abc"},
      {" ", "read", "n", "n", "n", "n", "n", "n", "n", "n", "n", "n", before = "1 2 3 4 5 6 7 8 9", pieces = 1 << 15},
      {"x", "read", "l", "l", "l", "l", "l", "l", "l", "l", "l", "l", before = ("\n"):rep(9)},
    }
    for _, case in ipairs(vain) do
      local c, d = net.pair()
      d:settimeout(0)
      d:setmaxline(1 << 20)
      local text, name, pieces = case[1], case[2], case.pieces or 1 << 14
      c:send(case.before or "")
      local piece = (text:rep(16)):sub(1, 16)
      local start = os.clock()
      for i = 1, pieces do
        c:send(piece)
        helper.fails("s:" .. name, "EAGAIN", d[name](d, table.unpack(case, 3)))
        if i % 1024 == 0 and os.clock() - start > limit then
          error(("%s(%s) took %f s for %d pieces"):format(name, table.concat(case, ", ", 3), os.clock() - start, i))
        end
      end
      assert.equal(16 * pieces + #(case.before or ""), d:pending())
      net.close()
    end
  end)
end)
