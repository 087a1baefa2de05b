/*
** clock.c: the monotonic clock, and what is bs_until until a moment of it.
*/
#include "base/prefix.h"

#include <limits.h>
#include <math.h>
#include <time.h>

#include "base/clock.h"

static bs_time timeof (clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (bs_time)ts.tv_sec * BS_SECOND + ts.tv_nsec;
}

bs_time bs_now (void) {
  return timeof(CLOCK_MONOTONIC);
}

bs_time bs_coarsenow (void) {
#if defined(CLOCK_MONOTONIC_COARSE)
  return timeof(CLOCK_MONOTONIC_COARSE);
#elif defined(CLOCK_MONOTONIC_FAST)
  return timeof(CLOCK_MONOTONIC_FAST);
#else
  return timeof(CLOCK_MONOTONIC);
#endif
}

bs_time bs_span (double seconds) {
  if (seconds < 0 || seconds >= 1e9)
    return BS_FOREVER;
  return (bs_time)ceil(seconds * 1e9);
}

int bs_millis (bs_time span) {
  if (span == BS_FOREVER)
    return -1;
  if (span <= 0)
    return 0;
  span = (span + BS_MILLISECOND - 1) / BS_MILLISECOND;
  return span > INT_MAX ? INT_MAX : (int)span;
}

bs_time bs_until (bs_time deadline) {
  if (deadline == BS_FOREVER)
    return BS_FOREVER;
  bs_time now = bs_now();
  return now < deadline ? deadline - now : 0;
}

double bs_checktimeout (lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return -1;
  lua_Number seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds >= 0, arg, "timeout must not be negative or NaN"); /* NaN is not >= 0 */
  return isinf(seconds) ? -1 : (double)seconds;
}
