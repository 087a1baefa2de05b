-- The workloads that LuaSocket and copas do in the same words: on what tcp(port) and unix(path) have connected.
local subject = require "bench.subject"

local message, piece = subject.message, subject.piece

local function ping(s, count)
  for _ = 1, count do
    s:send(message)
    s:receive(16)
  end
end

return function(work, tcp, unix)
  subject.pingpong(work, ping, tcp, unix)

  function work.recv(_, port)
    local s = tcp(port)
    repeat until not s:receive(65536)
  end

  function work.send(count, port)
    local s = tcp(port)
    for _ = 1, count do s:send(piece) end
  end

  function work.lines(count, port)
    local s, n = tcp(port), 0
    while s:receive "*l" do n = n + 1 end
    assert(n == count)
  end
end
