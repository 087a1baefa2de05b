/*
** op.h: the operation. Every call that can wait is one: a struct that begins with a bs_op, and a step (`kind->step`) that tries
** once and answers what it wants. Steps touch no Lua state and keep all they know in the struct, so a driver may copy the
** struct (`kind->size` bytes), go away, and step the copy later.
*/
#ifndef bs_op_h
#define bs_op_h

#include "base/readiness.h"
#include "object/address.h"
#include "object/socket.h"

BS_BEGIN

typedef struct bs_op bs_op;

typedef struct bs_kind {
  const char *name; /* the call, as messages name it */
  /* "name: text" for EAGAIN, EINPROGRESS and "timeout": constants, as these are no rare answers */
  const char *again, *progress, *timeout;
  size_t size;     /* of the whole operation struct */
  unsigned traits; /* BS_RECEIVES ... */
  /* Try once. patience 0: must not wait; else it may wait in the kernel (BS_TIMED: so long). A driver that
  ** keeps a copy of the operation anchors it off the stack of the call: finish may cut that. */
  int (*step)(bs_op *op, bs_span patience);
  /* Push the results, or nil, message, code; gives their number. May run a further operation. */
  int (*finish)(lua_State *L, bs_op *op);
  /* Frees what a step left in the operation and no finish will take; NULL: that is nothing. */
  void (*drop)(bs_op *op);
  /* Of an operation without a socket: gives op->fd, where its driver has to wait itself; NULL: has one, or none. */
  void (*descriptor)(bs_op *op);
  /* Of an operation that has more than what it waits for now: is this descriptor, which is about to be closed, in it? It
  ** has to look again then. NULL: there is no more. */
  int (*concerns)(const bs_op *op, int fd);
  /* Of an operation without a socket, whose descriptor the object at 1 has: another scheduler is about to wait for that
  ** object, and wants to hear when it is closed. False: it is none that tells. */
  int (*watched)(bs_op *op);
  /* Of an operation that is a part of another call: that one, as messages name it. */
  const char *(*call)(const bs_op *op);
  /* Of an operation with two sockets: the one that it receives from (BS_IN), or sends by (BS_OUT). */
  bs_socket *(*side)(const bs_op *op, int side);
} bs_kind;

/* The first fields of a kind: the call as messages name it, and the struct of its operation. */
#define BS_CALL(call, type)                                                                        \
  .name = call, .again = call ": Resource temporarily unavailable",                                \
  .progress = call ": Operation now in progress", .timeout = call ": timed out",                   \
  .size = sizeof(type)

/* traits */
#define BS_RECEIVES 1u  /* SO_RCVTIMEO bounds it */
#define BS_NEEDSFLAG 2u /* has no MSG_DONTWAIT: needs O_NONBLOCK when it must not wait */
#define BS_OPENS 4u    /* opens a descriptor: when none is left, collects garbage and tries again */
#define BS_PERSISTS 8u /* rests and goes on after a passing failure */
#define BS_TIMED 16u   /* its step waits by itself, up to `patience` */
#define BS_SENDS 32u   /* what write() left is sent before */

/* Its step may block in the C library, where there is no descriptor to wait for. With patience 0 it does not, and
** BS_BLOCK says that it would: then it is stepped in a helper thread. */
#define BS_BLOCKS 64u
#define BS_OUTPUT 128u /* sends or connects: the timeout of that direction is its own */
#define BS_TAKES 256u  /* receives or accepts: only one at a time on a socket */
#define BS_TURN 512u   /* sends: one after the other on a socket */
#define BS_LASTS                                                                                   \
  1024u /* its step is made in a helper thread of its own, though nobody waits for it any more */

/* Of sending calls. Systems with SO_NOSIGPIPE and without SOCK_CLOEXEC (macOS) look at O_NONBLOCK alone when
** they send, not at MSG_DONTWAIT. */
#if defined(SO_NOSIGPIPE) && !defined(SOCK_CLOEXEC)
#define BS_FLUSHTRAITS (BS_OUTPUT | BS_NEEDSFLAG)
#else
#define BS_FLUSHTRAITS BS_OUTPUT
#endif

#define BS_FLUSHES 2048u /* sends what is unflushed, and nothing else */
#define BS_SENDTRAITS (BS_SENDS | BS_TURN | BS_FLUSHTRAITS)
#define BS_RECEIVETRAITS (BS_RECEIVES | BS_TAKES)

struct bs_op {
  const bs_kind *kind;
  bs_state *st;
  bs_socket *sock;    /* may be NULL */
  int error;          /* of the answer BS_DONE */
  double timeout;     /* of this call, seconds; negative: for ever */
  bs_moment began;    /* 0: not known; the deadline then counts from the first wait */
  bs_moment deadline; /* 0: not fixed yet */
  bs_span rest;       /* with BS_REST */
  int fd; /* readable when an operation without a socket may go on; -1: no descriptor tells */
  unsigned char
    drained; /* a receive got less than it had room for: the kernel has no more for now */
  unsigned char flagged; /* with MSG_ flags: peeks perhaps, or waits for urgent data */
  unsigned char
    beside; /* receives nothing of the stream itself: may go on beside another that does */
};

#define BS_USUALOP                                                                                 \
  (sizeof(bs_op) + 4 * sizeof(void *) + 16) /* most operations need no more: a receive, say */

/* For `s`, under its timeout in the call's direction; without one (NULL) for ever. */
static BS_STRAIGHT void bs_initop (bs_op *op, const bs_kind *kind, bs_state *st, bs_socket *s) {
  op->kind = kind;
  op->st = st;
  op->sock = s;
  op->error = 0;
  op->timeout = s != NULL ? s->timeout[(kind->traits & BS_OUTPUT) != 0] : -1;
  op->began = op->deadline = 0;
  op->fd = -1;
  op->drained = op->flagged = op->beside = 0;
}

/* MSG_DONTWAIT in a user's flags is a timeout of 0 for this call. */
static inline void bs_setflags (bs_op *op, int flags) {
  if (flags & MSG_DONTWAIT)
    op->timeout = 0;
}

static inline bs_socket *bs_sideof (const bs_op *op, int side) {
  return op->kind->side != NULL ? op->kind->side(op, side) : op->sock;
}

static inline int bs_sides (const bs_op *op) {
  unsigned traits = op->kind->traits;
  return ((traits & BS_TAKES) && !op->beside ? BS_IN : 0) | (traits & BS_TURN ? BS_OUT : 0);
}

double bs_left(const bs_op *op); /* seconds until the deadline; negative: for ever */
bs_moment bs_begindeadline(bs_op *op);

/* The deadline, which begins now if it has not. */
static BS_STRAIGHT bs_moment bs_fixdeadline (bs_op *op) {
  if (op->deadline == 0 && op->timeout < 0)
    op->deadline = BS_FOREVER;
  return op->deadline != 0 ? op->deadline : bs_begindeadline(op);
}

/* The call of an operation, as its messages name it: of a look-up for another call, that one. */
static inline const char *bs_callname (const bs_op *op) {
  return op->kind->call != NULL ? op->kind->call(op) : op->kind->name;
}

/* nil, message, code of an operation that has failed; a may be NULL. */

/* of an operation; a may be NULL */
BS_SELDOM int bs_failop(lua_State *L, const bs_op *op, const bs_address *a);
BS_SELDOM BS_NORETURN int bs_raiseop(lua_State *L,
                                     const bs_op *op); /* raises the message: of iterators */

BS_END

#endif
