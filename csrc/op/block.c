/*
** block.c: the driver that has the thread wait: in the kernel's own timeout, in poll, or for a helper thread. It knows signals
** and Lua's hooks; what is done meanwhile is the operation's step.
*/
#include "base/prefix.h"

#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "base/fd.h"
#include "op/attempt.h"
#include "op/block.h"
#include "op/thread.h"
#include "op/turn.h"

/* Does nothing for a while: > 0 then, 0 if the deadline came first, -1 after a signal. */
static int rest (bs_time span, bs_time deadline) {
  bs_time most = bs_until(deadline);
  int r = poll(NULL, 0, bs_millis(span < most ? span : most));
  return r < 0 ? r : span < most;
}

/* Waits until `want` comes true, the deadline, or a signal: > 0, 0, -1. *vain counts how often in a row
** poll said at once that it was true, and the step could do nothing. */
static int await (bs_op *op, int want, int *vain) {
  (void)bs_fixdeadline(op);
  if (want == BS_REST)
    return rest(op->rest, op->deadline);
  /* what is left of a timeout that is no more would cut the next wait, too */
  if (op->sock != NULL && op->timeout < 0 && op->sock->rcvtimeo > 0 && bs_receives(op))
    (void)bs_waitsinkernel(op->sock, 0);
  bs_time before = bs_now();
  int r = bs_waitfd(op->sock != NULL ? op->sock->fd : op->fd, want, op->deadline);
  int atonce = r > 0 && bs_now() - before < BS_MILLISECOND;
  return bs_isvain(op, vain, atonce) ? rest(op->rest, op->deadline) : r;
}

/* What blocks in the C library goes to a helper thread, so that the deadline holds and signals come through. Waits
** until it has ended, the deadline, or a hook that raises; then it is abandoned. False: there is no thread. */
static int awaitjob (lua_State *L, bs_op *op, bs_hooks *known) {
  (void)bs_fixdeadline(op);
  if (bs_until(op->deadline) == 0) {
    op->error = BS_ETIMEOUT;
    return 1;
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL); /* the call may be deep in its arguments */
  bs_job *job = bs_startjob(L, op);
  if (job == NULL)
    return 0;
  while (!bs_endjob(job, op)) {
    if (bs_seehooks(L, op->st, known) != LUA_OK) {
      bs_abandon(job);
      lua_error(L);
    }
    int r = bs_waitfd(bs_jobfd(job), BS_READ, op->deadline);
    if (r == 0 && bs_until(op->deadline) == 0)
      op->error = BS_ETIMEOUT;
    else if (r < 0 && errno != EINTR)
      op->error = errno;
    if (op->error != 0)
      break;
  }
  bs_abandon(job); /* if its time is over */
  return 1;
}

/* A step of a kind that blocks: without waiting if that will do, else in a thread, else here. */
static BS_ASIDE int stepblocking (lua_State *L, bs_op *op, bs_hooks *known) {
  int want = op->kind->step(op, BS_NEVER);
  if (want != BS_BLOCK || op->timeout == 0)
    return want;
  return awaitjob(L, op, known) ? BS_DONE : op->kind->step(op, BS_FOREVER);
}

static int step (lua_State *L, bs_op *op, bs_time patience, bs_hooks *known) {
  return bs_mayblock(op) ? stepblocking(L, op, known) : bs_tryonce(op, patience);
}

/* What the first step did not end: `want` is its answer. */
void bs_drive (lua_State *L, bs_op *op, int want, bs_hooks *known) {
  int vain = 0;
  unsigned char collected = 0;
  for (;;) {
    bs_time patience = op->timeout < 0 ? BS_FOREVER : BS_NEVER;
    int answered = want != BS_DONE;
    want = bs_judge(L, op, want, &collected);
    if (want == BS_DONE)
      return;
    if (want == BS_AGAIN) {
      vain = 0;
      patience = bs_nextpatience(op, answered);
    }
    else {
      bs_checkhooks(L, op->st, known); /* collecting garbage, too, may have taken long */
      int r = await(op, want, &vain);
      if (r < 0 && errno != EINTR)
        op->error = errno;
      else /* poll has an end that a deadline may be beyond */
        op->error = r == 0 && bs_until(op->deadline) == 0 ? BS_ETIMEOUT : 0;
    }
    if (op->error != 0)
      return;
    bs_checkhooks(L, op->st, known);
    /* who shares it may have changed that meanwhile */
    if (op->timeout >= 0 && op->sock != NULL && (op->sock->flags & BS_SHARED) &&
        !bs_mustnotwait(op))
      return;
    want = step(L, op, patience, known);
  }
}

int bs_blockthread (lua_State *L, bs_op *op) {
  if (bs_isbusy(op)) /* and who uses it cannot go on while this waits */
    return op->kind->finish(L, op);
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  int want = BS_DONE;
  bs_time patience = op->timeout < 0 || bs_mayblock(op) ? BS_FOREVER : bs_firstpatience(op);
  if (op->error == 0)
    want = step(L, op, patience, &known);
  if (want != BS_DONE || op->error > 0)
    bs_drive(L, op, want, &known);
  return op->kind->finish(L, op);
}
