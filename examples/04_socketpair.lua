-- 04_socketpair.lua: two sockets that are connected to each other from birth, the shortest way to two ends.
-- It shows how a stream ends: shutdown says "I have sent everything", and the other side reads "".
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local left, right = assert(socket.socketpair())
print(left)

-- A stream has no messages: it is one row of bytes, and what was sent in two pieces may come as one.
assert(left:sendall("ping "))
assert(left:sendall("pong"))
print("right got", right:recv())

-- Ask for no more than you want; the rest waits.
assert(left:sendall("abcdef"))
print("right got", right:recv(4))
print("right got", right:recv(4))

-- One direction ends, the other stays open.
assert(left:shutdown("SHUT_WR"))
local data = right:recv()
print("right got", ("%q"):format(data), data == "" and "which is the end of the stream")
assert(right:sendall("goodbye"))
print("left got", left:recv())

-- Sending to a side that is gone is an error that is returned; it ends no program.
left:close()
print("right fails", select(2, right:sendall("hello?")))
right:close()
