/*
** transport.c: a transport that is there to be a nuisance: it changes each byte, cuts what it is given and what it gives,
** keeps back what it has taken, and fails when it is told to. For the spec that proves that every call of a stream goes
** through whatever there is.
**   wrap(s, {key=, cut=, late=, failrecv=, failsend=}) -> s
** key: each byte that crosses the kernel is xored with it; cut: no call takes or gives more bytes than this; late: what send
** takes goes on to the kernel with the next flush only; failrecv, failsend: so many calls go well, and then there is EIO.
** At the end it says `END`, changed like all else.
*/
#include "base/prefix.h"

#include <errno.h>
#include <stdlib.h>

#include "object/transport.h"
#include "op/outside.h"

#define ROOM 4096
#define END "\4"

typedef struct nuisance {
  bs_transport t;
  size_t cut;
  unsigned char key, late;
  lua_Integer failrecv, failsend;
  size_t instart, inend, outend;
  char in[ROOM], out[ROOM];
} nuisance;

static int fails (lua_Integer *after) {
  if (*after != 0) {
    *after -= *after > 0;
    return 0;
  }
  errno = EIO;
  return 1;
}

static void change (const nuisance *u, char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    bytes[i] = (char)(bytes[i] ^ u->key);
}

static ssize_t nuisance_recv (bs_transport *t, void *data, size_t n) {
  nuisance *u = (nuisance *)t;
  if (fails(&u->failrecv))
    return -1;
  if (u->instart == u->inend) {
    ssize_t got = recv(t->sock->fd, u->in, ROOM, MSG_DONTWAIT);
    t->wants = BS_READ;
    if (got <= 0)
      return got;
    change(u, u->in, (size_t)got);
    u->instart = 0;
    u->inend = (size_t)got;
  }
  size_t most = u->inend - u->instart;
  if (n > most)
    n = most;
  if (n > u->cut)
    n = u->cut;
  memcpy(data, u->in + u->instart, n);
  u->instart += n;
  return (ssize_t)n;
}

static size_t nuisance_held (const bs_transport *t) {
  const nuisance *u = (const nuisance *)t;
  return u->inend - u->instart;
}

static int nuisance_flush (bs_transport *t) {
  nuisance *u = (nuisance *)t;
  while (u->outend > 0) {
    ssize_t sent = send(t->sock->fd, u->out, u->outend, MSG_DONTWAIT | MSG_NOSIGNAL);
    t->wants = BS_WRITE;
    if (sent < 0)
      return -1;
    u->outend -= (size_t)sent;
    memmove(u->out, u->out + sent, u->outend);
  }
  t->leaves = 0;
  return 0;
}

static void add (nuisance *u, const char *bytes, size_t n) {
  memcpy(u->out + u->outend, bytes, n);
  change(u, u->out + u->outend, n);
  u->outend += n;
  u->t.leaves = u->outend > 0;
}

static ssize_t nuisance_send (bs_transport *t, const struct iovec *pieces, size_t n) {
  nuisance *u = (nuisance *)t;
  size_t taken = 0, most = u->cut < ROOM - 1 ? u->cut : ROOM - 1;
  if (fails(&u->failsend))
    return -1;
  if (u->outend > 0) { /* it was to be flushed before */
    errno = EPROTO;
    return -1;
  }
  for (size_t i = 0; i < n && taken < most; i++) {
    size_t len = pieces[i].iov_len < most - taken ? pieces[i].iov_len : most - taken;
    add(u, (const char *)pieces[i].iov_base, len);
    taken += len;
  }
  if (!u->late && nuisance_flush(t) != 0 && errno != EAGAIN) {
    u->outend = 0;
    t->leaves = 0;
    return -1;
  }
  return (ssize_t)taken;
}

static int nuisance_end (bs_transport *t) {
  add((nuisance *)t, END, 1);
  return 0;
}

static void nuisance_close (bs_transport *t) {
  (void)nuisance_flush(t);
  free(t);
}

static const bs_way way = {"nuisance",     nuisance_recv, nuisance_send, nuisance_held,
                           nuisance_flush, nuisance_end,  nuisance_close};

static lua_Integer field (lua_State *L, const char *name, lua_Integer otherwise) {
  if (lua_getfield(L, 2, name) != LUA_TNIL)
    otherwise = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return otherwise;
}

static int wrap (lua_State *L) {
  bs_socket *s = (bs_socket *)lua_touserdata(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  nuisance *u = (nuisance *)calloc(1, sizeof(nuisance));
  u->t.way = &way;
  u->key = (unsigned char)field(L, "key", 0);
  u->cut = (size_t)field(L, "cut", LUA_MAXINTEGER);
  u->late = (unsigned char)field(L, "late", 0);
  u->failrecv = field(L, "failrecv", -1);
  u->failsend = field(L, "failsend", -1);
  (void)s->st->outside->checkface(L, s);
  s->st->outside->settransport(s, &u->t);
  lua_settop(L, 1);
  return 1;
}

int luaopen_transport(lua_State *L);

int luaopen_transport (lua_State *L) {
  lua_pushcfunction(L, wrap);
  return 1;
}
