rockspec_format = "3.0"
package = "bsdsocket"
version = "scm-1"
-- Where a clone of this repository was made from is nothing that it could know; `luarocks make` in it
-- does not ask.
source = { url = "git+file://." }
description = {
  summary = "BSD sockets for Lua 5.4",
  detailed = "The socket calls of POSIX under their own names, and sockets that read and write like Lua files.",
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.4, < 5.6" }
build = {
  type = "builtin",
  modules = {
    ["bsdsocket"] = "lua/bsdsocket/init.lua",
    ["bsdsocket.copas"] = "lua/bsdsocket/copas.lua",
    ["bsdsocket.cqueues"] = "lua/bsdsocket/cqueues.lua",
    ["bsdsocket.loop"] = "lua/bsdsocket/loop.lua",
    ["bsdsocket.luv"] = "lua/bsdsocket/luv.lua",
    ["bsdsocket.core"] = {
      sources = {
        "csrc/address.c",
        "csrc/buffer.c",
        "csrc/connection.c",
        "csrc/constant.c",
        "csrc/control.c",
        "csrc/core.c",
        "csrc/engine.c",
        "csrc/error.c",
        "csrc/held.c",
        "csrc/hint.c",
        "csrc/inspect.c",
        "csrc/interface.c",
        "csrc/intern.c",
        "csrc/lend.c",
        "csrc/linuxaddress.c",
        "csrc/loop.c",
        "csrc/name.c",
        "csrc/option.c",
        "csrc/poller.c",
        "csrc/read.c",
        "csrc/recvmsg.c",
        "csrc/resolve.c",
        "csrc/scope.c",
        "csrc/select.c",
        "csrc/sendfile.c",
        "csrc/sendmsg.c",
        "csrc/socket.c",
        "csrc/task.c",
        "csrc/thread.c",
        "csrc/timer.c",
        "csrc/trace.c",
        "csrc/transfer.c",
        "csrc/unixpath.c",
        "csrc/util.c",
        "csrc/wait.c",
        "csrc/waiter.c",
        "csrc/write.c",
      },
      libraries = { "pthread" },
    },
  },
}
test = { type = "command", command = "make test" }
