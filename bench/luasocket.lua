-- The workloads through LuaSocket.
local socket = require "socket"
local subject = require "bench.subject"

local datagram, batch = subject.datagram, subject.batch
local work = {}

local function connect(port)
  return assert(socket.connect("127.0.0.1", port))
end

require "bench.receive"(work, connect, function(path)
  local s = require "socket.unix"()
  assert(s:connect(path))
  return s
end)

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

subject.main(socket._VERSION, work)
