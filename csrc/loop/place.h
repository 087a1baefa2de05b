/*
** place.h: what waits at which descriptor, for place.c, driver.c and loop.c. What is here in full every wait of every task
** touches.
*/
#ifndef bs_place_h
#define bs_place_h

#include "base/error.h"
#include "loop/task.h"

BS_BEGIN

/* Those at a place that hold no side of the socket. It is there while there are any. */
typedef struct bs_crowd {
  bs_list queue;    /* who wants to send when its turn has come, the first one first */
  bs_list watchers; /* who waits until it is ready, and receives and sends nothing then */
  bs_task *lone;
  int asked; /* of the engine, where that is asked anew for each wait */
} bs_crowd;

/* What the loop knows of a descriptor. One of ours is added to the engine once, for changes in both
** directions; another library's for each wait anew, as it may be closed behind our back. */
typedef struct place {
  bs_socket *sock;      /* NULL: not one of ours */
  bs_task *receiver;    /* its call has begun to receive, and is suspended; it need not wait here */
  bs_task *sender;      /* the same of sending */
  bs_crowd *others;     /* NULL: there are none */
  unsigned char known;  /* the engine has it */
  unsigned char armed;  /* and will tell: another library's is asked about once */
  unsigned char empty;  /* nothing to read since the last change */
  unsigned char hangup; /* no longer to be relied on */
  unsigned char pauses; /* the sender has a rest: the kernel's word is not wanted */
} place;

#define BS_ALLREADING (BS_READ | BS_URGENT | BS_ERROR)

/* Is this the child of the process whose loop it is? What the kernel knows of it is the parent's. */
static inline int bs_loopforked (const bs_loop *loop) {
  return bs_engineforked(&loop->engine);
}

int bs_reserveplaces(bs_loop *loop, int n);
bs_crowd *bs_needcrowd(bs_loop *loop, int fd);
void bs_leavecrowd(bs_task *t);
int bs_crowdwants(const bs_crowd *others);
int bs_keepwatch(bs_loop *loop, int fd, bs_socket *s, int want);
int bs_watchplace(bs_task *t, int fd, const bs_op *op);
int bs_queueat(bs_task *t, bs_op *op);
void bs_wakewith(bs_task *t, int err);
void bs_forgetplace(bs_loop *loop, int fd, const bs_socket *but);
int bs_isgone(const bs_task *t);
void bs_leaveplace(bs_loop *loop, int fd);

/* ---- waiting at a place ---- */

/* Does it wait here? Who holds a side may have a rest, or wait elsewhere. */
static BS_STRAIGHT int bs_waitsat (const bs_task *t, int fd) {
  return t != NULL && t->wanted != 0 && t->fd == fd;
}

/* Tells an engine without edges what is waited for at a place now. */
static BS_STRAIGHT void bs_needs (bs_loop *loop, int fd) {
  if (bs_enginehasedges(&loop->engine))
    return;
  const place *p = &loop->places[fd];
  int want = bs_waitsat(p->receiver, fd) ? p->receiver->wanted : 0;
  if (bs_waitsat(p->sender, fd) && !p->pauses)
    want |= p->sender->wanted;
  if (p->others != NULL)
    want |= bs_crowdwants(p->others);
  bs_engineneeds(&loop->engine, fd, want);
}

/* The task no longer waits at a place. What it holds it keeps. */
static BS_STRAIGHT void bs_unpark (bs_task *t) {
  if (t->among != 0)
    bs_leavecrowd(t);
  if (t->wanted != 0) {
    t->wanted = 0;
    bs_needs(t->loop, t->fd);
    t->loop->waiting--;
  }
  bs_stoptimer(&t->loop->timers, &t->timer);
  bs_leavelist(t);
}

/* It is to look again whether it has to wait. */
static void bs_rouse (bs_task *t) {
  bs_unpark(t);
  bs_makeready(t);
}

/* Is the engine told already that this is waited for? */
static BS_STRAIGHT int bs_watched (const place *p, const bs_socket *s, int want) {
  if (!p->known)
    return 0;
  if (s != NULL)
    return p->sock == s;
  return p->sock == NULL && p->armed && p->others != NULL && (want & ~p->others->asked) == 0;
}

/* Lets the task wait at a place: 0 or an error. */
static BS_STRAIGHT int bs_parkat (bs_task *t, int fd, const bs_op *op, int want) {
  bs_socket *s = op->sock;
  bs_loop *loop = t->loop;
  unsigned char pauses = op->rest > 0;
  if (t->wanted != 0 && t->fd == fd && t->wanted == want && loop->places[fd].armed &&
      loop->places[fd].pauses == pauses)
    return 0; /* as before */
  bs_unpark(t);
  if (fd < 0)
    return EBADF;
  int err = BS_LIKELY(fd < loop->size) ? 0 : bs_reserveplaces(loop, fd + 1);
  if (!BS_LIKELY(err == 0))
    return err;
  place *p = &loop->places[fd];
  if (p->receiver == t) { /* to flush is left to who sends, whose turn it is */
    if (p->sender != NULL && p->sender != t && (want & ~BS_WRITE))
      want &= ~BS_WRITE;
  }
  else if (p->sender == t)
    p->pauses = pauses;
  err = BS_LIKELY(bs_watched(p, s, want)) ? 0 : bs_keepwatch(loop, fd, s, want);
  if (err == 0 && p->receiver != t && p->sender != t)
    err = bs_watchplace(t, fd, op);
  if (!BS_LIKELY(err == 0))
    return err;
  t->fd = fd;
  t->wanted = (unsigned char)want;
  loop->waiting++;
  bs_needs(loop, fd);
  return 0;
}

/* ---- whose turn it is ---- */

/* Takes a side of the socket for a call that will be suspended: 0 or BS_ENOMEM. */
static BS_STRAIGHT int bs_holdside (bs_task *t, const bs_op *op, int side) {
  bs_socket *s = bs_sideof(op, side);
  bs_loop *loop = t->loop;
  if (s == NULL || s->fd < 0) /* its next step will say so */
    return 0;
  if (!BS_LIKELY(s->fd < loop->size) && bs_reserveplaces(loop, s->fd + 1) != 0)
    return BS_ENOMEM;
  place *p = &loop->places[s->fd];
  bs_task **holder = side == BS_IN ? &p->receiver : &p->sender;
  if (!BS_LIKELY(*holder == NULL)) /* of a socket of this number that was closed behind our back */
    bs_forgetplace(loop, s->fd, s);
  *holder = t;
  s->marks = (unsigned char)(s->marks | side);
  t->holds = (unsigned char)(t->holds | side);
  return 0;
}

static BS_STRAIGHT int bs_holdsides (bs_task *t, const bs_op *op) {
  int sides = bs_sides(op), err = 0;
  if ((sides & BS_IN) && !(t->holds & BS_IN))
    err = bs_holdside(t, op, BS_IN);
  if (err == 0 && (sides & BS_OUT) && !(t->holds & BS_OUT))
    err = bs_holdside(t, op, BS_OUT);
  return err;
}

/* Nobody sends any more: the next one's turn has come. */
static BS_STRAIGHT void bs_passturn (bs_loop *loop, bs_socket *s) {
  place *p = &loop->places[s->fd];
  bs_task *next = p->others != NULL ? p->others->queue.first : NULL;
  p->sender = next;
  if (next != NULL) {
    bs_rouse(next);
    next->holds |= BS_OUT;
    return;
  }
  s->marks = (unsigned char)(s->marks & ~BS_OUT);
  if ((s->flags & BS_UNFLUSHED) &&
      bs_waitsat(p->receiver, s->fd)) /* which sends that before it waits on */
    bs_rouse(p->receiver);
}

/* The call of the task has ended. (Of a socket that was closed meanwhile it holds nothing any more.) */
static BS_STRAIGHT void bs_releasesides (bs_task *t) {
  const bs_op *op = t->op;
  int holds = t->holds;
  t->holds = 0;
  if (holds & BS_IN) {
    bs_socket *s = bs_sideof(op, BS_IN);
    s->marks = (unsigned char)(s->marks & ~BS_IN);
    t->loop->places[s->fd].receiver = NULL;
  }
  if (holds & BS_OUT)
    bs_passturn(t->loop, bs_sideof(op, BS_OUT));
}

/* ---- driver.c ---- */

/* Goes on with the operation that the task waits for; true if it has ended. */
int bs_advance(lua_State *L, bs_task *t);
void bs_resumetask(lua_State *L, bs_task *t);

extern const bs_hearer bs_loophearer;
extern const bs_driver bs_loopdriver;

BS_END

#endif
