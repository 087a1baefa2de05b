-- 14_seqpacket.lua: sequenced packets: a connection as with a stream, but what was sent as one message is received as
-- one message. Unix sockets have them, and where the kernel knows it, the internet protocol SCTP.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local words = {"one", "two", "three"}

-- An abstract name is no file that anybody has to remove. Bound to "", a unix socket gets one that is free.
local server <close> = assert(socket.socket("AF_UNIX", "SOCK_SEQPACKET"))
assert(assert(server:bind("")):listen())
local client <close> = assert(socket.socket("AF_UNIX", "SOCK_SEQPACKET"))
assert(client:connect(server:getsockname()))
for _, word in ipairs(words) do assert(client:send(word)) end
local connection <close> = assert(server:accept())
for _ = 1, #words do print("AF_UNIX", (assert(connection:recv()))) end

-- Of SCTP such a socket has many connections at once. It needs no accept: each message tells its sender, and
-- sending to an address connects to it.
local many <close>, message = socket.socket("AF_INET", "SOCK_SEQPACKET", "IPPROTO_SCTP")
if not many then return print(message) end
assert(assert(many:bind("127.0.0.1", 0)):listen())
many:settimeout(5)
local one <close> = assert(assert(socket.socket("AF_INET", "SOCK_SEQPACKET", "IPPROTO_SCTP")):bind("127.0.0.1", 0))
for _, word in ipairs(words) do assert(one:sendto(word, many:getsockname())) end
for _ = 1, #words do
  local data, from = assert(many:recvfrom())
  print("SCTP", data, from == one:getsockname() and "from the other one")
end
