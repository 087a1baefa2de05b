/*
** receive.c: data out of a socket, one system call a piece: recv recvinto recvfrom chunks, sockatmark. Where bytes wait that
** have left the kernel and are not in Lua yet is in chunk.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"
#include "call/receive.h"
#include "object/buffer.h"
#include "object/control.h"
#include "object/face.h"
#include "object/lend.h"
#include "op/run.h"

#define DEFAULTSIZE 65536            /* of a receive */
#define MOSTATONCE ((size_t)1 << 20) /* one system call is not given more room than this */

typedef bs_receive receive_op;

/* What comes next begins at 0, marked or not. */
static inline void setfree (bs_chunk *c) {
  c->owner = NULL;
  c->start = 0;
}

/* what the kernel has nothing of */
int bs_notreceived (receive_op *r) {
  if (bs_isagain(errno))
    return r->flags & MSG_OOB        ? BS_URGENT
           : r->flags & MSG_ERRQUEUE ? BS_ERROR
                                     : bs_wantof(r->op.sock, BS_READ);
  if (errno == EINTR)
    return BS_AGAIN;
  r->op.error = errno;
  return BS_DONE;
}

/* Has the kernel made one of several datagrams (UDP_GRO)? Where each of them began nobody knows any more. */
static int merged (const bs_socket *s, struct msghdr *msg, size_t got) {
#if defined(UDP_GRO)
  bs_control c;
  for (size_t at = 0;
       (s->marks & BS_MERGES) && bs_nextcontrol(msg->msg_control, msg->msg_controllen, &at, &c);) {
    int size;
    if (c.level == IPPROTO_UDP && c.type == UDP_GRO && c.len == sizeof(size)) {
      memcpy(&size, c.data, sizeof(size));
      return size > 0 && got > (size_t)size;
    }
  }
#else
  (void)s, (void)msg, (void)got;
#endif
  return 0;
}

/* A message with its bounds, and its sender. */
static BS_ASIDE ssize_t receivemessage (receive_op *r, char *data, size_t n, int flags) {
  char control[BS_CONTROLROOM];
  struct iovec piece;
  struct msghdr msg;
  piece.iov_base = data;
  piece.iov_len = n;
  msg.msg_name = r->from ? &r->address : NULL;
  msg.msg_namelen = r->from ? sizeof(r->address) : 0;
  msg.msg_iov = &piece;
  msg.msg_iovlen = 1;
  msg.msg_control = (r->op.sock->marks & BS_MERGES) ? control : NULL; /* TIPC tells no reset else */
  msg.msg_controllen = (r->op.sock->marks & BS_MERGES) ? sizeof(control) : 0;
  msg.msg_flags = 0;
  ssize_t got = recvmsg(r->op.sock->fd, &msg, flags);
  r->addrlen = msg.msg_namelen;
  if (got >= 0) {
    r->cut =
      r->message && ((msg.msg_flags & MSG_TRUNC) != 0 || merged(r->op.sock, &msg, (size_t)got));
    if ((size_t)got > n) /* MSG_TRUNC tells the whole length; what was stored is what counts */
      got = (ssize_t)n;
  }
  return got;
}

/* Where the kernel tells a message's whole length if it is asked to (Linux: udp(7), unix(7)), which costs less
** than recvmsg. */
static BS_STRAIGHT int tellslength (const receive_op *r) {
  const bs_socket *s = r->op.sock;
  if (MSG_ERRQUEUE == 0 || (r->flags & MSG_ERRQUEUE) || (s->marks & BS_MERGES))
    return 0;
  return s->family == AF_UNIX ||
         ((s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_DGRAM &&
          (s->protocol == 0 || s->protocol == IPPROTO_UDP));
}

static BS_STRAIGHT ssize_t receivelength (receive_op *r, char *data, size_t n, int flags,
                                          int from) {
  r->addrlen = from ? sizeof(r->address) : 0;
  ssize_t got = from ? recvfrom(r->op.sock->fd, data, n, flags | MSG_TRUNC,
                                (struct sockaddr *)&r->address, &r->addrlen)
                     : recv(r->op.sock->fd, data, n, flags | MSG_TRUNC);
  r->cut = !BS_LIKELY(got < 0 || (size_t)got <= n);
  return r->cut ? (ssize_t)n : got;
}

static void heldsender (receive_op *r, const bs_chunk *c) {
  if (!r->from)
    return;
  r->addrlen = c->addrlen;
  memcpy(&r->address, &c->address, c->addrlen);
  if (!r->message && r->op.sock->family == AF_UNIX) { /* nobody asked who it was: the peer */
    socklen_t len = sizeof(r->address);
    if (getpeername(r->op.sock->fd, (struct sockaddr *)&r->address, &len) == 0)
      r->addrlen = len;
  }
}

/* Bytes that wait for their owner are served first. */
static BS_ASIDE int receiveheld (receive_op *r, bs_chunk *c) {
  size_t waiting = c->end - c->start;
  r->chunk = c;
  r->got = waiting < r->n ? waiting : r->n;
  r->cut = r->message && (c->cut || r->got < waiting);
  heldsender(r, c);
  if (r->into != NULL) {
    memcpy(r->into, c->data + c->start, r->got);
  }
  return BS_DONE;
}

/* Room in the state's chunk for what one call should ask for; *n is cut to that. Without, r->chunk is
** NULL, and this is the step's answer. */
BS_ASIDE int bs_makeroom (receive_op *r, size_t *n, int flags) {
  r->chunk = NULL;
  if (r->op.sock->fd < 0) { /* no room for it: when a state ends, nobody would free that */
    r->op.error = EBADF;
    return BS_DONE;
  }
  if (*n > MOSTATONCE && (!r->message || (flags & MSG_ERRQUEUE))) /* that cannot be peeked at */
    *n = MOSTATONCE;
  else if (*n > MOSTATONCE) { /* no more than the next message needs */
    char byte;
    ssize_t length = recv(r->op.sock->fd, &byte, 1, flags | MSG_PEEK | MSG_TRUNC);
    if (length < 0)
      return bs_notreceived(r);
    if (length < DEFAULTSIZE) /* where it does not tell, no message is longer */
      length = DEFAULTSIZE;
    if ((size_t)length < *n)
      *n = (size_t)length;
  }
  r->chunk = bs_room(r->op.st, *n);
  if (r->chunk == NULL)
    r->op.error = BS_ENOMEM;
  return BS_DONE;
}

int bs_serveheld (bs_receive *r) {
  bs_chunk *c = bs_chunkof(r->op.sock);
  if (c == NULL || (r->flags & (MSG_OOB | MSG_ERRQUEUE)))
    return 0;
  receiveheld(r, c);
  return 1;
}

/* What was taken out of the kernel, and so must not get lost. */
static inline int consumes (const receive_op *r) {
  return !(r->flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE));
}

/* Until the values exist, the bytes belong to the socket: if memory runs out, or if a driver does
** something else before it calls finish, they are still there. */
static BS_STRAIGHT void mark (const receive_op *r) {
  bs_chunk *c = r->chunk;
  if (c->owner == NULL && consumes(r)) {
    c->owner = r->op.sock;
    c->end = r->got;
    c->sought = 0;
    c->scant = 0;
    c->peeked = 0;
    c->cut = r->cut;
    c->addrlen = r->addrlen;
    if (BS_LIKELY(r->addrlen == sizeof(struct sockaddr_in)))
      memcpy(&c->address, &r->address, sizeof(struct sockaddr_in));
    else if (r->addrlen > 0)
      memcpy(&c->address, &r->address, r->addrlen);
  }
}

/* What comes goes to the socket's chunk, and is served from there. */
static int fetch (receive_op *r) {
  bs_socket *s = r->op.sock;
  size_t n = r->n < MOSTATONCE ? r->n : MOSTATONCE;
  if (r->flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL)) {
    r->op.error = EOPNOTSUPP;
    return BS_DONE;
  }
  bs_chunk *c = s->fd >= 0 ? bs_roomafter(s, n) : NULL;
  if (c == NULL) {
    r->op.error = s->fd < 0 ? EBADF : BS_ENOMEM;
    return BS_DONE;
  }
  ssize_t got = bs_recv(s, c->data + c->end, c->size - c->end, 0);
  if (got < 0)
    return bs_notreceived(r);
  if (got > 0) {
    bs_came(s, c, (size_t)got, 0);
    bs_readheld(s);
    return receiveheld(r, bs_chunkof(s));
  }
  r->chunk = c;
  r->got = 0;
  if (r->into == NULL)
    mark(r);
  return BS_DONE;
}

BS_ASIDE int bs_receivethrough (bs_receive *r, int *want) {
  if (!bs_isthrough(r->op.sock))
    return 0;
  *want = fetch(r);
  return 1;
}

/* `from` is r->from, where the compiler can see it. */
static BS_STRAIGHT int receive (bs_op *o, bs_time patience, int from) {
  receive_op *r = (receive_op *)o;
  int flags = r->flags | bs_dontwait(patience);
  size_t n = r->n;
  char *data = r->into;
  ssize_t got;
  bs_chunk *c = o->st->scratch;
  if (!BS_LIKELY((c == NULL || c->owner != o->sock) && o->sock->held == NULL)) {
    if (!(flags & (MSG_OOB | MSG_ERRQUEUE)))
      return receiveheld(r, bs_chunkof(o->sock));
  }
  if (!BS_LIKELY(!bs_isthrough(o->sock))) {
    o->drained = 0;
    return fetch(r);
  }
  if (data == NULL &&
      BS_LIKELY(c != NULL && c->owner == NULL && c->size >= n && c->size <= MOSTATONCE)) {
    r->chunk = c;
    data = c->data;
  }
  else if (data == NULL) {
    int want = bs_makeroom(r, &n, flags);
    if (r->chunk == NULL)
      return want;
    data = r->chunk->data;
  }
  if (!from && BS_LIKELY(!r->message))
    got = recv(o->sock->fd, data, n, flags);
  else if (BS_LIKELY(r->message && tellslength(r)))
    got = receivelength(r, data, n, flags, from);
  else
    got = receivemessage(r, data, n, flags);
  if (!BS_LIKELY(got >= 0))
    return bs_notreceived(r);
  r->got = (size_t)got;
  o->drained = r->got < n;
  if (r->into == NULL)
    mark(r);
  return BS_DONE;
}

static BS_STRAIGHT int receive_step (bs_op *o, bs_time patience) {
  return receive(o, patience, 0);
}

static BS_STRAIGHT int recvfrom_step (bs_op *o, bs_time patience) {
  return receive(o, patience, 1);
}

/* Nothing may be put into a buffer that the kernel still reads. */
static BS_STRAIGHT int recvinto_step (bs_op *o, bs_time patience) {
  const receive_op *r = (const receive_op *)o;
  if (!BS_LIKELY(o->st->lent == NULL) && bs_islent(o->st, r->into)) {
    o->error = EBUSY;
    return BS_DONE;
  }
  return receive(o, patience, 0);
}

static BS_ASIDE void handedpart (const receive_op *r, size_t n) {
  if (r->message)
    bs_dropheld(r->op.sock);
  else
    bs_consumed(r->op.sock, n, r->got);
}

/* The values exist, and n bytes waited before. Pushing them may have run the collector, and so anything: the chunk may
** have moved to its owner, or be gone. (A finalizer that received from this very socket got these bytes, too.) */
static BS_STRAIGHT void handedover (const receive_op *r, size_t n) {
  bs_chunk *c = r->chunk;
  if (!consumes(r))
    return;
  if (BS_LIKELY(c == r->op.st->scratch && c->owner == r->op.sock && c->start + r->got == c->end &&
                c->size <= MOSTATONCE))
    setfree(c);
  else
    handedpart(r, n);
}

void bs_mark (const bs_receive *r) {
  mark(r);
}

void bs_handedover (const bs_receive *r, size_t n) {
  handedover(r, n);
}

static int pushcut (lua_State *L, const receive_op *r) {
  if (!r->cut)
    return 0;
  lua_pushboolean(L, 1);
  return 1;
}

static BS_STRAIGHT int recv_finish (lua_State *L, bs_op *o) {
  const receive_op *r = (const receive_op *)o;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  size_t n = bs_waiting(r);
  lua_pushlstring(L, r->chunk->data + r->chunk->start, r->got);
  handedover(r, n);
  return 1 + pushcut(L, r);
}

/* An iterator: nil ends it, and what failed is raised, as that of file:lines does. */
static BS_STRAIGHT int chunks_finish (lua_State *L, bs_op *o) {
  const receive_op *r = (const receive_op *)o;
  if (o->error != 0)
    return bs_raiseop(L, o);
  if (r->got > 0)
    return recv_finish(L, o);
  handedover(r, 0);
  lua_pushnil(L);
  return 1;
}

static BS_STRAIGHT int recvfrom_finish (lua_State *L, bs_op *o) {
  const receive_op *r = (const receive_op *)o;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  size_t n = bs_waiting(r);
  lua_pushlstring(L, r->chunk->data + r->chunk->start, r->got);
  bs_pushsender(L, o->st, &r->address, r->addrlen, o->sock->family);
  handedover(r, n);
  return 2 + pushcut(L, r);
}

static BS_SELDOM int notinto (lua_State *L, const receive_op *r) {
  if (r->op.error == EBUSY && bs_islent(r->op.st, r->into))
    return bs_failtext(L, "recvinto", BS_LENTBUFFER, EBUSY);
  return bs_failop(L, &r->op, NULL);
}

static BS_STRAIGHT int recvinto_finish (lua_State *L, bs_op *o) {
  const receive_op *r = (const receive_op *)o;
  if (o->error != 0)
    return notinto(L, r);
  if (r->chunk != NULL)
    handedover(r, bs_waiting(r));
  lua_pushinteger(L, (lua_Integer)r->got);
  return 1 + pushcut(L, r);
}

/* ---- not just what is there ---- */

/* MSG_WAITALL on a stream: the bytes gather in the socket's own chunk, where an error or Ctrl-C leaves them. A timeout
** gives what there is, as POSIX has it. */
static int gather_step (bs_op *o, bs_time patience) {
  receive_op *r = (receive_op *)o;
  bs_socket *s = o->sock;
  bs_chunk *c = bs_chunkof(s);
  size_t have = c != NULL ? c->end - c->start : 0;
  if (have >= r->n)
    return BS_DONE;
  if (s->fd < 0) { /* no room for it, as above */
    o->error = EBADF;
    return BS_DONE;
  }
  size_t most = r->n - have < MOSTATONCE ? r->n - have : MOSTATONCE;
  c = bs_roomafter(s, most);
  if (c == NULL) {
    o->error = BS_ENOMEM;
    return BS_DONE;
  }
  int peeked = bs_peekoff(s);
  ssize_t got = bs_recv(s, c->data + c->end, most, r->flags | bs_dontwait(patience));
  if (got < 0)
    return bs_notreceived(r);
  if (got == 0)
    return BS_DONE;
  bs_came(s, c, (size_t)got, peeked);
  bs_readheld(s);
  return have + (size_t)got < r->n ? BS_AGAIN : BS_DONE;
}

/* Pushes r->got bytes of the chunk, the first ones but `skip`, and the sender if it is wanted. */
static int pushpart (lua_State *L, receive_op *r, const bs_chunk *c, size_t skip) {
  const char *data = c != NULL ? c->data + c->start + skip : "";
  if (c != NULL)
    heldsender(r, c);
  if (r->into != NULL) {
    memcpy(r->into, data, r->got);
    lua_pushinteger(L, (lua_Integer)r->got);
  }
  else
    lua_pushlstring(L, data, r->got);
  if (r->from)
    bs_pushsender(L, r->op.st, &r->address, r->addrlen, r->op.sock->family);
  return 1 + r->from;
}

static int gather_finish (lua_State *L, bs_op *o) {
  receive_op *r = (receive_op *)o;
  bs_chunk *c = bs_chunkof(o->sock);
  size_t have = c != NULL ? c->end - c->start : 0;
  int late = o->error == EAGAIN || o->error == BS_ETIMEOUT;
  if (r->into != NULL && bs_islent(o->st, r->into))
    o->error = EBUSY;
  else if (late && have > 0)
    o->error = 0;
  if (o->error != 0)
    return notinto(L, r);
  r->chunk = c;
  r->got = have < r->n ? have : r->n;
  int n = pushpart(L, r, c, 0);
  if (c != NULL)
    handedover(r, have);
  if (o->st->waiter && bs_readable(o->sock))
    bs_tellleft(L, o->sock, 1);
  return n;
}

/* Peeking under SO_PEEK_OFF, where some of the bytes were read ahead: first they, and then the kernel's. */
static int peek_step (bs_op *o, bs_time patience) {
  receive_op *r = (receive_op *)o;
  const bs_chunk *c = bs_chunkof(o->sock);
  size_t have = c != NULL ? c->end - c->start : 0, n = r->n;
  if (c != NULL && c->peeked < have) {
    r->chunk = bs_chunkof(o->sock);
    r->got = have - c->peeked < n ? have - c->peeked : n;
    return BS_DONE;
  }
  int want = bs_makeroom(r, &n, r->flags);
  if (r->chunk == NULL)
    return want;
  ssize_t got = recv(o->sock->fd, r->chunk->data, n, r->flags | bs_dontwait(patience));
  if (got < 0)
    return bs_notreceived(r);
  r->got = (size_t)got;
  return BS_DONE;
}

static int peek_finish (lua_State *L, bs_op *o) {
  receive_op *r = (receive_op *)o;
  bs_chunk *c = r->chunk;
  if (o->error != 0)
    return notinto(L, r);
  if (c == NULL || c->owner != o->sock)
    return pushpart(L, r, c, 0);
  size_t skip = c->peeked;
  c->peeked += r->got;
  return pushpart(L, r, c, skip);
}

/* SO_RCVLOWAT: where the call itself has to wait, and not the kernel, it does not begin before there are so many bytes. */
typedef struct lowat_op {
  bs_receive r; /* the first member */
  const bs_kind *plain;
  int least;
} lowat_op;

/* Are there? Or will there be no more? (Linux' poll knows the option of TCP, and not of unix sockets.) */
static int areenough (const lowat_op *w) {
  int fd = w->r.op.sock->fd, n = 0;
  struct pollfd p;
  p.fd = fd;
  p.events = POLLIN;
#if defined(POLLRDHUP)
  p.events |= POLLRDHUP;
#endif
  p.revents = 0;
  if (poll(&p, 1, 0) == 0)
    return 0;
  return (p.revents & ~POLLIN) != 0 || ioctl(fd, FIONREAD, &n) != 0 || n >= w->least || n == 0;
}

static int lowat_step (bs_op *o, bs_time patience) {
  const lowat_op *w = (const lowat_op *)o;
  if (patience == BS_NEVER && !bs_pending(o->sock) && o->sock->fd >= 0 && !areenough(w))
    return BS_READ;
  return w->plain->step(o, patience);
}

/* A timeout gives what there is. */
static int lowat_finish (lua_State *L, bs_op *o) {
  const bs_kind *plain = ((const lowat_op *)o)->plain;
  if (o->error == BS_ETIMEOUT) {
    o->error = 0;
    if (plain->step(o, BS_NEVER) != BS_DONE)
      o->error = BS_ETIMEOUT;
  }
  return plain->finish(L, o);
}

/* No room for a sender's address: thousands of tasks may have a copy of such an operation. */
#define NOADDRESS char[offsetof(bs_receive, address)]

/* So a task has room for it without asking for memory. */
typedef char fits[offsetof(bs_receive, address) <= BS_USUALOP ? 1 : -1];

static const bs_kind recv_kind = {BS_CALL("recv", NOADDRESS), .traits = BS_RECEIVETRAITS,
                                  .step = receive_step, .finish = recv_finish};

static const bs_kind chunks_kind = {BS_CALL("chunks", NOADDRESS), .traits = BS_RECEIVETRAITS,
                                    .step = receive_step, .finish = chunks_finish};

static const bs_kind recvfrom_kind = {BS_CALL("recvfrom", receive_op), .traits = BS_RECEIVETRAITS,
                                      .step = recvfrom_step, .finish = recvfrom_finish};

static const bs_kind recvinto_kind = {BS_CALL("recvinto", NOADDRESS), .traits = BS_RECEIVETRAITS,
                                      .step = recvinto_step, .finish = recvinto_finish};

static const bs_kind gather_kind = {BS_CALL("recv", receive_op), .traits = BS_RECEIVETRAITS,
                                    .step = gather_step, .finish = gather_finish};

static const bs_kind gatherfrom_kind = {BS_CALL("recvfrom", receive_op), .traits = BS_RECEIVETRAITS,
                                        .step = gather_step, .finish = gather_finish};

static const bs_kind gatherinto_kind = {BS_CALL("recvinto", receive_op), .traits = BS_RECEIVETRAITS,
                                        .step = gather_step, .finish = gather_finish};

static const bs_kind peek_kind = {BS_CALL("recv", NOADDRESS), .traits = BS_RECEIVETRAITS,
                                  .step = peek_step, .finish = peek_finish};

static const bs_kind peekfrom_kind = {BS_CALL("recvfrom", receive_op), .traits = BS_RECEIVETRAITS,
                                      .step = peek_step, .finish = peek_finish};

static const bs_kind peekinto_kind = {BS_CALL("recvinto", NOADDRESS), .traits = BS_RECEIVETRAITS,
                                      .step = peek_step, .finish = peek_finish};

static const bs_kind lowat_kind = {BS_CALL("recv", lowat_op), .traits = BS_RECEIVETRAITS,
                                   .step = lowat_step, .finish = lowat_finish};

static const bs_kind lowatfrom_kind = {BS_CALL("recvfrom", lowat_op), .traits = BS_RECEIVETRAITS,
                                       .step = lowat_step, .finish = lowat_finish};

static const bs_kind lowatinto_kind = {BS_CALL("recvinto", lowat_op), .traits = BS_RECEIVETRAITS,
                                       .step = lowat_step, .finish = lowat_finish};

static const bs_kind lowatchunk_kind = {BS_CALL("chunks", lowat_op), .traits = BS_RECEIVETRAITS,
                                        .step = lowat_step, .finish = lowat_finish};

/* What becomes of a receive that is not as simple as most. */
static const struct rarely {
  const bs_kind *plain, *waitall, *lowat, *peek;
} rarely[] = {
  {&recv_kind, &gather_kind, &lowat_kind, &peek_kind},
  {&recvfrom_kind, &gatherfrom_kind, &lowatfrom_kind, &peekfrom_kind},
  {&recvinto_kind, &gatherinto_kind, &lowatinto_kind, &peekinto_kind},
  {&chunks_kind, NULL, &lowatchunk_kind, NULL}, /* has no flags */
};

static BS_STRAIGHT void initreceive (bs_receive *r, const bs_kind *kind, bs_socket *s) {
  bs_initop(&r->op, kind, s->st, s);
  r->n = DEFAULTSIZE;
  r->into = NULL;
  r->chunk = NULL;
  r->flags = 0;
  r->message = s->type != SOCK_STREAM;
  r->from = 0;
  r->cut = 0;
  r->addrlen = 0;
}

void bs_initreceive (bs_receive *r, const bs_kind *kind, bs_socket *s) {
  initreceive(r, kind, s);
}

size_t bs_checkcount (lua_State *L, int arg) {
  int isinteger;
  lua_Integer n = lua_tointegerx(L, arg, &isinteger);
  if (!isinteger)
    n = luaL_optinteger(L, arg, DEFAULTSIZE);
  luaL_argcheck(L, n >= 0, arg, "count must not be negative");
  return (lua_Unsigned)n > SIZE_MAX ? SIZE_MAX : (size_t)n;
}

void bs_setreceiveflags (bs_receive *r, int flags) {
  bs_setflags(&r->op, flags);
  r->op.flagged = flags != 0;
  r->op.beside = (flags & (MSG_OOB | MSG_ERRQUEUE)) != 0;
  if (!r->message)
    flags &= ~MSG_TRUNC; /* on TCP it would throw away what nobody has seen */
  r->flags = flags;
}

/* SO_RCVLOWAT, where the call has to keep to it. One that must not wait takes what is there, as in the kernel. */
static int leastof (const receive_op *r) {
  int lowat = 1;
  socklen_t len = sizeof(lowat);
  const bs_socket *s = r->op.sock;
  if (!(s->marks & BS_LOWAT) || bs_isthrough(s) || r->op.timeout == 0 ||
      getsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, &len) != 0)
    return 1;
  return r->n < (size_t)lowat ? (int)r->n : lowat;
}

static BS_ASIDE int runaside (lua_State *L, receive_op *r) {
  const bs_socket *s = r->op.sock;
  const struct rarely *k = rarely;
  lowat_op w;
  while (k->plain != r->op.kind)
    k++;
  if (!r->message && (r->flags & MSG_PEEK) && (s->marks & BS_PEEKS) && bs_pending(s) &&
      !bs_isthrough(s))
    r->op.kind = k->peek;
  else if (!r->message && (r->flags & MSG_WAITALL) && consumes(r))
    r->op.kind = k->waitall;
  else if (!r->message && consumes(r) && (w.least = leastof(r)) > 1) {
    memcpy(&w.r, r, offsetof(bs_receive, address));
    w.plain = k->plain;
    w.r.op.kind = k->lowat;
    w.r.op.flagged = 1; /* what the loop remembers says nothing of it */
    return bs_run(L, &w.r.op);
  }
  return bs_run(L, &r->op);
}

#define issimple(r, top, most) BS_LIKELY((top) <= (most) && !((r)->op.sock->marks & BS_LOWAT))

/* The answer to a request for no bytes: at once, but not from a closed socket. */
static int nothing (lua_State *L, const receive_op *r, int text) {
  if (r->op.sock->fd < 0)
    return bs_fail(L, r->op.kind->name, EBADF);
  if (text)
    lua_pushliteral(L, "");
  else
    lua_pushinteger(L, 0);
  return 1;
}

/* s:recv([n [, flags]]) */
static int receive_recv (lua_State *L) {
  receive_op r;
  int top = lua_gettop(L);
  initreceive(&r, &recv_kind, bs_self(L));
  if (top > 1)
    r.n = bs_checkcount(L, 2);
  if (top > 2)
    bs_setreceiveflags(&r, bs_optconstant(L, 3, "MSG_\0", 0));
  if (r.n == 0)
    return nothing(L, &r, 1);
  return issimple(&r, top, 2) ? bs_runinline(L, &r.op, &recv_kind) : runaside(L, &r);
}

/* The socket and n of the loop are its only upvalues. */
static int chunks_next (lua_State *L) {
  receive_op r;
  initreceive(&r, &chunks_kind, (bs_socket *)lua_touserdata(L, lua_upvalueindex(1)));
  r.n = (size_t)lua_tointeger(L, lua_upvalueindex(2));
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1)); /* where calls of sockets have it */
  return issimple(&r, 0, 0) ? bs_runinline(L, &r.op, &chunks_kind) : runaside(L, &r);
}

/* for data in s:chunks([n]) do */
static int receive_chunks (lua_State *L) {
  bs_checkstream(L, "chunks");
  size_t n = bs_checkcount(L, 2);
  luaL_argcheck(L, n > 0, 2, "a chunk has at least one byte");
  lua_settop(L, 1);
  lua_pushinteger(L, (lua_Integer)n);
  lua_pushcclosure(L, chunks_next, 2);
  return 1;
}

/* s:recvfrom([n [, flags]]) */
static int receive_recvfrom (lua_State *L) {
  receive_op r;
  int top = lua_gettop(L);
  initreceive(&r, &recvfrom_kind, bs_self(L));
  r.from = 1;
  if (top > 1)
    r.n = bs_checkcount(L, 2);
  if (top > 2)
    bs_setreceiveflags(&r, bs_optconstant(L, 3, "MSG_\0", 0));
  if (r.n == 0 && !r.message)
    return nothing(L, &r, 1);
  return issimple(&r, top, 2) ? bs_runinline(L, &r.op, &recvfrom_kind) : runaside(L, &r);
}

/* s:recvinto(buffer [, n [, i [, flags]]]) */
static int receive_recvinto (lua_State *L) {
  receive_op r;
  bs_initreceive(&r, &recvinto_kind, bs_checksocket(L, 1));
  bs_buffer *b = bs_checkbuffer(L, 2);
  lua_Integer size = (lua_Integer)b->size, i = luaL_optinteger(L, 4, 1);
  luaL_argcheck(L, i >= 1 && i <= size + 1, 4, "position outside the buffer");
  lua_Integer n = luaL_optinteger(L, 3, size - i + 1);
  luaL_argcheck(L, n >= 0 && n <= size - i + 1, 3, "count outside the buffer");
  r.n = (size_t)n;
  r.into = b->data + (i - 1);
  if (lua_gettop(L) > 4)
    bs_setreceiveflags(&r, bs_optconstant(L, 5, "MSG_\0", 0));
  if (n == 0)
    return nothing(L, &r, 0);
  return runaside(L, &r);
}

/* s:sockatmark(). The function of that name is this ioctl with `at` left as it was, which valgrind
** takes for a mistake. The kernel is at the mark already when what was read ahead stands before it. */
static int receive_sockatmark (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  int at = 0;
  if (ioctl(s->fd, SIOCATMARK, &at) < 0)
    return bs_fail(L, "sockatmark", errno);
  lua_pushboolean(L, at && bs_chunkof(s) == NULL);
  return 1;
}

static const luaL_Reg methods[] = {
  {"chunks", receive_chunks},         {"recv", receive_recv},
  {"recvfrom", receive_recvfrom},     {"recvinto", receive_recvinto},
  {"sockatmark", receive_sockatmark}, {NULL, NULL},
};

void bs_openreceive (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
