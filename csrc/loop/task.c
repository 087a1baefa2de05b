/*
** task.c: the life of a task: spawned, joined, cancelled, ended, all of them by loop.stop. A task is a coroutine; how
** it waits meanwhile, and who gives it its turn, is in loop.c. What is told of it is in inspect.c and trace.c.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/error.h"
#include "base/open.h"
#include "loop/task.h"

#define MOSTNESTED 8 /* cancelled in <close> variables of one that is being cancelled, and so on */

/* The tasks that have not ended, or whose error nobody has been told of, are kept alive by a table: in the
** registry, as iterators without the usual upvalues have to find it. */
void bs_pushtasks (lua_State *L, const bs_state *st) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, st);
}

/* Lua has lua_closethread since 5.4.6. Whatever the headers are, core.so is to load in every 5.4, and asks at
** runtime: that needs a weak reference. */
#if LUA_VERSION_NUM > 504

#define closethread lua_closethread

#elif defined(__GNUC__)

LUA_API int(lua_closethread)(lua_State *L, lua_State *from) __attribute__((weak));

static int closethread (lua_State *co, lua_State *from) {
  typedef int (*reset)(lua_State * co, lua_State * from); /* in 5.4.5; others pass over `from` */
  reset resets = (reset)(void (*)(void))lua_resetthread;
  return lua_closethread != NULL ? lua_closethread(co, from) : resets(co, from);
}

#else

#define closethread(co, from) ((void)(from), lua_resetthread(co))

#endif

int bs_closethread (lua_State *L, bs_loop *loop, lua_State *co) {
  loop->st->closing++;
  int status = closethread(co, L);
  loop->st->closing--;
  return status;
}

void bs_closefailed (lua_State *L, bs_loop *loop, lua_State *co) {
  if (bs_closethread(L, loop, co) != LUA_OK) { /* the same error again, or another */
    lua_pop(L, 1);
    lua_xmove(co, L, 1);
  }
}

/* ==== which coroutine may wait ==== */

int bs_refuse (lua_State *L, const char *call) {
  luaL_error(L, "%s has to wait, and this coroutine is no task: make it with loop.wrap", call);
}

/* A program may get hold of a task's coroutine and resume it, though it waits. */
int bs_wrongly (lua_State *L, const bs_loop *loop) {
  bs_pushtasks(L, loop->st);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    if (t->pending && t->at == L) {
      bs_forget(t);
      bs_makeready(t);
    }
    lua_pop(L, 1);
  }
  luaL_error(L, "this coroutine waits in a task: only the loop can resume it");
}

void bs_goeson (lua_State *L, const bs_loop *loop) {
  if (loop->current == NULL || L != loop->current->runs)
    bs_wrongly(L, loop);
}

/* ==== its end ==== */

void bs_pushtask (lua_State *L, const bs_task *t) {
  bs_pushtasks(L, t->loop->st);
  lua_rawgetp(L, -1, t);
  lua_remove(L, -2);
}

/* The task has ended. Its outcome, if there is one, is on the top: a value, or several in a table. */
static void end (lua_State *L, bs_task *t, int results, int failed) {
  bs_forget(t);
  for (; t->scope != NULL; t->scope = t->scope->outer) {
    t->scope->task = NULL;
    t->scope->active = 0;
  }
  bs_freeroom(t);
  t->state = BS_ENDED;
  t->results = results;
  t->failed = (unsigned char)failed;
  t->loop->alive--;
  if (results == 0)
    lua_pushnil(L);
  bs_pushtask(L, t);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  lua_pushnil(L); /* the coroutine is garbage */
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  t->L = t->at = t->runs = NULL;
  while (t->joiners.first != NULL)
    bs_makeready(t->joiners.first);
}

static void anchor (lua_State *L, bs_task *t, int task) {
  bs_pushtasks(L, t->loop->st);
  lua_pushvalue(L, task);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

static void unanchor (lua_State *L, bs_task *t) {
  bs_pushtasks(L, t->loop->st);
  lua_pushnil(L);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

/* It ends with the error on the top; below is the traceback of that, or nil. */
static void endbadly (lua_State *L, bs_task *t, int told) {
  end(L, t, 1, 1);
  bs_pushtask(L, t);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  if (told) {
    unanchor(L, t);
    return;
  }
  t->silent = 1;
  bs_append(&t->loop->silent, t);
}

void bs_endfailed (lua_State *L, bs_task *t) {
  lua_State *co = t->L;
  int told = t->joiners.first != NULL || (t == t->loop->first && !t->loop->stopped);
  bs_pushtrace(L, t, co);
  lua_insert(L, -2);
  bs_closefailed(L, t->loop, co);
  endbadly(L, t, told);
}

/* It has returned: the results are on the top of its coroutine. */
void bs_endreturned (lua_State *L, bs_task *t, int results) {
  lua_State *co = t->L;
  if (results == 1)
    lua_xmove(co, L, 1);
  else if (results > 1) {
    lua_createtable(L, results, 0);
    for (int i = results; i > 0; i--) {
      lua_xmove(co, L, 1);
      lua_rawseti(L, -2, i);
    }
  }
  end(L, t, results, 0);
  unanchor(L, t);
}

/* ==== its beginning ==== */

bs_task *bs_newtask (lua_State *L, int f) {
  bs_loop *loop = bs_needloop(L);
  int arguments = lua_gettop(L) - f;
  luaL_checktype(L, f, LUA_TFUNCTION);
  bs_task *t = (bs_task *)lua_newuserdatauv(L, sizeof(bs_task), 2);
  memset(t, 0, sizeof(*t));
  t->loop = loop;
  t->timer.ring = bs_ringtask;
  bs_initroom(t);
  t->state = BS_ENDED; /* until nothing can fail any more */
  lua_getiuservalue(L, BS_UP_STATE, BS_STATE_TASK);
  lua_setmetatable(L, -2);
  lua_insert(L, f);
  t->L = lua_newthread(L);
  lua_setiuservalue(L, f, 1);
  if (!lua_checkstack(t->L, arguments + 1))
    bs_memory(L);
  lua_xmove(L, t->L, arguments + 1);
  anchor(L, t, f);
  loop->alive++;
  loop->spawned++;
  if (loop->stopped)
    t->state = BS_READY; /* on no list: it never has a turn */
  else
    bs_makeready(t);
  return t;
}

/* loop.spawn(f, ...) */
static int task_spawn (lua_State *L) {
  bs_newtask(L, 1);
  return 1;
}

/* ==== what others do with it ==== */

bs_task *bs_checktask (lua_State *L, int arg) {
  void *t = lua_touserdata(L, arg);
  if (t != NULL && lua_getmetatable(L, arg)) {
    lua_getiuservalue(L, BS_UP_STATE, BS_STATE_TASK);
    if (!lua_rawequal(L, -1, -2))
      t = NULL;
    lua_pop(L, 2);
  }
  else
    t = NULL;
  if (t == NULL)
    luaL_typeerror(L, arg, "task");
  return (bs_task *)t;
}

void bs_heard (lua_State *L, bs_task *t) {
  if (!t->silent)
    return;
  t->silent = 0;
  bs_leavelist(t);
  unanchor(L, t);
}

int bs_pushoutcome (lua_State *L, bs_task *t, int at) {
  bs_heard(L, t);
  luaL_checkstack(L, t->results + 2, "too many results");
  lua_pushboolean(L, !t->failed);
  if (t->cancelled)
    lua_pushliteral(L, "cancelled");
  else if (t->results > 0)
    lua_getiuservalue(L, at, 2);
  if (t->results > 1) {
    int values = lua_gettop(L);
    for (int i = 1; i <= t->results; i++)
      lua_rawgeti(L, values, i);
    lua_remove(L, values);
  }
  return t->results + 1;
}

static int joined (lua_State *L, int status, lua_KContext ctx) {
  bs_task *t = bs_checktask(L, 1);
  (void)status, (void)ctx;
  if (t->state != BS_ENDED)
    return bs_wrongly(L, t->loop);
  return bs_pushoutcome(L, t, 1);
}

static const bs_kind join_kind = {BS_CALL("join", bs_op)};

/* task:join() */
static int task_join (lua_State *L) {
  bs_task *t = bs_checktask(L, 1);
  bs_loop *loop = t->loop;
  lua_settop(L, 1);
  if (t->state == BS_ENDED)
    return bs_pushoutcome(L, t, 1);
  if (t == loop->current)
    return luaL_error(L, "a task cannot join itself");
  bs_task *self = bs_taskof(L, loop);
  if (self == NULL && bs_misplaced(L, loop))
    return bs_refuse(L, "join");
  if (self == NULL)
    return luaL_error(L, "the task has not ended, and only a task can wait for its end");
  if (self->pending) /* something else has resumed it meanwhile */
    bs_forget(self);
  bs_waitsfor(self, &join_kind);
  bs_append(&t->joiners, self);
  return lua_yieldk(L, 0, 0, joined);
}

/* Closes it, with its scopes from the inside to the outside. */
static void closetask (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  int top = lua_gettop(L);
  for (int more = 1; more;) {
    bs_scope *sc = t->scope;
    lua_State *co = sc != NULL ? sc->co : t->L;
    more = sc != NULL;
    if (sc != NULL) {
      t->scope = sc->outer;
      sc->task = NULL;
      sc->active = 0;
      bs_stoptimer(&loop->timers, &sc->timer);
    }
    if (bs_closethread(L, loop, co) != LUA_OK) { /* the last error counts, as in Lua */
      lua_settop(L, top);
      lua_xmove(co, L, 1);
    }
  }
  int failed = lua_gettop(L) > top, told = !failed || t->joiners.first != NULL;
  if (!failed) {
    t->cancelled = 1;
    lua_pushnil(L);
    lua_pushnil(L);
  }
  else {
    bs_pushtrace(L, t, L); /* of who cancels it */
    lua_insert(L, -2);
  }
  endbadly(L, t, told);
}

/* Ends a task that is not running. Its <close> variables may cancel the next one, and so on: what would be too deep
** for the C stack has its turn when those around it are through. */
void bs_canceltask (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  t->state = BS_RUNNING; /* nobody is to end it twice */
  bs_forget(t);
  bs_append(&loop->condemned, t);
  if (loop->cancelling == MOSTNESTED)
    return;
  loop->cancelling++;
  while (loop->condemned.first != NULL) {
    t = loop->condemned.first;
    bs_leavelist(t);
    closetask(L, t);
  }
  loop->cancelling--;
}

/* task:cancel() */
static int task_cancel (lua_State *L) {
  bs_task *t = bs_checktask(L, 1);
  if (t->state == BS_RUNNING && t == t->loop->current)
    return luaL_error(L, "a task cannot cancel itself");
  int alive = t->state == BS_READY || t->state == BS_WAITING;
  if (t->tried)
    t->doomed = 1;
  else if (alive)
    bs_canceltask(L, t);
  lua_pushboolean(L, alive);
  return 1;
}

/* ==== what loop.run does with all of them ==== */

/* Ends whatever has not ended, but for what runs, if that is `spared`: the <close> variables of one may spawn others. */
static void cancelthem (lua_State *L, bs_loop *loop, int spared) {
  bs_pushtasks(L, loop->st);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    unsigned before = loop->spawned;
    if (spared && t->tried)
      t->doomed = 1;
    else if (t->state != BS_ENDED && !(spared && t->state == BS_RUNNING))
      bs_canceltask(L, t);
    lua_pop(L, 1);
    if (loop->spawned != before) { /* the table has new keys: from the beginning */
      lua_pop(L, 1);
      lua_pushnil(L);
    }
  }
  lua_pop(L, 1);
}

void bs_cancelall (lua_State *L, bs_loop *loop) {
  do
    cancelthem(L, loop, 0);
  while (bs_tellerrors(L, loop, BS_FRESH, 0)); /* who hears of them may spawn others */
}

/* loop.stop(...). The task that runs is cancelled at its next wait (resume in loop.c). */
static int task_stop (lua_State *L) {
  bs_loop *loop = ((bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
  int n = lua_gettop(L);
  if (loop == NULL || !loop->running)
    return luaL_error(L, "loop.stop: the loop does not run");
  if (loop->stopped || (loop->first != NULL && loop->first->failed)) /* it ends already */
    return 0;
  lua_createtable(L, n, 0);
  lua_insert(L, 1);
  for (int i = n; i > 0; i--)
    lua_rawseti(L, 1, i);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->stopped);
  loop->values = n;
  loop->stopped = 1;
  if (bs_engineforked(&loop->engine))
    bs_abandonothers(L, loop, loop->current);
  else
    cancelthem(L, loop, 1);
  return 0;
}

int bs_pushvalues (lua_State *L, const bs_loop *loop) {
  luaL_checkstack(L, loop->values + 3, "too many results");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loop->stopped);
  int at = lua_gettop(L);
  for (int i = 1; i <= loop->values; i++)
    lua_rawgeti(L, at, i);
  lua_pushnil(L); /* they are kept no longer */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop->stopped);
  return loop->values;
}

void bs_abandonothers (lua_State *L, bs_loop *loop, const bs_task *own) {
  bs_pushtasks(L, loop->st);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    if (t == own)
      continue;
    if (t->state == BS_ENDED)
      bs_heard(L, t);
    else {
      t->cancelled = 1;
      lua_pushnil(L);
      lua_pushnil(L);
      endbadly(L, t, 1);
    }
  }
  lua_pop(L, 1);
}

static const luaL_Reg functions[] = {
  {"spawn", task_spawn},
  {"stop", task_stop},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"cancel", task_cancel},
  {"join", task_join},
  {NULL, NULL},
};

void bs_opentask (lua_State *L) {
  lua_getfield(L, BS_AT_MODULE, "loop");
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushliteral(L, "task");
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, -2, "__index");
  lua_setiuservalue(L, BS_AT_STATE, BS_STATE_TASK);
}
