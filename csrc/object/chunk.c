/*
** chunk.c: bytes that have left the kernel and are not in Lua yet. They come by the receiving calls, one chunk of the state's
** for all sockets; where another needs that, what waits moves to a chunk of its owner's own.
*/
#include "base/prefix.h"

#include <string.h>

#include "object/chunk.h"

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
    bs_tellcame(s);
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
