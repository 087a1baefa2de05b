-- What the scripts of the libraries share. Each does some workloads of bench/workloads.lua, the side that is
-- measured; bench/c.c does the same in C. It also runs under Lua 5.3.
--
--   lua5.4 bench/bsdsocket.lua about                     the version, and which workloads it can do
--   lua5.4 bench/bsdsocket.lua tcp_pingpong 20000 PORT   does one; a server prints its port instead
local subject = {
  message = ("x"):rep(16),
  piece = ("x"):rep(65536),
  datagram = ("x"):rep(64),
  batch = 128, -- datagrams, then it is the other side's turn
}

--- `work` is a function for each workload: work.NAME(count, place ...).
function subject.main(version, work)
  if arg[1] == "about" then
    print(version)
    for name in pairs(work) do print(name) end
  else
    work[arg[1]](math.tointeger(tonumber(arg[2])), table.unpack(arg, 3))
  end
end

--- The two ping-pongs: ping(s, count) does one, on a socket that tcp(port) or unix(path) has connected.
function subject.pingpong(work, ping, tcp, unix)
  function work.tcp_pingpong(count, port) ping(tcp(port), count) end
  function work.unix_pingpong(count, path) ping(unix(path), count) end
end

--- Where a server can be reached.
function subject.tell(port)
  print(port)
  io.stdout:flush()
end

return subject
