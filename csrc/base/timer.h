/*
** timer.h: moments that somebody waits for.
*/
#ifndef bs_timer_h
#define bs_timer_h

#include "base/state.h"

BS_BEGIN

typedef struct bs_timer bs_timer;

struct bs_timer {
  bs_time when;
  void (*ring)(lua_State *L, bs_timer *t); /* what its owner does then */
  int place;                               /* in the heap; 0: it is not set */
};

typedef struct bs_timers {
  bs_state *st;
  bs_timer **heap;
  int n, size;
} bs_timers;

int bs_settimer(bs_timers *ts, bs_timer *t, bs_time when); /* 0 or BS_ENOMEM */
void bs_taketimer(bs_timers *ts, bs_timer *t);

/* Harmless where it is not set. */
static inline void bs_stoptimer (bs_timers *ts, bs_timer *t) {
  if (t->place != 0)
    bs_taketimer(ts, t);
}

bs_timer *bs_nexttimer(const bs_timers *ts); /* NULL: none is set */
void bs_freetimers(bs_timers *ts);

BS_END

#endif
