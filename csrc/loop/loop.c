/*
** loop.c: bsdsocket.loop, many tasks in one thread. A call that would have to wait in a task leaves a copy of
** its operation there, and suspends it. When the engine tells that the descriptor is ready, the operation is
** tried here, in C, and what it comes to is what the coroutine is resumed with. Here are what waits at which
** descriptor, the operations of tasks, and loop.run, which gives each its turn. How a task begins and ends is in
** task.c, loop.wrap and loop.timeout are in scope.c, what is told of tasks in inspect.c and trace.c, their data in loop.h. Time is in timer.c, readiness
** in engine.c, and what one try means in wait.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "loop/loop.h"
#include "object/chunk.h"
#include "op/drive.h"
#include "op/run.h"
#include "op/turn.h"

#define LUASTATE 208 /* bytes of a lua_State: what Lua does not tell, and nothing depends on */
#define BUDGET 64    /* tries in a row that a task has before others get their turn */

/* Those at a place that hold no side of the socket. It is there while there are any. */
typedef struct crowd {
  bs_list queue;    /* who wants to send when its turn has come, the first one first */
  bs_list watchers; /* who waits until it is ready, and receives and sends nothing then */
  bs_task *lone;
  int asked; /* of the engine, where that is asked anew for each wait */
} crowd;

/* What the loop knows of a descriptor. One of ours is added to the engine once, for changes in both
** directions; another library's for each wait anew, as it may be closed behind our back. */
typedef struct place {
  bs_socket *sock;      /* NULL: not one of ours */
  bs_task *receiver;    /* its call has begun to receive, and is suspended; it need not wait here */
  bs_task *sender;      /* the same of sending */
  crowd *others;        /* NULL: there are none */
  unsigned char known;  /* the engine has it */
  unsigned char armed;  /* and will tell: another library's is asked about once */
  unsigned char empty;  /* nothing to read since the last change */
  unsigned char hangup; /* no longer to be relied on */
  unsigned char pauses; /* the sender has a rest: the kernel's word is not wanted */
} place;

/* Is this the child of the process whose loop it is? What the kernel knows of it is the parent's. */
static int forked (const bs_loop *loop) {
  return bs_engineforked(&loop->engine);
}

/* ==== places ==== */

/* Makes an array of at least n; 0 or BS_ENOMEM. */
static BS_ASIDE int reserve (bs_loop *loop, int n) {
  bs_state *st = loop->st;
  int size = loop->size > 0 ? loop->size : 64;
  if (n <= loop->size)
    return 0;
  while (size < n)
    size = size > INT_MAX / 2 ? INT_MAX : 2 * size;
  place *places = (place *)st->alloc(
    st->allocdata, loop->places, (size_t)loop->size * sizeof(place), (size_t)size * sizeof(place));
  if (places == NULL)
    return BS_ENOMEM;
  memset(places + loop->size, 0, (size_t)(size - loop->size) * sizeof(place));
  loop->places = places;
  loop->size = size;
  return 0;
}

/* ---- those at a place that hold no side ---- */

static crowd *needcrowd (bs_loop *loop, int fd) {
  bs_state *st = loop->st;
  place *p = &loop->places[fd];
  if (p->others == NULL) {
    p->others = (crowd *)st->alloc(st->allocdata, NULL, 0, sizeof(crowd));
    if (p->others != NULL)
      memset(p->others, 0, sizeof(crowd));
  }
  return p->others;
}

static BS_ASIDE void leavecrowd (bs_task *t) {
  bs_loop *loop = t->loop;
  place *p = &loop->places[t->fd];
  crowd *others = p->others;
  if (t->among == BS_LONE)
    others->lone = NULL;
  bs_leavelist(t);
  t->among = 0;
  if (others->queue.n == 0 && others->watchers.n == 0 && others->lone == NULL) {
    p->others = NULL;
    loop->st->alloc(loop->st->allocdata, others, sizeof(crowd), 0);
  }
}

/* What they wait for, all together. */
static BS_ASIDE int crowdwants (const crowd *others) {
  int want = others->lone != NULL ? others->lone->wanted : 0;
  for (const bs_task *t = others->watchers.first; t != NULL; t = t->next)
    want |= t->wanted;
  return want;
}

/* ---- waiting at a place ---- */

/* Does it wait here? Who holds a side may have a rest, or wait elsewhere. */
static BS_STRAIGHT int waitsat (const bs_task *t, int fd) {
  return t != NULL && t->wanted != 0 && t->fd == fd;
}

/* Tells an engine without edges what is waited for at a place now. */
static BS_STRAIGHT void needs (bs_loop *loop, int fd) {
  if (bs_enginehasedges(&loop->engine))
    return;
  const place *p = &loop->places[fd];
  int want = waitsat(p->receiver, fd) ? p->receiver->wanted : 0;
  if (waitsat(p->sender, fd) && !p->pauses)
    want |= p->sender->wanted;
  if (p->others != NULL)
    want |= crowdwants(p->others);
  bs_engineneeds(&loop->engine, fd, want);
}

/* The task no longer waits at a place. What it holds it keeps. */
static BS_STRAIGHT void unpark (bs_task *t) {
  if (t->among != 0)
    leavecrowd(t);
  if (t->wanted != 0) {
    t->wanted = 0;
    needs(t->loop, t->fd);
    t->loop->waiting--;
  }
  bs_stoptimer(&t->loop->timers, &t->timer);
  bs_leavelist(t);
}

/* It is to look again whether it has to wait. */
static void rouse (bs_task *t) {
  unpark(t);
  bs_makeready(t);
}

#define READING (BS_READ | BS_URGENT | BS_ERROR)

static void forgetplace(bs_loop *loop, int fd, const bs_socket *s);

/* Sees to it that the engine tells of this descriptor; 0 or an error. */
static int watch (bs_loop *loop, int fd, bs_socket *s, int want) {
  place *p = &loop->places[fd];
  int bynumber = p->sock != NULL && s == NULL, err = ENOENT;
  int asked = s != NULL || bynumber ? BS_READ | BS_WRITE | BS_EDGE : want | BS_ONCE;
  if (forked(loop)) /* it would tell the parent; loop.run refuses to wait here */
    return 0;
  if (p->others != NULL && s == NULL && !bynumber)
    asked |= crowdwants(p->others);
  if (p->known) {
    err = bs_enginemodify(&loop->engine, fd, fd, asked);
    if (err == 0 && bynumber)
      return 0;
    if (err == ENOENT || err == EBADF) { /* it was closed, and this is another */
      forgetplace(loop, fd, s);
      if (bynumber)
        asked = want | BS_ONCE;
    }
  }
  if (err == ENOENT || err == EBADF)
    err = bs_engineadd(&loop->engine, fd, fd, asked);
  if (err == EEXIST)
    err = bs_enginemodify(&loop->engine, fd, fd, asked);
  p->known = p->armed = err == 0;
  p->sock = err == 0 ? s : NULL;
  p->empty = p->hangup = 0;
  if (p->others != NULL)
    p->others->asked = asked;
  return err;
}

/* Is the engine told already that this is waited for? */
static BS_STRAIGHT int watched (const place *p, const bs_socket *s, int want) {
  if (!p->known)
    return 0;
  if (s != NULL)
    return p->sock == s;
  return p->sock == NULL && p->armed && p->others != NULL && (want & ~p->others->asked) == 0;
}

/* Joins those who wait there and hold nothing: 0 or an error. */
static BS_ASIDE int watchplace (bs_task *t, int fd, const bs_op *op) {
  crowd *others = needcrowd(t->loop, fd);
  if (others == NULL)
    return BS_ENOMEM;
  t->fd = fd;
  if (op->kind->concerns != NULL) {
    t->among = BS_LONE;
    others->lone = t;
  }
  else {
    bs_append(&others->watchers, t);
    t->among = BS_WATCHES;
  }
  return 0;
}

/* Lets the task wait at a place: 0 or an error. */
static BS_STRAIGHT int parkat (bs_task *t, int fd, const bs_op *op, int want) {
  bs_socket *s = op->sock;
  bs_loop *loop = t->loop;
  unsigned char pauses = op->rest > 0;
  if (t->wanted != 0 && t->fd == fd && t->wanted == want && loop->places[fd].armed &&
      loop->places[fd].pauses == pauses)
    return 0; /* as before */
  unpark(t);
  if (fd < 0)
    return EBADF;
  int err = BS_LIKELY(fd < loop->size) ? 0 : reserve(loop, fd + 1);
  if (!BS_LIKELY(err == 0))
    return err;
  place *p = &loop->places[fd];
  if (p->receiver == t) { /* to flush is left to who sends, whose turn it is */
    if (p->sender != NULL && p->sender != t && (want & ~BS_WRITE))
      want &= ~BS_WRITE;
  }
  else if (p->sender == t)
    p->pauses = pauses;
  err = BS_LIKELY(watched(p, s, want)) ? 0 : watch(loop, fd, s, want);
  if (err == 0 && p->receiver != t && p->sender != t)
    err = watchplace(t, fd, op);
  if (!BS_LIKELY(err == 0))
    return err;
  t->fd = fd;
  t->wanted = (unsigned char)want;
  loop->waiting++;
  needs(loop, fd);
  return 0;
}

/* ---- whose turn it is ---- */

/* Takes a side of the socket for a call that will be suspended: 0 or BS_ENOMEM. */
static BS_STRAIGHT int holdside (bs_task *t, const bs_op *op, int side) {
  bs_socket *s = bs_sideof(op, side);
  bs_loop *loop = t->loop;
  if (s == NULL || s->fd < 0) /* its next step will say so */
    return 0;
  if (!BS_LIKELY(s->fd < loop->size) && reserve(loop, s->fd + 1) != 0)
    return BS_ENOMEM;
  place *p = &loop->places[s->fd];
  bs_task **holder = side == BS_IN ? &p->receiver : &p->sender;
  if (!BS_LIKELY(*holder == NULL)) /* of a socket of this number that was closed behind our back */
    forgetplace(loop, s->fd, s);
  *holder = t;
  s->marks = (unsigned char)(s->marks | side);
  t->holds = (unsigned char)(t->holds | side);
  return 0;
}

static BS_STRAIGHT int hold (bs_task *t, const bs_op *op) {
  int sides = bs_sides(op), err = 0;
  if ((sides & BS_IN) && !(t->holds & BS_IN))
    err = holdside(t, op, BS_IN);
  if (err == 0 && (sides & BS_OUT) && !(t->holds & BS_OUT))
    err = holdside(t, op, BS_OUT);
  return err;
}

/* Nobody sends any more: the next one's turn has come. */
static BS_STRAIGHT void passturn (bs_loop *loop, bs_socket *s) {
  place *p = &loop->places[s->fd];
  bs_task *next = p->others != NULL ? p->others->queue.first : NULL;
  p->sender = next;
  if (next != NULL) {
    rouse(next);
    next->holds |= BS_OUT;
    return;
  }
  s->marks = (unsigned char)(s->marks & ~BS_OUT);
  if ((s->flags & BS_UNFLUSHED) &&
      waitsat(p->receiver, s->fd)) /* which sends that before it waits on */
    rouse(p->receiver);
}

/* The call of the task has ended. (Of a socket that was closed meanwhile it holds nothing any more.) */
static BS_STRAIGHT void release (bs_task *t) {
  const bs_op *op = t->op;
  int holds = t->holds;
  t->holds = 0;
  if (holds & BS_IN) {
    bs_socket *s = bs_sideof(op, BS_IN);
    s->marks = (unsigned char)(s->marks & ~BS_IN);
    t->loop->places[s->fd].receiver = NULL;
  }
  if (holds & BS_OUT)
    passturn(t->loop, bs_sideof(op, BS_OUT));
}

/* Somebody else sends: waits until that has ended. 0 or BS_ENOMEM. */
static int queueat (bs_task *t, bs_op *op) {
  bs_loop *loop = t->loop;
  int fd = bs_sideof(op, BS_OUT)->fd;
  bs_time when = bs_fixdeadline(op);
  if (when != BS_FOREVER && bs_settimer(&loop->timers, &t->timer, when) != 0)
    return BS_ENOMEM;
  crowd *others = needcrowd(loop, fd);
  if (others == NULL) {
    bs_stoptimer(&loop->timers, &t->timer);
    return BS_ENOMEM;
  }
  t->fd = fd;
  bs_append(&others->queue, t);
  t->among = BS_QUEUES;
  t->state = BS_WAITING;
  return 0;
}

/* ---- the end of a descriptor ---- */

/* What waits at the place goes on: it will find out by itself why. */
static void wakewith (bs_task *t, int err) {
  unpark(t);
  if (t->pending && t->job == NULL)
    t->op->error = err;
  bs_makeready(t);
}

/* The side is nobody's any more. */
static void loseside (bs_task **holder, int side, const bs_socket *but) {
  bs_task *t = *holder;
  bs_socket *s = t != NULL ? bs_sideof(t->op, side) : NULL;
  if (t == NULL || s == NULL || s == but) /* who holds a side has a socket */
    return;
  *holder = NULL;
  s->marks = (unsigned char)(s->marks & ~side);
  t->holds = (unsigned char)(t->holds & ~side);
  wakewith(t, EBADF);
}

/* The engine does not have it any more. Those who wait there go on, but for those of `but`, which has the number now. */
static void forgetplace (bs_loop *loop, int fd, const bs_socket *but) {
  place *p = &loop->places[fd];
  p->known = 0;
  loseside(&p->receiver, BS_IN, but);
  loseside(&p->sender, BS_OUT, but);
  if (p->others != NULL) {
    bs_list all = p->others->queue;
    for (bs_task *t = all.first, *next; t != NULL; t = next) {
      next = t->next;
      if (but == NULL || bs_sideof(t->op, BS_OUT) != but)
        wakewith(t, EBADF);
    }
  }
  if (p->others != NULL) {
    bs_list all = p->others->watchers;
    for (bs_task *t = all.first, *next; t != NULL; t = next) {
      next = t->next;
      if (but == NULL || t->op->sock != but)
        wakewith(t, EBADF);
    }
  }
  if (p->others != NULL && p->others->lone != NULL)
    wakewith(p->others->lone, EBADF);
  p->sock = NULL;
}

/* Has somebody closed its coroutine? What its operation points to is gone then. */
static int isgone (const bs_task *t) {
  return lua_status(t->at) != LUA_YIELD;
}

static void reclaim (const bs_state *st, const bs_socket *s, int side) {
  (void)st;
  const bs_loop *loop = s->st->loop;
  if (loop == NULL || s->fd >= loop->size)
    return;
  const place *p = &loop->places[s->fd];
  bs_task *t = side == BS_IN ? p->receiver : p->sender;
  if (t == NULL || !t->pending || !isgone(t))
    return;
  bs_forget(t);
  bs_makeready(t);
}

/* The descriptor is about to be closed or given up. */
static void leaveplace (bs_loop *loop, int fd) {
  if (fd < 0 || fd >= loop->size)
    return;
  if (loop->places[fd].known && !forked(loop))
    (void)bs_engineremove(&loop->engine, fd, fd);
  forgetplace(loop, fd, NULL);
}

static void gone (bs_state *st, bs_socket *s, int fd) {
  bs_loop *loop = st->loop;
  (void)s;
  if (loop == NULL)
    return;
  leaveplace(loop, fd);
  /* who waits elsewhere may have it all the same, and poll's poller has no descriptor */
  for (bs_task *t = loop->selecting.first, *next; t != NULL; t = next) {
    const bs_op *op = t->op;
    next = t->next;
    if (op->kind->concerns == NULL || isgone(t) || op->kind->concerns(op, fd))
      bs_makeready(t);
  }
}

static void born (bs_state *st, int fd) {
  if (st->loop != NULL && st->loop->running)
    leaveplace(st->loop, fd);
}

/* ---- what the kernel does not tell ---- */

static void lookagain (bs_state *st, int fd) {
  bs_loop *loop = st->loop;
  if (loop == NULL || fd < 0)
    return;
  for (bs_task *t = loop->selecting.first, *next; t != NULL; t = next) {
    next = t->next;
    if (isgone(t) || t->op->kind->concerns == NULL || t->op->kind->concerns(t->op, fd))
      bs_makeready(t);
  }
  if (fd >= loop->size || loop->places[fd].others == NULL)
    return;
  bs_list all = loop->places[fd].others->watchers;
  for (bs_task *t = all.first, *next; t != NULL; t = next) {
    next = t->next;
    rouse(t);
  }
}

static void came (bs_socket *s) {
  const bs_loop *loop = s->st->loop;
  if (loop == NULL)
    return;
  lookagain(s->st, s->fd);
  if ((s->marks & BS_IN) && s->fd < loop->size) { /* s:read(0) took them, beside one that waits */
    bs_task *t = loop->places[s->fd].receiver;
    if (waitsat(t, s->fd) && !t->tried)
      rouse(t);
  }
}

/* Does another task wait for what is unflushed to be sent? */
static int flushes (const bs_socket *s) {
  const bs_loop *loop = s->st->loop;
  if (loop == NULL || s->fd < 0 || s->fd >= loop->size || loop->places[s->fd].others == NULL)
    return 0;
  for (const bs_task *t = loop->places[s->fd].others->watchers.first; t != NULL; t = t->next)
    if (t->pending && t->op->kind->step == bs_flushstep)
      return 1;
  return 0;
}

static void shutsides (lua_State *L, bs_socket *s, int sides) {
  bs_loop *loop = s->st->loop;
  (void)L;
  if (loop == NULL || s->fd < 0 || s->fd >= loop->size)
    return;
  place *p = &loop->places[s->fd];
  p->empty = 0;
  if ((sides & BS_IN) && waitsat(p->receiver, s->fd))
    rouse(p->receiver);
  if ((sides & BS_OUT) && p->sender != NULL)
    wakewith(p->sender, EPIPE);
  while ((sides & BS_OUT) && p->others != NULL && p->others->queue.first != NULL)
    wakewith(p->others->queue.first, EPIPE);
  lookagain(s->st, s->fd);
}

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
    unpark(t);
  else {
    int fd = t->job != NULL ? bs_jobfd(t->job) : op->sock != NULL ? op->sock->fd : op->fd;
    op->error = parkat(t, fd, op, want);
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
    unpark(t);
    return 0;
  }
  t->state = BS_WAITING;
  return 1;
}

/* The job's descriptor is about to be closed. No select has it. */
static void leavejob (bs_task *t) {
  unpark(t);
  leaveplace(t->loop, bs_jobfd(t->job));
}

void bs_forget (bs_task *t) {
  if (t->job != NULL) {
    leavejob(t);
    bs_abandon(t->job);
    t->job = NULL;
  }
  unpark(t);
  release(t);
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
  else if (bs_waitsitself(op) && op->fd < 0 && !isgone(t) &&
           op->kind->step(op, BS_NEVER) == BS_DONE)
    return;
  op->error = BS_ETIMEOUT;
}

/* Goes on with the operation that the task waits for; true if it has ended. */
static int advance (lua_State *L, bs_task *t) {
  bs_op *op = t->op;
  int want = BS_READ;
  if (isgone(t)) {
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
    unpark(t);
    bs_makeready(t);
    return 0;
  }
  return want == BS_DONE || !park(t, op, want);
}

static BS_STRAIGHT void resume (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  int results, arguments = t->started ? 0 : lua_gettop(t->L) - 1;
  t->started = 1;
  unpark(t);
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
    release(t);
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
  release(t);
  return 0;
}

/* Is there everything that it takes to wait? (Memory is not.) */
static BS_STRAIGHT int canwait (lua_State *L, bs_task *t, const bs_op *op) {
  return roomfor(t, op->kind->size) && keepthread(L, t) &&
         (BS_LIKELY(hold(t, op) == 0) || holdneither(t, op));
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
    if ((bs_sides(op) & BS_IN) && holdside(t, op, BS_IN) != 0)
      return bs_memory(L);
    if (queueat(t, op) == 0)
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
    release(t);
    return kind->finish(L, op);
  }
  return suspend(L, t, op);
}

/* ==== the loop ==== */

/* Those that are ready now get their turn; those that become so meanwhile the next time. Where one has forked this
** process the others are the parent's: here and below, none of them is to go on in the child. */
static void runready (lua_State *L, bs_loop *loop) {
  for (int n = loop->ready.n; n > 0 && loop->ready.first != NULL && !forked(loop); n--) {
    bs_task *t = loop->ready.first;
    bs_leavelist(t);
    if (!t->pending || t->op->error != 0 || advance(L, t))
      resume(L, t);
  }
}

/* Whose turn will come soon: with thousands of tasks, what it needs is no longer in the processor's cache, so it is
** fetched meanwhile. What says where the next thing is has come by the next call. */
static void soon (void *ud, int fd, int turns) {
  const place *p = &((const bs_loop *)ud)->places[fd];
  if (turns == 3)
    BS_FETCH(p, sizeof(place));
  else if (p->receiver != NULL && turns == 2) {
    BS_FETCH(p->receiver, offsetof(bs_task, timer));
    BS_FETCH(p->sock, sizeof(bs_socket));
  }
  else if (p->receiver != NULL)
    BS_FETCH(p->receiver->at, LUASTATE);
}

/* Is it what the task waits for here? */
static BS_STRAIGHT int wants (const bs_task *t, int fd, int what) {
  return waitsat(t, fd) && ((what & BS_HANGUP) || (t->wanted & what & (READING | BS_WRITE)));
}

/* They look again in the loop's next turn, each for itself. */
static BS_ASIDE void rousewatchers (const place *p, int what) {
  bs_task *lone = p->others->lone;
  bs_list all = p->others->watchers;
  for (bs_task *t = all.first, *next; t != NULL; t = next) {
    next = t->next;
    if (wants(t, t->fd, what))
      rouse(t);
  }
  if (lone != NULL && wants(lone, lone->fd, what))
    rouse(lone);
}

/* What the engine tells. */
static void told (void *ud, int fd, int what) {
  bs_loop *loop = (bs_loop *)ud;
  lua_State *L = loop->L;
  if (forked(loop))
    return;
  place *p = &loop->places[fd];
  if (what == BS_LOST) {
    forgetplace(loop, fd, NULL);
    return;
  }
  if (what & BS_READ)
    p->empty = 0;
  if (what & BS_HANGUP)
    p->hangup = 1;
  p->armed = p->sock != NULL;
  if (!BS_LIKELY(p->others == NULL))
    rousewatchers(p, what);
  bs_task *receiver = wants(p->receiver, fd, what) ? p->receiver : NULL;
  bs_task *sender = wants(p->sender, fd, what) ? p->sender : NULL;
  if (receiver != NULL && advance(L, receiver))
    resume(L, receiver);
  if (sender != NULL && sender != receiver && loop->places[fd].sender == sender &&
      waitsat(sender, fd) && !forked(loop) && (sender->op->rest == 0 || (what & BS_HANGUP)) &&
      advance(L, sender))
    resume(L, sender);
  p = &loop->places[fd];
  if (p->known && !p->armed && p->others != NULL &&
      watch(loop, fd, NULL, 0) != 0) /* for who was not meant; or has it been closed? */
    forgetplace(loop, fd, NULL);
}

void bs_ringtask (lua_State *L, bs_timer *timer) {
  bs_task *t = (bs_task *)(void *)((char *)timer - offsetof(bs_task, timer));
  if (t->op->deadline <= timer->when)
    late(t);
  else if (!advance(L, t)) /* had a rest */
    return;
  unpark(t);
  resume(L, t);
}

/* ==== waiting for time, and for descriptors of other libraries ==== */

/* Nothing ever comes; that the time is over is what is wanted. */
static int sleep_step (bs_op *op, bs_time patience) {
  (void)patience;
  op->rest = (bs_time)1 << 62;
  return BS_REST;
}

static int sleep_finish (lua_State *L, bs_op *op) {
  if (op->error != EAGAIN && op->error != BS_ETIMEOUT)
    return bs_failop(L, op, NULL);
  return 0;
}

static const bs_kind sleep_kind = {BS_CALL("sleep", bs_op), .step = sleep_step,
                                   .finish = sleep_finish};

static int rested (lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  bs_goeson(L, (bs_loop *)ctx);
  return 0;
}

static bs_loop *loopof (lua_State *L) {
  return ((bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
}

/* loop.sleep(seconds). Without any, the others get their turn. */
static int loop_sleep (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_op op;
  luaL_checknumber(L, 1);
  bs_initop(&op, &sleep_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  op.timeout = bs_checktimeout(L, 1);
  lua_settop(L, 0);
  bs_task *t = bs_taskof(L, loop);
  if (op.timeout == 0 && loop != NULL && bs_misplaced(L, loop))
    return bs_refuse(L, "sleep");
  if (op.timeout != 0 || t == NULL)
    return bs_run(L, &op);
  bs_makeready(t);
  return lua_yieldk(L, 0, (lua_KContext)loop, rested);
}

/* loop.now() */
static int loop_now (lua_State *L) {
  lua_pushnumber(L, (lua_Number)bs_now() / 1e9);
  return 1;
}

/* ==== loop.run ==== */

bs_loop *bs_needloop (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  if (st->loop == NULL) {
    lua_newtable(L); /* of tasks */
    lua_rawsetp(L, LUA_REGISTRYINDEX, st);
    bs_loop *loop = (bs_loop *)lua_newuserdatauv(L, sizeof(bs_loop), 0);
    memset(loop, 0, sizeof(*loop));
    loop->st = loop->timers.st = st;
    loop->engine.fd = -1;
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_LOOP);
    st->loop = loop;
  }
  return st->loop;
}

/* Those whose time has come. */
static void ringtimers (lua_State *L, bs_loop *loop) {
  if (loop->timers.n == 0)
    return;
  bs_time now = bs_now();
  for (bs_timer *t; (t = bs_nexttimer(&loop->timers)) != NULL && t->when <= now && !forked(loop);) {
    bs_stoptimer(&loop->timers, t);
    t->ring(L, t);
  }
}

/* After a signal: its handler may have set a hook on a coroutine that waits, where it was made known. */
static BS_SELDOM void checkwaiting (lua_State *L, bs_loop *loop) {
  int found = 0;
  bs_pushtasks(L, loop->st);
  for (lua_pushnil(L); !found && lua_next(L, -2); lua_pop(L, 1)) {
    const bs_task *t = (const bs_task *)lua_touserdata(L, -1);
    found = t->at != NULL && bs_checkhookof(L, t->at);
  }
  lua_pop(L, found ? 2 : 1);
}

static int deadlock (lua_State *L, bs_loop *loop) {
  lua_pushliteral(L, "every task waits for another to end");
  bs_addtasks(L, loop);
  return lua_error(L);
}

/* Until every task has ended, or the first has failed, or loop.stop. May raise what a hook raises. */
static int loop_turn (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_hooks known = bs_knownhooks(L, loop->st);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (known.main != NULL)
    bs_checkmainhook(L, loop->st, &known);
  loop->L = L;
  while (loop->alive > 0 && !loop->stopped) {
    bs_time patience = BS_NEVER;
    for (bs_task *t = loop->silent.first; t != NULL; t = t->next)
      t->silent = BS_STALE;
    runready(L, loop);
    bs_tellerrors(L, loop, BS_STALE, 1);
    if (loop->stopped || (loop->first != NULL && loop->first->failed))
      return 0;
    if (loop->ready.n == 0) {
      if (loop->alive == 0)
        return 0;
      if (bs_tellerrors(L, loop, BS_FRESH, 1))
        continue;
      const bs_timer *next = bs_nexttimer(&loop->timers);
      patience = BS_FOREVER;
      if (next != NULL) {
        bs_time now = bs_now();
        patience = next->when > now ? next->when - now : BS_NEVER;
      }
      else if (loop->waiting == 0)
        return deadlock(L, loop);
    }
    if (forked(loop))
      return luaL_error(L, "this process was forked from one whose loop this is");
    bs_checkhooks(L, loop->st, &known); /* set while a task computed */
    int err = bs_enginewait(&loop->engine, patience, told, soon, loop);
    if (err != 0 && err != EINTR)
      return bs_raise(L, "run", err);
    bs_checkhooks(L, loop->st, &known);
    if (err == EINTR)
      checkwaiting(L, loop);
    ringtimers(L, loop);
  }
  return 0;
}

static void shut (bs_loop *loop) {
  bs_state *st = loop->st;
  bs_engineclose(&loop->engine);
  bs_freetimers(&loop->timers);
  if (loop->places != NULL)
    st->alloc(st->allocdata, loop->places, (size_t)loop->size * sizeof(place), 0);
  loop->places = NULL;
  loop->size = 0;
  loop->waiting = 0;
}

/* A state may be closed by a task, while others wait. Finalizers of what is older than the library may still come
** with tasks and generators: the loop itself stays, and there is nothing in it. */
void bs_closeloop (lua_State *L, bs_state *st) {
  if (st->loop == NULL)
    return;
  bs_pushtasks(L, st);
  for (lua_pushnil(L); lua_istable(L, -2) && lua_next(L, -2); lua_pop(L, 1)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    bs_forget(t);
    bs_freeroom(t);
  }
  lua_pop(L, 1);
  shut(st->loop);
  st->loop->current = NULL;
}

/* The function of loop.run and its arguments become the first task. */
static int loop_first (lua_State *L) {
  bs_loop *loop = loopof(L);
  loop->first = bs_newtask(L, 1);
  return 1;
}

/* loop.run([f, ...]) */
static int loop_run (lua_State *L) {
  bs_loop *loop = bs_needloop(L);
  int isfirst = !lua_isnoneornil(L, 1);
  if (isfirst)
    luaL_checktype(L, 1, LUA_TFUNCTION);
  else
    lua_settop(L, 0);
  if (loop->running)
    return luaL_error(L, "loop.run: the loop runs already");
  bs_pushfunction(L, loop_turn, 0);
  lua_insert(L, 1);
  if (isfirst) {
    bs_pushfunction(L, loop_first, 0);
    lua_insert(L, 2);
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bs_needaside(L, loop);
  int err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0 && bs_collect(L, err))
    err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0)
    return bs_raise(L, "run", err);
  loop->running = loop->st->looping = 1; /* from here to the end nothing may raise */
  loop->st->aside++;
  loop->first = NULL;
  loop->stopped = 0;
  int status = isfirst ? lua_pcall(L, lua_gettop(L) - 2, 1, 0) : LUA_OK;
  if (status == LUA_OK) {
    lua_pushvalue(L, 1);
    status = lua_pcall(L, 0, 0, 0);
  }
  bs_task *first = loop->first;
  int at = lua_gettop(L); /* it is there, or an error */
  if (status == LUA_ERRRUN && bs_isinterrupt(L))
    bs_addtasks(L, loop);
  if (forked(loop))
    bs_abandonothers(L, loop, loop->ran);
  bs_cancelall(L, loop);
  shut(loop);
  loop->first = NULL;
  loop->running = loop->st->looping = 0;
  loop->st->aside--;
  bs_keeptrace(L, loop, status == LUA_OK && first != NULL ? at : 0);
  int stopped = loop->stopped, values = stopped ? bs_pushvalues(L, loop) : 0;
  loop->stopped = 0;
  if (status != LUA_OK) {
    lua_settop(L, at);
    return lua_error(L);
  }
  if (stopped)
    return values;
  if (first == NULL)
    return 0;
  int n = bs_pushoutcome(L, first, at);
  return first->failed ? lua_error(L) : n - 1;
}

static const luaL_Reg functions[] = {
  {"now", loop_now},
  {"run", loop_run},
  {"sleep", loop_sleep},
  {NULL, NULL},
};

static const bs_hearer hearer = {.gone = gone,
                                 .born = born,
                                 .came = came,
                                 .look = lookagain,
                                 .shut = shutsides,
                                 .flushes = flushes};

static const bs_driver driver = {
  .run = run, .reclaim = reclaim, .maywait = maywait, .hasturn = hasturn};

void bs_openloop (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_AT_STATE);
  bs_hear(st, &hearer);
  bs_adddriver(st, &driver);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_setfield(L, BS_AT_MODULE, "loop"); /* taken from there by lua/bsdsocket/loop.lua */
}
