-- The workloads through luaposix. Debian has it for Lua 5.3 at most; so this runs there, too.
local posix = require "posix"
local inet = require "posix.sys.socket"
local unistd = require "posix.unistd"
local subject = require "bench.subject"

local message, piece, datagram, batch = subject.message, subject.piece, subject.datagram, subject.batch
local send, recv = inet.send, inet.recv
local work = {}

local function address(port)
  return { family = inet.AF_INET, addr = "127.0.0.1", port = math.tointeger(tonumber(port)) }
end

local function connect(port)
  local fd = assert(inet.socket(inet.AF_INET, inet.SOCK_STREAM, 0))
  assert(inet.connect(fd, address(port)))
  return fd
end

local function ping(fd, count)
  for _ = 1, count do
    send(fd, message)
    recv(fd, 16)
  end
end

subject.pingpong(work, ping, connect, function(path)
  local fd = assert(inet.socket(inet.AF_UNIX, inet.SOCK_STREAM, 0))
  assert(inet.connect(fd, { family = inet.AF_UNIX, path = path }))
  return fd
end)

function work.recv(_, port)
  local fd = connect(port)
  repeat until recv(fd, 65536) == ""
end

function work.send(count, port)
  local fd = connect(port)
  for _ = 1, count do
    local sent = send(fd, piece)
    while sent < #piece do sent = sent + send(fd, piece:sub(sent + 1)) end
  end
end

function work.accept(count)
  local server = assert(inet.socket(inet.AF_INET, inet.SOCK_STREAM, 0))
  assert(inet.bind(server, address(0)))
  assert(inet.listen(server, 128))
  subject.tell(inet.getsockname(server).port)
  for _ = 1, count do
    local fd = inet.accept(server)
    send(fd, recv(fd, 16))
    unistd.close(fd)
  end
end

local function udp()
  local fd = assert(inet.socket(inet.AF_INET, inet.SOCK_DGRAM, 0))
  assert(inet.bind(fd, address(0)))
  return fd
end

function work.udp_send(count, port, udpport)
  local control, fd, to = connect(port), udp(), address(udpport)
  for _ = 1, count, batch do
    recv(control, 1)
    for _ = 1, batch do inet.sendto(fd, datagram, to) end
    send(control, "x")
  end
end

function work.udp_recv(count, port, udpport)
  local control, fd = connect(port), udp()
  inet.sendto(fd, "x", address(udpport))
  for _ = 1, count, batch do
    recv(control, 1)
    for _ = 1, batch do inet.recvfrom(fd, 65536) end
    send(control, "x")
  end
end

-- Lua's own file on the descriptor
function work.lines(count, port)
  local file, n = require "posix.stdio".fdopen(connect(port), "r"), 0
  for _ in file:lines() do n = n + 1 end
  assert(n == count)
end

subject.main("luaposix " .. posix.version:match "[%d.]+" .. ", " .. _VERSION, work)
