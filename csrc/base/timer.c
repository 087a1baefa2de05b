/*
** timer.c: moments that somebody waits for, in a heap: the nearest is at hand, to set and to stop one takes the
** logarithm of their number. No clock is read here. A timer lives in what it belongs to; the heap holds
** pointers, and each timer knows its place.
*/
#include "base/prefix.h"

#include "base/error.h"
#include "base/timer.h"

#define FEWEST 16
#define at(ts, i) ((ts)->heap[(i)-1]) /* places are 1 .. n, so that 0 is none */

static void put (bs_timers *ts, int i, bs_timer *t) {
  at(ts, i) = t;
  t->place = i;
}

static void up (bs_timers *ts, int i, bs_timer *t) {
  for (; i > 1 && at(ts, i / 2)->when > t->when; i /= 2)
    put(ts, i, at(ts, i / 2));
  put(ts, i, t);
}

static void down (bs_timers *ts, int i, bs_timer *t) {
  for (int child; (child = 2 * i) <= ts->n; i = child) {
    if (child < ts->n && at(ts, child + 1)->when < at(ts, child)->when)
      child++;
    if (at(ts, child)->when >= t->when)
      break;
    put(ts, i, at(ts, child));
  }
  put(ts, i, t);
}

void bs_taketimer (bs_timers *ts, bs_timer *t) {
  int i = t->place;
  bs_assert(i > 0 && i <= ts->n && at(ts, i) == t);
  bs_timer *last = at(ts, ts->n--);
  t->place = 0;
  if (last == t)
    return;
  if (i > 1 && at(ts, i / 2)->when > last->when)
    up(ts, i, last);
  else
    down(ts, i, last);
}

int bs_settimer (bs_timers *ts, bs_timer *t, bs_time when) {
  bs_stoptimer(ts, t);
  if (ts->n == ts->size) {
    bs_state *st = ts->st;
    int size = ts->size == 0 ? FEWEST : 2 * ts->size;
    size_t each = sizeof(bs_timer *);
    bs_timer **heap =
      (bs_timer **)st->alloc(st->allocdata, ts->heap, (size_t)ts->size * each, (size_t)size * each);
    if (heap == NULL)
      return BS_ENOMEM;
    ts->heap = heap;
    ts->size = size;
  }
  t->when = when;
  up(ts, ++ts->n, t);
  return 0;
}

bs_timer *bs_nexttimer (const bs_timers *ts) {
  return ts->n > 0 ? at(ts, 1) : NULL;
}

void bs_freetimers (bs_timers *ts) {
  while (ts->n > 0)
    at(ts, ts->n--)->place = 0;
  if (ts->heap != NULL)
    ts->st->alloc(ts->st->allocdata, ts->heap, (size_t)ts->size * sizeof(bs_timer *), 0);
  ts->heap = NULL;
  ts->size = 0;
}
