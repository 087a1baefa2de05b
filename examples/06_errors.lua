-- 06_errors.lua: what goes wrong, and how a program hears of it. The world's failures are returned: nil, a
-- message for people, a code for programs. A mistake in the program raises an error.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

-- Nobody listens there: this socket has the port, but never called listen.
local silent <close> = assert(socket.socket())
assert(silent:bind("127.0.0.1", 0))
local s, message, code = socket.connect(silent:getsockname())
print(s, message, code)

-- Somebody else has that port already.
local server <close> = assert(socket.listen("127.0.0.1", 0))
s, message, code = socket.listen(server:getsockname())
print(s, message, code)

-- Nothing comes in time. The timeout belongs to the socket, and bounds each of its calls as a whole.
server:settimeout(0.1)
local before = socket.monotime()
s, message, code = server:accept()
print(s, message, code, ("after %.1f s"):format(socket.monotime() - before))

-- With the timeout 0 a call does not wait at all.
server:settimeout(0)
print(server:accept())

-- Codes are names; their numbers and texts are there, too.
print("ECONNREFUSED is", socket.strerror("ECONNREFUSED"))

-- A port that no port can be is the program's mistake.
print(pcall(function() return server:bind("127.0.0.1", 70000) end))

-- A closed socket stays an object. It never touches the descriptor that somebody else now has.
server:close()
print(server:accept())
