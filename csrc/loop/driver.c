/*
** driver.c: operations in tasks. A call that would have to wait leaves a copy of its operation in its task, and suspends it.
** When the engine tells that the descriptor is ready, the operation is tried here, in C, and what it comes to is what the
** coroutine is resumed with.
*/
#include "base/prefix.h"

#include <errno.h>
#include <string.h>

#include "loop/place.h"
#include "object/chunk.h"
#include "op/attempt.h"
#include "op/drive.h"
#include "op/turn.h"

#define BUDGET 64 /* tries in a row that a task has before others get their turn */

/* ==== operations of tasks ==== */

/* True if a receive would only learn that there is nothing. */
static BS_STRAIGHT int isempty (const bs_loop *loop, const bs_op *op) {
  const bs_socket *s = op->sock;
  if (!bs_receives(op) || op->flagged || s->fd < 0 || s->fd >= loop->size)
    return 0;
  const place *p = &loop->places[s->fd];
  return p->sock == s && p->empty && !p->hangup && !bs_pending(s) && !(s->flags & BS_UNFLUSHED);
}

/* Of a stream by SCTP each receive gives one message, or a part of it. */
static BS_STRAIGHT int givesmessages (const bs_socket *s) {
#if defined(IPPROTO_SCTP)
  return s->protocol == IPPROTO_SCTP;
#else
  (void)s;
  return 0;
#endif
}

/* After a receive that got less than it had room for, a stream has no more, and what comes will be told. With
** a hang-up there is no second word; a unix socket gives one message at a time. */
static BS_STRAIGHT void notedrained (bs_loop *loop, const bs_op *op) {
  const bs_socket *s = op->sock;
  if (op->drained && !op->flagged && s->type == SOCK_STREAM && s->family != AF_UNIX &&
      !givesmessages(s) && s->fd >= 0 && s->fd < loop->size && loop->places[s->fd].sock == s)
    loop->places[s->fd].empty = 1;
}

/* Of an operation that will wait. */
static int nothing (const bs_op *op) {
  bs_loop *loop = op->st->loop;
  if (op->drained)
    notedrained(loop, op);
  return isempty(loop, op);
}

/* Tries it: what the loop remembers of the socket may spare a system call of who will wait, and is no answer for
** others. */
static BS_STRAIGHT int attempt (lua_State *L, bs_loop *loop, bs_op *op, unsigned char *collected,
                                int waits) {
  bs_trier by = {loop->budget, waits ? nothing : NULL};
  op->drained = 0;
  int want = bs_attempt(L, op, collected, &by);
  loop->budget = by.budget;
  if (want == BS_READ && bs_waitsitself(op))
    want = bs_awaitany(op);
  if (op->drained)
    notedrained(loop, op);
  if (want == BS_READ && bs_receives(op) && !op->flagged && op->sock->fd >= 0 &&
      op->sock->fd < loop->size) /* (others may want more than there is) */
    loop->places[op->sock->fd].empty = 1;
  return want;
}

/* Lets the task wait for its operation: true, or op->error says why not. */
static BS_STRAIGHT int park (bs_task *t, bs_op *op, int want) {
  bs_timers *timers = &t->loop->timers;
  bs_time when = bs_fixdeadline(op);
  if (want == BS_REST)
    bs_unpark(t);
  else {
    int fd = t->job != NULL ? bs_jobfd(t->job) : op->sock != NULL ? op->sock->fd : op->fd;
    op->error = bs_parkat(t, fd, op, want);
    if (op->error != 0)
      return 0;
  }
  if (op->kind->concerns != NULL || (want == BS_REST && bs_waitsitself(op)))
    bs_append(&t->loop->selecting, t);
  if (op->rest > 0) {
    bs_time rested = bs_now() + op->rest;
    when = rested < when ? rested : when;
  }
  if (when == BS_FOREVER)
    bs_stoptimer(timers, &t->timer);
  else if (t->timer.when != when || t->timer.place == 0)
    op->error = bs_settimer(timers, &t->timer, when);
  if (op->error != 0) {
    bs_unpark(t);
    return 0;
  }
  t->state = BS_WAITING;
  return 1;
}

/* The job's descriptor is about to be closed. No select has it. */
static void leavejob (bs_task *t) {
  bs_unpark(t);
  bs_leaveplace(t->loop, bs_jobfd(t->job));
}

void bs_forget (bs_task *t) {
  if (t->job != NULL) {
    leavejob(t);
    bs_abandon(t->job);
    t->job = NULL;
  }
  bs_unpark(t);
  bs_releasesides(t);
  if (t->pending && t->op->kind->drop != NULL)
    t->op->kind->drop(t->op);
  t->pending = 0;
}

/* The time of the operation is over. What may have come while it had a rest is still in time. */
static void late (bs_task *t) {
  bs_op *op = t->op;
  if (t->job != NULL) {
    leavejob(t);
    bs_abandon(t->job);
  }
  else if (bs_waitsitself(op) && op->fd < 0 && !bs_isgone(t) &&
           op->kind->step(op, BS_NEVER) == BS_DONE)
    return;
  op->error = BS_ETIMEOUT;
}

/* Goes on with the operation that the task waits for; true if it has ended. */
int bs_advance (lua_State *L, bs_task *t) {
  bs_op *op = t->op;
  int want = BS_READ;
  if (bs_isgone(t)) {
    bs_forget(t);
    return 1;
  }
  t->loop->budget = BUDGET;
  if (t->job != NULL) {
    leavejob(t);
    if (bs_endjob(t->job, op))
      return 1;
  }
  else {
    t->tried = 1;
    want = attempt(L, t->loop, op, &t->collected, 1);
    t->tried = 0;
    if (t->doomed) {
      bs_canceltask(L, t);
      return 0;
    }
  }
  if (want == BS_AGAIN) { /* what goes on and on ends at the deadline, too */
    if (bs_fixdeadline(op) != BS_FOREVER && bs_now() >= op->deadline) {
      late(t);
      return 1;
    }
    bs_unpark(t);
    bs_makeready(t);
    return 0;
  }
  return want == BS_DONE || !park(t, op, want);
}

void bs_resumetask (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  int results, arguments = t->started ? 0 : lua_gettop(t->L) - 1;
  t->started = 1;
  bs_unpark(t);
  loop->current = loop->ran = t;
  loop->budget = BUDGET;
  t->state = BS_RUNNING;
  t->runs = t->L;
  int status = lua_resume(t->L, L, arguments, &results);
  loop->current = NULL;
  if (status == LUA_YIELD && t->state != BS_RUNNING) {
    if (!BS_LIKELY(!loop->stopped))
      bs_canceltask(L, t);
    return;
  }
  if (status == LUA_OK) {
    bs_endreturned(L, t, results);
    return;
  }
  if (status == LUA_YIELD)
    lua_pushliteral(L, BS_STRAY);
  else
    bs_pusherror(L, t->L);
  bs_endfailed(L, t);
}

void bs_ringtask (lua_State *L, bs_timer *timer) {
  bs_task *t = (bs_task *)(void *)((char *)timer - offsetof(bs_task, timer));
  if (t->op->deadline <= timer->when)
    late(t);
  else if (!bs_advance(L, t)) /* had a rest */
    return;
  bs_unpark(t);
  bs_resumetask(L, t);
}

/* ==== calls in tasks ==== */

/* The function may be an iterator that has none of the usual upvalues. */
static int resumed (lua_State *L, int status, lua_KContext ctx) {
  bs_loop *loop = (bs_loop *)ctx;
  bs_task *t = loop->current;
  (void)status;
  if (t == NULL || L != t->runs || !t->pending || t->at != L)
    return bs_wrongly(L, loop);
  t->pending = 0;
  if (t->holds != 0)
    bs_releasesides(t);
  if (t->job != NULL) {
    t->job = NULL;
    lua_pop(L, 1);
  }
  return t->op->kind->finish(L, t->op);
}

/* Room for a copy of the operation; false when memory is out. */
static BS_ASIDE int moreroom (bs_task *t, size_t size) {
  bs_state *st = t->loop->st;
  bs_op *op = (bs_op *)st->alloc(st->allocdata, NULL, 0, size);
  if (op == NULL)
    return 0;
  bs_freeroom(t);
  t->op = op;
  t->room = (int)size;
  return 1;
}

static BS_STRAIGHT int roomfor (bs_task *t, size_t size) {
  return (size_t)t->room >= size || moreroom(t, size);
}

/* A scope's coroutine is kept alive by what is on the stack around it, which might be closed. */
static BS_STRAIGHT int keepthread (lua_State *L, bs_task *t) {
  if (L == t->L)
    return 1;
  if (!lua_checkstack(L, 4))
    return 0;
  bs_pushtasks(L, t->loop->st);
  lua_rawgetp(L, -1, t);
  lua_pushthread(L);
  lua_setiuservalue(L, -2, 2);
  lua_pop(L, 2);
  return 1;
}

static BS_STRAIGHT int suspend (lua_State *L, bs_task *t, const bs_op *op) {
  memcpy(t->op, op, op->kind->size);
  if (t->op->deadline == BS_FOREVER &&
      t->op->began == 0) /* so that it can be told since when it waits */
    t->op->began = bs_coarsenow();
  t->pending = 1;
  t->at = L;
  return lua_yieldk(L, 0, (lua_KContext)t->loop, resumed);
}

static int hasturn (const bs_state *st) {
  bs_loop *loop = st->loop;
  return loop == NULL || loop->current == NULL || loop->budget-- > 0;
}

/* Of two sides there was memory for the first only: gives 0. */
static BS_ASIDE int holdneither (bs_task *t, const bs_op *op) {
  memcpy(t->op, op, op->kind->size); /* which says what the task holds */
  bs_releasesides(t);
  return 0;
}

/* Is there everything that it takes to wait? (Memory is not.) */
static BS_STRAIGHT int canwait (lua_State *L, bs_task *t, const bs_op *op) {
  return roomfor(t, op->kind->size) && keepthread(L, t) &&
         (BS_LIKELY(bs_holdsides(t, op) == 0) || holdneither(t, op));
}

/* Another call uses the socket. Who wants to send waits for its turn. */
static BS_ASIDE int runbusy (lua_State *L, bs_task *t, bs_op *op) {
  const bs_kind *kind = op->kind;
  if (bs_busysides(op) == BS_OUT && op->timeout != 0) {
    if (t == NULL)
      return bs_misplaced(L, op->st->loop) ? bs_refuse(L, kind->name) : BS_STOP;
    if (bs_sideof(op, BS_OUT)->fd >= op->st->loop->size ||
        op->st->loop->places[bs_sideof(op, BS_OUT)->fd].sender == NULL)
      return BS_STOP; /* it is another scheduler's call */
    if (!roomfor(t, kind->size) || !keepthread(L, t))
      return bs_memory(L);
    if ((bs_sides(op) & BS_IN) && bs_holdside(t, op, BS_IN) != 0)
      return bs_memory(L);
    if (bs_queueat(t, op) == 0)
      return suspend(L, t, op);
    (void)holdneither(t, op);
    return bs_memory(L);
  }
  (void)bs_isbusy(op);
  return kind->finish(L, op);
}

static int maywait (lua_State *L, const bs_state *st) {
  return st->looping ? bs_taskof(L, st->loop) != NULL : -1;
}

static int run (lua_State *L, bs_op *op) {
  bs_loop *loop = op->st->loop;
  const bs_kind *kind = op->kind;
  if (loop == NULL)
    return BS_NOTMINE;
  bs_task *t = bs_taskof(L, loop);
  unsigned char collected = 0;
  op->rest = 0;
  if (t == NULL && !bs_misplaced(L, loop))
    return loop->current != NULL ? BS_STOP : BS_NOTMINE;
  if (t != NULL && t->pending) /* something else has resumed it meanwhile */
    bs_forget(t);
  if (!BS_LIKELY(bs_busysides(op) == 0))
    return runbusy(L, t, op);
  /* what may block is tried here only: its thread's job has to be on the stack */
  if (t != NULL && loop->budget-- <= 0 && op->timeout != 0 && !bs_mayblock(op)) {
    if (!canwait(L, t, op))
      return bs_memory(L);
    t->collected = 0;
    (void)bs_fixdeadline(op);
    bs_makeready(t);
    return suspend(L, t, op);
  }
  int want = attempt(L, loop, op, &collected, t != NULL);
  if (want == BS_DONE)
    return kind->finish(L, op);
  if (t == NULL || !canwait(L, t, op)) {
    if (kind->drop != NULL)
      kind->drop(op);
    return t == NULL ? bs_refuse(L, kind->name) : bs_memory(L);
  }
  op->error = 0;
  if (want == BS_BLOCK) {
    t->job = bs_startjob(L, op);
    if (t->job == NULL)
      return BS_STOP;
    want = BS_READ;
  }
  t->collected = collected;
  (void)bs_fixdeadline(op);
  if (want == BS_AGAIN)
    bs_makeready(t);
  else if (!park(t, op, want)) {
    if (t->job != NULL) {
      bs_abandon(t->job);
      t->job = NULL;
      lua_pop(L, 1);
    }
    memcpy(t->op, op, kind->size); /* which says what the task holds */
    bs_releasesides(t);
    return kind->finish(L, op);
  }
  return suspend(L, t, op);
}

/* Takes the side from a task whose coroutine somebody has closed. */
static void reclaim (const bs_state *st, const bs_socket *s, int side) {
  (void)st;
  const bs_loop *loop = s->st->loop;
  if (loop == NULL || s->fd >= loop->size)
    return;
  const place *p = &loop->places[s->fd];
  bs_task *t = side == BS_IN ? p->receiver : p->sender;
  if (t == NULL || !t->pending || !bs_isgone(t))
    return;
  bs_forget(t);
  bs_makeready(t);
}

const bs_driver bs_loopdriver = {
  .run = run, .reclaim = reclaim, .maywait = maywait, .hasturn = hasturn};
