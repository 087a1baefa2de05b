---@meta bsdsocket

-- # Reference of bsdsocket
--
-- BSD sockets for Lua 5.4 under the names that POSIX gave them. This page is made from the annotations in
-- `types/bsdsocket.lua`, which the [Lua language server](https://luals.github.io) shows in editors.
--
-- ```lua
-- local socket = require "bsdsocket"
-- local s <close> = assert(socket.connect("127.0.0.1", 8001))
-- assert(s:sendall("hihihi"))
-- print(s:recv(1024))
-- ```

-- # Conventions
--
-- In signatures `socket` is the module, `s` a socket, `address` an address, `p` a poller, `buf` a buffer, `loop` the
-- module bsdsocket.loop and `task` a task.
-- What stands in brackets may be left out, or be nil.

-- ## Numbers and names
--
-- Where POSIX has a constant, an integer is taken or its name as a string: `socket.AF_INET`, `2` and `"AF_INET"`
-- mean the same. Flags are combined with `|`: `socket.MSG_PEEK | socket.MSG_DONTWAIT`, and their names in a string,
-- too: `"MSG_PEEK|MSG_DONTWAIT"`, with blanks around the bar or without. A name that is not known, or is of another kind,
-- raises an error that tells it, and the nearest one that is known: `bad argument #2 to 'socket' (unknown constant
-- 'SOCK_STEAM'; did you mean 'SOCK_STREAM'?)`.
--
-- The module is as strict. A constant that the system lacks is nil in it, and so is any other name in capitals, as
-- other systems and later kernels have more of them; but a slip raises (`socket.SOCK_STEAM`: `bsdsocket has no
-- 'SOCK_STEAM'; did you mean 'SOCK_STREAM'?`), and so does every name in lower or mixed case that the module does not
-- have (`socket.af_inet`, `socket.tcp`). To ask whether there is one, use `rawget(socket, name)`.

-- ## Failures
--
-- A mistake of the program raises an error, as Lua's own functions do: a wrong type, a port of 70000, a negative
-- count, a path that does not fit, a method called on something else (`bad argument #1 to 'bind' (socket expected,
-- got table)`). These follow *Raises an error* below; a wrong type is not mentioned every time.
--
-- A failure of the world is returned: `nil, message, code`. The message begins with the call, names the address
-- that was given, and ends with the system's text, so `assert` reads well. Where that text does not say enough, there is
-- a hint in parentheses before it (`bind 127.0.0.1:80 (ports below 1024 are for root, or with CAP_NET_BIND_SERVICE):
-- Permission denied`), so compare codes, not messages:
--
-- ```
-- > assert(socket.connect("127.0.0.1", 1))
-- stdin:1: connect 127.0.0.1:1: Connection refused
-- ```
--
-- The code is a string, for the program to compare: the name of an errno (`"ECONNREFUSED"`), the resolver's name
-- for its failure (`"EAI_NONAME"`), or `"timeout"` when the time that `settimeout` allows has passed. (`"ETIMEDOUT"`
-- is something else: the kernel gave up because the other side has not answered for minutes.) `socket[code]` is the
-- number (but for `"timeout"`, which has none); of twin names the code is `EAGAIN`, not `EWOULDBLOCK`, and `EOPNOTSUPP`,
-- not `ENOTSUP`. Where memory runs out, Lua's own `not enough memory` is raised.
--
-- Below, each call lists the failures that belong to it. A system may know more; its manual page, named at the end
-- of each entry, has them all.
--
-- The failures that everybody meets:
--
-- | code | what has happened | what to do |
-- |---|---|---|
-- | `EACCES` | no permission: a port below 1024, a path, broadcast without `SO_BROADCAST` | another port; set the option |
-- | `EADDRINUSE` | the address is taken, or was a minute ago | `SO_REUSEADDR` before `bind`, from the first run on (Linux asks it of the earlier socket too; `socket.listen` always sets it); port 0 for any free one |
-- | `EADDRNOTAVAIL` | the address is none of this machine's | bind to `"*"`, or to an address of `getifaddrs` |
-- | `EAGAIN` | with timeout 0: the call would have to wait | wait with `select` or a poller, call again |
-- | `EAI_AGAIN` | the name server does not answer | try again later |
-- | `EAI_NONAME` | there is no such host | look at the spelling |
-- | `EBADF` | the socket is closed | do not use it any more |
-- | `ECONNREFUSED` | the machine is there, but nobody listens on that port | start the server; look at the port |
-- | `ECONNRESET` | the peer has broken the connection off | close, connect anew |
-- | `EHOSTUNREACH`, `ENETUNREACH` | there is no way to that machine | look at the network |
-- | `EINPROGRESS` | with timeout 0: `connect` has begun | wait until writable, `connect` again for the outcome |
-- | `EMFILE` | the process has as many descriptors open as it may | close what is not needed; `ulimit -n` |
-- | `EMSGSIZE` | a datagram is larger than the protocol carries; a line is longer than `setmaxline` allows | send less at a time; close, or `setmaxline` |
-- | `ENOTCONN` | `recv`, `getpeername` or `shutdown`, and the socket is not connected | `connect` first; of a listening one take what `accept` gives |
-- | `EPIPE` | nobody listens: the peer has closed, or the socket never connected, or it is the listening one | close, connect anew; on a server use what `accept` gave |
-- | `timeout` | the socket's own timeout passed | call again, or give up |

-- ## Timeouts
--
-- Every call that can wait waits for ever unless `s:settimeout(seconds)` sets a bound; then it takes no longer in
-- all, signals or not, and answers `nil, message, "timeout"`. Nothing is lost by a timeout: what arrives later
-- stays in the socket, and what was sent is told. With the timeout 0 a call never waits: it answers `"EAGAIN"`, or
-- `"EINPROGRESS"` for a connection that has begun. A signal that Lua wants to see (Ctrl-C) interrupts a
-- waiting call with Lua's own `interrupted!`; the socket remains usable.
--
-- A socket has two bounds, one for each direction: `s:settimeout(5, "r")` is for calls that receive or accept,
-- `s:settimeout(5, "w")` for those that send or connect (with the look-up of a name for them, and what they flush),
-- and without a direction both are set. So one task may read from a connection for as long as it takes, while
-- another gives up writing to it after a while. A receiving call that has to send first what `write` has left does
-- so within the time for receiving.
--
-- Looking up a name is left to the system's resolver, which knows of no timeout and cannot be interrupted. So
-- it is asked in a helper thread, and left alone there when the timeout has passed or Ctrl-C was pressed; the thread
-- ends when the resolver returns, and nobody waits for it, not even at the end of the program. A state has eight
-- such threads at most: while all of them wait for silent name servers, further look-ups wait for one of them,
-- within their timeouts. Where no thread is to be had the resolver is asked all the same, and a timeout may come
-- late by what it takes. With timeout 0 it is not asked at all (`"EAGAIN"`); numeric addresses never need it.

-- ## Closing
--
-- A descriptor is closed by `s:close()`, at the end of the block by `local s <close> = ...`, and at last by the
-- garbage collector. The library's descriptors are close-on-exec: programs that are started do not inherit them
-- unless `s:setinheritable(true)` says so. When the process has no descriptor left, unreachable sockets are
-- collected and the call that needed one is tried once more. No call raises SIGPIPE.
--
-- The collector works only while Lua makes new values. A program that waits, or a loop whose tasks all wait, makes none:
-- what was forgotten before stays open, and its peer sees no end, until something happens. `<close>` does not depend on
-- that.
--
-- Every call on a closed socket answers `nil, message, "EBADF"`, but for those that say otherwise; it never touches
-- a stranger's descriptor that has got the same number.
--
-- With `SO_LINGER` the system's own close waits until the peer has everything, or the time is over. A helper thread does
-- so here. Whoever calls `s:close()` waits for it, at most for the socket's timeout for sending, and so does `<close>`; in
-- a task all others run meanwhile. Where a task cannot be suspended, after a cancel, and when the collector closes, nobody
-- waits. The bytes are delivered in each case. (Where the option was set behind the library's back, by another library
-- with the number of the descriptor, it is not known of.)

-- ## Several tasks on one socket
--
-- What holds for tasks of [bsdsocket.loop](#bsdsocketloop) holds for the coroutines of [another
-- scheduler](#with-another-scheduler), too. One may receive on a socket while another sends on it. Besides:
--
-- Sending calls take turns. While one is not done, others stand in a queue, first come first served, and the bytes of
-- each stay together, however often it has to wait for room. The time in the queue counts in the call's timeout, the
-- one that the socket had when the call began; whoever is cancelled there, or gives up, has sent nothing. With a
-- timeout of 0, or `MSG_DONTWAIT`, a call gives `EAGAIN` instead of standing there. Where Lua cannot yield it gives
-- `EBUSY`, as the one that it would wait for could not go on. Who is ended in the middle of its message leaves half of
-- it, and lets the next one send: the fourth value says how much went, and a connection with half a message on it is
-- mostly of no use but to be closed.
--
-- `flush`, `shutdown`, `close` and `detach` take no turn. After `shutdown("SHUT_WR")` whoever was sending or stood in
-- the queue gets `EPIPE`, after `close` and `detach` `EBADF`. `close` does not wait for another task that sends or
-- flushes: where bytes are left unflushed it gives `EBUSY` then, and the socket is closed all the same.
--
-- Receiving calls exclude each other: while one is not done, another gets `EBUSY` at once, whether or not there are
-- bytes, as it would take them out of the middle of the first one's message. `accept`, `clients` and `MSG_PEEK` are
-- such calls, and so is `sendfile` for the socket that it reads from. Let one task receive, and hand on what came; or
-- let the next one begin when the first has ended.
--
-- What takes nothing away passes by: a count of 0 of a stream, and receiving with `MSG_OOB` or `MSG_ERRQUEUE`. Any
-- number may wait in `select`, `p:wait` and `loop.wait` beside a task that receives or sends. Bytes that one task has
-- read ahead wake whoever waits elsewhere until the socket is readable. But what a `read` has found too little, such as
-- half a line, does not count as readable until more has come.
--
-- Any number may `connect` the same socket to the same address: all wait for one attempt. Who begins when that is over
-- gets `EISCONN`.

-- ## Owners
--
-- A descriptor has one owner, who closes it: the socket object. `detach` gives it up to whoever takes the number, and
-- `fromfd` makes an object the owner; `socket.fromfd(s:detach())` loses nothing even where memory runs out. `fileno` and
-- `getfd` lend the number. `setfd(-1)` is for a library that has taken the number by `getfd` and is the owner already, as
-- LuaSec is: it lets go whatever else is the case. `dup` makes a second descriptor, with an owner of its own.
--
-- What is behind a descriptor may be shared: by `dup`, by a process that has inherited it (`setinheritable`, or a fork),
-- by one that has got it in a message. `O_NONBLOCK` and `SO_RCVTIMEO` belong to what is shared. The library sets them
-- where a call must not wait, or no longer than its timeout, and puts them back as it found them where others go on: at
-- `detach`, at the close of a socket that was adopted, duplicated, passed on or made inheritable, by whatever closes it,
-- and at `setinheritable(true)`. `setfd(-1)` alone leaves them, as the new owner has set its own. Where `O_NONBLOCK` cannot
-- be set, since a security module forbids it, calls that must not wait fail with that error (`EACCES`) instead of waiting.
--
-- A child that was forked (by luaposix, say) has copies of all descriptors, and objects for them. What a child does
-- with its copy of a socket is on the same connection: both may send, and whoever receives a byte has it. Closing a copy, or
-- ending, changes nothing for the parent:
--
-- | what | in the child |
-- |---|---|
-- | sockets | shared; the connection ends when the last copy is closed, or by `shutdown` for all |
-- | what is read ahead, in both | whoever reads it has it: it was copied |
-- | what is not flushed | the parent's to send |
-- | pollers | refused (`EBADF`) but for `close`; make new ones |
-- | a loop that runs | refused: at the child's next wait `loop.run` ends the task that forked, and raises; others do not run on. After that, and where none ran, `loop.run` begins anew |
-- | look-ups in helper threads | the parent's; new ones work |
--
-- A server of several processes that share a listener forks first, or gives each worker the listener by
-- [`listen_fds`](#socketlisten_fds) or a message, and makes pollers and loops in each worker.

-- ## Types
--
-- What the names of types below stand for.

--- The code of a failure: `"ECONNREFUSED"`, `"EAI_NONAME"`, `"timeout"` ...
---@alias bsdsocket.Code string

--- An address family, by number or name.
---@alias bsdsocket.Family
---| "AF_INET" # IPv4
---| "AF_INET6" # IPv6
---| "AF_UNIX" # sockets of this machine, named by paths
---| string # another AF_* or PF_*
---| integer

--- A type of socket, by number or name.
---@alias bsdsocket.Type
---| "SOCK_STREAM" # a connection: bytes in order, none lost, without bounds (TCP)
---| "SOCK_DGRAM" # datagrams: single messages that may get lost (UDP)
---| "SOCK_SEQPACKET" # a connection that keeps the bounds of messages
---| "SOCK_RAW" # packets of the network layer itself; for root
---| "SOCK_RDM" # datagrams that do not get lost, in any order
---| string # another SOCK_*
---| integer

--- What something is ready for, or should be: reading, writing or both.
---@alias bsdsocket.Events
---| "r"
---| "w"
---| "rw"

--- The same for a poller, which knows a third: that the peer has sent its last byte, or is gone. The letters stand in
--- this order, in what is asked and in what is told.
---@alias bsdsocket.PollerEvents
---| bsdsocket.Events
---| "h"
---| "rh"
---| "wh"
---| "rwh"

--- What has a descriptor: a socket, a poller, the number itself, a Lua file, or any table or userdata with a method
--- `fileno` or `getfd` that gives it.
---
--- It counts as readable, too, when bytes are at hand of which the descriptor does not tell: those that a socket, or one
--- in a poller, has read ahead, what Lua has read ahead of its file, and what an object says of itself whose method
--- `dirty` gives true (those of LuaSec and LuaSocket have it). A number alone cannot know: where there is an object, give
--- the object. `dirty` is asked when the wait begins, what it raises is raised, and it cannot yield.
---@alias bsdsocket.Pollable bsdsocket.Socket|bsdsocket.Poller|integer|file*|table|userdata

--- Bytes to send: a string, a number as Lua writes it, or a buffer.
---@alias bsdsocket.Data string|number|bsdsocket.Buffer

-- # The module
--
-- `local socket = require "bsdsocket"`

--- The module.
---@class bsdsocket: bsdsocket.Constants
local M = {}

--- Name and version of the library: `"bsdsocket 0.1.0"`.
---@type string
M._VERSION = "bsdsocket 0.1.0"

-- ## Making sockets

--- Makes a socket. It is not bound, not connected, blocks (has no timeout) and is close-on-exec.
---
--- A server then calls `bind`, `listen`, `accept`; a client `connect`; `socket.listen` and `socket.connect` do these
--- steps at once. `SOCK_NONBLOCK` in the type means the timeout 0.
---
--- ```lua
--- local s <close> = assert(socket.socket("AF_INET", "SOCK_STREAM"))
--- ```
---
--- Errors:
--- * `EAFNOSUPPORT`: the system does not have this family.
--- * `ESOCKTNOSUPPORT`: the family does not have this type.
--- * `EPROTONOSUPPORT`: the type does not have this protocol.
--- * `EINVAL`: there is no such type.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: an unknown name, a number that does not fit a C `int`.
---
--- Raw and packet sockets need a privilege (root): `EPERM`.
---
--- See socket(2), POSIX `socket`.
---@param family? bsdsocket.Family default `AF_INET`
---@param type? bsdsocket.Type default `SOCK_STREAM`
---@param protocol? integer|string an `IPPROTO_*`; default 0, the usual one of the type; handed to the kernel as it is
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function M.socket(family, type, protocol) end

--- Makes two sockets that are connected to each other, as a pipe in both directions.
---
--- ```lua
--- local a <close>, b = assert(socket.socketpair())
--- ```
---
--- Errors:
--- * `EOPNOTSUPP`: the family has no pairs; `AF_UNIX` has.
--- * `EAFNOSUPPORT`: the system does not have this family.
--- * `ESOCKTNOSUPPORT`: the family does not have this type.
--- * `EPROTONOSUPPORT`: the type does not have this protocol.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: as `socket.socket`.
---
--- See socketpair(2), POSIX `socketpair`.
---@param family? bsdsocket.Family default `AF_UNIX`
---@param type? bsdsocket.Type default `SOCK_STREAM`
---@param protocol? integer|string default 0
---@return bsdsocket.Socket? a
---@return bsdsocket.Socket|string b the other end, or the message
---@return bsdsocket.Code? code
function M.socketpair(family, type, protocol) end

--- Makes a socket object of a descriptor that is open already: inherited from a parent, given up by another library.
--- The object owns it from then on and closes it. Its family, type and protocol are asked of the kernel; its flags
--- are left as they are until a call needs them otherwise.
---
--- Errors:
--- * `ENOTSOCK`: the descriptor is not a socket; it stays open, and the caller's.
--- * `EBADF`: there is no such descriptor.
--- * raises: a number that is no descriptor.
---
--- As Python's `socket.socket(fileno=fd)`.
---@param fd integer
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function M.fromfd(fd) end

--- Options of `socket.connect`.
---@class bsdsocket.ConnectOptions
---@field family? bsdsocket.Family only addresses of this family
---@field timeout? number seconds for all of it, the look-up of the name included; default: for ever
---@field bind? string|bsdsocket.Address the address of this machine to connect from: a host or an address; without a port (a host, port 0) no port number is used up: connections to different peers can share one (`IP_BIND_ADDRESS_NO_PORT`)
---@field nodelay? boolean|integer `TCP_NODELAY` from the first byte on
---@field keepalive? boolean|integer `SO_KEEPALIVE`
---@field type? bsdsocket.Type default `SOCK_STREAM`; a datagram socket is connected to the first address that it can
---@field options? table<bsdsocket.Option, any> [options](#options) of the socket, `{NAME = value}`: set on each attempt's socket, in the order of their names, before it binds or connects
---@field flags? integer|string `AI_*` for looking the host up: `"AI_NUMERICHOST"` asks no resolver

--- Connects to a server: looks the name up, makes a socket and connects it.
---
--- A name may have many addresses. Each is tried on a socket of its own, IPv6 and IPv4 by turns, the next one a
--- quarter of a second after the one before or as soon as that has failed; the first connection wins and the others
--- are closed (RFC 8305, "Happy Eyeballs"). `opts.timeout` bounds all of it; the socket itself comes without a
--- timeout. A connection to itself, which TCP makes where nobody listens on a port that the system happens to choose for
--- the caller, too, is closed and counts as `ECONNREFUSED`.
---
--- ```lua
--- local s <close> = assert(socket.connect("localhost", 8001, {timeout = 5}))
--- local u <close> = assert(socket.connect(socket.address("AF_UNIX", "/run/x.sock")))
--- local d <close> = assert(socket.connect("localhost", 8001, {type = "SOCK_DGRAM", options = {SO_RCVBUF = 65536}}))
--- ```
---
--- Where an option cannot be set nothing is sent, and the message names the option.
---
--- When every address failed, the message tells what each had to say, so it is no constant to compare; the code is
--- the last one's.
---
--- Errors:
--- * `ECONNREFUSED`: nobody listens there.
--- * `timeout`: `opts.timeout` passed. A timeout of 0 gives one try (a unix socket may succeed in it), and this where
---   the try would have to wait.
--- * `EAGAIN`: with a timeout of 0, a name would have to be looked up.
--- * `EADDRNOTAVAIL`: `opts.bind` is not of this machine.
--- * `EADDRINUSE`: the address in `opts.bind` is taken.
--- * `EAFNOSUPPORT`: the address is of a family that the system does not have.
--- * `ENOENT`: there is no such path (`AF_UNIX`).
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_SERVICE`: there is no such service.
--- * raises: a port out of range, an unknown field, a timeout that is negative or NaN, a name or a value in `opts.options` that
---   `s:setsockopt` would raise for.
---
--- Also `ETIMEDOUT`, `EHOSTUNREACH`, `ENETUNREACH`, `EAI_AGAIN`, and what `socket.socket`, `s:bind` and
--- `s:setsockopt` answer: options of TCP fail on other sockets.
---
--- As Python's `socket.create_connection`. See connect(2).
---@param host string name or numeric address
---@param port integer|string 0 to 65535, or the name of a service
---@param opts? bsdsocket.ConnectOptions
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(address: bsdsocket.Address, opts?: bsdsocket.ConnectOptions): bsdsocket.Socket?, string?, bsdsocket.Code?
function M.connect(host, port, opts) end

--- Options of `socket.listen`.
---@class bsdsocket.ListenOptions
---@field family? bsdsocket.Family only addresses of this family
---@field backlog? integer how many connections may wait to be accepted; default `SOMAXCONN`
---@field reuseport? boolean|integer `SO_REUSEPORT`: several sockets listen on one port, and the kernel spreads the connections
---@field v6only? boolean|integer `IPV6_V6ONLY` of an IPv6 socket; the default for every interface is false
---@field mode? integer|string permissions of a unix socket file, set before anybody can connect: `384`, or in octal digits `"600"`; abstract names have none
---@field options? table<bsdsocket.Option, any> [options](#options) of the socket, `{NAME = value}`: set in the order of their names before it binds
---@field flags? integer|string `AI_*` for looking the host up, besides `AI_PASSIVE`

--- Makes a listening socket: `socket`, `SO_REUSEADDR`, `bind` and `listen` at once.
---
--- With `host` nil, `""` or `"*"` it listens on every interface, by IPv6 and IPv4 alike where the system can (IPv4
--- peers then have addresses such as `::ffff:192.0.2.1`). Port 0 lets the system choose; `s:getsockname().port`
--- tells which.
---
--- On a unix path the file that an earlier server has left behind, where nobody answers any more, is replaced; one
--- where somebody answers is `EADDRINUSE`, and of two servers that start at once one gets `EADDRINUSE`. The file
--- remains when the socket is closed.
---
--- ```lua
--- local server <close> = assert(socket.listen("127.0.0.1", 8001))
--- for connection, address in server:clients() do
---   print(address)
---   connection:close()
--- end
--- ```
---
--- Errors:
--- * `EADDRINUSE`: somebody listens there.
--- * `EADDRNOTAVAIL`: the address is none of this machine's.
--- * `EAFNOSUPPORT`: the address is of a family that the system does not have.
--- * `ENOENT`: the directory of the path does not exist (`AF_UNIX`).
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_SERVICE`: there is no such service.
--- * raises: a port out of range, an unknown field, a name or a value in `opts.options` that `s:setsockopt` would raise for,
---   `opts.mode` for an address that is not of `AF_UNIX`.
---
--- Also `EACCES` (a port below 1024, without the privilege), `EAI_AGAIN`.
---
--- As Python's `socket.create_server`. See bind(2), listen(2).
---@param host? string name or numeric address of an interface; nil, `""` or `"*"`: every interface
---@param port integer|string 0 to 65535, or the name of a service
---@param opts? bsdsocket.ListenOptions
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(address: bsdsocket.Address, opts?: bsdsocket.ListenOptions): bsdsocket.Socket?, string?, bsdsocket.Code?
function M.listen(host, port, opts) end

--- Takes over the sockets that a service manager has opened for this program (*socket activation*): systemd, or any
--- other that sets `LISTEN_PID`, `LISTEN_FDS` and, for names, `LISTEN_FDNAMES`. The manager then keeps the address,
--- starts the program, and starts it again if it dies; callers wait meanwhile instead of being refused.
---
--- The result is an array in the manager's order; under a name (`FileDescriptorName=`) is the first socket that has
--- it. It is empty where there are none, and where they are for another process. Sockets of any kind may be among
--- them; each is close-on-exec from then on. They are given once: a second call finds none.
---
--- ```lua
--- local server = assert(socket.listen_fds())[1] or assert(socket.listen("127.0.0.1", 8001))
--- ```
---
--- Errors:
--- * `EINVAL`: a variable is no number, or there are more names than descriptors or fewer; the message tells which.
--- * `EBADF`: one of the descriptors is not open. None is taken.
--- * `ENOTSOCK`: one of the descriptors is no socket, but a pipe or a file. None is taken: `socket.fromfd` takes the
---   others, which are numbered from 3.
---
--- See sd_listen_fds(3), systemd.socket(5).
---@return table<integer|string, bsdsocket.Socket>? sockets
---@return string? message
---@return bsdsocket.Code? code
function M.listen_fds() end

--- Makes a byte buffer, to receive into again and again without making strings. Its bytes are zeros at first.
---
--- Errors:
--- * raises: a size below 1.
---@param size integer bytes; at least one
---@return bsdsocket.Buffer buf
function M.buffer(size) end

-- ## Waiting for several at once

--- Waits until at least one of the sockets is ready, and gives those that are: of `readers` what can be received
--- from or accepted, or is at its end; of `writers` what takes bytes, or whose `connect` has come to its end. An
--- error or a hang-up counts as ready. Either list may be nil; descriptor numbers have no limit.
---
--- The results are arrays in the order of the lists, and each entry is a key, too (its position is the value), but
--- for integers: `if readable[s] then`. Both are empty at the timeout.
---
--- For many sockets that are waited for again and again, a poller does less work.
---
--- Errors:
--- * `EBADF`: something in the lists is closed; the message says what: `select readers[2]: Bad file descriptor`.
--- * raises: a list that is no table, an entry without a descriptor, a timeout that is negative or NaN.
---
--- In a task, and under another scheduler, it waits by a descriptor of its own. Where none is left, it looks at its
--- lists every 16 ms instead.
---
--- See select(2), poll(2); as Python's `select.select`.
---@param readers? bsdsocket.Pollable[]
---@param writers? bsdsocket.Pollable[]
---@param timeout? number seconds; default: for ever
---@return table? readable
---@return table|string writable or the message
---@return bsdsocket.Code? code
function M.select(readers, writers, timeout) end

--- Makes a poller, which watches many sockets: see [Pollers](#pollers).
---
--- Errors:
--- * `EMFILE`: the process has as many descriptors open as it may.
---
--- See epoll(7); kqueue and poll on other systems.
---@return bsdsocket.Poller? p
---@return string? message
---@return bsdsocket.Code? code
function M.poller() end

-- ## With another scheduler
--
-- A program that has its coroutines run by another library keeps that library: the calls of this one, the same ones,
-- suspend only the coroutine that makes them. For three libraries that is one line, which installs the bridge; what it
-- gives is a table with the two functions that `setwaiter` got.
--
-- | line | the coroutines that wait are those of |
-- |---|---|
-- | `require "bsdsocket.cqueues"` | cqueues: `cq:wrap(f)`, `cq:loop()` |
-- | `require "bsdsocket.luv"` | luv: any coroutine that is not the main one; `uv.run()` resumes it |
-- | `require "bsdsocket.copas"` | copas 4: `copas.addthread(f)`, `copas.loop()` |
--
-- Closing a socket that another coroutine waits for, [turns](#several-tasks-on-one-socket), deadlines and look-ups are
-- as everywhere. What belongs to each:
--
-- * cqueues: outside of its controllers a call blocks. A coroutine that a program makes inside of one has to be one of
--   `cqueues.auxlib`, as for the sockets of cqueues itself.
-- * luv: an error in a coroutine that its loop has resumed goes where errors of its callbacks go: to stderr with its
--   traceback, and the program ends. A descriptor has one handle in libuv: what is waited for here cannot be given to
--   `uv.new_poll` too.
-- * copas waits by LuaSocket's select: descriptors from 1024 on raise an error. The copas of 2009, version 1.2.0 in
--   Debian, has no timers: there a call raises an error where it has to wait under a timeout.
--
-- The scheduler of this library needs nothing of this: in a task of it no other one is asked.

--- Installs a scheduler, or takes it back. Its function is called where a call would block in a coroutine that can
--- yield: `wait(object, events, timeout)`. `object:fileno()` is the descriptor; the object is a socket, a poller, or
--- one that stands for a look-up, a `select`, a span of time or a place in the [queue of
--- senders](#several-tasks-on-one-socket), with a descriptor of its own. `events` is `"r"`, `"w"` or `"rw"`,
--- `timeout` the seconds that are left, or nil. It may yield, and answers true when the descriptor is ready, false
--- when the time is over, or nil to have the call block its thread (in that queue it gives `EBUSY` instead). True in
--- vain does no harm: the call tries, and waits on. After false it tries once more, and ends with `"timeout"`; but up
--- to 20 ms before its time it waits on, since schedulers count in ticks, and without a timeout it always does. What
--- it raises, the call raises.
---
--- `wake(object)` is called before the descriptor of anything that was ever waited for is closed or given up; a socket
--- whose `pollfd` was asked for is such, too, as cqueues waits for it by itself. A
--- scheduler forgets the descriptor then, and lets who waits for it go on: after this function has returned, since only
--- then the socket is closed, and they get `EBADF`. It is also called where the descriptor will not tell: when another
--- coroutine has read bytes ahead, or has shut the socket down. Whoever is let go on for nothing waits again. It cannot
--- yield; its errors are warnings.
---
--- A coroutine that waits and is never resumed keeps its place: nobody else receives there, or sends, until it is
--- closed (`coroutine.close`) or collected.
---
--- One scheduler is installed at a time. While it is, the library keeps a socket of its own open for waiting when there
--- are no more descriptors.
---
--- Errors:
--- * raises: what is no function.
---
--- ```lua
--- local waiting = {} -- coroutine -> what it waits for
--- socket.setwaiter(function(object, events, timeout)
---   waiting[coroutine.running()] = {fd = object:fileno(), events = events, timeout = timeout}
---   return coroutine.yield()
--- end)
--- ```
---@param wait fun(object: table|userdata, events: string, timeout?: number): boolean?
---@param wake? fun(object: table|userdata)
---@return nil
---@overload fun(wait: nil)
function M.setwaiter(wait, wake) end

-- ## Names and addresses

--- Makes an address; [Addresses](#addresses) tells what follows each family.
---
--- ```lua
--- socket.address("AF_INET", "127.0.0.1", 8001)
--- socket.address("AF_INET6", "::1", "http")
--- socket.address("AF_INET6", "fe80::1%eth0", 8001)
--- socket.address("AF_UNIX", "/run/x.sock")
--- socket.address("AF_UNIX", "\0abstract")
--- socket.address("AF_PACKET", "eth0", "ETH_P_IP")
--- socket.address("AF_TIPC", {type = 1000, instance = 5})
--- socket.address("AF_UNSPEC")
--- ```
---
--- A host's name is looked up, within the family.
---
--- Errors:
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_ADDRFAMILY`: the host is a numeric address of another family.
--- * `EAI_SERVICE`: there is no such service.
--- * `ENODEV`: there is no such interface (`AF_PACKET`).
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a port out of range, a path that is too long or contains zeros, an unknown family.
---
--- Also `EAI_AGAIN`, `EAI_FAIL`, `EAI_NODATA`, as the resolver has it.
---@param family bsdsocket.Family
---@param host string
---@param port integer|string 0 to 65535, or the name of a service
---@param flowinfo? integer `AF_INET6`: 0 to 2^32 - 1, default 0
---@param scope_id? integer `AF_INET6`: the number of an interface, default 0, or what follows the `%` of `host`
---@return bsdsocket.Address? address
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(family: bsdsocket.Family, path: string): bsdsocket.Address
---@overload fun(family: bsdsocket.Family, interface: string|integer, protocol: integer|string, hwaddr?: string): bsdsocket.Address?, string?, bsdsocket.Code?
---@overload fun(family: bsdsocket.Family, pid: integer, groups: integer): bsdsocket.Address
---@overload fun(family: bsdsocket.Family, cid: integer|string, port: integer|string): bsdsocket.Address
---@overload fun(family: bsdsocket.Family, service: bsdsocket.TipcAddress): bsdsocket.Address
---@overload fun(family: bsdsocket.Family, bytes: string|{bytes: string}): bsdsocket.Address
function M.address(family, host, port, flowinfo, scope_id) end

--- Hints of `socket.getaddrinfo`.
---@class bsdsocket.Hints
---@field family? bsdsocket.Family only addresses of this family
---@field type? bsdsocket.Type only for this type of socket
---@field protocol? integer|string only for this protocol, an `IPPROTO_*`
---@field flags? integer|string `AI_*`, several with `|`: `"AI_PASSIVE|AI_NUMERICSERV"`
---@field timeout? number seconds, the longest that it may take; 0: do not ask the resolver; default: for ever

--- An entry of `socket.getaddrinfo`: what to give to `socket.socket`, and then to `connect` or `bind`.
---@class bsdsocket.AddrInfo
---@field family integer
---@field type integer
---@field protocol integer
---@field canonname? string with `AI_CANONNAME` alone, in the first entry: the official name of the host
---@field address bsdsocket.Address

--- Asks the system's resolver for the addresses of a host and the port of a service, best first.
---
--- ```lua
--- for _, entry in ipairs(assert(socket.getaddrinfo("localhost", "http", {type = "SOCK_STREAM"}))) do
---   print(entry.address)
--- end
--- ```
---
--- Errors:
--- * `EAI_NONAME`: there is no such host, or neither host nor service was given.
--- * `EAI_SERVICE`: there is no such service, or not for that type.
--- * `EAI_FAMILY`: the resolver does not know the family.
--- * `EAI_SOCKTYPE`: it does not know the type.
--- * `EAI_BADFLAGS`: it does not know the flags.
--- * `EAGAIN`: with a timeout of 0, the resolver would have to be asked.
--- * `timeout`: the resolver has not answered within the timeout.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: an unknown field, a port out of range, a name with zeros in it.
---
--- Also `EAI_ADDRFAMILY` (the host has no address of that family), `EAI_AGAIN` (no name server answers), `EAI_FAIL`,
--- `EAI_NODATA`.
---
--- See getaddrinfo(3), POSIX `getaddrinfo`, RFC 3493.
---@param host? string name or numeric address; nil: this machine's own, or any with `AI_PASSIVE`
---@param service? integer|string a port, or the name of a service; nil: port 0
---@param hints? bsdsocket.Hints
---@return bsdsocket.AddrInfo[]? list
---@return string? message
---@return bsdsocket.Code? code
function M.getaddrinfo(host, service, hints) end

--- The names that belong to an address: of the host and of the service, or in their place the numbers as text.
---
--- Errors:
--- * `EAI_FAMILY`: the address is neither of `AF_INET` nor of `AF_INET6`.
--- * `EAI_NONAME`: with `NI_NAMEREQD`, the host has no name.
--- * `EAI_BADFLAGS`: unknown flags.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: what is no address.
---
--- Also `EAI_AGAIN`, `EAI_FAIL`.
---
--- See getnameinfo(3), POSIX `getnameinfo`, RFC 3493.
---@param address bsdsocket.Address
---@param flags? integer|string `NI_*`, combined with `|`; default 0
---@return string? host
---@return string service or the message
---@return bsdsocket.Code? code
function M.getnameinfo(address, flags) end

--- The port of a service, such as 80 of `"http"`.
---
--- Errors:
--- * `EAI_SERVICE`: there is no such service, or not over that protocol.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a name with zeros in it.
---
--- See getservbyname(3), POSIX `getservbyname`, services(5).
---@param name string
---@param proto? string `"tcp"`, `"udp"` ...; default: any
---@return integer? port
---@return string? message
---@return bsdsocket.Code? code
function M.getservbyname(name, proto) end

--- The name of the service that has a port, such as `"http"` of 80.
---
--- Errors:
--- * `EAI_SERVICE`: none has this port over that protocol.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a port out of range.
---
--- See getservbyport(3), POSIX `getservbyport`, services(5).
---@param port integer 0 to 65535
---@param proto? string `"tcp"`, `"udp"` ...; default: any
---@return string? name
---@return string? message
---@return bsdsocket.Code? code
function M.getservbyport(port, proto) end

--- The number of a protocol, such as 6 of `"tcp"`: what `socket.socket` takes for its third argument.
---
--- Errors:
--- * `EPROTONOSUPPORT`: there is no such protocol.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a name with zeros in it.
---
--- See getprotobyname(3), POSIX `getprotobyname`, protocols(5).
---@param name string
---@return integer? number
---@return string? message
---@return bsdsocket.Code? code
function M.getprotobyname(name) end

--- The name of this machine.
---
--- See gethostname(2), POSIX `gethostname`.
---@return string name
function M.gethostname() end

--- A numeric address as bytes in network order: 4 of IPv4, 16 of IPv6.
---
--- Errors:
--- * `EINVAL`: the text is no numeric address of that family.
--- * `EAFNOSUPPORT`: neither `AF_INET` nor `AF_INET6`.
--- * raises: an unknown family.
---
--- See inet_pton(3), POSIX `inet_pton`.
---@param family bsdsocket.Family
---@param text string
---@return string? bytes
---@return string? message
---@return bsdsocket.Code? code
function M.inet_pton(family, text) end

--- The text of an address that is given as bytes in network order.
---
--- Errors:
--- * `EAFNOSUPPORT`: neither `AF_INET` nor `AF_INET6`.
--- * raises: a number of bytes that is not the family's.
---
--- See inet_ntop(3), POSIX `inet_ntop`.
---@param family bsdsocket.Family
---@param bytes string 4 bytes of IPv4, 16 of IPv6
---@return string? text
---@return string? message
---@return bsdsocket.Code? code
function M.inet_ntop(family, bytes) end

-- ## Interfaces

--- A network interface, as `socket.if_nameindex` lists it.
---@class bsdsocket.Interface
---@field index integer
---@field name string

--- The network interfaces of this machine.
---
--- Errors:
--- * `EMFILE`: the process has as many descriptors open as it may.
---
--- See if_nameindex(3), POSIX `if_nameindex`.
---@return bsdsocket.Interface[]? list
---@return string? message
---@return bsdsocket.Code? code
function M.if_nameindex() end

--- The number of an interface, such as 1 of `"lo"`.
---
--- Errors:
--- * `ENODEV`: there is no such interface.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a name with zeros in it.
---
--- See if_nametoindex(3), POSIX `if_nametoindex`.
---@param name string
---@return integer? index
---@return string? message
---@return bsdsocket.Code? code
function M.if_nametoindex(name) end

--- The name of the interface with a number.
---
--- Errors:
--- * `ENXIO`: there is no such interface.
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * raises: a number that is negative or does not fit 32 bits.
---
--- See if_indextoname(3), POSIX `if_indextoname`.
---@param index integer
---@return string? name
---@return string? message
---@return bsdsocket.Code? code
function M.if_indextoname(index) end

--- An address of an interface, as `socket.getifaddrs` lists it.
---@class bsdsocket.InterfaceAddress
---@field name string the interface's
---@field flags integer `IFF_*`, combined with `|`
---@field address? bsdsocket.Address
---@field netmask? bsdsocket.Address
---@field broadcast? bsdsocket.Address where the interface can broadcast
---@field destination? bsdsocket.Address of a link from point to point (`IFF_POINTOPOINT`: a tunnel, PPP): its other end

--- The addresses of this machine: an entry for each address of each interface. On Linux its hardware address is
--- among them (`AF_PACKET`).
---
--- Errors:
--- * `EMFILE`: the process has as many descriptors open as it may.
---
--- See getifaddrs(3).
---@return bsdsocket.InterfaceAddress[]? list
---@return string? message
---@return bsdsocket.Code? code
function M.getifaddrs() end

-- ## Small tools

--- The system's text for the code of a failure.
---
--- ```lua
--- print(socket.strerror("ECONNREFUSED")) --> Connection refused
--- ```
---
--- Errors:
--- * raises: a name that is no code.
---
--- See strerror(3), gai_strerror(3).
---@param code integer|bsdsocket.Code an `E*` or `EAI_*` by number or name, or `"timeout"`
---@return string text
function M.strerror(code) end

--- The Internet checksum of some bytes, as the headers of IP, ICMP, UDP and TCP carry it.
---
--- Errors:
--- * raises: what is neither string nor buffer.
---
--- See RFC 1071.
---@param bytes bsdsocket.Data
---@return integer sum 16 bits, to be written with `string.pack(">I2", sum)`
function M.checksum(bytes) end

--- Seconds on a clock that never jumps, for measuring spans; what it started from means nothing.
---
--- See clock_gettime(2) (`CLOCK_MONOTONIC`); as Python's `time.monotonic`.
---@return number seconds
function M.monotime() end

--- Seconds since 1970, with their fraction: `os.time` to the microsecond and better. It is what timestamps of control
--- data are compared with; whoever sets the machine's clock makes it jump, so measure spans with `socket.monotime`.
---
--- ```lua
--- print(os.date("%H:%M:%S", math.floor(socket.time())))
--- ```
---
--- See clock_gettime(2) (`CLOCK_REALTIME`); as Python's `time.time`.
---@return number seconds
function M.time() end

--- 16 bits from this machine's byte order to the network's.
---
--- Errors:
--- * raises: out of range.
---
--- See byteorder(3), POSIX `htons`.
---@param n integer 0 to 65535
---@return integer
function M.htons(n) end

--- 16 bits from the network's byte order to this machine's.
---
--- Errors:
--- * raises: out of range.
---
--- See byteorder(3), POSIX `ntohs`.
---@param n integer 0 to 65535
---@return integer
function M.ntohs(n) end

--- 32 bits from this machine's byte order to the network's.
---
--- Errors:
--- * raises: out of range.
---
--- See byteorder(3), POSIX `htonl`.
---@param n integer 0 to 2^32 - 1
---@return integer
function M.htonl(n) end

--- 32 bits from the network's byte order to this machine's.
---
--- Errors:
--- * raises: out of range.
---
--- See byteorder(3), POSIX `ntohl`.
---@param n integer 0 to 2^32 - 1
---@return integer
function M.ntohl(n) end

-- # Addresses
--
-- An address is a value: it never changes, and equal addresses are one and the same object, so they are compared with
-- `==` and serve as keys of tables. A datagram server may write `clients[address]`. Where text is wanted, as for `..`,
-- write `tostring(address)`. (An address that had already been garbage, and that only a finalizer has brought back, is
-- still equal by `==`, but as a key it is another one than a new address.)
--
-- | family | `socket.address(family, ...)` | fields | as text |
-- |---|---|---|---|
-- | `AF_INET` | `host, port` | `host port` | `127.0.0.1:8001` |
-- | `AF_INET6` | `host, port [, flowinfo [, scope_id]]` | `host port flowinfo scope_id` | `[::1]:8001`, `[fe80::1%2]:8001` |
-- | `AF_UNIX` | `path` | `path` | `/run/x.sock`, `@name`, `(unnamed)` |
-- | `AF_PACKET` | `interface, protocol [, hwaddr]` | `ifname ifindex protocol hatype pkttype hwaddr` | `interface 2 ETH_P_IP 02:fc:00:00:00:01` |
-- | `AF_NETLINK` | `pid, groups` | `pid groups` | `netlink 4711`, `netlink 0 groups 0x1` |
-- | `AF_VSOCK` | `cid, port` | `cid port` | `vsock:2:1234`, `vsock:*:1234` |
-- | `AF_TIPC` | `{type=, instance= [, upper=] [, scope=] [, node=]}` or `{ref=, node=}` | the same | `tipc 1000:5`, `tipc 1000:5-9`, `tipc 1001001:77` |
-- | any other | raw bytes of the sockaddr, after its family | `bytes` | `AF_CAN 0000…` |
--
-- A `host` is a name (looked up, within the family), a numeric address (the resolver is not asked), `"*"` or `""`
-- for any interface, `"<broadcast>"` for 255.255.255.255; an IPv6 address may be in brackets, as in a URL. A `port` is an integer from 0 to 65535, its digits, or
-- the name of a service. A `path` that begins with `"\0"` is a name in Linux's abstract namespace, where there is
-- no file; the path `""` is that of a socket without a name. A path that is too long (more than 107 bytes on Linux)
-- or contains a zero raises an error; it is never cut. `socket.address("AF_UNSPEC")` undoes the `connect` of a
-- datagram socket.
--
-- An `interface` is a name, a number or, as text, an address: as in [options](#options); `ifname` asks the system each time, and is nil where there is no
-- such interface. The `protocol` of an `AF_PACKET` address is in host order (`"ETH_P_IP"`), unlike the third argument of
-- `socket.socket`, which goes to the kernel as it is (`socket.htons(socket.ETH_P_ALL)`). `hwaddr` is a string of bytes, `""` for
-- none. `hatype` and `pkttype` are told by the kernel with what it received; addresses that are made have 0. A
-- netlink `pid` is a port number that the kernel gives, 0 for the kernel itself. `cid` and `port` of `AF_VSOCK` are
-- integers, or names such as `"VMADDR_CID_ANY"`. With `AF_TIPC`, `type` and `instance` are a service's; with `upper` it is the range
-- of the instances up to that one; `scope` is `TIPC_CLUSTER_SCOPE` unless given; `node` is where to look for
-- it, 0 for anywhere. `{ref=, node=}` is a single socket, as `getsockname` and `recvfrom` tell it. `unpack` gives a new table.
--
-- In any family what follows it may be a table with the raw bytes that follow the family in the sockaddr, as the kernel
-- gives them where the library does not know that they are an address:
-- `socket.address("AF_INET", {bytes = s:getsockopt(level, name, 16):sub(3)})`.
--
-- Calls that take an address (`bind`, `connect`, `sendto`) take in its place what follows the family, which is then
-- the socket's: `s:bind("127.0.0.1", 8001)`.

--- What follows `AF_TIPC`: `type` and `instance`, or `ref` and `node`.
---@class bsdsocket.TipcAddress
---@field type? integer|string
---@field instance? integer
---@field upper? integer
---@field scope? integer|string `TIPC_CLUSTER_SCOPE`, `TIPC_NODE_SCOPE`; a negative one, bound, withdraws
---@field node? integer
---@field ref? integer

--- An address of any family.
---@class bsdsocket.Address: userdata
---@field family integer `AF_INET` and so on
---@field host? string `AF_INET`, `AF_INET6`: the numeric address
---@field port? integer `AF_INET`, `AF_INET6`
---@field flowinfo? integer `AF_INET6`
---@field scope_id? integer `AF_INET6`: the number of the interface, for link-local addresses
---@field path? string `AF_UNIX`
---@field ifname? string `AF_PACKET`: the interface's name now
---@field ifindex? integer `AF_PACKET`
---@field protocol? integer `AF_PACKET`: `ETH_P_*`, in host order
---@field hatype? integer `AF_PACKET`: the kind of hardware, as told by the kernel
---@field pkttype? integer `AF_PACKET`: `PACKET_HOST`, `PACKET_OUTGOING` and so on, as told by the kernel
---@field hwaddr? string `AF_PACKET`: bytes
---@field pid? integer `AF_NETLINK`
---@field groups? integer `AF_NETLINK`: a bit for each multicast group
---@field cid? integer `AF_VSOCK`; its `port` is from 0 to 2^32 - 1
---@field type? integer `AF_TIPC`: of the service
---@field instance? integer `AF_TIPC`: of the service, or the lowest
---@field upper? integer `AF_TIPC`: the highest instance
---@field scope? integer `AF_TIPC`
---@field node? integer `AF_TIPC`
---@field ref? integer `AF_TIPC`: of one socket
---@field bytes? string any other family: the sockaddr's bytes, after its family
local Address = {}

--- Gives back what follows the family in `socket.address(family, ...)`.
---
--- ```lua
--- local host, port = address:unpack()
--- ```
---
--- Errors:
--- * raises: what is no address.
---@return string|integer|bsdsocket.TipcAddress first host, path, interface, pid, cid, table or bytes
---@return integer? port or protocol, or groups
---@return integer|string? flowinfo or hwaddr
---@return integer? scope_id
function Address:unpack() end

--- Equal addresses are the same object, so `==` has nothing to ask; but for one that a finalizer has brought back.
---@private
---@param other any
---@return boolean
function Address:__eq(other) end

--- The usual notation, as the table above shows it.
---@private
---@return string text
function Address:__tostring() end

-- # Sockets

--- A socket. Methods that have nothing better to give return the socket itself, so that calls chain.
---@class bsdsocket.Socket: userdata
local Socket = {}

-- ## Before data flows

--- Gives the socket an address of its own: what a server is found under, what a client's packets come from.
---
--- ```lua
--- assert(s:bind("127.0.0.1", 8001))
--- assert(s:bind("*", 0))      -- every interface, any free port
--- ```
---
--- Errors:
--- * `EADDRINUSE`: the address is taken.
--- * `EADDRNOTAVAIL`: the address is none of this machine's.
--- * `EINVAL`: the socket has an address already.
--- * `ENOENT`: the directory of the path does not exist (`AF_UNIX`).
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_SERVICE`: there is no such service.
--- * `EAGAIN`: with a timeout of 0, the name would have to be looked up.
--- * `timeout`: the name was not found within the timeout.
--- * `EBADF`: the socket is closed.
--- * raises: a port out of range, a path that is too long, an address of another family.
---
--- Also `EACCES` (a port below 1024 or a directory, without the privilege).
---
--- See bind(2), POSIX `bind`.
---@param host string|bsdsocket.Address
---@param port integer|string 0 to 65535, or the name of a service; 0: any free port
---@param flowinfo? integer `AF_INET6`
---@param scope_id? integer `AF_INET6`
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(self: bsdsocket.Socket, path: string): bsdsocket.Socket?, string?, bsdsocket.Code?
---@overload fun(self: bsdsocket.Socket, address: bsdsocket.Address): bsdsocket.Socket?, string?, bsdsocket.Code?
function Socket:bind(host, port, flowinfo, scope_id) end

--- Makes the socket one that takes connections, for `accept`.
---
--- Errors:
--- * `EADDRINUSE`: another socket listens on the address already.
--- * `EINVAL`: the socket is connected, or, of `AF_UNIX`, has no address.
--- * `EOPNOTSUPP`: the socket's type has no connections.
--- * `EBADF`: the socket is closed.
--- * raises: a number that does not fit a C `int`.
---
--- See listen(2), POSIX `listen`.
---@param backlog? integer how many connections may wait to be accepted; default, and if negative, `SOMAXCONN`
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:listen(backlog) end

--- Takes the next connection, and waits for it. The new socket has no timeout, and is close-on-exec.
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nobody has connected.
--- * `timeout`: nobody connected within the timeout.
--- * `EINVAL`: the socket does not listen, or was shut down, before or meanwhile.
--- * `EOPNOTSUPP`: the socket's type has no connections.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) accepts.
--- * `EMFILE`: the process has as many descriptors open as it may; the connection still waits.
--- * `EBADF`: the socket is closed.
---
--- Also `ECONNABORTED`, `ENFILE`, `ENOBUFS`, `ENOMEM`, and on Linux pending network errors of the new connection:
--- all of them pass, and `clients` sees to that.
---
--- See accept(2), POSIX `accept`.
---@return bsdsocket.Socket? connection
---@return bsdsocket.Address|string address of the peer, or the message
---@return bsdsocket.Code? code
function Socket:accept() end

--- An iterator of the connections to a listening socket.
---
--- ```lua
--- for connection, address in server:clients() do
---   local connection <close> = connection
---   connection:sendall("hello, " .. tostring(address) .. "\n")
--- end
--- ```
---
--- Failures of `accept` that pass (`ECONNABORTED`, `EMFILE`, `ENOBUFS` ...) do not end the loop; it rests a tenth
--- of a second and goes on. Closing the socket ends it. Any other failure, a timeout too, raises an error, as
--- `file:lines` does.
---
--- While the loop waits for the next connection, its variable still holds the last one: one that is merely forgotten is
--- open at least until another comes, and its peer waits so long for the end. So close each, as above, or hand it to a
--- task that does.
---
--- Errors:
--- * raises: what is no socket.
---@return fun(): bsdsocket.Socket?, bsdsocket.Address?
function Socket:clients() end

--- Connects the socket to a peer, and waits until that has come to its end. With a datagram socket nothing is sent;
--- the address is noted for `send`, and only what comes from there is received. `socket.address("AF_UNSPEC")`
--- undoes that.
---
--- After `"timeout"`, `"EINPROGRESS"` or an interruption the attempt goes on in the kernel, and the call may be
--- repeated: it waits on for the same attempt, and returns the socket or that attempt's error. After another
--- failure, make a new socket: POSIX leaves it open whether this one can be used again.
---
--- ```lua
--- assert(s:connect("localhost", 8001))
--- ```
---
--- Errors:
--- * `ECONNREFUSED`: nobody listens there.
--- * `EINPROGRESS`: with a timeout of 0, the attempt has begun, or goes on.
--- * `EAGAIN`: with a timeout of 0, the name would have to be looked up, or the queue of the listening socket is full (`AF_UNIX`).
--- * `timeout`: the timeout passed.
--- * `EISCONN`: the socket is connected already.
--- * `EALREADY`: an attempt to reach another address is under way.
--- * `ENOENT`: there is no such path (`AF_UNIX`).
--- * `EPROTOTYPE`: a socket of another type has the path (`AF_UNIX`).
--- * `EINVAL`: the path is `""`, and so nobody's (`AF_UNIX`).
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_SERVICE`: there is no such service.
--- * `EBADF`: the socket is closed.
--- * raises: as `s:bind`.
---
--- Also `ETIMEDOUT` (the peer has not answered for minutes), `EHOSTUNREACH`, `ENETUNREACH`, `ECONNRESET`,
--- `EADDRNOTAVAIL` (no free port is left), `EACCES`.
---
--- See connect(2), POSIX `connect`.
---@param host string|bsdsocket.Address
---@param port integer|string 1 to 65535, or the name of a service
---@param flowinfo? integer `AF_INET6`
---@param scope_id? integer `AF_INET6`
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(self: bsdsocket.Socket, path: string): bsdsocket.Socket?, string?, bsdsocket.Code?
---@overload fun(self: bsdsocket.Socket, address: bsdsocket.Address): bsdsocket.Socket?, string?, bsdsocket.Code?
function Socket:connect(host, port, flowinfo, scope_id) end

--- The socket's own address.
---
--- ```lua
--- assert(s:bind("127.0.0.1", 0))
--- print(s:getsockname().port)
--- ```
---
--- Errors:
--- * `EBADF`: the socket is closed.
---
--- See getsockname(2), POSIX `getsockname`.
---@return bsdsocket.Address? address
---@return string? message
---@return bsdsocket.Code? code
function Socket:getsockname() end

--- The address that the socket is connected to.
---
--- Errors:
--- * `ENOTCONN`: it is not connected, or no longer.
--- * `EBADF`: the socket is closed.
---
--- See getpeername(2), POSIX `getpeername`.
---@return bsdsocket.Address? address
---@return string? message
---@return bsdsocket.Code? code
function Socket:getpeername() end

-- ## Sending
--
-- These calls, those for messages, `write` and `sendfile` [take turns](#several-tasks-on-one-socket) where several
-- tasks send on one socket. Their timeout is that of sending.
--
-- With the flag `MSG_ZEROCOPY`, on a socket with the option `SO_ZEROCOPY`, the system goes on reading the memory of
-- what was sent after the call has returned. The strings and buffers stay as they are until it has done with them:
-- until its notice was read from the error queue (`s:recvmsg(1, {flags = "MSG_ERRQUEUE"})`: `info` to `data` of the
-- `value` are the numbers of the messages, the first one being 0), or the peer has acknowledged the bytes, or the
-- socket is closed. A program need not read the notices. A buffer cannot be written to meanwhile: `buf:set` and
-- `recvinto` give `EBUSY`. What was not acknowledged before `close` or `detach` may still be read by the system, and be
-- overwritten: of data that matters the end of the peer's answer, or the notice, is to be waited for.
--
-- With `MSG_FASTOPEN` a TCP socket that is not connected connects, and the data goes along as soon as the peer permits
-- it: `s:sendto(data, address, "MSG_FASTOPEN")`. The call waits for the connection where it has to; with a timeout of 0
-- it gives `EINPROGRESS`, and nothing was taken: it may be repeated.

--- Sends data on a connected socket, in one system call. It may take only a part, and tells how much: `sendall`
--- goes on until all is sent. That it is sent does not mean that it has arrived.
---
--- `i` and `j` choose a part of the data as `string.sub` does, without copying it: `s:send(data, 0, sent + 1)` goes
--- on after `sent` bytes. `MSG_DONTWAIT` is a timeout of 0 for this call.
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to, or never could.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: an earlier datagram met nobody.
--- * `EDESTADDRREQ`: a datagram socket is not connected; `sendto` names the peer.
--- * `ENOTCONN`: the socket is not connected.
--- * `EMSGSIZE`: the datagram is larger than the protocol carries.
--- * `EAGAIN`: with a timeout of 0, there is no room for it.
--- * `timeout`: there was no room within the timeout.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed.
--- * raises: an unknown flag.
---
--- See send(2), POSIX `send`.
---@param data bsdsocket.Data
---@param flags? integer|string `MSG_*`, combined with `|`; default 0
---@param i? integer first byte, default 1; negative: from the end
---@param j? integer last byte, default -1
---@return integer? sent bytes
---@return string? message
---@return bsdsocket.Code? code
function Socket:send(data, flags, i, j) end

--- Sends all of the data, however many system calls it takes, within the timeout. When it fails, the fourth value
--- tells how many bytes were taken before.
---
--- ```lua
--- local ok, message, code, sent = s:sendall(data)
--- ```
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to, or never could.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `EDESTADDRREQ`: a datagram socket is not connected.
--- * `ENOTCONN`: the socket is not connected.
--- * `EMSGSIZE`: the datagram is larger than the protocol carries.
--- * `EAGAIN`: with a timeout of 0, there is no room for all of it.
--- * `timeout`: the timeout passed.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed.
--- * raises: an unknown flag.
---
--- As Python's `socket.sendall`.
---@param data bsdsocket.Data
---@param flags? integer|string `MSG_*`, combined with `|`; default 0
---@param i? integer first byte, default 1; negative: from the end
---@param j? integer last byte, default -1
---@return integer? sent bytes: all of them
---@return string? message
---@return bsdsocket.Code? code
---@return integer? sent bytes taken before the failure
function Socket:sendall(data, flags, i, j) end

--- Sends a datagram to an address.
---
--- ```lua
--- assert(s:sendto("hello", "127.0.0.1", 8001))
--- assert(s:sendto("hello", address, "MSG_DONTWAIT"))
--- ```
---
--- Errors:
--- * `EACCES`: to a broadcast address, without `SO_BROADCAST`.
--- * `EMSGSIZE`: the datagram is larger than the protocol carries.
--- * `ECONNREFUSED`: nobody has the path open (`AF_UNIX`); an earlier datagram met nobody.
--- * `ENOENT`: there is no such path (`AF_UNIX`).
--- * `EISCONN`: the socket is connected (`AF_UNIX` streams).
--- * `EPIPE`: the socket is of a stream, and not connected.
--- * `EAI_NONAME`: there is no such host.
--- * `EAI_SERVICE`: there is no such service.
--- * `EAGAIN`: with a timeout of 0, there is no room for it, or the name would have to be looked up.
--- * `EINPROGRESS`: with a timeout of 0 and `MSG_FASTOPEN`, it is connecting.
--- * `timeout`: there was no room, or the name was not found, within the timeout.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed.
--- * raises: as `s:bind`; an unknown flag.
---
--- Also `ENETUNREACH`, `EHOSTUNREACH`.
---
--- See sendto(2), POSIX `sendto`.
---@param data bsdsocket.Data
---@param host string
---@param port integer|string 1 to 65535, or the name of a service
---@param flowinfo? integer `AF_INET6`
---@param scope_id? integer `AF_INET6`
---@return integer? sent bytes
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(self: bsdsocket.Socket, data: bsdsocket.Data, path: string): integer?, string?, bsdsocket.Code?
---@overload fun(self: bsdsocket.Socket, data: bsdsocket.Data, address: bsdsocket.Address, flags?: integer|string): integer?, string?, bsdsocket.Code?
function Socket:sendto(data, host, port, flowinfo, scope_id) end

--- Sends a file over a connected stream: from `offset`, or without one from where the file stands, whose position
--- then moves along; `count` bytes, or up to the end that the file has when the call begins. It goes on until that
--- is sent, within the socket's timeout. When it fails, the fourth value tells how many bytes were taken before, and
--- the file stands right behind those: so the same call simply goes on.
---
--- The system does it without a copy in the program, where it can. Then what is changed in the file while it is
--- under way may arrive as it was or as it is now. Of a task, only waiting for the socket suspends it: a disk that is
--- slow blocks the thread, as in every call that reads a file.
---
--- A pipe can be sent, too, on Linux, and another stream socket anywhere: to the end of what comes from there, for
--- which it is waited under this socket's timeout. What Lua or the library has read ahead of them goes first, and
--- what was not sent can still be read from them.
---
--- ```lua
--- local file <close> = assert(io.open("index.html", "rb"))
--- assert(s:sendfile(file))           -- all of it
--- assert(s:sendfile(file, 0, 100))   -- its first 100 bytes; where the file stands does not matter
--- assert(s:sendfile(io.popen "ls"))  -- what a program prints
--- ```
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to, or never could.
--- * `ECONNRESET`: the peer has broken the connection off, or that of a socket that is sent.
--- * `ENOTCONN`: the socket is not connected.
--- * `EOPNOTSUPP`: the socket is no stream, or one that is sent is none.
--- * `EISDIR`: the file is a directory.
--- * `ESPIPE`: an offset in a pipe or a socket, which have none; something else that has none and is neither.
--- * `EMFILE`: there is no descriptor left, of which a pipe takes one.
--- * `EAGAIN`: with a timeout of 0, there is no room for all of it, or a pipe or socket has nothing yet.
--- * `timeout`: the timeout passed.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed, or the descriptor or socket that is sent; the file is not open for reading.
--- * raises: a closed file; a negative offset or count.
---
--- Also `EIO` and what else reading a file can meet; what a Lua file has not written yet is written first, which may
--- fail with `ENOSPC`.
---
--- See sendfile(2). As Python's `socket.sendfile`.
---@param file file*|integer|bsdsocket.Socket|table a Lua file, a descriptor, or an object that has `fileno` or `getfd`
---@param offset? integer from 0; default: where the file stands
---@param count? integer bytes at most; default: to the end
---@return integer? sent bytes
---@return string? message
---@return bsdsocket.Code? code
---@return integer? sent bytes taken before the failure
function Socket:sendfile(file, offset, count) end

--- Ends one or both directions of a connection, for every process that has the socket. After `"SHUT_WR"` the peer
--- reads what was sent, and then the end of the stream; its answer can still be received. What `setvbuf` has held back
--- is flushed first.
---
--- Errors:
--- * `ENOTCONN`: the socket is not connected.
--- * `EAGAIN`: with a timeout of 0, there is no room for what was held back. Nothing has ended then.
--- * `timeout`: there was no room for what was held back within the timeout. Nothing has ended then.
--- * `EPIPE`: what was held back can no longer be sent.
--- * `EINVAL`: a number that is no direction.
--- * `EBADF`: the socket is closed.
--- * raises: an unknown name.
---
--- See shutdown(2), POSIX `shutdown`.
---@param how? integer|"SHUT_RD"|"SHUT_WR"|"SHUT_RDWR" default `SHUT_RDWR`
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:shutdown(how) end

-- ## Receiving
--
-- [One call at a time](#several-tasks-on-one-socket) receives on a socket: while that of another task is not done,
-- these, those for messages and those of the file face give `EBUSY`.
--
-- `MSG_WAITALL` and the option `SO_RCVLOWAT` ask a stream for more than what is there: all `n` bytes, or so many at
-- least. `recv`, `recvinto`, `recvfrom` and, for the option, `chunks` keep to that everywhere, under timeouts and in
-- tasks, too. A timeout gives what there is by then, and is told only if that is nothing; with timeout 0 they take what
-- is there. Calls that know better what they want are not held back by `SO_RCVLOWAT`: `recvmsg`, `recvmmsg`, `MSG_PEEK`
-- and what reads as a file take what is there. But where they have to wait, Linux wakes them, `select` and pollers of a
-- TCP socket only when there is as much, so leave the option alone where lines are read.
--
-- With `SO_PEEK_OFF` `MSG_PEEK` goes on where the last one ended, and bytes that are read ahead count as if they were
-- still in the system: first they are shown, and then its own.

--- Receives what has arrived, and waits until something has: of a stream at least one byte and at most `n`, of
--- other sockets one message. `""` is the end of the stream (or a message without bytes).
---
--- A stream keeps no bounds: two `send` may arrive in one `recv`, and one in several. Where messages have bounds, a
--- second value `true` says that this one was longer than `n` and its rest is lost. With the option `UDP_GRO` it also says
--- that the system has made one of several datagrams, whose bounds are lost: `recvmsg` and `recvmmsg` tell them.
---
--- With `MSG_PEEK` the data is left where it is; with `MSG_WAITALL` the call goes on until it has `n` bytes of a
--- stream, its end, or the timeout. `MSG_DONTWAIT` is a timeout of 0 for this call. A huge `n` costs no memory that
--- is not needed.
---
--- ```lua
--- local data, message, code = s:recv(1024)
--- if not data then
---   print("failed", code)
--- elseif data == "" then
---   print("the peer has closed")
--- end
--- ```
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nothing has arrived.
--- * `timeout`: nothing arrived within the timeout.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: a datagram that was sent met nobody.
--- * `ENOTCONN`: the socket is of a stream, and not connected.
--- * `EINVAL`: with `MSG_OOB`, there is no out-of-band data.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: a negative count, an unknown flag.
---
--- Also `ETIMEDOUT` (the peer does not answer any more).
---
--- See recv(2), POSIX `recv`.
---@param n? integer at most so many bytes, default 65536; 0 gives `""` at once, and leaves a datagram where it is
---@param flags? integer|string `MSG_*`, combined with `|`; default 0
---@return string? data
---@return boolean|string? cut true: the message was cut; or the message of a failure
---@return bsdsocket.Code? code
function Socket:recv(n, flags) end

--- Receives into a buffer instead of making a string; otherwise as `recv`.
---
--- ```lua
--- local buf = socket.buffer(65536)
--- local n = assert(s:recvinto(buf))
--- print(buf:sub(1, n))
--- ```
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nothing has arrived.
--- * `timeout`: nothing arrived within the timeout.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: a datagram that was sent met nobody.
--- * `ENOTCONN`: the socket is of a stream, and not connected.
--- * `EINVAL`: with `MSG_OOB`, there is no out-of-band data.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives; or the buffer is being sent, with `MSG_ZEROCOPY`.
--- * `EBADF`: the socket is closed.
--- * raises: a range that is not in the buffer, an unknown flag.
---
--- As Python's `socket.recv_into`. See recv(2).
---@param buffer bsdsocket.Buffer
---@param n? integer at most so many bytes; default: to the end of the buffer
---@param i? integer where the first one goes, default 1
---@param flags? integer|string `MSG_*`, combined with `|`; default 0
---@return integer? received bytes; 0 at the end of the stream
---@return boolean|string? cut true: the message was cut; or the message of a failure
---@return bsdsocket.Code? code
function Socket:recvinto(buffer, n, i, flags) end

--- Receives a datagram, and tells who sent it; otherwise as `recv`.
---
--- ```lua
--- local data, from, cut = assert(s:recvfrom())
--- s:sendto(data, from)
--- ```
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nothing has arrived.
--- * `timeout`: nothing arrived within the timeout.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: a datagram that was sent met nobody.
--- * `ENOTCONN`: the socket is of a stream, and not connected.
--- * `EINVAL`: with `MSG_OOB`, there is no out-of-band data.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: a negative count, an unknown flag.
---
--- See recvfrom(2), POSIX `recvfrom`.
---@param n? integer at most so many bytes, default 65536; 0 consumes a datagram and throws its bytes away
---@param flags? integer|string `MSG_*`, combined with `|`; default 0
---@return string? data
---@return bsdsocket.Address|string? address the sender's; nil where the system tells none, as for TCP; or the message of a failure
---@return boolean|bsdsocket.Code? cut true: the datagram was cut; or the code of a failure
function Socket:recvfrom(n, flags) end

--- Tells whether the next byte that would be received follows the mark of out-of-band data.
---
--- Errors:
--- * `ENOTTY`: the socket's type has no out-of-band data.
--- * `EBADF`: the socket is closed.
---
--- See sockatmark(3), POSIX `sockatmark`.
---@return boolean? at
---@return string? message
---@return bsdsocket.Code? code
function Socket:sockatmark() end

-- ## Messages
--
-- With a message more can travel than its bytes: an address, *control data* such as the time of its arrival, and, between
-- sockets of the family `AF_UNIX`, descriptors. These four calls give and take all of it.
--
-- Each entry of control data has a `level` and a `type`, integers or names, and `data`, its raw bytes. Where the kind is
-- known, it has a `value` too. To send one, give either `data` or `value`.
--
-- | level | type | `value` | sent |
-- |---|---|---|---|
-- | `SOL_SOCKET` | `SCM_CREDENTIALS` | `{pid=, uid=, gid=}` of the sender; what is left out is the process's own | yes |
-- | `SOL_SOCKET` | `SO_TIMESTAMP`, `SO_TIMESTAMPNS` | when it came: seconds since 1970 with a fraction | no |
-- | `SOL_SOCKET` | `SCM_TIMESTAMPING` | the same, or when it went; sent, an integer: which times are wanted of this message, `SOF_TIMESTAMPING_TX_*` | yes |
-- | `SOL_SOCKET` | `SCM_TS_OPT_ID` | integer from 0 to 2^32 - 1: what its times are to be called by (`data` of the error) | only |
-- | `SOL_SOCKET` | `SCM_TXTIME` | integer: when it is to go, in nanoseconds of the clock that `SO_TXTIME` named | only |
-- | `SOL_SOCKET` | `SO_MARK`, `SO_PRIORITY` | integer from 0 to 2^32 - 1 | yes |
-- | `SOL_SOCKET` | `SO_RXQ_OVFL` | integer: how many messages were lost for want of room | no |
-- | `SOL_SOCKET` | `SCM_PIDFD` | a Lua file: the descriptor of the sending process | no |
-- | `SOL_SOCKET` | `SCM_SECURITY` | string: the sender's security context; also with the level `IPPROTO_IP` | no |
-- | `SOL_SOCKET` | `SCM_INQ` | integer: how many bytes still wait (`AF_UNIX`) | no |
-- | `SOL_SOCKET` | `SCM_WIFI_STATUS` | integer: 1 if the frame was acknowledged | no |
-- | `IPPROTO_IP` | `IP_TTL`, `IP_TOS` | integer | yes |
-- | `IPPROTO_IP` | `IP_PKTINFO` | `{ifindex=, address=}`: the interface, and where it was sent to; sent, what it comes from | yes |
-- | `IPPROTO_IP` | `IP_ORIGDSTADDR` | address, with its port: where it was sent to, before it was redirected | no |
-- | `IPPROTO_IP` | `IP_CHECKSUM` | integer: the sum that the device made of its bytes, where it makes one | no |
-- | `IPPROTO_IP` | `IP_RECVFRAGSIZE` | integer: bytes of its largest fragment, if it came in several | no |
-- | `IPPROTO_IP` | `IP_PROTOCOL` | integer from 1 to 255: the protocol of a raw packet | only |
-- | `IPPROTO_IP` | `IP_RECVERR` | an error, see below | no |
-- | `IPPROTO_IPV6` | `IPV6_HOPLIMIT`, `IPV6_2292HOPLIMIT`, `IPV6_TCLASS` | integer | yes |
-- | `IPPROTO_IPV6` | `IPV6_FLOWINFO` | integer: flow label and traffic class, as the field `flowinfo` of addresses | yes |
-- | `IPPROTO_IPV6` | `IPV6_DONTFRAG` | boolean | only |
-- | `IPPROTO_IPV6` | `IPV6_PKTINFO`, `IPV6_2292PKTINFO` | as `IP_PKTINFO` | yes |
-- | `IPPROTO_IPV6` | `IPV6_ORIGDSTADDR` | as `IP_ORIGDSTADDR` | no |
-- | `IPPROTO_IPV6` | `IPV6_RECVFRAGSIZE` | as `IP_RECVFRAGSIZE` | no |
-- | `IPPROTO_IPV6` | `IPV6_PATHMTU` | `{mtu=, address=}`: bytes that a packet to there may have | no |
-- | `IPPROTO_IPV6` | `IPV6_RECVERR` | an error, see below | no |
-- | `IPPROTO_UDP` | `UDP_SEGMENT` | integer: the size of the datagrams that the data is cut into | only |
-- | `IPPROTO_UDP` | `UDP_GRO` | integer: the size of the datagrams that were put together | no |
-- | `IPPROTO_TCP` | `TCP_CM_INQ` | integer: how many bytes still wait | no |
-- | `SOL_NETLINK` | `NETLINK_PKTINFO` | integer: the multicast group that it was sent to, 0 for none | no |
-- | `SOL_NETLINK` | `NETLINK_LISTEN_ALL_NSID` | integer: the number of the network namespace that it comes from | no |
--
-- Nearly all that can be received has to be asked for first, by an option: `SO_PASSCRED`, `SO_TIMESTAMP`, `IP_RECVTTL`,
-- `IP_RECVTOS`, `IP_PKTINFO`, `IPV6_RECVPKTINFO`, `IP_RECVORIGDSTADDR`, `SO_RCVMARK`, `TCP_INQ`, `IP_RECVERR` and so on.
-- The address of a packet information has the port 0. To send, its host as text will do, or `"*"`; `ifindex` is then the
-- name of the interface, its number or one of its addresses, `"*"` for any, and a zone in the address stands for it. Where
-- there is no such interface the call gives `ENODEV`. Switches are true and false, or 1 and 0.
--
-- With the option `IP_RECVERR` (`IPV6_RECVERR`) what routers and hosts say of packets that were sent waits in the error
-- queue, which `recvmsg` reads with the flag `MSG_ERRQUEUE`: `data` is the packet's, `address` where it went, and the
-- `value` a table `{errno=, origin=, type=, code=, info=, data=, offender=}`: the code of the error (`"ECONNREFUSED"`),
-- who noticed it (`SO_EE_ORIGIN_ICMP` is 2), type and code of the ICMP message, and the address of who sent that.
--
-- ### Descriptors
--
-- `fds` passes descriptors to another process, which gets descriptors of its own for the same open files: sockets, Lua
-- files, integers, anything with a method `fileno`. At most 253 go with one message, and in a stream they need at least
-- one byte of data to go with. Who sends them keeps them, and may close them at once. A socket is passed on with the flags
-- with which the library found it: not as non-blocking because it had a timeout.
--
-- Only `recvmsg` receives them, as sockets if they are sockets, else as Lua's files; all are close-on-exec. The other
-- receiving calls leave them behind, closed. None leaks: those for which there is no room (in `control` bytes, or among
-- the descriptors of the process, even when garbage was collected) are closed by the system, which sets `MSG_CTRUNC` in
-- `flags`.
--
-- A program that calls `recvmsg` and makes nothing of `fds` keeps whatever a peer likes to send, until the collector comes,
-- and it does not come soon for a few small objects: thousands of descriptors may be open by then. So such a message is
-- best held by a variable with `<close>`, which closes all sockets and files that are still in `fds` or in `control`, or
-- the room for control data is 0. `m.fds` itself can be held so, too. What is to live longer is taken out.
--
-- ```lua
-- local file <close> = assert(io.open("log.txt", "a"))
-- assert(s:sendmsg{data = "log", fds = {file}})
-- -- and in the other process
-- local m <close> = assert(s:recvmsg())
-- m.fds[1]:write("it works\n")
-- ```

--- A message to send. Other fields raise an error.
---@class bsdsocket.Message
---@field data? bsdsocket.Data|bsdsocket.Data[] what to send; the pieces of an array go together, in their order; default: nothing
---@field address? bsdsocket.Address where to, for a socket that is not connected
---@field flags? integer|string `MSG_*`, combined with `|`; default 0
---@field control? bsdsocket.Control[] control data
---@field fds? bsdsocket.Pollable[] descriptors to pass (`AF_UNIX`)

--- One entry of control data.
---@class bsdsocket.Control
---@field level integer|string `SOL_*` or `IPPROTO_*`
---@field type integer|string `SCM_*`, `IP_*`, `IPV6_*` ...
---@field data? string raw bytes
---@field value? any where the kind is known: see [Messages](#messages)

--- A message that was received. That of `recvmsg` may be a variable with `<close>`, as its `fds` may: sockets and files in
--- it are closed then.
---@class bsdsocket.Received
---@field data string
---@field address? bsdsocket.Address the sender's; nil where the system tells none, as for TCP
---@field truncated boolean the message was longer than asked for, and its rest is lost
---@field flags integer `MSG_EOR`, `MSG_TRUNC`, `MSG_CTRUNC`, `MSG_OOB`, `MSG_ERRQUEUE`, or 0
---@field control? bsdsocket.Control[] control data, but for descriptors; of `recvmmsg` where it was asked for, and with `UDP_GRO`
---@field fds (bsdsocket.Socket|file*)[] descriptors that came along; of `recvmsg` only

--- Sends a message: the pieces of `data` one after the other, to the address, with control data and descriptors.
---
--- ```lua
--- assert(s:sendmsg{data = {header, body}, address = address})
--- assert(s:sendmsg{data = "x", control = {{level = "IPPROTO_IP", type = "IP_TTL", value = 3}}})
--- assert(s:sendmsg{data = "here you are", fds = {connection, io.stdout}})
--- ```
---
--- An array of any length is taken: of a stream, which may always send less than it was given, the first pieces
--- are sent; where messages have bounds, all go as one.
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to.
--- * `ECONNREFUSED`: nobody has the path open (`AF_UNIX`); an earlier datagram met nobody.
--- * `EDESTADDRREQ`: a datagram socket is not connected, and there is no address.
--- * `ENOTCONN`: the socket is not connected.
--- * `EMSGSIZE`: the message is larger than the protocol carries.
--- * `EINVAL`: there are more than 253 descriptors; the system does not take this control data.
--- * `EAGAIN`: with a timeout of 0, there is no room for it.
--- * `EINPROGRESS`: with a timeout of 0 and `MSG_FASTOPEN`, it is connecting.
--- * `timeout`: there was no room within the timeout.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed; a descriptor to pass is.
--- * raises: an unknown field, a field of a wrong type, an address of another family, descriptors where none can go.
---
--- Also `EISCONN`, `EPERM` (credentials of another process), `ETOOMANYREFS` (too many descriptors are under way).
---
--- See sendmsg(2), POSIX `sendmsg`, cmsg(3), unix(7).
---@param message bsdsocket.Message
---@return integer? sent bytes, perhaps fewer than given
---@return string? message
---@return bsdsocket.Code? code
function Socket:sendmsg(message) end

--- Sends several messages, where the system can in one system call. It waits until at least one is sent; with
--- a timeout it then sends as many more as go without waiting.
---
--- ```lua
--- local sent = assert(s:sendmmsg{"one", "two", {data = "three", address = address}})
--- ```
---
--- A failure after the first message is not told, but the number is smaller: the next call, with the rest,
--- tells it. In a stream a message is never left half sent, unless the call fails: then the fourth value is the number
--- of bytes taken of all messages.
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to.
--- * `ECONNREFUSED`: nobody has the path open (`AF_UNIX`); an earlier datagram met nobody.
--- * `EDESTADDRREQ`: a datagram socket is not connected, and there is no address.
--- * `ENOTCONN`: the socket is not connected.
--- * `EMSGSIZE`: the first message is larger than the protocol carries.
--- * `EINVAL`: there are more than 253 descriptors; the system does not take this control data.
--- * `EAGAIN`: with a timeout of 0, there is no room for the first.
--- * `EINPROGRESS`: with a timeout of 0 and `MSG_FASTOPEN`, it is connecting.
--- * `timeout`: there was no room within the timeout.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed; a descriptor to pass is.
--- * raises: as `s:sendmsg`, of any message, before one is sent; an unknown flag.
---
--- See sendmmsg(2).
---@param messages (bsdsocket.Message|bsdsocket.Data)[]
---@param flags? integer|string `MSG_*`, combined with `|`, for all of them; default 0
---@return integer? sent number of messages
---@return string? message
---@return bsdsocket.Code? code
---@return integer? bytes where a stream took part of a message
function Socket:sendmmsg(messages, flags) end

--- Receives a message with all that came along, and waits until there is one.
---
--- ```lua
--- assert(s:setsockopt("IP_PKTINFO", true))
--- local m = assert(s:recvmsg())
--- print(m.data, m.address, m.truncated)
--- for _, c in ipairs(m.control) do
---   if c.level == socket.IPPROTO_IP and c.type == socket.IP_PKTINFO then print(c.value.address) end
--- end
--- ```
---
--- Where memory runs out, descriptors and control data that came are lost, and closed. `MSG_WAITALL` is left to the
--- system, which keeps it where there is no timeout, no task and nothing read ahead; `s:recv`, `s:recvinto` and
--- `s:recvfrom` always do.
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nothing has arrived.
--- * `timeout`: nothing arrived within the timeout.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: a datagram that was sent met nobody.
--- * `ENOTCONN`: the socket is of a stream, and not connected.
--- * `EINVAL`: with `MSG_OOB`, there is no out-of-band data.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: a negative count, an unknown field, an unknown flag.
---
--- See recvmsg(2), POSIX `recvmsg`, cmsg(3), unix(7).
---@param n? integer at most so many bytes, default 65536; of a stream 0 gives an empty message at once
---@param options? bsdsocket.RecvmsgOptions
---@return bsdsocket.Received? received at the end of the stream its `data` is `""`
---@return string? message
---@return bsdsocket.Code? code
function Socket:recvmsg(n, options) end

--- What `s:recvmsg` and `s:recvmmsg` may be told.
---@class bsdsocket.RecvmsgOptions
---@field control? integer bytes of room for control data; default of `recvmsg` 2048, enough for 253 descriptors and more; 0: it is left behind
---@field flags? integer|string `MSG_*`, combined with `|`; default 0

--- Receives several messages, where the system can in one system call: waits for the first, and takes what else is
--- there. Descriptors are left behind, closed, and so is control data unless there is room for it: `{control = 100}` in the
--- place of the flags makes room for 100 bytes of each message, and then each has `control` as that of `recvmsg`. On a
--- socket with the option `UDP_GRO` there is some without being asked for: where the system has made one message of several
--- datagrams, their size is in it.
---
--- ```lua
--- local list, count
--- repeat
---   list, count = assert(s:recvmmsg(64, 2048, nil, list))
---   for i = 1, count do print(list[i].data, list[i].address) end
--- until list[count].data == "bye"
--- ```
---
--- With `into` no new tables are made: the earlier result is filled again, with the tables in it, and made
--- shorter or longer. With `MSG_PEEK` there is just one message.
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, nothing has arrived.
--- * `timeout`: nothing arrived within the timeout.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ECONNREFUSED`: a datagram that was sent met nobody.
--- * `ENOTCONN`: the socket is of a stream, and not connected.
--- * `EINVAL`: with `MSG_OOB`, there is no out-of-band data.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: a number of messages that is not 1 to 1024, a negative count of bytes, room for more than 256 MiB in
---   all, an unknown option, an unknown flag.
---
--- See recvmmsg(2).
---@param count integer at most so many messages, 1 to 1024
---@param n integer at most so many bytes of each
---@param flags? integer|string|bsdsocket.RecvmsgOptions `MSG_*`, combined with `|`; default 0; or a table
---@param into? bsdsocket.Received[] an earlier result
---@return bsdsocket.Received[]? messages each with `data`, `address`, `flags` and `truncated`, perhaps `control`
---@return integer|string? count how many there are; or the message of a failure
---@return bsdsocket.Code? code
function Socket:recvmmsg(count, n, flags, into) end

-- ## As a file
--
-- A stream socket is read and written as Lua's own files are, by the same methods with the same formats. What a read
-- takes from the system and does not need yet waits in the socket: it is *read ahead*, and goes to whatever receiving
-- call comes next. So `read` and `recv` can be mixed as one likes, and so can `write` and `send`.
--
-- ```lua
-- local s <close> = assert(socket.connect("127.0.0.1", 8001))
-- s:settimeout(10)
-- assert(s:write("HELO ", name, "\r\n"))
-- local line, message, code = s:read()
-- if code == "timeout" then print "still waiting" end -- and s:read() goes on
-- ```
--
-- A call that fails has consumed nothing, however much of what it wants has come: after a timeout, `EAGAIN`,
-- `EMSGSIZE` or Ctrl-C it can simply be repeated, or another one tried. `select`, pollers and `s:dirty()` count
-- bytes that are read ahead as readable; `MSG_PEEK` sees them first; `MSG_OOB` and `MSG_ERRQUEUE` pass them by.
--
-- What is written goes out at once unless `setvbuf` says otherwise. What it holds back is sent before any other
-- sending call sends, before a receiving call waits, and by `flush`, `shutdown`, `detach` and `close`; all of them
-- within the timeout. What could not be flushed stays for the next of them. What was written and not flushed before a
-- fork is the parent's to send: the child's copies of the socket send nothing of it, whatever becomes of them.
--
-- Where messages have bounds, on sockets of datagrams above all, there are no lines and no read ahead: there
-- `read`, `readuntil` and `setvbuf` give `EOPNOTSUPP`, `lines` and `chunks` raise that, and `write` sends one message.

--- Reads what the formats say, as `file:read` does, and waits until all of it is there or the stream ends:
---
--- | format | what it gives |
--- |---|---|
--- | `"l"` | the next line without its end, which is `\n` or `\r\n`; no other byte is taken away |
--- | `"L"` | the next line as it is |
--- | `"n"` | a number in any of Lua's notations; nil if there is none (what looked like one is consumed then) |
--- | `"a"` | everything up to the end of the stream; never nil |
--- | a count | exactly so many bytes; fewer only if the stream ends before |
--- | `0` | never waits: `""`, or nil if the stream has ended |
---
--- Each format gives one value; where there is nothing for one, because the stream has ended, it gives nil, and the
--- formats behind it nothing. The last line of a stream may lack its newline. A `*` before a letter is ignored.
---
--- The end of the stream is nil alone, a failure has its message beside it. A failure in any of the formats puts
--- back what the others have read.
---
--- ```lua
--- local line, message, code = s:read()
--- if not line then print(message or "that was all") end
--- local header, body = s:read(4, 100)
--- local x, y, rest = s:read("n", "n", "l")
--- ```
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, not all of it has arrived.
--- * `timeout`: not all of it arrived within the timeout.
--- * `EMSGSIZE`: a line is longer than `setmaxline` allows, 1 MiB unless set, or so is the white space before a number.
--- * `ECONNRESET`: the peer has broken the connection off; what came before that can still be read.
--- * `ENOTCONN`: the socket is not connected.
--- * `EOPNOTSUPP`: the socket is not of a stream.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: what is no format, a negative count; nothing has been read then.
---
--- Also `ETIMEDOUT` (the peer does not answer any more).
---
--- As `file:read` of Lua.
---@param ...? "l"|"L"|"n"|"a"|integer formats; default `"l"`
---@return string|number? value of the first format; one more for each of the others
---@return string|number? message
---@return string|number|bsdsocket.Code? code
function Socket:read(...) end

--- An iterator that reads by these formats, as `read` does, until the stream ends.
---
--- ```lua
--- for line in s:lines() do
---   print(line)
--- end
--- ```
---
--- Where `read` would return a failure it raises an error, as that of `file:lines` does. Called again it goes on:
--- nothing has been lost. The socket is left open.
---
--- Errors:
--- * raises: what is no format, a socket that is not of a stream, more than 240 formats; in the loop, the message of
---   a failure.
---
--- As `file:lines` of Lua.
---@param ...? "l"|"L"|"n"|"a"|integer formats; default `"l"`
---@return fun(): string|number?, ... iterator
function Socket:lines(...) end

--- Reads up to and with a delimiter, which may have any number of bytes. At the end of the stream it gives what is
--- left, then nil.
---
--- ```lua
--- local head = assert(s:readuntil("\r\n\r\n", 65536))
--- ```
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, the delimiter has not arrived.
--- * `timeout`: the delimiter did not arrive within the timeout.
--- * `EMSGSIZE`: there are more than `max` bytes before the delimiter. All of them are kept.
--- * `ECONNRESET`: the peer has broken the connection off; what came before that can still be read.
--- * `ENOTCONN`: the socket is not connected.
--- * `EOPNOTSUPP`: the socket is not of a stream.
--- * `EBUSY`: [another task](#several-tasks-on-one-socket) receives.
--- * `EBADF`: the socket is closed.
--- * raises: an empty delimiter, a bound of less than a byte.
---
--- As Python's `StreamReader.readuntil`.
---@param delimiter string
---@param max? integer how many bytes may stand before it; default: what `setmaxline` says
---@return string? data
---@return string? message
---@return bsdsocket.Code? code
function Socket:readuntil(delimiter, max) end

--- An iterator of what arrives, in pieces as they come, until the stream ends: `recv` in a loop.
---
--- ```lua
--- for data in s:chunks() do
---   assert(s:sendall(data))
--- end
--- ```
---
--- Where `recv` would return a failure it raises an error, as that of `lines` does. Called again it goes on.
---
--- Errors:
--- * raises: a count below 1, a socket that is not of a stream; in the loop, the message of a failure.
---@param n? integer at most so many bytes at a time, default 65536
---@return fun(): string? iterator
function Socket:chunks(n) end

--- Bounds what `"l"`, `"L"` and `readuntil` collect while the end of the line does not come: a peer that never
--- sends one is not to fill the memory. A line is too long if more than `n` bytes stand before its newline: the call
--- gives `EMSGSIZE` then, and the bytes stay where they are. Counts and `"a"` are not bounded.
---
--- Errors:
--- * `EBADF`: the socket is closed.
--- * raises: a bound of less than a byte.
---@param n integer bytes; 1048576 (1 MiB) unless set
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:setmaxline(n) end

--- How many bytes are read ahead: they have left the system, and no call has given them out yet.
---
--- Errors:
--- * `EBADF`: the socket is closed.
---@return integer? bytes
---@return string? message
---@return bsdsocket.Code? code
function Socket:pending() end

--- Writes its arguments one after the other, all of them, in one system call where possible. Where messages
--- have bounds they are one message. Numbers are written as `tostring` gives them: `3.0`, not the `3` of files.
---
--- When it fails, the fourth value tells how many bytes of these arguments were taken (sent, or kept for the next
--- flush); the others are not kept. Under `setvbuf "full"` or `"line"` it may be what was written earlier that
--- could not be sent.
---
--- ```lua
--- assert(s:write("SET ", key, " ", 42, "\r\n"))
--- ```
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to, or never could.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `ENOTCONN`: the socket is not connected.
--- * `EAGAIN`: with a timeout of 0, there is no room for all of it.
--- * `timeout`: there was no room for all of it within the timeout.
--- * `EMSGSIZE`: the message is longer than the protocol carries.
--- * `EDESTADDRREQ`: a datagram socket is not connected.
--- * `ECONNREFUSED`: an earlier datagram met nobody.
--- * `EBUSY`: another task sends, and [Lua cannot wait here](#several-tasks-on-one-socket).
--- * `EBADF`: the socket is closed.
--- * raises: what is no string and no number; nothing has been sent then.
---
--- As `file:write` of Lua. See writev(2).
---@param ...? string|number
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@return integer? taken bytes of the arguments, when it failed
function Socket:write(...) end

--- Sends what `setvbuf` has held back. Without that there is nothing to do.
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to.
--- * `ECONNRESET`: the peer has broken the connection off.
--- * `EAGAIN`: with a timeout of 0, there is no room for all of it. The rest stays.
--- * `timeout`: there was no room for all of it within the timeout. The rest stays.
--- * `EBADF`: the socket is closed.
---
--- As `file:flush` of Lua.
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:flush() end

--- Says when what is written goes out: with `"no"`, as every new socket has it, at once; with `"full"` when more than
--- `size` bytes are there; with `"line"` also when a newline is written. What the mode before has held back is
--- flushed first.
---
--- ```lua
--- s:setvbuf "full"
--- for _, row in ipairs(rows) do s:write(row, "\n") end
--- assert(s:flush())
--- ```
---
--- Many small writes become few system calls, and few packets, in this way. A receiving call that has to wait flushes
--- first, so a question that is asked never waits for its answer unsent; but whoever only writes has to flush.
---
--- Errors:
--- * `EPIPE`: the connection can no longer be sent to.
--- * `EAGAIN`: with a timeout of 0, there is no room for what was held back. Nothing has changed then.
--- * `timeout`: there was no room for what was held back within the timeout. Nothing has changed then.
--- * `EOPNOTSUPP`: the socket is not of a stream.
--- * `EBADF`: the socket is closed.
--- * raises: an unknown mode, a size of less than a byte.
---
--- As `file:setvbuf` of Lua.
---@param mode "no"|"full"|"line"
---@param size? integer most bytes to hold back, default 65536
---@return boolean? true
---@return string? message
---@return bsdsocket.Code? code
function Socket:setvbuf(mode, size) end

-- ## Its timeout

--- Sets how long, in seconds, each call on this socket may take in all. nil and `math.huge` mean for ever, which
--- every new socket begins with; 0 means never to wait. `direction` is `"r"` for the calls that receive and accept,
--- `"w"` for those that send and connect, `"rw"` (the default) for all.
---
--- Errors:
--- * `EBADF`: the socket is closed.
--- * raises: a number that is negative or NaN; another direction.
---
--- See [Timeouts](#timeouts); as Python's `socket.settimeout`, but for the direction.
---@param seconds? number
---@param direction? "r"|"w"|"rw"
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:settimeout(seconds, direction) end

--- The timeout in seconds, nil for none: that of receiving and accepting (`"r"`, the default) or that of sending and
--- connecting (`"w"`).
---
--- Errors:
--- * `EBADF`: the socket is closed.
--- * raises: another direction, `"rw"` too.
---
--- As Python's `socket.gettimeout`, but for the direction.
---@param direction? "r"|"w"
---@return number? seconds nil: no timeout
---@return string? message
---@return bsdsocket.Code? code
function Socket:gettimeout(direction) end

--- `true`: no timeout; `false`: the timeout 0; in both directions.
---
--- Errors:
--- * `EBADF`: the socket is closed.
--- * raises: what is no boolean.
---
--- As Python's `socket.setblocking`.
---@param blocking boolean
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:setblocking(blocking) end

--- Whether calls of either direction may wait: false only with the timeout 0 in both.
---
--- Errors:
--- * `EBADF`: the socket is closed.
---
--- As Python's `socket.getblocking`.
---@return boolean? blocking
---@return string? message
---@return bsdsocket.Code? code
function Socket:getblocking() end

-- ## Its end

--- Closes the socket; closing it again does nothing. It leaves every poller that it is in.
---
--- Bytes that were sent are still delivered. Where bytes that had arrived were not received, TCP tells the peer
--- that the connection was broken off (`ECONNRESET`).
---
--- What `setvbuf` has held back is flushed first, within the timeout. If that fails the failure is returned, and the
--- socket is closed all the same. `local s <close>` does the same without a word; the collector tries once and
--- never waits. With `SO_LINGER` it waits for the peer, too, and never stops other tasks: see [Closing](#closing).
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, there was no room for what was held back.
--- * `timeout`: there was no room for what was held back within the timeout.
--- * `EPIPE`: what was held back could no longer be sent.
--- * `EBUSY`: something was held back, and another task sends or flushes.
---
--- See close(2), POSIX `close`.
---@return boolean? true
---@return string? message
---@return bsdsocket.Code? code
function Socket:close() end

--- Gives the descriptor up: the socket is closed then, the descriptor is open and the caller's. Its flags are put
--- back as they were found. What `setvbuf` has held back is flushed first; if that fails, the socket keeps everything.
---
--- Errors:
--- * `EAGAIN`: with a timeout of 0, there is no room for what was held back.
--- * `timeout`: there was no room for what was held back within the timeout.
--- * `EPIPE`: what was held back can no longer be sent.
--- * `EBADF`: the socket is closed.
---
--- As Python's `socket.detach`.
---@return integer? fd
---@return string readahead bytes that were read ahead, often `""`; or the message
---@return bsdsocket.Code? code
function Socket:detach() end

--- Makes a second socket object for the same socket, with a descriptor and a timeout of its own. Data that one
--- receives, or has read ahead, is gone for the other; what one has not flushed the other does not flush. The connection
--- ends when both are closed.
---
--- Errors:
--- * `EMFILE`: the process has as many descriptors open as it may.
--- * `EBADF`: the socket is closed.
---
--- See dup(2), POSIX `dup`.
---@return bsdsocket.Socket? twin
---@return string? message
---@return bsdsocket.Code? code
function Socket:dup() end

-- ## What it is

--- The descriptor, or nil when the socket is closed.
---
--- See fileno(3).
---@return integer? fd
function Socket:fileno() end

--- The address family, such as `socket.AF_INET`. On a closed socket too.
---@return integer family
function Socket:family() end

--- The type, such as `socket.SOCK_STREAM`. On a closed socket too.
---@return integer type
function Socket:type() end

--- The protocol that was asked for: 0, the usual one of the type, where none was; of a socket made by `fromfd` what
--- the kernel says. On a closed socket too.
---@return integer protocol
function Socket:protocol() end

--- Says whether programs that are started inherit the descriptor. New sockets are not inherited. With true its
--- `O_NONBLOCK` and `SO_RCVTIMEO` are put back as they were found, as programs expect; but a call that waits in
--- `accept` or `sendfile` under a timeout or in a task sets `O_NONBLOCK` anew, until the socket is closed.
---
--- Errors:
--- * `EBADF`: the socket is closed.
--- * raises: what is no boolean.
---
--- As Python's `socket.set_inheritable`. See fcntl(2) (`FD_CLOEXEC`).
---@param inheritable boolean
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:setinheritable(inheritable) end

--- Whether programs that are started inherit the descriptor.
---
--- Errors:
--- * `EBADF`: the socket is closed.
---
--- As Python's `socket.get_inheritable`.
---@return boolean? inheritable
---@return string? message
---@return bsdsocket.Code? code
function Socket:getinheritable() end

--- The socket at a glance, for messages and the REPL: descriptor, family, type, addresses, state. Never fails.
---
--- ```
--- socket (5, AF_INET SOCK_STREAM, 127.0.0.1:40404 -> 127.0.0.1:8001, connected)
--- socket (closed, AF_INET SOCK_STREAM)
--- ```
---@private
---@return string text
function Socket:__tostring() end

--- What `local s <close> = ...` does at the end of its block: closes the socket.
---@private
function Socket:__close() end

--- What the collector does with a socket that nobody holds any more: closes it.
---@private
function Socket:__gc() end

-- ## For other libraries

--- The descriptor, -1 when the socket is closed.
---
--- As LuaSocket's `getfd`, which its `select` and LuaSec call.
---@return integer fd
function Socket:getfd() end

--- Takes another descriptor, or with -1 none. The one before is *not* closed; LuaSec takes it over in this way. With
--- -1 the socket lets go in any case, and the descriptor's flags are left as they are; if there were bytes that had been
--- read ahead or were not flushed, it raises after that, since they are lost. With another descriptor it raises before,
--- and nothing has changed; else the flags of the old one are put back.
---
--- Errors:
--- * `ENOTSOCK`: the new descriptor is not a socket. Nothing has changed then.
--- * `EBADF`: there is no such descriptor. Nothing has changed then.
--- * raises: a number that is no descriptor; bytes that were read ahead (`detach` gives them) or are not flushed are
---   lost, or would be.
---
--- As LuaSocket's `setfd`.
---@param fd integer
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
function Socket:setfd(fd) end

--- Whether bytes are read ahead, so that `select` of another library would wait in vain.
---
--- As LuaSocket's `dirty`.
---@return boolean dirty
function Socket:dirty() end

--- The descriptor, -1 when the socket is closed.
---
--- As cqueues asks for it.
---@return integer fd
function Socket:pollfd() end

--- What the last call that could not go on was waiting for.
---
--- As cqueues asks for it.
---@return "r"|"w" events
function Socket:events() end

--- How long cqueues may wait for `s:events()`: the timeout of that direction in seconds, nil for none and for 0.
---
--- As cqueues asks for it.
---@return number? seconds
function Socket:timeout() end

-- # Options
--
-- Properties of a socket, read with `s:getsockopt` and written with `s:setsockopt`. A name says its level by itself:
-- `s:setsockopt("TCP_NODELAY", true)`. With level and name both are taken as everywhere, by name or number:
-- `s:setsockopt("IPPROTO_TCP", "TCP_NODELAY", true)`. An option by number needs its level before it, as the number does not
-- tell: `s:setsockopt("IPPROTO_TCP", socket.TCP_NODELAY, true)`.
--
-- A value has the type that the option has:
--
-- | in the tables | a value is |
-- |---|---|
-- | boolean | true or false; 1 and 0 are taken, too, and read back as booleans |
-- | integer | an integer |
-- | seconds | a number of seconds, parts of one too |
-- | whole seconds | an integer number of seconds |
-- | linger | an integer number of seconds, or false |
-- | name | a string |
-- | bytes | a string of raw bytes |
-- | interface | what names an interface, see below; read, it is the number (`IP_MULTICAST_IF`: the address) |
-- | address | an address; read only |
-- | membership | a table `{group=, interface=, source=}`; written only |
-- | credentials | a table `{pid=, uid=, gid=}`; read only |
-- | file | a Lua file that owns a new descriptor, close-on-exec; read only |
-- | info | a table of integers, [TcpInfo](#tcpinfo); read only |
-- | record | a table of integers, by the names that are there; those that are not written are 0 |
-- | list | a list of integers; read only |
-- | frames | a table `{interface=, type=, address=}`: `type` is a `PACKET_MR_*`, `address` raw bytes; written only |
-- | program | a string: instructions of classic BPF, 8 bytes each: `string.pack("=I2BBI4", code, jt, jf, k)` |
-- | nothing | none: `s:setsockopt("SO_DETACH_FILTER")` |
--
-- An interface is named by its name (`"eth0"`), its number, or an address that it has: text or an address object, for
-- IPv4 options an IPv4 address, else one of IPv6. Of an address with its zone (`"fe80::1%eth0"`, `"::%eth0"`, also one with
-- a `scope_id`) only the zone counts. `"*"`, 0, `"0.0.0.0"` and `"::"` are any interface: the system's choice. One that is
-- not there is `ENODEV`. A group with a zone (`"ff02::77%eth0"`) needs no `interface`.
--
-- None is out of reach: an option that the tables do not have takes and gives integers (and takes booleans); a string
-- for an option that takes no strings is its raw bytes; and `s:getsockopt(level, name, size)` reads raw bytes.
-- Programs are their instructions there too, never the C struct with a pointer to them. The few options that are read
-- for something, by a struct that says for what (`IP_MSFILTER`, an SCTP association's), are read as if it were all zeros.
--
-- The library owns `SO_RCVTIMEO`, `SO_SNDTIMEO` and `O_NONBLOCK` of its sockets: use `s:settimeout`. Setting
-- `SO_RCVTIMEO` by hand is allowed, but bounds no call of the library, which sets it again for its own timeouts.

--- Reads an option.
---
--- ```lua
--- print(s:getsockopt("SO_RCVBUF"))
--- print(s:getsockopt("IPPROTO_TCP", "TCP_NODELAY"))
--- local info = s:getsockopt("TCP_INFO")
--- print(info.rtt)
--- ```
---
--- Errors:
--- * `ENOPROTOOPT`: the socket does not have this option.
--- * `EOPNOTSUPP`: the socket's family does not have this level, or not this option.
--- * `ENOTCONN`: the option is one of connected sockets.
--- * `EINVAL`: the size is too small.
--- * `EBADF`: the socket is closed.
--- * raises: an unknown name, a name without a level that is in none of the tables, a size out of range.
---
--- See getsockopt(2), POSIX `getsockopt`, socket(7), ip(7), ipv6(7), tcp(7), udp(7).
---@param level integer|string a `SOL_*` or `IPPROTO_*`
---@param name integer|bsdsocket.Option
---@param size? integer gives the value as a string of at most so many raw bytes
---@return any value
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(self: bsdsocket.Socket, name: bsdsocket.Option): any, string?, bsdsocket.Code?
function Socket:getsockopt(level, name, size) end

--- Writes an option.
---
--- ```lua
--- assert(s:setsockopt("SO_REUSEADDR", true))
--- assert(s:setsockopt("IPPROTO_TCP", "TCP_KEEPIDLE", 60))
--- assert(s:setsockopt("SO_LINGER", false))
--- assert(s:setsockopt("IP_ADD_MEMBERSHIP", {group = "239.1.2.3", interface = "lo"}))
--- ```
---
--- Errors:
--- * `ENOPROTOOPT`: the socket does not have this option, or it cannot be written.
--- * `EOPNOTSUPP`: the socket's family does not have this level.
--- * `EINVAL`: the system does not take this value.
--- * `ENOENT`: there is no such congestion control.
--- * `ENODEV`: there is no such interface.
--- * `EADDRINUSE`: the group is joined already.
--- * `EADDRNOTAVAIL`: the group, or the source, is not joined.
--- * `EBADF`: the socket is closed.
--- * raises: an unknown name, a name without a level that is in none of the tables, a value that is not of the option's type,
---   an option that can only be read.
---
--- Also `EPERM` where a privilege is missing, `EDOM`.
---
--- See setsockopt(2), POSIX `setsockopt`, socket(7), ip(7), ipv6(7), tcp(7), udp(7).
---@param level integer|string a `SOL_*` or `IPPROTO_*`
---@param name integer|bsdsocket.Option
---@param value any of the option's type
---@return bsdsocket.Socket? s
---@return string? message
---@return bsdsocket.Code? code
---@overload fun(self: bsdsocket.Socket, name: bsdsocket.Option, value: any): bsdsocket.Socket?, string?, bsdsocket.Code?
function Socket:setsockopt(level, name, value) end

--- A multicast group to join or leave, or a source in it.
---@class bsdsocket.Membership
---@field group string|bsdsocket.Address numeric address of the group, also with its zone
---@field interface? string|integer|bsdsocket.Address name, number, address, or `"*"`; default: the group's zone, else the system's choice
---@field source? string|bsdsocket.Address only what this host sends

--- A process: the one at the other end of a unix socket, or the one that sent a message.
---@class bsdsocket.Credentials
---@field pid integer
---@field uid integer
---@field gid integer

--- What `TCP_INFO` tells of a connection. Times are in microseconds unless it says milliseconds, *packets* are segments
--- of `snd_mss` bytes. A field is nil where the kernel does not know it yet: the later ones of the list came with later
--- kernels.
---@class bsdsocket.TcpInfo
---@field state integer `TCP_ESTABLISHED`, `TCP_CLOSE_WAIT` and so on
---@field ca_state integer of the congestion control: 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss
---@field retransmits integer timeouts in a row without an answer
---@field probes integer questions in a row without an answer, of a closed window or `SO_KEEPALIVE`
---@field backoff integer how often the timeout has been doubled
---@field options integer what was agreed on: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 ECN was seen, 32 data in the first packet
---@field snd_wscale integer the peer's window is multiplied by 2 to the power of this
---@field rcv_wscale integer and the own one
---@field delivery_rate_app_limited integer 1: `delivery_rate` was bounded by what the program gave
---@field fastopen_client_fail integer why fast open failed, 0: it did not
---@field rto integer time until a retransmission
---@field ato integer time until an acknowledgement is sent alone
---@field snd_mss integer bytes of a segment that is sent, at most
---@field rcv_mss integer bytes of a segment that is received, as far as seen
---@field unacked integer packets under way; of a listening socket the connections that wait for `accept`
---@field sacked integer packets acknowledged out of order; of a listening socket its backlog
---@field lost integer packets taken for lost
---@field retrans integer packets sent again that are under way
---@field fackets integer 0 in later kernels
---@field last_data_sent integer milliseconds since data was sent
---@field last_ack_sent integer always 0
---@field last_data_recv integer milliseconds since data came
---@field last_ack_recv integer milliseconds since an acknowledgement came
---@field pmtu integer bytes that a packet may have on this way
---@field rcv_ssthresh integer bytes: the window that may be offered now
---@field rtt integer round-trip time, smoothed
---@field rttvar integer how much it varies
---@field snd_ssthresh integer packets: where slow start ends
---@field snd_cwnd integer packets that may be under way: the congestion window
---@field advmss integer bytes of a segment as told to the peer
---@field reordering integer packets that come out of order and are not yet taken for lost
---@field rcv_rtt integer round-trip time as the receiver sees it, 0: not known
---@field rcv_space integer bytes that the program reads in a round trip
---@field total_retrans integer packets sent again, ever
---@field pacing_rate? integer bytes a second, at most now
---@field max_pacing_rate? integer bytes a second of `SO_MAX_PACING_RATE`, -1: no limit
---@field bytes_acked? integer bytes that the peer has acknowledged
---@field bytes_received? integer bytes that came
---@field segs_out? integer packets sent, without data too
---@field segs_in? integer packets that came, without data too
---@field notsent_bytes? integer bytes given and not sent yet
---@field min_rtt? integer the shortest round trip of late
---@field data_segs_in? integer packets with data that came
---@field data_segs_out? integer packets with data sent
---@field delivery_rate? integer bytes a second that have arrived of late
---@field busy_time? integer time with something to send
---@field rwnd_limited? integer time held up by the peer's window
---@field sndbuf_limited? integer time held up by the own send buffer
---@field delivered? integer packets that have arrived
---@field delivered_ce? integer packets of them marked for congestion
---@field bytes_sent? integer bytes of data sent, those sent again too
---@field bytes_retrans? integer bytes of them sent again
---@field dsack_dups? integer packets that the peer had twice
---@field reord_seen? integer times that packets came out of order
---@field rcv_ooopack? integer packets that came out of order
---@field snd_wnd? integer bytes of the peer's window
---@field rcv_wnd? integer bytes of the own window
---@field rehash? integer times that another way was taken
---@field total_rto? integer timeouts, ever
---@field total_rto_recoveries? integer times that it went on after such
---@field total_rto_time? integer milliseconds lost by them
---@field received_ce? integer packets that came with a mark for congestion
---@field delivered_e1_bytes? integer bytes that arrived with the mark ECT(1)
---@field delivered_e0_bytes? integer bytes that arrived with the mark ECT(0)
---@field delivered_ce_bytes? integer bytes that arrived with the mark for congestion
---@field received_e1_bytes? integer bytes that came with the mark ECT(1)
---@field received_e0_bytes? integer bytes that came with the mark ECT(0)
---@field received_ce_bytes? integer bytes that came with the mark for congestion

--- Every option by its name.
---@alias bsdsocket.Option bsdsocket.Option.SO|bsdsocket.Option.TCP|bsdsocket.Option.UDP|bsdsocket.Option.UDPLITE|bsdsocket.Option.IP|bsdsocket.Option.IPV6|bsdsocket.Option.ICMP|bsdsocket.Option.ICMP6|bsdsocket.Option.PACKET|bsdsocket.Option.NETLINK|bsdsocket.Option.TIPC|bsdsocket.Option.SCTP|string

--- Options of every socket, level `SOL_SOCKET`. See socket(7).
---@alias bsdsocket.Option.SO
---| "SO_ACCEPTCONN" # boolean; it listens (read only)
---| "SO_ATTACH_BPF" # integer; the descriptor of a filter that bpf(2) loaded (write only)
---| "SO_ATTACH_FILTER" # program; what it says is dropped or cut when it comes; read, it is the program that is there
---| "SO_ATTACH_REUSEPORT_CBPF" # program; chooses among the sockets of `SO_REUSEPORT`, by number from 0 (write only)
---| "SO_ATTACH_REUSEPORT_EBPF" # integer; the descriptor of such a program of bpf(2) (write only)
---| "SO_BINDTODEVICE" # name; of the one interface to use, `""` for all
---| "SO_BINDTOIFINDEX" # interface; the one to use, 0 for all
---| "SO_BPF_EXTENSIONS" # integer; which extensions programs may use (read only)
---| "SO_BROADCAST" # boolean; datagrams may go to broadcast addresses
---| "SO_BSDCOMPAT" # boolean; does nothing any more
---| "SO_BUF_LOCK" # integer; `SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK`: buffer sizes that the system may not change
---| "SO_BUSY_POLL" # seconds; to spin on the device when there is nothing to receive
---| "SO_BUSY_POLL_BUDGET" # integer; packets at most in one such round
---| "SO_CNX_ADVICE" # integer; 1: look for another way to the peer (write only)
---| "SO_COOKIE" # integer; a number that no other socket has (read only)
---| "SO_DEBUG" # boolean; trace in the kernel
---| "SO_DETACH_BPF" # nothing; takes the filter away
---| "SO_DETACH_FILTER" # nothing; takes the filter away
---| "SO_DETACH_REUSEPORT_BPF" # nothing; takes the program of `SO_ATTACH_REUSEPORT_CBPF` away
---| "SO_DEVMEM_DONTNEED" # bytes; `struct dmabuf_token` each: device memory that was read (write only)
---| "SO_DOMAIN" # integer; the family (read only)
---| "SO_DONTROUTE" # boolean; only to hosts on the same network
---| "SO_ERROR" # integer; the pending error's number, 0 for none; reading takes it away
---| "SO_GET_FILTER" # program; as `SO_ATTACH_FILTER`
---| "SO_INCOMING_CPU" # integer; the processor that handles the socket
---| "SO_INCOMING_NAPI_ID" # integer; the device queue of the last packet (read only)
---| "SO_INQ" # boolean; control data tells how many bytes wait (`AF_UNIX`, write only)
---| "SO_KEEPALIVE" # boolean; ask a silent peer whether it is still there
---| "SO_LINGER" # linger; how long `close` waits for what was sent; 0: breaks the connection off; false: does not wait
---| "SO_LOCK_FILTER" # boolean; the filter can no longer be changed
---| "SO_MARK" # integer; mark of its packets, for routing and filters
---| "SO_MAX_PACING_RATE" # integer; bytes a second at most, -1 for no limit
---| "SO_MEMINFO" # record; `rmem_alloc rcvbuf wmem_alloc sndbuf fwd_alloc wmem_queued optmem backlog drops` (read only)
---| "SO_NETNS_COOKIE" # integer; the number of the network namespace (read only)
---| "SO_NOFCS" # boolean; the last four bytes of a frame are the checksum
---| "SO_NOSIGPIPE" # boolean; no SIGPIPE (BSD, macOS; always on here)
---| "SO_NO_CHECK" # boolean; UDP without checksums
---| "SO_OOBINLINE" # boolean; out-of-band data comes with the other data
---| "SO_PASSCRED" # boolean; control data tells who sent a message (`AF_UNIX`)
---| "SO_PASSPIDFD" # boolean; control data has a descriptor of the sending process (`AF_UNIX`)
---| "SO_PASSRIGHTS" # boolean; descriptors may be received (`AF_UNIX`)
---| "SO_PASSSEC" # boolean; control data tells the sender's security context (`AF_UNIX`)
---| "SO_PEEK_OFF" # integer; where `MSG_PEEK` begins, -1: at the front always
---| "SO_PEERCRED" # credentials; who connected (`AF_UNIX`)
---| "SO_PEERGROUPS" # list; the groups of who connected (`AF_UNIX`, read only)
---| "SO_PEERPIDFD" # file; a descriptor of the process that connected, readable when it has ended (`AF_UNIX`, read only)
---| "SO_PEERSEC" # bytes; the security context of who connected (read only)
---| "SO_PREFER_BUSY_POLL" # boolean; spin rather than be interrupted
---| "SO_PRIORITY" # integer; of its packets in the queues
---| "SO_PROTOCOL" # integer; the protocol (read only)
---| "SO_RCVBUF" # integer; bytes of the receive buffer; Linux doubles what is written
---| "SO_RCVBUFFORCE" # integer; the same beyond the system's limit, with the privilege
---| "SO_RCVLOWAT" # integer; bytes that have to be there before a receive returns
---| "SO_RCVMARK" # boolean; control data tells the packet's mark
---| "SO_RCVPRIORITY" # boolean; control data tells the packet's priority
---| "SO_RCVTIMEO" # seconds; the library's own: use `s:settimeout`
---| "SO_RESERVE_MEM" # integer; bytes of memory kept for this socket
---| "SO_REUSEADDR" # boolean; may bind to an address where old connections linger
---| "SO_REUSEPORT" # boolean; several sockets may bind to one address, and share what comes
---| "SO_REUSEPORT_LB" # boolean; the same with the load spread (FreeBSD)
---| "SO_RXQ_OVFL" # boolean; control data counts the datagrams that were dropped
---| "SO_SELECT_ERR_QUEUE" # boolean; an entry in the error queue counts as urgent data for poll(2)
---| "SO_SNDBUF" # integer; bytes of the send buffer; Linux doubles what is written
---| "SO_SNDBUFFORCE" # integer; the same beyond the system's limit, with the privilege
---| "SO_SNDLOWAT" # integer; bytes of room before the socket counts as writable
---| "SO_SNDTIMEO" # seconds; the library's own: use `s:settimeout`
---| "SO_TIMESTAMP" # boolean; control data tells when a datagram came, to the microsecond
---| "SO_TIMESTAMPING" # integer; which timestamps are made, and where: `SOF_TIMESTAMPING_*`
---| "SO_TIMESTAMPNS" # boolean; control data tells when a datagram came, to the nanosecond
---| "SO_TXREHASH" # integer; another way through the network after a loss: `SOCK_TXREHASH_*`
---| "SO_TXTIME" # record; `clockid flags`: packets say when they are to be sent; flags are `SOF_TXTIME_*`
---| "SO_TYPE" # integer; the type (read only)
---| "SO_USELOOPBACK" # boolean; routing sockets hear themselves (BSD, macOS)
---| "SO_VM_SOCKETS_BUFFER_MAX_SIZE" # integer; bytes of the buffer at most (`AF_VSOCK`, as the next)
---| "SO_VM_SOCKETS_BUFFER_MIN_SIZE" # integer; and at least
---| "SO_VM_SOCKETS_BUFFER_SIZE" # integer; bytes of the buffer
---| "SO_VM_SOCKETS_CONNECT_TIMEOUT" # seconds; for connecting
---| "SO_VM_SOCKETS_PEER_HOST_VM_ID" # integer; the machine at the other end (VMware, read only)
---| "SO_VM_SOCKETS_TRUSTED" # integer; whether the other end is privileged (VMware)
---| "SO_WIFI_STATUS" # boolean; control data tells whether a frame was acknowledged
---| "SO_ZEROCOPY" # boolean; `MSG_ZEROCOPY` may be used

--- Options of TCP, level `IPPROTO_TCP`. See tcp(7).
---@alias bsdsocket.Option.TCP
---| "TCP_AO_ADD_KEY" # bytes; `struct tcp_ao_add`: a key of RFC 5925 (write only)
---| "TCP_AO_DEL_KEY" # bytes; `struct tcp_ao_del` (write only)
---| "TCP_AO_INFO" # bytes; `struct tcp_ao_info_opt`: keys in use, counters
---| "TCP_AO_REPAIR" # bytes; `struct tcp_ao_repair`, in repair
---| "TCP_CC_INFO" # bytes; what the congestion control tells of itself, none from most (read only)
---| "TCP_CONGESTION" # name; of the congestion control: `"cubic"`, `"reno"`, `"bbr"`
---| "TCP_CONNECTIONTIMEOUT" # whole seconds; for connecting (macOS)
---| "TCP_CORK" # boolean; hold parts of packets back until this is off again
---| "TCP_DEFER_ACCEPT" # whole seconds; accept only when data has come, for so long
---| "TCP_DELACK_MAX_US" # seconds; an acknowledgement is delayed at most
---| "TCP_FASTOPEN" # integer; how many connections with data in the first packet may wait
---| "TCP_FASTOPEN_CONNECT" # boolean; `connect` waits for the first data to go along
---| "TCP_FASTOPEN_KEY" # bytes; 16 or 32 of them
---| "TCP_FASTOPEN_NO_COOKIE" # boolean; fast open without the cookie
---| "TCP_INFO" # info; state, round-trip time and so on (read only)
---| "TCP_INQ" # boolean; control data tells how many bytes wait
---| "TCP_IS_MPTCP" # boolean; the connection takes several paths (read only)
---| "TCP_KEEPALIVE" # whole seconds; of silence before the first question (macOS)
---| "TCP_KEEPCNT" # integer; questions without an answer until the connection is given up
---| "TCP_KEEPIDLE" # whole seconds; of silence before the first question of `SO_KEEPALIVE`
---| "TCP_KEEPINIT" # whole seconds; for connecting (FreeBSD)
---| "TCP_KEEPINTVL" # whole seconds; between two questions
---| "TCP_LINGER2" # integer; seconds that a closed socket waits for the peer to close; -1: not at all
---| "TCP_MAXSEG" # integer; bytes of a segment at most
---| "TCP_MD5SIG" # bytes; `struct tcp_md5sig`: a key of RFC 2385 (write only)
---| "TCP_MD5SIG_EXT" # bytes; the same with its flags (write only)
---| "TCP_NODELAY" # boolean; send small parts at once instead of gathering them (Nagle)
---| "TCP_NOOPT" # boolean; no TCP options (BSD)
---| "TCP_NOPUSH" # boolean; as `TCP_CORK` (BSD, macOS)
---| "TCP_NOTSENT_LOWAT" # integer; writable only while fewer bytes are unsent
---| "TCP_QUEUE_SEQ" # integer; a sequence number, in repair
---| "TCP_QUICKACK" # boolean; acknowledge at once; the system may turn it off again
---| "TCP_REPAIR" # integer; for moving connections between processes
---| "TCP_REPAIR_OPTIONS" # bytes; `struct tcp_repair_opt` each, in repair (write only)
---| "TCP_REPAIR_QUEUE" # integer; the queue to repair
---| "TCP_REPAIR_WINDOW" # record; `snd_wl1 snd_wnd max_window rcv_wnd rcv_wup`, in repair
---| "TCP_RTO_MAX_MS" # seconds; a retransmission comes at most so late
---| "TCP_RTO_MIN_US" # seconds; and at least
---| "TCP_SAVED_SYN" # bytes; the headers of the first packet (read only)
---| "TCP_SAVE_SYN" # integer; 1: keep the headers of the first packet, 2: the link layer's too
---| "TCP_SYNCNT" # integer; attempts to connect, until it is given up
---| "TCP_THIN_DUPACK" # boolean; for thin streams
---| "TCP_THIN_LINEAR_TIMEOUTS" # boolean; for thin streams: timeouts that do not double
---| "TCP_TIMESTAMP" # integer; the timestamp, in repair
---| "TCP_TX_DELAY" # seconds; every packet is delayed
---| "TCP_ULP" # name; of the protocol above: `"tls"`
---| "TCP_USER_TIMEOUT" # seconds; until a connection is given up whose data is not acknowledged
---| "TCP_WINDOW_CLAMP" # integer; bytes of the window at most

--- Options of UDP, level `IPPROTO_UDP`. See udp(7).
---@alias bsdsocket.Option.UDP
---| "UDP_CORK" # boolean; gather what is sent into one datagram until this is off again
---| "UDP_ENCAP" # integer; IPsec inside UDP
---| "UDP_GRO" # boolean; receive several datagrams as one
---| "UDP_NO_CHECK6_RX" # boolean; take datagrams without a checksum over IPv6
---| "UDP_NO_CHECK6_TX" # boolean; send them so
---| "UDP_SEGMENT" # integer; bytes: what is sent is cut into datagrams of so many

--- Options of UDP-Lite, level `SOL_UDPLITE`. See udplite(7).
---@alias bsdsocket.Option.UDPLITE
---| "UDPLITE_RECV_CSCOV" # integer; bytes that a datagram's checksum has to cover, or it is dropped; 0: all
---| "UDPLITE_SEND_CSCOV" # integer; bytes that the checksum covers, 8 or more; 0: all

--- Options of IPv4, level `IPPROTO_IP`. See ip(7).
---@alias bsdsocket.Option.IP
---| "IP_ADD_MEMBERSHIP" # membership; join a group
---| "IP_ADD_SOURCE_MEMBERSHIP" # membership; join a group for one source
---| "IP_BINDANY" # boolean; bind to addresses of others (BSD)
---| "IP_BIND_ADDRESS_NO_PORT" # boolean; `bind` to port 0 leaves the port to `connect`
---| "IP_BLOCK_SOURCE" # membership; hear one source no more
---| "IP_CHECKSUM" # boolean; control data has the checksum
---| "IP_DONTFRAG" # boolean; no fragments (BSD, macOS)
---| "IP_DROP_MEMBERSHIP" # membership; leave a group
---| "IP_DROP_SOURCE_MEMBERSHIP" # membership; leave a group for one source
---| "IP_FREEBIND" # boolean; bind to addresses that are not there yet
---| "IP_HDRINCL" # boolean; the data begins with the IP header (raw sockets)
---| "IP_IPSEC_POLICY" # bytes; of IPsec, in the form of `AF_KEY` (write only)
---| "IP_LOCAL_PORT_RANGE" # integer; ports for `connect`: `low | high << 16`
---| "IP_MINTTL" # integer; drop packets with fewer hops left
---| "IP_MSFILTER" # bytes; `struct ip_msfilter`: all sources of a group at once (write only)
---| "IP_MTU" # integer; bytes that a packet to the peer may have (read only)
---| "IP_MTU_DISCOVER" # integer; `IP_PMTUDISC_*`: whether packets may be cut on the way
---| "IP_MULTICAST_ALL" # boolean; hear the groups that others joined, too
---| "IP_MULTICAST_IF" # interface; where multicast goes out
---| "IP_MULTICAST_LOOP" # boolean; this machine hears its own multicast
---| "IP_MULTICAST_TTL" # integer; hops of multicast, 1 by default
---| "IP_NODEFRAG" # boolean; fragments are not put together (raw sockets)
---| "IP_ONESBCAST" # boolean; broadcasts go to 255.255.255.255 (BSD)
---| "IP_OPTIONS" # bytes; of the header's options
---| "IP_PASSSEC" # boolean; control data has the security context
---| "IP_PKTINFO" # boolean; control data tells interface and address of arrival
---| "IP_PKTOPTIONS" # bytes; control data of the last packet of a TCP connection (read only)
---| "IP_PROTOCOL" # integer; the protocol (read only)
---| "IP_RECVDSTADDR" # boolean; control data has the destination address (BSD, macOS)
---| "IP_RECVERR" # boolean; errors go to the queue that `MSG_ERRQUEUE` reads
---| "IP_RECVERR_RFC4884" # boolean; with the extensions of ICMP errors
---| "IP_RECVFRAGSIZE" # boolean; control data tells the size of the largest fragment
---| "IP_RECVIF" # boolean; control data has the interface (BSD, macOS)
---| "IP_RECVOPTS" # boolean; control data has the header's options
---| "IP_RECVORIGDSTADDR" # boolean; control data has the destination before it was redirected
---| "IP_RECVRETOPTS" # boolean; as `IP_RETOPTS`
---| "IP_RECVTOS" # boolean; control data has the type of service
---| "IP_RECVTTL" # boolean; control data has the hops left
---| "IP_RETOPTS" # boolean; control data has the header's options, raw
---| "IP_ROUTER_ALERT" # boolean; get the packets that are marked for routers
---| "IP_TOS" # integer; type of service
---| "IP_TRANSPARENT" # boolean; for proxies: bind to addresses of others
---| "IP_TTL" # integer; hops that a packet may go
---| "IP_UNBLOCK_SOURCE" # membership; hear a source again
---| "IP_UNICAST_IF" # interface; where unicast goes out
---| "SO_ORIGINAL_DST" # address; where a connection was meant to go that netfilter redirected to here (read only)
---| "IP_XFRM_POLICY" # bytes; `struct xfrm_userpolicy_info`: of IPsec (write only)

--- Options of IPv6, level `IPPROTO_IPV6`. See ipv6(7), RFC 3493, RFC 3542.
---@alias bsdsocket.Option.IPV6
---| "IPV6_2292DSTOPTS" # boolean; as `IPV6_RECVDSTOPTS`, by the older RFC 2292; so are the next
---| "IPV6_2292HOPLIMIT" # boolean; as `IPV6_RECVHOPLIMIT`
---| "IPV6_2292HOPOPTS" # boolean; as `IPV6_RECVHOPOPTS`
---| "IPV6_2292PKTINFO" # boolean; as `IPV6_RECVPKTINFO`
---| "IPV6_2292PKTOPTIONS" # bytes; control data for each packet; read, of the last one of a TCP connection
---| "IPV6_2292RTHDR" # boolean; as `IPV6_RECVRTHDR`
---| "IPV6_ADDRFORM" # integer; `AF_INET`: becomes an IPv4 socket, whose peer is an IPv4 address already
---| "IPV6_ADDR_PREFERENCES" # integer; which of its own addresses to prefer (RFC 5014)
---| "IPV6_ADD_MEMBERSHIP" # membership; join a group
---| "IPV6_AUTOFLOWLABEL" # boolean; flow labels are made by the system
---| "IPV6_BINDANY" # boolean; bind to addresses of others (BSD)
---| "IPV6_CHECKSUM" # integer; where raw packets have their checksum, -1: nowhere
---| "IPV6_DONTFRAG" # boolean; no fragments
---| "IPV6_DROP_MEMBERSHIP" # membership; leave a group
---| "IPV6_DSTOPTS" # bytes; destination options
---| "IPV6_FLOWINFO" # boolean; control data has the flow label
---| "IPV6_FLOWINFO_SEND" # boolean; the flow label of addresses is sent
---| "IPV6_FLOWLABEL_MGR" # bytes; `struct in6_flowlabel_req`: rent a flow label of one's own choice, or give it back (write only)
---| "IPV6_FREEBIND" # boolean; bind to addresses that are not there yet
---| "IPV6_HDRINCL" # boolean; the data begins with the IPv6 header (raw sockets)
---| "IPV6_HOPOPTS" # bytes; hop-by-hop options
---| "IPV6_IPSEC_POLICY" # bytes; of IPsec, in the form of `AF_KEY` (write only)
---| "IPV6_JOIN_ANYCAST" # membership; join an anycast group
---| "IPV6_JOIN_GROUP" # membership; join a group
---| "IPV6_LEAVE_ANYCAST" # membership; leave an anycast group
---| "IPV6_LEAVE_GROUP" # membership; leave a group
---| "IPV6_MINHOPCOUNT" # integer; drop packets with fewer hops left
---| "IPV6_MTU" # integer; bytes that a packet to the peer may have
---| "IPV6_MTU_DISCOVER" # integer; `IPV6_PMTUDISC_*`: whether packets may be cut
---| "IPV6_MULTICAST_ALL" # boolean; hear the groups that others joined, too
---| "IPV6_MULTICAST_HOPS" # integer; hops of multicast, -1 for the default
---| "IPV6_MULTICAST_IF" # interface; where multicast goes out
---| "IPV6_MULTICAST_LOOP" # boolean; this machine hears its own multicast
---| "IPV6_PATHMTU" # bytes; `struct ip6_mtuinfo`: the peer's address, and bytes that a packet to it may have (read only)
---| "IPV6_PKTINFO" # bytes; `struct in6_pktinfo`: address and interface to send from (write only)
---| "IPV6_RECVDSTOPTS" # boolean; control data has the destination options
---| "IPV6_RECVERR" # boolean; errors go to the queue that `MSG_ERRQUEUE` reads
---| "IPV6_RECVERR_RFC4884" # boolean; with the extensions of ICMP errors
---| "IPV6_RECVFRAGSIZE" # boolean; control data tells the size of the largest fragment
---| "IPV6_RECVHOPLIMIT" # boolean; control data has the hops left
---| "IPV6_RECVHOPOPTS" # boolean; control data has the hop-by-hop options
---| "IPV6_RECVORIGDSTADDR" # boolean; control data has the destination before it was redirected
---| "IPV6_RECVPATHMTU" # boolean; control data tells when the way carries less
---| "IPV6_RECVPKTINFO" # boolean; control data tells interface and address of arrival
---| "IPV6_RECVRTHDR" # boolean; control data has the routing header
---| "IPV6_RECVTCLASS" # boolean; control data has the traffic class
---| "IPV6_ROUTER_ALERT" # integer; get the packets that are marked so for routers
---| "IPV6_ROUTER_ALERT_ISOLATE" # boolean; of its own network namespace only
---| "IPV6_RTHDR" # bytes; the routing header
---| "IPV6_RTHDRDSTOPTS" # bytes; destination options before the routing header
---| "IPV6_TCLASS" # integer; traffic class, -1 for the default
---| "IPV6_TRANSPARENT" # boolean; for proxies: bind to addresses of others
---| "IPV6_UNICAST_HOPS" # integer; hops that a packet may go, -1 for the default
---| "IPV6_UNICAST_IF" # interface; where unicast goes out
---| "IPV6_USE_MIN_MTU" # integer; send packets of 1280 bytes at most (BSD, macOS)
---| "IPV6_V6ONLY" # boolean; no IPv4 connections on this IPv6 socket
---| "IPV6_XFRM_POLICY" # bytes; `struct xfrm_userpolicy_info`: of IPsec (write only)
---| "IP6T_SO_ORIGINAL_DST" # address; as `SO_ORIGINAL_DST` of IPv4 (read only)

--- Options of raw ICMP sockets, level `SOL_RAW`. See raw(7).
---@alias bsdsocket.Option.ICMP
---| "ICMP_FILTER" # integer; a bit for each type that is blocked

--- Options of ICMPv6, level `IPPROTO_ICMPV6`. See RFC 3542.
---@alias bsdsocket.Option.ICMP6
---| "ICMP6_FILTER" # bytes; which types are blocked, a bit each

--- Options of packet sockets, level `SOL_PACKET`. See packet(7).
---@alias bsdsocket.Option.PACKET
---| "PACKET_ADD_MEMBERSHIP" # frames; hear what is sent to this address, or (`PACKET_MR_PROMISC`) everything
---| "PACKET_AUXDATA" # boolean; control data tells a frame's lengths, status and VLAN
---| "PACKET_COPY_THRESH" # integer; bytes; longer frames of the ring are copied whole
---| "PACKET_DROP_MEMBERSHIP" # frames; no longer
---| "PACKET_FANOUT" # integer; the number of a group that shares the frames, `| PACKET_FANOUT_HASH << 16` and so on
---| "PACKET_FANOUT_DATA" # program; chooses in a group of `PACKET_FANOUT_CBPF`; of `PACKET_FANOUT_EBPF`: a descriptor (write only)
---| "PACKET_HDRLEN" # integer; bytes of the header of a frame in the ring (read only)
---| "PACKET_IGNORE_OUTGOING" # boolean; does not see what this machine sends
---| "PACKET_LOSS" # boolean; drop malformed frames of the ring instead of stopping
---| "PACKET_ORIGDEV" # boolean; addresses tell the interface of arrival, not that of the bond or bridge
---| "PACKET_QDISC_BYPASS" # boolean; send around the queues
---| "PACKET_RESERVE" # integer; bytes kept free before each frame of the ring
---| "PACKET_ROLLOVER_STATS" # record; `all huge failed`: frames of a group with rollover (read only)
---| "PACKET_STATISTICS" # record; `packets drops`, and `freeze_q_cnt` of a ring of version 3; reading sets them to 0
---| "PACKET_TIMESTAMP" # integer; which timestamps the ring has: `SOF_TIMESTAMPING_*`
---| "PACKET_TX_HAS_OFF" # boolean; frames of the ring say where their data is
---| "PACKET_VERSION" # integer; of the ring's format: `TPACKET_V1` and so on
---| "PACKET_VNET_HDR" # boolean; frames begin with a virtio header
---| "PACKET_VNET_HDR_SZ" # integer; bytes of the virtio header

--- Options of netlink, level `SOL_NETLINK`. See netlink(7).
---@alias bsdsocket.Option.NETLINK
---| "NETLINK_ADD_MEMBERSHIP" # integer; join a group
---| "NETLINK_BROADCAST_ERROR" # boolean; who sends to a group hears of failures
---| "NETLINK_CAP_ACK" # boolean; acknowledgements leave the request away
---| "NETLINK_DROP_MEMBERSHIP" # integer; leave a group
---| "NETLINK_EXT_ACK" # boolean; acknowledgements say more
---| "NETLINK_GET_STRICT_CHK" # boolean; dump requests are checked strictly
---| "NETLINK_LISTEN_ALL_NSID" # boolean; hear all known network namespaces
---| "NETLINK_LIST_MEMBERSHIPS" # list; the groups that are joined (read only)
---| "NETLINK_NO_ENOBUFS" # boolean; no `ENOBUFS` when messages were lost
---| "NETLINK_PKTINFO" # boolean; control data tells the group

--- Options of TIPC, level `SOL_TIPC`. See tipc(7).
---@alias bsdsocket.Option.TIPC
---| "TIPC_CONN_TIMEOUT" # seconds; for connecting
---| "TIPC_DEST_DROPPABLE" # boolean; messages may be lost at the receiver; if not, they come back
---| "TIPC_GROUP_JOIN" # record; `type instance scope flags`; read, it is `type` alone, 0 for none
---| "TIPC_GROUP_LEAVE" # nothing; leave the group
---| "TIPC_IMPORTANCE" # integer; `TIPC_LOW_IMPORTANCE` to `TIPC_CRITICAL_IMPORTANCE`
---| "TIPC_MCAST_BROADCAST" # nothing; multicast goes out once for all
---| "TIPC_MCAST_REPLICAST" # nothing; multicast goes out once for each
---| "TIPC_NODELAY" # boolean; send small parts at once instead of gathering them (write only)
---| "TIPC_NODE_RECVQ_DEPTH" # integer; always 0 (read only)
---| "TIPC_SOCK_RECVQ_DEPTH" # integer; messages that wait (read only)
---| "TIPC_SOCK_RECVQ_USED" # integer; bytes that they take (read only)
---| "TIPC_SRC_DROPPABLE" # boolean; messages may be dropped at the sender

--- Options of SCTP, level `SOL_SCTP`. An `assoc_id` of 0 is for associations to come. See sctp(7), RFC 6458.
---@alias bsdsocket.Option.SCTP
---| "SCTP_ADAPTATION_LAYER" # integer; what is told to peers at the start
---| "SCTP_ASCONF_SUPPORTED" # record; `assoc_id value`: addresses may change
---| "SCTP_ASSOCINFO" # record; `assoc_id asocmaxrxt number_peer_destinations peer_rwnd local_rwnd cookie_life`
---| "SCTP_AUTH_ACTIVE_KEY" # bytes; `struct sctp_authkeyid`; so the other two
---| "SCTP_AUTH_CHUNK" # bytes; the type of a chunk that has to be authenticated (write only)
---| "SCTP_AUTH_DEACTIVATE_KEY" # bytes; use this key no more (write only)
---| "SCTP_AUTH_DELETE_KEY" # bytes; forget this key (write only)
---| "SCTP_AUTH_KEY" # bytes; `struct sctp_authkey` (write only)
---| "SCTP_AUTH_SUPPORTED" # record; `assoc_id value`: chunks may be authenticated
---| "SCTP_AUTOCLOSE" # whole seconds; of silence until an association ends, 0: never
---| "SCTP_AUTO_ASCONF" # boolean; tell peers of new addresses
---| "SCTP_CONTEXT" # record; `assoc_id value`: comes with what is received
---| "SCTP_DEFAULT_PRINFO" # bytes; `struct sctp_default_prinfo`
---| "SCTP_DEFAULT_SEND_PARAM" # bytes; `struct sctp_sndrcvinfo`
---| "SCTP_DEFAULT_SNDINFO" # bytes; `struct sctp_sndinfo`
---| "SCTP_DELAYED_ACK" # record; as `SCTP_DELAYED_SACK`
---| "SCTP_DELAYED_ACK_TIME" # record; as `SCTP_DELAYED_SACK`
---| "SCTP_DELAYED_SACK" # record; `assoc_id delay freq`: milliseconds and packets until an acknowledgement
---| "SCTP_DISABLE_FRAGMENTS" # boolean; messages that are too long for a packet fail
---| "SCTP_ECN_SUPPORTED" # record; `assoc_id value`: routers may say that they are busy
---| "SCTP_ENABLE_STREAM_RESET" # record; `assoc_id value`: which resets the peer may ask for
---| "SCTP_EVENT" # record; `assoc_id type on`: notifications of one type
---| "SCTP_EVENTS" # record; 0 or 1 each: `data_io association address send_failure peer_error shutdown partial_delivery adaptation_layer authentication sender_dry stream_reset assoc_reset stream_change send_failure_event`
---| "SCTP_EXPOSE_PF_STATE" # record; as the next
---| "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE" # record; `assoc_id value`: tell of addresses that may have failed
---| "SCTP_FRAGMENT_INTERLEAVE" # integer; 1: parts of messages may come between parts of others
---| "SCTP_GET_ASSOC_NUMBER" # integer; how many associations there are (read only)
---| "SCTP_HMAC_IDENT" # bytes; `struct sctp_hmacalgo`
---| "SCTP_INITMSG" # record; `num_ostreams max_instreams max_attempts max_init_timeo` for new associations; what is 0 stays
---| "SCTP_INTERLEAVING_SUPPORTED" # record; `assoc_id value`: streams may interleave (RFC 8260)
---| "SCTP_I_WANT_MAPPED_V4_ADDR" # boolean; IPv4 addresses come as IPv6 ones
---| "SCTP_LOCAL_AUTH_CHUNKS" # bytes; `struct sctp_authchunks` (read only)
---| "SCTP_MAXSEG" # record; `assoc_id value`: bytes of a fragment at most, 0: what the way carries
---| "SCTP_MAX_BURST" # record; `assoc_id value`: packets at once at most
---| "SCTP_NODELAY" # boolean; send small parts at once instead of gathering them
---| "SCTP_PARTIAL_DELIVERY_POINT" # integer; bytes of a message that come before its end is there
---| "SCTP_PEER_ADDR_PARAMS" # bytes; `struct sctp_paddrparams`
---| "SCTP_PEER_ADDR_THLDS" # bytes; `struct sctp_paddrthlds`
---| "SCTP_PEER_ADDR_THLDS_V2" # bytes; `struct sctp_paddrthlds_v2`
---| "SCTP_PLPMTUD_PROBE_INTERVAL" # bytes; `struct sctp_probeinterval`
---| "SCTP_PRIMARY_ADDR" # bytes; `struct sctp_prim`
---| "SCTP_PR_SUPPORTED" # record; `assoc_id value`: messages may be given up
---| "SCTP_RECONFIG_SUPPORTED" # record; `assoc_id value`: streams may be reset
---| "SCTP_RECVNXTINFO" # boolean; control data tells of the next message
---| "SCTP_RECVRCVINFO" # boolean; control data tells stream, number and so on
---| "SCTP_REMOTE_UDP_ENCAPS_PORT" # bytes; `struct sctp_udpencaps`: SCTP inside UDP
---| "SCTP_REUSE_PORT" # boolean; several sockets may bind to one port
---| "SCTP_RTOINFO" # record; `assoc_id initial max min`: milliseconds until a retransmission
---| "SCTP_STATUS" # bytes; `struct sctp_status` (read only)
---| "SCTP_STREAM_SCHEDULER" # record; `assoc_id value`: which stream is next

-- # Pollers
--
-- A poller watches many sockets, and each wait costs what is ready, not what is watched. It is made by
-- `socket.poller()`.
--
-- ```lua
-- local p <close> = assert(socket.poller())
-- assert(p:add(server, "r"))
-- while true do
--   for s in assert(p:wait()) do
--     if s == server then
--       assert(p:add(assert(s:accept()), "r"))
--     elseif s:recv() == "" then
--       s:close() -- leaves the poller by itself
--     end
--   end
-- end
-- ```
--
-- It is level-triggered: what is ready and not dealt with is reported again by the next `wait`. It keeps its sockets
-- alive. A socket that is closed, detached or given another descriptor by `setfd` leaves it first; what has been
-- removed is not reported any more, not even in the loop that is under way.
--
-- `"h"` asks whether the peer has sent its last byte, or is gone: so a server learns that a client has given up without
-- reading what may still come. It is told whether or not something is left to read, again and again, and only to who
-- asked for it; alone it is not woken by bytes that come.
--
-- | `"h"` is told | when |
-- |---|---|
-- | of connections: TCP, unix streams and sequenced packets | the peer has called `shutdown("SHUT_WR")`, has closed, or has reset the connection; or we have called `shutdown` for reading. Not when we have shut down our own side of sending, nor when the peer has ended its reading alone |
-- | of datagram sockets, which have no last byte | an error waits (nobody is at the other end), or we have called `shutdown` for reading |
-- | of sockets that listen | they are shut down |
-- | of TCP and unix sockets that are not connected yet | at once, on Linux |
-- | of pipes | the other end is closed |
-- | of everything | there is an error, or a message in its error queue: an error counts as ready for whatever was asked |
--
-- A system whose poll has no `POLLRDHUP`, and that has neither epoll nor kqueue, tells it only when both directions have
-- ended.
--
-- A poller belongs to its process. After a fork the child can only close it, all else gives `EBADF`; whatever the child
-- does, with its copies of the sockets too, changes nothing of its parent's poller. It may have a poller of its own.

--- A poller.
---@class bsdsocket.Poller: userdata
local Poller = {}

--- Begins to watch a socket. Hang-up and error count as ready for what was asked. Who waits for the poller meanwhile
--- hears of it if it is ready already.
---
--- Errors:
--- * `EEXIST`: it is in the poller already; `modify` changes it.
--- * `EPERM`: what has that descriptor is always ready, and cannot be watched: a regular file, a directory.
--- * `EINVAL`: it is the poller itself.
--- * `ELOOP`: it is a poller that this one is in, or pollers would be in each other more than five times.
--- * `EBADF`: the poller, or what is to be added, is closed, or the poller is from before a fork.
--- * raises: what has no descriptor, other events.
---
--- See epoll_ctl(2).
---@param sock bsdsocket.Pollable
---@param events bsdsocket.PollerEvents
---@param data? any what `wait` gives for it; default: `sock` itself
---@return bsdsocket.Poller? p
---@return string? message
---@return bsdsocket.Code? code
function Poller:add(sock, events, data) end

--- Changes what a socket is watched for.
---
--- Errors:
--- * `ENOENT`: it is not in the poller.
--- * `EBADF`: the poller, or what is to be changed, is closed, or the poller is from before a fork.
--- * raises: what has no descriptor, other events.
---
--- See epoll_ctl(2).
---@param sock bsdsocket.Pollable
---@param events bsdsocket.PollerEvents
---@param data? any what `wait` gives for it; default: the same as before
---@return bsdsocket.Poller? p
---@return string? message
---@return bsdsocket.Code? code
function Poller:modify(sock, events, data) end

--- Ends watching a socket.
---
--- Errors:
--- * `ENOENT`: it is not in the poller.
--- * `EBADF`: the poller, or what is to be removed, is closed, or the poller is from before a fork.
--- * raises: what has no descriptor.
---
--- See epoll_ctl(2).
---@param sock bsdsocket.Pollable
---@return bsdsocket.Poller? p
---@return string? message
---@return bsdsocket.Code? code
function Poller:remove(sock) end

--- Waits until something is ready, then goes through what is: at most 256 at a time, the others come with the next
--- `wait`. At the timeout the loop has no rounds.
---
--- ```lua
--- for what, events in assert(p:wait(1.5)) do
---   print(what, events)
--- end
--- ```
---
--- Errors:
--- * `EBADF`: the poller is closed, or from before a fork. A `for` has no place for a failure: `assert` raises it with its message, and without
---   it Lua says no more than that it cannot call a nil value.
--- * raises: a timeout that is negative or NaN.
---
--- See epoll_wait(2).
---@param timeout? number seconds; default: for ever
---@return (fun(p: bsdsocket.Poller): any, bsdsocket.PollerEvents)? iterator gives `data`, else the socket, and what it is ready for
---@return bsdsocket.Poller|string p or the message
---@return bsdsocket.Code? code
function Poller:wait(timeout) end

--- The descriptor of the poller itself, which is readable when something in it is ready: a poller can be in a
--- poller. The number alone does not tell of bytes that are read ahead: give the poller itself to `select`, to
--- `loop.wait` and to other pollers. nil when it is closed, and on systems that have neither epoll nor kqueue.
---@return integer? fd
function Poller:fileno() end

--- Closes the poller; its sockets remain open. Closing it again does nothing.
---@return true
function Poller:close() end

--- The poller at a glance: `poller (5, epoll, 12 added)`, `poller (closed)`.
---@private
---@return string text
function Poller:__tostring() end

--- What `local p <close> = ...` does at the end of its block: closes the poller.
---@private
function Poller:__close() end

--- What the collector does with a poller that nobody holds any more: closes it.
---@private
function Poller:__gc() end

-- # Buffers
--
-- A buffer has a fixed number of bytes that can be overwritten; `socket.buffer(size)` makes one. `recvinto` fills
-- it, and every sending call takes it where it takes a string (all of it, or the part from `i` to `j`).

--- A byte buffer.
---@class bsdsocket.Buffer: userdata
---@operator len: integer
local Buffer = {}

--- A part of the bytes as a string, as `string.sub` has it.
---
--- Errors:
--- * raises: positions that are no integers.
---@param i integer first byte, from 1; negative: from the end
---@param j? integer last byte, default -1
---@return string
function Buffer:sub(i, j) end

--- Overwrites the bytes from position `i` on.
---
--- Errors:
--- * `EBUSY`: the buffer is being sent, with `MSG_ZEROCOPY`: not a byte was changed.
--- * raises: the data does not fit.
---@param i integer from 1
---@param data bsdsocket.Data
---@return bsdsocket.Buffer? buf
---@return string? message
---@return bsdsocket.Code? code
function Buffer:set(i, data) end

--- `#buf`: its size in bytes.
---@private
---@return integer size
function Buffer:__len() end

--- The buffer at a glance: `buffer (65536 bytes)`.
---@private
---@return string text
function Buffer:__tostring() end

-- @include types/bsdsocket/loop.lua

-- # Constants
--
-- Integers of the module. Which of them there are depends on the system that the library was compiled on: those
-- that it lacks are nil. Here are all that the library knows.

local int ---@type integer?

--- Address families: the first argument of `socket.socket` and `socket.address`. See socket(2), address_families(7).
---@class bsdsocket.AF
local AF = {
  AF_ALG = int, AF_APPLETALK = int, AF_ARP = int, AF_ASH = int, AF_ATMPVC = int, AF_ATMSVC = int,
  AF_AX25 = int, AF_BLUETOOTH = int, AF_BRIDGE = int, AF_CAIF = int, AF_CAN = int, AF_CCITT = int,
  AF_CHAOS = int, AF_CNT = int, AF_COIP = int, AF_DATAKIT = int, AF_DECnet = int, AF_DIVERT = int,
  AF_DLI = int, AF_E164 = int, AF_ECMA = int, AF_ECONET = int, AF_FILE = int, AF_HYLINK = int,
  AF_HYPERV = int, AF_IB = int, AF_IEEE80211 = int, AF_IEEE802154 = int, AF_IMPLINK = int, AF_INET = int,
  AF_INET6 = int, AF_INET6_SDP = int, AF_INET_SDP = int, AF_IPX = int, AF_IRDA = int, AF_ISDN = int,
  AF_ISO = int, AF_IUCV = int, AF_KCM = int, AF_KEY = int, AF_LAT = int, AF_LINK = int, AF_LLC = int,
  AF_LOCAL = int, AF_MAX = int, AF_MCTP = int, AF_MPLS = int, AF_NATM = int, AF_NDRV = int, AF_NETBEUI = int,
  AF_NETBIOS = int, AF_NETGRAPH = int, AF_NETLINK = int, AF_NETROM = int, AF_NFC = int, AF_NS = int,
  AF_OSI = int, AF_PACKET = int, AF_PHONET = int, AF_PPP = int, AF_PPPOX = int, AF_PUP = int,
  AF_QIPCRTR = int, AF_RDS = int, AF_RESERVED_36 = int, AF_ROSE = int, AF_ROUTE = int, AF_RXRPC = int,
  AF_SCLUSTER = int, AF_SECURITY = int, AF_SIP = int, AF_SLOW = int, AF_SMC = int, AF_SNA = int,
  AF_SYSTEM = int, AF_TIPC = int, AF_UNIX = int, AF_UNSPEC = int, AF_UTUN = int, AF_VSOCK = int,
  AF_WANPIPE = int, AF_X25 = int, AF_XDP = int,
}

--- The same families under the names that the argument of socket(2) had once. `PF_INET` is `AF_INET`.
---@class bsdsocket.PF
local PF = {
  PF_ALG = int, PF_APPLETALK = int, PF_ARP = int, PF_ASH = int, PF_ATMPVC = int, PF_ATMSVC = int,
  PF_AX25 = int, PF_BLUETOOTH = int, PF_BRIDGE = int, PF_CAIF = int, PF_CAN = int, PF_CCITT = int,
  PF_CHAOS = int, PF_CNT = int, PF_COIP = int, PF_DATAKIT = int, PF_DECnet = int, PF_DIVERT = int,
  PF_DLI = int, PF_E164 = int, PF_ECMA = int, PF_ECONET = int, PF_FILE = int, PF_HYLINK = int,
  PF_HYPERV = int, PF_IB = int, PF_IEEE80211 = int, PF_IEEE802154 = int, PF_IMPLINK = int, PF_INET = int,
  PF_INET6 = int, PF_INET6_SDP = int, PF_INET_SDP = int, PF_IPX = int, PF_IRDA = int, PF_ISDN = int,
  PF_ISO = int, PF_IUCV = int, PF_KCM = int, PF_KEY = int, PF_LAT = int, PF_LINK = int, PF_LLC = int,
  PF_LOCAL = int, PF_MAX = int, PF_MCTP = int, PF_MPLS = int, PF_NATM = int, PF_NDRV = int, PF_NETBEUI = int,
  PF_NETBIOS = int, PF_NETGRAPH = int, PF_NETLINK = int, PF_NETROM = int, PF_NFC = int, PF_NS = int,
  PF_OSI = int, PF_PACKET = int, PF_PHONET = int, PF_PPP = int, PF_PPPOX = int, PF_PUP = int,
  PF_QIPCRTR = int, PF_RDS = int, PF_RESERVED_36 = int, PF_ROSE = int, PF_ROUTE = int, PF_RXRPC = int,
  PF_SCLUSTER = int, PF_SECURITY = int, PF_SIP = int, PF_SLOW = int, PF_SMC = int, PF_SNA = int,
  PF_SYSTEM = int, PF_TIPC = int, PF_UNIX = int, PF_UNSPEC = int, PF_UTUN = int, PF_VSOCK = int,
  PF_WANPIPE = int, PF_X25 = int, PF_XDP = int,
}

--- Types of sockets, and flags that may be combined with them: `SOCK_NONBLOCK` is the timeout 0 here, and
--- `SOCK_CLOEXEC` is always set. See socket(2).
---@class bsdsocket.SOCK
local SOCK = {
  SOCK_BUF_LOCK_MASK = int, SOCK_CLOEXEC = int, SOCK_CLOFORK = int, SOCK_DCCP = int, SOCK_DGRAM = int,
  SOCK_MAXADDRLEN = int, SOCK_MINADDRLEN = int, SOCK_NONBLOCK = int, SOCK_PACKET = int, SOCK_RAW = int,
  SOCK_RCVBUF_LOCK = int, SOCK_RDM = int, SOCK_SEQPACKET = int, SOCK_SNDBUF_LOCK = int, SOCK_STREAM = int,
  SOCK_TXREHASH_DEFAULT = int, SOCK_TXREHASH_DISABLED = int, SOCK_TXREHASH_ENABLED = int,
}

--- Protocols: the third argument of `socket.socket`, and levels of options. See protocols(5), ip(7).
---@class bsdsocket.IPPROTO
local IPPROTO = {
  IPPROTO_AGGFRAG = int, IPPROTO_AH = int, IPPROTO_BEETPH = int, IPPROTO_CARP = int, IPPROTO_CFTP = int,
  IPPROTO_COMP = int, IPPROTO_DCCP = int, IPPROTO_DIVERT = int, IPPROTO_DONE = int, IPPROTO_DSTOPTS = int,
  IPPROTO_EGP = int, IPPROTO_ENCAP = int, IPPROTO_EON = int, IPPROTO_ESP = int, IPPROTO_ETHERIP = int,
  IPPROTO_ETHERNET = int, IPPROTO_FRAGMENT = int, IPPROTO_GGP = int, IPPROTO_GRE = int, IPPROTO_HELLO = int,
  IPPROTO_HIP = int, IPPROTO_HMP = int, IPPROTO_ICMP = int, IPPROTO_ICMPV6 = int, IPPROTO_IDP = int,
  IPPROTO_IGMP = int, IPPROTO_IP = int, IPPROTO_HOPOPTS = int, IPPROTO_IPCOMP = int, IPPROTO_IPIP = int,
  IPPROTO_IPV4 = int, IPPROTO_IPV6 = int, IPPROTO_IRTP = int, IPPROTO_L2TP = int, IPPROTO_MAX = int,
  IPPROTO_MAXID = int, IPPROTO_MH = int, IPPROTO_MOBILE = int, IPPROTO_MPLS = int, IPPROTO_MPTCP = int,
  IPPROTO_MTP = int, IPPROTO_ND = int, IPPROTO_NONE = int, IPPROTO_OSPFIGP = int, IPPROTO_PFSYNC = int,
  IPPROTO_PGM = int, IPPROTO_PIM = int, IPPROTO_PUP = int, IPPROTO_RAW = int, IPPROTO_RDP = int,
  IPPROTO_RESERVED_253 = int, IPPROTO_RESERVED_254 = int, IPPROTO_ROUTING = int, IPPROTO_RSVP = int,
  IPPROTO_SCTP = int, IPPROTO_SHIM6 = int, IPPROTO_SMC = int, IPPROTO_ST = int, IPPROTO_TCF = int,
  IPPROTO_TCP = int, IPPROTO_TP = int, IPPROTO_UDP = int, IPPROTO_UDPLITE = int, IPPROTO_VRRP = int,
  IPPROTO_XTP = int,
}

--- Levels of options. See setsockopt(2).
---@class bsdsocket.SOL
local SOL = {
  SOL_AAL = int, SOL_ALG = int, SOL_ATM = int, SOL_BLUETOOTH = int, SOL_CAIF = int, SOL_CAN_BASE = int,
  SOL_CAN_ISOTP = int, SOL_CAN_J1939 = int, SOL_CAN_RAW = int, SOL_DCCP = int, SOL_DECNET = int, SOL_ICMP = int,
  SOL_ICMPV6 = int, SOL_IP = int, SOL_IPV6 = int, SOL_IRDA = int, SOL_IUCV = int, SOL_KCM = int, SOL_LLC = int,
  SOL_LOCAL = int, SOL_MCTP = int, SOL_MPTCP = int, SOL_NETBEUI = int, SOL_NETLINK = int, SOL_NFC = int,
  SOL_PACKET = int, SOL_PNPIPE = int, SOL_PPPOL2TP = int, SOL_RAW = int, SOL_RDS = int, SOL_RXRPC = int,
  SOL_SCTP = int, SOL_SMC = int, SOL_SOCKET = int, SOL_TCP = int, SOL_TIPC = int, SOL_TLS = int, SOL_UDP = int,
  SOL_UDPLITE = int, SOL_VSOCK = int, SOL_X25 = int, SOL_XDP = int,
}

--- Options of every socket, level `SOL_SOCKET`. See socket(7).
---@class bsdsocket.SO
local SO = {
  SO_ACCEPTCONN = int, SO_ACCEPTFILTER = int, SO_ATTACH_BPF = int, SO_ATTACH_FILTER = int,
  SO_ATTACH_REUSEPORT_CBPF = int, SO_ATTACH_REUSEPORT_EBPF = int, SO_BINDTODEVICE = int,
  SO_BINDTOIFINDEX = int, SO_BINTIME = int, SO_BPF_EXTENSIONS = int, SO_BROADCAST = int, SO_BSDCOMPAT = int,
  SO_BUF_LOCK = int, SO_BUSY_POLL = int, SO_BUSY_POLL_BUDGET = int, SO_CNX_ADVICE = int, SO_COOKIE = int,
  SO_DEBUG = int, SO_DETACH_BPF = int, SO_DETACH_FILTER = int, SO_DETACH_REUSEPORT_BPF = int,
  SO_DEVMEM_DMABUF = int, SO_DEVMEM_DONTNEED = int, SO_DEVMEM_LINEAR = int, SO_DOMAIN = int,
  SO_DONTROUTE = int, SO_DONTTRUNC = int, SO_ERROR = int, SO_GET_FILTER = int, SO_INCOMING_CPU = int,
  SO_INCOMING_NAPI_ID = int, SO_INQ = int, SO_KEEPALIVE = int, SO_L2_ENCAP = int, SO_L2_FRAG = int,
  SO_LABEL = int, SO_LINGER = int, SO_LINGER_SEC = int, SO_LISTENINCQLEN = int, SO_LISTENQLEN = int,
  SO_LISTENQLIMIT = int, SO_LOCK_FILTER = int, SO_MARK = int, SO_MAX_PACING_RATE = int, SO_MEMINFO = int,
  SO_NETNS_COOKIE = int, SO_NETSVC_MARKING_LEVEL = int, SO_NET_SERVICE_TYPE = int, SO_NKE = int,
  SO_NOADDRERR = int, SO_NOFCS = int, SO_NOSIGPIPE = int, SO_NOTIFYCONFLICT = int, SO_NO_CHECK = int,
  SO_NO_DDP = int, SO_NO_OFFLOAD = int, SO_NP_EXTENSIONS = int, SO_NREAD = int, SO_NUMRCVPKT = int,
  SO_NWRITE = int, SO_OOBINLINE = int, SO_ORIGINAL_DST = int, SO_OVERFLOWED = int, SO_PASSCRED = int,
  SO_PASSPIDFD = int, SO_PASSRIGHTS = int, SO_PASSSEC = int, SO_PEEK_OFF = int, SO_PEERCRED = int,
  SO_PEERGROUPS = int, SO_PEERLABEL = int, SO_PEERNAME = int, SO_PEERPIDFD = int, SO_PEERSEC = int,
  SO_PREFER_BUSY_POLL = int, SO_PRIORITY = int, SO_PROTOCOL = int, SO_PROTOTYPE = int, SO_RANDOMPORT = int,
  SO_RCVBUF = int, SO_RCVBUFFORCE = int, SO_RCVLOWAT = int, SO_RCVMARK = int, SO_RCVPRIORITY = int,
  SO_RCVTIMEO = int, SO_RCVTIMEO_NEW = int, SO_RCVTIMEO_OLD = int, SO_RERROR = int, SO_RESERVE_MEM = int,
  SO_RESOLVER_SIGNATURE = int, SO_REUSEADDR = int, SO_REUSEPORT = int, SO_REUSEPORT_LB = int,
  SO_REUSESHAREUID = int, SO_RTABLE = int, SO_RXQ_OVFL = int, SO_SECURITY_AUTHENTICATION = int,
  SO_SECURITY_ENCRYPTION_NETWORK = int, SO_SECURITY_ENCRYPTION_TRANSPORT = int, SO_SELECT_ERR_QUEUE = int,
  SO_SETFIB = int, SO_SNDBUF = int, SO_SNDBUFFORCE = int, SO_SNDLOWAT = int, SO_SNDTIMEO = int,
  SO_SNDTIMEO_NEW = int, SO_SNDTIMEO_OLD = int, SO_SPLICE = int, SO_TIMESTAMP = int, SO_TIMESTAMPING = int,
  SO_TIMESTAMPING_NEW = int, SO_TIMESTAMPING_OLD = int, SO_TIMESTAMPNS = int, SO_TIMESTAMPNS_NEW = int,
  SO_TIMESTAMPNS_OLD = int, SO_TIMESTAMP_MONOTONIC = int, SO_TIMESTAMP_NEW = int, SO_TIMESTAMP_OLD = int,
  SO_TS_BINTIME = int, SO_TS_CLOCK = int, SO_TS_CLOCK_MAX = int, SO_TS_DEFAULT = int, SO_TS_MONOTONIC = int,
  SO_TS_REALTIME = int, SO_TS_REALTIME_MICRO = int, SO_TXREHASH = int, SO_TXTIME = int, SO_TYPE = int,
  SO_UPCALLCLOSEWAIT = int, SO_USELOOPBACK = int, SO_USER_COOKIE = int, SO_WANTMORE = int,
  SO_WANTOOBFLAG = int, SO_WIFI_STATUS = int, SO_ZEROCOPY = int, SO_ZEROIZE = int,
  SO_EE_CODE_TXTIME_INVALID_PARAM = int, SO_EE_CODE_TXTIME_MISSED = int, SO_EE_CODE_ZEROCOPY_COPIED = int,
  SO_EE_ORIGIN_ICMP = int, SO_EE_ORIGIN_ICMP6 = int, SO_EE_ORIGIN_LOCAL = int, SO_EE_ORIGIN_NONE = int,
  SO_EE_ORIGIN_TIMESTAMPING = int, SO_EE_ORIGIN_TXSTATUS = int, SO_EE_ORIGIN_TXTIME = int,
  SO_EE_ORIGIN_ZEROCOPY = int, SO_EE_RFC4884_FLAG_INVALID = int, SO_VM_SOCKETS_BUFFER_MAX_SIZE = int,
  SO_VM_SOCKETS_BUFFER_MIN_SIZE = int, SO_VM_SOCKETS_BUFFER_SIZE = int, SO_VM_SOCKETS_CONNECT_TIMEOUT = int,
  SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW = int, SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD = int,
  SO_VM_SOCKETS_NONBLOCK_TXRX = int, SO_VM_SOCKETS_PEER_HOST_VM_ID = int, SO_VM_SOCKETS_TRUSTED = int,
}

--- Options of TCP, and the states in `TCP_INFO`. See tcp(7).
---@class bsdsocket.TCP
local TCP = {
  TCP_AO_ADD_KEY = int, TCP_AO_DEL_KEY = int, TCP_AO_GET_KEYS = int, TCP_AO_INFO = int, TCP_AO_REPAIR = int,
  TCP_CCALGOOPT = int, TCP_CC_INFO = int, TCP_CLOSE = int, TCP_CLOSE_WAIT = int, TCP_CLOSING = int,
  TCP_CM_INQ = int, TCP_CONGESTION = int, TCP_CONNECTIONTIMEOUT = int, TCP_CONNECTION_INFO = int,
  TCP_COOKIE_IN_ALWAYS = int, TCP_COOKIE_MAX = int, TCP_COOKIE_MIN = int, TCP_COOKIE_OUT_NEVER = int,
  TCP_COOKIE_PAIR_SIZE = int, TCP_COOKIE_TRANSACTIONS = int, TCP_CORK = int, TCP_DEFER_ACCEPT = int,
  TCP_DELACK = int, TCP_DELACK_MAX_US = int, TCP_ENABLE_ECN = int, TCP_ENCAP_ESPINTCP = int,
  TCP_ESTABLISHED = int, TCP_FASTOPEN = int, TCP_FASTOPEN_CONNECT = int, TCP_FASTOPEN_KEY = int,
  TCP_FASTOPEN_NO_COOKIE = int, TCP_FIN_WAIT1 = int, TCP_FIN_WAIT2 = int, TCP_FUNCTION_BLK = int,
  TCP_INFO = int, TCP_INQ = int, TCP_IS_MPTCP = int, TCP_KEEPALIVE = int, TCP_KEEPCNT = int,
  TCP_KEEPIDLE = int, TCP_KEEPINIT = int, TCP_KEEPINTVL = int, TCP_LAST_ACK = int, TCP_LINGER2 = int,
  TCP_LISTEN = int, TCP_LOG = int, TCP_LOGBUF = int, TCP_LOGDUMP = int, TCP_LOGID = int, TCP_MAXHLEN = int,
  TCP_MAXOLEN = int, TCP_MAXSEG = int, TCP_MAXUNACKTIME = int, TCP_MAXWIN = int, TCP_MAX_WINSHIFT = int,
  TCP_MD5SIG = int, TCP_MD5SIG_EXT = int, TCP_MD5SIG_FLAG_IFINDEX = int, TCP_MD5SIG_FLAG_PREFIX = int,
  TCP_MD5SIG_MAXKEYLEN = int, TCP_MSS = int, TCP_MSS_DEFAULT = int, TCP_MSS_DESIRED = int, TCP_NODELAY = int,
  TCP_NOOPT = int, TCP_NOPUSH = int, TCP_NOTSENT_LOWAT = int, TCP_NSTATES = int, TCP_PCAP_IN = int,
  TCP_PCAP_OUT = int, TCP_PERSIST_TIMEOUT = int, TCP_QUEUE_SEQ = int, TCP_QUICKACK = int,
  TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT = int, TCP_REPAIR = int, TCP_REPAIR_OFF = int,
  TCP_REPAIR_OFF_NO_WP = int, TCP_REPAIR_ON = int, TCP_REPAIR_OPTIONS = int, TCP_REPAIR_QUEUE = int,
  TCP_REPAIR_WINDOW = int, TCP_REUSPORT_LB_NUMA = int, TCP_RTO_MAX_MS = int, TCP_RTO_MIN_US = int,
  TCP_RXTLS_ENABLE = int, TCP_RXT_CONNDROPTIME = int, TCP_RXT_FINDROP = int, TCP_SACK_ENABLE = int,
  TCP_SAVED_SYN = int, TCP_SAVE_SYN = int, TCP_SENDMOREACKS = int, TCP_STATS = int, TCP_SYNCNT = int,
  TCP_SYN_RECV = int, TCP_SYN_SENT = int, TCP_S_DATA_IN = int, TCP_S_DATA_OUT = int, TCP_THIN_DUPACK = int,
  TCP_THIN_LINEAR_TIMEOUTS = int, TCP_TIMESTAMP = int, TCP_TIME_WAIT = int, TCP_TXTLS_ENABLE = int,
  TCP_TXTLS_MODE = int, TCP_TX_DELAY = int, TCP_ULP = int, TCP_USER_TIMEOUT = int, TCP_WINDOW_CLAMP = int,
  TCP_ZEROCOPY_RECEIVE = int,
}

--- Options of UDP. See udp(7).
---@class bsdsocket.UDP
local UDP = {
  UDP_CORK = int, UDP_ENCAP = int, UDP_ENCAP_ESPINUDP = int, UDP_ENCAP_ESPINUDP_NON_IKE = int,
  UDP_ENCAP_GTP0 = int, UDP_ENCAP_GTP1U = int, UDP_ENCAP_L2TPINUDP = int, UDP_ENCAP_RXRPC = int,
  UDP_GRO = int, UDP_KEEPALIVE_OFFLOAD = int, UDP_MAX_SEGMENTS = int, UDP_NOCKSUM = int,
  UDP_NO_CHECK6_RX = int, UDP_NO_CHECK6_TX = int, UDP_SEGMENT = int,
}

--- Options of UDP-Lite. See udplite(7).
---@class bsdsocket.UDPLITE
local UDPLITE = {
  UDPLITE_RECV_CSCOV = int, UDPLITE_SEND_CSCOV = int,
}

--- Options of IPv4, and their values. See ip(7).
---@class bsdsocket.IP
local IP = {
  IP_ADD_MEMBERSHIP = int, IP_ADD_SOURCE_MEMBERSHIP = int, IP_BINDANY = int, IP_BINDMULTI = int,
  IP_BIND_ADDRESS_NO_PORT = int, IP_BLOCK_SOURCE = int, IP_BOUND_IF = int, IP_CHECKSUM = int,
  IP_DEFAULT_MULTICAST_LOOP = int, IP_DEFAULT_MULTICAST_TTL = int, IP_DF = int, IP_DONTFRAG = int,
  IP_DROP_MEMBERSHIP = int, IP_DROP_SOURCE_MEMBERSHIP = int, IP_DUMMYNET3 = int, IP_DUMMYNET_CONFIGURE = int,
  IP_DUMMYNET_DEL = int, IP_DUMMYNET_FLUSH = int, IP_DUMMYNET_GET = int, IP_FAITH = int, IP_FLOWID = int,
  IP_FLOWTYPE = int, IP_FREEBIND = int, IP_FW3 = int, IP_FW_ADD = int, IP_FW_DEL = int, IP_FW_FLUSH = int,
  IP_FW_GET = int, IP_FW_RESETLOG = int, IP_FW_ZERO = int, IP_HDRINCL = int, IP_IPSEC_POLICY = int,
  IP_LOCAL_PORT_RANGE = int, IP_MAXPACKET = int, IP_MAX_GROUP_SRC_FILTER = int, IP_MAX_MEMBERSHIPS = int,
  IP_MAX_SOCK_MUTE_FILTER = int, IP_MAX_SOCK_SRC_FILTER = int, IP_MF = int, IP_MINTTL = int,
  IP_MIN_MEMBERSHIPS = int, IP_MSFILTER = int, IP_MSS = int, IP_MTU = int, IP_MTU_DISCOVER = int,
  IP_MULTICAST_ALL = int, IP_MULTICAST_IF = int, IP_MULTICAST_IFINDEX = int, IP_MULTICAST_LOOP = int,
  IP_MULTICAST_TTL = int, IP_MULTICAST_VIF = int, IP_NODEFRAG = int, IP_OFFMASK = int, IP_ONESBCAST = int,
  IP_OPTIONS = int, IP_ORIGDSTADDR = int, IP_PASSSEC = int, IP_PKTINFO = int, IP_PKTOPTIONS = int,
  IP_PMTUDISC = int, IP_PMTUDISC_DO = int, IP_PMTUDISC_DONT = int, IP_PMTUDISC_INTERFACE = int,
  IP_PMTUDISC_OMIT = int, IP_PMTUDISC_PROBE = int, IP_PMTUDISC_WANT = int, IP_PORTRANGE = int,
  IP_PORTRANGE_DEFAULT = int, IP_PORTRANGE_HIGH = int, IP_PORTRANGE_LOW = int, IP_PROTOCOL = int,
  IP_RECVDSTADDR = int, IP_RECVERR = int, IP_RECVERR_RFC4884 = int, IP_RECVFLOWID = int,
  IP_RECVFRAGSIZE = int, IP_RECVIF = int, IP_RECVOPTS = int, IP_RECVORIGDSTADDR = int, IP_RECVPKTINFO = int,
  IP_RECVRETOPTS = int, IP_RECVRSSBUCKETID = int, IP_RECVRTABLE = int, IP_RECVTOS = int, IP_RECVTTL = int,
  IP_RETOPTS = int, IP_RF = int, IP_ROUTER_ALERT = int, IP_RSSBUCKETID = int, IP_RSS_LISTEN_BUCKET = int,
  IP_RSVP_OFF = int, IP_RSVP_ON = int, IP_RSVP_VIF_OFF = int, IP_RSVP_VIF_ON = int, IP_SENDSRCADDR = int,
  IP_STRIPHDR = int, IP_TOS = int, IP_TRAFFIC_MGT_BACKGROUND = int, IP_TRANSPARENT = int, IP_TTL = int,
  IP_UNBLOCK_SOURCE = int, IP_UNICAST_IF = int, IP_VLAN_PCP = int, IP_XFRM_POLICY = int,
}

--- Options of IPv6, and their values. See ipv6(7).
---@class bsdsocket.IPV6
local IPV6 = {
  IPV6_2292DSTOPTS = int, IPV6_2292HOPLIMIT = int, IPV6_2292HOPOPTS = int, IPV6_2292PKTINFO = int,
  IPV6_2292PKTOPTIONS = int, IPV6_2292RTHDR = int, IPV6_3542DSTOPTS = int, IPV6_3542HOPLIMIT = int,
  IPV6_3542HOPOPTS = int, IPV6_3542NEXTHOP = int, IPV6_3542PKTINFO = int, IPV6_3542RTHDR = int,
  IPV6_ADDRFORM = int, IPV6_ADDR_PREFERENCES = int, IPV6_ADD_MEMBERSHIP = int, IPV6_AUTHHDR = int,
  IPV6_AUTH_LEVEL = int, IPV6_AUTOFLOWLABEL = int, IPV6_BINDANY = int, IPV6_BINDMULTI = int,
  IPV6_BINDV6ONLY = int, IPV6_BOUND_IF = int, IPV6_CHECKSUM = int, IPV6_DEFAULT_MULTICAST_HOPS = int,
  IPV6_DEFAULT_MULTICAST_LOOP = int, IPV6_DEFHLIM = int, IPV6_DONTFRAG = int, IPV6_DROP_MEMBERSHIP = int,
  IPV6_DSTOPTS = int, IPV6_ESP_NETWORK_LEVEL = int, IPV6_ESP_TRANS_LEVEL = int, IPV6_FAITH = int,
  IPV6_FLOWID = int, IPV6_FLOWINFO = int, IPV6_FLOWINFO_FLOWLABEL = int, IPV6_FLOWINFO_PRIORITY = int,
  IPV6_FLOWINFO_SEND = int, IPV6_FLOWLABEL_MGR = int, IPV6_FLOWTYPE = int, IPV6_FL_A_GET = int,
  IPV6_FL_A_PUT = int, IPV6_FL_A_RENEW = int, IPV6_FL_F_CREATE = int, IPV6_FL_F_EXCL = int,
  IPV6_FL_F_REFLECT = int, IPV6_FL_F_REMOTE = int, IPV6_FL_S_ANY = int, IPV6_FL_S_EXCL = int,
  IPV6_FL_S_NONE = int, IPV6_FL_S_PROCESS = int, IPV6_FL_S_USER = int, IPV6_FREEBIND = int, IPV6_FW_ADD = int,
  IPV6_FW_DEL = int, IPV6_FW_FLUSH = int, IPV6_FW_GET = int, IPV6_FW_ZERO = int, IPV6_HDRINCL = int,
  IPV6_HOPLIMIT = int, IPV6_HOPOPTS = int, IPV6_IPCOMP_LEVEL = int, IPV6_IPSEC_POLICY = int,
  IPV6_JOIN_ANYCAST = int, IPV6_JOIN_GROUP = int, IPV6_LEAVE_ANYCAST = int, IPV6_LEAVE_GROUP = int,
  IPV6_MAXHLIM = int, IPV6_MAXPACKET = int, IPV6_MAX_GROUP_SRC_FILTER = int, IPV6_MAX_MEMBERSHIPS = int,
  IPV6_MAX_SOCK_SRC_FILTER = int, IPV6_MINHOPCOUNT = int, IPV6_MIN_MEMBERSHIPS = int, IPV6_MIN_MTU = int,
  IPV6_MMTU = int, IPV6_MSFILTER = int, IPV6_MTU = int, IPV6_MTU_DISCOVER = int, IPV6_MULTICAST_ALL = int,
  IPV6_MULTICAST_HOPS = int, IPV6_MULTICAST_IF = int, IPV6_MULTICAST_LOOP = int, IPV6_NEXTHOP = int,
  IPV6_OPT_ROUTERALERT_MLD = int, IPV6_ORIGDSTADDR = int, IPV6_PATHMTU = int, IPV6_PKTINFO = int,
  IPV6_PMTUDISC_DO = int, IPV6_PMTUDISC_DONT = int, IPV6_PMTUDISC_INTERFACE = int, IPV6_PMTUDISC_OMIT = int,
  IPV6_PMTUDISC_PROBE = int, IPV6_PMTUDISC_WANT = int, IPV6_PORTRANGE = int, IPV6_PORTRANGE_DEFAULT = int,
  IPV6_PORTRANGE_HIGH = int, IPV6_PORTRANGE_LOW = int, IPV6_PREFER_SRC_CGA = int, IPV6_PREFER_SRC_COA = int,
  IPV6_PREFER_SRC_HOME = int, IPV6_PREFER_SRC_NONCGA = int, IPV6_PREFER_SRC_PUBLIC = int,
  IPV6_PREFER_SRC_PUBTMP_DEFAULT = int, IPV6_PREFER_SRC_TMP = int, IPV6_PREFER_TEMPADDR = int,
  IPV6_PRIORITY_10 = int, IPV6_PRIORITY_11 = int, IPV6_PRIORITY_12 = int, IPV6_PRIORITY_13 = int,
  IPV6_PRIORITY_14 = int, IPV6_PRIORITY_15 = int, IPV6_PRIORITY_8 = int, IPV6_PRIORITY_9 = int,
  IPV6_PRIORITY_BULK = int, IPV6_PRIORITY_CONTROL = int, IPV6_PRIORITY_FILLER = int,
  IPV6_PRIORITY_INTERACTIVE = int, IPV6_PRIORITY_RESERVED1 = int, IPV6_PRIORITY_RESERVED2 = int,
  IPV6_PRIORITY_UNATTENDED = int, IPV6_PRIORITY_UNCHARACTERIZED = int, IPV6_RECVDSTOPTS = int,
  IPV6_RECVDSTPORT = int, IPV6_RECVERR = int, IPV6_RECVERR_RFC4884 = int, IPV6_RECVFLOWID = int,
  IPV6_RECVFRAGSIZE = int, IPV6_RECVHOPLIMIT = int, IPV6_RECVHOPOPTS = int, IPV6_RECVORIGDSTADDR = int,
  IPV6_RECVPATHMTU = int, IPV6_RECVPKTINFO = int, IPV6_RECVRSSBUCKETID = int, IPV6_RECVRTABLE = int,
  IPV6_RECVRTHDR = int, IPV6_RECVTCLASS = int, IPV6_ROUTER_ALERT = int, IPV6_ROUTER_ALERT_ISOLATE = int,
  IPV6_RSSBUCKETID = int, IPV6_RSS_LISTEN_BUCKET = int, IPV6_RTHDR = int, IPV6_RTHDRDSTOPTS = int,
  IPV6_RTHDR_LOOSE = int, IPV6_RTHDR_STRICT = int, IPV6_RTHDR_TYPE_0 = int, IPV6_RXDSTOPTS = int,
  IPV6_RXHOPOPTS = int, IPV6_SOCKOPT_RESERVED1 = int, IPV6_SRCRT_STRICT = int, IPV6_SRCRT_TYPE_0 = int,
  IPV6_SRCRT_TYPE_2 = int, IPV6_SRCRT_TYPE_3 = int, IPV6_SRCRT_TYPE_4 = int, IPV6_TCLASS = int,
  IPV6_TLV_CALIPSO = int, IPV6_TLV_HAO = int, IPV6_TLV_IOAM = int, IPV6_TLV_JUMBO = int, IPV6_TLV_PAD1 = int,
  IPV6_TLV_PADN = int, IPV6_TLV_ROUTERALERT = int, IPV6_TRANSPARENT = int, IPV6_UNICAST_HOPS = int,
  IPV6_UNICAST_IF = int, IPV6_USE_MIN_MTU = int, IPV6_V6ONLY = int, IPV6_VERSION = int, IPV6_VLAN_PCP = int,
  IPV6_XFRM_POLICY = int,
}

--- Netfilter: options of redirected connections.
---@class bsdsocket.IP6T
local IP6T = {
  IP6T_SO_ORIGINAL_DST = int,
}

--- The option of raw ICMP sockets. See raw(7).
---@class bsdsocket.ICMP
local ICMP = {
  ICMP_FILTER = int,
}

--- ICMPv6: its option, types and codes of messages. See RFC 4443, RFC 3542.
---@class bsdsocket.ICMP6
local ICMP6 = {
  ICMP6_DST_UNREACH = int, ICMP6_DST_UNREACH_ADDR = int, ICMP6_DST_UNREACH_ADMIN = int,
  ICMP6_DST_UNREACH_BEYONDSCOPE = int, ICMP6_DST_UNREACH_NOPORT = int, ICMP6_DST_UNREACH_NOROUTE = int,
  ICMP6_DST_UNREACH_NOTNEIGHBOR = int, ICMP6_DST_UNREACH_POLICY = int, ICMP6_DST_UNREACH_REJECT = int,
  ICMP6_ECHO_REPLY = int, ICMP6_ECHO_REQUEST = int, ICMP6_EXPERIMENTAL_1 = int, ICMP6_EXPERIMENTAL_2 = int,
  ICMP6_EXPERIMENTAL_ERROR_1 = int, ICMP6_EXPERIMENTAL_ERROR_2 = int, ICMP6_FILTER = int,
  ICMP6_FILTER_BLOCK = int, ICMP6_FILTER_BLOCKOTHERS = int, ICMP6_FILTER_PASS = int,
  ICMP6_FILTER_PASSONLY = int, ICMP6_FQDN_QUERY = int, ICMP6_FQDN_REPLY = int, ICMP6_INFOMSG_MASK = int,
  ICMP6_MEMBERSHIP_QUERY = int, ICMP6_MEMBERSHIP_REDUCTION = int, ICMP6_MEMBERSHIP_REPORT = int,
  ICMP6_NI_QUERY = int, ICMP6_NI_REPLY = int, ICMP6_PACKET_TOO_BIG = int, ICMP6_PARAMPROB_HEADER = int,
  ICMP6_PARAMPROB_NEXTHEADER = int, ICMP6_PARAMPROB_OPTION = int, ICMP6_PARAM_PROB = int,
  ICMP6_ROUTER_RENUMBERING = int, ICMP6_RR_FLAGS_FORCEAPPLY = int, ICMP6_RR_FLAGS_PREVDONE = int,
  ICMP6_RR_FLAGS_REQRESULT = int, ICMP6_RR_FLAGS_SPECSITE = int, ICMP6_RR_FLAGS_TEST = int,
  ICMP6_RR_PCOUSE_FLAGS_DECRPLTIME = int, ICMP6_RR_PCOUSE_FLAGS_DECRVLTIME = int,
  ICMP6_RR_PCOUSE_RAFLAGS_AUTO = int, ICMP6_RR_PCOUSE_RAFLAGS_ONLINK = int,
  ICMP6_RR_RESULT_FLAGS_FORBIDDEN = int, ICMP6_RR_RESULT_FLAGS_OOB = int, ICMP6_TIME_EXCEEDED = int,
  ICMP6_TIME_EXCEED_REASSEMBLY = int, ICMP6_TIME_EXCEED_TRANSIT = int, ICMP6_V2_MEMBERSHIP_REPORT = int,
  ICMP6_WRUREPLY = int, ICMP6_WRUREQUEST = int,
}

--- Flags of sending and receiving calls. See send(2), recv(2).
---@class bsdsocket.MSG
local MSG = {
  MSG_BATCH = int, MSG_BCAST = int, MSG_CMSG_CLOEXEC = int, MSG_CMSG_CLOFORK = int, MSG_COMPAT = int,
  MSG_CONFIRM = int, MSG_CTRUNC = int, MSG_DONTROUTE = int, MSG_DONTWAIT = int, MSG_EOF = int, MSG_EOR = int,
  MSG_ERRQUEUE = int, MSG_FASTOPEN = int, MSG_FIN = int, MSG_FLUSH = int, MSG_HAVEMORE = int, MSG_HOLD = int,
  MSG_MCAST = int, MSG_MORE = int, MSG_NBIO = int, MSG_NEEDSA = int, MSG_NOSIGNAL = int,
  MSG_NOTIFICATION = int, MSG_OOB = int, MSG_PEEK = int, MSG_PROXY = int, MSG_RCVMORE = int, MSG_RST = int,
  MSG_SEND = int, MSG_SOCK_DEVMEM = int, MSG_SYN = int, MSG_TRUNC = int, MSG_TRYHARD = int,
  MSG_USEUPCALL = int, MSG_WAITALL = int, MSG_WAITFORONE = int, MSG_ZEROCOPY = int,
}

--- Directions, for `s:shutdown`. See shutdown(2).
---@class bsdsocket.SHUT
local SHUT = {
  SHUT_RD = int, SHUT_RDWR = int, SHUT_WR = int,
}

--- Flags of `socket.getaddrinfo`. See getaddrinfo(3).
---@class bsdsocket.AI
local AI = {
  AI_ADDRCONFIG = int, AI_ALL = int, AI_CANONIDN = int, AI_CANONNAME = int, AI_DEFAULT = int, AI_EXT = int,
  AI_FQDN = int, AI_IDN = int, AI_MASK = int, AI_NUMERICHOST = int, AI_NUMERICSERV = int, AI_PASSIVE = int,
  AI_SRV = int, AI_UNUSABLE = int, AI_V4MAPPED = int, AI_V4MAPPED_CFG = int,
}

--- Flags of `socket.getnameinfo`. See getnameinfo(3).
---@class bsdsocket.NI
local NI = {
  NI_DGRAM = int, NI_IDN = int, NI_MAXHOST = int, NI_MAXSERV = int, NI_NAMEREQD = int, NI_NOFQDN = int,
  NI_NUMERICHOST = int, NI_NUMERICSCOPE = int, NI_NUMERICSERV = int, NI_WITHSCOPEID = int,
}

--- Failures of the resolver; as codes by their names. See getaddrinfo(3), gai_strerror(3).
---@class bsdsocket.EAI
local EAI = {
  EAI_ADDRFAMILY = int, EAI_AGAIN = int, EAI_ALLDONE = int, EAI_BADFLAGS = int, EAI_BADHINTS = int,
  EAI_CANCELED = int, EAI_FAIL = int, EAI_FAMILY = int, EAI_IDN_ENCODE = int, EAI_INPROGRESS = int,
  EAI_INTR = int, EAI_MAX = int, EAI_MEMORY = int, EAI_NODATA = int, EAI_NONAME = int, EAI_NOTCANCELED = int,
  EAI_OVERFLOW = int, EAI_PROTOCOL = int, EAI_SERVICE = int, EAI_SOCKTYPE = int, EAI_SYSTEM = int,
}

--- Kinds of control data. See cmsg(3), unix(7).
---@class bsdsocket.SCM
local SCM = {
  SCM_BINTIME = int, SCM_CREDENTIALS = int, SCM_CREDS = int, SCM_CREDS2 = int, SCM_DEVMEM_DMABUF = int,
  SCM_DEVMEM_LINEAR = int, SCM_INQ = int, SCM_MONOTONIC = int, SCM_PIDFD = int, SCM_REALTIME = int,
  SCM_RIGHTS = int, SCM_SECURITY = int, SCM_TIMESTAMP = int, SCM_TIMESTAMPING = int,
  SCM_TIMESTAMPING_OPT_STATS = int, SCM_TIMESTAMPING_PKTINFO = int, SCM_TIMESTAMPNS = int,
  SCM_TIMESTAMP_MONOTONIC = int, SCM_TIME_INFO = int, SCM_TS_OPT_ID = int, SCM_TXTIME = int,
  SCM_WIFI_STATUS = int,
}

--- Flags of interfaces, in `socket.getifaddrs`. See netdevice(7).
---@class bsdsocket.IFF
local IFF = {
  IFF_ALLMULTI = int, IFF_ALTPHYS = int, IFF_AUTOMEDIA = int, IFF_BROADCAST = int, IFF_CANTCONFIG = int,
  IFF_DEBUG = int, IFF_DORMANT = int, IFF_DRV_OACTIVE = int, IFF_DRV_RUNNING = int, IFF_DYING = int,
  IFF_DYNAMIC = int, IFF_ECHO = int, IFF_KNOWSEPOCH = int, IFF_LINK0 = int, IFF_LINK1 = int, IFF_LINK2 = int,
  IFF_LOOPBACK = int, IFF_LOWER_UP = int, IFF_MASTER = int, IFF_MONITOR = int, IFF_MULTICAST = int,
  IFF_NEEDSEPOCH = int, IFF_NOARP = int, IFF_NOTRAILERS = int, IFF_OACTIVE = int, IFF_PALLMULTI = int,
  IFF_POINTOPOINT = int, IFF_PORTSEL = int, IFF_PPROMISC = int, IFF_PROMISC = int, IFF_RENAMING = int,
  IFF_RUNNING = int, IFF_SIMPLEX = int, IFF_SLAVE = int, IFF_SMART = int, IFF_STATICARP = int,
  IFF_STICKYARP = int, IFF_UNNUMBERED = int, IFF_UP = int, IFF_VOLATILE = int,
}

--- Protocols over Ethernet, for packet sockets. See packet(7).
---@class bsdsocket.ETH_P
local ETH_P = {
  ETH_P_1588 = int, ETH_P_8021AD = int, ETH_P_8021AH = int, ETH_P_8021Q = int, ETH_P_80221 = int,
  ETH_P_802_2 = int, ETH_P_802_3 = int, ETH_P_802_3_MIN = int, ETH_P_802_EX1 = int, ETH_P_AARP = int,
  ETH_P_AF_IUCV = int, ETH_P_ALL = int, ETH_P_AOE = int, ETH_P_ARCNET = int, ETH_P_ARP = int,
  ETH_P_ATALK = int, ETH_P_ATMFATE = int, ETH_P_ATMMPOA = int, ETH_P_AX25 = int, ETH_P_BATMAN = int,
  ETH_P_BPQ = int, ETH_P_CAIF = int, ETH_P_CAN = int, ETH_P_CANFD = int, ETH_P_CANXL = int, ETH_P_CFM = int,
  ETH_P_CONTROL = int, ETH_P_CUST = int, ETH_P_DDCMP = int, ETH_P_DEC = int, ETH_P_DIAG = int,
  ETH_P_DNA_DL = int, ETH_P_DNA_RC = int, ETH_P_DNA_RT = int, ETH_P_DSA = int, ETH_P_DSA_8021Q = int,
  ETH_P_DSA_A5PSW = int, ETH_P_ECONET = int, ETH_P_EDSA = int, ETH_P_ERSPAN = int, ETH_P_ERSPAN2 = int,
  ETH_P_ETHERCAT = int, ETH_P_FCOE = int, ETH_P_FIP = int, ETH_P_HDLC = int, ETH_P_HSR = int,
  ETH_P_IBOE = int, ETH_P_IEEE802154 = int, ETH_P_IEEEPUP = int, ETH_P_IEEEPUPAT = int, ETH_P_IFE = int,
  ETH_P_IP = int, ETH_P_IPV6 = int, ETH_P_IPX = int, ETH_P_IRDA = int, ETH_P_LAT = int, ETH_P_LINK_CTL = int,
  ETH_P_LLDP = int, ETH_P_LOCALTALK = int, ETH_P_LOOP = int, ETH_P_LOOPBACK = int, ETH_P_MACSEC = int,
  ETH_P_MAP = int, ETH_P_MCTP = int, ETH_P_MOBITEX = int, ETH_P_MPLS_MC = int, ETH_P_MPLS_UC = int,
  ETH_P_MRP = int, ETH_P_MVRP = int, ETH_P_MXLGSW = int, ETH_P_NCSI = int, ETH_P_NSH = int, ETH_P_PAE = int,
  ETH_P_PAUSE = int, ETH_P_PHONET = int, ETH_P_PPPTALK = int, ETH_P_PPP_DISC = int, ETH_P_PPP_MP = int,
  ETH_P_PPP_SES = int, ETH_P_PREAUTH = int, ETH_P_PROFINET = int, ETH_P_PRP = int, ETH_P_PUP = int,
  ETH_P_PUPAT = int, ETH_P_QINQ1 = int, ETH_P_QINQ2 = int, ETH_P_QINQ3 = int, ETH_P_RARP = int,
  ETH_P_REALTEK = int, ETH_P_SCA = int, ETH_P_SLOW = int, ETH_P_SNAP = int, ETH_P_TDLS = int, ETH_P_TEB = int,
  ETH_P_TIPC = int, ETH_P_TRAILER = int, ETH_P_TR_802_2 = int, ETH_P_TSN = int, ETH_P_WAN_PPP = int,
  ETH_P_WCCP = int, ETH_P_X25 = int, ETH_P_XDSA = int, ETH_P_YT921X = int,
}

--- Packet sockets: options, kinds of packets. See packet(7).
---@class bsdsocket.PACKET
local PACKET = {
  PACKET_ADD_MEMBERSHIP = int, PACKET_AUXDATA = int, PACKET_BROADCAST = int, PACKET_COPY_THRESH = int,
  PACKET_DROP_MEMBERSHIP = int, PACKET_FANOUT = int, PACKET_FANOUT_CBPF = int, PACKET_FANOUT_CPU = int,
  PACKET_FANOUT_DATA = int, PACKET_FANOUT_EBPF = int, PACKET_FANOUT_FLAG_DEFRAG = int,
  PACKET_FANOUT_FLAG_IGNORE_OUTGOING = int, PACKET_FANOUT_FLAG_ROLLOVER = int,
  PACKET_FANOUT_FLAG_UNIQUEID = int, PACKET_FANOUT_HASH = int, PACKET_FANOUT_LB = int, PACKET_FANOUT_QM = int,
  PACKET_FANOUT_RND = int, PACKET_FANOUT_ROLLOVER = int, PACKET_FASTROUTE = int, PACKET_HDRLEN = int,
  PACKET_HOST = int, PACKET_IGNORE_OUTGOING = int, PACKET_KERNEL = int, PACKET_LOOPBACK = int,
  PACKET_LOSS = int, PACKET_MR_ALLMULTI = int, PACKET_MR_MULTICAST = int, PACKET_MR_PROMISC = int,
  PACKET_MR_UNICAST = int, PACKET_MULTICAST = int, PACKET_ORIGDEV = int, PACKET_OTHERHOST = int,
  PACKET_OUTGOING = int, PACKET_QDISC_BYPASS = int, PACKET_RECV_OUTPUT = int, PACKET_RESERVE = int,
  PACKET_ROLLOVER_STATS = int, PACKET_RX_RING = int, PACKET_STATISTICS = int, PACKET_TIMESTAMP = int,
  PACKET_TX_HAS_OFF = int, PACKET_TX_RING = int, PACKET_TX_TIMESTAMP = int, PACKET_USER = int,
  PACKET_VERSION = int, PACKET_VNET_HDR = int, PACKET_VNET_HDR_SZ = int,
}

--- Netlink: protocols, options. See netlink(7).
---@class bsdsocket.NETLINK
local NETLINK = {
  NETLINK_ADD_MEMBERSHIP = int, NETLINK_AUDIT = int, NETLINK_BROADCAST_ERROR = int, NETLINK_CAP_ACK = int,
  NETLINK_CONNECTOR = int, NETLINK_CRYPTO = int, NETLINK_DNRTMSG = int, NETLINK_DROP_MEMBERSHIP = int,
  NETLINK_ECRYPTFS = int, NETLINK_EXT_ACK = int, NETLINK_FIB_LOOKUP = int, NETLINK_FIREWALL = int,
  NETLINK_GENERIC = int, NETLINK_GET_STRICT_CHK = int, NETLINK_INET_DIAG = int, NETLINK_IP6_FW = int,
  NETLINK_ISCSI = int, NETLINK_KOBJECT_UEVENT = int, NETLINK_LISTEN_ALL_NSID = int,
  NETLINK_LIST_MEMBERSHIPS = int, NETLINK_NETFILTER = int, NETLINK_NFLOG = int, NETLINK_NO_ENOBUFS = int,
  NETLINK_PKTINFO = int, NETLINK_RDMA = int, NETLINK_ROUTE = int, NETLINK_RX_RING = int,
  NETLINK_SCSITRANSPORT = int, NETLINK_SELINUX = int, NETLINK_SMC = int, NETLINK_SOCK_DIAG = int,
  NETLINK_TX_RING = int, NETLINK_UNUSED = int, NETLINK_USERSOCK = int, NETLINK_XFRM = int,
}

--- Addresses of virtual machines. See vsock(7).
---@class bsdsocket.VMADDR
local VMADDR = {
  VMADDR_CID_ANY = int, VMADDR_CID_HOST = int, VMADDR_CID_HYPERVISOR = int, VMADDR_CID_LOCAL = int,
  VMADDR_CID_RESERVED = int, VMADDR_FLAG_TO_HOST = int, VMADDR_PORT_ANY = int,
}

--- TIPC: kinds of addresses, scopes, options. See tipc(7) of iproute2.
---@class bsdsocket.TIPC
local TIPC = {
  TIPC_ADDR_ID = int, TIPC_ADDR_MCAST = int, TIPC_ADDR_NAME = int, TIPC_ADDR_NAMESEQ = int,
  TIPC_AEAD_ALG_NAME = int, TIPC_AEAD_KEYLEN_MAX = int, TIPC_AEAD_KEYLEN_MIN = int,
  TIPC_AEAD_KEY_SIZE_MAX = int, TIPC_CFG_SRV = int, TIPC_CLUSTER_BITS = int, TIPC_CLUSTER_MASK = int,
  TIPC_CLUSTER_OFFSET = int, TIPC_CLUSTER_SCOPE = int, TIPC_CLUSTER_SIZE = int, TIPC_CONN_SHUTDOWN = int,
  TIPC_CONN_TIMEOUT = int, TIPC_CRITICAL_IMPORTANCE = int, TIPC_DESTNAME = int, TIPC_DEST_DROPPABLE = int,
  TIPC_ERRINFO = int, TIPC_ERR_NO_NAME = int, TIPC_ERR_NO_NODE = int, TIPC_ERR_NO_PORT = int,
  TIPC_ERR_OVERLOAD = int, TIPC_GROUP_JOIN = int, TIPC_GROUP_LEAVE = int, TIPC_GROUP_LOOPBACK = int,
  TIPC_GROUP_MEMBER_EVTS = int, TIPC_HIGH_IMPORTANCE = int, TIPC_IMPORTANCE = int, TIPC_LINK_STATE = int,
  TIPC_LOW_IMPORTANCE = int, TIPC_MAX_BEARER_NAME = int, TIPC_MAX_IF_NAME = int, TIPC_MAX_LINK_NAME = int,
  TIPC_MAX_MEDIA_NAME = int, TIPC_MAX_USER_MSG_SIZE = int, TIPC_MCAST_BROADCAST = int,
  TIPC_MCAST_REPLICAST = int, TIPC_MEDIUM_IMPORTANCE = int, TIPC_NODEID_LEN = int, TIPC_NODELAY = int,
  TIPC_NODE_BITS = int, TIPC_NODE_MASK = int, TIPC_NODE_OFFSET = int, TIPC_NODE_RECVQ_DEPTH = int,
  TIPC_NODE_SCOPE = int, TIPC_NODE_SIZE = int, TIPC_NODE_STATE = int, TIPC_OK = int, TIPC_PUBLISHED = int,
  TIPC_REKEYING_NOW = int, TIPC_RESERVED_TYPES = int, TIPC_RETDATA = int, TIPC_SERVICE_ADDR = int,
  TIPC_SERVICE_RANGE = int, TIPC_SOCKET_ADDR = int, TIPC_SOCK_RECVQ_DEPTH = int, TIPC_SOCK_RECVQ_USED = int,
  TIPC_SRC_DROPPABLE = int, TIPC_SUBSCR_TIMEOUT = int, TIPC_SUB_CANCEL = int, TIPC_SUB_PORTS = int,
  TIPC_SUB_SERVICE = int, TIPC_TOP_SRV = int, TIPC_WAIT_FOREVER = int, TIPC_WITHDRAWN = int,
  TIPC_ZONE_BITS = int, TIPC_ZONE_CLUSTER_MASK = int, TIPC_ZONE_MASK = int, TIPC_ZONE_OFFSET = int,
  TIPC_ZONE_SCOPE = int, TIPC_ZONE_SIZE = int,
}

--- SCTP: options, flags, events, states. See sctp(7), RFC 6458.
---@class bsdsocket.SCTP
local SCTP = {
  SCTP_ABORT = int, SCTP_ADAPTATION_INDICATION = int, SCTP_ADAPTATION_LAYER = int, SCTP_ADDR_OVER = int,
  SCTP_ADDR_PF = int, SCTP_ADD_STREAMS = int, SCTP_ALL_ASSOC = int, SCTP_ASCONF_SUPPORTED = int,
  SCTP_ASSOCINFO = int, SCTP_ASSOC_CHANGE = int, SCTP_ASSOC_CHANGE_DENIED = int,
  SCTP_ASSOC_CHANGE_FAILED = int, SCTP_ASSOC_RESET_DENIED = int, SCTP_ASSOC_RESET_EVENT = int,
  SCTP_ASSOC_RESET_FAILED = int, SCTP_AUTHENTICATION_INDICATION = int, SCTP_AUTHINFO = int,
  SCTP_AUTH_ACTIVE_KEY = int, SCTP_AUTH_CHUNK = int, SCTP_AUTH_DEACTIVATE_KEY = int,
  SCTP_AUTH_DELETE_KEY = int, SCTP_AUTH_KEY = int, SCTP_AUTH_NEWKEY = int, SCTP_AUTH_SUPPORTED = int,
  SCTP_AUTOCLOSE = int, SCTP_AUTO_ASCONF = int, SCTP_BINDX_ADD_ADDR = int, SCTP_BINDX_REM_ADDR = int,
  SCTP_CANT_STR_ASSOC = int, SCTP_CLOSED = int, SCTP_COMM_LOST = int, SCTP_COMM_UP = int, SCTP_CONTEXT = int,
  SCTP_COOKIE_ECHOED = int, SCTP_COOKIE_WAIT = int, SCTP_CURRENT_ASSOC = int, SCTP_DATA_IO_EVENT = int,
  SCTP_DEFAULT_PRINFO = int, SCTP_DEFAULT_SEND_PARAM = int, SCTP_DEFAULT_SNDINFO = int,
  SCTP_DELAYED_ACK = int, SCTP_DELAYED_ACK_TIME = int, SCTP_DELAYED_SACK = int, SCTP_DISABLE_FRAGMENTS = int,
  SCTP_DSTADDRV4 = int, SCTP_DSTADDRV6 = int, SCTP_ECN_SUPPORTED = int, SCTP_EMPTY = int,
  SCTP_ENABLE_CHANGE_ASSOC_REQ = int, SCTP_ENABLE_RESET_ASSOC_REQ = int, SCTP_ENABLE_RESET_STREAM_REQ = int,
  SCTP_ENABLE_STREAM_RESET = int, SCTP_ENABLE_STRRESET_MASK = int, SCTP_EOF = int, SCTP_ESTABLISHED = int,
  SCTP_EVENT = int, SCTP_EVENTS = int, SCTP_EXPLICIT_EOR = int, SCTP_EXPOSE_PF_STATE = int,
  SCTP_EXPOSE_POTENTIALLY_FAILED_STATE = int, SCTP_FRAGMENT_INTERLEAVE = int, SCTP_FUTURE_ASSOC = int,
  SCTP_GET_ASSOC_ID_LIST = int, SCTP_GET_ASSOC_NUMBER = int, SCTP_GET_ASSOC_STATS = int,
  SCTP_GET_LOCAL_ADDRS = int, SCTP_GET_PEER_ADDRS = int, SCTP_GET_PEER_ADDR_INFO = int, SCTP_HMAC_IDENT = int,
  SCTP_INIT = int, SCTP_INITMSG = int, SCTP_INTERLEAVING_SUPPORTED = int, SCTP_I_WANT_MAPPED_V4_ADDR = int,
  SCTP_LOCAL_AUTH_CHUNKS = int, SCTP_MAXBURST = int, SCTP_MAXSEG = int, SCTP_MAX_BURST = int,
  SCTP_NODELAY = int, SCTP_NOTIFICATION = int, SCTP_NXTINFO = int, SCTP_PARTIAL_DELIVERY_EVENT = int,
  SCTP_PARTIAL_DELIVERY_POINT = int, SCTP_PEER_ADDR_CHANGE = int, SCTP_PEER_ADDR_PARAMS = int,
  SCTP_PEER_ADDR_THLDS = int, SCTP_PEER_ADDR_THLDS_V2 = int, SCTP_PEER_AUTH_CHUNKS = int,
  SCTP_PLPMTUD_PROBE_INTERVAL = int, SCTP_POTENTIALLY_FAILED = int, SCTP_PRIMARY_ADDR = int,
  SCTP_PRINFO = int, SCTP_PR_ASSOC_STATUS = int, SCTP_PR_SCTP_ALL = int, SCTP_PR_SCTP_BUF = int,
  SCTP_PR_SCTP_MASK = int, SCTP_PR_SCTP_MAX = int, SCTP_PR_SCTP_NONE = int, SCTP_PR_SCTP_PRIO = int,
  SCTP_PR_SCTP_RTX = int, SCTP_PR_SCTP_TTL = int, SCTP_PR_STREAM_STATUS = int, SCTP_PR_SUPPORTED = int,
  SCTP_RCVINFO = int, SCTP_RECONFIG_SUPPORTED = int, SCTP_RECVNXTINFO = int, SCTP_RECVRCVINFO = int,
  SCTP_REMOTE_ERROR = int, SCTP_REMOTE_UDP_ENCAPS_PORT = int, SCTP_RESET_ASSOC = int,
  SCTP_RESET_STREAMS = int, SCTP_RESTART = int, SCTP_REUSE_PORT = int, SCTP_RTOINFO = int,
  SCTP_SACK_IMMEDIATELY = int, SCTP_SENDALL = int, SCTP_SENDER_DRY_EVENT = int, SCTP_SENDMSG_CONNECT = int,
  SCTP_SEND_FAILED = int, SCTP_SEND_FAILED_EVENT = int, SCTP_SET_DEBUG_LEVEL = int,
  SCTP_SET_PEER_PRIMARY_ADDR = int, SCTP_SHUTDOWN_ACK_SENT = int, SCTP_SHUTDOWN_COMP = int,
  SCTP_SHUTDOWN_EVENT = int, SCTP_SHUTDOWN_PENDING = int, SCTP_SHUTDOWN_RECEIVED = int,
  SCTP_SHUTDOWN_SENT = int, SCTP_SNDINFO = int, SCTP_SNDRCV = int, SCTP_SN_TYPE_MAX = int,
  SCTP_SOCKOPT_BINDX_ADD = int, SCTP_SOCKOPT_BINDX_REM = int, SCTP_SOCKOPT_CONNECTX = int,
  SCTP_SOCKOPT_CONNECTX3 = int, SCTP_SOCKOPT_CONNECTX_OLD = int, SCTP_SOCKOPT_PEELOFF = int,
  SCTP_SOCKOPT_PEELOFF_FLAGS = int, SCTP_STATUS = int, SCTP_STREAM_CHANGE_DENIED = int,
  SCTP_STREAM_CHANGE_EVENT = int, SCTP_STREAM_CHANGE_FAILED = int, SCTP_STREAM_RESET_DENIED = int,
  SCTP_STREAM_RESET_EVENT = int, SCTP_STREAM_RESET_FAILED = int, SCTP_STREAM_RESET_INCOMING = int,
  SCTP_STREAM_RESET_INCOMING_SSN = int, SCTP_STREAM_RESET_OUTGOING = int,
  SCTP_STREAM_RESET_OUTGOING_SSN = int, SCTP_STREAM_SCHEDULER = int, SCTP_STREAM_SCHEDULER_VALUE = int,
  SCTP_UNORDERED = int,
}

--- What `SO_TIMESTAMPING` and `SO_TXTIME` are to do, combined with `|`: which times are made (`TX_`, `RX_`), and which
--- are told (`SOFTWARE`, `RAW_HARDWARE`).
---@class bsdsocket.SOF
local SOF = {
  SOF_TIMESTAMPING_TX_HARDWARE = int, SOF_TIMESTAMPING_TX_SOFTWARE = int, SOF_TIMESTAMPING_RX_HARDWARE = int,
  SOF_TIMESTAMPING_RX_SOFTWARE = int, SOF_TIMESTAMPING_SOFTWARE = int, SOF_TIMESTAMPING_SYS_HARDWARE = int,
  SOF_TIMESTAMPING_RAW_HARDWARE = int, SOF_TIMESTAMPING_OPT_ID = int, SOF_TIMESTAMPING_TX_SCHED = int,
  SOF_TIMESTAMPING_TX_ACK = int, SOF_TIMESTAMPING_OPT_CMSG = int, SOF_TIMESTAMPING_OPT_TSONLY = int,
  SOF_TIMESTAMPING_OPT_STATS = int, SOF_TIMESTAMPING_OPT_PKTINFO = int, SOF_TIMESTAMPING_OPT_TX_SWHW = int,
  SOF_TIMESTAMPING_BIND_PHC = int, SOF_TIMESTAMPING_OPT_ID_TCP = int, SOF_TIMESTAMPING_OPT_RX_FILTER = int,
  SOF_TIMESTAMPING_TX_COMPLETION = int, SOF_TXTIME_DEADLINE_MODE = int, SOF_TXTIME_REPORT_ERRORS = int,
}

--- The longest queue of `s:listen`. See listen(2).
---@class bsdsocket.SOMAXCONN
local SOMAXCONN = {
  SOMAXCONN = int,
}

--- Errors of system calls; as codes by their names. See errno(3).
---@class bsdsocket.E
local E = {
  E2BIG = int, EACCES = int, EADDRINUSE = int, EADDRNOTAVAIL = int, EADV = int, EAFNOSUPPORT = int,
  EAGAIN = int, EALREADY = int, EASYNC = int, EAUTH = int, EBADARCH = int, EBADE = int, EBADEXEC = int,
  EBADF = int, EBADFD = int, EBADMACHO = int, EBADMSG = int, EBADR = int, EBADRPC = int, EBADRQC = int,
  EBADSLT = int, EBFONT = int, EBUSY = int, ECANCELED = int, ECAPMODE = int, ECHILD = int, ECHRNG = int,
  ECOMM = int, ECONNABORTED = int, ECONNREFUSED = int, ECONNRESET = int, EDEADLK = int, EDEADLOCK = int,
  EDESTADDRREQ = int, EDEVERR = int, EDOM = int, EDOOFUS = int, EDOTDOT = int, EDQUOT = int, EEXIST = int,
  EFAULT = int, EFBIG = int, EFTYPE = int, EHOSTDOWN = int, EHOSTUNREACH = int, EHWPOISON = int, EIDRM = int,
  EILSEQ = int, EINPROGRESS = int, EINTEGRITY = int, EINTR = int, EINVAL = int, EIO = int, EIPSEC = int,
  EISCONN = int, EISDIR = int, EISNAM = int, EKEYEXPIRED = int, EKEYREJECTED = int, EKEYREVOKED = int,
  EL2HLT = int, EL2NSYNC = int, EL3HLT = int, EL3RST = int, ELIBACC = int, ELIBBAD = int, ELIBEXEC = int,
  ELIBMAX = int, ELIBSCN = int, ELNRNG = int, ELOOP = int, EMEDIUMTYPE = int, EMFILE = int, EMLINK = int,
  EMSGSIZE = int, EMULTIHOP = int, ENAMETOOLONG = int, ENAVAIL = int, ENEEDAUTH = int, ENETDOWN = int,
  ENETRESET = int, ENETUNREACH = int, ENFILE = int, ENOANO = int, ENOATTR = int, ENOBUFS = int, ENOCSI = int,
  ENODATA = int, ENODEV = int, ENOENT = int, ENOEXEC = int, ENOKEY = int, ENOLCK = int, ENOLINK = int,
  ENOMEDIUM = int, ENOMEM = int, ENOMSG = int, ENONET = int, ENOPKG = int, ENOPOLICY = int, ENOPROTOOPT = int,
  ENOSPC = int, ENOSR = int, ENOSTR = int, ENOSYS = int, ENOTBLK = int, ENOTCAPABLE = int, ENOTCONN = int,
  ENOTDIR = int, ENOTEMPTY = int, ENOTNAM = int, ENOTRECOVERABLE = int, ENOTSOCK = int, ENOTSUP = int,
  ENOTTY = int, ENOTUNIQ = int, ENXIO = int, EOPNOTSUPP = int, EOVERFLOW = int, EOWNERDEAD = int, EPERM = int,
  EPFNOSUPPORT = int, EPIPE = int, EPROCLIM = int, EPROCUNAVAIL = int, EPROGMISMATCH = int,
  EPROGUNAVAIL = int, EPROTO = int, EPROTONOSUPPORT = int, EPROTOTYPE = int, EPWROFF = int, EQFULL = int,
  ERANGE = int, EREMCHG = int, EREMOTE = int, EREMOTEIO = int, ERESTART = int, ERFKILL = int, EROFS = int,
  EROREMOTE = int, ERPCMISMATCH = int, ESHLIBVERS = int, ESHUTDOWN = int, ESOCKTNOSUPPORT = int, ESPIPE = int,
  ESRCH = int, ESRMNT = int, ESTALE = int, ESTRPIPE = int, ETIME = int, ETIMEDOUT = int, ETOOMANYREFS = int,
  ETXTBSY = int, EUCLEAN = int, EUNATCH = int, EUSERS = int, EWOULDBLOCK = int, EXDEV = int, EXFULL = int,
}

--- All constants.
---@class bsdsocket.Constants: bsdsocket.AF, bsdsocket.PF, bsdsocket.SOCK, bsdsocket.IPPROTO, bsdsocket.SOL, bsdsocket.SO, bsdsocket.TCP, bsdsocket.UDP, bsdsocket.UDPLITE, bsdsocket.IP, bsdsocket.IPV6, bsdsocket.IP6T, bsdsocket.ICMP, bsdsocket.ICMP6, bsdsocket.MSG, bsdsocket.SHUT, bsdsocket.AI, bsdsocket.NI, bsdsocket.EAI, bsdsocket.SCM, bsdsocket.IFF, bsdsocket.ETH_P, bsdsocket.PACKET, bsdsocket.NETLINK, bsdsocket.VMADDR, bsdsocket.TIPC, bsdsocket.SCTP, bsdsocket.SOF, bsdsocket.SOMAXCONN, bsdsocket.E

return M
