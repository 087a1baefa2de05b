/*
** send.c: data through a socket, one system call a piece: send sendall sendto.
*/
#include "base/prefix.h"

#include <errno.h>

#include "base/constant.h"
#include "base/open.h"
#include "call/send.h"
#include "call/target.h"
#include "object/buffer.h"
#include "object/lend.h"
#include "op/run.h"

typedef struct send_op {
  bs_op op;
  const char *data; /* a string or a buffer on the stack */
  size_t len;
  size_t sent;
  int flags;
  const bs_address *to; /* on the stack, or NULL */
  bs_loan *loan;        /* so, too; only where flags have MSG_ZEROCOPY */
} send_op;

static BS_STRAIGHT ssize_t sendwith (const send_op *op, int flags) {
  const char *data = op->data + op->sent;
  size_t len = op->len - op->sent;
  if (op->to == NULL)
    return send(op->op.sock->fd, data, len, flags);
  return sendto(op->op.sock->fd, data, len, flags, &op->to->u.sa, op->to->len);
}

static BS_SELDOM ssize_t lendonce (const send_op *op, int flags) {
  flags = bs_lendflags(op->loan, flags);
  ssize_t n = sendwith(op, flags);
  if (n >= 0)
    bs_lent(op->loan, flags, bs_lendcounts(op->op.sock, n));
  return n;
}

static BS_STRAIGHT ssize_t sendonce (const send_op *op, bs_time patience) {
  int flags = op->flags | MSG_NOSIGNAL | bs_dontwait(patience);
  return BS_LIKELY(!(flags & BS_ZEROCOPY)) ? sendwith(op, flags) : lendonce(op, flags);
}

/* why a step did not send */
int bs_notsent (bs_op *o) {
  if (bs_isagain(errno))
    return bs_wantof(o->sock, BS_WRITE);
  if (errno == EINTR)
    return BS_AGAIN;
  o->error = errno;
  return errno == EINPROGRESS ? BS_WRITE : BS_DONE; /* TCP_FASTOPEN_CONNECT: it connects first */
}

/* The same where flags were given: with MSG_FASTOPEN the call connects. Where it must not wait for that, nothing has been
** taken, and when the handshake is over all is sent as ever. */
int bs_notsentyet (bs_op *o, int *flags) {
  if ((*flags & BS_FASTOPEN) && (errno == EINPROGRESS || errno == EALREADY)) {
    errno = EINPROGRESS;
    *flags &= ~BS_FASTOPEN;
  }
  return bs_notsent(o);
}

int bs_flushleft (bs_op *o) {
  if (bs_flushthrough(o->sock) == 0)
    return BS_DONE;
  int want = bs_notsent(o);
  return o->timeout != 0 || want == BS_DONE ? want : BS_DONE;
}

/* A step through a transport. Bytes that it has taken are sent, though some may not be in the kernel yet. */
static BS_ASIDE int sendthrough (send_op *op, int all) {
  bs_op *o = &op->op;
  if (op->sent > 0 && (!all || op->sent == op->len))
    return bs_allsent(o);
  if (op->to != NULL || (op->flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | BS_ZEROCOPY))) {
    o->error = op->to != NULL && o->sock->fd >= 0 ? EISCONN : EOPNOTSUPP;
    return BS_DONE;
  }
  ssize_t n = bs_send(o->sock, op->data + op->sent, op->len - op->sent, 0);
  if (n < 0)
    return bs_notsent(o);
  op->sent += (size_t)n;
  return all && op->sent < op->len ? BS_AGAIN : bs_allsent(o);
}

static BS_STRAIGHT int send_step (bs_op *o, bs_time patience) {
  send_op *op = (send_op *)o;
  if (!BS_LIKELY(!bs_isthrough(o->sock)))
    return sendthrough(op, 0);
  ssize_t n = sendonce(op, patience);
  if (n < 0)
    return bs_notsentyet(o, &op->flags);
  op->sent = (size_t)n;
  return BS_DONE;
}

static BS_STRAIGHT int send_finish (lua_State *L, bs_op *o) {
  const send_op *op = (const send_op *)o;
  if (o->error != 0 && op->sent == 0)
    return bs_failop(L, o, op->to);
  lua_pushinteger(L, (lua_Integer)op->sent);
  return 1;
}

static BS_STRAIGHT int sendall_step (bs_op *o, bs_time patience) {
  send_op *op = (send_op *)o;
  if (!BS_LIKELY(!bs_isthrough(o->sock)))
    return sendthrough(op, 1);
  ssize_t n = sendonce(op, patience);
  if (n < 0)
    return bs_notsentyet(o, &op->flags);
  op->sent += (size_t)n;
  op->flags &= ~BS_FASTOPEN;                      /* that was for the first part */
  return op->sent < op->len ? BS_AGAIN : BS_DONE; /* a signal may have cut it short */
}

static BS_STRAIGHT int sendall_finish (lua_State *L, bs_op *o) {
  const send_op *op = (const send_op *)o;
  int n = 0;
  if (o->error != 0)
    n = bs_failop(L, o, NULL);
  lua_pushinteger(L, (lua_Integer)op->sent);
  return n + 1;
}

static const bs_kind send_kind = {BS_CALL("send", send_op), .traits = BS_SENDTRAITS,
                                  .step = send_step, .finish = send_finish};

static const bs_kind sendto_kind = {BS_CALL("sendto", send_op), .traits = BS_SENDTRAITS,
                                    .step = send_step, .finish = send_finish};

static const bs_kind sendall_kind = {BS_CALL("sendall", send_op), .traits = BS_SENDTRAITS,
                                     .step = sendall_step, .finish = sendall_finish};

static void checkflags (lua_State *L, int arg, send_op *op) {
  op->flags = bs_optconstant(L, arg, "MSG_\0", 0);
  bs_setflags(&op->op, op->flags);
}

/* When all arguments are known to be right: memory that the kernel may read on. */
static void lend (lua_State *L, send_op *op) {
  if (op->flags & BS_ZEROCOPY)
    op->loan = bs_lend(L, op->op.sock, 2);
}

static BS_STRAIGHT void initsend (lua_State *L, int top, send_op *op, const bs_kind *kind,
                                  bs_socket *s) {
  op->data = lua_tolstring(L, 2, &op->len);
  if (op->data == NULL) {
    lua_settop(L, top);
    op->data = bs_checkdata(L, 2, &op->len);
  }
  bs_initop(&op->op, kind, s->st, s);
  op->sent = 0;
  op->flags = 0;
  op->to = NULL;
}

static BS_STRAIGHT int dosend (lua_State *L, const bs_kind *kind) {
  send_op op;
  int top = lua_gettop(L);
  initsend(L, top, &op, kind, bs_self(L));
  if (top > 2) {
    size_t from;
    lua_settop(L, top);
    checkflags(L, 3, &op);
    op.len = bs_checkrange(L, 4, op.len, &from);
    op.data += from;
    lend(L, &op);
  }
  return bs_runinline(L, &op.op, kind);
}

/* s:send(data [, flags [, i [, j]]]) */
static int send_send (lua_State *L) {
  return dosend(L, &send_kind);
}

/* s:sendall(data [, flags [, i [, j]]]) */
static int send_sendall (lua_State *L) {
  return dosend(L, &sendall_kind);
}

static BS_STRAIGHT int dosendto (lua_State *L, bs_socket *s, const bs_address *to, bs_time began,
                                 int flags) {
  send_op op;
  initsend(L, lua_gettop(L), &op, &sendto_kind, s);
  op.op.began = began;
  op.to = to;
  if (flags) {
    checkflags(L, 4, &op);
    lend(L, &op);
  }
  return bs_runinline(L, &op.op, &sendto_kind);
}

static int sendtoname (lua_State *L, const bs_address *to, bs_time began) {
  return dosendto(L, bs_checksocket(L, 1), to, began, 0);
}

static int sendtoaddress (lua_State *L, const bs_address *to, bs_time began) {
  return dosendto(L, bs_checksocket(L, 1), to, began, lua_gettop(L) > 3);
}

/* s:sendto(data, ADDR), s:sendto(data, address, flags) */
static int send_sendto (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  const bs_address *to = bs_testaddress(L, 3);
  size_t unused;
  if (to != NULL && to->u.sa.sa_family == s->family)
    return dosendto(L, s, to, 0, lua_gettop(L) > 3);
  (void)bs_checkdata(L, 2, &unused); /* before a name is looked up */
  if (to == NULL) {                  /* flags would be dropped without a word */
    int after = 3 + bs_addressargs(s->family);
    luaL_argcheck(L, lua_isnoneornil(L, after), after, "flags can only follow an address object");
  }
  return bs_withaddress(L, 3, "sendto", s->family, s, to != NULL ? sendtoaddress : sendtoname);
}

static const luaL_Reg methods[] = {
  {"send", send_send},
  {"sendall", send_sendall},
  {"sendto", send_sendto},
  {NULL, NULL},
};

void bs_opensend (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
