/*
** clock.h: moments of the monotonic clock, spans of it, and timeouts as users give them.
*/
#ifndef bs_clock_h
#define bs_clock_h

#include <stdint.h>

#include "base/compiler.h"

BS_BEGIN

typedef int64_t bs_moment; /* nanoseconds on the monotonic clock */
typedef int64_t bs_span;   /* nanoseconds from one moment to another */

#define BS_NOWAIT ((bs_span)0)
#define BS_FOREVER INT64_MAX
#define BS_MILLISECOND ((bs_span)1000000)
#define BS_SECOND ((bs_span)1000000000)

bs_moment bs_now(void);
bs_moment
bs_coarsenow(void); /* some milliseconds ago: of a clock that is read for next to nothing */
bs_span bs_tospan(double seconds);  /* rounded up; negative and huge: BS_FOREVER */
int bs_millis(bs_span span);        /* for poll and epoll_wait: rounded up; -1 for ever */
bs_span bs_until(bs_moment moment); /* the span from now on; 0: it has passed */
double bs_checktimeout(lua_State *L, int arg); /* nil, none, huge: -1; negative, NaN: raises */

BS_END

#endif
