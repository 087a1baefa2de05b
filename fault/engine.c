/*
** engine.c: csrc/base/engine.c for its spec, built by fault/build.lua: the functions as they are, with integers
** for descriptors. What is asked and told are the library's numbers, failures are numbers, too.
*/
#include "base/prefix.h"

#include "../csrc/base/engine.c"
#include "../csrc/base/epoll.c"
#include "../csrc/base/kqueue.c"
#include "../csrc/base/poll.c"
#include "../csrc/base/process.c"

#include <sys/wait.h>

typedef struct owner {
  bs_engine engine;
  bs_state st;
} owner;

/* clock.c has the library's */
int bs_millis (bs_time span) {
  return span == BS_FOREVER ? -1 : (int)((span + 999999) / 1000000);
}

static owner *check (lua_State *L) {
  return (owner *)luaL_checkudata(L, 1, "engine");
}

static int integer (lua_State *L, int arg) {
  return (int)luaL_checkinteger(L, arg);
}

static int result (lua_State *L, int err) {
  lua_pushinteger(L, err);
  return 1;
}

static int engine_open (lua_State *L) {
  owner *o = (owner *)lua_newuserdatauv(L, sizeof(owner), 0);
  memset(o, 0, sizeof(*o));
  o->st.alloc = lua_getallocf(L, &o->st.allocdata);
  luaL_setmetatable(L, "engine");
  if (bs_engineopen(&o->engine, &o->st) != 0)
    return luaL_error(L, "no engine");
  return 1;
}

static int engine_close (lua_State *L) {
  bs_engineclose(&check(L)->engine);
  return 0;
}

static int engine_add (lua_State *L) {
  return result(L, bs_engineadd(&check(L)->engine, integer(L, 2), integer(L, 3), integer(L, 4)));
}

static int engine_modify (lua_State *L) {
  return result(L, bs_enginemodify(&check(L)->engine, integer(L, 2), integer(L, 3), integer(L, 4)));
}

static int engine_remove (lua_State *L) {
  return result(L, bs_engineremove(&check(L)->engine, integer(L, 2), integer(L, 3)));
}

static int engine_needs (lua_State *L) {
  owner *o = check(L);
  bs_engineneeds(&o->engine, integer(L, 2), integer(L, 3));
  return 0;
}

/* What is at index 3 gets the place and what is told. */
static void told (void *ud, int i, int what) {
  lua_State *L = (lua_State *)ud;
  lua_pushvalue(L, 3);
  lua_pushinteger(L, i);
  lua_pushinteger(L, what);
  lua_call(L, 2, 0);
}

/* e:wait(seconds, f) */
static int engine_wait (lua_State *L) {
  owner *o = check(L);
  return result(L,
                bs_enginewait(&o->engine, (bs_time)(luaL_checknumber(L, 2) * 1e9), told, NULL, L));
}

/* Its child's answer, then its own. */
static int engine_forked (lua_State *L) {
  owner *o = check(L);
  int status = -1;
  pid_t pid = fork();
  if (pid == 0)
    _exit(bs_engineforked(&o->engine));
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
    return luaL_error(L, "no child");
  lua_pushboolean(L, WEXITSTATUS(status));
  lua_pushboolean(L, bs_engineforked(&o->engine));
  return 2;
}

/* Its fields at a glance. */
static int engine_state (lua_State *L) {
  const bs_engine *e = &check(L)->engine;
  lua_pushinteger(L, e->fd);
  lua_pushboolean(L, e->coarse);
  return 2;
}

static void *refuse (void *ud, void *block, size_t osize, size_t nsize) {
  (void)ud, (void)block, (void)osize, (void)nsize;
  return NULL;
}

/* e:starve(true): no memory from now on */
static int engine_starve (lua_State *L) {
  owner *o = check(L);
  o->st.alloc = lua_getallocf(L, &o->st.allocdata);
  if (lua_toboolean(L, 2))
    o->st.alloc = refuse;
  return 0;
}

static const luaL_Reg methods[] = {
  {"add", engine_add},
  {"close", engine_close},
  {"forked", engine_forked},
  {"modify", engine_modify},
  {"needs", engine_needs},
  {"remove", engine_remove},
  {"starve", engine_starve},
  {"state", engine_state},
  {"wait", engine_wait},
  {"__gc", engine_close},
  {NULL, NULL},
};

int luaopen_engine(lua_State *L);

int luaopen_engine (lua_State *L) {
  luaL_newmetatable(L, "engine");
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  lua_pushcfunction(L, engine_open);
  lua_setfield(L, -2, "open");
  lua_pushstring(L, bs_enginename);
  lua_setfield(L, -2, "name");
  return 1;
}
