/*
** waiter.c: socket.setwaiter, by which another scheduler's coroutines wait in our calls. Its function is called
** with what to wait for, and may yield; the operation meanwhile lies in a userdata on the stack. The
** scheduler of this library is in loop.c.
*/
#include "prefix.h"

#include <errno.h>
#include <string.h>

#include "bsdsocket.h"

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

/* ==== operations that wait ==== */

/* The operation itself follows. Its user values are what is waited for, and the job's anchor. */
typedef struct waited {
  bs_job *job;
  bs_engine never; /* a descriptor that is never ready, for a rest */
  size_t size;     /* of the operation; 0: it is over */
  unsigned char collected;
} waited;

#define operation(w) ((bs_op *)(void *)((w) + 1))
#define OBJECT 1
#define JOB 2
#define MOSTOP 4096 /* the largest operation has less */

static int waited_gc (lua_State *L) {
  waited *w = (waited *)luaL_checkudata(L, 1, WAITED);
  bs_engineclose(&w->never);
  if (w->size > 0 && operation(w)->kind->drop != NULL)
    operation(w)->kind->drop(operation(w));
  w->size = 0;
  return 0;
}

/* What will be closed is waited for no longer. */
static void wakeobject (lua_State *L, int at) {
  waited *w = (waited *)lua_touserdata(L, at);
  lua_getiuservalue(L, at, OBJECT);
  if (luaL_testudata(L, -1, DESCRIPTOR) != NULL) {
    bs_wake(L, operation(w)->st, -1);
    *(int *)lua_touserdata(L, -1) = -1;
  }
  lua_pop(L, 1);
}

/* The end: the results of finish. It gets a copy, as it may cut the stack. */
static int finish (lua_State *L, int at) {
  waited *w = (waited *)lua_touserdata(L, at);
  union {
    bs_op op;
    char bytes[MOSTOP];
  } copy;
  wakeobject(L, at);
  if (w->job != NULL && !bs_endjob(w->job, operation(w))) {
    bs_abandon(w->job);
    w->job = NULL;
  }
  bs_engineclose(&w->never);
  memcpy(&copy, operation(w), w->size);
  w->size = 0;
  lua_settop(L, at - 1);
  return copy.op.kind->finish(L, &copy.op);
}

/* Tries until it has ended or must wait. */
static int attempt (lua_State *L, bs_op *op, unsigned char *collected) {
  int want;
  if (op->kind->traits & BS_NEEDSFLAG)
    (void)bs_setnonblock(op->sock, 1);
  do
    want = bs_try(L, op, collected);
  while (want == BS_AGAIN && !(op->kind->traits & BS_TIMED));
  if (want == BS_DONE)
    return BS_DONE;
  if (op->sock != NULL)
    op->sock->wants = (unsigned char)want;
  if (op->timeout == 0) {
    if (op->error == 0)
      op->error = EAGAIN;
    return BS_DONE;
  }
  op->error = 0;
  return want == BS_AGAIN ? BS_READ : want;
}

/* Mostly it is the method's self; but sendfile waits for its source, too. */
static void pushsocket (lua_State *L, int at, const bs_socket *s) {
  int i = at - 1;
  while (i > 1 && lua_touserdata(L, i) != s)
    i--;
  lua_pushvalue(L, i);
}

/* Pushes what is to be waited for; false: there is nothing that could be. */
static int pushobject (lua_State *L, int at, int want) {
  waited *w = (waited *)lua_touserdata(L, at);
  bs_op *op = operation(w);
  int fd = op->fd;
  if (want != BS_REST && op->sock != NULL) {
    op->sock->flags |= BS_WAITED;
    pushsocket(L, at, op->sock);
    return 1;
  }
  if (want != BS_REST && w->job == NULL && bs_markpoller(L, 1)) {
    lua_pushvalue(L, 1);
    return fd >= 0;
  }
  lua_getiuservalue(L, at, OBJECT);
  if (!lua_isnil(L, -1))
    return 1;
  lua_pop(L, 1);
  if (w->job != NULL)
    fd = bs_jobfd(w->job);
  else if (want == BS_REST)
    fd = bs_engineopen(&w->never, op->st) == 0 ? w->never.fd : -1;
  else if (fd < 0 && op->kind->descriptor != NULL) {
    op->kind->descriptor(op);
    fd = op->fd;
  }
  *(int *)lua_newuserdatauv(L, sizeof(int), 0) = fd;
  luaL_setmetatable(L, DESCRIPTOR);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, at, OBJECT);
  return fd >= 0;
}

static int called(lua_State *L, int status, lua_KContext ctx);

/* Calls the scheduler, again and again, until the operation has ended; it wants `want`. */
static int await (lua_State *L, int at, int want) {
  waited *w = (waited *)lua_touserdata(L, at);
  bs_op *op = operation(w);
  for (;;) {
    static const char *const names[] = {"r", "r", "w", "rw"}; /* by BS_READ | BS_WRITE */
    (void)bs_fixdeadline(op);
    lua_settop(L, at);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &op->st->wait);
    if (!pushobject(L, at, want)) {
      op->error = EMFILE;
      return finish(L, at);
    }
    lua_pushstring(L, names[want & (BS_READ | BS_WRITE)]);
    double seconds = bs_left(op);
    if (want == BS_REST && (seconds < 0 || seconds > (double)op->rest / 1e9))
      seconds = (double)op->rest / 1e9;
    if (seconds < 0)
      lua_pushnil(L);
    else
      lua_pushnumber(L, seconds);
    lua_KContext ctx = (lua_KContext)at * 2 + (want == BS_REST);
    lua_callk(L, 3, 1, ctx, called);
    int isnil = lua_isnil(L, -1), isready = lua_toboolean(L, -1);
    if (isnil || !isready || want == BS_REST)
      return called(L, LUA_OK, ctx);
    want =
      w->job != NULL ? (bs_endjob(w->job, op) ? BS_DONE : BS_READ) : attempt(L, op, &w->collected);
    if (want == BS_DONE)
      return finish(L, at);
  }
}

/* The scheduler's function has returned: true, false, or nil to have the thread blocked. */
static int called (lua_State *L, int status, lua_KContext ctx) {
  int at = (int)(ctx / 2), isrest = (int)(ctx % 2);
  waited *w = (waited *)lua_touserdata(L, at);
  bs_op *op = operation(w);
  int isnil = lua_isnil(L, -1), isready = lua_toboolean(L, -1), want;
  (void)status;
  if (w->job != NULL && bs_endjob(w->job, op))
    return finish(L, at);
  if (isnil)
    (void)bs_waitfd(w->job != NULL     ? bs_jobfd(w->job)
                    : op->sock != NULL ? op->sock->fd
                                       : op->fd,
                    isrest             ? 0
                    : op->sock != NULL ? op->sock->wants
                                       : BS_READ,
                    op->deadline);
  if (!isready && bs_left(op) == 0) {
    op->error = BS_ETIMEOUT;
    return finish(L, at);
  }
  want =
    w->job != NULL ? (bs_endjob(w->job, op) ? BS_DONE : BS_READ) : attempt(L, op, &w->collected);
  return want == BS_DONE ? finish(L, at) : await(L, at, want);
}

int bs_runwaiter (lua_State *L, bs_op *op) {
  const bs_kind *kind = op->kind;
  unsigned char collected = 0;
  if (!lua_isyieldable(L) || op->st->closing > 0 || kind->size > MOSTOP)
    return -1;
  int want = attempt(L, op, &collected);
  int helped =
    (kind->traits & BS_BLOCKS) && want == BS_DONE && op->error == EAGAIN && op->timeout != 0;
  if (want == BS_DONE && !helped)
    return kind->finish(L, op);
  op->error = 0;
  luaL_checkstack(L, 8, NULL);
  waited *w = (waited *)lua_newuserdatauv(L, sizeof(waited) + kind->size, 2);
  memset(w, 0, sizeof(*w));
  w->never.fd = -1;
  w->collected = collected;
  luaL_setmetatable(L, WAITED);
  int at = lua_gettop(L);
  if (helped) {
    w->job = bs_startjob(L, op);
    if (w->job == NULL) {
      lua_pop(L, 1);
      return -1;
    }
    lua_setiuservalue(L, at, JOB);
    want = BS_READ;
  }
  memcpy(operation(w), op, kind->size);
  w->size = kind->size;
  return await(L, at, want);
}

void bs_wake (lua_State *L, const bs_state *st, int arg) {
  arg = lua_absindex(L, arg);
  if (!lua_checkstack(L, 4))
    return;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &st->wake) == LUA_TNIL)
    lua_pop(L, 1);
  else {
    lua_pushvalue(L, arg);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) /* closing goes on, whatever it says */
      lua_pop(L, 1);
  }
}

/* socket.setwaiter(wait [, wake]), socket.setwaiter(nil) */
static int waiter_setwaiter (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  int on = !lua_isnil(L, 1);
  if (on)
    luaL_checktype(L, 1, LUA_TFUNCTION);
  if (!on || lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    lua_pushnil(L);
  }
  else
    luaL_checktype(L, 2, LUA_TFUNCTION);
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

void bs_openwaiter (lua_State *L) {
  luaL_newmetatable(L, WAITED);
  lua_pushcfunction(L, waited_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, DESCRIPTOR);
  lua_newtable(L);
  lua_pushcfunction(L, descriptor_fileno);
  lua_setfield(L, -2, "fileno");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
