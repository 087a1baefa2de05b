/*
** poller.c: socket.poller(), the readiness of many. What the system has for that is in engine.c. A few
** are asked about at once in select.c; the clock and the signals that p:wait meets are in wait.c, which
** drives the operation below.
**
** What is registered has a *place*, a bs_reg in an array of the poller, found by its descriptor
** through a small hash. The array is a userdata, and beside it is a table with two fields for each
** place: what p:wait gives for it, and the object, kept alive. p:wait puts the ready places on a
** list; the loop takes them off. Whoever leaves the poller leaves that list, so that nothing removed
** is reported any more.
**
** A socket knows its places, too (s->regs), so that closing it can empty them; and so does a poller that is in
** other pollers (its `outer`). That happens with no Lua state at hand, so such a place is *dead* until
** the poller's next method clears its two fields. Poller and sockets may be finalized in any order: each unties itself
** from the other.
**
** What may hold bytes of which its descriptor does not tell (held.c) has to be asked before each wait: such places
** are a circle, so that those asked may change it in any way meanwhile.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/engine.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "call/source.h"
#include "object/chunk.h"
#include "op/run.h"

struct bs_reg {
  bs_poller *poller;
  bs_socket *sock;  /* NULL: a poller, an integer or another library's object */
  bs_poller *inner; /* NULL: no poller */
  bs_reg *next;     /* the place of the same socket or poller in another poller */
  int fd;
  int chain;           /* the next place with the same hash */
  int before, after;   /* in the list of ready ones; `after` in those of free and dead ones */
  int later, sooner;   /* in the circle of those to ask, if `asks` */
  unsigned char asked; /* BS_READ | BS_WRITE | BS_HANGUP; 0: the place is not taken */
  unsigned char ready; /* 0: not on the list of ready ones */
  unsigned char asks;
  unsigned char held; /* it had bytes when it was asked */
};

struct bs_poller {
  bs_state *st;
  bs_engine engine;
  bs_reg *regs;
  int *heads; /* hash of the places by descriptor, as many as places */
  int open;
  int waited; /* another scheduler has waited for it */
  int size;   /* places there are: 0 or a power of two */
  int count;  /* places taken */
  int free, dead;
  int first, last; /* the ready ones */
  int circle;      /* whom to ask next */
  int asking;      /* so many are to be asked */
  bs_reg *outer;   /* its places in other pollers */
  uint64_t walk;   /* the last walk that came by (eachplace), */
  bs_poller *then; /* and where that goes on */
};

#define NONE (-1)
#define FEWEST 16
#define MOST (INT_MAX / 128) /* places: so that no size below overflows anywhere */

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

/* This place is ready, for more than was asked perhaps. */
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

/* Who joins the circle is asked last. */
static void join (bs_poller *p, int i, int held) {
  bs_reg *regs = p->regs;
  if (p->asking++ == 0)
    p->circle = regs[i].later = regs[i].sooner = i;
  regs[i].later = p->circle;
  regs[i].sooner = regs[p->circle].sooner;
  regs[regs[i].sooner].later = regs[p->circle].sooner = i;
  regs[i].asks = 1;
  regs[i].held = (unsigned char)held;
}

static void leave (bs_poller *p, int i) {
  bs_reg *r = &p->regs[i];
  if (!r->asks)
    return;
  p->regs[r->sooner].later = r->later;
  p->regs[r->later].sooner = r->sooner;
  p->asking--;
  p->circle = p->asking == 0 ? NONE : p->circle == i ? r->later : p->circle;
  r->asks = r->held = 0;
}

/* Where the list of places begins that what is in this one has; NULL: it has no list. */
static bs_reg **listof (const bs_reg *r) {
  return r->sock != NULL ? &r->sock->regs : r->inner != NULL ? &r->inner->outer : NULL;
}

/* Where that list points to `r`. */
static bs_reg **linkto (const bs_reg *r) {
  bs_reg **l = listof(r);
  while (l != NULL && *l != r)
    l = &(*l)->next;
  return l;
}

/* Takes a place that is on no list. */
static void settle (bs_poller *p, int i, int fd, const bs_source *from, int asked) {
  bs_reg *r = &p->regs[i];
  int *head = headof(p, fd);
  r->fd = fd;
  r->sock = from->sock;
  r->inner = from->poller;
  r->asked = (unsigned char)asked;
  r->chain = *head;
  *head = i;
  bs_reg **list = listof(r);
  if (list != NULL) {
    r->next = *list;
    *list = r;
  }
  p->count++;
}

/* Leaves the place; it is on no list then. The kernel has been told, or knows better. */
static void vacate (bs_poller *p, int i) {
  bs_reg *r = &p->regs[i];
  int *link = headof(p, r->fd);
  unready(p, i);
  leave(p, i);
  while (*link != i)
    link = &p->regs[*link].chain;
  *link = r->chain;
  bs_reg **l = linkto(r);
  if (l != NULL)
    *l = r->next;
  r->sock = NULL;
  r->inner = NULL;
  r->asked = 0;
  p->count--;
}

/* The same where there is no Lua state to clear its fields. */
static void abandon (bs_poller *p, int i) {
  vacate(p, i);
  p->regs[i].after = p->dead;
  p->dead = i;
}

/* ---- the object ---- */

static const char *const eventnames[] = {"", "r", "w", "rw", "h", "rh", "wh", "rwh"};

static const char *nameof (int events) {
  return eventnames[(events & (BS_READ | BS_WRITE)) | (events & BS_HANGUP ? 4 : 0)];
}

bs_poller *bs_testpoller (lua_State *L, int arg) {
  return (bs_poller *)bs_testobject(L, arg, BS_UP_POLLER);
}

static bs_poller *checkpoller (lua_State *L, int arg) {
  bs_poller *p = bs_testpoller(L, arg);
  if (p == NULL)
    luaL_typeerror(L, arg, "poller");
  return p;
}

/* Closed, or of the process that this one was forked from: there is a failure to return. */
static int refuses (const bs_poller *p) {
  return !p->open || bs_engineforked(&p->engine);
}

static int refusal (lua_State *L, const bs_poller *p, const char *call) {
  if (!p->open)
    return bs_fail(L, call, EBADF);
  return bs_failtext(L, call, "(the poller is from before a fork)", EBADF);
}

static int checkevents (lua_State *L, int arg) {
  size_t len;
  const char *events = luaL_checklstring(L, arg, &len);
  for (int e = 1; e < 8; e++)
    if (len == strlen(eventnames[e]) && memcmp(events, eventnames[e], len) == 0)
      return (e & (BS_READ | BS_WRITE)) | (e & 4 ? BS_HANGUP : 0);
  return luaL_argerror(L, arg, "events must be 'r', 'w', 'rw', 'h', 'rh', 'wh' or 'rwh'");
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
  int oldsize = p->size;
  lua_getiuservalue(L, 1, TABLE);
  for (lua_Integer field = 1; field <= 2 * (lua_Integer)oldsize; field++) {
    lua_rawgeti(L, -1, field);
    lua_rawseti(L, -4, field);
  }
  lua_pop(L, 1);
  p->regs = regs;
  p->heads = (int *)(void *)(regs + size);
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
    bs_reg **l = linkto(&old[i]);
    if (l != NULL)
      *l = &regs[i];
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
    (void)lua_newuserdatauv(L, (size_t)size * (sizeof(bs_reg) + sizeof(int)), 0);
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
  p->free = p->dead = p->first = p->last = p->circle = NONE;
  lua_pushvalue(L, BS_UP_POLLER);
  lua_setmetatable(L, -2);
  int err = bs_engineopen(&p->engine, p->st);
  if (err != 0 && bs_collect(L, err))
    err = bs_engineopen(&p->engine, p->st);
  if (err != 0)
    return bs_fail(L, "poller", err);
  p->open = 1;
  return 1;
}

/* Out of every poller that it is in, before its descriptor is closed or given up. */
static void leaveall (bs_reg **list) {
  while (*list != NULL) {
    bs_poller *p = (*list)->poller;
    int i = (int)(*list - p->regs);
    (void)bs_engineremove(&p->engine, i, p->regs[i].fd);
    abandon(p, i);
  }
}

static void gone (bs_state *st, bs_socket *s, int fd) {
  (void)st, (void)fd;
  if (s != NULL)
    leaveall(&s->regs);
}

/* What close, <close> and the collector share. */
static void shut (lua_State *L, bs_poller *p) {
  if (p->open && p->waited)
    bs_tellgoing(L, p->st, 1, p->engine.fd);
  leaveall(&p->outer);
  if (p->open && p->st->loop != NULL)
    bs_tellgone(p->st, NULL, p->engine.fd);
  for (int i = 0; i < p->size; i++)
    if (p->regs[i].asked != 0)
      vacate(p, i);
  p->open = p->size = 0;
  p->free = p->dead = p->circle = NONE;
  p->regs = NULL;
  p->heads = NULL;
  bs_engineclose(&p->engine);
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
  if (p->engine.fd < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, p->engine.fd);
  return 1;
}

/* "poller (5, epoll, 12 added)" */
static int poller_tostring (lua_State *L) {
  const bs_poller *p = checkpoller(L, 1);
  if (!p->open)
    lua_pushliteral(L, "poller (closed)");
  else if (p->engine.fd < 0)
    lua_pushfstring(L, "poller (%s, %d added)", bs_enginename, p->count);
  else
    lua_pushfstring(L, "poller (%d, %s, %d added)", p->engine.fd, bs_enginename, p->count);
  return 1;
}

/* ---- what is readable though its descriptor does not say so ---- */

/* A walk comes by each place that is readable with what is in it, and so by those of the pollers that these are in; by
** each poller once, however they are in each other. Nothing that it calls may change a poller. */
typedef struct walk {
  void (*call)(void *ud, bs_reg *r);
  void *ud;
  bs_poller *first, **last; /* to be come by */
  uint64_t number;
} walk;

static void beginwalk (walk *w, bs_state *st, void (*call)(void *ud, bs_reg *r), void *ud) {
  w->call = call;
  w->ud = ud;
  w->first = NULL;
  w->last = &w->first;
  w->number = ++st->walks;
}

static void come (walk *w, bs_reg *r) {
  bs_poller *p = r->poller;
  if (!(r->asked & BS_READ))
    return;
  w->call(w->ud, r);
  if (p->walk == w->number)
    return;
  p->walk = w->number;
  p->then = NULL;
  *w->last = p;
  w->last = &p->then;
}

static void comebyall (walk *w, bs_reg *list) {
  for (bs_reg *r = list; r != NULL; r = r->next)
    come(w, r);
}

static void endwalk (walk *w) {
  for (const bs_poller *p = w->first; p != NULL; p = p->then)
    comebyall(w, p->outer);
}

static void comebysocket (void *ud, bs_socket *s) {
  if (bs_readable(s))
    comebyall((walk *)ud, s->regs);
}

/* From all sockets with bytes that wait in the library. */
static void walkpending (bs_state *st, void (*call)(void *ud, bs_reg *r), void *ud) {
  walk w;
  beginwalk(&w, st, call, ud);
  bs_eachpending(st, comebysocket, &w);
  endwalk(&w);
}

static void markplace (void *ud, bs_reg *r) {
  bs_poller *p = (bs_poller *)ud;
  if (r->poller == p)
    markready(p, (int)(r - p->regs), BS_READ);
}

typedef struct seeker {
  const bs_poller *p;
  int found;
} seeker;

static void seek (void *ud, bs_reg *r) {
  seeker *k = (seeker *)ud;
  k->found |= r->poller == k->p;
}

int bs_pollerholds (bs_poller *p) {
  seeker k = {p, 0};
  for (int n = p->asking, i = p->circle; n > 0; n--, i = p->regs[i].later)
    if (p->regs[i].held && (p->regs[i].asked & BS_READ))
      return 1;
  walkpending(p->st, seek, &k);
  return k.found;
}

/* For the pollers that a socket is in, bytes of it have come. */
static void lookplace (void *ud, bs_reg *r) {
  (void)ud;
  if (r->poller->engine.fd >= 0)
    bs_telllook(r->poller->st, r->poller->engine.fd);
}

static void came (bs_socket *s) {
  walk w;
  if (s->regs == NULL)
    return;
  beginwalk(&w, s->st, lookplace, NULL);
  comebyall(&w, s->regs);
  endwalk(&w);
}

/* Where the walk comes by, its poller's descriptor is pushed. */
static void pushplace (void *ud, bs_reg *r) {
  lua_State *L = (lua_State *)ud;
  if (r->poller->engine.fd >= 0 && lua_checkstack(L, 8))
    lua_pushinteger(L, r->poller->engine.fd);
}

/* The same for another scheduler, whose functions may run anything: the pollers are found before. */
static void tellpollers (lua_State *L, bs_state *st, bs_reg *list) {
  walk w;
  int top = lua_gettop(L);
  beginwalk(&w, st, pushplace, L);
  comebyall(&w, list);
  endwalk(&w);
  bs_telllookup(L, st, lua_gettop(L) - top);
  lua_settop(L, top);
}

static void left (lua_State *L, bs_socket *s, int arg) {
  (void)arg;
  if (s->regs != NULL)
    tellpollers(L, s->st, s->regs);
}

static void lookat (void *ud, bs_reg *r) {
  if (*(const unsigned char *)ud &&
      r->asks) /* another library's, whom nobody asks before the next wait */
    r->held = 1;
  if (r->poller->engine.fd >= 0)
    bs_telllook(r->poller->st, r->poller->engine.fd);
}

/* If bytes are at hand in this place, nobody who waits for the poller has heard of it. */
static void lookagain (lua_State *L, bs_poller *p, int i, const bs_source *from) {
  bs_state *st = p->st;
  if ((st->loop == NULL && !st->waiter) || !(p->regs[i].asked & BS_READ) || !bs_holds(from))
    return;
  walk w;
  unsigned char held = from->held;
  beginwalk(&w, st, lookat, &held);
  come(&w, &p->regs[i]);
  endwalk(&w);
  bs_reg only = p->regs[i];
  only.next = NULL;
  if (st->waiter)
    tellpollers(L, st, &only);
}

/* ---- who is in it ---- */

/* p:add(sock, events [, data]) */
static int poller_add (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  int asked = checkevents(L, 3), fd, asks;
  bs_source from;
  lua_settop(L, 4);
  do { /* each may run anybody's functions, so none can trust that another's answer stands */
    reserve(L, p);
    bs_asksource(L, 2, asked & BS_READ, &from);
    asks = from.poller != NULL || (from.sock == NULL && bs_mayhold(L, 2));
    fd = bs_checkfd(L, 2, &from.sock);
  } while (p->open && p->free == NONE);
  if (refuses(p))
    return refusal(L, p, "add");
  int known = find(p, fd), i = known != NONE ? known : p->free;
  int err = bs_engineadd(&p->engine, i, fd, asked);
  if (err != 0)
    return bs_fail(L, "add", err);
  if (known != NONE)
    vacate(p, i); /* had been closed behind our back */
  else
    p->free = p->regs[i].after;
  settle(p, i, fd, &from, asked);
  if (asks)
    join(p, i, from.held);
  setfield(L, WHAT(i), lua_isnil(L, 4) ? 2 : 4);
  setfield(L, OBJECT(i), 2);
  lookagain(L, p, i, &from);
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
  bs_source from;
  lua_settop(L, 4);
  bs_asksource(L, 2, asked & BS_READ, &from);
  int fd = bs_checkfd(L, 2, &from.sock);
  freedead(L, p);
  if (refuses(p))
    return refusal(L, p, "modify");
  int i = find(p, fd);
  if (i == NONE)
    return bs_fail(L, "modify", absence(fd));
  int err = bs_enginemodify(&p->engine, i, fd, asked);
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
  if (r->asks)
    r->held = from.held;
  lookagain(L, p, i, &from);
  lua_settop(L, 1);
  return 1;
}

/* p:remove(sock) */
static int poller_remove (lua_State *L) {
  bs_poller *p = checkpoller(L, 1);
  bs_socket *s;
  int fd = bs_checkfd(L, 2, &s);
  freedead(L, p);
  if (refuses(p))
    return refusal(L, p, "remove");
  int i = find(p, fd);
  if (i == NONE)
    return bs_fail(L, "remove", absence(fd));
  int err = bs_engineremove(&p->engine, i, fd);
  vacate(p, i);
  freeplace(L, p, i);
  if (err != 0)
    return bs_fail(L, "remove", err);
  lua_settop(L, 1);
  return 1;
}

/* ---- asking others' objects ---- */

#define DEEPEST 16 /* pollers in each other: no kernel takes so many */

static int askall(lua_State *L, int idx, uint64_t number, int depth);

/* Asks the object in place i of the poller at idx. It may do anything with the poller. */
static int askplace (lua_State *L, int idx, int i, uint64_t number, int depth) {
  bs_poller *p = (bs_poller *)lua_touserdata(L, idx);
  lua_getiuservalue(L, idx, TABLE);
  lua_rawgeti(L, -1, OBJECT(i));
  lua_replace(L, -2);
  int top = lua_gettop(L);
  int held = p->regs[i].inner != NULL ? askall(L, top, number, depth + 1) : bs_askheld(L, top);
  if (i < p->size &&
      p->regs[i].asks) /* if it is another now, that one is asked before it matters */
    p->regs[i].held = (unsigned char)held;
  lua_settop(L, top - 1);
  return held;
}

/* Asks those that are to be asked in the poller at idx, and in those inside it: has one of them bytes? */
static int askall (lua_State *L, int idx, uint64_t number, int depth) {
  bs_poller *p = (bs_poller *)lua_touserdata(L, idx);
  int held = 0, n = p->asking;
  if (depth > DEEPEST || (depth > 0 && p->walk == number))
    return 0;
  p->walk = number;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  for (; n > 0 && p->asking > 0; n--) {
    int i = p->circle;
    p->circle = p->regs[i].later;
    if (p->regs[i].asked & BS_READ)
      held |= askplace(L, idx, i, depth > 0 ? number : ++p->st->walks, depth);
  }
  return held;
}

int bs_askpoller (lua_State *L, int idx) {
  bs_poller *p = (bs_poller *)lua_touserdata(L, idx);
  return p->asking > 0 ? askall(L, lua_absindex(L, idx), 0, 0) : 0;
}

void bs_markpoller (bs_poller *p) {
  p->waited = 1;
}

int bs_pollerfd (const bs_poller *p) {
  return p->engine.fd;
}

/* ---- waiting ---- */

typedef struct wait_op {
  bs_op op;
  bs_poller *p;
} wait_op;

static void told (void *ud, int i, int what) {
  if (what == BS_LOST)
    abandon((bs_poller *)ud, i);
  else
    markready((bs_poller *)ud, i, what);
}

static int wait_step (bs_op *op, bs_time patience) {
  bs_poller *p = ((wait_op *)op)->p;
  if (refuses(p)) { /* perhaps since the last step */
    op->error = EBADF;
    return BS_DONE;
  }
  while (p->first != NONE) /* an earlier wait's: whoever is still ready will be found again */
    unready(p, p->first);
  walkpending(op->st, markplace, p);
  for (int n = p->asking, i = p->circle; n > 0; n--, i = p->regs[i].later)
    if (p->regs[i].held)
      markready(p, i, BS_READ);
  op->error = bs_enginewait(&p->engine, p->first == NONE ? patience : BS_NEVER, told, NULL, p);
  if (op->error == EINTR)
    op->error = 0;
  return op->error != 0 || p->first != NONE ? BS_DONE : BS_AGAIN;
}

/* The iterator needs no closure for each loop: one serves all. */
static int wait_finish (lua_State *L, bs_op *op) {
  const bs_poller *p = ((wait_op *)op)->p;
  if (op->error == EBADF && refuses(p))
    return refusal(L, p, "wait");
  if (op->error != 0 && op->error != EAGAIN && op->error != BS_ETIMEOUT)
    return bs_failop(L, op, NULL);
  lua_getfield(L, BS_UP_POLLER, "next");
  lua_pushvalue(L, 1);
  return 2;
}

static int wait_watched (bs_op *op) {
  bs_markpoller(((wait_op *)op)->p);
  return 1;
}

static const bs_kind wait_kind = {BS_CALL("wait", wait_op), .traits = BS_TIMED, .step = wait_step,
                                  .finish = wait_finish, .watched = wait_watched};

/* p:wait([timeout]) */
static int poller_wait (lua_State *L) {
  wait_op o;
  o.p = checkpoller(L, 1);
  bs_initop(&o.op, &wait_kind, o.p->st, NULL);
  o.op.timeout = bs_checktimeout(L, 2);
  freedead(L, o.p);
  (void)bs_askpoller(L, 1);
  o.op.fd = o.p->engine.fd;
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
  lua_pushstring(L, nameof(ready));
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

static const bs_hearer hearer = {.gone = gone, .came = came, .left = left};

void bs_openpoller (lua_State *L) {
  bs_hear((bs_state *)lua_touserdata(L, BS_AT_STATE), &hearer);
  bs_setfuncs(L, BS_AT_MODULE, functions);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, BS_AT_POLLER, "__index");
  bs_setfuncs(L, BS_AT_POLLER, metamethods);
}
