/*
** wake.c: what another scheduler is told: that the descriptor of an object that was waited for is about to be closed, or that
** its waiters are to look again, by the function wake of setwaiter.
*/
#include "base/prefix.h"

#include "object/hear.h"
#include "op/suspended.h"

/* ==== the function wake ==== */

/* Closing goes on, whatever it says. */
void bs_callwake (lua_State *L, bs_state *st, int arg) {
  arg = lua_absindex(L, arg);
  if (!lua_checkstack(L, 4))
    return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->wake) == LUA_TNIL)
    lua_pop(L, 1);
  else {
    lua_pushvalue(L, arg);
    st->waking++;
    int status = lua_pcall(L, 1, 0, 0);
    st->waking--;
    if (status != LUA_OK) {
      const char *message = lua_tostring(L, -1);
      lua_warning(L, "bsdsocket: error in the function wake of setwaiter: ", 1);
      lua_warning(L, message != NULL ? message : "(no text)", 0);
      lua_pop(L, 1);
    }
  }
}

/* ==== who waits for what ==== */

/* Pushes a weak table, which is at this key of the registry from now on. */
static void pushweak (lua_State *L, const void *key, const char *mode) {
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* The poller on the top is waited for: when bytes are read ahead in it, it is found by its descriptor. */
void bs_notepoller (lua_State *L, const bs_state *st, int fd) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->pollers) == LUA_TNIL) {
    lua_pop(L, 1);
    pushweak(L, &st->pollers, "v");
  }
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, fd);
  lua_pop(L, 1);
}

/* What has several descriptors waits, or does no more: the object on the top, which it waits for, is in a table by
** itself, or in none. */
void bs_noteselect (lua_State *L, const bs_state *st, int waits) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->selecting) == LUA_TNIL) {
    lua_pop(L, 1);
    if (!waits)
      return;
    pushweak(L, &st->selecting, "k"); /* a coroutine may be forgotten while it waits for a socket */
  }
  lua_pushvalue(L, -2);
  if (waits)
    lua_pushboolean(L, 1);
  else
    lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* ==== what becomes of descriptors ==== */

/* The engine does not tell who waits elsewhere that the descriptor of the object at 2 is closed: it has to look
** again. Who waits for this very one has been told. */
static int wakeselects (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, 1);
  bs_noteselect(L, st, 0);
  lua_newtable(L); /* a copy, as anything may happen meanwhile */
  int n = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &st->selecting);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, 3, ++n);
  }
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 3, i);
    bs_callwake(L, st, -1);
    lua_pop(L, 1);
  }
  return 0;
}

/* Those who wait for several, of which the object at `arg` may be one, are told. */
static void wakeselecting (lua_State *L, bs_state *st, int arg) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->selecting) != LUA_TNIL) {
    lua_pushnil(L);
    if (lua_next(L, -2)) {
      lua_pop(L, 2);
      lua_pushcfunction(L, wakeselects);
      lua_pushlightuserdata(L, st);
      lua_pushvalue(L, arg);
      if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void wakeall (lua_State *L, bs_state *st, int arg) {
  bs_callwake(L, st, arg);
  wakeselecting(L, st, arg);
}

/* No longer will anybody find the object at `arg` by this descriptor. */
static void forgetpoller (lua_State *L, const bs_state *st, int arg, int fd) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->pollers) != LUA_TNIL) {
    lua_rawgeti(L, -1, fd);
    if (lua_rawequal(L, -1, arg)) {
      lua_pushnil(L);
      lua_rawseti(L, -3, fd);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void going (lua_State *L, bs_state *st, int arg, int fd) {
  if (!lua_checkstack(L, 6))
    return;
  forgetpoller(L, st, arg, fd);
  if (lua_getmetatable(L, arg)) {
    bs_socket *s = (bs_socket *)lua_touserdata(L, arg);
    if (lua_topointer(L, -1) == st->meta) {
      s->flags = (unsigned char)(s->flags & ~BS_WAITED); /* it may close this very socket */
      bs_endline(st, s, EBADF);
    }
    lua_pop(L, 1);
  }
  wakeall(L, st, arg);
}

/* Nothing is closed: they find out by themselves, and wait on. */
static void looksagain (lua_State *L, bs_socket *s, int arg) {
  if (lua_checkstack(L, 6) && (s->flags & BS_WAITED))
    wakeall(L, s->st, lua_absindex(L, arg));
}

static void shut (lua_State *L, bs_socket *s, int sides) {
  if (sides & BS_OUT)
    bs_endline(s->st, s, EPIPE);
  if (s->st->waiter)
    looksagain(L, s, 1);
}

/* Those who wait for the pollers with these descriptors look again; so do those who wait for several. */
static void lookup (lua_State *L, bs_state *st, int n) {
  int top = lua_gettop(L), from = top - n;
  if (!lua_checkstack(L, 8))
    return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->pollers) != LUA_TNIL) {
    int table = lua_gettop(L);
    for (int i = from + 1; i <= top; i++) { /* each object now, before anything runs */
      lua_rawgeti(L, table, lua_tointeger(L, i));
      lua_replace(L, i);
    }
    for (int i = from + 1; i <= top; i++)
      if (!lua_isnil(L, i))
        bs_callwake(L, st, i);
  }
  lua_pushboolean(L, 0); /* none of the objects there */
  wakeselecting(L, st, lua_gettop(L));
  lua_settop(L, top);
}

static void left (lua_State *L, bs_socket *s, int arg) {
  looksagain(L, s, arg);
}

const bs_hearer bs_waiterhearer = {
  .going = going, .left = left, .lookup = lookup, .shut = shut, .flushes = bs_waiterflushes};
