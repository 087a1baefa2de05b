/*
** buffer.c: where bytes are kept. Chunks hold what has left the kernel and is not in Lua yet; socket.buffer(size)
** is a byte buffer for users. No descriptor here: the bytes come by the receiving calls of transfer.c,
** recvmsg.c and read.c.
*/
#include "prefix.h"

#include <string.h>

#include "bsdsocket.h"

/* ==== chunks ==== */

#define USUALSIZE ((size_t)1 << 16) /* of the state's chunk */

void bs_eachpending (const bs_state *st, void (*call)(void *ud, bs_socket *s), void *ud) {
  if (st->scratch != NULL && st->scratch->owner != NULL)
    call(ud, st->scratch->owner);
  for (const bs_chunk *c = st->held; c != NULL; c = c->next)
    call(ud, c->owner);
}

int bs_askpeekoff (const bs_socket *s) {
  int at = 0;
#if defined(SO_PEEK_OFF)
  socklen_t len = sizeof(at);
  if (getsockopt(s->fd, SOL_SOCKET, SO_PEEK_OFF, &at, &len) != 0)
    at = 0;
#else
  (void)s;
#endif
  return at;
}

static bs_chunk *newchunk (bs_state *st, size_t size) {
  if (size > SIZE_MAX / 2)
    return NULL;
  bs_chunk *c = (bs_chunk *)st->alloc(st->allocdata, NULL, 0, sizeof(bs_chunk) + size);
  if (c != NULL) {
    memset(c, 0, offsetof(bs_chunk, address));
    c->size = size;
  }
  return c;
}

static void freechunk (bs_state *st, bs_chunk *c) {
  st->alloc(st->allocdata, c, sizeof(bs_chunk) + c->size, 0);
}

/* The chunk becomes its owner's own. */
static void hold (bs_chunk *c) {
  bs_socket *s = c->owner;
  bs_assert(s->held == NULL);
  s->held = c;
  c->next = s->st->held;
  c->link = &s->st->held;
  if (c->next != NULL)
    c->next->link = &c->next;
  s->st->held = c;
}

static void unhold (bs_chunk *c) {
  bs_assert(c->owner->held == c && *c->link == c);
  *c->link = c->next;
  if (c->next != NULL)
    c->next->link = c->link;
  c->owner->held = NULL;
}

/* Its bytes are no longer wanted; nor is it, if more came at once than usual. */
static void leavescratch (bs_state *st) {
  bs_chunk *c = st->scratch;
  c->owner = NULL;
  c->start = 0;
  if (c->size > BS_MOSTKEPT) {
    freechunk(st, c);
    st->scratch = NULL;
  }
}

static void drop (bs_socket *s, bs_chunk *c) {
  if (c == s->st->scratch)
    leavescratch(s->st);
  else {
    unhold(c);
    freechunk(s->st, c);
  }
}

void bs_dropheld (bs_socket *s) {
  bs_chunk *c = bs_chunkof(s);
  if (c != NULL)
    drop(s, c);
}

void bs_notscant (bs_socket *s, bs_chunk *c) {
  c->scant = 0;
  if (s->st->loop != NULL)
    bs_readahead(s);
}

/* What waits in `c` goes to the beginning of `to`, with all that is known about it. */
static void move (const bs_chunk *c, bs_chunk *to) {
  size_t n = c->end - c->start;
  bs_assert(c->start <= c->end && c->end <= c->size && n <= to->size);
  to->owner = c->owner;
  to->sought = c->sought;
  to->made = c->made;
  to->reached = c->reached;
  to->searched = c->searched;
  to->scant = c->scant;
  to->peeked = c->peeked;
  to->cut = c->cut;
  to->addrlen = c->addrlen;
  memmove(&to->address, &c->address, c->addrlen);
  memmove(to->data, c->data + c->start, n);
  to->start = 0;
  to->end = n;
}

/* Another's bytes leave the state's chunk: few of them for one of their size, else the chunk goes with them. */
static int evict (bs_state *st) {
  bs_chunk *c = st->scratch;
  size_t n = c->end - c->start;
  if (n > c->size / 4) {
    hold(c);
    st->scratch = NULL;
    return 1;
  }
  bs_chunk *own = newchunk(st, n);
  if (own == NULL)
    return 0;
  move(c, own);
  hold(own);
  leavescratch(st);
  return 1;
}

bs_chunk *bs_room (bs_state *st, size_t size) {
  if (st->scratch != NULL && st->scratch->owner != NULL && !evict(st))
    return NULL;
  bs_chunk *c = st->scratch;
  if (c != NULL && c->size >= size && (c->size <= BS_MOSTKEPT || size > BS_MOSTKEPT))
    return c;
  bs_chunk *fresh = newchunk(st, size < USUALSIZE ? USUALSIZE : size);
  if (fresh == NULL)
    return NULL;
  if (c != NULL)
    freechunk(st, c);
  st->scratch = fresh;
  return fresh;
}

bs_chunk *bs_roomafter (bs_socket *s, size_t more) {
  bs_state *st = s->st;
  bs_chunk *c = bs_chunkof(s);
  if (c == NULL) {
    c = bs_room(st, more);
    if (c != NULL) {
      c->end = 0;
      c->sought = 0;
      c->scant = 0;
      c->peeked = 0;
      c->cut = 0;
      c->addrlen = 0;
    }
    return c;
  }
  if (c->size - c->end >= more)
    return c;
  size_t n = c->end - c->start;
  if (c->size - n >= more && n <= c->size / 2) { /* seldom enough not to matter */
    move(c, c);
    return c;
  }
  if (more > SIZE_MAX / 4 || n > SIZE_MAX / 4)
    return NULL;
  bs_chunk *larger = n + more <= USUALSIZE / 2 && c != st->scratch
                       ? bs_room(st, n + more) /* few: the state's chunk has the room, for now */
                       : newchunk(st, 2 * n > n + more ? 2 * n : n + more);
  if (larger == NULL)
    return NULL;
  move(c, larger);
  if (c == st->scratch)
    st->scratch = larger;
  else {
    unhold(c);
    if (larger != st->scratch)
      hold(larger);
  }
  freechunk(st, c);
  return larger;
}

/* ==== buffers ==== */

bs_buffer *bs_testbuffer (lua_State *L, int arg) {
  return (bs_buffer *)bs_testobject(L, arg, BS_UP_BUFFER);
}

bs_buffer *bs_checkbuffer (lua_State *L, int arg) {
  bs_buffer *b = bs_testbuffer(L, arg);
  if (b == NULL)
    luaL_typeerror(L, arg, "buffer");
  return b;
}

const char *bs_todata (lua_State *L, int idx, size_t *len) {
  const char *data = lua_tolstring(L, idx, len);
  if (data == NULL) {
    const bs_buffer *b = bs_testbuffer(L, idx);
    if (b == NULL)
      return NULL;
    *len = b->size;
    data = b->data;
  }
  return data;
}

const char *bs_checkdata (lua_State *L, int arg, size_t *len) {
  const char *data = bs_todata(L, arg, len);
  if (data == NULL)
    luaL_typeerror(L, arg, "string or buffer");
  return data;
}

size_t bs_checkrange (lua_State *L, int arg, size_t size, size_t *from) {
  lua_Integer len = (lua_Integer)size;
  lua_Integer i = luaL_optinteger(L, arg, 1), j = luaL_optinteger(L, arg + 1, -1);
  if (i < 0)
    i = i < -len ? 1 : len + i + 1;
  else if (i == 0)
    i = 1;
  if (j < 0)
    j = j < -len ? 0 : len + j + 1;
  else if (j > len)
    j = len;
  *from = i > j ? 0 : (size_t)(i - 1);
  return i > j ? 0 : (size_t)(j - i + 1);
}

/* socket.buffer(size) */
static int buffer_buffer (lua_State *L) {
  lua_Integer size = luaL_checkinteger(L, 1);
  luaL_argcheck(L, size >= 1, 1, "a buffer has at least one byte");
  luaL_argcheck(L, (lua_Unsigned)size < SIZE_MAX / 2 - sizeof(bs_buffer), 1, "size out of range");
  bs_buffer *b = (bs_buffer *)lua_newuserdatauv(L, sizeof(bs_buffer) + (size_t)size, 0);
  b->size = (size_t)size;
  b->lent = 0;
  memset(b->data, 0, b->size); /* never what somebody else left in memory */
  lua_pushvalue(L, BS_UP_BUFFER);
  lua_setmetatable(L, -2);
  return 1;
}

/* buf:sub(i [, j]), as string.sub */
static int buffer_sub (lua_State *L) {
  const bs_buffer *b = bs_checkbuffer(L, 1);
  size_t from, len;
  luaL_checkinteger(L, 2);
  len = bs_checkrange(L, 2, b->size, &from);
  lua_pushlstring(L, b->data + from, len);
  return 1;
}

/* buf:set(i, string) -> buf */
static int buffer_set (lua_State *L) {
  bs_buffer *b = bs_checkbuffer(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  size_t len;
  const char *data = bs_checkdata(L, 3, &len);
  luaL_argcheck(L, i >= 1 && (lua_Unsigned)i <= b->size + 1, 2, "position outside the buffer");
  luaL_argcheck(L, len <= b->size - (size_t)(i - 1), 3, "does not fit into the buffer");
  if (b->lent > 0 && bs_islent((const bs_state *)lua_touserdata(L, BS_UP_STATE), b->data))
    return bs_failtext(L, "set", BS_LENTBUFFER, EBUSY);
  memmove(b->data + (i - 1), data, len);
  lua_settop(L, 1);
  return 1;
}

static int buffer_len (lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bs_checkbuffer(L, 1)->size);
  return 1;
}

static int buffer_tostring (lua_State *L) {
  lua_pushfstring(L, "buffer (%I bytes)", (LUAI_UACINT)bs_checkbuffer(L, 1)->size);
  return 1;
}

static const luaL_Reg functions[] = {
  {"buffer", buffer_buffer},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"set", buffer_set},
  {"sub", buffer_sub},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__len", buffer_len},
  {"__tostring", buffer_tostring},
  {NULL, NULL},
};

void bs_openbuffer (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
  bs_setfuncs(L, BS_AT_BUFFER, metamethods);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, BS_AT_BUFFER, "__index");
}
