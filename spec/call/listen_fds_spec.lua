-- socket.listen_fds: sockets from a real activator, and from one that sets what it likes.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"

local fails = helper.fails

after_each(net.close)

--- A script as one word of a shell command that runs it, under a variable of the environment.
local function script(code)
  return helper.command(helper.saved("local socket = require 'bsdsocket'\n", code))
end

-- Prints what each result is, in a line of its own, and under which names it stands.
local TELL = [[
  local function tell(sockets, message, code)
    if not sockets then return print(("failure: %s|%s"):format(message, code)) end
    for i, s in ipairs(sockets) do
      local names = {}
      for name, other in pairs(sockets) do
        if type(name) == "string" and other == s then names[#names + 1] = name end
      end
      table.sort(names)
      print(i, s:fileno(), s:type() == socket.SOCK_STREAM and "stream" or "datagram",
        s:getinheritable() and "inheritable" or "close-on-exec", table.concat(names, ","))
    end
    print(#sockets .. " sockets")
    return sockets
  end
  local kept = tell(socket.listen_fds())
]]

-- An activator whose descriptors are 3, a stream socket, 4, a datagram socket, and 5, no socket; 6 to 9 are closed.
-- LISTEN_PID is its child's as the shell's own variable is, once the shell has become the child.
local ACTIVATOR = [[
  local command = ...
  for fd = 3, 9 do
    local s = socket.fromfd(fd)
    if s then s:close() end
  end
  local stream, datagram = assert(socket.socket()), assert(socket.socket("AF_INET", "SOCK_DGRAM"))
  assert(stream:fileno() == 3 and datagram:fileno() == 4)
  stream:setinheritable(true)
  datagram:setinheritable(true)
  os.exit(select(3, os.execute("exec 5</dev/null; " .. command)))
]]

--- What a script that begins with TELL prints where the variables are set so.
local function activated(variables, more)
  local command = ("exec env %s %s"):format(variables, script(TELL .. (more or "")))
  local output, status = helper.shell("exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; exec "
    .. "env -u LISTEN_PID -u LISTEN_FDS -u LISTEN_FDNAMES " .. script(ACTIVATOR) .. " " .. helper.quote(command))
  assert.equal(0, status, output)
  return output
end

describe("socket.listen_fds #process", function()
  local BOTH = "1\t3\tstream\tclose-on-exec\t%s\n2\t4\tdatagram\tclose-on-exec\t%s\n2 sockets\n"

  it("gives the sockets that were passed on, in their order, close-on-exec", function()
    assert.equal(BOTH:format("", ""), activated "LISTEN_PID=$$ LISTEN_FDS=2")
  end)

  it("gives those that it was told of, and no more", function()
    assert.equal("1\t3\tstream\tclose-on-exec\t\n1 sockets\n", activated "LISTEN_PID=$$ LISTEN_FDS=1")
    assert.equal("0 sockets\n", activated "LISTEN_PID=$$ LISTEN_FDS=0")
  end)

  it("gives them by their names, too", function()
    assert.equal(BOTH:format("web", "dns"), activated "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:dns")
    assert.equal(BOTH:format("", "dns"), activated "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=:dns")
  end)

  it("gives under a name that two have the first of them", function()
    assert.equal(BOTH:format("web", ""), activated "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:web")
  end)

  it("gives nothing where nothing was passed on, or to somebody else", function()
    assert.equal(0, #assert(socket.listen_fds()))
    for _, variables in ipairs {
      "-i", "LISTEN_FDS=2", "LISTEN_PID=$$", "LISTEN_PID=1 LISTEN_FDS=2", "LISTEN_PID=0 LISTEN_FDS=2",
      "LISTEN_PID=1 LISTEN_FDS=many", "LISTEN_PID=$$ LISTEN_FDNAMES=web",
    } do
      if variables == "-i" then variables = "" end
      assert.equal("0 sockets\n", activated(variables), variables)
    end
  end)

  it("gives them once: after that they have an owner, and may be closed", function()
    assert.equal("2 sockets\n0 sockets\n0 sockets\n", (activated("LISTEN_PID=$$ LISTEN_FDS=2", [[
      tell(socket.listen_fds())
      for _, s in ipairs(kept) do s:close() end
      assert(not socket.fromfd(3))
      tell(socket.listen_fds())
    ]]):gsub("[^\n]*\t[^\n]*\n", "")))
  end)

  it("gives them once to all who load the library in one process", function()
    assert.equal("2 sockets\n0 sockets\nstill open\n", (activated("LISTEN_PID=$$ LISTEN_FDS=2", [[
      local loaded = {}
      for name in pairs(package.loaded) do
        if name:find "^bsdsocket" then loaded[#loaded + 1] = name end
      end
      for _, name in ipairs(loaded) do package.loaded[name] = nil end
      local other = require "bsdsocket"
      local again = assert(other.listen_fds())
      print(#again .. " sockets")
      again = nil
      collectgarbage()
      print(kept[1]:getsockopt "SO_TYPE" and "still open")
    ]]):gsub("[^\n]*\t[^\n]*\n", "")))
  end)

  local function refuses(code, what, variables)
    local message, gotten = activated(variables):match "^failure: (.*)|(%u+)\n$"
    message = fails("socket.listen_fds", code, nil, message, gotten)
    assert.equal(("listen_fds %s: %s"):format(what, socket.strerror(code)), message)
  end

  it("refuses variables that make no sense", function()
    for _, value in ipairs { "many", "-1", "2.0", "0x2", " 2", "2 ", "1e0", "", "2147483645", "9223372036854775808" } do
      refuses("EINVAL", "LISTEN_FDS=" .. value, ("LISTEN_PID=$$ LISTEN_FDS='%s'"):format(value))
    end
    for _, value in ipairs { "me", "-1", "", "99999999999999999999" } do
      refuses("EINVAL", "LISTEN_PID=" .. value, ("LISTEN_PID='%s' LISTEN_FDS=2"):format(value))
    end
    for _, value in ipairs { "", "web", "web:dns:mail", "web:dns:" } do
      refuses("EINVAL", "LISTEN_FDNAMES=" .. value, ("LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES='%s'"):format(value))
    end
  end)

  it("refuses descriptors that are not open, however many they are said to be", function()
    for _, n in ipairs { 3, 2147483644 } do
      refuses("EBADF", "descriptor 5", "5<&- LISTEN_PID=$$ LISTEN_FDS=" .. n)
    end
  end)

  it("takes none where one is no socket, or is not open", function()
    refuses("ENOTSOCK", "descriptor 5", "LISTEN_PID=$$ LISTEN_FDS=3")
    assert.match("\n3 open\n4 open\n$", activated("LISTEN_PID=$$ LISTEN_FDS=3", [[
      collectgarbage()
      for fd = 3, 4 do
        local s = assert(socket.fromfd(fd))
        print(fd, s:getinheritable() and "open")
      end
    ]]):gsub("\t", " "))
  end)
end)

-- The activator that systemd's users try their services with.
describe("under systemd-socket-activate #process", function()
  --- Starts it, for a script; gives it when it listens.
  local function start(words, code)
    if not helper.shell "systemd-socket-activate --version":find "^systemd" then
      helper.skip "systemd-socket-activate is not here"
    end
    local environment, command = {}, script(code)
    -- it clears the environment but for what it is told to pass on
    for name in command:gmatch "%f[%S]([%u][%w_]+)=" do environment[#environment + 1] = "-E " .. name end
    local variables, rest = command:match "^(.-) ('[^']*' '[^']*')$"
    local program = process.shell(("env %s systemd-socket-activate %s %s %s"):format(variables,
      table.concat(environment, " "), words, rest))
    assert.match("^Listening on ", process.line(program))
    return program
  end

  local function unix()
    local dir = helper.tmpdir()
    return dir .. "/one", dir .. "/two"
  end

  local SERVE = [[
    io.stdout:setvbuf "line"
    local sockets = assert(socket.listen_fds())
    print(#sockets)
    for name, s in pairs(sockets) do
      if type(name) == "string" then print(name, s:getsockname()) end
    end
    for connection in sockets[1]:clients() do
      local data = connection:recv()
      connection:sendall("served: " .. data)
      connection:close()
      if data == "the last one" then break end
    end
  ]]

  it("a server answers callers who came before it was there", function()
    local one = unix()
    local program <close> = start("-l " .. one, SERVE)
    local client <close> = assert(socket.connect(socket.address("AF_UNIX", one))):settimeout(20)
    assert(client:sendall "hello") -- nobody has started yet
    assert.equal("served: hello", client:recv())
    local last <close> = assert(socket.connect(socket.address("AF_UNIX", one))):settimeout(20)
    assert(last:sendall "the last one")
    assert.equal("served: the last one", last:recv())
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    assert.match("\n1\n$", "\n" .. output)
  end)

  it("it finds its sockets by their names", function()
    local one, two = unix()
    local program <close> = start(("--fdname=first:second -l %s -l %s"):format(one, two), SERVE)
    local client <close> = assert(socket.connect(socket.address("AF_UNIX", one))):settimeout(20)
    assert(client:sendall "the last one")
    assert.equal("served: the last one", client:recv())
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    assert.truthy(output:find("\nfirst\t" .. one .. "\n", 1, true), output)
    assert.truthy(output:find("\nsecond\t" .. two .. "\n", 1, true), output)
  end)

  it("a program of its own for each connection gets the connection", function()
    local one = unix()
    local program <close> = start("--accept -l " .. one, [[
      local connection = assert(socket.listen_fds())[1]
      connection:sendall("served: " .. connection:recv())
    ]])
    for _, text in ipairs { "one", "two" } do
      local client <close> = assert(socket.connect(socket.address("AF_UNIX", one))):settimeout(20)
      assert(client:sendall(text))
      assert.equal("served: " .. text, client:recv())
    end
    program:kill "TERM"
    process.rest(program)
  end)

  it("a loop serves them", function()
    local one = unix()
    local program <close> = start("-l " .. one, [[
      local loop = require "bsdsocket.loop"
      loop.run(function()
        local server <close> = assert(socket.listen_fds())[1]
        for connection in server:clients() do
          local data = connection:recv()
          connection:sendall("served: " .. data)
          connection:close()
          if data == "the last one" then return end
        end
      end)
    ]])
    for _, text in ipairs { "one", "the last one" } do
      local client <close> = assert(socket.connect(socket.address("AF_UNIX", one))):settimeout(20)
      assert(client:sendall(text))
      assert.equal("served: " .. text, client:recv())
    end
    local output, status = process.rest(program)
    assert.equal(0, status, output)
  end)
end)
