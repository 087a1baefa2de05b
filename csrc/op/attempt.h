/*
** attempt.h: one try of an operation, and what its answer comes to. Here alone is known what the traits of a kind mean;
** drivers know how to wait.
*/
#ifndef bs_attempt_h
#define bs_attempt_h

#include "op/op.h"

BS_BEGIN

/* ---- what a kind is like ---- */

/* Does its step wait by itself, up to `patience`, for more than one descriptor perhaps? */
static inline int bs_waitsitself (const bs_op *op) {
  return (op->kind->traits & BS_TIMED) != 0;
}

/* May its step block in the C library? */
static inline int bs_mayblock (const bs_op *op) {
  return (op->kind->traits & BS_BLOCKS) != 0;
}

static inline int bs_receives (const bs_op *op) {
  return (op->kind->traits & BS_RECEIVES) != 0;
}

/* Does it send what is unflushed, and nothing else? */
static inline int bs_flushes (const bs_op *op) {
  return (op->kind->traits & BS_FLUSHES) != 0;
}

/* Is its step made whatever becomes of who began it? */
static inline int bs_lasts (const bs_op *op) {
  return (op->kind->traits & BS_LASTS) != 0;
}

/* A receive under a timeout of a quarter of a second or more waits in the kernel, under SO_RCVTIMEO. The kernel keeps
** that up to an eighth late, so it is asked for seven eighths, and a poll, which is precise, finishes. */
#define BS_KERNELSHARE 0.875

/* Is the kernel's own timeout set for this very call already? `kind` is a constant for who calls this. */
static BS_STRAIGHT int bs_kernelkeeps (const bs_op *op, const bs_kind *kind) {
  const bs_socket *s = op->sock;
  return (kind->traits & BS_RECEIVES) && op->timeout * BS_KERNELSHARE == s->rcvtimeo &&
         op->timeout > 0 && !(s->flags & (BS_NONBLOCK | BS_SHARED));
}

/* ---- a try, and its answer ---- */

/* Before a try that must not wait: sets O_NONBLOCK where the kind needs that. False: it cannot be set, and so the
** call would wait; op->error says why. */
static BS_STRAIGHT int bs_mustnotwait (bs_op *op) {
  if (!(op->kind->traits & BS_NEEDSFLAG) || bs_setnonblock(op->sock, 1) == 0)
    return 1;
  op->error = errno;
  return 0;
}

/* How long the first step of a call with a timeout may wait by itself; op->error is set where it could not be kept. */
bs_time bs_firstpatience(bs_op *op);
/* Of the following steps. `answered`: the last one has, and is not made anew for want of descriptors. */
bs_time bs_nextpatience(bs_op *op, int answered);

int bs_tryflushing(bs_op *op, bs_time patience); /* where write() left something unflushed */

static BS_STRAIGHT int bs_tryonce (bs_op *op, bs_time patience) {
  if (!BS_LIKELY(op->sock == NULL || !(op->sock->flags & BS_UNFLUSHED)))
    return bs_tryflushing(op, patience);
  return op->kind->step(op, patience);
}

/* What the answer of a step comes to: BS_DONE, BS_AGAIN, or what to wait for, which s:events() tells. *collected: was
** garbage collected for the operation once? */
int bs_judge(lua_State *L, bs_op *op, int want, unsigned char *collected);

/* ---- for drivers that never wait in a step ---- */

/* What a driver knows. */
typedef struct bs_trier {
  int budget; /* so many parts may be done before it is others' turn */
  /* Would a receive only learn that there is nothing? It may note op->drained. NULL: that is not known. */
  int (*nothing)(const bs_op *op);
} bs_trier;

/* Tries until it has ended (BS_DONE), or has to wait: for what; BS_AGAIN when others should have their turn. */
int bs_attempt(lua_State *L, bs_op *op, unsigned char *collected, bs_trier *by);

/* Nothing has come to any of several descriptors: for what to wait. Where no descriptor tells of them all (poll has
** none, and of the others' there may be none left) they are asked now and then. May open one, which drop closes. */
int bs_awaitany(bs_op *op);

/* ---- back-off ---- */

/* No descriptor tells, or it tells in vain: op->rest, from 0 on, grows from one millisecond to sixteen. */
void bs_backoff(bs_op *op);
/* After a wait: was it over at once for the second time in a row, and nothing could be done? Then it has a rest first. */
int bs_isvain(bs_op *op, int *vain, int atonce);

/* Sends what write() left: a step, of calls that flush first. */
int bs_flushstep(bs_op *op, bs_time patience);

BS_END

#endif
