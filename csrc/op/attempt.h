/*
** attempt.h: one try of an operation, and what its answer comes to.
*/
#ifndef bs_attempt_h
#define bs_attempt_h

#include "op/op.h"

BS_BEGIN

/* Before a try that must not wait: sets it where the kind needs that. False: it cannot be set, and so the
** call would wait; op->error says why. */
static BS_STRAIGHT int bs_mustnotwait (bs_op *op) {
  if (!(op->kind->traits & BS_NEEDSFLAG) || bs_setnonblock(op->sock, 1) == 0)
    return 1;
  op->error = errno;
  return 0;
}

/* For a driver of its own: one try that does not wait. *collected: was garbage collected for it once? */
int bs_tryflushing(bs_op *op, bs_time patience); /* where write() left something unflushed */
int bs_afterfailure(lua_State *L, bs_op *op, unsigned char *collected);

static BS_STRAIGHT int bs_tryonce (bs_op *op, bs_time patience) {
  if (!BS_LIKELY(op->sock == NULL || !(op->sock->flags & BS_UNFLUSHED)))
    return bs_tryflushing(op, patience);
  return op->kind->step(op, patience);
}

static BS_STRAIGHT int bs_try (lua_State *L, bs_op *op, unsigned char *collected) {
  int want = bs_tryonce(op, BS_NEVER);
  return want == BS_DONE && op->error > 0 ? bs_afterfailure(L, op, collected) : want;
}

/* After a step that cannot go on: gives what to wait for, which s:events() tells; under timeout 0 it is BS_DONE. */
static BS_STRAIGHT int bs_wanted (bs_op *op, int want) {
  if (op->sock != NULL && want != BS_REST)
    op->sock->wants = (unsigned char)want;
  if (op->timeout == 0) {
    if (op->error == 0)
      op->error = EAGAIN;
    return BS_DONE;
  }
  op->error = 0;
  return want;
}

void bs_restlonger(bs_op *op); /* of who looks again and again, from op->rest = 0 on */

/* Sends what write() left: a step, of calls that flush first. */

int bs_flushstep(bs_op *op, bs_time patience); /* the same as a step: of calls that flush first */

BS_END

#endif
