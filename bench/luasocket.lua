-- The workloads through LuaSocket.
local socket = require "socket"
local subject = require "bench.subject"

local message, piece, datagram, batch = subject.message, subject.piece, subject.datagram, subject.batch
local work = {}

local function connect(port)
  return assert(socket.connect("127.0.0.1", port))
end

local function ping(s, count)
  for _ = 1, count do
    s:send(message)
    s:receive(16)
  end
end

function work.tcp_pingpong(count, port)
  ping(connect(port), count)
end

function work.unix_pingpong(count, path)
  local s = require "socket.unix"()
  assert(s:connect(path))
  ping(s, count)
end

function work.recv(_, port)
  local s = connect(port)
  repeat until not s:receive(65536)
end

function work.send(count, port)
  local s = connect(port)
  for _ = 1, count do s:send(piece) end
end

function work.accept(count)
  local server = assert(socket.bind("127.0.0.1", 0))
  subject.tell(select(2, server:getsockname()))
  for _ = 1, count do
    local s = server:accept()
    s:send(s:receive(16))
    s:close()
  end
end

local function udp()
  local s = socket.udp()
  assert(s:setsockname("127.0.0.1", 0))
  return s
end

function work.udp_send(count, port, udpport)
  local control, s = connect(port), udp()
  for _ = 1, count, batch do
    control:receive(1)
    for _ = 1, batch do s:sendto(datagram, "127.0.0.1", udpport) end
    control:send("x")
  end
end

function work.udp_recv(count, port, udpport)
  local control, s = connect(port), udp()
  s:sendto("x", "127.0.0.1", udpport)
  for _ = 1, count, batch do
    control:receive(1)
    for _ = 1, batch do s:receivefrom() end
    control:send("x")
  end
end

function work.lines(count, port)
  local s, n = connect(port), 0
  while s:receive "*l" do n = n + 1 end
  assert(n == count)
end

subject.main(socket._VERSION, work)
