-- The workloads through cqueues, each in a coroutine of its loop.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local subject = require "bench.subject"

local message, piece = subject.message, subject.piece
local work = {}

local function connect(where)
  local s = assert(socket.connect(where))
  s:setmode("b", "bn") -- bytes, and what is written goes out at once
  return s
end

local function tcp(port)
  return connect { host = "127.0.0.1", port = port }
end

local function ping(s, count)
  for _ = 1, count do
    s:write(message)
    s:read(16)
  end
end

subject.pingpong(work, ping, tcp, function(path) return connect { path = path } end)

function work.recv(_, port)
  local s = tcp(port)
  repeat until not s:read(-65536)
end

function work.send(count, port)
  local s = tcp(port)
  for _ = 1, count do s:write(piece) end
end

function work.accept(count)
  local server = assert(socket.listen("127.0.0.1", 0))
  subject.tell(select(3, server:localname()))
  for _ = 1, count do
    local s = server:accept()
    s:setmode("b", "bn")
    s:write(s:read(16))
    s:close()
  end
end

function work.lines(count, port)
  local s, n = tcp(port), 0
  for _ in s:lines "*l" do n = n + 1 end
  assert(n == count)
end

function work.echo(_, loop)
  local server = assert(socket.listen("127.0.0.1", 0))
  subject.tell(select(3, server:localname()))
  for s in server:clients() do
    loop:wrap(function()
      s:setmode("b", "bn")
      while true do
        local data = s:read(-65536)
        if not data then break end
        s:write(data)
      end
      s:close()
    end)
  end
end

for name, f in pairs(work) do
  work[name] = function(count, ...)
    local loop = cqueues.new()
    loop:wrap(f, count, ... or loop)
    assert(loop:loop())
  end
end

subject.main("cqueues " .. cqueues.VERSION, work)
