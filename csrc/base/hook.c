/*
** hook.c: Lua's hooks, by which signals such as Ctrl-C make themselves known while a call waits.
*/
#include "base/prefix.h"

#include "base/hook.h"

/* Something for a hook to see: a call, and where it has not come for that an instruction and a line. */
static int happen (lua_State *L) {
  if (lua_gethook(L) != NULL && !(lua_gethookmask(L) & LUA_MASKCALL) &&
      luaL_loadbufferx(L, "return", 6, "=bsdsocket", "t") == LUA_OK)
    lua_call(L, 0, 0);
  return 0;
}

/* A signal handler of Lua's has set a hook: lua.c's raises "interrupted!". It wants something to happen.
** Set on another coroutine, the main thread mostly, it would never see one that waits; so it moves here, and moves
** back if all it did was to look. Gives a status, and if it is none of success the error on the top. */
static int runhook (lua_State *L, lua_State *from) {
  if (!lua_checkstack(L, 2))
    return LUA_OK; /* the next time, then */
  lua_pushcfunction(L, happen);
  if (from == L)
    return lua_pcall(L, 0, 0, 0);
  lua_Hook hook = lua_gethook(from), own = lua_gethook(L);
  int mask = lua_gethookmask(from), ownmask = lua_gethookmask(L);
  int count = lua_gethookcount(from), owncount = lua_gethookcount(L);
  lua_sethook(from, NULL, 0, 0);
  lua_sethook(L, hook, mask, count);
  int status = lua_pcall(L, 0, 0, 0);
  int stays = lua_gethook(L) == hook;
  lua_sethook(L, own, ownmask, owncount);
  if (status == LUA_OK && stays && lua_gethook(from) == NULL)
    lua_sethook(from, hook, mask, count);
  return status;
}

/* The status of running what is new: if it is none of success, the error is on the top. */
int bs_seehooks (lua_State *L, const bs_state *st, bs_hooks *known) {
  lua_Hook own = lua_gethook(L), mains = lua_gethook(st->main);
  int status = LUA_OK;
  if (own != known->own && own != NULL)
    status = runhook(L, L);
  else if (st->main != L && mains != known->main && mains != NULL)
    status = runhook(L, st->main);
  *known = bs_knownhooks(L, st);
  return status;
}

/* Does the hook want the next event, whatever that is? */
static int wantsnext (lua_State *L) {
  return lua_gethook(L) != NULL && (lua_gethookmask(L) & LUA_MASKCOUNT) && lua_gethookcount(L) == 1;
}

int bs_checkhookof (lua_State *L, lua_State *co) {
  if (!wantsnext(co) || lua_gethook(co) == lua_gethook(L))
    return 0;
  if (runhook(L, co) != LUA_OK)
    lua_error(L);
  return 1;
}

void bs_checkhooks (lua_State *L, const bs_state *st, bs_hooks *known) {
  if (bs_seehooks(L, st, known) != LUA_OK)
    lua_error(L);
}

/* A hook of the main thread that was there before the call began is left alone, unless it wants the very
** next event, whatever that is: such a one has come from a signal, too, while a coroutine computed. */
void bs_checkmainhook (lua_State *L, const bs_state *st, bs_hooks *known) {
  lua_State *mainthread = st->main;
  if (!wantsnext(mainthread) || (L != mainthread && known->main == known->own))
    return;
  int status = runhook(L, mainthread);
  known->own = lua_gethook(L);
  known->main = lua_gethook(mainthread);
  if (status != LUA_OK)
    lua_error(L);
}
