-- What is measured, and what this library has to reach. Data only; bench/run.lua reads it.

-- The side that is measured: LUA, BUILD and PYTHON in a command stand for what this machine calls them;
-- `instead` is tried where the command does not work. The first is what all others are compared with.
-- `connections`: no more than so many at once.
local libraries = {
  { name = "C", command = "BUILD/bench/c" },
  { name = "C again", command = "BUILD/bench/c" }, -- how much of a difference is chance
  { name = "bsdsocket", command = "LUA bench/bsdsocket.lua" },
  { name = "LuaSocket", command = "LUA bench/luasocket.lua" },
  { name = "luaposix", command = "LUA bench/luaposix.lua", instead = "lua5.3 bench/luaposix.lua" },
  { name = "cqueues", command = "LUA bench/cqueues.lua" },
  { name = "luv", command = "LUA bench/luv.lua" },
  { name = "copas", command = "LUA bench/copas.lua", connections = 1000 }, -- it calls select
  { name = "Python", command = "PYTHON bench/python.py" },
}

-- name      of the results
-- work      of the functions in the programs, where it is another
-- count     of operations in one round, a tenth of them before the watch starts (0.1 to 0.3 s in all)
-- few       the same where system calls are counted; those with nothing here are not counted
-- goal      what this library is to reach: C's time in the same round, divided by its own
-- cpugoal   the same of the processor time that the measured side took
-- most      what this library is not to exceed: seconds, or bytes of a connection
-- server    the measured side is started first and says where it is; an `endless` one is ended by its counterpart
-- alone     the measured side has no counterpart, and has the watch itself
local workloads = {
  { name = "tcp_pingpong", title = "TCP ping-pong, 16 bytes", count = 20000, few = 100, goal = 0.97 },
  { name = "unix_pingpong", title = "AF_UNIX ping-pong, 16 bytes", count = 30000, few = 100, goal = 0.95 },
  { name = "recv", title = "bulk receive, 64 KiB, recv", count = 10000, few = 2000, goal = 0.88 },
  { name = "recvinto", title = "bulk receive, 64 KiB, recvinto", count = 10000, few = 2000, goal = 0.99 },
  { name = "send", title = "bulk send, 64 KiB", count = 10000, few = 100, goal = 0.98 },
  { name = "accept", title = "accept, 16 bytes in and out, close", count = 5000, few = 100, goal = 0.98,
    server = true },
  { name = "udp_send", title = "UDP send, 64 bytes, address object", count = 64000, few = 1280, goal = 0.95 },
  { name = "udp_recv", title = "UDP receive, 64 bytes, recvfrom", count = 64000, few = 1280, goal = 0.86 },
  { name = "udp_recvmmsg", title = "UDP receive, 64 bytes, recvmmsg", count = 64000, few = 1280, goal = 0.90 },
  { name = "lines", title = "lines of 64 bytes, against getline", count = 2048000, few = 1024000, goal = 0.58 },
}

-- An echo server, each connection with one request of 16 bytes always under way. Those without a goal are for the
-- curve: what does a request cost when there are more connections?
for _, row in ipairs {
  { connections = 100 },
  { connections = 300 },
  { connections = 1000, goal = 0.92, cpugoal = 0.85, few = 10000 },
  { connections = 3000 },
  { connections = 10000, goal = 0.95, most = { bytes = 2048 } },
} do
  row.name = "echo_" .. row.connections
  row.work = "echo"
  row.title = ("echo server, %d connections"):format(row.connections)
  row.count = 30000
  row.server, row.endless = true, true
  workloads[#workloads + 1] = row
end
workloads[#workloads + 1] = {
  name = "many", title = "9900 connections opened, echoed, closed in one process", count = 9900,
  most = { seconds = 3 }, alone = true,
}

return { libraries = libraries, workloads = workloads }
