--- bsdsocket.loop: many sockets in one thread. The whole of it is in C (csrc/loop/loop.c, task.c ...), so that nothing
-- of Lua's stands on the way of a request.

return require "bsdsocket.core".loop
