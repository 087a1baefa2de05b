/*
** receive.h: what a receiving call knows, and what all of them do.
*/
#ifndef bs_receive_h
#define bs_receive_h

#include "object/chunk.h"
#include "op/op.h"

BS_BEGIN

/* What a receiving call knows; those of recvmsg.c begin with it. */
typedef struct bs_receive {
  bs_op op;
  size_t n;   /* at most so many bytes */
  char *into; /* recvinto: to here; NULL: to a chunk */
  size_t got;
  bs_chunk *chunk; /* where they are, from its start on; NULL with `into` */
  int flags;
  unsigned char message; /* not a stream: messages have bounds */
  unsigned char from;    /* the sender is wanted */
  unsigned char cut;     /* a message was longer */
  socklen_t addrlen;
  struct sockaddr_storage address;
} bs_receive;

void bs_initreceive(bs_receive *r, const bs_kind *kind, bs_socket *s);
size_t bs_checkcount(lua_State *L, int arg);       /* its n, 65536 unless given */
void bs_setreceiveflags(bs_receive *r, int flags); /* the user's */
int bs_serveheld(bs_receive *r); /* the bytes that wait for their owner: true if these will do */
int bs_makeroom(bs_receive *r, size_t *n,
                int flags); /* room for *n or less; without, a step's answer */
/* A step of a stream that has a transport: true, and *want is its answer. */
int bs_receivethrough(bs_receive *r, int *want);
int bs_notreceived(bs_receive *r); /* a step's answer after errno */
void bs_mark(const bs_receive *r); /* until the values exist, the bytes belong to the socket */

/* So many wait in the chunk, with those that the call gives. */
static BS_STRAIGHT size_t bs_waiting (const bs_receive *r) {
  return r->chunk->end - r->chunk->start;
}

void bs_handedover(const bs_receive *r, size_t n); /* they do; so many had waited before */

BS_END

#endif
