/*
** attempt.c: one try of an operation, and what its answer comes to: what write() left is sent before, a failure may pass by.
*/
#include "base/prefix.h"

#include "base/error.h"
#include "base/fd.h"
#include "object/face.h"
#include "op/attempt.h"

/* Between two looks at what no descriptor tells of. */
#define SHORTREST BS_MILLISECOND
#define LONGREST (16 * BS_MILLISECOND)

/* After a passing failure of accept, as one would do by hand. */
#define RESTAFTERFAILURE (100 * BS_MILLISECOND)

int bs_flushstep (bs_op *op, bs_time patience) {
  return bs_flush(op->sock, patience, &op->error);
}

#define KERNELTIMED 0.25 /* seconds: from here on a receive waits in the kernel */

BS_ASIDE bs_time bs_firstpatience (bs_op *op) {
  unsigned traits = op->kind->traits;
  if (traits & BS_TIMED) {
    (void)bs_fixdeadline(op);
    bs_time time = op->timeout == 0 ? BS_NEVER : bs_until(op->deadline);
    /* too short a time for the clock is still no "never" */
    return time == BS_NEVER && op->timeout > 0 ? 1 : time;
  }
  if (traits & BS_NEEDSFLAG)
    (void)bs_mustnotwait(op);
  else if ((traits & BS_RECEIVES) && op->timeout >= KERNELTIMED && !bs_isthrough(op->sock) &&
           !(op->sock->flags & (BS_NONBLOCK | BS_SHARED)) && !(op->sock->marks & BS_LOWAT) &&
           bs_waitsinkernel(op->sock, op->timeout < 1e9 ? op->timeout * BS_KERNELSHARE : 1e9)) {
    op->began = bs_now();
    return BS_FOREVER;
  }
  return BS_NEVER;
}

bs_time bs_nextpatience (bs_op *op, int answered) {
  if (op->timeout < 0)
    return BS_FOREVER;
  if (op->timeout == 0) {
    if (bs_waitsitself(op) && answered)
      op->error = BS_ETIMEOUT;
    return BS_NEVER;
  }
  bs_time time = bs_until(bs_fixdeadline(op)); /* what goes on and on ends at the deadline, too */
  if (time == 0)
    op->error = BS_ETIMEOUT;
  return bs_waitsitself(op) ? time : BS_NEVER;
}

/* One try, with what write() left unflushed around it: a sending call comes after that; a receiving one
** sends it before it waits, and then waits for either. (EPIPE is left to the next sending call, which gets it
** again: what the peer has sent can still be received.) */
int bs_tryflushing (bs_op *op, bs_time patience) {
  const bs_kind *kind = op->kind;
  bs_socket *s = op->sock;
  if (!(kind->traits & (BS_SENDS | BS_RECEIVES)))
    return kind->step(op, patience);
  if (kind->traits & BS_SENDS) {
    int want = bs_flush(s, patience, &op->error);
    return want == BS_DONE && op->error == 0 ? kind->step(op, patience) : want;
  }
  int want = kind->step(op, BS_NEVER), err = 0;
  if (want == BS_DONE || want == BS_AGAIN)
    return want;
  int left = bs_flush(s, BS_NEVER, &err);
  if (left != BS_DONE)
    return left == BS_WRITE ? want | BS_WRITE : left;
  if (err == 0)
    return BS_AGAIN;
  if (err == EPIPE)
    return want;
  op->error = err;
  return BS_DONE;
}

/* Passing failures: the kernel's tables are full, or a connection died before it was taken. */
static int passes (int err) {
  switch (err) {
    case ECONNABORTED:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
#ifdef ENONET
    case ENONET:
#endif
#ifdef ENOSR
    case ENOSR:
#endif
      return 1;
    default: return 0;
  }
}

void bs_backoff (bs_op *op) {
  op->rest = op->rest == 0 ? SHORTREST : op->rest < LONGREST ? 2 * op->rest : op->rest;
}

/* Ready only in poll's eyes: a full unix peer, a crowd before one accept, an error queue. */
int bs_isvain (bs_op *op, int *vain, int atonce) {
  *vain = atonce ? *vain + 1 : 0;
  op->rest = *vain < 2 ? 0 : SHORTREST << (*vain < 6 ? *vain - 2 : 4);
  return op->rest > 0;
}

/* A failure of the step: go on (and perhaps rest before), or BS_DONE. */
static int pass (lua_State *L, bs_op *op, unsigned char *collected) {
  unsigned traits = op->kind->traits;
  int err = op->error;
  op->error = 0;
  if ((traits & BS_OPENS) && !*collected && bs_collect(L, err)) {
    *collected = 1;
    return BS_AGAIN;
  }
  if ((traits & BS_PERSISTS) && passes(err)) {
    *collected = 0;
    op->rest = RESTAFTERFAILURE;
    return BS_REST;
  }
  op->error = err;
  return BS_DONE;
}

int bs_judge (lua_State *L, bs_op *op, int want, unsigned char *collected) {
  if (want == BS_DONE && op->error > 0)
    want = pass(L, op, collected);
  if (want == BS_DONE || want == BS_AGAIN)
    return want;
  if (op->sock != NULL && want != BS_REST)
    op->sock->wants = (unsigned char)want;
  if (op->timeout != 0) {
    op->error = 0;
    return want;
  }
  if (op->error == 0)
    op->error = EAGAIN;
  return BS_DONE;
}

/* A full unix peer that it is not connected to: the kernel calls the socket writable, and tells nothing when
** it is so. */
static BS_ASIDE int isfull (const bs_op *op) {
  const bs_socket *s = op->sock;
  return s->family == AF_UNIX && s->type != SOCK_STREAM && bs_readyfd(s->fd, BS_WRITE) > 0;
}

BS_ASIDE int bs_awaitany (bs_op *op) {
  if (op->fd < 0 && op->timeout != 0 && op->kind->descriptor != NULL)
    op->kind->descriptor(op);
  if (op->fd >= 0)
    return BS_READ;
  bs_backoff(op);
  return BS_REST;
}

int bs_attempt (lua_State *L, bs_op *op, unsigned char *collected, bs_trier *by) {
  int asks = by->nothing != NULL && op->timeout != 0;
  int want = asks && by->nothing(op) ? BS_READ : BS_AGAIN;
  if (!bs_mustnotwait(op))
    return BS_DONE;
  while (want == BS_AGAIN) {
    op->drained = 0;
    want = bs_judge(L, op, bs_tryonce(op, BS_NEVER), collected);
    if (want != BS_AGAIN)
      break;
    if (bs_waitsitself(op))
      return bs_judge(L, op, BS_READ, collected);
    if (asks && by->nothing(op))
      return bs_judge(L, op, BS_READ, collected);
    if (op->timeout != 0 && by->budget-- <= 0)
      return BS_AGAIN;
  }
  if (want == BS_WRITE && op->sock != NULL && isfull(op)) /* so it is asked now and then */
    bs_backoff(op);
  else if (want != BS_DONE && want != BS_REST)
    op->rest = 0;
  return want;
}
