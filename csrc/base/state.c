/*
** state.c: functions that have the library's upvalues.
*/
#include "base/prefix.h"

#include "base/state.h"

void bs_setfuncs (lua_State *L, int table, const luaL_Reg *funcs) {
  lua_pushvalue(L, table);
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, i);
  luaL_setfuncs(L, funcs, BS_NUP);
  lua_pop(L, 1);
}

void bs_pushfunction (lua_State *L, lua_CFunction f, int extra) {
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, lua_upvalueindex(i));
  lua_rotate(L, -(BS_NUP + extra), BS_NUP);
  lua_pushcclosure(L, f, BS_NUP + extra);
}
