/*
** line.c: whose turn it is among the calls of another scheduler's coroutines: those that hold a side of a socket, and those
** that stand in line to send.
*/
#include "base/prefix.h"

#include <unistd.h>

#include "op/attempt.h"
#include "op/suspended.h"

static void bs_leaveline (bs_waited *w) {
  bs_state *st = bs_operation(w)->st;
  if (w->link == NULL)
    return;
  *w->link = w->next;
  if (w->next != NULL)
    w->next->link = w->link;
  else
    st->lastwaited = w->link;
  w->link = NULL;
}

void bs_joinline (bs_waited *w) {
  bs_state *st = bs_operation(w)->st;
  if (st->firstwaited == NULL)
    st->lastwaited = &st->firstwaited;
  w->next = NULL;
  w->link = st->lastwaited;
  *w->link = w;
  st->lastwaited = &w->next;
}

void bs_closeend (bs_waited *w, int end) {
  if (w->turn[end] >= 0)
    (void)close(w->turn[end]);
  w->turn[end] = -1;
}

/* It goes on as soon as its scheduler finds out: the other end is closed. */
static void bs_callup (bs_waited *w) {
  bs_leaveline(w);
  bs_closeend(w, 1);
}

/* Takes the sides, for a call that will be suspended. Until it is over no call goes its straight way, not even where the
** scheduler is taken away meanwhile. */
void bs_holdfor (bs_waited *w, int sides) {
  bs_state *st = bs_operation(w)->st;
  st->aside++;
  w->older = st->holders;
  w->newer = &st->holders;
  if (w->older != NULL)
    w->older->newer = &w->older;
  st->holders = w;
  for (int side = BS_IN; side <= BS_OUT; side <<= 1) {
    bs_socket *s = sides & side ? bs_sideof(bs_operation(w), side) : NULL;
    if (s == NULL)
      continue;
    bs_assert(!(s->marks & side));
    s->marks = (unsigned char)(s->marks | side);
    w->holds = (unsigned char)(w->holds | side);
  }
}

/* Has an error ended its coroutine? The collector will come for it at some time. */
static int bs_isdead (const bs_waited *w) {
  return lua_status(w->L) > LUA_YIELD;
}

/* The call is over: the next sender's turn has come. */
void bs_releasefrom (bs_waited *w) {
  const bs_op *op = bs_operation(w);
  int holds = w->holds;
  w->holds = 0;
  if (w->newer != NULL) {
    *w->newer = w->older;
    if (w->older != NULL)
      w->older->newer = w->newer;
    w->newer = NULL;
    op->st->aside--;
  }
  bs_leaveline(w);
  bs_closeend(w, 0);
  bs_closeend(w, 1);
  if (holds & BS_IN) {
    bs_socket *s = bs_sideof(op, BS_IN);
    s->marks = (unsigned char)(s->marks & ~BS_IN);
  }
  if (holds & BS_OUT) {
    bs_socket *s = bs_sideof(op, BS_OUT);
    bs_waited *next = op->st->firstwaited;
    while (next != NULL && (bs_sideof(bs_operation(next), BS_OUT) != s || bs_isdead(next)))
      next = next->next;
    if (next == NULL)
      s->marks = (unsigned char)(s->marks & ~BS_OUT);
    else {
      next->holds = (unsigned char)(next->holds | BS_OUT);
      bs_callup(next);
    }
  }
}

/* An error that ended a coroutine has left its call as it was, until the collector comes. */
void bs_reclaimfrom (const bs_state *st, const bs_socket *s, int side) {
  for (bs_waited *w = st->holders, *older; w != NULL; w = older) {
    older = w->older;
    if ((w->holds & side) && bs_sideof(bs_operation(w), side) == s && bs_isdead(w))
      bs_releasefrom(w);
  }
}

int bs_waiterflushes (const bs_socket *s) {
  for (const bs_waited *w = s->st->holders; w != NULL; w = w->older) {
    const bs_op *op = (const bs_op *)(const void *)(w + 1);
    if (op->sock == s && bs_flushes(op) && lua_status(w->L) <= LUA_YIELD)
      return 1;
  }
  return 0;
}

/* All who wait for their turn to send by `s` end so. */
void bs_endline (const bs_state *st, const bs_socket *s, int err) {
  for (bs_waited *w = st->firstwaited, *next; w != NULL; w = next) {
    next = w->next;
    if (bs_sideof(bs_operation(w), BS_OUT) != s)
      continue;
    bs_operation(w)->error = err;
    bs_callup(w);
  }
}
