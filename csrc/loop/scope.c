/*
** scope.c: loop.wrap and loop.timeout, coroutines inside a task through which its waits pass. Where the
** innermost waits, each one in turn yields to the one around it, and the task's own to loop.run; when
** the wait is over, each in turn resumes the one inside. Elsewhere than in a task, loop.wrap's is like any
** coroutine. What a task is, is in task.c.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/error.h"
#include "base/open.h"
#include "loop/task.h"

#define SCOPE "bsdsocket.loop.scope" /* metatable of scopes */

static int scope_gc (lua_State *L) {
  bs_scope *sc = (bs_scope *)luaL_checkudata(L, 1, SCOPE);
  if (sc->loop != NULL)
    bs_stoptimer(&sc->loop->timers, &sc->timer);
  if (sc->task !=
      NULL) /* something else has ended its coroutine, and the task has not noticed yet */
    for (bs_scope **at = &sc->task->scope; *at != NULL; at = &(*at)->outer)
      if (*at == sc) {
        *at = sc->outer;
        break;
      }
  return 0;
}

static void ringscope (lua_State *L, bs_timer *timer) {
  bs_scope *sc = (bs_scope *)(void *)((char *)timer - offsetof(bs_scope, timer));
  bs_task *t = sc->task;
  (void)L;
  /* what has not been tried yet may have no need to wait: that it gives way to others is our doing */
  if (sc->active && t->state == BS_READY && t->pending && !sc->spared) {
    sc->spared = 1;
    if (bs_settimer(&sc->loop->timers, timer, bs_now() + 1) == 0) /* the next time around */
      return;
  }
  sc->expired = 1;
  if (sc->active && t->state != BS_RUNNING) {
    sc->call = bs_callof(t);
    bs_forget(t);
    bs_makeready(t);
  }
}

/* Pushes a scope with a coroutine that will run the function on the top, which is gone then. */
static bs_scope *newscope (lua_State *L, bs_loop *loop) {
  bs_scope *sc = (bs_scope *)lua_newuserdatauv(L, sizeof(bs_scope), 1);
  memset(sc, 0, sizeof(*sc));
  sc->loop = loop;
  sc->timer.ring = ringscope;
  luaL_setmetatable(L, SCOPE);
  sc->co = lua_newthread(L);
  lua_setiuservalue(L, -2, 1);
  lua_insert(L, -2);
  lua_xmove(L, sc->co, 1);
  return sc;
}

/* With those inside it, of which some are left where something else has resumed a coroutine. */
static void leavescope (bs_scope *sc) {
  bs_task *t = sc->task;
  while (sc->task != NULL) {
    bs_scope *inner = t->scope;
    bs_assert(inner != NULL && inner->task == t);
    t->scope = inner->outer;
    inner->task = NULL;
    inner->active = 0;
  }
  sc->active = 0;
}

/* What running a scope's coroutine comes to: a status of Lua's, or */
#define SUSPENDED (-1) /* the task waits: yield, and go on when it is resumed */

/* Runs it, with so many arguments from the top. *results are on its own top then; after an error, that. */
static int runscope (lua_State *L, bs_scope *sc, int arguments, int *results) {
  bs_loop *loop = sc->loop;
  bs_task *t = loop->current;
  int through = bs_taskof(L, loop) != NULL, blocks = t != NULL ? t->blocks : 0;
  if (!lua_checkstack(sc->co, arguments)) /* before anything is changed */
    bs_memory(L);
  if (through && !sc->active) {
    sc->task = t;
    sc->outer = t->scope;
    t->scope = sc;
    sc->active = 1;
  }
  if (through)
    t->runs = sc->co;
  else if (t != NULL && (L == t->runs || blocks)) /* where Lua cannot yield, it blocks */
    t->blocks = 1;
  lua_xmove(L, sc->co, arguments);
  sc->running = 1;
  int status = lua_resume(sc->co, L, arguments, results);
  sc->running = 0;
  if (t != NULL)
    t->blocks = (unsigned char)blocks;
  if (through)
    t->runs = L;
  if (through && status == LUA_YIELD && t->state != BS_RUNNING)
    return SUSPENDED;
  if (through)
    leavescope(sc);
  return status;
}

/* Moves the values on a scope's top to L. */
static int takeresults (lua_State *L, bs_scope *sc, int results) {
  luaL_checkstack(L, results, "too many results");
  lua_xmove(sc->co, L, results);
  return results;
}

/* An error has ended its coroutine: it goes on, after the <close> variables. Where it happened can be told only now.
** `where`: as coroutine.wrap, it gets the position of the call. */
static int passerror (lua_State *L, bs_scope *sc, int where) {
  bs_task *t = sc->loop->current;
  if (t != NULL)
    bs_pushtrace(L, t, sc->co);
  else
    lua_pushnil(L);
  bs_pusherror(L, sc->co);
  bs_closefailed(L, sc->loop, sc->co);
  if (where && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  lua_insert(L, -2);
  if (t != NULL)
    bs_notepassed(L, t);
  else
    lua_pop(L, 1);
  return lua_error(L);
}

/* ---- loop.wrap ---- */

#define WRAPPED lua_upvalueindex(BS_NUP + 1)

static int wrapcontinue(lua_State *L, int status, lua_KContext ctx);

static int wrap (lua_State *L, int arguments) {
  bs_scope *sc = (bs_scope *)lua_touserdata(L, WRAPPED);
  int results;
  int status = runscope(L, sc, arguments, &results);
  if (status == SUSPENDED)
    return lua_yieldk(L, 0, 0, wrapcontinue);
  if (status == LUA_OK || status == LUA_YIELD)
    return takeresults(L, sc, results);
  return passerror(L, sc, status != LUA_ERRMEM);
}

static int wrapcontinue (lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  bs_goeson(L, ((bs_scope *)lua_touserdata(L, WRAPPED))->loop);
  return wrap(L, 0);
}

static int wrap_call (lua_State *L) {
  bs_scope *sc = (bs_scope *)lua_touserdata(L, WRAPPED);
  if (sc->active || sc->running)
    return luaL_error(L, "cannot resume non-suspended coroutine");
  if (lua_status(sc->co) == LUA_OK && lua_gettop(sc->co) == 0)
    return luaL_error(L, "cannot resume dead coroutine");
  return wrap(L, lua_gettop(L));
}

/* loop.wrap(f) */
static int scope_wrap (lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  newscope(L, bs_needloop(L))->generator = 1;
  bs_pushfunction(L, wrap_call, 1);
  return 1;
}

/* ---- loop.timeout: the scope is at 1 ---- */

static int timeoutcontinue(lua_State *L, int status, lua_KContext ctx);
static int timeoutyielded(lua_State *L, int status, lua_KContext ctx);

/* Its time is over while it waits: everything in it is closed, from the inside. */
static int expire (lua_State *L, bs_scope *sc) {
  bs_task *t = sc->task;
  bs_spot spot;
  int failed = 0;
  bs_findspot(L, t, NULL, &spot);
  if (spot.call == NULL)
    spot.call = sc->call;
  for (bs_scope *each = t->scope;; each = t->scope) {
    bs_stoptimer(&sc->loop->timers, &each->timer);
    leavescope(each);
    if (bs_closethread(L, sc->loop, each->co) != LUA_OK) {
      lua_settop(L, 1);
      lua_xmove(each->co, L, 1);
      failed = 1;
    }
    if (each == sc)
      break;
  }
  if (failed)
    return lua_error(L);
  lua_pushnil(L);
  bs_pushtimedout(L, &spot);
  lua_pushliteral(L, "timeout");
  return 3;
}

/* Is there a generator that a yield might be meant for? */
static int generates (const bs_task *t) {
  const bs_scope *sc = t != NULL ? t->scope : NULL;
  while (sc != NULL && !sc->generator)
    sc = sc->outer;
  return sc != NULL;
}

static int timeout (lua_State *L, int arguments) {
  bs_scope *sc = (bs_scope *)lua_touserdata(L, 1);
  int results;
  int status = runscope(L, sc, arguments, &results);
  switch (status) {
    case SUSPENDED: return lua_yieldk(L, 0, 0, timeoutcontinue);
    case LUA_YIELD: /* to a generator around it */
      if (!generates(sc->loop->current)) {
        bs_stoptimer(&sc->loop->timers, &sc->timer);
        lua_pushliteral(L, BS_STRAY);
        bs_closefailed(L, sc->loop, sc->co);
        return lua_error(L);
      }
      takeresults(L, sc, results);
      return lua_yieldk(L, results, 0, timeoutyielded);
    default:
      bs_stoptimer(&sc->loop->timers, &sc->timer);
      return status == LUA_OK ? takeresults(L, sc, results) : passerror(L, sc, 0);
  }
}

static int timeoutcontinue (lua_State *L, int status, lua_KContext ctx) {
  bs_scope *sc = (bs_scope *)lua_touserdata(L, 1);
  (void)status, (void)ctx;
  bs_goeson(L, sc->loop);
  return sc->expired ? expire(L, sc) : timeout(L, 0);
}

static int timeoutyielded (lua_State *L, int status, lua_KContext ctx) {
  bs_scope *sc = (bs_scope *)lua_touserdata(L, 1);
  bs_task *t = sc->loop->current;
  (void)status, (void)ctx;
  if (!sc->expired || t == NULL)
    return timeout(L, lua_gettop(L) - 1);
  sc->task = t; /* it ended while the generator was not asked */
  sc->outer = t->scope;
  t->scope = sc;
  return expire(L, sc);
}

/* loop.timeout(seconds, f, ...) */
static int scope_timeout (lua_State *L) {
  bs_loop *loop = bs_needloop(L);
  luaL_checknumber(L, 1);
  double seconds = bs_checktimeout(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (bs_taskof(L, loop) == NULL)
    return bs_misplaced(L, loop)
             ? bs_refuse(L, "timeout")
             : luaL_error(L, "loop.timeout has to be called in a task, where Lua can yield");
  lua_pushvalue(L, 2);
  bs_scope *sc = newscope(L, loop);
  lua_replace(L, 1);
  lua_remove(L, 2);
  if (seconds >= 0) {
    bs_time span = bs_span(seconds);
    if (span != BS_FOREVER && bs_settimer(&loop->timers, &sc->timer, bs_now() + span) != 0)
      bs_memory(L);
  }
  return timeout(L, lua_gettop(L) - 1);
}

static const luaL_Reg functions[] = {
  {"timeout", scope_timeout},
  {"wrap", scope_wrap},
  {NULL, NULL},
};

void bs_openscope (lua_State *L) {
  lua_getfield(L, BS_AT_MODULE, "loop");
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_pop(L, 1);
  luaL_newmetatable(L, SCOPE);
  lua_pushcfunction(L, scope_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
