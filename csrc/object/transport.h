/*
** transport.h: what a stream socket moves its bytes through. Mostly that is nothing, and the kernel gets them as they are;
** or it is a *transport*, which makes something else of them (TLS), or takes them elsewhere (another descriptor).
**
** A transport never waits. Bytes that it has taken from the kernel and not given yet are asked for at once, so that those
** which wait are in the socket's chunk, and in no second place: select, pollers and tasks know of them. Bytes that it has
** taken from a call and not given to the kernel yet count as unflushed: they go before all else.
*/
#ifndef bs_transport_h
#define bs_transport_h

#include "object/socket.h"

BS_BEGIN

typedef struct bs_transport bs_transport;

/* What a kind of transport does. Numbers of bytes are those of the program's own. */
typedef struct bs_way {
  const char *name;
  /* As recv(2) and send(2): a number of bytes, 0 at the end of the stream, -1 and errno. EAGAIN only after the kernel has
  ** said so, and t->wants tells of what. */
  ssize_t (*recv)(bs_transport *t, void *data, size_t n);
  ssize_t (*send)(bs_transport *t, const struct iovec *pieces, size_t n);
  /* So many bytes have been taken from the kernel that recv would give. NULL: never any. */
  size_t (*held)(const bs_transport *t);
  /* What send has taken goes on to the kernel: 0, or -1 and errno. NULL: nothing is ever left. */
  int (*flush)(bs_transport *t);
  /* Nothing more will be sent: the peer is told. 0, or -1 and errno. May leave something to flush. NULL: it need not be. */
  int (*end)(bs_transport *t);
  /* The socket lets go of its descriptor. The last word is tried once, and all is freed. */
  void (*close)(bs_transport *t);
} bs_way;

/* A way's own struct begins with it. */
struct bs_transport {
  const bs_way *way;
  bs_socket *sock;
  unsigned char wants;  /* BS_READ, BS_WRITE: after EAGAIN */
  unsigned char leaves; /* there is something to flush */
};

/* From now on; the face is there (bs_checkface). */
void bs_settransport(bs_socket *s, bs_transport *t);
/* No longer: the caller has it back. What is unflushed has to be sent before. */
bs_transport *bs_taketransport(bs_socket *s);

static inline int bs_isthrough (const bs_socket *s) {
  return (s->marks & BS_THROUGH) != 0;
}

ssize_t bs_recvthrough(bs_socket *s, void *data, size_t n);
ssize_t bs_sendthrough(bs_socket *s, const struct iovec *pieces, size_t n);
int bs_flushthrough(bs_socket *s); /* 0, or -1 and errno: EAGAIN as long as something is left */
int bs_endthrough(bs_socket *s);
void bs_closethrough(bs_socket *s);
int bs_leaves(const bs_socket *s); /* has its transport something to flush? */

/* What a call wants after EAGAIN; without a transport that is `want`. */
int bs_wantof(const bs_socket *s, int want);

/* As recv(2) and send(2), through whatever there is. */
static inline ssize_t bs_recv (bs_socket *s, void *data, size_t n, int flags) {
  return BS_LIKELY(!bs_isthrough(s)) ? recv(s->fd, data, n, flags) : bs_recvthrough(s, data, n);
}

static inline ssize_t bs_send (bs_socket *s, const void *data, size_t n, int flags) {
  if (BS_LIKELY(!bs_isthrough(s)))
    return send(s->fd, data, n, flags);
  struct iovec piece = {bs_unconst(data), n};
  return bs_sendthrough(s, &piece, 1);
}

/* After bytes have come to its chunk: those that the transport holds come, too. */
void bs_readheld(bs_socket *s);

BS_END

#endif
