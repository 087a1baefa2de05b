/*
** waiter.c: socket.setwaiter, by which another scheduler's coroutines wait in our calls. Its function is called
** with what to wait for, and may yield; the operation meanwhile lies in a userdata on the stack. The
** scheduler of this library is in loop.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/hook.h"
#include "base/open.h"
#include "object/hear.h"
#include "op/attempt.h"
#include "op/drive.h"
#include "op/thread.h"
#include "op/turn.h"

#define WAITED "bsdsocket.waited"
#define DESCRIPTOR "descriptor"

/* ==== what a scheduler is given where there is no socket and no poller ==== */

static int descriptor_fileno (lua_State *L) {
  int fd = *(const int *)luaL_checkudata(L, 1, DESCRIPTOR);
  if (fd < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, fd);
  return 1;
}

/* ==== what never comes: to wait for time alone ==== */

/* A unix socket without a name. It is opened when a scheduler is installed, since rests are for when there are no
** descriptors; else pushes nil, and false. */
static int pushnever (lua_State *L, bs_state *st) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->never) != LUA_TNIL)
    return 1;
  if (lua_touserdata(L, BS_UP_STATE) != st) /* an iterator, that has not what the object needs */
    return 0;
  bs_socket *s = bs_newsocket(L, AF_UNIX, SOCK_DGRAM, 0);
  s->fd = bs_syssocket(AF_UNIX, SOCK_DGRAM, 0);
  if (s->fd < 0) {
    lua_pop(L, 1);
    return 0;
  }
  lua_replace(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &st->never);
  return 1;
}

static void closenever (lua_State *L, bs_state *st) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->never) != LUA_TNIL) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &st->never);
    lua_getfield(L, -1, "close");
    lua_insert(L, -2);
    lua_call(L, 1, 0);
  }
  else
    lua_pop(L, 1);
}

/* ==== the function wake ==== */

/* Closing goes on, whatever it says. */
static void wake (lua_State *L, bs_state *st, int arg) {
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

/* ==== operations that wait ==== */

/* The operation itself follows. Its user values are the DESCRIPTOR that is waited for, if it is one, and the job's
** anchor, the sockets whose sides it holds, and its coroutine. What it anchors is older, so that it is finalized later.
** It is waited for by a C function of its own, `waiting`, whose to-be-closed slot it is: that is closed by the function's
** return. To cut the stack below such a slot is no good, as Lua 5.4.3 and 5.4.4 then go on with a pointer to a stack
** that may have moved. */
typedef struct waited {
  bs_job *job;
  struct waited *next,
    **link; /* in the state's list of those whose turn to send has not come; NULL: not in it */
  struct waited *older, **newer; /* in that of those that hold something; NULL: not in it */
  lua_State *L;                  /* its coroutine */
  int turn[2];         /* the first is readable when its turn has come; -1: there is none */
  unsigned char holds; /* BS_IN, BS_OUT: the sides that no other may use meanwhile */
  bs_hooks known;
  lua_Hook hook; /* the coroutine's, while it is taken off; NULL: it is not */
  int mask, count;
  size_t size;   /* of the operation; 0: there is none any more */
  bs_time began; /* to wait, this time */
  int vain;      /* how often in a row it was ready at once, and the step could do nothing */
  unsigned char collected;
  unsigned char ended; /* the operation has: finish will have it */
} waited;

#define operation(w) ((bs_op *)(void *)((w) + 1))
#define OBJECT 1
#define JOB 2
#define INSIDE 3
#define OUTSIDE 4
#define THREAD 5

/* on the stack of `waiting` */
#define SOURCE 1 /* the socket or the poller that is waited for, if it is one of them */
#define WAITER 2 /* the waited */

#define MOSTOP 4096 /* the largest operation has less */
#define BS_MILLISECOND ((bs_time)1000000)
#define BUDGET 64 /* tries in a row before other coroutines get their turn */
#define EARLY                                                                                      \
  0.02 /* seconds: a scheduler whose clock has ticks may say so much before its time that it is over */

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
static void notepoller (lua_State *L, const bs_state *st, int fd) {
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
static void noteselect (lua_State *L, const bs_state *st, int waits) {
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

/* The descriptor may be closed next: it is waited for no longer. */
static void wakeobject (lua_State *L, int at) {
  waited *w = (waited *)lua_touserdata(L, at);
  lua_getiuservalue(L, at, OBJECT);
  if (!lua_isnil(L, -1)) {
    noteselect(L, operation(w)->st, 0);
    wake(L, operation(w)->st, -1);
    *(int *)lua_touserdata(L, -1) = -1;
    lua_pushnil(L);
    lua_setiuservalue(L, at, OBJECT);
  }
  lua_pop(L, 1);
}

/* ---- whose turn it is ---- */

static void leavequeue (waited *w) {
  bs_state *st = operation(w)->st;
  if (w->link == NULL)
    return;
  *w->link = w->next;
  if (w->next != NULL)
    w->next->link = w->link;
  else
    st->lastwaited = w->link;
  w->link = NULL;
}

static void enqueue (waited *w) {
  bs_state *st = operation(w)->st;
  if (st->firstwaited == NULL)
    st->lastwaited = &st->firstwaited;
  w->next = NULL;
  w->link = st->lastwaited;
  *w->link = w;
  st->lastwaited = &w->next;
}

static void closeend (waited *w, int end) {
  if (w->turn[end] >= 0)
    (void)close(w->turn[end]);
  w->turn[end] = -1;
}

/* It goes on as soon as its scheduler finds out: the other end is closed. */
static void callup (waited *w) {
  leavequeue(w);
  closeend(w, 1);
}

/* Takes the sides, for a call that will be suspended. Until it is over no call goes its straight way, not even where the
** scheduler is taken away meanwhile. */
static void hold (waited *w, int sides) {
  bs_state *st = operation(w)->st;
  st->aside++;
  w->older = st->holders;
  w->newer = &st->holders;
  if (w->older != NULL)
    w->older->newer = &w->older;
  st->holders = w;
  for (int side = BS_IN; side <= BS_OUT; side <<= 1) {
    bs_socket *s = sides & side ? bs_sideof(operation(w), side) : NULL;
    if (s == NULL)
      continue;
    s->marks = (unsigned char)(s->marks | side);
    w->holds = (unsigned char)(w->holds | side);
  }
}

/* Has an error ended its coroutine? The collector will come for it at some time. */
static int isdead (const waited *w) {
  return lua_status(w->L) > LUA_YIELD;
}

/* The call is over: the next sender's turn has come. */
static void release (waited *w) {
  const bs_op *op = operation(w);
  int holds = w->holds;
  w->holds = 0;
  if (w->newer != NULL) {
    *w->newer = w->older;
    if (w->older != NULL)
      w->older->newer = w->newer;
    w->newer = NULL;
    op->st->aside--;
  }
  leavequeue(w);
  closeend(w, 0);
  closeend(w, 1);
  if (holds & BS_IN) {
    bs_socket *s = bs_sideof(op, BS_IN);
    s->marks = (unsigned char)(s->marks & ~BS_IN);
  }
  if (holds & BS_OUT) {
    bs_socket *s = bs_sideof(op, BS_OUT);
    waited *next = op->st->firstwaited;
    while (next != NULL && (bs_sideof(operation(next), BS_OUT) != s || isdead(next)))
      next = next->next;
    if (next == NULL)
      s->marks = (unsigned char)(s->marks & ~BS_OUT);
    else {
      next->holds = (unsigned char)(next->holds | BS_OUT);
      callup(next);
    }
  }
}

/* An error that ended a coroutine has left its call as it was, until the collector comes. */
static void reclaim (const bs_state *st, const bs_socket *s, int side) {
  for (waited *w = st->holders, *older; w != NULL; w = older) {
    older = w->older;
    if ((w->holds & side) && bs_sideof(operation(w), side) == s && isdead(w))
      release(w);
  }
}

static int flushes (const bs_socket *s) {
  for (const waited *w = s->st->holders; w != NULL; w = w->older) {
    const bs_op *op = (const bs_op *)(const void *)(w + 1);
    if (op->sock == s && bs_flushes(op) && lua_status(w->L) <= LUA_YIELD)
      return 1;
  }
  return 0;
}

/* All who wait for their turn to send by `s` end so. */
static void endqueue (const bs_state *st, const bs_socket *s, int err) {
  for (waited *w = st->firstwaited, *next; w != NULL; w = next) {
    next = w->next;
    if (bs_sideof(operation(w), BS_OUT) != s)
      continue;
    operation(w)->error = err;
    callup(w);
  }
}

/* By the collector, and when the coroutine is closed or an error goes through it. */
static int waited_gc (lua_State *L) {
  waited *w = (waited *)lua_touserdata(L, 1);
  if (w->size == 0 || w->ended)
    return 0;
  bs_op *op = operation(w);
  wakeobject(L, 1);
  release(w);
  if (w->job != NULL)
    bs_abandon(w->job);
  if (op->kind->drop != NULL)
    op->kind->drop(op);
  w->size = 0;
  return 0;
}

/* Between its last step and finish an operation knows where its bytes are, and no more than that: nothing may run. So a
** hook of the program's, a debugger's say, does not see that `waiting` returns. */
static void hidereturn (lua_State *L, waited *w) {
  w->mask = lua_gethookmask(L);
  if (!(w->mask & LUA_MASKRET))
    return;
  w->hook = lua_gethook(L);
  w->count = lua_gethookcount(L);
  lua_sethook(L, NULL, 0, 0);
}

static void showreturn (lua_State *L, const waited *w) {
  if (w->hook != NULL && lua_gethook(L) == NULL) /* (a signal may have set another) */
    lua_sethook(L, w->hook, w->mask, w->count);
}

/* The results of finish. It gets a copy, as it may cut the stack; the waited is at `at`, on the top. */
static int finish (lua_State *L, int at) {
  waited *w = (waited *)lua_touserdata(L, at);
  union {
    bs_op op;
    char bytes[MOSTOP];
  } copy;
  showreturn(L, w);
  memcpy(&copy, operation(w), w->size);
  w->size = 0;
  lua_settop(L, at - 1);
  return copy.op.kind->finish(L, &copy.op);
}

/* Tries until it has ended or must wait. *parts: so many have been done of it. */
static int attempt (lua_State *L, bs_op *op, unsigned char *collected, int *parts) {
  bs_trier by = {BUDGET, NULL};
  int want = bs_attempt(L, op, collected, &by);
  *parts = BUDGET - by.budget;
  if (want != BS_AGAIN)
    return want;
  op->rest = 0; /* others have their turn */
  return BS_REST;
}

static int descriptorof (waited *w) {
  const bs_op *op = operation(w);
  if (w->turn[0] >= 0)
    return w->turn[0];
  return w->job != NULL ? bs_jobfd(w->job) : op->sock != NULL ? op->sock->fd : op->fd;
}

/* Pushes the socket that the operation waits for now: sendfile has two. */
static void pushwanted (lua_State *L, const bs_op *op) {
  for (int i = INSIDE; op->sock != lua_touserdata(L, SOURCE) && i <= OUTSIDE; i++) {
    lua_getiuservalue(L, WAITER, i);
    if (lua_touserdata(L, -1) == op->sock)
      return;
    lua_pop(L, 1);
  }
  lua_pushvalue(L, SOURCE);
}

/* Pushes what is to be waited for; false: there is nothing that could be. */
static int pushobject (lua_State *L, int want) {
  waited *w = (waited *)lua_touserdata(L, WAITER);
  bs_op *op = operation(w);
  if (want == BS_REST) {
    int can = pushnever(L, op->st);
    if (can)
      ((bs_socket *)lua_touserdata(L, -1))->flags |= BS_WAITED;
    return can;
  }
  int queues = w->turn[0] >= 0; /* for its turn */
  int object = op->sock == NULL && w->job == NULL && op->kind->watched != NULL && op->fd >= 0 &&
               op->kind->watched(op);
  if (!queues && (op->sock != NULL || object)) {
    if (descriptorof(w) < 0)
      return 0;
    if (object) {
      lua_pushvalue(L, SOURCE);
      notepoller(L, op->st, op->fd);
      return 1;
    }
    pushwanted(L, op);
    op->sock->flags |= BS_WAITED;
    if (op->kind->concerns != NULL)
      noteselect(L, op->st, 1);
    return 1;
  }
  if (lua_getiuservalue(L, WAITER, OBJECT) != LUA_TNIL)
    return 1;
  lua_pop(L, 1);
  if (!queues && w->job == NULL && bs_awaitany(op) == BS_REST)
    return 0;
  if (descriptorof(w) < 0)
    return 0;
  *(int *)lua_newuserdatauv(L, sizeof(int), 0) = descriptorof(w);
  luaL_setmetatable(L, DESCRIPTOR);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, WAITER, OBJECT);
  if (op->kind->descriptor != NULL)
    noteselect(L, op->st, 1);
  return 1;
}

/* Until it is ready, the deadline, or a signal. */
static void block (waited *w, int want) {
  const bs_op *op = operation(w);
  bs_time until = op->deadline;
  if (want == BS_REST) {
    bs_time rested = bs_now() + op->rest;
    (void)bs_waitfd(-1, 0, rested < until ? rested : until);
  }
  else if (descriptorof(w) >= 0)
    (void)bs_waitfd(descriptorof(w), want, until);
}

/* While it waits for its turn; gives what is wanted now. */
static int turnanswered (lua_State *L) {
  waited *w = (waited *)lua_touserdata(L, WAITER);
  bs_op *op = operation(w);
  if (w->link != NULL &&
      lua_isnil(L, -1)) /* the thread is not to be blocked for who could not go on then */
    op->error = EBUSY;
  else if (w->link != NULL && bs_left(op) == 0)
    op->error = BS_ETIMEOUT;
  if (op->error != 0)
    return BS_DONE;
  if (w->link != NULL)
    return w->turn[0] >= 0 ? BS_READ : BS_REST;
  wakeobject(L, WAITER);
  closeend(w, 0);
  return BS_AGAIN;
}

/* The scheduler's answer is on the top: true, false, or nil to have the thread blocked. Gives what is wanted
** now. */
static int answered (lua_State *L, int want) {
  waited *w = (waited *)lua_touserdata(L, WAITER);
  bs_op *op = operation(w);
  int ready = lua_toboolean(L, -1), rested = want == BS_REST, parts = 0;
  int over = !ready && !lua_isnil(L, -1) && !rested;
  if (w->link != NULL || w->turn[0] >= 0) {
    int now = turnanswered(L);
    if (now != BS_AGAIN)
      return now;
    over = 0;
  }
  else if (lua_isnil(L, -1)) {
    bs_checkhooks(L, op->st, &w->known);
    block(w, want);
  }
  if (op->sock != NULL && op->kind->concerns != NULL) {
    pushwanted(L, op);
    noteselect(L, op->st, 0);
    lua_pop(L, 1);
  }
  if (!ready)
    bs_checkhooks(L, op->st, &w->known);
  if (w->job != NULL) {
    wakeobject(L, WAITER);
    want = bs_endjob(w->job, op) ? BS_DONE : BS_READ;
  }
  else
    want = attempt(L, op, &w->collected, &parts);
  if (want == BS_DONE)
    return BS_DONE;
  double left = bs_left(op);
  if (left == 0 || (over && left > EARLY)) {
    op->error = BS_ETIMEOUT;
    return BS_DONE;
  }
  if (!rested) {
    int atonce = ready && parts == 0 && bs_now() - w->began < BS_MILLISECOND;
    if (want != BS_REST && bs_isvain(op, &w->vain, atonce))
      return BS_REST;
  }
  return want;
}

static int called(lua_State *L, int status, lua_KContext ctx);

/* Calls the scheduler, again and again, until the operation has ended; it wants `want`. */
static int await (lua_State *L, int want) {
  static const char *const names[] = {"r", "r", "w", "rw"}; /* by BS_READ | BS_WRITE */
  waited *w = (waited *)lua_touserdata(L, WAITER);
  bs_op *op = operation(w);
  while (want != BS_DONE) {
    (void)bs_fixdeadline(op);
    lua_settop(L, WAITER);
    int can = lua_rawgetp(L, LUA_REGISTRYINDEX, &op->st->wait) != LUA_TNIL;
    if (can && !pushobject(L, want)) {
      if (want == BS_REST)
        can = 0;
      else if (op->sock != NULL) {
        op->error = EBADF;
        break;
      }
      else { /* several, and no descriptor for them all: it looks now and then */
        want = BS_REST;
        continue;
      }
    }
    if (can) {
      double seconds = bs_left(op);
      if (want == BS_REST && (seconds < 0 || seconds > (double)op->rest / 1e9))
        seconds = (double)op->rest / 1e9;
      lua_pushstring(L, want == BS_REST ? "r" : names[want & (BS_READ | BS_WRITE)]);
      if (seconds < 0)
        lua_pushnil(L);
      else
        lua_pushnumber(L, seconds);
      w->began = bs_now();
      lua_callk(L, 3, 1, (lua_KContext)want, called);
    }
    else
      lua_pushnil(L); /* its last answer */
    want = answered(L, want);
  }
  wakeobject(L, WAITER);
  release(w);
  if (w->job != NULL && !bs_endjob(w->job, op))
    bs_abandon(w->job);
  w->ended = 1;
  hidereturn(L, w);
  return 0;
}

static int called (lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return await(L, answered(L, (int)ctx));
}

/* With SOURCE, the waited, and what the operation wants first. */
static int waiting (lua_State *L) {
  int want = (int)lua_tointeger(L, WAITER + 1);
  lua_settop(L, WAITER);
  lua_toclose(L, WAITER);
  return await(L, want);
}

static int ended (lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return finish(L, (int)ctx);
}

/* Mostly it is the method's self; but sendfile waits for its source, too. */
static void pushsource (lua_State *L, const bs_socket *s) {
  int i = lua_gettop(L);
  while (i > 1 && (s == NULL || lua_touserdata(L, i) != s))
    i--;
  lua_pushvalue(L, i);
}

/* Pushes the waited; the job's anchor is on the top, and popped. */
static waited *pushwaited (lua_State *L, const bs_op *op, bs_job *job, const bs_hooks *known) {
  waited *w = (waited *)lua_newuserdatauv(L, sizeof(waited) + op->kind->size, 5);
  w->job = job;
  w->link = NULL;
  w->newer = NULL;
  w->L = L;
  w->turn[0] = w->turn[1] = -1;
  w->holds = 0;
  w->known = *known;
  w->hook = NULL;
  w->vain = 0;
  w->collected = w->ended = 0;
  w->size = op->kind->size;
  memcpy(operation(w), op, op->kind->size);
  luaL_setmetatable(L, WAITED);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, JOB);
  lua_pushthread(L); /* else it could be gone before the finalizer of this has run */
  lua_setiuservalue(L, -2, THREAD);
  return w;
}

/* Stands in line to send; gives what to wait for. */
static int standinline (lua_State *L, waited *w) {
  bs_op *op = operation(w);
  bs_sideof(op, BS_OUT)->flags |= BS_WAITED; /* who closes it is to tell */
  enqueue(w);
  if (bs_syssocketpair(AF_UNIX, SOCK_STREAM, 0, w->turn) != 0 &&
      (!bs_collect(L, errno) || bs_syssocketpair(AF_UNIX, SOCK_STREAM, 0, w->turn) != 0)) {
    w->turn[0] = w->turn[1] = -1; /* so it looks now and then */
    op->rest = BS_MILLISECOND;
    return BS_REST;
  }
  if (w->link == NULL) /* finalizers have run, and its turn has come */
    closeend(w, 1);
  return BS_READ;
}

/* Takes what it uses of its sockets, which outlive it: the waited is on the top. Gives what to wait for. */
static int holdsides (lua_State *L, int busy, int want) {
  waited *w = (waited *)lua_touserdata(L, -1);
  int at = lua_gettop(L), sides = bs_sides(operation(w));
  for (int side = BS_IN; side <= BS_OUT; side <<= 1) {
    if ((sides & side) && bs_sideof(operation(w), side) != NULL) {
      pushsource(L, bs_sideof(operation(w), side));
      lua_setiuservalue(L, at, side == BS_IN ? INSIDE : OUTSIDE);
    }
  }
  hold(w, sides & ~busy);
  return busy != 0 ? standinline(L, w) : want;
}

static int maywait (lua_State *L, const bs_state *st) {
  return st->waiter ? lua_isyieldable(L) : -1;
}

static int run (lua_State *L, bs_op *op) {
  const bs_kind *kind = op->kind;
  unsigned char collected = 0;
  int parts = 0, busy = op->st->waiter ? bs_busysides(op) : 0, want = BS_READ;
  op->rest = 0;
  if (!op->st->waiter || !lua_isyieldable(L) || op->st->closing > 0 || kind->size > MOSTOP)
    return BS_NOTMINE;
  if (busy != 0 && (busy != BS_OUT || op->timeout == 0 || op->st->looping))
    return BS_NOTMINE;
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (busy == 0) {
    want = attempt(L, op, &collected, &parts);
    if (want == BS_DONE)
      return kind->finish(L, op);
  }
  op->error = 0;
  bs_job *job = NULL;
  if (want == BS_BLOCK) {
    job = bs_startjob(L, op);
    if (job == NULL)
      return BS_NOTMINE;
    want = BS_READ;
  }
  else
    lua_pushnil(L);
  pushwaited(L, op, job, &known)->collected = collected;
  want = holdsides(L, busy, want);
  int at = lua_gettop(L);
  bs_pushfunction(L, waiting, 0);
  pushsource(L, op->sock);
  lua_pushvalue(L, at);
  lua_pushinteger(L, want);
  lua_callk(L, 3, 0, at, ended);
  return finish(L, at);
}

/* The engine does not tell who waits elsewhere that the descriptor of the object at 2 is closed: it has to look
** again. Who waits for this very one has been told. */
static int wakeselects (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, 1);
  noteselect(L, st, 0);
  lua_newtable(L); /* a copy, as anything may happen meanwhile */
  int n = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &st->selecting);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, 3, ++n);
  }
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 3, i);
    wake(L, st, -1);
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
  wake(L, st, arg);
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
      endqueue(st, s, EBADF);
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
    endqueue(s->st, s, EPIPE);
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
        wake(L, st, i);
  }
  lua_pushboolean(L, 0); /* none of the objects there */
  wakeselecting(L, st, lua_gettop(L));
  lua_settop(L, top);
}

static void left (lua_State *L, bs_socket *s, int arg) {
  looksagain(L, s, arg);
}

/* socket.setwaiter(wait [, wake]), socket.setwaiter(nil) */
static int waiter_setwaiter (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  int on = !lua_isnil(L, 1);
  if (on)
    luaL_checktype(L, 1, LUA_TFUNCTION);
  if (on && !lua_isnoneornil(L, 2))
    luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, on ? 2 : 0);
  if (on) {
    (void)pushnever(L, st);
    lua_pop(L, 1);
  }
  else
    closenever(L, st);
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &st->wake);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &st->wait);
  st->aside += on - st->waiter;
  st->waiter = on;
  return 0;
}

static const luaL_Reg functions[] = {
  {"setwaiter", waiter_setwaiter},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", waited_gc},
  {"__gc", waited_gc},
  {NULL, NULL},
};

static const bs_hearer hearer = {
  .going = going, .left = left, .lookup = lookup, .shut = shut, .flushes = flushes};

static const bs_driver driver = {.run = run, .reclaim = reclaim, .maywait = maywait};

void bs_openwaiter (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_AT_STATE);
  bs_hear(st, &hearer);
  bs_adddriver(st, &driver);
  luaL_newmetatable(L, WAITED);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newmetatable(L, DESCRIPTOR);
  lua_newtable(L);
  lua_pushcfunction(L, descriptor_fileno);
  lua_setfield(L, -2, "fileno");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
