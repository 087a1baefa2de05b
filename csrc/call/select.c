/*
** select.c: socket.select, the readiness of a few descriptors, asked of poll(2). The readiness of many,
** asked again and again, is in poller.c; the clock and the signals that a waiting call meets are in
** wait.c, which drives the operation below.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/engine.h"
#include "base/error.h"
#include "base/open.h"
#include "call/source.h"
#include "op/run.h"

/* One for each entry of the two lists, the readers first. */
typedef struct entry {
  bs_source from;
  int place;           /* of its descriptor in `fds` */
  short want;          /* POLLIN or POLLOUT */
  unsigned char holds; /* bytes of which the descriptor does not tell */
} entry;

/* The arrays live in a userdata on the stack, and the objects in a table beside it: whatever happens
** to the lists meanwhile, the sockets that the entries point to stay alive. */
typedef struct select_op {
  bs_op op;
  entry *entries;
  struct pollfd *fds;
  int *index;    /* hash of the descriptors: place + 1, or 0 */
  unsigned mask; /* size of index - 1 */
  int nreaders;
  int n;            /* entries */
  int nfds;         /* descriptors */
  int closed;       /* with EBADF: this entry; -1: not known */
  bs_engine engine; /* of op.fd */
} select_op;

/* the stack of a call */
#define READERS 1 /* the list, and later the entry that is looked at */
#define WRITERS 2
#define TIMEOUT 3
#define ENTRIES 4 /* our copy of both lists */

#define MOST (INT_MAX / 128) /* entries: so that no size below overflows anywhere */

/*
** A descriptor has one place however often it is listed: poll gives EINVAL for more places than the
** process may have descriptors, and the same sockets in both lists would be twice as many.
*/
static int placeof (select_op *o, int fd) {
  unsigned h = (unsigned)fd & o->mask;
  while (o->index[h] != 0 && o->fds[o->index[h] - 1].fd != fd)
    h = (h + 1) & o->mask;
  if (o->index[h] == 0) {
    struct pollfd *p = &o->fds[o->nfds];
    p->fd = fd;
    p->events = p->revents = 0;
    o->index[h] = ++o->nfds;
  }
  return o->index[h] - 1;
}

/* Is the entry closed, perhaps since the last step? */
static int isclosed (const select_op *o, const entry *e) {
  int fd = o->fds[e->place].fd;
  return fd < 0 || (e->from.sock != NULL && e->from.sock->fd != fd) ||
         (e->from.poller != NULL && bs_pollerfd(e->from.poller) != fd);
}

static int closed (select_op *o, int i) {
  o->closed = i;
  o->op.error = EBADF;
  return BS_DONE;
}

/* For what poll found closed: the first entry that is. */
static int invalid (select_op *o) {
  for (int i = 0; i < o->n; i++)
    if (o->fds[o->entries[i].place].revents & POLLNVAL)
      return closed(o, i);
  return BS_DONE;
}

static int select_step (bs_op *op, bs_time patience) {
  select_op *o = (select_op *)op;
  int held = 0, invalids = 0;
  for (int i = 0; i < o->n; i++) {
    entry *e = &o->entries[i];
    if (isclosed(o, e))
      return closed(o, i);
    e->holds = i < o->nreaders && bs_holds(&e->from);
    held |= e->holds;
  }
  int n = poll(o->fds, (nfds_t)o->nfds, bs_millis(held ? BS_NEVER : patience));
  if (n < 0) {
    int err = errno;
    if (err == EINTR || err == EAGAIN)
      return BS_AGAIN;
    op->error = err;
    return BS_DONE;
  }
  if (n == 0 && !held)
    return BS_AGAIN;
  op->error = 0;
  for (int i = 0; i < o->nfds; i++)
    invalids |= o->fds[i].revents & POLLNVAL;
  if (invalids)
    return invalid(o);
  for (int i = 0; held && i < o->nreaders; i++)
    if (o->entries[i].holds)
      o->fds[o->entries[i].place].revents |= POLLIN;
  return BS_DONE;
}

static int isready (const select_op *o, int i) {
  const entry *e = &o->entries[i];
  return (o->fds[e->place].revents & (e->want | POLLERR | POLLHUP)) != 0;
}

/* Pushes the ready ones of the entries from .. to - 1, each as a key too. */
static void pushready (lua_State *L, const select_op *o, int from, int to) {
  int n = 0;
  for (int i = from; i < to; i++)
    n += isready(o, i);
  lua_createtable(L, n, n);
  n = 0;
  for (int i = from; i < to; i++) {
    if (!isready(o, i))
      continue;
    lua_rawgeti(L, ENTRIES, i + 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, ++n);
    if (lua_type(L, -1) == LUA_TNUMBER) /* as a key it would be a position */
      lua_pop(L, 1);
    else {
      lua_pushinteger(L, n);
      lua_rawset(L, -3);
    }
  }
}

static void select_drop (bs_op *op) {
  if (op->fd >= 0)
    bs_engineclose(&((select_op *)op)->engine);
  op->fd = -1;
}

/* For who has to wait elsewhere: a descriptor that is readable when one of these is ready. What no engine takes,
** an ordinary file, is always ready, and so the step has ended already. */
static void select_descriptor (bs_op *op) {
  select_op *o = (select_op *)op;
  if (bs_engineopen(&o->engine, op->st) != 0)
    return;
  op->fd = o->engine.fd;
  for (int i = 0; i < o->nfds && op->fd >= 0; i++) {
    int want =
      (o->fds[i].events & POLLIN ? BS_READ : 0) | (o->fds[i].events & POLLOUT ? BS_WRITE : 0);
    if (bs_engineadd(&o->engine, i, o->fds[i].fd, want) != 0)
      select_drop(op);
  }
  for (int i = 0; i < o->n; i++) { /* who closes it is to tell: the engine will not */
    const bs_source *from = &o->entries[i].from;
    if (from->sock != NULL)
      from->sock->flags |= BS_WAITED;
    else if (from->poller != NULL)
      bs_markpoller(from->poller);
  }
}

static int select_concerns (const bs_op *op, int fd) {
  const select_op *o = (const select_op *)op;
  for (int i = 0; i < o->nfds; i++)
    if (o->fds[i].fd == fd)
      return 1;
  return 0;
}

static int select_finish (lua_State *L, bs_op *op) {
  const select_op *o = (const select_op *)op;
  select_drop(op);
  if (op->error == EBADF && o->closed >= 0) {
    int reads = o->closed < o->nreaders;
    const char *which = lua_pushfstring(L, "%s[%d]", reads ? "readers" : "writers",
                                        (reads ? o->closed : o->closed - o->nreaders) + 1);
    return bs_failtext(L, "select", which, EBADF);
  }
  if (op->error != 0 && op->error != EAGAIN && op->error != BS_ETIMEOUT)
    return bs_failop(L, op, NULL);
  /* at the timeout all `revents` are 0 */
  pushready(L, o, 0, o->nreaders);
  pushready(L, o, o->nreaders, o->n);
  return 2;
}

static const bs_kind select_kind = {BS_CALL("select", select_op), .traits = BS_TIMED,
                                    .step = select_step,          .finish = select_finish,
                                    .drop = select_drop,          .descriptor = select_descriptor,
                                    .concerns = select_concerns};

/* Raw, here and below: a list that runs code or lies about its length is worth no trouble. */
static int checklist (lua_State *L, int arg) {
  if (lua_isnil(L, arg))
    return 0;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, arg);
  luaL_argcheck(L, n <= MOST / 2, arg, "too many entries");
  return (int)n;
}

/*
** socket.select(readers, writers [, timeout]): the readable ones of the first list and the writable
** ones of the second, two arrays in the lists' order. Each entry is a key, too, with its position as
** the value; an integer is not. Both are empty at the timeout.
*/
static int select_select (lua_State *L) {
  select_op o;
  lua_settop(L, TIMEOUT);
  bs_initop(&o.op, &select_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  o.nreaders = checklist(L, READERS);
  o.n = o.nreaders + checklist(L, WRITERS);
  o.op.timeout = bs_checktimeout(L, TIMEOUT);
  o.nfds = 0;
  o.closed = -1;
  o.mask = 1;
  while (o.mask <= (unsigned)o.n)
    o.mask = 2 * o.mask + 1;
  lua_createtable(L, o.n, 0); /* at ENTRIES */
  size_t entrysize = (size_t)o.n * sizeof(entry), fdsize = (size_t)o.n * sizeof(struct pollfd);
  size_t indexsize = ((size_t)o.mask + 1) * sizeof(int);
  char *block = (char *)lua_newuserdatauv(L, entrysize + fdsize + indexsize, 0);
  o.entries = (entry *)(void *)block;
  o.fds = (struct pollfd *)(void *)(block + entrysize);
  o.index = (int *)(void *)(block + entrysize + fdsize);
  memset(o.index, 0, indexsize);
  for (int i = 0; i < o.n; i++) {
    if (i < o.nreaders)
      lua_rawgeti(L, READERS, i + 1);
    else
      lua_rawgeti(L, WRITERS, i - o.nreaders + 1);
    lua_rawseti(L, ENTRIES, i + 1);
  }
  for (int i = 0; i < o.n; i++) { /* only now: `fileno` may be a function that changes the lists */
    entry *e = &o.entries[i];
    int arg = i < o.nreaders ? READERS : WRITERS;
    lua_rawgeti(L, ENTRIES, i + 1);
    lua_replace(L, arg); /* so that an error names the right list */
    bs_asksource(L, arg, arg == READERS, &e->from);
    e->place = placeof(&o, bs_checkfd(L, arg, &e->from.sock));
    e->want = arg == READERS ? POLLIN : POLLOUT;
    o.fds[e->place].events |= e->want;
  }
  return bs_run(L, &o.op);
}

static const luaL_Reg functions[] = {
  {"select", select_select},
  {NULL, NULL},
};

void bs_openselect (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
