-- The workloads through copas, each in a coroutine of its loop. Debian keeps it where only Lua 5.1 looks.
package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
local copas = require "copas"
local socket = require "socket"
local subject = require "bench.subject"

local work = {}

local function connect(s, ...)
  assert(s:connect(...)) -- before copas has it: this version cannot
  s:settimeout(0)
  return copas.wrap(s)
end

require "bench.receive"(work, function(port)
  return connect(socket.tcp(), "127.0.0.1", port)
end, function(path)
  return connect(require "socket.unix"(), path)
end)

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
