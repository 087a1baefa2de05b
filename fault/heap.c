/*
** heap.c: what the whole process has got from malloc. A module for the specs, built by fault/build.lua.
*/
#include <lauxlib.h>
#include <lua.h>

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#include <malloc.h>

static int used (lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mallinfo2().uordblks);
  return 1;
}

#else

static int used (lua_State *L) {
  (void)L;
  return 0;
}

#endif

/* used(): bytes that are given out; nothing where the C library does not tell */
int luaopen_heap (lua_State *L);
int luaopen_heap (lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, used);
  lua_setfield(L, -2, "used");
  return 1;
}
