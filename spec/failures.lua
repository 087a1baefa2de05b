-- What each call can answer but success: the codes of types/bsdsocket.lua, kept equal by spec/types_spec.lua.
-- "argument" stands for an error that is raised. After a whole run spec/helper.lua fails for every row that no
-- spec provoked, but for those of `skip`: ["s:x CODE"] = "reason".
return {
  ["socket.socket"] = {
    "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EINVAL", "EMFILE", "argument",
  },
  ["socket.socketpair"] = {
    "EOPNOTSUPP", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EMFILE", "argument",
  },
  ["socket.fromfd"] = {"ENOTSOCK", "EBADF", "argument"},
  ["socket.connect"] = {
    "ECONNREFUSED", "timeout", "EAGAIN", "EADDRNOTAVAIL", "EADDRINUSE", "EAFNOSUPPORT", "ENOENT",
    "EAI_NONAME", "EAI_SERVICE", "argument",
  },
  ["socket.listen"] = {
    "EADDRINUSE", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENOENT", "EAI_NONAME", "EAI_SERVICE", "argument",
  },
  ["socket.listen_fds"] = {"EINVAL", "EBADF", "ENOTSOCK"},
  ["socket.buffer"] = {"argument"},
  ["socket.select"] = {"EBADF", "argument"},
  ["socket.poller"] = {"EMFILE"},
  ["socket.setwaiter"] = {"argument"},
  ["socket.address"] = {"EAI_NONAME", "EAI_ADDRFAMILY", "EAI_SERVICE", "ENODEV", "EMFILE", "argument"},
  ["socket.getaddrinfo"] = {
    "EAI_NONAME", "EAI_SERVICE", "EAI_FAMILY", "EAI_SOCKTYPE", "EAI_BADFLAGS", "EAGAIN", "timeout", "EMFILE",
    "argument",
  },
  ["socket.getnameinfo"] = {"EAI_FAMILY", "EAI_NONAME", "EAI_BADFLAGS", "EMFILE", "argument"},
  ["socket.getservbyname"] = {"EAI_SERVICE", "EMFILE", "argument"},
  ["socket.getservbyport"] = {"EAI_SERVICE", "EMFILE", "argument"},
  ["socket.getprotobyname"] = {"EPROTONOSUPPORT", "EMFILE", "argument"},
  ["socket.gethostname"] = {},
  ["socket.inet_pton"] = {"EINVAL", "EAFNOSUPPORT", "argument"},
  ["socket.inet_ntop"] = {"EAFNOSUPPORT", "argument"},
  ["socket.if_nameindex"] = {"EMFILE"},
  ["socket.if_nametoindex"] = {"ENODEV", "EMFILE", "argument"},
  ["socket.if_indextoname"] = {"ENXIO", "EMFILE", "argument"},
  ["socket.getifaddrs"] = {"EMFILE"},
  ["socket.strerror"] = {"argument"},
  ["socket.checksum"] = {"argument"},
  ["socket.monotime"] = {},
  ["socket.time"] = {},
  ["socket.htons"] = {"argument"},
  ["socket.ntohs"] = {"argument"},
  ["socket.htonl"] = {"argument"},
  ["socket.ntohl"] = {"argument"},

  ["address:unpack"] = {"argument"},

  ["s:bind"] = {
    "EADDRINUSE", "EADDRNOTAVAIL", "EINVAL", "ENOENT", "EAI_NONAME", "EAI_SERVICE", "EAGAIN",
    "timeout", "EBADF", "argument",
  },
  ["s:listen"] = {"EADDRINUSE", "EINVAL", "EOPNOTSUPP", "EBADF", "argument"},
  ["s:accept"] = {"EAGAIN", "timeout", "EINVAL", "EOPNOTSUPP", "EMFILE", "EBUSY", "EBADF"},
  ["s:clients"] = {"argument"},
  ["s:connect"] = {
    "ECONNREFUSED", "EINPROGRESS", "EAGAIN", "timeout", "EISCONN", "EALREADY", "ENOENT",
    "EPROTOTYPE", "EINVAL", "EAI_NONAME", "EAI_SERVICE", "EBADF", "argument",
  },
  ["s:getsockname"] = {"EBADF"},
  ["s:getpeername"] = {"ENOTCONN", "EBADF"},
  ["s:send"] = {
    "EPIPE", "ECONNRESET", "ECONNREFUSED", "EDESTADDRREQ", "ENOTCONN", "EMSGSIZE", "EAGAIN",
    "timeout", "EBUSY", "EBADF", "argument",
  },
  ["s:sendall"] = {
    "EPIPE", "ECONNRESET", "EDESTADDRREQ", "ENOTCONN", "EMSGSIZE", "EAGAIN", "timeout", "EBUSY", "EBADF",
    "argument",
  },
  ["s:sendfile"] = {
    "EPIPE", "ECONNRESET", "ENOTCONN", "EOPNOTSUPP", "EISDIR", "ESPIPE", "EMFILE", "EAGAIN", "timeout",
    "EBUSY", "EBADF", "argument",
  },
  ["s:sendto"] = {
    "EACCES", "EMSGSIZE", "ECONNREFUSED", "ENOENT", "EISCONN", "EPIPE", "EAI_NONAME", "EAI_SERVICE",
    "EAGAIN", "EINPROGRESS", "timeout", "EBUSY", "EBADF", "argument",
  },
  ["s:shutdown"] = {"ENOTCONN", "EINVAL", "EPIPE", "EAGAIN", "timeout", "EBADF", "argument"},
  ["s:recv"] = {
    "EAGAIN", "timeout", "ECONNRESET", "ECONNREFUSED", "ENOTCONN", "EINVAL", "EBUSY", "EBADF", "argument",
  },
  ["s:recvinto"] = {
    "EAGAIN", "timeout", "ECONNRESET", "ECONNREFUSED", "ENOTCONN", "EINVAL", "EBUSY", "EBADF", "argument",
  },
  ["s:recvfrom"] = {
    "EAGAIN", "timeout", "ECONNRESET", "ECONNREFUSED", "ENOTCONN", "EINVAL", "EBUSY", "EBADF", "argument",
  },
  ["s:sendmsg"] = {
    "EPIPE", "ECONNREFUSED", "EDESTADDRREQ", "ENOTCONN", "EMSGSIZE", "EINVAL", "EAGAIN", "EINPROGRESS", "timeout",
    "EBUSY", "EBADF", "argument",
  },
  ["s:sendmmsg"] = {
    "EPIPE", "ECONNREFUSED", "EDESTADDRREQ", "ENOTCONN", "EMSGSIZE", "EINVAL", "EAGAIN", "EINPROGRESS", "timeout",
    "EBUSY", "EBADF", "argument",
  },
  ["s:recvmsg"] = {
    "EAGAIN", "timeout", "ECONNRESET", "ECONNREFUSED", "ENOTCONN", "EINVAL", "EBUSY", "EBADF", "argument",
  },
  ["s:recvmmsg"] = {
    "EAGAIN", "timeout", "ECONNRESET", "ECONNREFUSED", "ENOTCONN", "EINVAL", "EBUSY", "EBADF", "argument",
  },
  ["s:read"] = {
    "EAGAIN", "timeout", "EMSGSIZE", "ECONNRESET", "ENOTCONN", "EOPNOTSUPP", "EBUSY", "EBADF", "argument",
  },
  ["s:lines"] = {"argument"},
  ["s:readuntil"] = {
    "EAGAIN", "timeout", "EMSGSIZE", "ECONNRESET", "ENOTCONN", "EOPNOTSUPP", "EBUSY", "EBADF", "argument",
  },
  ["s:chunks"] = {"argument"},
  ["s:setmaxline"] = {"EBADF", "argument"},
  ["s:pending"] = {"EBADF"},
  ["s:write"] = {
    "EPIPE", "ECONNRESET", "ENOTCONN", "EAGAIN", "timeout", "EMSGSIZE", "EDESTADDRREQ",
    "ECONNREFUSED", "EBUSY", "EBADF", "argument",
  },
  ["s:flush"] = {"EPIPE", "ECONNRESET", "EAGAIN", "timeout", "EBADF"},
  ["s:setvbuf"] = {"EPIPE", "EAGAIN", "timeout", "EOPNOTSUPP", "EBADF", "argument"},
  ["s:sockatmark"] = {"ENOTTY", "EBADF"},
  ["s:settimeout"] = {"EBADF", "argument"},
  ["s:gettimeout"] = {"EBADF", "argument"},
  ["s:setblocking"] = {"EBADF", "argument"},
  ["s:getblocking"] = {"EBADF"},
  ["s:close"] = {"EPIPE", "EAGAIN", "timeout", "EBUSY"},
  ["s:detach"] = {"EPIPE", "EAGAIN", "timeout", "EBADF"},
  ["s:dup"] = {"EMFILE", "EBADF"},
  ["s:fileno"] = {},
  ["s:family"] = {},
  ["s:type"] = {},
  ["s:protocol"] = {},
  ["s:setinheritable"] = {"EBADF", "argument"},
  ["s:getinheritable"] = {"EBADF"},
  ["s:getfd"] = {},
  ["s:setfd"] = {"ENOTSOCK", "EBADF", "argument"},
  ["s:dirty"] = {},
  ["s:pollfd"] = {},
  ["s:events"] = {},
  ["s:timeout"] = {},
  ["s:getsockopt"] = {"ENOPROTOOPT", "EOPNOTSUPP", "ENOTCONN", "EINVAL", "EBADF", "argument"},
  ["s:setsockopt"] = {
    "ENOPROTOOPT", "EOPNOTSUPP", "EINVAL", "ENOENT", "ENODEV", "EADDRINUSE", "EADDRNOTAVAIL",
    "EBADF", "argument",
  },

  ["p:add"] = {"EEXIST", "EPERM", "EINVAL", "ELOOP", "EBADF", "argument"},
  ["p:modify"] = {"ENOENT", "EBADF", "argument"},
  ["p:remove"] = {"ENOENT", "EBADF", "argument"},
  ["p:wait"] = {"EBADF", "argument"},
  ["p:fileno"] = {},
  ["p:close"] = {},

  ["buf:sub"] = {"argument"},
  ["buf:set"] = {"EBUSY", "argument"},

  ["loop.run"] = {"argument"},
  ["loop.stop"] = {"argument"},
  ["loop.spawn"] = {"argument"},
  ["loop.wrap"] = {"argument"},
  ["loop.sleep"] = {"argument"},
  ["loop.now"] = {},
  ["loop.timeout"] = {"timeout", "argument"},
  ["loop.wait"] = {"timeout", "EBADF", "argument"},
  ["task:join"] = {"argument"},
  ["task:cancel"] = {"argument"},

  skip = {},
}
