/*
** chunk.h: bytes that have left the kernel and are not in Lua yet.
*/
#ifndef bs_chunk_h
#define bs_chunk_h

#include "object/hear.h"
#include "object/socket.h"

BS_BEGIN

/* Bytes that have left the kernel and are not in Lua yet: read ahead, or on their way. A receiving call
** fills the state's chunk and marks it with its socket until the Lua value exists; if memory runs out in
** between, the next call finds the bytes here. When another socket needs the chunk, they move to one of
** their owner's own. */
struct bs_chunk {
  bs_socket *owner;       /* NULL: nothing in it is wanted any more */
  bs_chunk *next, **link; /* of an owner's own: in the list of all such */
  size_t size;            /* of data */
  size_t start;           /* the bytes start .. end - 1 are waiting */
  size_t end;
  /* A reading call that found too little (read.c); 0: none did, or bytes were taken since. Of its formats so many have
  ** what they want; the next one's begins at `reached`, after `start`, and from `searched` on it has yet to look. */
  uint64_t sought;
  int made;
  size_t reached, searched;
  unsigned char scant; /* these bytes were too few for it: no reason to call the socket readable */
  size_t peeked;       /* SO_PEEK_OFF, counted from `start`: beyond `end` the kernel's own counts */
  int cut;             /* a message whose rest the kernel threw away */
  socklen_t addrlen;   /* of address; 0: none */
  struct sockaddr_storage address;
  char data[];
};

#define BS_MOSTKEPT ((size_t)1 << 20) /* more room than this is not kept for the next call */

/* The one where bytes of `s` wait; NULL: none do. */
static inline bs_chunk *bs_chunkof (const bs_socket *s) {
  bs_chunk *scratch = s->st->scratch;
  return scratch != NULL && scratch->owner == s ? scratch : s->held;
}

#define bs_pending(s) (bs_chunkof(s) != NULL)

/* Do they count as readable? Not what a reading call has found too little, until more has come. */
static inline int bs_readable (const bs_socket *s) {
  const bs_chunk *c = bs_chunkof(s);
  return c != NULL && !c->scant;
}

/* To be asked before bytes are read ahead: where the kernel's next MSG_PEEK would begin, under SO_PEEK_OFF. */
int bs_askpeekoff(const bs_socket *s);

static inline int bs_peekoff (const bs_socket *s) {
  return s->marks & BS_PEEKS ? bs_askpeekoff(s) : 0;
}

/* `n` bytes more have come to the end of `c`, which are for `s`: whoever waits for it elsewhere is to look again. */
static inline void bs_came (bs_socket *s, bs_chunk *c, size_t n, int peeked) {
  size_t had = c->end - c->start;
  if (peeked > 0 && c->peeked >= had)
    c->peeked = had + (size_t)peeked;
  c->owner = s;
  c->end += n;
  c->scant = 0;
  if (s->st->loop != NULL)
    bs_tellcame(s);
}

void bs_eachpending(const bs_state *st, void (*call)(void *ud, bs_socket *s), void *ud);
/* The state's chunk, free and with room for `size` bytes; NULL when memory is out. */
bs_chunk *bs_room(bs_state *st, size_t size);
/* A chunk with what is waiting for `s` and room for `more` bytes after that; NULL when memory is out. If
** nothing is waiting it is free: who puts bytes there sets owner. */
bs_chunk *bs_roomafter(bs_socket *s, size_t more);
void bs_dropheld(bs_socket *s); /* none of the bytes that wait for it is wanted any more */
/* They count as readable again. */
BS_SELDOM void bs_notscant(bs_socket *s, bs_chunk *c);

/* So many of them are in Lua now. */
static inline void bs_consume (bs_socket *s, size_t n) {
  bs_chunk *c = bs_chunkof(s);
  bs_assert(c == NULL || (c->owner == s && c->start <= c->end && c->end <= c->size));
  if (c != NULL && n < c->end - c->start) {
    c->start += n;
    c->sought = 0;
    c->peeked = c->peeked > n ? c->peeked - n : 0;
    if (c->scant) /* for a call that would begin elsewhere */
      bs_notscant(s, c);
  }
  else
    bs_dropheld(s);
}

/* Of n that waited, the first `used` are. Making the values may have run a finalizer that reads from this very socket:
** what it got, too, is gone already, and what comes next is nobody's yet. */
static BS_STRAIGHT void bs_consumed (bs_socket *s, size_t n, size_t used) {
  const bs_chunk *c = bs_chunkof(s);
  size_t left = c != NULL ? c->end - c->start : 0, gone = left < n ? n - left : 0;
  if (BS_LIKELY(gone < used))
    bs_consume(s, used - gone);
}

BS_END

#endif
