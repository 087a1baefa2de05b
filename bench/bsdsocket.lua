-- The workloads through this library.
local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"
local subject = require "bench.subject"

local message, piece, datagram, batch = subject.message, subject.piece, subject.datagram, subject.batch
local work = {}

local function connect(port)
  return assert(socket.connect("127.0.0.1", port))
end

local function ping(s, count)
  for _ = 1, count do
    s:send(message)
    s:recv(16)
  end
end

subject.pingpong(work, ping, connect, function(path)
  return assert(socket.connect(socket.address("AF_UNIX", path)))
end)

function work.recv(_, port)
  local s = connect(port)
  repeat until s:recv(65536) == ""
end

function work.recvinto(_, port)
  local s, buffer = connect(port), socket.buffer(65536)
  repeat until s:recvinto(buffer) == 0
end

function work.send(count, port)
  local s = connect(port)
  for _ = 1, count do s:sendall(piece) end
end

function work.accept(count)
  local server = assert(socket.listen("127.0.0.1", 0))
  subject.tell(server:getsockname().port)
  for _ = 1, count do
    local s = server:accept()
    s:send(s:recv(16))
    s:close()
  end
end

local function udp()
  return assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.1", 0))
end

function work.udp_send(count, port, udpport)
  local control, s, to = connect(port), udp(), socket.address("AF_INET", "127.0.0.1", udpport)
  for _ = 1, count, batch do
    control:recv(1)
    for _ = 1, batch do s:sendto(datagram, to) end
    control:send("x")
  end
end

function work.udp_recv(count, port, udpport)
  local control, s = connect(port), udp()
  s:sendto("x", "127.0.0.1", udpport)
  for _ = 1, count, batch do
    control:recv(1)
    for _ = 1, batch do s:recvfrom() end
    control:send("x")
  end
end

function work.udp_recvmmsg(count, port, udpport)
  local control, s = connect(port), udp()
  s:sendto("x", "127.0.0.1", udpport)
  local list, n
  for _ = 1, count, batch do
    control:recv(1)
    local got = 0
    repeat
      list, n = s:recvmmsg(64, 2048, nil, list)
      got = got + n
    until got == batch
    control:send("x")
  end
end

function work.lines(count, port)
  local s, n = connect(port), 0
  for _ in s:lines() do n = n + 1 end
  assert(n == count)
end

local function answer(client)
  local s <close> = client
  for data in s:chunks() do assert(s:sendall(data)) end
end

--- Answers every client in a task of its own, until the server is closed.
local function echoserver(server)
  for s in server:clients() do loop.spawn(answer, s) end
end

function work.echo()
  loop.run(function()
    local server <close> = assert(socket.listen("127.0.0.1", 0))
    subject.tell(server:getsockname().port)
    echoserver(server)
  end)
end

function work.many(count)
  local start = socket.monotime()
  loop.run(function()
    local server <close> = assert(socket.listen("127.0.0.1", 0))
    local address = server:getsockname()
    loop.spawn(echoserver, server)
    local clients = {}
    for i = 1, count do
      clients[i] = assert(socket.connect(address))
      assert(clients[i]:send(message))
    end
    for i = 1, count do assert(clients[i]:recv(16) == message) end
    for i = 1, count do clients[i]:close() end
  end)
  print(("seconds %.9f operations %d"):format(socket.monotime() - start, count))
end

subject.main(socket._VERSION, work)
