-- csrc/call/util.c: what needs no socket and asks nobody.

local helper = require "spec.support.helper"
local net = require "spec.support.net"
local socket = require "bsdsocket"

describe("inet_pton and inet_ntop", function()
  local known = {
    { "AF_INET", "127.0.0.1", "\127\0\0\1" },
    { "AF_INET", "255.255.255.255", "\255\255\255\255" },
    { "AF_INET6", "::", ("\0"):rep(16) },
    { "AF_INET6", "::1", ("\0"):rep(15) .. "\1" },
    { "AF_INET6", "fe80::1:2", "\xfe\x80" .. ("\0"):rep(11) .. "\1\0\2" },
    { "AF_INET6", "::ffff:192.0.2.1", ("\0"):rep(10) .. "\255\255\192\0\2\1" },
  }

  it("turn text into bytes in network order, and back", function()
    for _, row in ipairs(known) do
      local family, text, bytes = row[1], row[2], row[3]
      assert.equal(bytes, socket.inet_pton(family, text))
      assert.equal(text, socket.inet_ntop(family, bytes))
      assert.equal(bytes, socket.inet_pton(socket[family], text))
    end
    assert.equal("::1", socket.inet_ntop("PF_INET6", socket.inet_pton("PF_INET6", "0:0:0::0001")))
  end)

  it("fail for text that is no address", function()
    for _, text in ipairs {
      "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "127.1", "::1", "localhost", " 1.2.3.4",
    } do
      local message = helper.fails("socket.inet_pton", "EINVAL", socket.inet_pton("AF_INET", text))
      assert.match("^inet_pton .*: " .. socket.strerror "EINVAL" .. "$", message)
    end
    for _, text in ipairs { "", "1.2.3.4", ":", ":::", "1::2::3", "g::", "fe80::1%1", ("0"):rep(1 << 20) } do
      helper.fails("socket.inet_pton", "EINVAL", socket.inet_pton("AF_INET6", text))
    end
    for _, text in ipairs { "1.2.3.4\0", "\0", "1.2.3.4\0evil" } do
      helper.raises("socket.inet_pton", "#2 to '.*inet_pton' %(string contains zeros",
        socket.inet_pton, "AF_INET", text)
    end
    assert.equal("inet_pton 1.2.3: " .. socket.strerror "EINVAL", (select(2, socket.inet_pton("AF_INET", "1.2.3"))))
  end)

  it("know two families", function()
    for _, family in ipairs { "AF_UNIX", "AF_UNSPEC", 77 } do
      helper.fails("socket.inet_pton", "EAFNOSUPPORT", socket.inet_pton(family, "127.0.0.1"))
      helper.fails("socket.inet_ntop", "EAFNOSUPPORT", socket.inet_ntop(family, "\127\0\0\1"))
    end
  end)

  it("raise for bytes of the wrong length", function()
    for _, n in ipairs { 0, 3, 5, 16 } do
      helper.raises("socket.inet_ntop", "#2 to '.*inet_ntop' %(4 bytes expected%)",
        socket.inet_ntop, "AF_INET", ("x"):rep(n))
    end
    for _, n in ipairs { 0, 4, 15, 17 } do
      helper.raises("socket.inet_ntop", "#2 to '.*inet_ntop' %(16 bytes expected%)",
        socket.inet_ntop, "AF_INET6", ("x"):rep(n))
    end
  end)

  it("raise for wrong arguments", function()
    for _, name in ipairs { "inet_pton", "inet_ntop" } do
      local f = socket[name]
      for _, family in ipairs { "AF_NOSUCH", "SOCK_STREAM", "AF_INET\0", 1.5, 0 / 0, true, {}, io.stdout } do
        helper.raises("socket." .. name, "#1 to '.*" .. name .. "'", f, family, "127.0.0.1")
      end
      for _, text in ipairs { 127, true, {}, io.stdout } do
        helper.raises("socket." .. name, "#2 to '.*" .. name .. "' %(string expected", f, "AF_INET", text)
      end
      helper.raises("socket." .. name, "#2 to .*got no value", f, "AF_INET")
      helper.raises("socket." .. name, "#1 to ", f)
    end
  end)
end)

describe("byte order", function()
  local widths = { htons = 2, ntohs = 2, htonl = 4, ntohl = 4 }

  it("is the network's on the network", function()
    for name, width in pairs(widths) do
      local host, network = "=I" .. width, ">I" .. width
      for _, n in ipairs { 0, 1, 0x1234, 256 ^ width - 1, 256 ^ (width - 1) } do
        n = math.tointeger(n)
        assert.equal(host:unpack(network:pack(n)), socket[name](n))
        assert.equal("integer", math.type(socket[name](n)))
      end
      assert.equal(socket[name](0x1234), socket[name](4660.0))
    end
    assert.equal(0xdeadbeef, socket.ntohl(socket.htonl(0xdeadbeef)))
  end)

  it("is that of integers that fit", function()
    for name, width in pairs(widths) do
      local f = socket[name]
      for _, n in ipairs { -1, math.tointeger(256 ^ width), math.maxinteger, math.mininteger } do
        helper.raises("socket." .. name, "#1 to '.*" .. name .. "' %(out of range%)", f, n)
      end
      for _, n in ipairs { 1.5, 0 / 0, 1 / 0, "x", true, {}, io.stdout } do
        helper.raises("socket." .. name, "#1 to '.*" .. name .. "' %(number ", f, n)
      end
      helper.raises("socket." .. name, "#1 to .*got no value", f)
    end
  end)
end)

describe("checksum", function()
  -- word by word, as RFC 1071 says
  local function slow(bytes)
    local sum = 0
    if #bytes % 2 == 1 then bytes = bytes .. "\0" end
    for i = 1, #bytes, 2 do
      sum = sum + (">I2"):unpack(bytes, i)
      if sum > 0xffff then sum = (sum & 0xffff) + 1 end
    end
    return ~sum & 0xffff
  end

  it("is that of RFC 1071", function()
    assert.equal(~0xddf2 & 0xffff, socket.checksum "\x00\x01\xf2\x03\xf4\xf5\xf6\xf7") -- its own example
    assert.equal(0xffff, socket.checksum "")
    assert.equal(0xffff, socket.checksum "\0\0\0")
    assert.equal(0, socket.checksum "\255\255")
    assert.equal(~0x6100 & 0xffff, socket.checksum "a") -- as if a zero followed
  end)

  it("is right for every length", function()
    for n = 0, 70 do
      local bytes = {}
      for i = 1, n do bytes[i] = string.char((i * 97 + n * 31) % 256) end
      bytes = table.concat(bytes)
      assert.equal(slow(bytes), socket.checksum(bytes))
      assert.equal(slow(("\255"):rep(n)), socket.checksum(("\255"):rep(n)))
    end
    local large = ("\255\254\253"):rep(100001)
    assert.equal(slow(large), socket.checksum(large))
  end)

  it("makes a header sum up to zero once it is in its place", function()
    local header = "\x45\x00\x00\x73\x00\x00\x40\x00\x40\x11%s\xc0\xa8\x00\x01\xc0\xa8\x00\xc7"
    local sum = socket.checksum(header:format "\0\0")
    assert.equal(0xb861, sum)
    assert.equal(0, socket.checksum(header:format((">I2"):pack(sum))))
  end)

  it("takes buffers and numbers too", function()
    local buffer = socket.buffer(8)
    buffer:set(1, "\x00\x01\xf2\x03\xf4\xf5\xf6\xf7")
    assert.equal(0x220d, socket.checksum(buffer))
    assert.equal(socket.checksum "42", socket.checksum(42))
  end)

  it("raises for what has no bytes", function()
    for _, value in ipairs { true, {}, io.stdout, print } do
      helper.raises("socket.checksum", "#1 to '.*checksum'", socket.checksum, value)
    end
    helper.raises("socket.checksum", "#1 to ", socket.checksum)
    helper.raises("socket.checksum", "#1 to ", socket.checksum, nil)
  end)
end)

describe("monotime", function()
  it("never goes back", function()
    local last = socket.monotime()
    assert.equal("float", math.type(last))
    for _ = 1, 1000 do
      local now = socket.monotime()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("counts seconds", function()
    local function uptime() -- in hundredths, where there is one
      local file <close> = io.open "/proc/uptime"
      return file and file:read "n"
    end
    net.sometime(function() -- what is between two looks at two clocks may take long
      local earlier = uptime()
      local before, clock = socket.monotime(), os.clock()
      repeat until os.clock() - clock >= 0.05 -- this process's own time: no more than has passed
      local passed = socket.monotime() - before
      assert.is_true(passed >= 0.045)
      return not earlier or passed <= uptime() - earlier + 0.02, passed
    end)
  end)
end)

describe("time", function()
  it("is the seconds since 1970, with their fraction", function()
    local fraction = 0
    for _ = 1, 1000 do
      local before = os.time()
      local now = socket.time()
      assert.equal("float", math.type(now))
      assert.is_true(now >= before and now <= os.time() + 2)
      fraction = math.max(fraction, now % 1)
    end
    assert.is_true(fraction > 0)
  end)

  it("goes on as the monotonic clock does", function()
    local first, mono = socket.time(), socket.monotime()
    repeat until socket.monotime() - mono >= 0.01
    local passed, spent = socket.time() - first, socket.monotime() - mono
    assert.is_true(passed >= 0.009 and passed <= spent + 0.01, passed)
  end)
end)
