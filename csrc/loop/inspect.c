/*
** inspect.c: where each task is and what it waits for: loop.tasks, tostring, the messages of loop.timeout, of a deadlock and
** of Ctrl-C. Nothing of that is kept while a task waits: it is looked up on the stack of its coroutine when somebody asks.
** A task's life is in task.c, its tracebacks and errors are in trace.c.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/open.h"
#include "loop/task.h"

#define HEADER "stack traceback:" /* what luaL_traceback begins with */
#define MOSTLEVELS 250            /* of a stack are looked at; and coroutines inside each other */
#define MOSTTRACE 16384           /* bytes of a traceback, and then nothing is added to it */
#define MOSTSINGLE 20 /* of more tasks in a message, those that are told alike share a line */

/* ==== where a task is ==== */

const char *bs_callof (const bs_task *t) {
  return t->L != NULL && (t->pending || t->state == BS_WAITING) ? bs_callname(t->op) : NULL;
}

/* This function of the library's own Lua code makes the call, as the program sees it. */
static void nameown (lua_State *L, lua_State *co, const bs_state *st, lua_Debug *ar,
                     bs_spot *spot) {
  if (!lua_checkstack(co, 1))
    return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &st->own);
  lua_getinfo(co, "f", ar);
  lua_xmove(co, L, 1);
  if (lua_rawget(L, -2) == LUA_TSTRING)
    spot->call = lua_tostring(L, -1); /* the registry keeps it */
  lua_pop(L, 2);
}

/* True if there is a line in this coroutine. */
static int findline (lua_State *L, lua_State *co, const bs_state *st, bs_spot *spot) {
  lua_Debug ar;
  for (int level = 0; level < MOSTLEVELS && lua_getstack(co, level, &ar); level++) {
    lua_getinfo(co, "Sl", &ar);
    if (ar.currentline <= 0)
      continue;
    if (st->own == NULL || strcmp(ar.source, st->own) != 0) {
      memcpy(spot->file, ar.short_src, sizeof(spot->file));
      spot->line = ar.currentline;
      return 1;
    }
    nameown(L, co, st, &ar, spot);
  }
  return 0;
}

/* It has not begun: where its function is. */
static void finddefinition (lua_State *L, lua_State *co, bs_spot *spot) {
  lua_Debug ar;
  if (!lua_checkstack(co, 1))
    return;
  lua_pushvalue(co, 1);
  lua_xmove(co, L, 1);
  lua_getinfo(L, ">S", &ar);
  if (ar.linedefined <= 0)
    return;
  memcpy(spot->file, ar.short_src, sizeof(spot->file));
  spot->line = ar.linedefined;
}

void bs_findspot (lua_State *L, const bs_task *t, lua_State *running, bs_spot *spot) {
  const bs_state *st = t->loop->st;
  int n = 0;
  spot->call = bs_callof(t);
  spot->line = 0;
  if (!t->started) {
    finddefinition(L, t->L, spot);
    return;
  }
  if (running != NULL && findline(L, running, st, spot))
    return;
  for (const bs_scope *sc = t->scope; sc != NULL && n < MOSTLEVELS; sc = sc->outer, n++)
    if (findline(L, sc->co, st, spot))
      return;
  (void)findline(L, t->L, st, spot);
}

/* The coroutine that runs in a task that does: mostly it is the one that asks. */
static lua_State *runningin (lua_State *L, const bs_task *t) {
  if (t != t->loop->current)
    return NULL;
  return t->loop->st->closing == 0 ? L : t->runs;
}

static void pushplace (lua_State *L, const bs_spot *spot) {
  if (spot->line != 0)
    lua_pushfstring(L, "%s:%d", spot->file, spot->line);
  else
    lua_pushnil(L);
}

void bs_pushtimedout (lua_State *L, const bs_spot *spot) {
  if (spot->line == 0 && spot->call == NULL)
    lua_pushliteral(L, "timeout: timed out");
  else if (spot->line == 0)
    lua_pushfstring(L, "timeout in %s: timed out", spot->call);
  else if (spot->call == NULL)
    lua_pushfstring(L, "timeout at %s:%d: timed out", spot->file, spot->line);
  else
    lua_pushfstring(L, "timeout in %s, %s:%d: timed out", spot->call, spot->file, spot->line);
}

static const char *stateof (const bs_task *t) {
  static const char *const names[] = {"ready", "waiting", "running", "ended"};
  if (t->state == BS_ENDED && t->failed)
    return t->cancelled ? "cancelled" : "failed";
  return names[t->state];
}

/* Pushes the task at a glance. */
static void pushglance (lua_State *L, const bs_task *t) {
  const char *state = stateof(t);
  bs_spot spot;
  if (t->state == BS_ENDED) {
    lua_pushfstring(L, "task (%s)", state);
    return;
  }
  bs_findspot(L, t, runningin(L, t), &spot);
  if (t->state == BS_WAITING)
    state = "waits";
  lua_pushfstring(L, "task (%s%s%s", state, spot.call != NULL ? " in " : "",
                  spot.call != NULL ? spot.call : "");
  if (spot.line != 0)
    lua_pushfstring(L, ", %s:%d)", spot.file, spot.line);
  else
    lua_pushliteral(L, ")");
  lua_concat(L, 2);
}

static int inspect_tostring (lua_State *L) {
  pushglance(L, bs_checktask(L, 1));
  return 1;
}

/* ---- all of them ---- */

/* Pushes a list of those that have not ended; its length. To make one may run finalizers, to fill it does not. */
static int pushalive (lua_State *L, const bs_loop *loop) {
  int room, n = 0;
  for (;;) {
    room = loop->alive;
    lua_createtable(L, room, 0);
    if (loop->alive <= room)
      break;
    lua_pop(L, 1);
  }
  int at = lua_gettop(L);
  bs_pushtasks(L, loop->st);
  for (lua_pushnil(L); lua_next(L, -2);) {
    if (((const bs_task *)lua_touserdata(L, -1))->state != BS_ENDED && n < room)
      lua_rawseti(L, at, ++n);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return n;
}

/* Pushes what it waits for, a socket or a poller, which is on the stack of its call; else nil. */
static void pushobject (lua_State *L, const bs_task *t) {
  lua_State *at = t->at;
  if (!t->pending || (t->op->sock == NULL && t->op->kind->concerns != NULL) ||
      lua_status(at) != LUA_YIELD || !lua_checkstack(at, 1)) {
    lua_pushnil(
      L); /* none, several, or somebody has closed the coroutine: what the operation points to may be gone */
    return;
  }
  int i = t->op->sock == NULL ? 1 : lua_gettop(at);
  while (i > 1 && lua_touserdata(at, i) != t->op->sock)
    i--;
  if (i <= lua_gettop(at))
    lua_pushvalue(at, i);
  else
    lua_pushnil(at);
  lua_xmove(at, L, 1);
  if (bs_testsocket(L, lua_gettop(L)) == NULL &&
      bs_testobject(L, lua_gettop(L), BS_UP_POLLER) == NULL) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

static double waitedfor (const bs_task *t) {
  const bs_op *op = t->op;
  if (t->state != BS_WAITING)
    return 0;
  bs_time began = op->deadline == BS_FOREVER ? op->began : op->deadline - bs_span(op->timeout);
  bs_time now = bs_now();
  return began < now ? (double)(now - began) / 1e9 : 0;
}

/* Puts what there is to tell of the task on the top in its place; false: it has ended meanwhile. What is looked up comes
** first, as what makes values may run finalizers. */
static int describe (lua_State *L) {
  const bs_task *t = (const bs_task *)lua_touserdata(L, -1);
  bs_spot spot;
  if (t->state == BS_ENDED)
    return 0;
  const char *state = stateof(t);
  double since = waitedfor(t);
  bs_findspot(L, t, runningin(L, t), &spot);
  pushobject(L, t);
  lua_createtable(L, 0, 6);
  lua_rotate(L, -3, 1);
  lua_setfield(L, -3, "object");
  lua_setfield(L, -2, "task");
  lua_pushstring(L, state);
  lua_setfield(L, -2, "state");
  lua_pushstring(L, spot.call); /* nil for none */
  lua_setfield(L, -2, "call");
  lua_pushnumber(L, since);
  lua_setfield(L, -2, "since");
  pushplace(L, &spot);
  lua_setfield(L, -2, "where");
  return 1;
}

/* loop.tasks() */
static int inspect_tasks (lua_State *L) {
  const bs_loop *loop = ((const bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
  int n = 0, told = 0;
  lua_settop(L, 0);
  if (loop != NULL)
    n = pushalive(L, loop);
  else
    lua_newtable(L);
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    if (describe(L))
      lua_rawseti(L, 1, ++told);
    else
      lua_pop(L, 1);
  }
  for (int i = told + 1; i <= n; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 1, i);
  }
  return 1;
}

/* ==== messages about all tasks ==== */

/* A loop and a message: pushes that with a line for each task. */
static int addtasks (lua_State *L) {
  const bs_loop *loop = (const bs_loop *)lua_touserdata(L, 1);
  int n = pushalive(L, loop), lines = 0; /* at 3: tasks, and then lines */
  lua_newtable(L);                       /* at 4: how many have this line */
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 3, i);
    pushglance(L, (const bs_task *)lua_touserdata(L, -1));
    lua_pushvalue(L, -1);
    lua_Integer alike = lua_rawget(L, 4) == LUA_TNUMBER ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    if (alike == 0 || n <= MOSTSINGLE) {
      lua_pushvalue(L, -1);
      lua_rawseti(L, 3, ++lines);
    }
    lua_pushinteger(L, alike + 1);
    lua_rawset(L, 4);
    lua_pop(L, 1);
  }
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  lua_pushvalue(L, 2);
  luaL_addvalue(&b);
  for (int i = 1; i <= lines; i++) {
    luaL_addstring(&b, "\n\t");
    lua_rawgeti(L, 3, i);
    lua_pushvalue(L, -1);
    lua_rawget(L, 4);
    lua_Integer alike = lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_addvalue(&b);
    if (alike > 1 && n > MOSTSINGLE) {
      lua_pushfstring(L, ", %I times", (LUAI_UACINT)alike);
      luaL_addvalue(&b);
    }
  }
  luaL_pushresult(&b);
  return 1;
}

void bs_addtasks (lua_State *L, bs_loop *loop) {
  lua_pushlightuserdata(L, loop);
  lua_pushvalue(L, -2);
  if (bs_callaside(L, loop, addtasks, 2))
    lua_remove(L, -2);
}

/* ==== registration ==== */

/* core.own(source, names): the library's Lua code, and its functions that wait: names by function */
static int inspect_own (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  const char *source = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, 1); /* so it is kept */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &st->own);
  st->own = source;
  return 0;
}

static const luaL_Reg functions[] = {
  {"tasks", inspect_tasks},
  {NULL, NULL},
};

static const luaL_Reg own[] = {{"own", inspect_own}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__tostring", inspect_tostring}, {NULL, NULL}};

void bs_openinspect (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, own);
  lua_getfield(L, BS_AT_MODULE, "loop");
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_getiuservalue(L, BS_AT_STATE, BS_STATE_TASK);
  bs_setfuncs(L, lua_gettop(L), metamethods);
  lua_pop(L, 2);
}
