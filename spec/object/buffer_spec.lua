-- The reusable byte buffer.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

local nan, inf = 0 / 0, math.huge

describe("a buffer", function()
  it("has the size that was asked for, and zeros in it", function()
    assert.equal(1, #socket.buffer(1))
    assert.equal(70000, #socket.buffer(70000))
    assert.equal(3, #socket.buffer(3.0))
    assert.equal(3, #socket.buffer "3")
    assert.equal(("\0"):rep(70000), socket.buffer(70000):sub(1))
    for _ = 1, 10 do -- and not what was in the memory before
      socket.buffer(1000):set(1, ("x"):rep(1000))
      collectgarbage()
      assert.equal(("\0"):rep(1000), socket.buffer(1000):sub(1))
    end
    assert.equal("buffer (70000 bytes)", tostring(socket.buffer(70000)))
  end)

  it("has at least one byte, and no more than memory has", function()
    for _, size in ipairs { 0, -1, math.mininteger, math.maxinteger, nan, 1.5, inf, -inf, 2 ^ 63, "x", true, {} } do
      helper.raises("socket.buffer", "bad argument #1 to 'buffer'", function() socket.buffer(size) end)
    end
    helper.raises("socket.buffer", "bad argument #1 to 'buffer' %(number expected, got no value",
      function() socket.buffer() end)
    if os.getenv "ASAN_OPTIONS" then return end -- it would report what has to fail
    for _, size in ipairs { 1 << 62, 1 << 50 } do
      local ok, message = pcall(socket.buffer, size)
      assert.is_false(ok)
      assert(message:find "memory" or message:find "out of range", message) -- the latter where pointers are short
    end
  end)

  it("gives parts as string.sub does", function()
    local text = "abcdef"
    local buf = socket.buffer(6):set(1, text)
    for _, i in ipairs { -8, -7, -6, -1, 0, 1, 2, 6, 7, 8, math.mininteger, math.maxinteger } do
      assert.equal(text:sub(i), buf:sub(i))
      for _, j in ipairs { -8, -7, -6, -1, 0, 1, 2, 6, 7, 8, math.mininteger, math.maxinteger } do
        assert.equal(text:sub(i, j), buf:sub(i, j))
      end
    end
    assert.equal("bc", buf:sub("2", 3.0))
    for _, value in ipairs { nan, 1.5, inf, 2 ^ 63, "x", true, {}, io.stdout } do
      helper.raises("buf:sub", "bad argument #1 to 'sub'", function() buf:sub(value) end)
      helper.raises("buf:sub", "bad argument #2 to 'sub'", function() buf:sub(1, value) end)
    end
    helper.raises("buf:sub", "bad argument #1 to 'sub'", function() buf:sub() end)
    helper.raises("buf:sub", "buffer expected, got string", buf.sub, text, 1)
    helper.raises("buf:sub", "buffer expected, got FILE%*", buf.sub, io.stdout, 1)
  end)

  it("takes a string, a number or a buffer at a position, and gives itself", function()
    local buf = socket.buffer(6):set(1, "abcdef")
    assert.equal(buf, buf:set(2, "XY"))
    assert.equal("aXYdef", buf:sub(1))
    assert.equal("42Ydef", buf:set(1, 42):sub(1))
    assert.equal("42Ydef", buf:set(3, ""):sub(1))
    assert.equal("42Ydef", buf:set(7, ""):sub(1))
    assert.equal("42Yd\0\n", buf:set(5, "\0\n"):sub(1))
    assert.equal("42Yxyz", buf:set(4, socket.buffer(3):set(1, "xyz")):sub(1))
    assert.equal("42Yxyz", buf:set(1, buf):sub(1))
  end)

  it("takes nothing that does not fit", function()
    local buf = socket.buffer(3):set(1, "abc")
    for _, i in ipairs { 0, -1, 5, math.mininteger, math.maxinteger, nan, 1.5, inf, 2 ^ 63, "x", {} } do
      helper.raises("buf:set", "bad argument #1 to 'set'", function() buf:set(i, "") end)
    end
    helper.raises("buf:set", "bad argument #1 to 'set'", function() buf:set() end)
    helper.raises("buf:set", "bad argument #2 to 'set' %(does not fit", function() buf:set(1, "abcd") end)
    helper.raises("buf:set", "bad argument #2 to 'set' %(does not fit", function() buf:set(3, "ab") end)
    helper.raises("buf:set", "bad argument #2 to 'set' %(does not fit", function() buf:set(4, "a") end)
    helper.raises("buf:set", "bad argument #2 to 'set' %(does not fit", function() buf:set(2, buf) end)
    for _, value in ipairs { true, {}, print, io.stdout, socket.address("AF_UNIX", "/x") } do
      helper.raises("buf:set", "bad argument #2 to 'set' %(string or buffer expected",
        function() buf:set(1, value) end)
    end
    helper.raises("buf:set", "bad argument #2 to 'set'", function() buf:set(1) end)
    helper.raises("buf:set", "buffer expected", buf.set, io.stdout, 1, "x")
    assert.equal("abc", buf:sub(1))
  end)

  it("is nothing else", function()
    local buf = socket.buffer(3)
    assert.is_nil(buf.size)
    assert.is_nil(buf[1])
    assert.is_false(pcall(function() buf[1] = 2 end))
    assert.is_false(pcall(getmetatable(buf).__len, io.stdout))
    assert.is_false(pcall(getmetatable(buf).__tostring, "x"))
  end)
end)
