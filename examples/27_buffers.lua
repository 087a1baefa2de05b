-- 27_buffers.lua: when bytes go out, and what waits where. A socket writes at once unless it is told to gather;
-- what it has read ahead is there for whichever call comes next, and no timeout loses any of it.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local left, right = assert(socket.socketpair())
right:settimeout(0.1)

-- A thousand small writes are a thousand system calls, and on a network many small packets. Buffered, they are one.
assert(left:setvbuf "full")
for i = 1, 1000 do assert(left:write(i, " ")) end
print("before flush", select(2, right:recv()))
assert(left:flush())
print("after flush", #right:recv())

-- "line" flushes with each newline: for people who watch.
assert(left:setvbuf "line")
assert(left:write("one li"))
print("half a line", select(2, right:read "l"))
assert(left:write("ne\n"))
print("a line", right:read "l")

-- Who asks and then waits for the answer needs no flush: before a call waits, all goes out.
assert(left:setvbuf "full")
assert(left:write("what is ", 6, " times ", 7, "?\n"))
left:settimeout(0.1)
print("the answer", select(2, left:read "n")) -- nobody has answered yet, but the question is there:
print("the question", right:read "l")
assert(right:write("42\n"))
print("the answer", (left:read("n", "l")))

-- A call that fails takes nothing: half a line stays, and comes with the rest of it.
assert(right:write("never gi"))
print("too early", select(2, left:read "l"))
print("waiting", left:pending(), "bytes")
assert(right:write("ve up\nbye\n"))
print("complete", left:read "l")
print("any call gets the rest", left:recv(2), left:read "l")

-- Lines have a bound, so that a stranger who never ends his line cannot fill the memory.
left:setmaxline(10)
assert(right:write(("x"):rep(20), ";and more\n"))
print("too long", select(2, left:read "l"))
print("read otherwise", left:readuntil(";", 100), left:read "l")

assert(right:write("no newline"))
right:close()
print("the end", left:read "l", left:read "l", left:read "a" == "")
left:close()
