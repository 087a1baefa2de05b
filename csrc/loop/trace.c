/*
** trace.c: tracebacks of tasks, and errors that nobody has asked for: task:traceback, loop.traceback, loop.onerror, stderr.
** The traceback of an error is taken when that ends a coroutine, as its stack is gone then; of a scope's it waits for the
** end of the task around it. That of a task that waits is taken when somebody asks.
*/
#include "base/prefix.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/open.h"
#include "loop/task.h"

#define HEADER "stack traceback:" /* what luaL_traceback begins with */
#define MOSTTRACE 16384           /* bytes of a traceback, and then nothing is added to it */
#define MOSTSCOPES 250            /* inside each other are told, and the task's own coroutine */

/* ==== what must not raise, nor run into hooks ==== */

void bs_needaside (lua_State *L, bs_loop *loop) {
  if (loop->aside == NULL) {
    lua_State *co = lua_newthread(L);
    if ((lua_gethookmask(co) & LUA_MASKCOUNT) && lua_gethookcount(co) == 1)
      lua_sethook(co, NULL, 0, 0); /* Ctrl-C, on its way */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->aside);
    loop->aside = co;
  }
  lua_pushboolean(L, 0); /* what replaces these needs no memory then */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->passed);
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->traced);
  loop->passed.task = NULL;
}

int bs_callaside (lua_State *L, const bs_loop *loop, lua_CFunction f, int arguments) {
  lua_State *co = loop->aside;
  if (co == NULL || !lua_checkstack(co, arguments + 2)) {
    lua_pop(L, arguments);
    return 0;
  }
  lua_xmove(L, co, arguments); /* nothing is moved where something that runs there calls */
  lua_pushcfunction(co, f);
  lua_insert(co, -arguments - 1);
  int ok = lua_pcall(co, arguments, 1, 0) == LUA_OK;
  if (!ok)
    lua_pop(co, 1);
  else
    lua_xmove(co, L, 1);
  return ok;
}

/* ==== tracebacks ==== */

/* Two are on the top, that of a coroutine, and that of the one around it: makes one of them. */
static void join (lua_State *L) {
  size_t len;
  (void)lua_tolstring(L, -2, &len);
  if (len > MOSTTRACE) {
    lua_pop(L, 1);
    return;
  }
  lua_pushstring(L, lua_tostring(L, -1) + strlen(HEADER));
  lua_remove(L, -2);
  lua_concat(L, 2);
}

/* task:traceback() */
static int trace_task (lua_State *L) {
  const bs_task *t = bs_checktask(L, 1);
  int n = 0;
  lua_settop(L, 1);
  if (t->state == BS_ENDED) {
    lua_getiuservalue(L, 1, 1);
    return 1;
  }
  if (!t->started || t->state == BS_RUNNING)
    return 0;
  for (const bs_scope *sc = t->scope; sc != NULL && n < MOSTSCOPES; sc = sc->outer)
    n++;
  if (!lua_checkstack(L, n + LUA_MINSTACK))
    return bs_memory(L);
  n = 0;
  for (const bs_scope *sc = t->scope;;
       sc = sc->outer) { /* these are kept, whatever a finalizer ends */
    lua_State *co = sc != NULL && n < MOSTSCOPES ? sc->co : t->L;
    if (!lua_checkstack(co, 1))
      return bs_memory(L);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    n++;
    if (co == t->L)
      break;
  }
  for (int i = 1; i <= n; i++) {
    luaL_traceback(L, lua_tothread(L, 1 + i), NULL, 0);
    if (i > 1)
      join(L);
  }
  return 1;
}

/* A coroutine, and the traceback of one inside it or false. */
static int trace (lua_State *L) {
  int inside = lua_isstring(L, 2);
  luaL_traceback(L, (lua_State *)lua_touserdata(L, 1), NULL, 0);
  if (inside)
    join(L);
  return 1;
}

/* What raised the error that is on the top of `co`. That keeps its place in Lua's eyes: there is no room for more. */
static lua_CFunction raiser (lua_State *L, lua_State *co) {
  lua_Debug ar;
  lua_CFunction f = NULL;
  if (!lua_getstack(co, 0, &ar))
    return NULL;
  if (co != L)
    lua_xmove(co, L, 1);
  lua_getinfo(co, "f", &ar);
  f = lua_tocfunction(co, -1);
  lua_pop(co, 1);
  if (co != L)
    lua_xmove(L, co, 1);
  return f;
}

void bs_pushtrace (lua_State *L, const bs_task *t, lua_State *co) {
  const bs_loop *loop = t->loop;
  const bs_passed *p = &loop->passed;
  lua_pushlightuserdata(L, co);
  if (p->task == t && lua_gettop(co) > 0 && p->error == lua_topointer(co, -1) &&
      raiser(L, co) == p->by)
    lua_rawgetp(L, LUA_REGISTRYINDEX, p);
  else
    lua_pushboolean(L, 0);
  if (!bs_callaside(L, loop, trace, 2))
    lua_pushnil(L);
}

void bs_notepassed (lua_State *L, bs_task *t) {
  bs_passed *p = &t->loop->passed;
  p->error = lua_topointer(L, -2);
  p->task = p->error != NULL && lua_isstring(L, -1) ? t : NULL;
  lua_rawsetp(L, LUA_REGISTRYINDEX, p);
  p->by = raiser(L, L);
}

/* loop.traceback() */
static int trace_traceback (lua_State *L) {
  const bs_loop *loop = ((const bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
  if (loop == NULL || lua_rawgetp(L, LUA_REGISTRYINDEX, &loop->traced) != LUA_TSTRING)
    lua_pushnil(L);
  return 1;
}

void bs_keeptrace (lua_State *L, const bs_loop *loop, int first) {
  if (first != 0) {
    lua_getiuservalue(L, first, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->traced);
  }
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->passed);
}

/* ==== errors that nobody has asked for ==== */

static int totext (lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Pushes the error at idx as text. */
static void pushtext (lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, totext);
  lua_pushvalue(L, idx);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM)
    lua_error(L);
  if (status != LUA_OK) /* as lua.c says it */
    lua_pushfstring(L, "(error object is a %s value, and its __tostring fails)",
                    luaL_typename(L, idx));
}

int bs_isinterrupt (lua_State *L) {
  return lua_type(L, -1) == LUA_TSTRING && strstr(lua_tostring(L, -1), "interrupted!") != NULL;
}

/* Adds a traceback to the error at 1: the function of loop.onerror has failed. */
static int explain (lua_State *L) {
  if (bs_isinterrupt(L))
    return 1;
  pushtext(L, 1);
  luaL_traceback(L, L, lua_tostring(L, -1), 1);
  return 1;
}

static void say (const char *what, const char *text, const char *more) {
  fprintf(stderr, "bsdsocket.loop: error in %s: %s\n", what, text != NULL ? text : "no text");
  if (more != NULL)
    fprintf(stderr, "%s\n", more);
  fflush(stderr);
}

/* To who wants to hear of the task's error, else to stderr. Gives a string if it was Ctrl-C that ended that. */
static int tell (lua_State *L) {
  const bs_loop *loop = ((const bs_task *)lua_touserdata(L, 1))->loop;
  lua_pushcfunction(L, explain);
  int hears = lua_rawgetp(L, LUA_REGISTRYINDEX, &loop->onerror) == LUA_TFUNCTION;
  lua_pushvalue(L, 1);
  lua_getiuservalue(L, 1, 2);
  lua_getiuservalue(L, 1, 1);
  if (hears && lua_pcall(L, 3, 0, 2) == LUA_OK)
    return 1; /* the task */
  int interrupted = hears && bs_isinterrupt(L);
  lua_getiuservalue(L, 1, 2);
  pushtext(L, -1);
  lua_getiuservalue(L, 1, 1);
  say("a task", lua_tostring(L, -2), lua_tostring(L, -1));
  lua_settop(L, 3);
  if (hears && !interrupted)
    say("the function of loop.onerror", lua_tostring(L, 3), NULL);
  lua_pushvalue(L, interrupted ? 3 : 1);
  return 1;
}

int bs_tellerrors (lua_State *L, bs_loop *loop, int which, int raises) {
  int told = 0;
  for (; loop->silent.first != NULL && loop->silent.first->silent >= which; told = 1) {
    bs_task *t = loop->silent.first;
    bs_pushtask(L, t);
    bs_heard(L, t);
    if (bs_callaside(L, loop, tell, 1)) {
      if (raises && lua_isstring(L, -1))
        lua_error(L);
      lua_pop(L, 1);
    }
    else
      say("a task", "no memory is left to tell which", NULL);
  }
  return told;
}

/* loop.onerror(f or nil) */
static int trace_onerror (lua_State *L) {
  const bs_loop *loop = bs_needloop(L);
  luaL_argexpected(L, lua_isnil(L, 1) || lua_isfunction(L, 1), 1, "function or nil");
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->onerror);
  return 0;
}

/* ==== registration ==== */

static const luaL_Reg functions[] = {
  {"onerror", trace_onerror},
  {"traceback", trace_traceback},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {{"traceback", trace_task}, {NULL, NULL}};

void bs_opentrace (lua_State *L) {
  lua_getfield(L, BS_AT_MODULE, "loop");
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_getiuservalue(L, BS_AT_STATE, BS_STATE_TASK);
  lua_getfield(L, -1, "__index");
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_pop(L, 3);
}
