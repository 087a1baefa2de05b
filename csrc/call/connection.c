/*
** connection.c: what is done with a socket before and after data flows: bind, listen, accept, connect,
** shutdown, and the addresses of both ends.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "base/process.h"
#include "call/target.h"
#include "object/hear.h"
#include "object/hint.h"
#include "object/transport.h"
#include "op/run.h"

static int self (lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

/* ---- bind, listen, shutdown ---- */

static int dobind (lua_State *L, const bs_address *a, bs_time began) {
  const bs_socket *s = bs_checksocket(L, 1);
  (void)began; /* it does not wait */
  if (bind(s->fd, &a->u.sa, a->len) != 0)
    return bs_failat(L, "bind", a, errno);
  return self(L);
}

/* s:bind(ADDR) */
static int connection_bind (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  return bs_withaddress(L, 2, "bind", s->family, s, dobind);
}

/* s:listen([backlog]) */
static int connection_listen (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  lua_Integer backlog = luaL_optinteger(L, 2, SOMAXCONN);
  luaL_argcheck(L, backlog <= INT_MAX, 2, "backlog out of range");
  if (listen(s->fd, backlog < 0 ? SOMAXCONN : (int)backlog) != 0)
    return bs_fail(L, "listen", errno);
  return self(L);
}

typedef struct shutdown_op {
  bs_op op;
  int how;
  int told; /* the transport has told the peer */
} shutdown_op;

/* All that is unflushed goes out before, and what a transport has to say at the end. */
static int shutdown_step (bs_op *o, bs_time patience) {
  shutdown_op *op = (shutdown_op *)o;
  int want = bs_flushstep(o, patience);
  if (want != BS_DONE || o->error != 0 || op->told || op->how == SHUT_RD || !bs_isthrough(o->sock))
    return want;
  op->told = 1;
  if (bs_endthrough(o->sock) == 0)
    return BS_AGAIN;
  o->error = errno;
  return BS_DONE;
}

/* s:shutdown([how]) */
static int shutdown_finish (lua_State *L, bs_op *o) {
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  int how = ((const shutdown_op *)o)->how;
  if (shutdown(o->sock->fd, how) != 0)
    return bs_fail(L, "shutdown", errno);
  if (o->st->aside != 0) /* the kernel does not tell all who wait for it */
    bs_tellshut(L, o->sock, (how != SHUT_WR ? BS_IN : 0) | (how != SHUT_RD ? BS_OUT : 0));
  return self(L);
}

static const bs_kind shutdown_kind = {BS_CALL("shutdown", shutdown_op),
                                      .traits = BS_FLUSHES | BS_FLUSHTRAITS, .step = shutdown_step,
                                      .finish = shutdown_finish};

static int connection_shutdown (lua_State *L) {
  shutdown_op op;
  bs_socket *s = bs_checksocket(L, 1);
  op.how = bs_optconstant(L, 2, "SHUT_\0", SHUT_RDWR);
  op.told = 0;
  bs_initop(&op.op, &shutdown_kind, s->st, s);
  return bs_run(L, &op.op);
}

/* ---- connect ---- */

typedef struct connect_op {
  bs_op op;
  const bs_address *to; /* at stack index 2 */
  int joined; /* an attempt was under way: who else waits for it may hear first how it ended */
} connect_op;

/* The error that an attempt has ended with, or 0. Linux must be told that the attempt is over, or it
** answers the next connect by ECONNABORTED; where AF_UNSPEC means nothing to connect it does no harm. */
static int attempterror (const bs_socket *s) {
  int err;
  socklen_t len = sizeof(err);
  if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
    return errno;
  if (err != 0) {
    struct sockaddr none;
    memset(&none, 0, sizeof(none));
    none.sa_family = AF_UNSPEC;
    (void)connect(s->fd, &none, sizeof(none));
  }
  return err;
}

static int connect_step (bs_op *o, bs_time patience) {
  const bs_address *to = ((connect_op *)o)->to;
  bs_socket *s = o->sock;
  int ended = ((connect_op *)o)->joined;

  if (s->flags & BS_CONNECTING) /* an earlier step or call began it: how did it end? */
    ended = ((connect_op *)o)->joined = 1;

  (void)patience; /* O_NONBLOCK tells the kernel */
  if (s->flags & BS_CONNECTING) {
    int r = bs_waitfd(s->fd, BS_WRITE, BS_NEVER);
    if (r == 0) {
      o->error = EINPROGRESS;
      return BS_WRITE;
    }
    if (r < 0) {
      if (errno == EINTR)
        return BS_AGAIN;
      o->error = errno;
      return BS_DONE;
    }
    s->flags &= (unsigned char)~BS_CONNECTING;
    o->error = attempterror(s);
    if (o->error != 0)
      return BS_DONE;
  } /* no error: then it is connected, which this tells the kernel's side too, or somebody took the error */
  if (connect(s->fd, &to->u.sa, to->len) == 0) {
    o->error = 0;
    return BS_DONE;
  }
  switch (errno) {
    case EISCONN: o->error = ended ? 0 : EISCONN; return BS_DONE;
    case ECONNABORTED: /* the error was taken: the attempt is over, and this is another */
      o->error = ended ? 0 : ECONNABORTED;
      return ended ? BS_AGAIN : BS_DONE;
    case EINTR: /* over the Internet the attempt goes on; elsewhere it is made again */
      if (s->family == AF_INET || s->family == AF_INET6)
        s->flags |= BS_CONNECTING;
      return BS_AGAIN;
    case EINPROGRESS:
    case EALREADY:
      s->flags |= BS_CONNECTING;
      ((connect_op *)o)->joined = 1;
      o->error = EINPROGRESS;
      return BS_WRITE;
    case EAGAIN: /* a unix listener's queue is full, and poll does not tell when it no longer is */
      if (s->family == AF_UNIX) {
        o->error = EAGAIN;
        o->rest = 2000000;
        return BS_REST;
      } /* FALLTHROUGH */
    default: o->error = errno; return BS_DONE;
  }
}

static int connect_finish (lua_State *L, bs_op *o) {
  bs_socket *s = o->sock;
  if (o->error != 0)
    return bs_failop(L, o, ((connect_op *)o)->to);
  /* its receives may now wait in the kernel, but for a task, which never does; and who shares it goes on with it */
  if ((s->flags & BS_SETNONBLOCK) && (s->st->aside == 0 || (s->flags & BS_SHARED)))
    (void)bs_setnonblock(s, 0);
  return self(L);
}

static const bs_kind connect_kind = {BS_CALL("connect", connect_op),
                                     .traits = BS_OUTPUT | BS_NEEDSFLAG, .step = connect_step,
                                     .finish = connect_finish};
/* where connect only notes the address it never waits */
static const bs_kind associate_kind = {BS_CALL("connect", connect_op), .traits = BS_OUTPUT,
                                       .step = connect_step, .finish = connect_finish};

/* FNV-1a of its bytes: the object may be another one when a call is repeated. */
static uint32_t hash (const bs_address *a) {
  uint32_t h = 2166136261u;
  for (socklen_t i = 0; i < a->len; i++)
    h = (h ^ ((const unsigned char *)&a->u)[i]) * 16777619u;
  return h;
}

static int doconnect (lua_State *L, const bs_address *a, bs_time began) {
  bs_socket *s = bs_checksocket(L, 1);
  int waits = s->type != SOCK_DGRAM && s->type != SOCK_RAW;
  connect_op op;
  bs_initop(&op.op, waits ? &connect_kind : &associate_kind, s->st, s);
  op.op.began = began;
  op.to = a;
  op.joined = 0;
  if (a->u.sa.sa_family == AF_UNSPEC)
    s->flags &= (unsigned char)~BS_CONNECTING;
  else if (!(s->flags & BS_CONNECTING))
    s->target = hash(a);
  else if (s->target != hash(a)) /* an attempt to reach somebody else is under way */
    return bs_failat(L, "connect", a, EALREADY);
  return bs_run(L, &op.op);
}

/* s:connect(ADDR) */
static int connection_connect (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  return bs_withaddress(L, 2, "connect", s->family, s, doconnect);
}

/* ---- accept ---- */

typedef struct accept_op {
  bs_op op;
  bs_socket *conn; /* made closed; at stack index 2 */
  socklen_t len;
  struct sockaddr_storage peer;
} accept_op;

/* A listening unix socket that was shut down for reading has nobody to give any more. Linux tells only those who wait
** inside of accept. */
static BS_ASIDE int isshut (const bs_socket *s) {
#if defined(POLLRDHUP)
  struct pollfd p;
  p.fd = s->fd;
  p.events = POLLRDHUP;
  p.revents = 0;
  return s->family == AF_UNIX && poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP) != 0;
#else
  (void)s;
  return 0;
#endif
}

static BS_STRAIGHT int accept_step (bs_op *o, bs_time patience) {
  accept_op *op = (accept_op *)o;
  (void)patience; /* O_NONBLOCK tells the kernel */
  op->len = sizeof(op->peer);
  int fd = bs_sysaccept(o->sock->fd, (struct sockaddr *)&op->peer, &op->len);
  if (!BS_LIKELY(fd >= 0)) {
    int err = errno;
    if (bs_isagain(err) && !isshut(o->sock))
      return BS_READ;
    if (err == EINTR)
      return BS_AGAIN;
    o->error = bs_isagain(err) ? EINVAL : err;
    return BS_DONE;
  }
  op->conn->fd = fd;
  bs_newdescriptor(o->st, fd);
  op->conn->marks = o->sock->marks & (BS_LOWAT | BS_PEEKS);
  op->conn->flags = (unsigned char)(o->sock->flags & BS_LINGERS); /* Linux passes it on */
  if (o->sock->rcvtimeo != 0) { /* TCP passes it on; without us it would not be there */
    op->conn->rcvtimeo = -1;
    op->conn->flags |= BS_SETRCVTIMEO;
    op->conn->process = (unsigned char)bs_process(o->st);
  }
  return BS_DONE;
}

static BS_STRAIGHT int accept_finish (lua_State *L, bs_op *o) {
  accept_op *op = (accept_op *)o;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  lua_settop(L, 2);
  bs_pushaddress(L, (struct sockaddr *)&op->peer, op->len, o->sock->family);
  return 2;
}

/* An iterator has no place for nil, message, code: it raises, as that of file:lines does. */
static BS_STRAIGHT int clients_finish (lua_State *L, bs_op *o) {
  if (o->error == 0)
    return accept_finish(L, o);
  if (o->sock->fd < 0)
    return 0;
  return bs_raiseop(L, o);
}

static const bs_kind accept_kind = {BS_CALL("accept", accept_op),
                                    .traits = BS_NEEDSFLAG | BS_OPENS | BS_TAKES,
                                    .step = accept_step, .finish = accept_finish};
static const bs_kind clients_kind = {BS_CALL("accept", accept_op),
                                     .traits = BS_NEEDSFLAG | BS_OPENS | BS_PERSISTS | BS_TAKES,
                                     .step = accept_step, .finish = clients_finish};

static BS_STRAIGHT int doaccept (lua_State *L, const bs_kind *kind) {
  bs_socket *s = bs_self(L);
  accept_op op;
  lua_settop(L, 1);
  bs_initop(&op.op, kind, s->st, s);
  op.conn = bs_newsocket(L, s->family, s->type, s->protocol);
  return bs_runinline(L, &op.op, kind);
}

/* s:accept() */
static int connection_accept (lua_State *L) {
  return doaccept(L, &accept_kind);
}

static int clients_next (lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(BS_NUP + 1));
  return doaccept(L, &clients_kind);
}

/* for connection, address in s:clients() do */
static int connection_clients (lua_State *L) {
  bs_checksocket(L, 1);
  lua_settop(L, 1);
  bs_pushfunction(L, clients_next, 1);
  return 1;
}

/* ---- names ---- */

static int name (lua_State *L, const char *call, int (*ask)(int, struct sockaddr *, socklen_t *)) {
  const bs_socket *s = bs_checksocket(L, 1);
  struct sockaddr_storage sa;
  socklen_t len = sizeof(sa);
  if (ask(s->fd, (struct sockaddr *)&sa, &len) != 0)
    return bs_fail(L, call, errno);
  bs_pushaddress(L, (struct sockaddr *)&sa, len, s->family);
  return 1;
}

static int connection_getsockname (lua_State *L) {
  return name(L, "getsockname", getsockname);
}

static int connection_getpeername (lua_State *L) {
  return name(L, "getpeername", getpeername);
}

static const luaL_Reg methods[] = {
  {"accept", connection_accept},
  {"bind", connection_bind},
  {"clients", connection_clients},
  {"connect", connection_connect},
  {"getpeername", connection_getpeername},
  {"getsockname", connection_getsockname},
  {"listen", connection_listen},
  {"shutdown", connection_shutdown},
  {NULL, NULL},
};

void bs_openconnection (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
