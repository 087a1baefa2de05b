/*
** socket.c: the life of a socket object: made, duplicated, given up, closed; its descriptor, its timeout,
** how it looks. Binding and connecting are in connection.c, data in transfer.c.
**
** An object is made closed before the call that opens its descriptor, so that no failure can leak one,
** and it is closed before close(2), so that nobody meets a recycled one.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "object/chunk.h"
#include "object/face.h"
#include "object/hint.h"
#include "object/letgo.h"
#include "op/drive.h"
#include "op/run.h"
#include "op/thread.h"

/* ---- closed ---- */

/* The kernel is asked only where somebody may have set it. */
static BS_SELDOM int lingers (const bs_socket *s) {
  return (s->flags & (BS_LINGERS | BS_SHARED)) && s->family != AF_UNIX && bs_haslinger(s->fd);
}

/* Such a close in a helper thread: the descriptor may be another process's, too, so that neither may it be shut down
** before, nor the option be changed. */
typedef struct closing {
  bs_op op;
  int fd;
} closing;

static int closing_step (bs_op *o, bs_time patience) {
  (void)patience;
  close(((const closing *)o)->fd);
  return BS_DONE;
}

static const bs_kind closing_kind = {BS_CALL("close", closing), .traits = BS_LASTS,
                                     .step = closing_step};

/* No thread is to be had: what is on its way arrives all the same, but nobody will know. */
static void closenow (int fd) {
  struct linger none;
  memset(&none, 0, sizeof(none));
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  close(fd);
}

static BS_SELDOM void releaseother (lua_State *L, bs_socket *s) {
  closing c;
  int lasts = lingers(s);
  bs_initop(&c.op, &closing_kind, s->st, NULL);
  if (s->flags & BS_SHARED)
    bs_restoreflags(s);
  c.fd = bs_letgo(L, s);
  if (c.fd < 0)
    return;
  if (!lasts)
    close(c.fd);
  else if (!bs_leavejob(&c.op))
    closenow(c.fd);
}

/* EINTR or not: the descriptor is gone. Waits for nobody. */
static void release (lua_State *L, bs_socket *s) {
  if (s->fd < 0)
    return;
  if (s->flags & (BS_LINGERS | BS_SHARED)) {
    releaseother(L, s);
    return;
  }
  int fd = bs_letgo(L, s);
  if (fd >= 0)
    close(fd);
}

/* Who closes such a socket by hand waits for that thread. */
typedef struct lingering {
  bs_op op;
  bs_job *job; /* on the stack */
} lingering;

static int lingering_step (bs_op *o, bs_time patience) {
  (void)patience;
  o->fd = bs_jobfd(((const lingering *)o)->job);
  int ready = o->fd < 0 ? 1 : bs_readyfd(o->fd, BS_READ);
  return ready > 0 ? BS_DONE : ready == 0 ? BS_READ : BS_AGAIN;
}

/* However it ended: the close goes on. */
static int lingering_finish (lua_State *L, bs_op *o) {
  bs_job *job = ((lingering *)o)->job;
  closing c;
  bs_initop(&c.op, &closing_kind, o->st, NULL); /* room for what it was */
  bs_tellgone(o->st, NULL, bs_jobfd(job));
  if (!bs_endjob(job, &c.op))
    bs_abandon(job);
  lua_pushboolean(L, 1);
  return 1;
}

static const bs_kind lingering_kind = {BS_CALL("close", lingering), .traits = BS_OUTPUT,
                                       .step = lingering_step, .finish = lingering_finish};

static BS_SELDOM int linger (lua_State *L, bs_socket *s) {
  lingering w;
  closing c;
  bs_initop(&c.op, &closing_kind, s->st, NULL);
  bs_initop(&w.op, &lingering_kind, s->st, NULL);
  w.op.timeout = s->timeout[1];
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  w.job = bs_newjob(L); /* if memory is out, before anything is done */
  lua_toclose(L, -1);
  if (s->flags & BS_SHARED)
    bs_restoreflags(s);
  c.fd = bs_letgo(L, s);
  if (c.fd >= 0 && bs_beginjob(w.job, &c.op))
    return bs_run(L, &w.op);
  if (c.fd >= 0)
    closenow(c.fd);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- made ---- */

/* "AF_INET SOCK_STREAM", for messages */
static const char *pushkind (lua_State *L, int family, int type) {
  const char *af = bs_constantname("AF_", family), *sock = bs_constantname("SOCK_", type);
  return lua_pushfstring(L, "%s %s", af != NULL ? af : lua_pushfstring(L, "family %d", family),
                         sock != NULL ? sock : lua_pushfstring(L, "type %d", type));
}

typedef struct making {
  int family, type, protocol;
  double timeout; /* SOCK_NONBLOCK in the type is the timeout 0: the flag itself is the library's */
} making;

static making checkmaking (lua_State *L, int family) {
  making m = {family, SOCK_STREAM, 0, -1};
  if (lua_gettop(L) == 0)
    return m;
  m.family = bs_optconstant(L, 1, "AF_\0PF_\0", family);
  m.type = bs_optconstant(L, 2, "SOCK_\0", SOCK_STREAM);
  m.protocol = bs_optconstant(L, 3, "IPPROTO_\0NETLINK_\0", 0);
#if defined(SOCK_NONBLOCK)
  if (m.type & SOCK_NONBLOCK)
    m.timeout = 0;
#endif
  m.type &= ~BS_TYPEFLAGS;
  return m;
}

static bs_socket *pushmaking (lua_State *L, const making *m) {
  bs_socket *s = bs_newsocket(L, m->family, m->type, m->protocol);
  s->timeout[0] = s->timeout[1] = m->timeout;
  return s;
}

/* What the failure is about, and if the system's own text does not say enough a hint. */
static const char *pushwhat (lua_State *L, const making *m, int err) {
  const char *kind = pushkind(L, m->family, m->type);
  const char *hint = bs_hintmaking(m->family, m->type, m->protocol, err);
  return hint != NULL ? lua_pushfstring(L, "%s (%s)", kind, hint) : kind;
}

/* socket.socket([family [, type [, protocol]]]) */
static int socket_socket (lua_State *L) {
  making m = checkmaking(L, AF_INET);
  bs_socket *s = pushmaking(L, &m);
  s->fd = bs_syssocket(m.family, m.type, m.protocol);
  if (s->fd < 0 && bs_collect(L, errno))
    s->fd = bs_syssocket(m.family, m.type, m.protocol);
  if (s->fd < 0) {
    int err = errno;
    return bs_failtext(L, "socket", pushwhat(L, &m, err), err);
  }
  if (s->st->loop != NULL)
    bs_newdescriptor(s->st, s->fd);
  return 1;
}

/* socket.socketpair([family [, type [, protocol]]]) */
static int socket_socketpair (lua_State *L) {
  making m = checkmaking(L, AF_UNIX);
  bs_socket *a = pushmaking(L, &m), *b = pushmaking(L, &m);
  int fds[2];
  int r = bs_syssocketpair(m.family, m.type, m.protocol, fds);
  if (r != 0 && bs_collect(L, errno))
    r = bs_syssocketpair(m.family, m.type, m.protocol, fds);
  if (r != 0) {
    int err = errno;
    return bs_failtext(L, "socketpair", pushwhat(L, &m, err), err);
  }
  a->fd = fds[0];
  b->fd = fds[1];
  bs_newdescriptor(a->st, fds[0]);
  bs_newdescriptor(b->st, fds[1]);
  return 2;
}

static int checkdescriptor (lua_State *L, int arg) {
  lua_Integer fd = luaL_checkinteger(L, arg);
  luaL_argcheck(L, fd >= -1 && fd <= INT_MAX, arg, "descriptor out of range");
  return (int)fd;
}

/* Of socket.fromfd(s:detach()): between the two nobody has the descriptor but a number. So that memory cannot run out
** there, detach makes the object before it lets go. */
static void makespare (lua_State *L) {
  bs_newsocket(L, AF_UNSPEC, 0, 0);
  lua_setiuservalue(L, BS_UP_STATE, BS_STATE_SPARE);
}

static bs_socket *pushspare (lua_State *L) {
  if (lua_getiuservalue(L, BS_UP_STATE, BS_STATE_SPARE) == LUA_TNIL) {
    lua_pop(L, 1);
    return bs_newsocket(L, AF_UNSPEC, 0, 0);
  }
  lua_pushnil(L);
  lua_setiuservalue(L, BS_UP_STATE, BS_STATE_SPARE);
  return (bs_socket *)lua_touserdata(L, -1);
}

/* socket.fromfd(fd) */
static int socket_fromfd (lua_State *L) {
  int fd = checkdescriptor(L, 1);
  bs_socket *s = pushspare(L);
  if (bs_adopt(s, fd) != 0)
    return bs_fail(L, "fromfd", errno);
  return 1;
}

/* s:dup(). What twins do to the flags that they share, each cannot know of the other. */
static int socket_dup (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  if (bs_isthrough(s)) /* two that each know half of what goes through it are none */
    return bs_fail(L, "dup", EOPNOTSUPP);
  bs_socket *twin = bs_newsocket(L, s->family, s->type, s->protocol);
  twin->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
  if (twin->fd < 0 && bs_collect(L, errno))
    twin->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
  if (twin->fd < 0)
    return bs_fail(L, "dup", errno);
  bs_newdescriptor(s->st, twin->fd);
  s->flags |= BS_SHARED;
  /* either may be the one that puts back what was found */
  twin->flags = (unsigned char)(s->flags & ~(BS_UNFLUSHED | BS_WAITED));
  twin->process = s->process;
  twin->foundrcvtimeo = s->foundrcvtimeo;
  twin->target = s->target;
  twin->marks = s->marks & BS_OPTIONMARKS;
  twin->rcvtimeo = -1;
  memcpy(twin->timeout, s->timeout, sizeof(s->timeout));
  return 1;
}

/* ---- ended ---- */

/* What failed is what was left to flush: it is closed all the same. */
static int close_finish (lua_State *L, bs_op *o) {
  bs_socket *s = o->sock;
  int err = s->fd >= 0 ? o->error : 0;     /* closed meanwhile: as good */
  if (err == EAGAIN && s->timeout[1] != 0) /* it had no turn */
    err = EBUSY;
  if (err == 0 && (s->flags & (BS_LINGERS | BS_SHARED)) && lingers(s) && bs_maywait(L, s->st))
    return linger(L, s);
  release(L, s);
  o->error = err;
  if (err != 0)
    return bs_failop(L, o, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

static const bs_kind close_kind = {BS_CALL("close", bs_op), .traits = BS_FLUSHES | BS_FLUSHTRAITS,
                                   .step = bs_flushstep, .finish = close_finish};

/* s:close() */
static int socket_close (lua_State *L) {
  bs_op op;
  bs_socket *s = bs_self(L);
  if (BS_LIKELY(!(s->flags & (BS_UNFLUSHED | BS_LINGERS | BS_SHARED)))) {
    release(L, s);
    lua_pushboolean(L, 1);
    return 1;
  }
  bs_initop(&op, &close_kind, s->st, s);
  if (!(s->flags & BS_UNFLUSHED))
    return close_finish(L, &op);
  if (bs_flushwaits(s)) /* others have tried, and will be told that it is closed */
    op.timeout = 0;
  return bs_run(L, &op);
}

/* What is not flushed gets one try that does not wait. */
static void leave (lua_State *L, bs_socket *s) {
  int err = 0;
  if (s->flags & BS_UNFLUSHED)
    while (bs_flush(s, BS_NEVER, &err) == BS_AGAIN)
      ;
  release(L, s);
}

/* The collector, and whoever cannot wait. */
static int socket_gc (lua_State *L) {
  leave(L, bs_self(L));
  return 0;
}

/* Ctrl-C goes on when the socket is closed; what else may fail nobody asks about here. (Where memory was
** out, close has not begun.) */
static int closed (lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  leave(L, bs_checksocket(L, 1));
  if (status != LUA_OK && status != LUA_YIELD)
    return lua_error(L);
  return 0;
}

static int socket_leave (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  if (!(s->flags & (BS_UNFLUSHED | BS_LINGERS | BS_SHARED)) || s->st->closing > 0)
    return socket_gc(L);
  lua_settop(L, 1);
  bs_pushfunction(L, socket_close, 0);
  lua_pushvalue(L, 1);
  return closed(L, lua_pcallk(L, 1, 0, 0, 0, closed), 0);
}

/* s:detach() -> fd, bytes read ahead */
static int detach_finish (lua_State *L, bs_op *o) {
  bs_socket *s = o->sock;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  const bs_chunk *c = bs_chunkof(s);
  lua_pushinteger(L, s->fd);
  if (c != NULL)
    lua_pushlstring(L, c->data + c->start, c->end - c->start);
  else
    lua_pushliteral(L, "");
  makespare(L);
  if (s->fd < 0) /* the collector, run by the push, may run anything */
    return bs_fail(L, "detach", EBADF);
  bs_restoreflags(s);
  bs_letgo(L, s);
  return 2;
}

static const bs_kind detach_kind = {BS_CALL("detach", bs_op), .traits = BS_FLUSHES | BS_FLUSHTRAITS,
                                    .step = bs_flushstep, .finish = detach_finish};

static int socket_detach (lua_State *L) {
  bs_op op;
  bs_socket *s = bs_checksocket(L, 1);
  if (bs_isthrough(s))
    return bs_fail(L, "detach", EOPNOTSUPP);
  bs_initop(&op, &detach_kind, s->st, s);
  return bs_run(L, &op);
}

/* ---- its descriptor ---- */

static int socket_fileno (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  if (s->fd < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, s->fd);
  return 1;
}

/* s:getfd(): -1 when closed, as LuaSocket has it */
static int socket_getfd (lua_State *L) {
  lua_pushinteger(L, bs_checksocket(L, 1)->fd);
  return 1;
}

/* s:pollfd(): the same for cqueues.poll, which waits for it without a call of ours. So the function wake is to be told
** before it is closed; but what wake itself asks is no wait. */
static int socket_pollfd (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  if (s->fd >= 0 && !s->st->waking)
    s->flags |= BS_WAITED;
  lua_pushinteger(L, s->fd);
  return 1;
}

/* What setfd(-1) leaves has another owner already, who has set its flags as it wants them: whatever is wrong, the
** descriptor goes first. */
static int giveaway (lua_State *L, bs_socket *s) {
  int ahead = bs_pending(s), unflushed = s->flags & BS_UNFLUSHED;
  bs_letgo(L, s);
  if (ahead || unflushed)
    return luaL_error(L,
                      "setfd: bytes that were %s are lost with the descriptor; %s them before, or "
                      "detach",
                      ahead ? "read ahead" : "not flushed", ahead ? "read" : "flush");
  lua_settop(L, 1);
  return 1;
}

/* s:setfd(n): LuaSec takes a descriptor by getfd and setfd(-1). The old one is not closed. */
static int socket_setfd (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  int fd = checkdescriptor(L, 2);
  lua_settop(L, 1);
  if (fd == s->fd)
    return 1;
  if (fd < 0)
    return giveaway(L, s);
  if (bs_pending(s) || (s->flags & BS_UNFLUSHED))
    return luaL_error(L, "setfd: bytes that were %s would be lost; %s them first, or detach",
                      bs_pending(s) ? "read ahead" : "not flushed",
                      bs_pending(s) ? "read" : "flush");
  bs_socket fresh = *s;
  if (bs_adopt(&fresh, fd) != 0)
    return bs_fail(L, "setfd", errno);
  if (s->fd >= 0) {
    bs_restoreflags(s);
    bs_letgo(L, s);
  }
  fresh.marks = (unsigned char)((fresh.marks & BS_OPTIONMARKS) | (s->marks & ~BS_OPTIONMARKS));
  fresh.held = NULL;
  fresh.face = NULL;
  fresh.regs = NULL;
  *s = fresh;
  lua_pushvalue(L, BS_UP_SOCKET); /* if a finalizer brought it back, it wants one again */
  lua_setmetatable(L, 1);
  return 1;
}

static int socket_dirty (lua_State *L) {
  lua_pushboolean(L, bs_readable(bs_checksocket(L, 1)));
  return 1;
}

/* s:events(): what the last call that could not go on was waiting for */
static int socket_events (lua_State *L) {
  lua_pushstring(L, bs_checksocket(L, 1)->wants == BS_WRITE ? "w" : "r");
  return 1;
}

static void pushtimeout (lua_State *L, double seconds) {
  if (seconds < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds);
}

/* s:timeout(), for cqueues.poll: how long it may wait for s:events(). A socket that never waits is waited for. */
static int socket_timeout (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  double seconds = s->timeout[s->wants == BS_WRITE];
  pushtimeout(L, seconds > 0 ? seconds : -1);
  return 1;
}

static int socket_setinheritable (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  int on = lua_toboolean(L, 2), flags = fcntl(s->fd, F_GETFD);
  if (flags >= 0)
    flags = fcntl(s->fd, F_SETFD, on ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
  if (flags < 0)
    return bs_fail(L, "setinheritable", errno);
  if (
    on) { /* from now on with programs that do as they like with the flags, and want to find them as they were */
    bs_restoreflags(s);
    s->flags |= BS_SHARED;
  }
  lua_settop(L, 1);
  return 1;
}

static int socket_getinheritable (lua_State *L) {
  int flags = fcntl(bs_checksocket(L, 1)->fd, F_GETFD);
  if (flags < 0)
    return bs_fail(L, "getinheritable", errno);
  lua_pushboolean(L, !(flags & FD_CLOEXEC));
  return 1;
}

/* ---- its timeouts ---- */

static const char *const directions[] = {"", "r", "w", "rw", NULL}; /* by BS_READ | BS_WRITE */

static int settimeout (lua_State *L, const char *call, double timeout, int which) {
  bs_socket *s = bs_checksocket(L, 1);
  if (s->fd < 0)
    return bs_fail(L, call, EBADF);
  if (which & BS_READ)
    s->timeout[0] = timeout;
  if (which & BS_WRITE)
    s->timeout[1] = timeout;
  lua_settop(L, 1);
  return 1;
}

/* s:settimeout(seconds [, direction]) */
static int socket_settimeout (lua_State *L) {
  double timeout = bs_checktimeout(L, 2);
  int which = luaL_checkoption(L, 3, "rw", directions);
  luaL_argcheck(L, which != 0, 3, "direction must be 'r', 'w' or 'rw'");
  return settimeout(L, "settimeout", timeout, which);
}

/* s:gettimeout([direction]) */
static int socket_gettimeout (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  int which = luaL_checkoption(L, 2, "r", directions);
  luaL_argcheck(L, which == BS_READ || which == BS_WRITE, 2, "direction must be 'r' or 'w'");
  if (s->fd < 0)
    return bs_fail(L, "gettimeout", EBADF);
  pushtimeout(L, s->timeout[which == BS_WRITE]);
  return 1;
}

static int socket_setblocking (lua_State *L) {
  (void)bs_checksocket(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  return settimeout(L, "setblocking", lua_toboolean(L, 2) ? -1 : 0, BS_READ | BS_WRITE);
}

static int socket_getblocking (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  if (s->fd < 0)
    return bs_fail(L, "getblocking", EBADF);
  lua_pushboolean(L, s->timeout[0] != 0 || s->timeout[1] != 0);
  return 1;
}

/* ---- what it is ---- */

static int socket_family (lua_State *L) {
  lua_pushinteger(L, bs_checksocket(L, 1)->family);
  return 1;
}

static int socket_type (lua_State *L) {
  lua_pushinteger(L, bs_checksocket(L, 1)->type);
  return 1;
}

static int socket_protocol (lua_State *L) {
  lua_pushinteger(L, bs_checksocket(L, 1)->protocol);
  return 1;
}

typedef int (*namecall)(int, struct sockaddr *, socklen_t *);

/* Adds ", <address>" to the buffer; false if there is none. */
static int addname (luaL_Buffer *b, const bs_socket *s, namecall call, const char *before) {
  bs_address a;
  char text[BS_ADDRTEXT];
  a.len = sizeof(a.u);
  memset(&a.u, 0, sizeof(a.u));
  if (call(s->fd, &a.u.sa, &a.len) != 0)
    return 0;
  bs_normalize(&a, s->family);
  luaL_addstring(b, before);
  luaL_addstring(b, bs_addresstext(&a, text));
  return 1;
}

/* "socket (5, AF_INET SOCK_STREAM, 127.0.0.1:40404 -> 127.0.0.1:8001, connected)" */
static int socket_tostring (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  const char *kind = pushkind(L, s->family, s->type);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "socket (");
  if (s->fd < 0) {
    luaL_addstring(&b, "closed, ");
    luaL_addstring(&b, kind);
  }
  else {
    char number[16];
    int listening = 0;
    snprintf(number, sizeof(number), "%d, ", s->fd);
    luaL_addstring(&b, number);
    luaL_addstring(&b, kind);
#if defined(SO_ACCEPTCONN)
    socklen_t len = sizeof(listening);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0)
      listening = 0;
#endif
    addname(&b, s, getsockname, ", ");
    if (addname(&b, s, getpeername, " -> "))
      luaL_addstring(&b, ", connected");
    else
      luaL_addstring(&b, listening                  ? ", listening"
                         : s->flags & BS_CONNECTING ? ", connecting"
                                                    : ", not connected");
  }
  luaL_addstring(&b, ")");
  luaL_pushresult(&b);
  return 1;
}

/* ---- registration ---- */

static const luaL_Reg functions[] = {
  {"socket", socket_socket},
  {"socketpair", socket_socketpair},
  {"fromfd", socket_fromfd},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", socket_close},
  {"detach", socket_detach},
  {"dirty", socket_dirty},
  {"dup", socket_dup},
  {"events", socket_events},
  {"family", socket_family},
  {"fileno", socket_fileno},
  {"getblocking", socket_getblocking},
  {"getfd", socket_getfd},
  {"getinheritable", socket_getinheritable},
  {"gettimeout", socket_gettimeout},
  {"pollfd", socket_pollfd},
  {"protocol", socket_protocol},
  {"setblocking", socket_setblocking},
  {"setfd", socket_setfd},
  {"setinheritable", socket_setinheritable},
  {"settimeout", socket_settimeout},
  {"timeout", socket_timeout},
  {"type", socket_type},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", socket_leave},
  {"__gc", socket_gc},
  {"__tostring", socket_tostring},
  {NULL, NULL},
};

void bs_opensocket (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
  bs_setfuncs(L, BS_AT_METHODS, methods);
  bs_setfuncs(L, BS_AT_SOCKET, metamethods);
}
