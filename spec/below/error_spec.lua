-- How failures of the world are told: nil, message, code; and socket.strerror.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"

-- A port where nobody listens, for as long as its socket is bound.
local function quietport()
  local s = assert(assert(socket.socket()):bind("127.0.0.1", 0))
  return s, assert(s:getsockname()).port
end

describe("a failure", function()
  it("is nil, a message and a code, no more", function()
    local s <close> = assert(socket.socket())
    local results = table.pack(s:accept())
    assert.equal(3, results.n)
    assert.is_nil(results[1])
    assert.equal("accept: Invalid argument", results[2])
    assert.equal("EINVAL", results[3])
  end)

  it("names the call and the address that it was given, and ends with the system's text", function()
    local quiet <close>, port = quietport()
    local s <close> = assert(socket.socket())
    local message = helper.fails("s:connect", "ECONNREFUSED", s:connect("127.0.0.1", port))
    assert.equal("connect 127.0.0.1:" .. port .. ": Connection refused", message)
    local other <close> = assert(socket.socket())
    message = helper.fails("s:bind", "EADDRINUSE", other:bind(quiet:getsockname()))
    assert.equal("bind 127.0.0.1:" .. port .. ": " .. socket.strerror "EADDRINUSE", message)
    local unix <close> = assert(socket.socket("AF_UNIX"))
    local path = helper.tmpname()
    message = helper.fails("s:connect", "ENOENT", unix:connect(path))
    assert.equal("connect " .. path .. ": No such file or directory", message)
  end)

  it("reads well when assert raises it #process", function() -- Lua's own, which busted replaces
    local quiet <close>, port = quietport()
    local output, status = helper.lua("-e", ([[
      local socket = require "bsdsocket"
      assert(assert(socket.socket()):connect("127.0.0.1", %d))
    ]]):format(port))
    assert.equal(1, status)
    assert.truthy(output:find(": connect 127.0.0.1:" .. port .. ": Connection refused\n", 1, true), output)
    assert.truthy(quiet:fileno())
  end)

  it("has a code that is a name, and the module's number of that name", function()
    local s <close> = assert(socket.socket())
    local _, _, code = s:accept()
    assert.equal("string", type(code))
    assert.equal("integer", math.type(socket[code]))
    assert.equal("Invalid argument", socket.strerror(socket[code]))
  end)

  it("has the code EAGAIN and EOPNOTSUPP, never their twin names", function()
    local s <close> = assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen())
    s:settimeout(0)
    helper.fails("s:accept", "EAGAIN", s:accept())
    local d <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.fails("s:listen", "EOPNOTSUPP", d:listen())
    helper.fails("s:accept", "EOPNOTSUPP", d:accept())
    helper.fails("socket.socketpair", "EOPNOTSUPP", socket.socketpair("AF_INET"))
    assert.equal(socket.EAGAIN, socket.EWOULDBLOCK)
    assert.equal(socket.EOPNOTSUPP, socket.ENOTSUP)
  end)

  it("of having to wait has one constant message for each call", function()
    local listener <close> = assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen())
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    listener:settimeout(0)
    a:settimeout(0)
    assert.equal("accept: Resource temporarily unavailable",
      helper.fails("s:accept", "EAGAIN", listener:accept()))
    assert.equal("recv: Resource temporarily unavailable", helper.fails("s:recv", "EAGAIN", a:recv()))
    listener:settimeout(0.001)
    a:settimeout(0.001)
    assert.equal("accept: timed out", helper.fails("s:accept", "timeout", listener:accept()))
    assert.equal("recv: timed out", helper.fails("s:recv", "timeout", a:recv()))
  end)

  it("in the library's own deadline is 'timeout', and not the kernel's ETIMEDOUT", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    a:settimeout(0.001)
    local _, message, code = a:recv()
    assert.equal("timeout", code)
    assert.equal("recv: timed out", message)
    assert.not_equal(socket.strerror "ETIMEDOUT", socket.strerror "timeout")
    assert.is_nil(socket.timeout)
  end)

  it("tells four ends apart: end of stream, EPIPE, ECONNRESET and timeout", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = net.closing(a, b)
    a:settimeout(0.001)
    helper.fails("s:recv", "timeout", a:recv())
    b:close()
    assert.equal("", a:recv())
    helper.fails("s:send", "EPIPE", a:send("x"))

    local listener <close> = assert(assert(assert(socket.socket()):bind("127.0.0.1", 0)):listen())
    local client <close> = assert(assert(socket.socket()):connect(listener:getsockname()))
    local conn = assert(listener:accept())
    assert.equal(1, client:send("x"))
    conn:recv(1, "MSG_PEEK") -- so that it has arrived: closing with unread bytes resets
    conn:close()
    client:settimeout(5)
    helper.fails("s:recv", "ECONNRESET", client:recv())
  end)
end)

describe("socket.strerror", function()
  it("gives the text of a code by name and by number", function()
    assert.equal("Connection refused", socket.strerror "ECONNREFUSED")
    assert.equal("Connection refused", socket.strerror(socket.ECONNREFUSED))
    assert.equal(socket.strerror "EAGAIN", socket.strerror "EWOULDBLOCK")
    assert.equal(socket.strerror(2.0), socket.strerror(2))
  end)

  it("knows the library's own timeout", function()
    assert.equal("timed out", socket.strerror "timeout")
  end)

  it("knows the resolver's codes by name and by number", function()
    assert.truthy(socket.strerror "EAI_NONAME":find "^Name ") -- the C library's own words
    assert.equal(socket.strerror "EAI_NONAME", socket.strerror(socket.EAI_NONAME))
    for name, value in pairs(socket) do
      if name:find "^EAI_" then
        assert.equal("string", type(socket.strerror(name)))
        assert.equal(socket.strerror(name), socket.strerror(value))
      end
    end
  end)

  it("knows every errno of the module, and names another number", function()
    for name, value in pairs(socket) do
      if name:find "^E" and not name:find "^E[A-Z0-9]+_" then
        local text = socket.strerror(name)
        assert.equal(text, socket.strerror(value))
        assert.is_nil(text:find "^Unknown error", name)
      end
    end
    assert.truthy(socket.strerror(99999):find "99999")
    assert.equal("string", type(socket.strerror(0)))
    assert.equal("string", type(socket.strerror(2147483647)))
    assert.equal("string", type(socket.strerror(-2147483648)))
  end)

  it("raises for what is no code, and names it", function()
    for _, name in ipairs {
      "", "ENOSUCH", "econnrefused", "AF_INET", "SO_ERROR", "ETH_P_IP", "2", "timeouts", "E",
      "EPERM\0", "EAI_NONAME\0x", "timeout\0", "\0", "EPERM ",
    } do
      local call = function() return socket.strerror(name) end
      helper.raises("socket.strerror", "bad argument #1 to 'strerror'", call)
      local shown = name:gsub("%z.*", "")
      helper.raises("socket.strerror", "'" .. shown, call)
    end
    for _, value in ipairs { 1.5, 0 / 0, math.huge, 2 ^ 31, 2 ^ 63, math.maxinteger, math.mininteger, 2147483648,
      -2147483649, true, {}, io.stdout, print } do
      helper.raises("socket.strerror", "bad argument #1 to 'strerror'", function()
        return socket.strerror(value)
      end)
    end
    helper.raises("socket.strerror", "bad argument #1", function() return socket.strerror(nil) end)
    helper.raises("socket.strerror", "bad argument #1", function() return socket.strerror() end)
  end)
end)
