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
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "bsdsocket.h"

struct bs_reg {
  bs_poller *poller;
  bs_socket *sock;  /* NULL: a poller, an integer or another library's object */
  bs_poller *inner; /* NULL: no poller */
  bs_reg *next;     /* the place of the same socket or poller in another poller */
  int fd;
  int chain;           /* the next place with the same hash */
  int before, after;   /* in the list of ready ones; `after` in those of free and dead ones */
  unsigned char asked; /* BS_READ | BS_WRITE; 0: the place is not taken */
  unsigned char ready; /* 0: not on the list of ready ones */
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
  bs_reg *outer;   /* its places in other pollers */
  unsigned walk;   /* the last walk that came by (eachplace), */
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
static void settle (bs_poller *p, int i, int fd, bs_socket *s, bs_poller *inner, int asked) {
  bs_reg *r = &p->regs[i];
  int *head = headof(p, fd);
  r->fd = fd;
  r->sock = s;
  r->inner = inner;
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
  p->free = p->dead = p->first = p->last = NONE;
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

void bs_leavepollers (bs_socket *s) {
  leaveall(&s->regs);
}

/* What close, <close> and the collector share. */
static void shut (lua_State *L, bs_poller *p) {
  if (p->open && p->waited)
    bs_wake(L, p->st, 1);
  leaveall(&p->outer);
  if (p->open && p->st->loop != NULL)
    bs_leaveloop(p->st, p->engine.fd);
  for (int i = 0; i < p->size; i++)
    if (p->regs[i].asked != 0)
      vacate(p, i);
  p->open = p->size = 0;
  p->free = p->dead = NONE;
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
  int err = bs_engineadd(&p->engine, i, fd, asked);
  if (err != 0)
    return bs_fail(L, "add", err);
  if (known != NONE)
    vacate(p, i); /* had been closed behind our back */
  else
    p->free = p->regs[i].after;
  settle(p, i, fd, s, (bs_poller *)bs_testobject(L, 2, BS_UP_POLLER), asked);
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
  int err = bs_engineremove(&p->engine, i, fd);
  vacate(p, i);
  freeplace(L, p, i);
  if (err != 0)
    return bs_fail(L, "remove", err);
  lua_settop(L, 1);
  return 1;
}

int bs_markpoller (lua_State *L, int arg) {
  bs_poller *p = (bs_poller *)bs_testobject(L, arg, BS_UP_POLLER);
  if (p == NULL)
    return 0;
  p->waited = 1;
  return 1;
}

/* ---- waiting ---- */

typedef struct wait_op {
  bs_op op;
  bs_poller *p;
} wait_op;

/* Pollers that a walk has yet to come by. */
typedef struct walk {
  bs_poller *first, **last;
  unsigned number;
} walk;

static void come (walk *w, bs_poller *p) {
  if (p->walk == w->number)
    return;
  p->walk = w->number;
  p->then = NULL;
  *w->last = p;
  w->last = &p->then;
}

/* What is in these places is readable: calls for each of them that asks for that, and for each of the pollers' own that
** are so. Each poller is passed once, however they are in each other. Nothing called here may change a poller. */
static void eachplace (bs_state *st, bs_reg *list, void (*call)(void *ud, bs_reg *r), void *ud) {
  walk w = {NULL, &w.first, ++st->walks};
  const bs_poller *p = NULL;
  do {
    for (bs_reg *r = list; r != NULL; r = r->next) {
      if (r->asked & BS_READ) {
        call(ud, r);
        come(&w, r->poller);
      }
    }
    p = p == NULL ? w.first : p->then;
    list = p != NULL ? p->outer : NULL;
  } while (p != NULL);
}

static void markplace (void *ud, bs_reg *r) {
  bs_poller *p = (bs_poller *)ud;
  if (r->poller == p)
    markready(p, (int)(r - p->regs), BS_READ);
}

/* A socket with bytes that wait in the library is readable, and so is a poller that it is in. */
static void markpending (void *ud, bs_socket *s) {
  if (s->regs != NULL)
    eachplace(s->st, s->regs, markplace, ud);
}

typedef struct waker {
  void (*call)(void *ud, int fd);
  void *ud;
} waker;

static void wakeplace (void *ud, bs_reg *r) {
  const waker *w = (const waker *)ud;
  if (r->poller->engine.fd >= 0)
    w->call(w->ud, r->poller->engine.fd);
}

void bs_wakepollers (const bs_socket *s, void (*call)(void *ud, int fd), void *ud) {
  waker w = {call, ud};
  if (s->regs != NULL)
    eachplace(s->st, s->regs, wakeplace, &w);
}

static void told (void *ud, int i, int what) {
  if (what == BS_LOST)
    abandon((bs_poller *)ud, i);
  else
    markready((bs_poller *)ud, i, what);
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
  op->error = bs_enginewait(&p->engine, p->first == NONE ? patience : BS_NEVER, told, NULL, p);
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
  o.op.fd = o.p->engine.fd;
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
