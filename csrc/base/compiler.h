/*
** compiler.h: what every file may need: Lua's headers, hints for the compiler, assertions, and what keeps our names
** inside of the library.
*/
#ifndef bs_compiler_h
#define bs_compiler_h

#include "lauxlib.h"
#include "lua.h"

/* The straight way of a call that is made millions of times: what is on it, what is off it and would only make it
** longer, and what is hardly ever done. After a system call each jump to another line of the instruction cache costs
** more than what is done there. */
#if defined(__GNUC__)
#define BS_STRAIGHT inline __attribute__((always_inline))
#define BS_ASIDE __attribute__((noinline))
#define BS_SELDOM __attribute__((noinline, cold))
#define BS_LIKELY(x) __builtin_expect((x) != 0, 1)
/* Has memory brought near that will be needed soon. As it is never read, `p` may be NULL, and `size` a guess; so the
** addresses are numbers here, as there is no arithmetic with such pointers. */
#define BS_FETCH(p, size)                                                                          \
  do {                                                                                             \
    for (size_t at_ = 0; at_ < (size) + 63; at_ += 64)                                             \
      __builtin_prefetch((const void *)((uintptr_t)(p) + (at_ < (size) ? at_ : (size)-1)));        \
  } while (0)
#define BS_NORETURN __attribute__((noreturn))
#else
#define BS_STRAIGHT inline
#define BS_ASIDE
#define BS_SELDOM
#define BS_LIKELY(x) (x)
#define BS_FETCH(p, size) ((void)(p))
#define BS_NORETURN
#endif

/* Lua's own that never come back, as Lua does not say: compilers and analyzers know then that what follows has passed
** the check. Each gives an int for `return luaL_error(...)`, and so do ours that are marked so; in those the call stands
** without the `return`. */
#if defined(__GNUC__)
LUA_API int(lua_error)(lua_State *L) BS_NORETURN;
LUALIB_API int(luaL_error)(lua_State *L, const char *fmt, ...) BS_NORETURN;
LUALIB_API int(luaL_argerror)(lua_State *L, int arg, const char *extramsg) BS_NORETURN;
LUALIB_API int(luaL_typeerror)(lua_State *L, int arg, const char *tname) BS_NORETURN;
#endif

/* What always holds, unless there is a mistake in here. Looked at where mistakes are looked for: in builds with the
** address sanitizer, and in those of the fault harness. */
#if defined(BS_ASSERT) || defined(__SANITIZE_ADDRESS__)
#undef NDEBUG
#include <assert.h>
#define bs_assert(c) assert(c)
#else
#define bs_assert(c) ((void)0)
#endif

/* What a header declares between these two is seen by the files of csrc and by nobody outside core.so, whatever the flags
** (luarocks knows none of ours). */
#if defined(__GNUC__)
#define BS_BEGIN _Pragma("GCC visibility push(hidden)")
#define BS_END _Pragma("GCC visibility pop")
#else
#define BS_BEGIN
#define BS_END
#endif

#endif
