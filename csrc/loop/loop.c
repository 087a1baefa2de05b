/*
** loop.c: bsdsocket.loop, many tasks in one thread: loop.run, which gives each its turn, and the time that tasks wait for.
** What waits at which descriptor is in place.c, how a task's call waits in driver.c, how a task begins and ends in task.c;
** loop.wrap and loop.timeout are in scope.c, what is told of tasks in inspect.c and trace.c, their data in task.h.
*/
#include "base/prefix.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/open.h"
#include "loop/place.h"
#include "object/hear.h"
#include "op/drive.h"
#include "op/run.h"

#define LUASTATE 208 /* bytes of a lua_State: what Lua does not tell, and nothing depends on */

/* ==== turns ==== */

/* Those that are ready now get their turn; those that become so meanwhile the next time. Where one has forked this
** process the others are the parent's: here and below, none of them is to go on in the child. */
static void runready (lua_State *L, bs_loop *loop) {
  for (int n = loop->ready.n; n > 0 && loop->ready.first != NULL && !bs_loopforked(loop); n--) {
    bs_task *t = loop->ready.first;
    bs_leavelist(t);
    if (!t->pending || t->op->error != 0 || bs_advance(L, t))
      bs_resumetask(L, t);
  }
}

/* Whose turn will come soon: with thousands of tasks, what it needs is no longer in the processor's cache, so it is
** fetched meanwhile. What says where the next thing is has come by the next call. */
static void soon (void *ud, int fd, int turns) {
  const place *p = &((const bs_loop *)ud)->places[fd];
  if (turns == 3)
    BS_FETCH(p, sizeof(place));
  else if (p->receiver != NULL && turns == 2) {
    BS_FETCH(p->receiver, offsetof(bs_task, timer));
    BS_FETCH(p->sock, sizeof(bs_socket));
  }
  else if (p->receiver != NULL)
    BS_FETCH(p->receiver->at, LUASTATE);
}

/* Is it what the task waits for here? */
static BS_STRAIGHT int wants (const bs_task *t, int fd, int what) {
  return bs_waitsat(t, fd) &&
         ((what & BS_HANGUP) || (t->wanted & what & (BS_ALLREADING | BS_WRITE)));
}

/* They look again in the loop's next turn, each for itself. */
static BS_ASIDE void rousewatchers (const place *p, int what) {
  bs_task *lone = p->others->lone;
  bs_list all = p->others->watchers;
  for (bs_task *t = all.first, *next; t != NULL; t = next) {
    next = t->next;
    if (wants(t, t->fd, what))
      bs_rouse(t);
  }
  if (lone != NULL && wants(lone, lone->fd, what))
    bs_rouse(lone);
}

/* What the engine tells. */
static void told (void *ud, int fd, int what) {
  bs_loop *loop = (bs_loop *)ud;
  lua_State *L = loop->L;
  if (bs_loopforked(loop))
    return;
  place *p = &loop->places[fd];
  if (what == BS_LOST) {
    bs_forgetplace(loop, fd, NULL);
    return;
  }
  if (what & BS_READ)
    p->empty = 0;
  if (what & BS_HANGUP)
    p->hangup = 1;
  p->armed = p->sock != NULL;
  if (!BS_LIKELY(p->others == NULL))
    rousewatchers(p, what);
  bs_task *receiver = wants(p->receiver, fd, what) ? p->receiver : NULL;
  bs_task *sender = wants(p->sender, fd, what) ? p->sender : NULL;
  if (receiver != NULL && bs_advance(L, receiver))
    bs_resumetask(L, receiver);
  if (sender != NULL && sender != receiver && loop->places[fd].sender == sender &&
      bs_waitsat(sender, fd) && !bs_loopforked(loop) &&
      (sender->op->rest == 0 || (what & BS_HANGUP)) && bs_advance(L, sender))
    bs_resumetask(L, sender);
  p = &loop->places[fd];
  if (p->known && !p->armed && p->others != NULL &&
      bs_keepwatch(loop, fd, NULL, 0) != 0) /* for who was not meant; or has it been closed? */
    bs_forgetplace(loop, fd, NULL);
}

/* ==== waiting for time ==== */

/* Nothing ever comes; that the time is over is what is wanted. */
static int sleep_step (bs_op *op, bs_time patience) {
  (void)patience;
  op->rest = (bs_time)1 << 62;
  return BS_REST;
}

static int sleep_finish (lua_State *L, bs_op *op) {
  if (op->error != EAGAIN && op->error != BS_ETIMEOUT)
    return bs_failop(L, op, NULL);
  return 0;
}

static const bs_kind sleep_kind = {BS_CALL("sleep", bs_op), .step = sleep_step,
                                   .finish = sleep_finish};

static int rested (lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  bs_goeson(L, (bs_loop *)ctx);
  return 0;
}

static bs_loop *loopof (lua_State *L) {
  return ((bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
}

/* loop.sleep(seconds). Without any, the others get their turn. */
static int loop_sleep (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_op op;
  luaL_checknumber(L, 1);
  bs_initop(&op, &sleep_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  op.timeout = bs_checktimeout(L, 1);
  lua_settop(L, 0);
  bs_task *t = bs_taskof(L, loop);
  if (op.timeout == 0 && loop != NULL && bs_misplaced(L, loop))
    return bs_refuse(L, "sleep");
  if (op.timeout != 0 || t == NULL)
    return bs_run(L, &op);
  bs_makeready(t);
  return lua_yieldk(L, 0, (lua_KContext)loop, rested);
}

/* loop.now() */
static int loop_now (lua_State *L) {
  lua_pushnumber(L, (lua_Number)bs_now() / 1e9);
  return 1;
}

/* ==== loop.run ==== */

bs_loop *bs_needloop (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  if (st->loop == NULL) {
    lua_newtable(L); /* of tasks */
    lua_rawsetp(L, LUA_REGISTRYINDEX, st);
    bs_loop *loop = (bs_loop *)lua_newuserdatauv(L, sizeof(bs_loop), 0);
    memset(loop, 0, sizeof(*loop));
    loop->st = loop->timers.st = st;
    loop->engine.fd = -1;
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_LOOP);
    st->loop = loop;
  }
  return st->loop;
}

/* Those whose time has come. */
static void ringtimers (lua_State *L, bs_loop *loop) {
  if (loop->timers.n == 0)
    return;
  bs_time now = bs_now();
  for (bs_timer *t;
       (t = bs_nexttimer(&loop->timers)) != NULL && t->when <= now && !bs_loopforked(loop);) {
    bs_stoptimer(&loop->timers, t);
    t->ring(L, t);
  }
}

/* After a signal: its handler may have set a hook on a coroutine that waits, where it was made known. */
static BS_SELDOM void checkwaiting (lua_State *L, bs_loop *loop) {
  int found = 0;
  bs_pushtasks(L, loop->st);
  for (lua_pushnil(L); !found && lua_next(L, -2); lua_pop(L, 1)) {
    const bs_task *t = (const bs_task *)lua_touserdata(L, -1);
    found = t->at != NULL && bs_checkhookof(L, t->at);
  }
  lua_pop(L, found ? 2 : 1);
}

static int deadlock (lua_State *L, bs_loop *loop) {
  lua_pushliteral(L, "every task waits for another to end");
  bs_addtasks(L, loop);
  return lua_error(L);
}

/* Until every task has ended, or the first has failed, or loop.stop. May raise what a hook raises. */
static int loop_turn (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_hooks known = bs_knownhooks(L, loop->st);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (known.main != NULL)
    bs_checkmainhook(L, loop->st, &known);
  loop->L = L;
  while (loop->alive > 0 && !loop->stopped) {
    bs_time patience = BS_NEVER;
    for (bs_task *t = loop->silent.first; t != NULL; t = t->next)
      t->silent = BS_STALE;
    runready(L, loop);
    bs_tellerrors(L, loop, BS_STALE, 1);
    if (loop->stopped || (loop->first != NULL && loop->first->failed))
      return 0;
    if (loop->ready.n == 0) {
      if (loop->alive == 0)
        return 0;
      if (bs_tellerrors(L, loop, BS_FRESH, 1))
        continue;
      const bs_timer *next = bs_nexttimer(&loop->timers);
      patience = BS_FOREVER;
      if (next != NULL) {
        bs_time now = bs_now();
        patience = next->when > now ? next->when - now : BS_NEVER;
      }
      else if (loop->waiting == 0)
        return deadlock(L, loop);
    }
    if (bs_loopforked(loop))
      return luaL_error(L, "this process was forked from one whose loop this is");
    bs_checkhooks(L, loop->st, &known); /* set while a task computed */
    int err = bs_enginewait(&loop->engine, patience, told, soon, loop);
    if (err != 0 && err != EINTR)
      return bs_raise(L, "run", err);
    bs_checkhooks(L, loop->st, &known);
    if (err == EINTR)
      checkwaiting(L, loop);
    ringtimers(L, loop);
  }
  return 0;
}

static void shut (bs_loop *loop) {
  bs_state *st = loop->st;
  bs_engineclose(&loop->engine);
  bs_freetimers(&loop->timers);
  if (loop->places != NULL)
    st->alloc(st->allocdata, loop->places, (size_t)loop->size * sizeof(place), 0);
  loop->places = NULL;
  loop->size = 0;
  loop->waiting = 0;
}

/* A state may be closed by a task, while others wait. Finalizers of what is older than the library may still come
** with tasks and generators: the loop itself stays, and there is nothing in it. */
void bs_closeloop (lua_State *L, bs_state *st) {
  if (st->loop == NULL)
    return;
  bs_pushtasks(L, st);
  for (lua_pushnil(L); lua_istable(L, -2) && lua_next(L, -2); lua_pop(L, 1)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    bs_forget(t);
    bs_freeroom(t);
  }
  lua_pop(L, 1);
  shut(st->loop);
  st->loop->current = NULL;
}

/* The function of loop.run and its arguments become the first task. */
static int loop_first (lua_State *L) {
  bs_loop *loop = loopof(L);
  loop->first = bs_newtask(L, 1);
  return 1;
}

/* loop.run([f, ...]) */
static int loop_run (lua_State *L) {
  bs_loop *loop = bs_needloop(L);
  int isfirst = !lua_isnoneornil(L, 1);
  if (isfirst)
    luaL_checktype(L, 1, LUA_TFUNCTION);
  else
    lua_settop(L, 0);
  if (loop->running)
    return luaL_error(L, "loop.run: the loop runs already");
  bs_pushfunction(L, loop_turn, 0);
  lua_insert(L, 1);
  if (isfirst) {
    bs_pushfunction(L, loop_first, 0);
    lua_insert(L, 2);
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bs_needaside(L, loop);
  int err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0 && bs_collect(L, err))
    err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0)
    return bs_raise(L, "run", err);
  loop->running = loop->st->looping = 1; /* from here to the end nothing may raise */
  loop->st->aside++;
  loop->first = NULL;
  loop->stopped = 0;
  int status = isfirst ? lua_pcall(L, lua_gettop(L) - 2, 1, 0) : LUA_OK;
  if (status == LUA_OK) {
    lua_pushvalue(L, 1);
    status = lua_pcall(L, 0, 0, 0);
  }
  bs_task *first = loop->first;
  int at = lua_gettop(L); /* it is there, or an error */
  if (status == LUA_ERRRUN && bs_isinterrupt(L))
    bs_addtasks(L, loop);
  if (bs_loopforked(loop))
    bs_abandonothers(L, loop, loop->ran);
  bs_cancelall(L, loop);
  shut(loop);
  loop->first = NULL;
  loop->running = loop->st->looping = 0;
  loop->st->aside--;
  bs_keeptrace(L, loop, status == LUA_OK && first != NULL ? at : 0);
  int stopped = loop->stopped, values = stopped ? bs_pushvalues(L, loop) : 0;
  loop->stopped = 0;
  if (status != LUA_OK) {
    lua_settop(L, at);
    return lua_error(L);
  }
  if (stopped)
    return values;
  if (first == NULL)
    return 0;
  int n = bs_pushoutcome(L, first, at);
  return first->failed ? lua_error(L) : n - 1;
}

static const luaL_Reg functions[] = {
  {"now", loop_now},
  {"run", loop_run},
  {"sleep", loop_sleep},
  {NULL, NULL},
};

void bs_openloop (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_AT_STATE);
  bs_hear(st, &bs_loophearer);
  bs_adddriver(st, &bs_loopdriver);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_setfield(L, BS_AT_MODULE, "loop"); /* taken from there by lua/bsdsocket/loop.lua */
}
