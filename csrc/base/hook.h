/*
** hook.h: Lua's hooks, by which signals such as Ctrl-C make themselves known.
*/
#ifndef bs_hook_h
#define bs_hook_h

#include "base/state.h"

BS_BEGIN

/* Hooks of the running coroutine and the main thread: one that is new wants to be run. */
typedef struct bs_hooks {
  lua_Hook own, main;
} bs_hooks;

static BS_STRAIGHT bs_hooks bs_knownhooks (lua_State *L, const bs_state *st) {
  bs_hooks known;
  known.main = lua_gethook(st->main);
  known.own = L == st->main ? known.main : lua_gethook(L);
  return known;
}

void bs_checkhooks(lua_State *L, const bs_state *st, bs_hooks *known); /* may raise */
int bs_seehooks(lua_State *L, const bs_state *st,
                bs_hooks *known); /* the same; a status, with its error on the top */
/* Runs the hook of a coroutine that waits elsewhere, if it wants the very next event; true if so. May raise. */
int bs_checkhookof(lua_State *L, lua_State *co);
/* Before a call begins: runs the main thread's hook, if it wants the very next event. */
BS_SELDOM void bs_checkmainhook(lua_State *L, const bs_state *st, bs_hooks *known);

BS_END

#endif
