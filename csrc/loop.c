/*
** loop.c: bsdsocket.loop, many tasks in one thread. A task is a coroutine; a call that would have to wait in
** it leaves a copy of its operation with the task, and suspends it. When the engine tells that the
** descriptor is ready, the operation is tried here, in C, and what it comes to is what the coroutine
** is resumed with. Time is in timer.c, readiness in engine.c, and what one try means in wait.c.
**
** A task is on one list at most: of the ready ones, or of those that wait for another task's end.
** One that waits for a descriptor is known by that descriptor's place: one reader and one writer.
**
** A task has *scopes*: coroutines inside it through which its waits pass, since they belong to
** loop.wrap or loop.timeout. When the innermost waits, each one in turn yields to the one around it.
*/
#include "prefix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bsdsocket.h"

#define SCOPE "bsdsocket.loop.scope" /* metatable of scopes */
#define STRAY                                                                                      \
  "attempt to yield from a task to the loop: a generator needs loop.wrap, or a coroutine of its "  \
  "own"
#define BUDGET 64 /* tries in a row that a task has before others get their turn */

typedef struct bs_task bs_task;
typedef struct scope scope;

typedef struct list {
  bs_task *first, *last;
  int n;
} list;

enum state { READY, WAITING, RUNNING, ENDED };

struct bs_task {
  bs_loop *loop;
  lua_State *L;    /* its coroutine, kept alive by the user value */
  lua_State *runs; /* the coroutine that runs when the task does: L, or that of a scope */
  lua_State *at;   /* the one that `op` waits in, kept alive by the second user value */
  scope *scope;    /* the innermost */
  list *on;        /* the list that it is on, or NULL */
  bs_task *next, *before;
  list joiners; /* tasks that wait for its end */
  bs_op *op;    /* the operation that it waits for: a copy, in room that stays */
  bs_job *job;  /* of that, in a helper thread */
  bs_timer timer;
  int room;             /* at `op` */
  int fd;               /* the place where it waits, */
  int results;          /* after its end: so many, at 1 .. in its coroutine */
  unsigned char wanted; /* and for what; 0: at none */
  unsigned char state;
  unsigned char started;
  unsigned char pending;   /* `op` has not ended */
  unsigned char collected; /* for that, garbage was once */
  unsigned char blocks;    /* waits block the thread: somewhere below Lua cannot yield */
  unsigned char failed;    /* it ended by an error, which is its result */
  unsigned char cancelled; /* that is "cancelled" */
  unsigned char silent;    /* and nobody has been told of that yet */
  unsigned char tried;  /* its operation is, right now: that may collect garbage, so run anything */
  unsigned char doomed; /* and it was cancelled meanwhile */
};

/* What the loop knows of a descriptor. One of ours is added to the engine once, for changes in both
** directions; another library's for each wait anew, as it may be closed behind our back. */
typedef struct place {
  bs_socket *sock; /* NULL: not one of ours */
  bs_task *reader, *writer;
  unsigned char known;  /* the engine has it */
  unsigned char armed;  /* and will tell: another library's is asked about once */
  unsigned char empty;  /* nothing to read since the last change */
  unsigned char hangup; /* no longer to be relied on */
} place;

struct bs_loop {
  bs_state *st;
  bs_engine engine;
  bs_timers timers;
  place *places; /* by descriptor */
  int size;
  list ready;
  list selecting;   /* waiting for several descriptors at once: to look again when one is closed */
  list silent;      /* ended by errors that nobody has been told of */
  bs_task *current; /* the one that runs */
  bs_task *first;   /* that of loop.run's function */
  int running;
  int alive;        /* tasks that have not ended */
  unsigned spawned; /* so many have begun */
  int waiting;      /* for descriptors */
  int budget;
  volatile char *mark; /* see below */
};

/* ==== platform: a page that a child process finds empty, since to ask for one's number takes a system call ==== */

#if defined(MADV_WIPEONFORK)

static void openmark (bs_loop *loop) {
  void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return;
  if (madvise(page, 1, MADV_WIPEONFORK) != 0) {
    (void)munmap(page, 1);
    return;
  }
  loop->mark = (volatile char *)page;
  *loop->mark = 1;
}

static void closemark (bs_loop *loop) {
  if (loop->mark != NULL)
    (void)munmap((void *)(uintptr_t)loop->mark, 1);
  loop->mark = NULL;
}

#else

#define openmark(loop) ((void)(loop))
#define closemark(loop) ((void)(loop))

#endif

/* Is this the child of the process whose loop it is? What the kernel knows of it is the parent's. */
static int forked (const bs_loop *loop) {
  return loop->mark != NULL ? *loop->mark == 0 : bs_engineforked(&loop->engine);
}

struct scope {
  lua_State *co; /* kept alive by the user value */
  scope *outer;
  bs_task *task; /* the one that it is in, while active */
  bs_loop *loop;
  bs_timer timer;
  unsigned char active;    /* runs, or waits: not suspended by a yield of its own */
  unsigned char expired;   /* its time is over */
  unsigned char running;   /* it is on the C stack */
  unsigned char generator; /* loop.wrap's */
  unsigned char spared;    /* it was over before: the task only had to let others have their turn */
};

/* The tasks that have not ended, or whose error nobody has been told of, are kept alive by a table: in the
** registry, as iterators without the usual upvalues have to find it. */
static void pushtasks (lua_State *L, const bs_state *st) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, st);
}

/* ==== lists ==== */

static void leave (bs_task *t) {
  list *l = t->on;
  if (l == NULL)
    return;
  *(t->before != NULL ? &t->before->next : &l->first) = t->next;
  *(t->next != NULL ? &t->next->before : &l->last) = t->before;
  t->on = NULL;
  l->n--;
}

static void append (list *l, bs_task *t) {
  leave(t);
  t->on = l;
  t->next = NULL;
  t->before = l->last;
  *(l->last != NULL ? &l->last->next : &l->first) = t;
  l->last = t;
  l->n++;
}

static void makeready (bs_task *t) {
  t->state = READY;
  append(&t->loop->ready, t);
}

/* ==== places ==== */

/* Makes an array of at least n; 0 or BS_ENOMEM. */
static int reserve (bs_loop *loop, int n) {
  bs_state *st = loop->st;
  int size = loop->size > 0 ? loop->size : 64;
  if (n <= loop->size)
    return 0;
  while (size < n)
    size = size > INT_MAX / 2 ? INT_MAX : 2 * size;
  place *places = (place *)st->alloc(
    st->allocdata, loop->places, (size_t)loop->size * sizeof(place), (size_t)size * sizeof(place));
  if (places == NULL)
    return BS_ENOMEM;
  memset(places + loop->size, 0, (size_t)(size - loop->size) * sizeof(place));
  loop->places = places;
  loop->size = size;
  return 0;
}

/* Tells an engine without edges what is waited for at a place now. */
static void needs (bs_loop *loop, int fd) {
  const place *p = &loop->places[fd];
  int want = (p->reader != NULL ? p->reader->wanted & ~BS_WRITE : 0);
  bs_engineneeds(&loop->engine, fd, p->writer != NULL ? want | BS_WRITE : want);
}

/* The task no longer waits at a place. */
static void unpark (bs_task *t) {
  if (t->wanted != 0) {
    bs_loop *loop = t->loop;
    place *p = &loop->places[t->fd];
    if (p->reader == t)
      p->reader = NULL;
    if (p->writer == t)
      p->writer = NULL;
    needs(loop, t->fd);
    t->wanted = 0;
    loop->waiting--;
  }
  bs_stoptimer(&t->loop->timers, &t->timer);
  leave(t);
}

#define READING (BS_READ | BS_URGENT | BS_ERROR)

/* Sees to it that the engine tells of this descriptor; 0 or an error. */
static int watch (bs_loop *loop, int fd, bs_socket *s, int want) {
  place *p = &loop->places[fd];
  int asked = s != NULL ? BS_READ | BS_WRITE | BS_EDGE : want | BS_ONCE, err = 0;
  if (p->sock != NULL && s == NULL) /* by its number */
    return 0;
  if (p->known && p->sock == s && s != NULL)
    return 0;
  if (s == NULL && p->reader != NULL)
    asked |= p->reader->wanted;
  if (s == NULL && p->writer != NULL)
    asked |= BS_WRITE;
  err = p->known ? bs_enginemodify(&loop->engine, fd, fd, asked) : ENOENT;
  if (err == ENOENT || err == EBADF) /* it was closed, and this is another */
    err = bs_engineadd(&loop->engine, fd, fd, asked);
  if (err == EEXIST)
    err = bs_enginemodify(&loop->engine, fd, fd, asked);
  p->known = p->armed = err == 0;
  p->sock = err == 0 ? s : NULL;
  p->empty = p->hangup = 0;
  return err;
}

/* Lets the task wait at a place: 0 or an error. */
static int parkat (bs_task *t, int fd, const bs_op *op, int want) {
  bs_socket *s = op->sock;
  bs_loop *loop = t->loop;
  if (t->wanted != 0 && t->fd == fd && t->wanted == want && loop->places[fd].armed)
    return 0; /* as before */
  unpark(t);
  if (fd < 0)
    return EBADF;
  int err = reserve(loop, fd + 1);
  if (err != 0)
    return err;
  place *p = &loop->places[fd];
  if ((want & READING) && p->reader != NULL)
    return EBUSY;
  if ((want & BS_WRITE) && p->writer != NULL) {
    if (!(op->kind->traits & BS_RECEIVES))
      return EBUSY;
    want &= ~BS_WRITE; /* it only wants to flush before it waits: somebody else is at it */
  }
  err = watch(loop, fd, s, want);
  if (err != 0)
    return err;
  if (want & READING)
    p->reader = t;
  if (want & BS_WRITE)
    p->writer = t;
  t->fd = fd;
  t->wanted = (unsigned char)want;
  loop->waiting++;
  needs(loop, fd);
  return 0;
}

/* What waits at the place goes on: it will find out by itself why. */
static void wakewith (bs_task *t, int err) {
  unpark(t);
  if (t->pending && t->job == NULL)
    t->op->error = err;
  makeready(t);
}

/* The engine does not have it any more. */
static void forgetplace (bs_loop *loop, int fd) {
  place *p = &loop->places[fd];
  p->known = 0;
  if (p->reader != NULL)
    wakewith(p->reader, EBADF);
  if (p->writer != NULL)
    wakewith(p->writer, EBADF);
  p->sock = NULL;
}

void bs_leaveloop (bs_state *st, int fd) {
  bs_loop *loop = st->loop;
  if (loop == NULL || fd < 0)
    return;
  if (fd < loop->size) { /* else it has no place; a select may have it all the same */
    if (loop->places[fd].known && !forked(loop))
      (void)bs_engineremove(&loop->engine, fd, fd);
    forgetplace(loop, fd);
  }
  while (loop->selecting.first != NULL)
    makeready(loop->selecting.first);
}

/* ==== operations of tasks ==== */

/* True if a receive would only learn that there is nothing. */
static int isempty (const bs_loop *loop, const bs_op *op) {
  const bs_socket *s = op->sock;
  if (!(op->kind->traits & BS_RECEIVES) || op->flagged || s->fd < 0 || s->fd >= loop->size)
    return 0;
  const place *p = &loop->places[s->fd];
  return p->sock == s && p->empty && !p->hangup && !bs_pending(s) && !(s->flags & BS_UNFLUSHED);
}

/* Of a stream by SCTP each receive gives one message, or a part of it. */
static int givesmessages (const bs_socket *s) {
#if defined(IPPROTO_SCTP)
  return s->protocol == IPPROTO_SCTP;
#else
  (void)s;
  return 0;
#endif
}

/* After a receive that got less than it had room for, a stream has no more, and what comes will be told. With
** a hang-up there is no second word; a unix socket gives one message at a time. */
static void notedrained (bs_loop *loop, const bs_op *op) {
  const bs_socket *s = op->sock;
  if (op->drained && !op->flagged && s->type == SOCK_STREAM && s->family != AF_UNIX &&
      !givesmessages(s) && s->fd >= 0 && s->fd < loop->size && loop->places[s->fd].sock == s)
    loop->places[s->fd].empty = 1;
}

#define SHORTREST ((bs_time)1000000)
#define LONGREST (16 * SHORTREST)

/* A full unix peer that it is not connected to: the kernel calls the socket writable, and tells nothing when
** it is so. */
static int invain (const bs_op *op) {
  const bs_socket *s = op->sock;
  return s != NULL && s->family == AF_UNIX && s->type != SOCK_STREAM &&
         bs_readyfd(s->fd, BS_WRITE) > 0;
}

/* Tries until it has ended (BS_DONE), or has to wait: for what; BS_AGAIN when others should have their turn. */
static int attempt (lua_State *L, bs_loop *loop, bs_op *op, unsigned char *collected) {
  const bs_kind *kind = op->kind;
  int want = isempty(loop, op) ? BS_READ : BS_AGAIN;
  if (kind->traits & BS_NEEDSFLAG)
    (void)bs_setnonblock(op->sock, 1); /* if that failed, the call itself will say why */
  while (want == BS_AGAIN) {
    op->drained = 0;
    want = bs_try(L, op, collected);
    if (op->drained)
      notedrained(loop, op);
    if (want == BS_AGAIN && (kind->traits & BS_TIMED)) /* there was nothing */
      want = BS_READ;
    else if (want == BS_AGAIN && isempty(loop, op))
      want = BS_READ;
    else if (want == BS_AGAIN && op->timeout != 0 && loop->budget-- <= 0)
      return BS_AGAIN;
  }
  if (want == BS_DONE)
    return BS_DONE;
  if (want == BS_WRITE && invain(op)) /* so it is asked now and then */
    op->rest = op->rest == 0 ? SHORTREST : op->rest < LONGREST ? 2 * op->rest : op->rest;
  else if (want != BS_REST)
    op->rest = 0;
  if (op->sock != NULL) {
    op->sock->wants = want == BS_REST ? BS_WRITE : (unsigned char)want;
    if (want == BS_READ && op->sock->fd >= 0 && op->sock->fd < loop->size)
      loop->places[op->sock->fd].empty = 1;
  }
  if (op->timeout == 0) {
    if (op->error == 0)
      op->error = EAGAIN;
    return BS_DONE;
  }
  op->error = 0;
  return want;
}

/* Lets the task wait for its operation: true, or op->error says why not. */
static int park (bs_task *t, bs_op *op, int want) {
  bs_timers *timers = &t->loop->timers;
  bs_time when = bs_fixdeadline(op);
  if (want == BS_REST)
    unpark(t);
  else {
    int fd = t->job != NULL ? bs_jobfd(t->job) : op->sock != NULL ? op->sock->fd : op->fd;
    op->error = parkat(t, fd, op, want);
    if (op->error != 0)
      return 0;
  }
  if (op->kind->descriptor != NULL)
    append(&t->loop->selecting, t);
  if (op->rest > 0) {
    bs_time rested = bs_now() + op->rest;
    when = rested < when ? rested : when;
  }
  if (when == BS_FOREVER)
    bs_stoptimer(timers, &t->timer);
  else if (t->timer.when != when || t->timer.place == 0)
    op->error = bs_settimer(timers, &t->timer, when);
  if (op->error != 0) {
    unpark(t);
    return 0;
  }
  t->state = WAITING;
  return 1;
}

/* The job's descriptor is about to be closed. */
static void leavejob (bs_task *t) {
  int fd = bs_jobfd(t->job);
  unpark(t);
  bs_leaveloop(t->loop->st, fd);
}

/* Nobody waits for the operation any more. */
static void forget (bs_task *t) {
  if (t->job != NULL) {
    leavejob(t);
    bs_abandon(t->job);
    t->job = NULL;
  }
  unpark(t);
  if (t->pending && t->op->kind->drop != NULL)
    t->op->kind->drop(t->op);
  t->pending = 0;
}

/* The time of the operation is over. */
static void late (bs_task *t) {
  if (t->job != NULL) {
    leavejob(t);
    bs_abandon(t->job);
  }
  t->op->error = BS_ETIMEOUT;
}

static void cancel(lua_State *L, bs_task *t);

/* Goes on with the operation that the task waits for; true if it has ended. */
static int advance (lua_State *L, bs_task *t) {
  bs_op *op = t->op;
  int want = BS_READ;
  if (lua_status(t->at) != LUA_YIELD) { /* somebody has closed it: what the operation has is gone */
    forget(t);
    return 1;
  }
  t->loop->budget = BUDGET;
  if (t->job != NULL) {
    leavejob(t);
    if (bs_endjob(t->job, op))
      return 1;
  }
  else {
    t->tried = 1;
    want = attempt(L, t->loop, op, &t->collected);
    t->tried = 0;
    if (t->doomed) {
      cancel(L, t);
      return 0;
    }
  }
  if (want == BS_AGAIN) { /* what goes on and on ends at the deadline, too */
    if (bs_fixdeadline(op) != BS_FOREVER && bs_now() >= op->deadline) {
      late(t);
      return 1;
    }
    unpark(t);
    makeready(t);
    return 0;
  }
  return want == BS_DONE || !park(t, op, want);
}

/* ==== a task's coroutine ==== */

/* Runs the <close> variables of a coroutine that will not go on; gives the status, and if it is none of
** success an error on its top. They cannot wait. */
static int closethread (lua_State *L, bs_loop *loop, lua_State *co) {
  (void)L;
  loop->st->closing++;
#if LUA_VERSION_RELEASE_NUM >= 50406
  int status = lua_closethread(co, L);
#else
  int status = lua_resetthread(co);
#endif
  loop->st->closing--;
  return status;
}

/* ---- its end ---- */

static void pushtask (lua_State *L, const bs_task *t) {
  pushtasks(L, t->loop->st);
  lua_rawgetp(L, -1, t);
  lua_remove(L, -2);
}

/* The task has ended. Its outcome, if there is one, is on the top: a value, or several in a table. */
static void end (lua_State *L, bs_task *t, int results, int failed) {
  bs_state *st = t->loop->st;
  forget(t);
  for (; t->scope != NULL; t->scope = t->scope->outer) {
    t->scope->task = NULL;
    t->scope->active = 0;
  }
  if (t->op != NULL)
    st->alloc(st->allocdata, t->op, (size_t)t->room, 0);
  t->op = NULL;
  t->room = 0;
  t->state = ENDED;
  t->results = results;
  t->failed = (unsigned char)failed;
  t->loop->alive--;
  if (results == 0)
    lua_pushnil(L);
  pushtask(L, t);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  lua_pushnil(L); /* the coroutine is garbage */
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  t->L = t->at = t->runs = NULL;
  while (t->joiners.first != NULL)
    makeready(t->joiners.first);
}

static void anchor (lua_State *L, bs_task *t, int task) {
  pushtasks(L, t->loop->st);
  lua_pushvalue(L, task);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

static void unanchor (lua_State *L, bs_task *t) {
  pushtasks(L, t->loop->st);
  lua_pushnil(L);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

/* Makes the text for somebody who looks for the mistake. */
static int explain (lua_State *L) {
  luaL_traceback(L, (lua_State *)lua_touserdata(L, 1), luaL_tolstring(L, 2, NULL), 0);
  return 1;
}

/* Pushes that about the error on the top. */
static void pushtext (lua_State *L, lua_State *co) {
  lua_pushcfunction(L, explain);
  lua_pushlightuserdata(L, co);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* It ends with the error on the top. Where nobody waits for that, a text about it is below. */
static void endbadly (lua_State *L, bs_task *t, int told) {
  end(L, t, 1, 1);
  if (told) {
    unanchor(L, t);
    return;
  }
  pushtask(L, t);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  t->silent = 1;
  append(&t->loop->silent, t);
}

/* An error, on the top of its coroutine, ended it. */
static void fail (lua_State *L, bs_task *t) {
  lua_State *co = t->L;
  int told = t->joiners.first != NULL || t == t->loop->first;
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  if (!told) {
    pushtext(L, co);
    lua_insert(L, -2);
  }
  if (closethread(L, t->loop, co) != LUA_OK) { /* the same, or that of a <close> variable */
    lua_pop(L, 1);
    lua_xmove(co, L, 1);
  }
  endbadly(L, t, told);
}

/* It has returned: the results are on the top of its coroutine. */
static void succeed (lua_State *L, bs_task *t, int results) {
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

static void resume (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  int results, arguments = t->started ? 0 : lua_gettop(t->L) - 1;
  t->started = 1;
  unpark(t);
  loop->current = t;
  loop->budget = BUDGET;
  t->state = RUNNING;
  t->runs = t->L;
  int status = lua_resume(t->L, L, arguments, &results);
  loop->current = NULL;
  if (status == LUA_YIELD && t->state != RUNNING)
    return;
  if (status == LUA_YIELD) {
    lua_pushliteral(t->L, STRAY);
    fail(L, t);
  }
  else if (status == LUA_OK)
    succeed(L, t, results);
  else
    fail(L, t);
}

/* ---- what suspends ---- */

static bs_loop *loopof (lua_State *L) {
  return ((bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
}

/* The task whose coroutine is L, so that a wait here suspends it; NULL: there is none. */
static bs_task *taskof (lua_State *L, const bs_loop *loop) {
  bs_task *t = loop != NULL ? loop->current : NULL;
  return t != NULL && L == t->runs && !t->blocks && lua_isyieldable(L) ? t : NULL;
}

/* In a coroutine that a program has made inside a task a wait would end up at its resume. */
static int misplaced (lua_State *L, const bs_loop *loop) {
  const bs_task *t = loop->current;
  return t != NULL && L != t->runs && !t->blocks && lua_isyieldable(L);
}

static int refuse (lua_State *L, const char *call) {
  return luaL_error(L, "%s has to wait, and this coroutine is no task: make it with loop.wrap",
                    call);
}

/* A program may get hold of a task's coroutine and resume it, though it waits. */
static int wrongly (lua_State *L, const bs_loop *loop) {
  pushtasks(L, loop->st);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    if (t->pending && t->at == L) {
      forget(t);
      makeready(t);
    }
    lua_pop(L, 1);
  }
  return luaL_error(L, "this coroutine waits in a task: only the loop can resume it");
}

/* What is not asked of an operation: is it the loop that goes on with this coroutine? */
static void goeson (lua_State *L, const bs_loop *loop) {
  if (loop->current == NULL || L != loop->current->runs)
    (void)wrongly(L, loop);
}

/* The function may be an iterator that has none of the usual upvalues. */
static int resumed (lua_State *L, int status, lua_KContext ctx) {
  bs_loop *loop = (bs_loop *)ctx;
  bs_task *t = loop->current;
  (void)status;
  if (t == NULL || L != t->runs || !t->pending || t->at != L)
    return wrongly(L, loop);
  t->pending = 0;
  if (t->job != NULL) {
    t->job = NULL;
    lua_pop(L, 1);
  }
  return t->op->kind->finish(L, t->op);
}

/* Room for a copy of the operation; false when memory is out. */
static int roomfor (bs_task *t, size_t size) {
  bs_state *st = t->loop->st;
  if ((size_t)t->room >= size)
    return 1;
  bs_op *op = (bs_op *)st->alloc(st->allocdata, t->op, (size_t)t->room, size);
  if (op == NULL)
    return 0;
  t->op = op;
  t->room = (int)size;
  return 1;
}

/* A scope's coroutine is kept alive by what is on the stack around it, which might be closed. */
static int keepthread (lua_State *L, bs_task *t) {
  if (L == t->L)
    return 1;
  if (!lua_checkstack(L, 4))
    return 0;
  pushtasks(L, t->loop->st);
  lua_rawgetp(L, -1, t);
  lua_pushthread(L);
  lua_setiuservalue(L, -2, 2);
  lua_pop(L, 2);
  return 1;
}

static int suspend (lua_State *L, bs_task *t, const bs_op *op) {
  memcpy(t->op, op, op->kind->size);
  t->pending = 1;
  t->at = L;
  return lua_yieldk(L, 0, (lua_KContext)t->loop, resumed);
}

int bs_hasturn (const bs_state *st) {
  bs_loop *loop = st->loop;
  return loop == NULL || loop->current == NULL || loop->budget-- > 0;
}

int bs_intask (const bs_state *st) {
  return st->loop != NULL && st->loop->current != NULL;
}

int bs_runintask (lua_State *L, bs_op *op) {
  bs_loop *loop = op->st->loop;
  const bs_kind *kind = op->kind;
  bs_task *t = taskof(L, loop);
  unsigned char collected = 0;
  op->rest = 0;
  if (t == NULL && !misplaced(L, loop))
    return -1;
  if (t != NULL && t->pending) /* something else has resumed it meanwhile */
    forget(t);
  /* what may block is tried here only: its thread's job has to be on the stack */
  if (t != NULL && loop->budget-- <= 0 && op->timeout != 0 && !(kind->traits & BS_BLOCKS)) {
    if (!roomfor(t, kind->size) || !keepthread(L, t))
      return bs_memory(L);
    (void)bs_fixdeadline(op);
    makeready(t);
    return suspend(L, t, op);
  }
  int want = attempt(L, loop, op, &collected);
  if ((kind->traits & BS_BLOCKS) && want == BS_DONE && op->error == EAGAIN && op->timeout != 0)
    want = BS_READ;
  if (want == BS_DONE)
    return kind->finish(L, op);
  if (t == NULL)
    return refuse(L, kind->name);
  if (op->sock == NULL && want != BS_REST && !(kind->traits & BS_BLOCKS)) {
    if (op->fd < 0 && kind->descriptor != NULL)
      kind->descriptor(op);
    if (op->fd < 0)
      return -1;
  }
  if (!roomfor(t, kind->size) || !keepthread(L, t)) {
    if (kind->drop != NULL)
      kind->drop(op);
    return bs_memory(L);
  }
  op->error = 0;
  if ((kind->traits & BS_BLOCKS) && (t->job = bs_startjob(L, op)) == NULL)
    return -1;
  t->collected = collected;
  (void)bs_fixdeadline(op);
  if (want == BS_AGAIN)
    makeready(t);
  else if (!park(t, op, want)) {
    if (t->job != NULL) {
      bs_abandon(t->job);
      t->job = NULL;
      lua_pop(L, 1);
    }
    return kind->finish(L, op);
  }
  return suspend(L, t, op);
}

/* ==== the loop ==== */

/* Those that are ready now get their turn; those that become so meanwhile the next time. */
static void runready (lua_State *L, bs_loop *loop) {
  for (int n = loop->ready.n; n > 0 && loop->ready.first != NULL; n--) {
    bs_task *t = loop->ready.first;
    leave(t);
    if (!t->pending || t->op->error != 0 || advance(L, t))
      resume(L, t);
  }
}

/* What the engine tells. */
static void told (void *ud, int fd, int what) {
  lua_State *L = (lua_State *)ud;
  bs_loop *loop = ((bs_state *)lua_touserdata(L, BS_UP_STATE))->loop;
  place *p = &loop->places[fd];
  bs_task *reader = what & (READING | BS_HANGUP) ? p->reader : NULL;
  bs_task *writer = what & (BS_WRITE | BS_HANGUP) ? p->writer : NULL;
  if (what == BS_LOST) {
    forgetplace(loop, fd);
    return;
  }
  if (what & BS_READ)
    p->empty = 0;
  if (what & BS_HANGUP)
    p->hangup = 1;
  p->armed = p->sock != NULL;
  if (reader != NULL && advance(L, reader))
    resume(L, reader);
  if (writer != NULL && writer != reader && loop->places[fd].writer == writer &&
      (writer->op->rest == 0 || (what & BS_HANGUP)) && advance(L, writer))
    resume(L, writer);
  p = &loop->places[fd];
  if (p->known && !p->armed && (p->reader != NULL || p->writer != NULL) &&
      watch(loop, fd, NULL, 0) != 0) /* for who was not meant; or has it been closed? */
    forgetplace(loop, fd);
}

static void ringtask (lua_State *L, bs_timer *timer) {
  bs_task *t = (bs_task *)(void *)((char *)timer - offsetof(bs_task, timer));
  if (t->op->deadline <= timer->when)
    late(t);
  else if (!advance(L, t)) /* had a rest */
    return;
  unpark(t);
  resume(L, t);
}

/* ==== tasks ==== */

static bs_task *checktask (lua_State *L, int arg) {
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

static bs_loop *needloop (lua_State *L) {
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

/* Pushes a task that is ready: the function and its arguments are all that is on the stack from `f` on. */
static bs_task *newtask (lua_State *L, int f) {
  bs_loop *loop = needloop(L);
  int arguments = lua_gettop(L) - f;
  luaL_checktype(L, f, LUA_TFUNCTION);
  bs_task *t = (bs_task *)lua_newuserdatauv(L, sizeof(bs_task), 2);
  memset(t, 0, sizeof(*t));
  t->loop = loop;
  t->timer.ring = ringtask;
  t->state = ENDED; /* until nothing can fail any more */
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
  makeready(t);
  return t;
}

/* loop.spawn(f, ...) */
static int loop_spawn (lua_State *L) {
  newtask(L, 1);
  return 1;
}

/* Whoever has asked need not be told any more. */
static void heard (lua_State *L, bs_task *t) {
  if (!t->silent)
    return;
  t->silent = 0;
  leave(t);
  unanchor(L, t);
}

/* Pushes true and the results, or false and the error; the task is at `at`. */
static int pushoutcome (lua_State *L, bs_task *t, int at) {
  heard(L, t);
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
  bs_task *t = checktask(L, 1);
  (void)status, (void)ctx;
  if (t->state != ENDED)
    return wrongly(L, t->loop);
  return pushoutcome(L, t, 1);
}

/* task:join() */
static int task_join (lua_State *L) {
  bs_task *t = checktask(L, 1);
  bs_loop *loop = t->loop;
  lua_settop(L, 1);
  if (t->state == ENDED)
    return pushoutcome(L, t, 1);
  if (t == loop->current)
    return luaL_error(L, "a task cannot join itself");
  bs_task *self = taskof(L, loop);
  if (self == NULL && misplaced(L, loop))
    return refuse(L, "join");
  if (self == NULL)
    return luaL_error(L, "the task has not ended, and only a task can wait for its end");
  self->state = WAITING;
  append(&t->joiners, self);
  return lua_yieldk(L, 0, 0, joined);
}

/* Ends a task that is not running, with its scopes from the inside to the outside. */
static void cancel (lua_State *L, bs_task *t) {
  bs_loop *loop = t->loop;
  int top = lua_gettop(L);
  lua_checkstack(L, 4);
  t->state = RUNNING; /* nobody is to end it twice */
  forget(t);
  for (int more = 1; more;) {
    scope *sc = t->scope;
    lua_State *co = sc != NULL ? sc->co : t->L;
    more = sc != NULL;
    if (sc != NULL) {
      t->scope = sc->outer;
      sc->task = NULL;
      sc->active = 0;
      bs_stoptimer(&loop->timers, &sc->timer);
    }
    if (closethread(L, loop, co) != LUA_OK) { /* the last error is the one that counts, as in Lua */
      lua_settop(L, top);
      lua_xmove(co, L, 1);
    }
  }
  int failed = lua_gettop(L) > top, told = !failed || t->joiners.first != NULL;
  if (!failed) {
    t->cancelled = 1;
    lua_pushnil(L);
  }
  else if (!told) {
    pushtext(L, L);
    lua_insert(L, -2);
  }
  endbadly(L, t, told);
}

/* task:cancel() */
static int task_cancel (lua_State *L) {
  bs_task *t = checktask(L, 1);
  if (t->state == RUNNING && t == t->loop->current)
    return luaL_error(L, "a task cannot cancel itself");
  int alive = t->state == READY || t->state == WAITING;
  if (t->tried)
    t->doomed = 1;
  else if (alive)
    cancel(L, t);
  lua_pushboolean(L, alive);
  return 1;
}

static int task_tostring (lua_State *L) {
  static const char *const names[] = {"ready", "waiting", "running", "ended"};
  const bs_task *t = checktask(L, 1);
  const char *name = t->state == ENDED && t->failed ? "failed" : names[t->state];
  lua_pushfstring(L, "task (%s): %p", name, lua_touserdata(L, 1));
  return 1;
}

/* ==== scopes ==== */

static int scope_gc (lua_State *L) {
  scope *sc = (scope *)luaL_checkudata(L, 1, SCOPE);
  if (sc->loop != NULL)
    bs_stoptimer(&sc->loop->timers, &sc->timer);
  if (sc->task !=
      NULL) /* something else has ended its coroutine, and the task has not noticed yet */
    for (scope **at = &sc->task->scope; *at != NULL; at = &(*at)->outer)
      if (*at == sc) {
        *at = sc->outer;
        break;
      }
  return 0;
}

static void ringscope (lua_State *L, bs_timer *timer) {
  scope *sc = (scope *)(void *)((char *)timer - offsetof(scope, timer));
  bs_task *t = sc->task;
  (void)L;
  /* what has not been tried yet may have no need to wait: that it gives way to others is our doing */
  if (sc->active && t->state == READY && t->pending && !sc->spared) {
    sc->spared = 1;
    if (bs_settimer(&sc->loop->timers, timer, bs_now() + 1) == 0) /* the next time around */
      return;
  }
  sc->expired = 1;
  if (sc->active && t->state != RUNNING) {
    forget(t);
    makeready(t);
  }
}

/* Pushes a scope with a coroutine that will run the function on the top, which is gone then. */
static scope *newscope (lua_State *L, bs_loop *loop) {
  scope *sc = (scope *)lua_newuserdatauv(L, sizeof(scope), 1);
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
static void leavescope (scope *sc) {
  bs_task *t = sc->task;
  while (sc->task != NULL) {
    scope *inner = t->scope;
    t->scope = inner->outer;
    inner->task = NULL;
    inner->active = 0;
  }
  sc->active = 0;
}

/* What running a scope's coroutine comes to: a status of Lua's, or */
#define SUSPENDED (-1) /* the task waits: yield, and go on when it is resumed */

/* Runs it, with so many arguments from the top. *results are on its own top then; after an error, that. */
static int runscope (lua_State *L, scope *sc, int arguments, int *results) {
  bs_loop *loop = sc->loop;
  bs_task *t = loop->current;
  int through = taskof(L, loop) != NULL, blocks = t != NULL ? t->blocks : 0;
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
  if (through && status == LUA_YIELD && t->state != RUNNING)
    return SUSPENDED;
  if (through)
    leavescope(sc);
  return status;
}

/* Moves the values on a scope's top to L. */
static int takeresults (lua_State *L, scope *sc, int results) {
  luaL_checkstack(L, results, "too many results");
  lua_xmove(sc->co, L, results);
  return results;
}

/* An error of a scope goes on, after its <close> variables. */
static int passerror (lua_State *L, scope *sc) {
  lua_pushvalue(sc->co, -1);
  lua_xmove(sc->co, L, 1);
  if (closethread(L, sc->loop, sc->co) != LUA_OK)
    lua_xmove(sc->co, L, 1);
  return lua_error(L);
}

/* ---- loop.wrap ---- */

#define WRAPPED lua_upvalueindex(BS_NUP + 1)

static int wrapcontinue(lua_State *L, int status, lua_KContext ctx);

static int wrap (lua_State *L, int arguments) {
  scope *sc = (scope *)lua_touserdata(L, WRAPPED);
  int results;
  int status = runscope(L, sc, arguments, &results);
  if (status == SUSPENDED)
    return lua_yieldk(L, 0, 0, wrapcontinue);
  if (status == LUA_OK || status == LUA_YIELD)
    return takeresults(L, sc, results);
  if (lua_type(sc->co, -1) == LUA_TSTRING) { /* as coroutine.wrap: where it was called */
    luaL_where(L, 1);
    lua_xmove(sc->co, L, 1);
    lua_concat(L, 2);
    lua_xmove(L, sc->co, 1);
  }
  return passerror(L, sc);
}

static int wrapcontinue (lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  goeson(L, ((scope *)lua_touserdata(L, WRAPPED))->loop);
  return wrap(L, 0);
}

static int wrap_call (lua_State *L) {
  scope *sc = (scope *)lua_touserdata(L, WRAPPED);
  if (sc->active || sc->running)
    return luaL_error(L, "cannot resume non-suspended coroutine");
  if (lua_status(sc->co) == LUA_OK && lua_gettop(sc->co) == 0)
    return luaL_error(L, "cannot resume dead coroutine");
  return wrap(L, lua_gettop(L));
}

/* loop.wrap(f) */
static int loop_wrap (lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  newscope(L, needloop(L))->generator = 1;
  bs_pushfunction(L, wrap_call, 1);
  return 1;
}

/* ---- loop.timeout: the scope is at 1 ---- */

static int timeoutcontinue(lua_State *L, int status, lua_KContext ctx);
static int timeoutyielded(lua_State *L, int status, lua_KContext ctx);

/* Its time is over while it waits: everything in it is closed, from the inside. */
static int expire (lua_State *L, scope *sc) {
  bs_task *t = sc->task;
  int failed = 0;
  for (scope *each = t->scope;; each = t->scope) {
    bs_stoptimer(&sc->loop->timers, &each->timer);
    leavescope(each);
    if (closethread(L, sc->loop, each->co) != LUA_OK) {
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
  lua_pushliteral(L, "timeout: timed out");
  lua_pushliteral(L, "timeout");
  return 3;
}

/* Is there a generator that a yield might be meant for? */
static int generates (const bs_task *t) {
  const scope *sc = t != NULL ? t->scope : NULL;
  while (sc != NULL && !sc->generator)
    sc = sc->outer;
  return sc != NULL;
}

static int timeout (lua_State *L, int arguments) {
  scope *sc = (scope *)lua_touserdata(L, 1);
  int results;
  int status = runscope(L, sc, arguments, &results);
  switch (status) {
    case SUSPENDED: return lua_yieldk(L, 0, 0, timeoutcontinue);
    case LUA_YIELD: /* to a generator around it */
      if (!generates(sc->loop->current)) {
        bs_stoptimer(&sc->loop->timers, &sc->timer);
        lua_pushliteral(sc->co, STRAY);
        return passerror(L, sc);
      }
      takeresults(L, sc, results);
      return lua_yieldk(L, results, 0, timeoutyielded);
    default:
      bs_stoptimer(&sc->loop->timers, &sc->timer);
      return status == LUA_OK ? takeresults(L, sc, results) : passerror(L, sc);
  }
}

static int timeoutcontinue (lua_State *L, int status, lua_KContext ctx) {
  scope *sc = (scope *)lua_touserdata(L, 1);
  (void)status, (void)ctx;
  goeson(L, sc->loop);
  return sc->expired ? expire(L, sc) : timeout(L, 0);
}

static int timeoutyielded (lua_State *L, int status, lua_KContext ctx) {
  scope *sc = (scope *)lua_touserdata(L, 1);
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
static int loop_timeout (lua_State *L) {
  bs_loop *loop = needloop(L);
  luaL_argexpected(L, lua_type(L, 1) == LUA_TNUMBER, 1, "number");
  double seconds = bs_checktimeout(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (taskof(L, loop) == NULL)
    return misplaced(L, loop) ? refuse(L, "timeout")
                              : luaL_error(L, "loop.timeout has to be called in a task");
  lua_pushvalue(L, 2);
  scope *sc = newscope(L, loop);
  lua_replace(L, 1);
  lua_remove(L, 2);
  if (seconds >= 0) {
    bs_time span = bs_span(seconds);
    if (span != BS_FOREVER && bs_settimer(&loop->timers, &sc->timer, bs_now() + span) != 0)
      bs_memory(L);
  }
  return timeout(L, lua_gettop(L) - 1);
}

/* ==== waiting for time, and for descriptors of other libraries ==== */

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

static const bs_kind sleep_kind = BS_KIND("sleep", bs_op, 0, sleep_step, sleep_finish);

static int rested (lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  goeson(L, (bs_loop *)ctx);
  return 0;
}

/* loop.sleep(seconds). Without any, the others get their turn. */
static int loop_sleep (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_op op;
  luaL_checknumber(L, 1);
  bs_initop(&op, &sleep_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  op.timeout = bs_checktimeout(L, 1);
  lua_settop(L, 0);
  bs_task *t = taskof(L, loop);
  if (op.timeout == 0 && loop != NULL && misplaced(L, loop))
    return refuse(L, "sleep");
  if (op.timeout != 0 || t == NULL)
    return bs_run(L, &op);
  makeready(t);
  return lua_yieldk(L, 0, (lua_KContext)loop, rested);
}

/* loop.now() */
static int loop_now (lua_State *L) {
  lua_pushnumber(L, (lua_Number)bs_now() / 1e9);
  return 1;
}

typedef struct wait_op {
  bs_op op;
  int want, ready;
} wait_op;

static int wait_step (bs_op *o, bs_time patience) {
  wait_op *w = (wait_op *)o;
  int fd = o->sock != NULL ? o->sock->fd : o->fd;
  (void)patience;
  if (fd < 0) {
    o->error = EBADF;
    return BS_DONE;
  }
  w->ready = bs_readyfd(fd, w->want);
  if (w->ready < 0 && errno == EINTR)
    return BS_AGAIN;
  if (w->ready < 0) {
    o->error = errno;
    return BS_DONE;
  }
  if (o->sock != NULL && (w->want & BS_READ) && bs_pending(o->sock))
    w->ready |= BS_READ;
  return w->ready != 0 ? BS_DONE : w->want;
}

static const char *const events[] = {"", "r", "w", "rw", NULL}; /* by BS_READ | BS_WRITE */

static int wait_finish (lua_State *L, bs_op *o) {
  if (o->error ==
      EAGAIN) /* without time to wait; a socket would say so, but this is no socket's call */
    o->error = BS_ETIMEOUT;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  lua_pushstring(L, events[((wait_op *)o)->ready]);
  return 1;
}

static const bs_kind wait_kind = BS_KIND("wait", wait_op, 0, wait_step, wait_finish);

/* loop.wait(sock or fd, events [, timeout]) */
static int loop_wait (lua_State *L) {
  wait_op w;
  bs_socket *s;
  int fd = bs_checkfd(L, 1, &s);
  w.want = luaL_checkoption(L, 2, NULL, events);
  luaL_argcheck(L, w.want != 0, 2, "events must be 'r', 'w' or 'rw'");
  bs_initop(&w.op, &wait_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), s);
  w.op.timeout = bs_checktimeout(L, 3);
  w.op.fd = fd;
  return bs_run(L, &w.op);
}

/* ==== loop.run ==== */

/* Tells on stderr what nobody has asked for: at once (FRESH), or if all had a turn in which to ask (STALE). */
#define FRESH 1
#define STALE 2

static void tell (lua_State *L, bs_loop *loop, int which) {
  while (loop->silent.first != NULL && loop->silent.first->silent >= which) {
    bs_task *t = loop->silent.first;
    pushtask(L, t);
    lua_getiuservalue(L, -1, 1);
    fprintf(stderr, "bsdsocket.loop: error in a task: %s\n",
            lua_isnil(L, -1) ? "no memory is left to tell which" : lua_tostring(L, -1));
    fflush(stderr);
    heard(L, t);
    lua_pop(L, 2);
  }
}

/* Until every task has ended, or the first has failed. May raise what a hook raises. */
static int loop_turn (lua_State *L) {
  bs_loop *loop = loopof(L);
  bs_hooks known = bs_knownhooks(L, loop->st);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  while (loop->alive > 0) {
    bs_time patience = BS_NEVER;
    for (bs_task *t = loop->silent.first; t != NULL; t = t->next)
      t->silent = STALE;
    runready(L, loop);
    tell(L, loop, STALE);
    if (loop->first != NULL && loop->first->state == ENDED && loop->first->failed)
      return 0;
    if (loop->ready.n == 0) {
      const bs_timer *next = bs_nexttimer(&loop->timers);
      if (loop->alive == 0)
        return 0;
      tell(L, loop, FRESH);
      patience = BS_FOREVER;
      if (next != NULL) {
        bs_time now = bs_now();
        patience = next->when > now ? next->when - now : BS_NEVER;
      }
      else if (loop->waiting == 0)
        return luaL_error(L, "every task waits for another to end");
    }
    if (forked(loop))
      return luaL_error(L, "this process was forked from one whose loop this is");
    int err = bs_enginewait(&loop->engine, patience, told, L);
    if (err != 0 && err != EINTR)
      return bs_raise(L, "run", err);
    bs_checkhooks(L, loop->st, &known);
    if (loop->timers.n > 0) {
      bs_time now = bs_now();
      for (bs_timer *t; (t = bs_nexttimer(&loop->timers)) != NULL && t->when <= now;) {
        bs_stoptimer(&loop->timers, t);
        t->ring(L, t);
      }
    }
  }
  return 0;
}

/* Ends whatever has not ended: the <close> variables of one may spawn others. */
static void cancelall (lua_State *L, bs_loop *loop) {
  pushtasks(L, loop->st);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    unsigned before = loop->spawned;
    if (t->state != ENDED)
      cancel(L, t);
    lua_pop(L, 1);
    if (loop->spawned != before) { /* the table has new keys: from the beginning */
      lua_pop(L, 1);
      lua_pushnil(L);
    }
  }
  lua_pop(L, 1);
  tell(L, loop, FRESH);
}

static void shut (bs_loop *loop) {
  bs_state *st = loop->st;
  bs_engineclose(&loop->engine);
  closemark(loop);
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
  pushtasks(L, st);
  for (lua_pushnil(L); lua_istable(L, -2) && lua_next(L, -2); lua_pop(L, 1)) {
    bs_task *t = (bs_task *)lua_touserdata(L, -1);
    forget(t);
    if (t->op != NULL)
      st->alloc(st->allocdata, t->op, (size_t)t->room, 0);
    t->op = NULL;
    t->room = 0;
  }
  lua_pop(L, 1);
  shut(st->loop);
  st->loop->current = NULL;
}

/* The function of loop.run and its arguments become the first task. */
static int loop_first (lua_State *L) {
  bs_loop *loop = loopof(L);
  loop->first = newtask(L, 1);
  return 1;
}

/* loop.run([f, ...]) */
static int loop_run (lua_State *L) {
  bs_loop *loop = needloop(L);
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
  int err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0 && bs_collect(L, err))
    err = bs_engineopen(&loop->engine, loop->st);
  if (err != 0)
    return bs_raise(L, "run", err);
  openmark(loop);
  loop->running = 1; /* from here to the end nothing may raise */
  loop->st->aside++;
  loop->first = NULL;
  int status = isfirst ? lua_pcall(L, lua_gettop(L) - 2, 1, 0) : LUA_OK;
  if (status == LUA_OK) {
    lua_pushvalue(L, 1);
    status = lua_pcall(L, 0, 0, 0);
  }
  bs_task *first = loop->first;
  int at = lua_gettop(L); /* it is there, or an error */
  cancelall(L, loop);
  shut(loop);
  loop->first = NULL;
  loop->running = 0;
  loop->st->aside--;
  if (status != LUA_OK)
    return lua_error(L);
  if (first == NULL)
    return 0;
  int n = pushoutcome(L, first, at);
  return first->failed ? lua_error(L) : n - 1;
}

static const luaL_Reg functions[] = {
  {"now", loop_now},         {"run", loop_run},   {"sleep", loop_sleep}, {"spawn", loop_spawn},
  {"timeout", loop_timeout}, {"wait", loop_wait}, {"wrap", loop_wrap},   {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"cancel", task_cancel},
  {"join", task_join},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__tostring", task_tostring},
  {NULL, NULL},
};

void bs_openloop (lua_State *L) {
  int top = lua_gettop(L);
  lua_newtable(L);
  lua_pushliteral(L, "task");
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, -2, "__index");
  bs_setfuncs(L, lua_gettop(L), metamethods);
  lua_setiuservalue(L, BS_AT_STATE, BS_STATE_TASK);
  luaL_newmetatable(L, SCOPE);
  lua_pushcfunction(L, scope_gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_setfield(L, BS_AT_MODULE, "loop"); /* taken from there by lua/bsdsocket/loop.lua */
  lua_settop(L, top);
}
