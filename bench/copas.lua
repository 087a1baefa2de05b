-- The workloads through copas, each in a coroutine of its loop. Debian keeps it where only Lua 5.1 looks.
package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
local copas = require "copas"
local socket = require "socket"
local subject = require "bench.subject"

local message, piece = subject.message, subject.piece
local work = {}

local function connect(s, ...)
  assert(s:connect(...)) -- before copas has it: this version cannot
  s:settimeout(0)
  return copas.wrap(s)
end

local function ping(s, count)
  for _ = 1, count do
    s:send(message)
    s:receive(16)
  end
end

function work.tcp_pingpong(count, port)
  ping(connect(socket.tcp(), "127.0.0.1", port), count)
end

function work.unix_pingpong(count, path)
  ping(connect(require "socket.unix"(), path), count)
end

function work.recv(_, port)
  local s = connect(socket.tcp(), "127.0.0.1", port)
  repeat until not s:receive(65536)
end

function work.send(count, port)
  local s = connect(socket.tcp(), "127.0.0.1", port)
  for _ = 1, count do s:send(piece) end
end

function work.lines(count, port)
  local s, n = connect(socket.tcp(), "127.0.0.1", port), 0
  while s:receive "*l" do n = n + 1 end
  assert(n == count)
end

for name, f in pairs(work) do
  work[name] = function(count, place)
    local ended = false
    copas.addthread(function()
      f(count, place)
      ended = true
    end)
    while not ended do copas.step() end
  end
end

function work.accept(count)
  local server = assert(socket.bind("127.0.0.1", 0))
  subject.tell(select(2, server:getsockname()))
  copas.addserver(server, function(s)
    s = copas.wrap(s)
    s:send(s:receive(16))
    count = count - 1
  end)
  while count > 0 do copas.step() end
end

function work.echo()
  local server = assert(socket.bind("127.0.0.1", 0, 4096))
  subject.tell(select(2, server:getsockname()))
  copas.addserver(server, function(s)
    s = copas.wrap(s)
    while true do
      local data = s:receive(16)
      if not data then return end
      s:send(data)
    end
  end)
  copas.loop()
end

subject.main(copas._VERSION, work)
