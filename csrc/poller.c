/*
** poller.c: socket.poller(), the readiness of many. A few are asked about at once in select.c; the
** clock and the signals that p:wait meets are in wait.c, which drives the operation below.
**
** What is registered has a *place*, a bs_reg in an array of the poller, found by its descriptor
** through a small hash. The array is a userdata, and beside it is a table with two fields for each
** place: what p:wait gives for it, and the object, kept alive. p:wait puts the ready places on a
** list; the loop takes them off. Whoever leaves the poller leaves that list, so that nothing removed
** is reported any more.
**
** A socket knows its places, too (s->regs), so that closing it can empty them. That happens with no
** Lua state at hand, so such a place is *dead* until the poller's next method clears its two fields.
** Poller and sockets may be finalized in any order: each unties itself from the other.
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "bsdsocket.h"

typedef struct bs_poller bs_poller;

struct bs_reg {
  bs_poller *poller;
  bs_socket *sock; /* NULL: an integer or another library's object */
  bs_reg *next;    /* the socket's place in another poller */
  uint64_t stamp;  /* tells the engine whether the kernel speaks of this registration */
  int fd;
  int chain;           /* the next place with the same hash */
  int before, after;   /* in the list of ready ones; `after` in those of free and dead ones */
  unsigned char asked; /* BS_READ | BS_WRITE; 0: the place is not taken */
  unsigned char ready; /* 0: not on the list of ready ones */
};

struct bs_poller {
  bs_state *st;
  bs_reg *regs;
  int *heads;  /* hash of the places by descriptor, as many as places */
  void *extra; /* what the engine has of each place, in an array of its own */
  int fd;      /* the engine's, -1 if it has none */
  int open;
  int size;  /* places there are: 0 or a power of two */
  int count; /* places taken */
  int free, dead;
  int first, last; /* the ready ones */
};

#define NONE (-1)
#define FEWEST 16
#define MOST (INT_MAX / 128) /* places: so that no size below overflows anywhere */

#define EVENTS 256 /* taken from the kernel at a time */

/* user values of a poller, and the fields of a place in its table */
#define TABLE 1
#define ARRAY 2
#define WHAT(i) (2 * (lua_Integer)(i) + 1)
#define OBJECT(i) (2 * (lua_Integer)(i) + 2)

/* ---- places ---- */

static int *headof (const bs_poller *p, int fd) {
  return &p->heads[fd & (p->size - 1)];
}

static int find (const bs_poller *p, int fd) {
  int i = p->size == 0 || fd < 0 ? NONE : *headof(p, fd);
  while (i != NONE && p->regs[i].fd != fd)
    i = p->regs[i].chain;
  return i;
}

/* The engine found this place ready, for more than was asked perhaps. */
static void markready (bs_poller *p, int i, int ready) {
  bs_reg *r = &p->regs[i];
  ready &= r->asked;
  if (ready == 0)
    return;
  if (r->ready == 0) {
    r->before = p->last;
    r->after = NONE;
    *(p->last == NONE ? &p->first : &p->regs[p->last].after) = i;
    p->last = i;
  }
  r->ready = (unsigned char)(r->ready | ready);
}

static void unready (bs_poller *p, int i) {
  bs_reg *r = &p->regs[i];
  if (r->ready == 0)
    return;
  *(r->before == NONE ? &p->first : &p->regs[r->before].after) = r->after;
  *(r->after == NONE ? &p->last : &p->regs[r->after].before) = r->before;
  r->ready = 0;
}

/* Takes a place that is on no list. */
static void settle (bs_poller *p, int i, int fd, bs_socket *s, int asked) {
  bs_reg *r = &p->regs[i];
  int *head = headof(p, fd);
  r->fd = fd;
  r->sock = s;
  r->asked = (unsigned char)asked;
  r->chain = *head;
  *head = i;
  if (s != NULL) {
    r->next = s->regs;
    s->regs = r;
  }
  p->count++;
}

/* Leaves the place; it is on no list then. The kernel has been told, or knows better. */
static void vacate (bs_poller *p, int i) {
  bs_reg *r = &p->regs[i];
  int *link = headof(p, r->fd);
  unready(p, i);
  while (*link != i)
    link = &p->regs[*link].chain;
  *link = r->chain;
  if (r->sock != NULL) {
    bs_reg **l = &r->sock->regs;
    while (*l != r)
      l = &(*l)->next;
    *l = r->next;
    r->sock = NULL;
  }
  r->asked = 0;
  p->count--;
}

/* The same where there is no Lua state to clear its fields. */
static void abandon (bs_poller *p, int i) {
  vacate(p, i);
  p->regs[i].after = p->dead;
  p->dead = i;
}

/* ---- engines: epoll, kqueue, poll ----
**
** Each has these functions; they give 0 or an errno.
**   engine_open     makes p->fd, or leaves it -1
**   engine_add      place i is free, or is taken by this descriptor already: then EEXIST, unless the
**                   kernel says that what had been added was closed behind our back
**   engine_modify   place i is taken
**   engine_remove   place i is taken, and will be left whatever the answer
**   engine_wait     waits up to `patience`, and marks the places that are ready
** EXTRA is the size of what the engine has of each place in p->extra.
**
** -DBS_POLLER_POLL takes poll where the system has better: for trying it out by
**   make test BUILD=build-poll CFLAGS="-O2 -DBS_POLLER_POLL" SPEC=spec/poller_spec.lua
*/

#if !defined(BS_POLLER_POLL) && defined(__has_include)
#if __has_include(<sys/epoll.h>)
#include <sys/epoll.h>
#elif __has_include(<sys/event.h>)
#include <sys/event.h>
#endif
#endif

#if defined(EPOLL_CLOEXEC)

#define ENGINE "epoll"
#define EXTRA 0

static int engine_open (bs_poller *p) {
  p->fd = epoll_create1(EPOLL_CLOEXEC);
  return p->fd < 0 ? errno : 0;
}

/*
** The kernel goes on reporting a description whose descriptor was closed behind our back while a
** twin of it lives. So each event carries its place and the place's stamp, and an event with an
** older stamp is none of ours.
*/
static int control (bs_poller *p, int call, int i, int fd, int asked, uint64_t stamp) {
  struct epoll_event e;
  e.events = 0;
  if (asked & BS_READ)
    e.events |= EPOLLIN;
  if (asked & BS_WRITE)
    e.events |= EPOLLOUT;
  e.data.u64 = stamp << 32 | (uint64_t)i;
  return epoll_ctl(p->fd, call, fd, &e) == 0 ? 0 : errno;
}

static int engine_add (bs_poller *p, int i, int fd, int asked) {
  uint64_t stamp = (p->regs[i].stamp + 1) & 0xffffffffu;
  int err = control(p, EPOLL_CTL_ADD, i, fd, asked, stamp);
  if (err == 0)
    p->regs[i].stamp = stamp;
  return err;
}

static int engine_modify (bs_poller *p, int i, int asked) {
  return control(p, EPOLL_CTL_MOD, i, p->regs[i].fd, asked, p->regs[i].stamp);
}

static int engine_remove (bs_poller *p, int i) {
  return control(p, EPOLL_CTL_DEL, i, p->regs[i].fd, 0, 0);
}

/* What is reported and is none of ours cannot be taken out any more, and would be reported for ever: only
** a fresh set is rid of it. It takes the old one's number. */
static void renew (bs_poller *p) {
  int fresh = epoll_create1(EPOLL_CLOEXEC), number = p->fd;
  if (fresh < 0)
    return;
  p->fd = fresh;
  for (int i = 0; i < p->size; i++)
    if (p->regs[i].asked != 0)
      (void)control(p, EPOLL_CTL_ADD, i, p->regs[i].fd, p->regs[i].asked, p->regs[i].stamp);
  p->fd = dup3(fresh, number, O_CLOEXEC);
  close(fresh);
}

static int engine_wait (bs_poller *p, bs_time patience) {
  struct epoll_event events[EVENTS];
  int n = epoll_wait(p->fd, events, EVENTS, bs_millis(patience)), strange = 0;
  if (n < 0)
    return errno;
  for (int k = 0; k < n; k++) {
    int i = (int)(events[k].data.u64 & 0xffffffffu), ready = 0;
    if (p->regs[i].stamp != events[k].data.u64 >> 32 || p->regs[i].asked == 0) {
      strange = 1;
      continue;
    }
    if (events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      ready |= BS_READ;
    if (events[k].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
      ready |= BS_WRITE;
    markready(p, i, ready);
  }
  if (strange)
    renew(p);
  return 0;
}

#else

#include <sys/stat.h>

/* What epoll refuses, the others take for always ready: let it be the same everywhere. The stamp
** tells one file from another that has come to its descriptor. */
static int pollable (int fd, uint64_t *stamp) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  *stamp = (uint64_t)st.st_ino;
  return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? EPERM : 0;
}

#if defined(EVFILT_READ)

#define ENGINE "kqueue"
#define EXTRA 0

static int engine_open (bs_poller *p) {
  p->fd = kqueue(); /* no fork inherits it, so this is soon enough: */
  if (p->fd < 0)
    return errno;
  (void)fcntl(p->fd, F_SETFD, FD_CLOEXEC);
  return 0;
}

static int control (bs_poller *p, int fd, int event, unsigned short flags) {
  struct kevent e;
  EV_SET(&e, (uintptr_t)fd, event == BS_READ ? EVFILT_READ : EVFILT_WRITE, flags, 0, 0, 0);
  return kevent(p->fd, &e, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

/* Two filters, one change each: all of it is done or nothing. */
static int change (bs_poller *p, int fd, int old, int asked) {
  int done = 0;
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1) {
    if (!(asked & event) || (old & event))
      continue;
    int err = control(p, fd, event, EV_ADD);
    if (err != 0) {
      if (done != 0)
        (void)control(p, fd, done, EV_DELETE);
      return err;
    }
    done = event;
  }
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1)
    if ((old & event) && !(asked & event))
      (void)control(p, fd, event, EV_DELETE);
  return 0;
}

static int engine_add (bs_poller *p, int i, int fd, int asked) {
  uint64_t stamp;
  int err = pollable(fd, &stamp), old = p->regs[i].asked;
  if (err != 0)
    return err;
  /* what was closed has left the queue, and cannot be enabled */
  if (old != 0 && control(p, fd, old & BS_READ ? BS_READ : BS_WRITE, EV_ENABLE) == 0)
    return EEXIST;
  return change(p, fd, 0, asked);
}

static int engine_modify (bs_poller *p, int i, int asked) {
  int old = p->regs[i].asked;
  int err = control(p, p->regs[i].fd, old & BS_READ ? BS_READ : BS_WRITE, EV_ENABLE);
  return err != 0 ? err : change(p, p->regs[i].fd, old, asked);
}

static int engine_remove (bs_poller *p, int i) {
  int err = 0;
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1)
    if (p->regs[i].asked & event) {
      int e = control(p, p->regs[i].fd, event, EV_DELETE);
      err = err != 0 ? err : e;
    }
  return err;
}

static int engine_wait (bs_poller *p, bs_time patience) {
  struct kevent events[EVENTS];
  struct timespec ts;
  ts.tv_sec = (time_t)(patience / 1000000000);
  ts.tv_nsec = (long)(patience % 1000000000);
  int n = kevent(p->fd, NULL, 0, events, EVENTS, patience == BS_FOREVER ? NULL : &ts);
  if (n < 0)
    return errno;
  for (int k = 0; k < n; k++) {
    int i = find(p, (int)events[k].ident);
    if (i != NONE)
      markready(p, i, events[k].filter == EVFILT_READ ? BS_READ : BS_WRITE);
  }
  return 0;
}

#else /* slow with many, and nobody else can wait for such a poller: it has no descriptor */

#include <poll.h>

#define ENGINE "poll"
#define EXTRA sizeof(struct pollfd) /* of all ones for a free place: poll skips fd -1 */

static int engine_open (bs_poller *p) {
  p->fd = -1;
  return 0;
}

static void setfd (bs_poller *p, int i, int fd, int asked) {
  struct pollfd *e = &((struct pollfd *)p->extra)[i];
  e->fd = fd;
  e->events = (short)((asked & BS_READ ? POLLIN : 0) | (asked & BS_WRITE ? POLLOUT : 0));
  e->revents = 0;
}

static int engine_add (bs_poller *p, int i, int fd, int asked) {
  uint64_t stamp;
  int err = pollable(fd, &stamp);
  if (err == 0 && p->regs[i].asked != 0 && p->regs[i].stamp == stamp)
    err = EEXIST;
  if (err != 0)
    return err;
  p->regs[i].stamp = stamp;
  setfd(p, i, fd, asked);
  return 0;
}

static int engine_modify (bs_poller *p, int i, int asked) {
  uint64_t stamp;
  int err = pollable(p->regs[i].fd, &stamp);
  if (err != 0)
    return err;
  if (p->regs[i].stamp != stamp)
    return ENOENT;
  setfd(p, i, p->regs[i].fd, asked);
  return 0;
}

static int engine_remove (bs_poller *p, int i) {
  uint64_t stamp;
  int err = pollable(p->regs[i].fd, &stamp);
  setfd(p, i, -1, 0);
  return err != 0 ? err : p->regs[i].stamp != stamp ? ENOENT : 0;
}

static int engine_wait (bs_poller *p, bs_time patience) {
  struct pollfd *fds = (struct pollfd *)p->extra;
  int size = p->size;
  while (size > 0 && fds[size - 1].fd < 0) /* EINVAL for more than there may be descriptors */
    size--;
  int n = poll(fds, (nfds_t)size, bs_millis(patience));
  if (n < 0)
    return errno;
  for (int i = 0; n > 0; i++) {
    int ready = 0;
    if (fds[i].fd < 0 || fds[i].revents == 0)
      continue;
    n--;
    if (fds[i].revents & POLLNVAL) { /* closed behind our back: the others forget it, too */
      setfd(p, i, -1, 0);
      abandon(p, i);
      continue;
    }
    if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
      ready |= BS_READ;
    if (fds[i].revents & (POLLOUT | POLLHUP | POLLERR))
      ready |= BS_WRITE;
    markready(p, i, ready);
  }
  return 0;
}

#endif
#endif

/* ---- the object ---- */

static const char *const eventnames[] = {"", "r", "w", "rw"}; /* by BS_READ | BS_WRITE */

static bs_poller *checkpoller (lua_State *L, int arg) {
  void *p = bs_testobject(L, arg, BS_UP_POLLER);
  if (p == NULL)
    luaL_typeerror(L, arg, "poller");
  return (bs_poller *)p;
}

static int checkevents (lua_State *L, int arg) {
  size_t len;
  const char *events = luaL_checklstring(L, arg, &len);
  for (int e = BS_READ; e <= (BS_READ | BS_WRITE); e++)
    if (len == strlen(eventnames[e]) && memcmp(events, eventnames[e], len) == 0)
      return e;
  return luaL_argerror(L, arg, "events must be 'r', 'w' or 'rw'");
}

/* Sets a field to the value at the index. Cannot run out of memory: the table is as large as it has
** to be. The poller is at index 1, here and below. */
static void setfield (lua_State *L, lua_Integer field, int value) {
  value = lua_absindex(L, value);
  lua_getiuservalue(L, 1, TABLE);
  lua_pushvalue(L, value);
  lua_rawseti(L, -2, field);
  lua_pop(L, 1);
}

static void freeplace (lua_State *L, bs_poller *p, int i) {
  lua_pushnil(L);
  setfield(L, WHAT(i), -1);
  setfield(L, OBJECT(i), -1);
  lua_pop(L, 1);
  p->regs[i].after = p->free;
  p->free = i;
}

static void freedead (lua_State *L, bs_poller *p) {
  while (p->dead != NONE) {
    int i = p->dead;
    p->dead = p->regs[i].after;
    freeplace(L, p, i);
  }
}

/* Moves into the table and the array on top of the stack; nothing here can fail. */
static void move (lua_State *L, bs_poller *p, int size) {
  bs_reg *regs = (bs_reg *)lua_touserdata(L, -1), *old = p->regs;
  void *extra = regs + size, *oldextra = p->extra;
  int oldsize = p->size;
  lua_getiuservalue(L, 1, TABLE);
  for (lua_Integer field = 1; field <= 2 * (lua_Integer)oldsize; field++) {
    lua_rawgeti(L, -1, field);
    lua_rawseti(L, -4, field);
  }
  lua_pop(L, 1);
  memset(extra, 0xff, (size_t)size * EXTRA);
  if (oldsize > 0)
    memcpy(extra, oldextra, (size_t)oldsize * EXTRA);
  p->regs = regs;
  p->extra = extra;
  p->heads = (int *)(void *)((char *)extra + (size_t)size * EXTRA);
  p->size = size;
  for (int i = 0; i < size; i++)
    p->heads[i] = NONE;
  for (int i = size - 1; i >= oldsize; i--) {
    memset(&regs[i], 0, sizeof(bs_reg));
    regs[i].poller = p;
    regs[i].after = p->free;
    p->free = i;
  }
  for (int i = 0; i < oldsize; i++) {
    int *head;
    regs[i] = old[i];
    if (regs[i].asked == 0)
      continue;
    head = headof(p, regs[i].fd);
    regs[i].chain = *head;
    *head = i;
    if (regs[i].sock != NULL) {
      bs_reg **l = &regs[i].sock->regs;
      while (*l != &old[i])
        l = &(*l)->next;
      *l = &regs[i];
    }
  }
  lua_setiuservalue(L, 1, ARRAY);
  lua_setiuservalue(L, 1, TABLE);
}

/* Sees to it that a place is free. What is made here may start the collector, and a finalizer may do
** anything, with this poller too. */
static void reserve (lua_State *L, bs_poller *p) {
  freedead(L, p);
  while (p->open && p->free == NONE) {
    int oldsize = p->size, size = oldsize == 0 ? FEWEST : 2 * oldsize;
    if (size > MOST)
      bs_memory(L);
    lua_createtable(L, 2 * size, 0);
    (void)lua_newuserdatauv(L, (size_t)size * (sizeof(bs_reg) + EXTRA + sizeof(int)), 0);
    if (p->open && p->free == NONE && p->size == oldsize)
      move(L, p, size);
    else
      lua_pop(L, 2);
  }
}

/* socket.poller() */
static int poller_poller (lua_State *L) {
  bs_poller *p = (bs_poller *)lua_newuserdatauv(L, sizeof(bs_poller), 2);
  memset(p, 0, sizeof(*p));
  p->st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  p->fd = p->free = p->dead = p->first = p->last = NONE;
  lua_pushvalue(L, BS_UP_POLLER);
  lua_setmetatable(L, -2);
  int err = engine_open(p);
  if (err != 0 && bs_collect(L, err))
    err = engine_open(p);
  if (err != 0)
    return bs_fail(L, "poller", err);
  p->open = 1;
  return 1;
}

/* What close, <close> and the collector share. */
static void shut (lua_State *L, bs_poller *p) {
  int fd = p->fd;
  for (int i = 0; i < p->size; i++)
    if (p->regs[i].asked != 0)
      vacate(p, i);
  p->open = p->size = 0;
  p->fd = p->free = p->dead = NONE;
  p->regs = NULL;
  p->heads = NULL;
  p->extra = NULL;
  if (fd >= 0)
    (void)close(fd);
  for (int n = TABLE; n <= ARRAY; n++) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, n);
  }
}

static int poller_close (lua_State *L) {
  shut(L, checkpoller(L, 1));
  lua_pushboolean(L, 1);
  return 1;
}

static int poller_gc (lua_State *L) {
  shut(L, checkpoller(L, 1));
  return 0;
}

static int poller_fileno (lua_State *L) {
  const bs_poller *p = checkpoller(L, 1);
  if (p->fd < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, p->fd);
  return 1;
}

/* "poller (5, epoll, 12 added)" */
static int poller_tostring (lua_State *L) {
  const bs_poller *p = checkpoller(L, 1);
  if (!p->open)
    lua_pushliteral(L, "poller (closed)");
  else if (p->fd < 0)
    lua_pushfstring(L, "poller (%s, %d added)", ENGINE, p->count);
  else
    lua_pushfstring(L, "poller (%d, %s, %d added)", p->fd, ENGINE, p->count);
  return 1;
}

/* ---- who is in it ---- */

/* p:add(sock, events [, data]) */
static int poller_add (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  int asked = checkevents(L, 3);
  bs_socket *s;
  int fd;
  lua_settop(L, 4);
  do { /* both may run anybody's functions, so neither can trust that the other's answer stands */
    reserve(L, p);
    fd = bs_checkfd(L, 2, &s);
  } while (p->open && p->free == NONE);
  if (!p->open)
    return bs_fail(L, "add", EBADF);
  int known = find(p, fd), i = known != NONE ? known : p->free;
  int err = engine_add(p, i, fd, asked);
  if (err != 0)
    return bs_fail(L, "add", err);
  if (known != NONE)
    vacate(p, i); /* had been closed behind our back */
  else
    p->free = p->regs[i].after;
  settle(p, i, fd, s, asked);
  setfield(L, WHAT(i), lua_isnil(L, 4) ? 2 : 4);
  setfield(L, OBJECT(i), 2);
  lua_settop(L, 1);
  return 1;
}

/* Why there is no place for `fd`. */
static int absence (int fd) {
  return fcntl(fd, F_GETFD) < 0 ? EBADF : ENOENT;
}

/* The kernel may have forgotten what is in a place: then so do we. */
static int forgotten (lua_State *L, bs_poller *p, int i, const char *call, int err) {
  if (err == ENOENT || err == EBADF) {
    vacate(p, i);
    freeplace(L, p, i);
  }
  return bs_fail(L, call, err);
}

/* p:modify(sock, events [, data]): without data what was given with add stays */
static int poller_modify (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  int asked = checkevents(L, 3);
  bs_socket *s;
  int fd = bs_checkfd(L, 2, &s);
  lua_settop(L, 4);
  freedead(L, p);
  if (!p->open)
    return bs_fail(L, "modify", EBADF);
  int i = find(p, fd);
  if (i == NONE)
    return bs_fail(L, "modify", absence(fd));
  int err = engine_modify(p, i, asked);
  if (err != 0)
    return forgotten(L, p, i, "modify", err);
  bs_reg *r = &p->regs[i];
  r->asked = (unsigned char)asked;
  if (!(r->ready & asked))
    unready(p, i);
  else
    r->ready = (unsigned char)(r->ready & asked);
  if (!lua_isnil(L, 4))
    setfield(L, WHAT(i), 4);
  lua_settop(L, 1);
  return 1;
}

/* p:remove(sock) */
static int poller_remove (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  bs_socket *s;
  int fd = bs_checkfd(L, 2, &s);
  freedead(L, p);
  if (!p->open)
    return bs_fail(L, "remove", EBADF);
  int i = find(p, fd);
  if (i == NONE)
    return bs_fail(L, "remove", absence(fd));
  int err = engine_remove(p, i);
  vacate(p, i);
  freeplace(L, p, i);
  if (err != 0)
    return bs_fail(L, "remove", err);
  lua_settop(L, 1);
  return 1;
}

void bs_leavepollers (bs_socket *s) {
  while (s->regs != NULL) {
    bs_poller *p = s->regs->poller;
    int i = (int)(s->regs - p->regs);
    (void)engine_remove(p, i);
    abandon(p, i);
  }
}

/* ---- waiting ---- */

typedef struct wait_op {
  bs_op op;
  bs_poller *p;
} wait_op;

/* A socket with bytes that wait in the library is readable. */
static void markpending (void *ud, bs_socket *s) {
  bs_poller *p = (bs_poller *)ud;
  for (const bs_reg *r = s->regs; r != NULL; r = r->next)
    if (r->poller == p)
      markready(p, (int)(r - p->regs), BS_READ);
}

static int wait_step (bs_op *op, bs_time patience) {
  bs_poller *p = ((wait_op *)op)->p;
  if (!p->open) { /* perhaps since the last step */
    op->error = EBADF;
    return BS_DONE;
  }
  while (p->first != NONE) /* an earlier wait's: whoever is still ready will be found again */
    unready(p, p->first);
  bs_eachpending(op->st, markpending, p);
  op->error = engine_wait(p, p->first == NONE ? patience : BS_NEVER);
  if (op->error == EINTR)
    op->error = 0;
  return op->error != 0 || p->first != NONE ? BS_DONE : BS_AGAIN;
}

/* The iterator needs no closure for each loop: one serves all. */
static int wait_finish (lua_State *L, bs_op *op) {
  if (op->error != 0 && op->error != EAGAIN && op->error != BS_ETIMEOUT)
    return bs_failop(L, op, NULL);
  lua_getfield(L, BS_UP_POLLER, "next");
  lua_pushvalue(L, 1);
  return 2;
}

static const bs_kind wait_kind = BS_KIND("wait", wait_op, BS_TIMED, wait_step, wait_finish);

/* p:wait([timeout]) */
static int poller_wait (lua_State *L) {
  wait_op o;
  o.p = checkpoller(L, 1);
  bs_initop(&o.op, &wait_kind, o.p->st, NULL);
  o.op.timeout = bs_checktimeout(L, 2);
  freedead(L, o.p);
  return bs_run(L, &o.op);
}

static int poller_next (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  int i = p->first;
  if (i == NONE) {
    lua_pushnil(L);
    return 1;
  }
  int ready = p->regs[i].ready;
  unready(p, i);
  lua_getiuservalue(L, 1, TABLE);
  lua_rawgeti(L, -1, WHAT(i));
  lua_pushstring(L, eventnames[ready]);
  return 2;
}

/* ---- registration ---- */

static const luaL_Reg functions[] = {
  {"poller", poller_poller},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"add", poller_add},
  {"close", poller_close},
  {"fileno", poller_fileno},
  {"modify", poller_modify},
  {"remove", poller_remove},
  {"wait", poller_wait},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", poller_gc}, {"__gc", poller_gc}, {"__tostring", poller_tostring},
  {"next", poller_next}, /* for wait_finish: no method */
  {NULL, NULL},
};

void bs_openpoller (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, BS_AT_POLLER, "__index");
  bs_setfuncs(L, BS_AT_POLLER, metamethods);
}
