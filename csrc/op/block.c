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

#define KERNELTIMED 0.25 /* from here on a receive waits in the kernel */

/* How long the first step of a call with a timeout may wait by itself. */
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
  else if ((traits & BS_RECEIVES) && op->timeout >= KERNELTIMED &&
           !(op->sock->flags & (BS_NONBLOCK | BS_SHARED)) && !(op->sock->marks & BS_LOWAT) &&
           bs_waitsinkernel(op->sock, op->timeout < 1e9 ? op->timeout * BS_KERNELSHARE : 1e9)) {
    op->began = bs_now();
    return BS_FOREVER;
  }
  return BS_NEVER;
}

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
  if (op->sock != NULL && op->timeout < 0 && op->sock->rcvtimeo > 0 &&
      !(op->kind->traits & BS_OUTPUT))
    (void)bs_waitsinkernel(op->sock, 0);
  bs_time before = bs_now();
  int r = bs_waitfd(op->sock != NULL ? op->sock->fd : op->fd, want, op->deadline);
  *vain = r > 0 && bs_now() - before < BS_MILLISECOND ? *vain + 1 : 0;
  if (*vain > 1) /* ready only in poll's eyes: a full unix peer, a crowd before one accept */
    return rest(BS_MILLISECOND << (*vain < 6 ? *vain - 2 : 4), op->deadline);
  return r;
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

/* What the first step did not end: `want` is its answer. */
void bs_drive (lua_State *L, bs_op *op, int want, bs_hooks *known) {
  int vain = 0;
  unsigned char collected = 0;
  for (;;) {
    bs_time patience = op->timeout < 0 ? BS_FOREVER : BS_NEVER;
    int retry = 0; /* after collecting garbage: no more waiting than before */
    if (want == BS_DONE && op->error > 0) {
      want = bs_afterfailure(L, op, &collected);
      retry = want == BS_AGAIN;
    }
    if (want == BS_DONE)
      return;
    if (want != BS_AGAIN)
      want = bs_wanted(op, want);
    if (want == BS_AGAIN) {
      vain = 0;
      if (op->timeout == 0 && (op->kind->traits & BS_TIMED) && !retry)
        op->error = BS_ETIMEOUT;
      else if (op->timeout > 0) { /* what goes on and on ends at the deadline, too */
        (void)bs_fixdeadline(op);
        bs_time time = bs_until(op->deadline);
        if (time == 0)
          op->error = BS_ETIMEOUT;
        else if (op->kind->traits & BS_TIMED)
          patience = time;
      }
    }
    else if (want != BS_DONE) {
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
    want = op->kind->traits & BS_BLOCKS ? stepblocking(L, op, known) : bs_tryonce(op, patience);
  }
}

int bs_blockthread (lua_State *L, bs_op *op) {
  if (bs_isbusy(op)) /* and who uses it cannot go on while this waits */
    return op->kind->finish(L, op);
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  int want = BS_DONE;
  if (op->kind->traits & BS_BLOCKS)
    want = stepblocking(L, op, &known);
  else {
    bs_time patience = op->timeout < 0 ? BS_FOREVER : bs_firstpatience(op);
    if (op->error == 0)
      want = bs_tryonce(op, patience);
  }
  if (want != BS_DONE || op->error > 0)
    bs_drive(L, op, want, &known);
  return op->kind->finish(L, op);
}
