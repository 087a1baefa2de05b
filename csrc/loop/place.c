/*
** place.c: what waits at which descriptor: who receives, who sends, who stands in the queue for that, who waits until it is
** ready; and what becomes of them when the descriptor goes, or when bytes come of which the kernel does not tell.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "loop/place.h"
#include "object/hear.h"
#include "op/attempt.h"

/* ==== places ==== */

/* Makes an array of at least n; 0 or BS_ENOMEM. */
BS_ASIDE int bs_reserveplaces (bs_loop *loop, int n) {
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

bs_crowd *bs_needcrowd (bs_loop *loop, int fd) {
  bs_state *st = loop->st;
  place *p = &loop->places[fd];
  if (p->others == NULL) {
    p->others = (bs_crowd *)st->alloc(st->allocdata, NULL, 0, sizeof(bs_crowd));
    if (p->others != NULL)
      memset(p->others, 0, sizeof(bs_crowd));
  }
  return p->others;
}

BS_ASIDE void bs_leavecrowd (bs_task *t) {
  bs_loop *loop = t->loop;
  place *p = &loop->places[t->fd];
  bs_crowd *others = p->others;
  if (t->among == BS_LONE)
    others->lone = NULL;
  bs_leavelist(t);
  t->among = 0;
  if (others->queue.n == 0 && others->watchers.n == 0 && others->lone == NULL) {
    p->others = NULL;
    loop->st->alloc(loop->st->allocdata, others, sizeof(bs_crowd), 0);
  }
}

/* What they wait for, all together. */
BS_ASIDE int bs_crowdwants (const bs_crowd *others) {
  int want = others->lone != NULL ? others->lone->wanted : 0;
  for (const bs_task *t = others->watchers.first; t != NULL; t = t->next)
    want |= t->wanted;
  return want;
}

/* ---- waiting at a place ---- */

/* Sees to it that the engine tells of this descriptor; 0 or an error. */
int bs_keepwatch (bs_loop *loop, int fd, bs_socket *s, int want) {
  place *p = &loop->places[fd];
  int bynumber = p->sock != NULL && s == NULL, err = ENOENT;
  int asked = s != NULL || bynumber ? BS_READ | BS_WRITE | BS_EDGE : want | BS_ONCE;
  if (bs_loopforked(loop)) /* it would tell the parent; loop.run refuses to wait here */
    return 0;
  if (p->others != NULL && s == NULL && !bynumber)
    asked |= bs_crowdwants(p->others);
  if (p->known) {
    err = bs_enginemodify(&loop->engine, fd, fd, asked);
    if (err == 0 && bynumber)
      return 0;
    if (err == ENOENT || err == EBADF) { /* it was closed, and this is another */
      bs_forgetplace(loop, fd, s);
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

/* Joins those who wait there and hold nothing: 0 or an error. */
BS_ASIDE int bs_watchplace (bs_task *t, int fd, const bs_op *op) {
  bs_crowd *others = bs_needcrowd(t->loop, fd);
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

/* Somebody else sends: waits until that has ended. 0 or BS_ENOMEM. */
int bs_queueat (bs_task *t, bs_op *op) {
  bs_loop *loop = t->loop;
  int fd = bs_sideof(op, BS_OUT)->fd;
  bs_time when = bs_fixdeadline(op);
  if (when != BS_FOREVER && bs_settimer(&loop->timers, &t->timer, when) != 0)
    return BS_ENOMEM;
  bs_crowd *others = bs_needcrowd(loop, fd);
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
void bs_wakewith (bs_task *t, int err) {
  bs_unpark(t);
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
  bs_wakewith(t, EBADF);
}

/* The engine does not have it any more. Those who wait there go on, but for those of `but`, which has the number now. */
void bs_forgetplace (bs_loop *loop, int fd, const bs_socket *but) {
  place *p = &loop->places[fd];
  p->known = 0;
  loseside(&p->receiver, BS_IN, but);
  loseside(&p->sender, BS_OUT, but);
  if (p->others != NULL) {
    bs_list all = p->others->queue;
    for (bs_task *t = all.first, *next; t != NULL; t = next) {
      next = t->next;
      if (but == NULL || bs_sideof(t->op, BS_OUT) != but)
        bs_wakewith(t, EBADF);
    }
  }
  if (p->others != NULL) {
    bs_list all = p->others->watchers;
    for (bs_task *t = all.first, *next; t != NULL; t = next) {
      next = t->next;
      if (but == NULL || t->op->sock != but)
        bs_wakewith(t, EBADF);
    }
  }
  if (p->others != NULL && p->others->lone != NULL)
    bs_wakewith(p->others->lone, EBADF);
  p->sock = NULL;
}

/* Has somebody closed its coroutine? What its operation points to is gone then. */
int bs_isgone (const bs_task *t) {
  return lua_status(t->at) != LUA_YIELD;
}

/* The descriptor is about to be closed or given up. */
void bs_leaveplace (bs_loop *loop, int fd) {
  if (fd < 0 || fd >= loop->size)
    return;
  if (loop->places[fd].known && !bs_loopforked(loop))
    (void)bs_engineremove(&loop->engine, fd, fd);
  bs_forgetplace(loop, fd, NULL);
}

static void gone (bs_state *st, bs_socket *s, int fd) {
  bs_loop *loop = st->loop;
  (void)s;
  if (loop == NULL)
    return;
  bs_leaveplace(loop, fd);
  /* who waits elsewhere may have it all the same, and poll's poller has no descriptor */
  for (bs_task *t = loop->selecting.first, *next; t != NULL; t = next) {
    const bs_op *op = t->op;
    next = t->next;
    if (op->kind->concerns == NULL || bs_isgone(t) || op->kind->concerns(op, fd))
      bs_makeready(t);
  }
}

static void born (bs_state *st, int fd) {
  if (st->loop != NULL && st->loop->running)
    bs_leaveplace(st->loop, fd);
}

/* ---- what the kernel does not tell ---- */

static void lookagain (bs_state *st, int fd) {
  bs_loop *loop = st->loop;
  if (loop == NULL || fd < 0)
    return;
  for (bs_task *t = loop->selecting.first, *next; t != NULL; t = next) {
    next = t->next;
    if (bs_isgone(t) || t->op->kind->concerns == NULL || t->op->kind->concerns(t->op, fd))
      bs_makeready(t);
  }
  if (fd >= loop->size || loop->places[fd].others == NULL)
    return;
  bs_list all = loop->places[fd].others->watchers;
  for (bs_task *t = all.first, *next; t != NULL; t = next) {
    next = t->next;
    bs_rouse(t);
  }
}

static void came (bs_socket *s) {
  const bs_loop *loop = s->st->loop;
  if (loop == NULL)
    return;
  lookagain(s->st, s->fd);
  if ((s->marks & BS_IN) && s->fd < loop->size) { /* s:read(0) took them, beside one that waits */
    bs_task *t = loop->places[s->fd].receiver;
    if (bs_waitsat(t, s->fd) && !t->tried)
      bs_rouse(t);
  }
}

/* Does another task wait for what is unflushed to be sent? */
static int flushes (const bs_socket *s) {
  const bs_loop *loop = s->st->loop;
  if (loop == NULL || s->fd < 0 || s->fd >= loop->size || loop->places[s->fd].others == NULL)
    return 0;
  for (const bs_task *t = loop->places[s->fd].others->watchers.first; t != NULL; t = t->next)
    if (t->pending && bs_flushes(t->op))
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
  if ((sides & BS_IN) && bs_waitsat(p->receiver, s->fd))
    bs_rouse(p->receiver);
  if ((sides & BS_OUT) && p->sender != NULL)
    bs_wakewith(p->sender, EPIPE);
  while ((sides & BS_OUT) && p->others != NULL && p->others->queue.first != NULL)
    bs_wakewith(p->others->queue.first, EPIPE);
  lookagain(s->st, s->fd);
}

const bs_hearer bs_loophearer = {.gone = gone,
                                 .born = born,
                                 .came = came,
                                 .look = lookagain,
                                 .shut = shutsides,
                                 .flushes = flushes};
