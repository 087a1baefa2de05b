/*
** wait.c: the one driver of every call that can wait. It knows deadlines, the kernel's own timeout,
** poll, signals and Lua's hooks; what is done meanwhile is the operation's step. Also the flags of a
** socket that waiting needs, since others may find them changed.
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <sys/time.h>
#include <time.h>

#include "bsdsocket.h"

#define MILLISECOND ((bs_time)1000000)
#define SECOND ((bs_time)1000000000)

#define KERNELTIMED 0.25 /* from here on a receive waits in the kernel */

/* Between two looks at what no descriptor tells of. */
#define SHORTREST MILLISECOND
#define LONGREST (16 * MILLISECOND)

/* After a passing failure of accept, as one would do by hand. */
#define RESTAFTERFAILURE (100 * MILLISECOND)

/* ---- time ---- */

static bs_time timeof (clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (bs_time)ts.tv_sec * SECOND + ts.tv_nsec;
}

bs_time bs_now (void) {
  return timeof(CLOCK_MONOTONIC);
}

bs_time bs_coarsenow (void) {
#if defined(CLOCK_MONOTONIC_COARSE)
  return timeof(CLOCK_MONOTONIC_COARSE);
#elif defined(CLOCK_MONOTONIC_FAST)
  return timeof(CLOCK_MONOTONIC_FAST);
#else
  return timeof(CLOCK_MONOTONIC);
#endif
}

bs_time bs_span (double seconds) {
  if (seconds < 0 || seconds >= 1e9)
    return BS_FOREVER;
  return (bs_time)ceil(seconds * 1e9);
}

int bs_millis (bs_time span) {
  if (span == BS_FOREVER)
    return -1;
  if (span <= 0)
    return 0;
  span = (span + MILLISECOND - 1) / MILLISECOND;
  return span > INT_MAX ? INT_MAX : (int)span;
}

double bs_checktimeout (lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return -1;
  lua_Number seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds >= 0, arg, "timeout must not be negative or NaN"); /* NaN is not >= 0 */
  return isinf(seconds) ? -1 : (double)seconds;
}

bs_time bs_begindeadline (bs_op *op) {
  bs_time span = bs_span(op->timeout);
  op->deadline = span == BS_FOREVER ? BS_FOREVER : (op->began != 0 ? op->began : bs_now()) + span;
  return op->deadline;
}

static bs_time left (bs_time deadline) {
  if (deadline == BS_FOREVER)
    return BS_FOREVER;
  bs_time now = bs_now();
  return now < deadline ? deadline - now : 0;
}

double bs_left (const bs_op *op) {
  return op->deadline == BS_FOREVER ? -1 : (double)left(op->deadline) / 1e9;
}

/* ---- flags of the open file description ---- */

/* Knows without asking, unless others share the description. */
int bs_setnonblock (bs_socket *s, int on) {
  int known = (s->flags & BS_NONBLOCK) != 0;
  if (known == on && !(s->flags & BS_SHARED))
    return 0;
  int flags = fcntl(s->fd, F_GETFL);
  if (flags < 0)
    return -1;
  if (((flags & O_NONBLOCK) != 0) != on) {
    if (fcntl(s->fd, F_SETFL, flags ^ O_NONBLOCK) != 0)
      return -1;
    if (on) {
      s->flags |= BS_SETNONBLOCK;
      s->process = (unsigned char)bs_process(s->st);
    }
  }
  s->flags =
    (unsigned char)(on ? s->flags | BS_NONBLOCK : s->flags & ~(BS_NONBLOCK | BS_SETNONBLOCK));
  return 0;
}

static int setrcvtimeo (bs_socket *s, double seconds) {
  struct timeval tv;
  tv.tv_sec = (time_t)seconds;
  tv.tv_usec = (suseconds_t)((seconds - (double)tv.tv_sec) * 1e6);
  return setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* True if a receive on `s` will wait in the kernel for `seconds` and no longer. */
static int waitsinkernel (bs_socket *s, double seconds) {
  if (s->rcvtimeo == seconds)
    return 1;
  if (!(s->flags & BS_SETRCVTIMEO)) {
    if (s->rcvtimeo < 0) { /* adopted: what did its owner leave? */
      struct timeval tv;
      socklen_t len = sizeof(tv);
      if (getsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len) != 0)
        return 0;
      s->rcvtimeo = (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
    }
    s->foundrcvtimeo = s->rcvtimeo;
  }
  if (setrcvtimeo(s, seconds) != 0)
    return 0;
  s->rcvtimeo = seconds;
  s->flags |= BS_SETRCVTIMEO;
  s->process = (unsigned char)bs_process(s->st);
  return 1;
}

/* What another process set before a fork, that one goes on with. */
void bs_restoreflags (bs_socket *s) {
  if (s->process != (unsigned char)bs_process(s->st))
    s->flags = (unsigned char)(s->flags & ~(BS_SETNONBLOCK | BS_SETRCVTIMEO));
  if (s->flags & BS_SETNONBLOCK) { /* a twin may have put it back already */
    int flags = fcntl(s->fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
      (void)fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
  }
  if (s->flags & BS_SETRCVTIMEO)
    (void)setrcvtimeo(s, s->foundrcvtimeo);
  s->flags = (unsigned char)(s->flags & ~(BS_NONBLOCK | BS_SETNONBLOCK | BS_SETRCVTIMEO));
  s->rcvtimeo = -1;
}

/* ---- Lua's hooks ---- */

/* Something for a hook to see: a call, and where it has not come for that an instruction and a line. */
static int happen (lua_State *L) {
  if (lua_gethook(L) != NULL && !(lua_gethookmask(L) & LUA_MASKCALL) &&
      luaL_loadbufferx(L, "return", 6, "=bsdsocket", "t") == LUA_OK)
    lua_call(L, 0, 0);
  return 0;
}

/* A signal handler of Lua's has set a hook: lua.c's raises "interrupted!". It wants something to happen.
** Set on another coroutine, the main thread mostly, it would never see one that waits; so it moves here, and moves
** back if all it did was to look. Gives a status, and if it is none of success the error on the top. */
static int runhook (lua_State *L, lua_State *from) {
  if (!lua_checkstack(L, 2))
    return LUA_OK; /* the next time, then */
  lua_pushcfunction(L, happen);
  if (from == L)
    return lua_pcall(L, 0, 0, 0);
  lua_Hook hook = lua_gethook(from), own = lua_gethook(L);
  int mask = lua_gethookmask(from), ownmask = lua_gethookmask(L);
  int count = lua_gethookcount(from), owncount = lua_gethookcount(L);
  lua_sethook(from, NULL, 0, 0);
  lua_sethook(L, hook, mask, count);
  int status = lua_pcall(L, 0, 0, 0);
  int stays = lua_gethook(L) == hook;
  lua_sethook(L, own, ownmask, owncount);
  if (status == LUA_OK && stays && lua_gethook(from) == NULL)
    lua_sethook(from, hook, mask, count);
  return status;
}

/* ---- the driver ---- */

static struct pollfd pollof (int fd, int want) {
  struct pollfd p;
  p.fd = fd;
  p.events = (short)((want & BS_READ ? POLLIN : 0) | (want & BS_WRITE ? POLLOUT : 0) |
                     (want & BS_URGENT ? POLLPRI : 0));
  p.revents = 0;
  return p;
}

int bs_waitfd (int fd, int want, bs_time deadline) {
  struct pollfd p = pollof(fd, want);
  return poll(&p, 1, bs_millis(left(deadline)));
}

int bs_readyfd (int fd, int want) {
  struct pollfd p = pollof(fd, want);
  if (poll(&p, 1, 0) < 0)
    return -1;
  if (p.revents & POLLNVAL) {
    errno = EBADF;
    return -1;
  }
  int both = p.revents & (POLLHUP | POLLERR);
  return want & ((p.revents & POLLIN || both ? BS_READ : 0) |
                 (p.revents & POLLOUT || both ? BS_WRITE : 0));
}

/* One try, with what write() left unflushed around it: a sending call comes after that; a receiving one
** sends it before it waits, and then waits for either. (EPIPE is left to the next sending call, which gets it
** again: what the peer has sent can still be received.) */
int bs_tryflushing (bs_op *op, bs_time patience) {
  const bs_kind *kind = op->kind;
  bs_socket *s = op->sock;
  if (!(kind->traits & (BS_SENDS | BS_RECEIVES)))
    return kind->step(op, patience);
  if (kind->traits & BS_SENDS) {
    int want = bs_flush(s, patience, &op->error);
    return want == BS_DONE && op->error == 0 ? kind->step(op, patience) : want;
  }
  int want = kind->step(op, BS_NEVER), err = 0;
  if (want == BS_DONE || want == BS_AGAIN)
    return want;
  int left = bs_flush(s, BS_NEVER, &err);
  if (left != BS_DONE)
    return left == BS_WRITE ? want | BS_WRITE : left;
  if (err == 0)
    return BS_AGAIN;
  if (err == EPIPE)
    return want;
  op->error = err;
  return BS_DONE;
}

/* How long the first step of a call with a timeout may wait by itself. */
BS_ASIDE bs_time bs_firstpatience (bs_op *op) {
  unsigned traits = op->kind->traits;
  if (traits & BS_TIMED) {
    (void)bs_fixdeadline(op);
    bs_time time = op->timeout == 0 ? BS_NEVER : left(op->deadline);
    /* too short a time for the clock is still no "never" */
    return time == BS_NEVER && op->timeout > 0 ? 1 : time;
  }
  if (traits & BS_NEEDSFLAG)
    (void)bs_mustnotwait(op);
  else if ((traits & BS_RECEIVES) && op->timeout >= KERNELTIMED &&
           !(op->sock->flags & (BS_NONBLOCK | BS_SHARED)) && !(op->sock->marks & BS_LOWAT) &&
           waitsinkernel(op->sock, op->timeout < 1e9 ? op->timeout * BS_KERNELSHARE : 1e9)) {
    op->began = bs_now();
    return BS_FOREVER;
  }
  return BS_NEVER;
}

/* Passing failures: the kernel's tables are full, or a connection died before it was taken. */
static int passes (int err) {
  switch (err) {
    case ECONNABORTED:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
#ifdef ENONET
    case ENONET:
#endif
#ifdef ENOSR
    case ENOSR:
#endif
      return 1;
    default: return 0;
  }
}

/* Does nothing for a while: > 0 then, 0 if the deadline came first, -1 after a signal. */
static int rest (bs_time span, bs_time deadline) {
  bs_time most = left(deadline);
  int r = poll(NULL, 0, bs_millis(span < most ? span : most));
  return r < 0 ? r : span < most;
}

void bs_restlonger (bs_op *op) {
  op->rest = op->rest == 0 ? SHORTREST : op->rest < LONGREST ? 2 * op->rest : op->rest;
}

/* The status of running what is new: if it is none of success, the error is on the top. */
static int seehooks (lua_State *L, const bs_state *st, bs_hooks *known) {
  lua_Hook own = lua_gethook(L), mains = lua_gethook(st->main);
  int status = LUA_OK;
  if (own != known->own && own != NULL)
    status = runhook(L, L);
  else if (st->main != L && mains != known->main && mains != NULL)
    status = runhook(L, st->main);
  *known = bs_knownhooks(L, st);
  return status;
}

/* Does the hook want the next event, whatever that is? */
static int wantsnext (lua_State *L) {
  return lua_gethook(L) != NULL && (lua_gethookmask(L) & LUA_MASKCOUNT) && lua_gethookcount(L) == 1;
}

int bs_checkhookof (lua_State *L, lua_State *co) {
  if (!wantsnext(co) || lua_gethook(co) == lua_gethook(L))
    return 0;
  if (runhook(L, co) != LUA_OK)
    lua_error(L);
  return 1;
}

void bs_checkhooks (lua_State *L, const bs_state *st, bs_hooks *known) {
  if (seehooks(L, st, known) != LUA_OK)
    lua_error(L);
}

/* A hook of the main thread that was there before the call began is left alone, unless it wants the very
** next event, whatever that is: such a one has come from a signal, too, while a coroutine computed. */
void bs_checkmainhook (lua_State *L, const bs_state *st, bs_hooks *known) {
  lua_State *mainthread = st->main;
  if (!wantsnext(mainthread) || (L != mainthread && known->main == known->own))
    return;
  int status = runhook(L, mainthread);
  known->own = lua_gethook(L);
  known->main = lua_gethook(mainthread);
  if (status != LUA_OK)
    lua_error(L);
}

/* Waits until `want` comes true, the deadline, or a signal: > 0, 0, -1. *vain counts how often in a row
** poll said at once that it was true, and the step could do nothing. */
static int await (bs_op *op, int want, int *vain) {
  (void)bs_fixdeadline(op);
  if (want == BS_REST)
    return rest(op->rest, op->deadline);
  /* what is left of a timeout that is no more would cut the next wait, too */
  if (op->sock != NULL && op->timeout < 0 && op->sock->rcvtimeo > 0 &&
      !(op->kind->traits & BS_OUTPUT))
    (void)waitsinkernel(op->sock, 0);
  bs_time before = bs_now();
  int r = bs_waitfd(op->sock != NULL ? op->sock->fd : op->fd, want, op->deadline);
  *vain = r > 0 && bs_now() - before < MILLISECOND ? *vain + 1 : 0;
  if (*vain > 1) /* ready only in poll's eyes: a full unix peer, a crowd before one accept */
    return rest(MILLISECOND << (*vain < 6 ? *vain - 2 : 4), op->deadline);
  return r;
}

/* What a failure of the step comes to: go on (and perhaps rest before), or BS_DONE. */
int bs_afterfailure (lua_State *L, bs_op *op, unsigned char *collected) {
  unsigned traits = op->kind->traits;
  int err = op->error;
  op->error = 0;
  if ((traits & BS_OPENS) && !*collected && bs_collect(L, err)) {
    *collected = 1;
    return BS_AGAIN;
  }
  if ((traits & BS_PERSISTS) && passes(err)) {
    *collected = 0;
    op->rest = RESTAFTERFAILURE;
    return BS_REST;
  }
  op->error = err;
  return BS_DONE;
}

/* What blocks in the C library goes to a helper thread, so that the deadline holds and signals come through. Waits
** until it has ended, the deadline, or a hook that raises; then it is abandoned. False: there is no thread. */
static int awaitjob (lua_State *L, bs_op *op, bs_hooks *known) {
  (void)bs_fixdeadline(op);
  if (left(op->deadline) == 0) {
    op->error = BS_ETIMEOUT;
    return 1;
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL); /* the call may be deep in its arguments */
  bs_job *job = bs_startjob(L, op);
  if (job == NULL)
    return 0;
  while (!bs_endjob(job, op)) {
    if (seehooks(L, op->st, known) != LUA_OK) {
      bs_abandon(job);
      lua_error(L);
    }
    int r = bs_waitfd(bs_jobfd(job), BS_READ, op->deadline);
    if (r == 0 && left(op->deadline) == 0)
      op->error = BS_ETIMEOUT;
    else if (r < 0 && errno != EINTR)
      op->error = errno;
    if (op->error != 0)
      break;
  }
  bs_abandon(job); /* if its time is over */
  return 1;
}

/* A step of a kind that blocks: without waiting if that will do, else in a thread, else here. */
static BS_ASIDE int stepblocking (lua_State *L, bs_op *op, bs_hooks *known) {
  int want = op->kind->step(op, BS_NEVER);
  if (want != BS_DONE || op->error != EAGAIN || op->timeout == 0)
    return want;
  op->error = 0;
  return awaitjob(L, op, known) ? BS_DONE : op->kind->step(op, BS_FOREVER);
}

/* What the first step did not end: `want` is its answer. */
void bs_drive (lua_State *L, bs_op *op, int want, bs_hooks *known) {
  int vain = 0;
  unsigned char collected = 0;
  for (;;) {
    bs_time patience = op->timeout < 0 ? BS_FOREVER : BS_NEVER;
    int retry = 0; /* after collecting garbage: no more waiting than before */
    if (want == BS_DONE && op->error > 0) {
      want = bs_afterfailure(L, op, &collected);
      retry = want == BS_AGAIN;
    }
    if (want == BS_DONE)
      return;
    if (want != BS_AGAIN)
      want = bs_wanted(op, want);
    if (want == BS_AGAIN) {
      vain = 0;
      if (op->timeout == 0 && (op->kind->traits & BS_TIMED) && !retry)
        op->error = BS_ETIMEOUT;
      else if (op->timeout > 0) { /* what goes on and on ends at the deadline, too */
        (void)bs_fixdeadline(op);
        bs_time time = left(op->deadline);
        if (time == 0)
          op->error = BS_ETIMEOUT;
        else if (op->kind->traits & BS_TIMED)
          patience = time;
      }
    }
    else if (want != BS_DONE) {
      bs_checkhooks(L, op->st, known); /* collecting garbage, too, may have taken long */
      int r = await(op, want, &vain);
      if (r < 0 && errno != EINTR)
        op->error = errno;
      else /* poll has an end that a deadline may be beyond */
        op->error = r == 0 && left(op->deadline) == 0 ? BS_ETIMEOUT : 0;
    }
    if (op->error != 0)
      return;
    bs_checkhooks(L, op->st, known);
    /* who shares it may have changed that meanwhile */
    if (op->timeout >= 0 && op->sock != NULL && (op->sock->flags & BS_SHARED) &&
        !bs_mustnotwait(op))
      return;
    want = op->kind->traits & BS_BLOCKS ? stepblocking(L, op, known) : bs_tryonce(op, patience);
  }
}

/* ---- whose turn it is ---- */

static int isused (const bs_op *op, int side) {
  const bs_socket *s = bs_sideof(op, side);
  if (s == NULL || s->fd < 0 || !(s->marks & side)) /* that it is closed its step will say */
    return 0;
  bs_reclaim(op->st, s, side);
  bs_leavegone(s, side);
  return s->marks & side;
}

int bs_busysides (const bs_op *op) {
  int sides = bs_sides(op);
  return (sides & BS_IN ? isused(op, BS_IN) : 0) | (sides & BS_OUT ? isused(op, BS_OUT) : 0);
}

int bs_isbusy (bs_op *op) {
  int busy = bs_busysides(op);
  if (busy == 0)
    return 0;
  op->error = busy == BS_OUT && op->timeout == 0 ? EAGAIN : EBUSY;
  if (op->error == EAGAIN)
    op->sock->wants = BS_WRITE;
  return 1;
}

/* What is not as simple as in bs_run. */
BS_ASIDE int bs_runaside (lua_State *L, bs_op *op) {
  if (op->st->loop != NULL) {
    int results = bs_runintask(L, op);
    if (results >= 0)
      return results;
  }
  if (op->st->waiter && !bs_intask(op->st)) {
    int results = bs_runwaiter(L, op);
    if (results >= 0)
      return results;
  }
  if (bs_isbusy(op)) /* and who uses it cannot go on while this waits */
    return op->kind->finish(L, op);
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  int want = BS_DONE;
  if (op->kind->traits & BS_BLOCKS)
    want = stepblocking(L, op, &known);
  else {
    bs_time patience = op->timeout < 0 ? BS_FOREVER : bs_firstpatience(op);
    if (op->error == 0)
      want = bs_tryonce(op, patience);
  }
  if (want != BS_DONE || op->error > 0)
    bs_drive(L, op, want, &known);
  return op->kind->finish(L, op);
}

int bs_run (lua_State *L, bs_op *op) {
  return bs_runinline(L, op, op->kind);
}
