/*
** lend.c: what was sent with MSG_ZEROCOPY. The kernel goes on reading that memory after the call has returned, so
** nothing else may be put there: strings are kept from the collector, buffers from being written to.
**
** A call that sends so makes a *loan*, which has what it gave. The loans of a socket are kept by its *lender*, and that by
** the state, under the socket's address. Each system call is a *part* of a loan. The kernel has done with it when the
** program has read its notice in the error queue, or when the kernel says that nothing is left to be sent, or of TCP that
** the peer has acknowledged so many bytes. The error queue is left to the program: nothing is read there for all this.
*/
#include "base/prefix.h"

#include <string.h>
#include <sys/ioctl.h>

#include "base/netheaders.h"
#include "object/buffer.h"
#include "object/control.h"
#include "object/lend.h"
#include "object/socket.h"

#if defined(SO_ZEROCOPY)
#include <linux/sockios.h>

typedef struct Part {
  struct Part *next; /* a later one */
  bs_loan *loan;
  uint64_t end;   /* of TCP: so many bytes were acknowledged when the peer has it all */
  uint32_t first; /* the kernel's number of it, */
  uint32_t count; /* as it counts messages, */
  uint32_t left;  /* and so many that it has not done with */
} Part;

struct bs_lender {
  struct bs_lender *next, **link; /* in the list of the state's */
  const bs_socket *sock;
  Part *first, **last; /* in the order in which they were sent */
  Part *spare;         /* for the next one */
  bs_loan *ended;      /* those that are no longer needed here */
  lua_Integer places;  /* so many there have been in the table */
  uint32_t number;     /* the kernel's, of the next part */
};

typedef struct bs_lender Lender;

struct bs_loan {
  Lender *lender; /* NULL: the socket is closed */
  bs_loan *next;  /* of those that have ended */
  size_t open;    /* parts; the call itself counts as one */
  lua_Integer place;
  size_t nbuffers;
  bs_buffer *buffers[];
};

#define LOANS 1 /* user value of a lender: the table of its loans, by place */
#define GIVEN 1 /* user value of a loan */

/* ==== buffers ==== */

static void pin (bs_state *st, bs_buffer *b) {
  if (b->lent++ > 0)
    return;
  b->next = st->lent;
  b->link = &st->lent;
  if (b->next != NULL)
    b->next->link = &b->next;
  st->lent = b;
}

static void unpin (bs_buffer *b) {
  bs_assert(b->lent > 0);
  if (--b->lent > 0)
    return;
  *b->link = b->next;
  if (b->next != NULL)
    b->next->link = b->link;
}

/* ==== loans that end ==== */

/* One part less. Its place in the table is left when Lua is at hand. */
static void closepart (bs_loan *loan) {
  Lender *l = loan->lender;
  bs_assert(loan->open > 0);
  if (--loan->open > 0)
    return;
  for (size_t i = 0; i < loan->nbuffers; i++)
    unpin(loan->buffers[i]);
  loan->nbuffers = 0;
  if (l != NULL) {
    loan->next = l->ended;
    l->ended = loan;
  }
}

static void freepart (const Lender *l, Part *p) {
  const bs_state *st = l->sock->st;
  if (p != NULL)
    st->alloc(st->allocdata, p, sizeof(Part), 0);
}

static void endpart (Lender *l, Part **at) {
  Part *p = *at;
  *at = p->next;
  if (*at == NULL)
    l->last = at;
  closepart(p->loan);
  freepart(l, p);
}

static int istcp (const bs_socket *s) {
  return s->type == SOCK_STREAM && (s->family == AF_INET || s->family == AF_INET6) &&
         (s->protocol == 0 || s->protocol == IPPROTO_TCP);
}

/* So many bytes the peer has acknowledged; false where nobody tells. */
static int acknowledged (const bs_socket *s, uint64_t *bytes) {
  char info[128]; /* the C library's struct tcp_info may end before that field */
  socklen_t len = sizeof(info);
  if (!istcp(s) || getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, info, &len) != 0 || len < sizeof(info))
    return 0;
  memcpy(bytes, info + 120, sizeof(*bytes)); /* tcpi_bytes_acked */
  return 1;
}

/* So many bytes are not sent, or not acknowledged; -1: nobody tells. */
static int unsent (const bs_socket *s) {
  int n;
  return ioctl(s->fd, SIOCOUTQ, &n) == 0 ? n : -1;
}

/* Ends what the kernel has done with. */
static void settle (Lender *l) {
  uint64_t bytes;
  if (l->first == NULL)
    return;
  if (unsent(l->sock) == 0) {
    while (l->first != NULL)
      endpart(l, &l->first);
  }
  else if (acknowledged(l->sock, &bytes)) {
    while (l->first != NULL && l->first->end <= bytes)
      endpart(l, &l->first);
  }
}

/* Those of the lender at idx that have ended leave its table. */
static void sweep (lua_State *L, int idx) {
  Lender *l = (Lender *)lua_touserdata(L, idx);
  if (l->ended == NULL)
    return;
  lua_getiuservalue(L, idx, LOANS);
  for (bs_loan *loan = l->ended; loan != NULL; loan = l->ended) {
    l->ended = loan->next;
    lua_pushnil(L);
    lua_rawseti(L, -2, loan->place);
  }
  lua_pop(L, 1);
}

/* Pushes the lender of the socket; NULL, and nothing pushed: it has none. */
static Lender *pushlender (lua_State *L, const bs_socket *s) {
  if (lua_getiuservalue(L, BS_UP_STATE, BS_STATE_LENDERS) != LUA_TTABLE ||
      lua_rawgetp(L, -1, s) != LUA_TUSERDATA) {
    lua_pop(L, lua_istable(L, -1) ? 1 : 2);
    return NULL;
  }
  lua_remove(L, -2);
  return (Lender *)lua_touserdata(L, -1);
}

/* ==== loans that begin ==== */

/* Pushes it, made if there is none yet. */
static Lender *needlender (lua_State *L, bs_socket *s) {
  Lender *l = pushlender(L, s);
  if (l != NULL)
    return l;
  if (lua_getiuservalue(L, BS_UP_STATE, BS_STATE_LENDERS) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_LENDERS);
  }
  l = (Lender *)lua_newuserdatauv(L, sizeof(Lender), 1);
  memset(l, 0, sizeof(*l));
  l->sock = s;
  l->last = &l->first;
  lua_newtable(L);
  lua_setiuservalue(L, -2, LOANS);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, s);
  l->next = s->st->lenders;
  l->link = &s->st->lenders;
  if (l->next != NULL)
    l->next->link = &l->next;
  s->st->lenders = l;
  lua_remove(L, -2);
  return l;
}

static int loan_close (lua_State *L) {
  closepart((bs_loan *)lua_touserdata(L, 1));
  return 0;
}

/* The buffers in what is given at idx, a string, a buffer or an array of such: pinned if there is a loan. */
static size_t buffers (lua_State *L, int idx, bs_state *st, bs_loan *loan) {
  size_t n = 0;
  lua_Integer items = lua_type(L, idx) == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, idx) : 0;
  for (lua_Integer i = items > 0 ? 1 : 0; i <= items; i++) {
    if (i == 0)
      lua_pushvalue(L, idx);
    else
      lua_rawgeti(L, idx, i);
    bs_buffer *b = bs_testbuffer(L, lua_gettop(L));
    lua_pop(L, 1);
    if (b != NULL && loan != NULL) {
      loan->buffers[loan->nbuffers++] = b;
      pin(st, b);
    }
    n += b != NULL;
  }
  return n;
}

bs_loan *bs_lend (lua_State *L, bs_socket *s, int idx) {
  int on = 0;
  socklen_t len = sizeof(on);
  if (getsockopt(s->fd, SOL_SOCKET, SO_ZEROCOPY, &on, &len) != 0 || !on)
    return NULL; /* the kernel copies, or fails */
  luaL_checkstack(L, 10, NULL);
  Lender *l = needlender(L, s);
  int at = lua_gettop(L);
  settle(l);
  sweep(L, at);
  size_t n = buffers(L, idx, s->st, NULL);
  bs_loan *loan =
    (bs_loan *)lua_newuserdatauv(L, offsetof(bs_loan, buffers) + n * sizeof(bs_buffer *), 1);
  memset(loan, 0, offsetof(bs_loan, buffers));
  lua_pushvalue(L, idx);
  lua_setiuservalue(L, -2, GIVEN);
  if (luaL_newmetatable(L, "bsdsocket.loan")) {
    lua_pushcfunction(L, loan_close);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_getiuservalue(L, at, LOANS);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, ++l->places);
  lua_pop(L, 1);
  loan->place = l->places;
  loan->lender = l;
  loan->open = 1;
  (void)buffers(L, idx, s->st, loan);
  lua_remove(L, at);
  lua_toclose(L, -1); /* the call is over */
  return loan;
}

int bs_lendflags (const bs_loan *loan, int flags) {
  if (loan == NULL || loan->lender == NULL)
    return flags;
  Lender *l = loan->lender;
  const bs_state *st = l->sock->st;
  if (l->spare == NULL)
    l->spare = (Part *)st->alloc(st->allocdata, NULL, 0, sizeof(Part));
  return l->spare != NULL ? flags : flags & ~BS_ZEROCOPY;
}

void bs_lent (bs_loan *loan, int flags, uint32_t messages) {
  if (loan == NULL || loan->lender == NULL || !(flags & BS_ZEROCOPY) || messages == 0)
    return;
  Lender *l = loan->lender;
  Part *p = l->spare;
  int left = unsent(
    l->sock); /* before the other: what is acknowledged in between must not count twice too little */
  l->spare = NULL;
  p->next = NULL;
  p->loan = loan;
  p->first = l->number;
  p->count = p->left = messages;
  p->end = UINT64_MAX;
  if (left >= 0 && acknowledged(l->sock, &p->end))
    p->end += (uint64_t)left;
  l->number += messages;
  loan->open++;
  *l->last = p;
  l->last = &p->next;
}

/* ==== what the program, and close, tell ==== */

/* Of the messages lo .. hi those that are in the part; the kernel's numbers begin again after the last one. */
static uint32_t common (const Part *p, uint32_t lo, uint32_t hi) {
  int64_t from = (int32_t)(lo - p->first), to = (int32_t)(hi - p->first);
  if (from < 0)
    from = 0;
  if (to >= (int64_t)p->count)
    to = (int64_t)p->count - 1;
  return to >= from ? (uint32_t)(to - from + 1) : 0;
}

static void done (Lender *l, uint32_t lo, uint32_t hi) {
  for (Part **at = &l->first; *at != NULL;) {
    uint32_t n = common(*at, lo, hi);
    (*at)->left -= n < (*at)->left ? n : (*at)->left;
    if ((*at)->left == 0)
      endpart(l, at);
    else
      at = &(*at)->next;
  }
}

static int isnotice (const bs_control *c, struct sock_extended_err *err) {
  if (!(c->level == IPPROTO_IP && c->type == IP_RECVERR) &&
      !(c->level == IPPROTO_IPV6 && c->type == IPV6_RECVERR))
    return 0;
  if (c->len < sizeof(*err))
    return 0;
  memcpy(err, c->data, sizeof(*err));
  return err->ee_errno == 0 && err->ee_origin == SO_EE_ORIGIN_ZEROCOPY;
}

void bs_lendnotice (lua_State *L, const bs_socket *s, void *control, size_t len) {
  struct sock_extended_err err;
  bs_control c;
  if (s->st->lenders == NULL)
    return;
  luaL_checkstack(L, 6, NULL);
  Lender *l = pushlender(L, s);
  if (l == NULL)
    return;
  for (size_t at = 0; bs_nextcontrol(control, len, &at, &c);)
    if (isnotice(&c, &err) && !(s->flags & BS_SHARED)) /* else it counts others', too */
      done(l, err.ee_info, err.ee_data);
  settle(l);
  sweep(L, lua_gettop(L));
  lua_pop(L, 1);
}

void bs_endloans (lua_State *L, const bs_socket *s) {
  if (s->st->lenders == NULL || !lua_checkstack(L, 6))
    return;
  Lender *l = pushlender(L, s);
  if (l == NULL)
    return;
  lua_getiuservalue(L, -1, LOANS);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    ((bs_loan *)lua_touserdata(L, -1))->lender = NULL; /* for calls that have not ended */
    lua_pop(L, 1);
  }
  while (l->first != NULL)
    endpart(l, &l->first);
  freepart(l, l->spare);
  *l->link = l->next;
  if (l->next != NULL)
    l->next->link = l->link;
  lua_getiuservalue(L, BS_UP_STATE, BS_STATE_LENDERS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, s);
  lua_pop(L, 3);
}

int bs_islent (const bs_state *st, const void *place) {
  for (int settled = 0;; settled = 1) {
    const bs_buffer *b = st->lent;
    while (b != NULL && !((uintptr_t)b->data <= (uintptr_t)place &&
                          (uintptr_t)place < (uintptr_t)b->data + b->size))
      b = b->next;
    if (b == NULL || settled)
      return b != NULL;
    for (Lender *l = st->lenders; l != NULL; l = l->next)
      settle(l);
  }
}

#else /* no system but Linux has it */

bs_loan *bs_lend (lua_State *L, bs_socket *s, int idx) {
  (void)L, (void)s, (void)idx;
  return NULL;
}

int bs_lendflags (const bs_loan *loan, int flags) {
  (void)loan;
  return flags;
}

void bs_lent (bs_loan *loan, int flags, uint32_t messages) {
  (void)loan, (void)flags, (void)messages;
}

void bs_lendnotice (lua_State *L, const bs_socket *s, void *control, size_t len) {
  (void)L, (void)s, (void)control, (void)len;
}

void bs_endloans (lua_State *L, const bs_socket *s) {
  (void)L, (void)s;
}

int bs_islent (const bs_state *st, const void *place) {
  (void)st, (void)place;
  return 0;
}

#endif
