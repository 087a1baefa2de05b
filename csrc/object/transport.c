/*
** transport.c: what a stream socket moves its bytes through, where that is not the kernel alone.
*/
#include "base/prefix.h"

#include <errno.h>

#include "object/chunk.h"
#include "object/face.h"

static bs_transport *of (const bs_socket *s) {
  bs_assert(s->face != NULL && s->face->through != NULL);
  return s->face->through;
}

void bs_settransport (bs_socket *s, bs_transport *t) {
  bs_assert(s->face != NULL && s->face->through == NULL);
  t->sock = s;
  t->leaves = 0;
  s->face->through = t;
  s->marks |= BS_THROUGH;
}

bs_transport *bs_taketransport (bs_socket *s) {
  bs_transport *t = of(s);
  s->face->through = NULL;
  s->marks = (unsigned char)(s->marks & ~BS_THROUGH);
  bs_setunflushed(s, s->face->start < s->face->end);
  return t;
}

int bs_wantof (const bs_socket *s, int want) {
  return bs_isthrough(s) ? of(s)->wants : want;
}

int bs_leaves (const bs_socket *s) {
  return bs_isthrough(s) && of(s)->leaves;
}

/* What is left to flush is known by the socket's flag. */
static void note (bs_socket *s) {
  bs_setunflushed(s, of(s)->leaves || s->face->start < s->face->end);
}

/* Asks again while there are bytes at hand: one that cuts them into pieces need not be called by each piece. */
ssize_t bs_recvthrough (bs_socket *s, void *data, size_t n) {
  bs_transport *t = of(s);
  ssize_t got = t->way->recv(t, data, n);
  while (got > 0 && (size_t)got < n && t->way->held != NULL && t->way->held(t) > 0) {
    ssize_t more = t->way->recv(t, (char *)data + got, n - (size_t)got);
    if (more <= 0) /* which the next call will find out, too */
      break;
    got += more;
  }
  int err = errno;
  note(s); /* to receive may leave something to be answered */
  errno = err;
  return got;
}

ssize_t bs_sendthrough (bs_socket *s, const struct iovec *pieces, size_t n) {
  bs_transport *t = of(s);
  if (t->leaves && bs_flushthrough(s) != 0)
    return -1;
  ssize_t sent = t->way->send(t, pieces, n);
  int err = errno;
  note(s);
  errno = err;
  return sent;
}

int bs_flushthrough (bs_socket *s) {
  bs_transport *t = of(s);
  int r = t->leaves && t->way->flush != NULL ? t->way->flush(t) : 0, err = errno;
  note(s);
  errno = err;
  return r;
}

int bs_endthrough (bs_socket *s) {
  bs_transport *t = of(s);
  int r = t->way->end != NULL ? t->way->end(t) : 0, err = errno;
  note(s);
  errno = err;
  return r;
}

void bs_closethrough (bs_socket *s) {
  bs_transport *t = bs_taketransport(s);
  t->way->close(t);
}

void bs_readheld (bs_socket *s) {
  const bs_transport *t = bs_isthrough(s) ? of(s) : NULL;
  size_t n;
  while (t != NULL && t->way->held != NULL && (n = t->way->held(t)) > 0) {
    bs_chunk *c = bs_roomafter(s, n);
    if (c == NULL) /* no memory: the next call asks the transport again */
      return;
    ssize_t got = bs_recvthrough(s, c->data + c->end, c->size - c->end);
    if (got <= 0)
      return;
    bs_came(s, c, (size_t)got, 0);
  }
}
