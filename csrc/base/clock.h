/*
** clock.h: moments of the monotonic clock, spans of it, and timeouts as users give them.
*/
#ifndef bs_clock_h
#define bs_clock_h

#include <stdint.h>

#include "base/compiler.h"

BS_BEGIN

typedef int64_t bs_time; /* nanoseconds on the monotonic clock, or a span of them */

#define BS_NEVER ((bs_time)0)
#define BS_FOREVER INT64_MAX
#define BS_MILLISECOND ((bs_time)1000000)
#define BS_SECOND ((bs_time)1000000000)

bs_time bs_now(void);
bs_time bs_coarsenow(void); /* some milliseconds ago: of a clock that is read for next to nothing */
bs_time bs_span(double seconds);  /* rounded up; negative and huge: BS_FOREVER */
int bs_millis(bs_time span);      /* for poll and epoll_wait: rounded up; -1 for ever */
bs_time bs_until(bs_time moment); /* the span from now on; 0: it has passed */
double bs_checktimeout(lua_State *L, int arg); /* nil, none, huge: -1; negative, NaN: raises */

BS_END

#endif
