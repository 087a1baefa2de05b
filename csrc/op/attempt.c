/*
** attempt.c: one try of an operation, and what its answer comes to: what write() left is sent before, a failure may pass by.
*/
#include "base/prefix.h"

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

void bs_restlonger (bs_op *op) {
  op->rest = op->rest == 0 ? SHORTREST : op->rest < LONGREST ? 2 * op->rest : op->rest;
}

/* What a failure of the step comes to: go on (and perhaps rest before), or BS_DONE. */
int bs_afterfailure (lua_State *L, bs_op *op, unsigned char *collected) {
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
