/*
** recvmsg.c: messages with all that belongs to them, as they arrive: recvmsg recvmmsg. The sender, control data
** (how that looks is in control.c), and the descriptors that came along. What becomes of bytes that have left
** the kernel and are not in Lua yet is in transfer.c; messages are sent by sendmsg.c.
**
** The room for control data is a userdata, an *inbox*. A descriptor is in it from recvmsg(2) on until a Lua
** object has it, and its finalizer closes what nobody took. So none leaks, whatever fails in between.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/msghdr.h"
#include "base/open.h"
#include "call/receive.h"
#include "object/control.h"
#include "object/lend.h"
#include "op/run.h"

#if defined(SO_PASSSEC) && !defined(SCM_PIDFD) /* a kernel may be newer than its headers here */
#define SCM_PIDFD 4
#endif
#if !defined(MSG_CMSG_CLOEXEC)
#define MSG_CMSG_CLOEXEC 0
#endif

#define MOSTROOM ((lua_Integer)1 << 28) /* what recvmmsg may ask for, count times n */

/* Room for control data unless the call says how much: 253 descriptors, the most that can come at once
** (1032 bytes), with credentials, timestamps, packet information and an error beside them. */
#define CONTROLSIZE 2048
#define MOSTCONTROL (1 << 18) /* no message has more */
#define MOSTDESCRIPTORS 254   /* nor can more of them come at once; an even number */

/* ==== platform: several messages in one system call ==== */

#if defined(MSG_WAITFORONE)

BS_ANYWIDTH
static int sys_recvmmsg (int fd, bs_header *h, unsigned n, int flags) {
  return recvmmsg(fd, h, n, flags | MSG_WAITFORONE, NULL);
}
BS_ANYWIDTHEND

#else /* one after the other: as good, but for the time it takes */

static int sys_recvmmsg (int fd, bs_header *h, unsigned n, int flags) {
  unsigned i;
  for (i = 0; i < n; i++) {
    ssize_t len = recvmsg(fd, &h[i].msg_hdr, i > 0 ? flags | MSG_DONTWAIT : flags);
    if (len < 0)
      break;
    h[i].msg_len = (unsigned)len;
  }
  return i > 0 ? (int)i : -1;
}

#endif

/* ==== the inbox ==== */

typedef struct Inbox {
  size_t len; /* of what has come */
  size_t size;
  char control[];
} Inbox;

/* Of recvmsg: its metatable; at 1 there is that of messages. */
#define INBOX lua_upvalueindex(BS_NUP + 1)

static int isrights (const bs_control *c) {
  return c->level == SOL_SOCKET && c->type == SCM_RIGHTS;
}

static int ispidfd (const bs_control *c) {
#if defined(SCM_PIDFD)
  return c->level == SOL_SOCKET && c->type == SCM_PIDFD;
#else
  (void)c;
  return 0;
#endif
}

/* How many descriptors are in it. */
static size_t ndescriptors (const bs_control *c) {
  return isrights(c) || ispidfd(c) ? c->len / sizeof(int) : 0;
}

static int getdescriptor (const bs_control *c, size_t i) {
  int fd;
  memcpy(&fd, c->data + i * sizeof(fd), sizeof(fd));
  return fd;
}

/* Somebody else has it now. */
static void taken (const bs_control *c, size_t i) {
  int none = -1;
  memcpy(c->data + i * sizeof(none), &none, sizeof(none));
}

/* Those that nobody has taken. True if there was one. */
static int closedescriptors (void *control, size_t len) {
  bs_control c;
  int any = 0;
  for (size_t at = 0; bs_nextcontrol(control, len, &at, &c);) {
    for (size_t i = 0; i < ndescriptors(&c); i++) {
      int fd = getdescriptor(&c, i);
      taken(&c, i);
      if (fd >= 0) {
        close(fd);
        any = 1;
      }
    }
  }
  return any;
}

static int inbox_gc (lua_State *L) {
  Inbox *box = (Inbox *)lua_touserdata(L, 1);
  (void)closedescriptors(box->control, box->len);
  return 0;
}

static Inbox *newinbox (lua_State *L, const bs_socket *s, size_t size) {
  Inbox *box = (Inbox *)lua_newuserdatauv(L, sizeof(Inbox) + size, 0);
  box->len = 0;
  box->size = size;
  if (bs_carriesfds(s)) {
    lua_pushvalue(L, INBOX);
    lua_setmetatable(L, -2);
  }
  return box;
}

/* ---- descriptors become objects ---- */

/* The object is made closed, and then takes the descriptor from the inbox. */
static void pushdescriptor (lua_State *L, const bs_control *c, size_t i) {
  int fd = getdescriptor(c, i);
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
    bs_socket *s = bs_newsocket(L, AF_UNSPEC, 0, 0);
    if (bs_adopt(s, fd) != 0)
      return;              /* a closed one: better than another program's */
    s->flags |= BS_SHARED; /* with who sent it */
  }
  else {
    luaL_Stream *p = bs_newfile(L);
    if (!bs_openfile(p, fd))
      bs_memory(L);
  }
  taken(c, i);
}

static void pushfds (lua_State *L, Inbox *box) {
  lua_Integer n = 0;
  bs_control c;
  for (size_t at = 0; bs_nextcontrol(box->control, box->len, &at, &c);)
    n += (lua_Integer)ndescriptors(&c);
  lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
  n = 0;
  for (size_t at = 0; bs_nextcontrol(box->control, box->len, &at, &c);) {
    for (size_t i = 0; isrights(&c) && i < ndescriptors(&c); i++) {
      pushdescriptor(L, &c, i);
      lua_rawseti(L, -2, ++n);
    }
  }
}

static int pushentryvalue (lua_State *L, const bs_control *c) {
  if (ispidfd(c) && ndescriptors(c) == 1) {
    if (getdescriptor(c, 0) < 0)
      return 0;
    pushdescriptor(L, c, 0);
    return 1;
  }
  return bs_pushcontrol(L, c->level, c->type, c->data, c->len);
}

/* An array of the entries that are no descriptors for `fds`. */
static void pushcontrol (lua_State *L, void *control, size_t len) {
  lua_Integer n = 0;
  bs_control c;
  lua_newtable(L);
  for (size_t at = 0; bs_nextcontrol(control, len, &at, &c);) {
    if (isrights(&c))
      continue;
    lua_createtable(L, 0, 4);
    bs_setinteger(L, "level", c.level);
    bs_setinteger(L, "type", c.type);
    lua_pushlstring(L, (const char *)c.data, c.len);
    lua_setfield(L, -2, "data");
    if (pushentryvalue(L, &c))
      lua_setfield(L, -2, "value");
    lua_rawseti(L, -2, ++n);
  }
}

/* ---- <close> of a message, and of its array of descriptors ---- */

static int isdescriptor (lua_State *L, int idx) {
  if ((bs_testsocket(L, idx) == NULL && luaL_testudata(L, idx, LUA_FILEHANDLE) == NULL) ||
      luaL_getmetafield(L, idx, "__close") == LUA_TNIL)
    return 0;
  lua_pop(L, 1);
  return 1;
}

/* Pushes the sockets and files in the table at idx, and with `field` those in this field of the tables in it. */
static void gather (lua_State *L, int idx, const char *field) {
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    luaL_checkstack(L, 8, NULL);
    if (field != NULL && lua_type(L, -1) == LUA_TTABLE) {
      lua_getfield(L, -1, field);
      lua_remove(L, -2);
    }
    if (isdescriptor(L, -1))
      lua_insert(L, -2); /* below the key */
    else
      lua_pop(L, 1);
  }
}

/* The fields of a message are at 2 and 3. Each is closed, whatever becomes of the others. */
static int received_close (lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "fds");
  lua_getfield(L, 1, "control");
  gather(L, 1, NULL);
  if (lua_type(L, 2) == LUA_TTABLE)
    gather(L, 2, NULL);
  if (lua_type(L, 3) == LUA_TTABLE)
    gather(L, 3, "value");
  for (int i = 4, n = lua_gettop(L); i <= n; i++)
    lua_toclose(L, i);
  return 0;
}

/* Of the table on the top. */
static void setclosable (lua_State *L) {
  lua_rawgeti(L, INBOX, 1);
  lua_setmetatable(L, -2);
}

/* ==== receiving ==== */

/* The fields that every received message has. Its data is on the top, and popped; the table is below, the sender at an
** index. */
static BS_STRAIGHT void setmessage (lua_State *L, int sender, int flags) {
  lua_setfield(L, -2, "data");
  lua_pushvalue(L, sender);
  lua_setfield(L, -2, "address");
  lua_pushinteger(L, flags);
  lua_setfield(L, -2, "flags");
  lua_pushboolean(L, (flags & MSG_TRUNC) != 0);
  lua_setfield(L, -2, "truncated");
}

/* And it takes nothing from who receives. */
static void notenothing (bs_receive *r) {
  if (r->n == 0 && !r->message)
    r->op.beside = 1;
}

/* For no bytes of a stream nobody waits; but there may be an error without any. */
static int wantsnothing (bs_receive *r) {
  if (r->n > 0 || r->message || (r->flags & MSG_ERRQUEUE))
    return 0;
  r->got = 0;
  r->op.error = r->op.sock->fd < 0 ? EBADF : 0;
  return 1;
}

typedef struct recvmsg_op {
  bs_receive r; /* the first member */
  Inbox *box;   /* on the stack */
  int flags;    /* of the message */
  int looked;   /* so often it has looked ahead in vain; 2: it does so no more */
} recvmsg_op;

/* Where recvmsg(2) did not do it. */
static void closeonexec (Inbox *box) {
  bs_control c;
  for (size_t at = 0; bs_nextcontrol(box->control, box->len, &at, &c);)
    for (size_t i = 0; i < ndescriptors(&c); i++)
      (void)fcntl(getdescriptor(&c, i), F_SETFD, FD_CLOEXEC);
}

#if defined(SO_PEEK_OFF) /* where a look gives descriptors of its own */

/* Might the descriptors of one message not find room? The lowest free numbers are given first: so where the process has
** many, some of the highest that it may have are in use. */
static int nearlyfull (void) {
  struct rlimit limit;
  struct pollfd high[3];
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
    return 0;
  if (limit.rlim_cur <= MOSTDESCRIPTORS)
    return 1;
  for (int i = 0; i < 3; i++) {
    high[i].fd = (int)limit.rlim_cur - 1 - i * (MOSTDESCRIPTORS / 2);
    high[i].events = high[i].revents = 0;
  }
  if (poll(high, 3, 0) < 0)
    return 1;
  return !(high[0].revents & high[1].revents & high[2].revents & POLLNVAL);
}

/* What finds no room in the process's table is lost. So where that may be, it is tried by a look before: then there is
** still time for the collector. True: the step has its answer. */
static int lookahead (recvmsg_op *m, bs_time patience, int *want) {
  bs_receive *r = &m->r;
  bs_op *o = &r->op;
  char byte;
  struct iovec piece = {&byte, 1};
  struct msghdr msg;
  if (m->looked > 1 || !bs_carriesfds(o->sock) || m->box->size == 0 ||
      (r->flags & (MSG_OOB | MSG_ERRQUEUE)) || !nearlyfull())
    return 0;
  memset(&msg, 0, sizeof(msg));
  msg.msg_iov = &piece;
  msg.msg_iovlen = 1;
  bs_setcontrol(&msg, m->box->control, m->box->size);
  ssize_t got =
    recvmsg(o->sock->fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC); /* here all know it */
  *want = BS_READ;
  if (
    got <
    0) /* before the call itself would wait; a second time in vain it peeks elsewhere: SO_PEEK_OFF */
    return bs_isagain(errno) && patience != BS_NEVER && m->looked++ == 0;
  (void)closedescriptors(m->box->control, msg.msg_controllen);
  if (!(msg.msg_flags & MSG_CTRUNC))
    return 0;
  m->looked = 2;
  o->error = EMFILE;
  *want = BS_DONE;
  return 1;
}

#else

static int lookahead (recvmsg_op *m, bs_time patience, int *want) {
  (void)m, (void)patience, (void)want;
  return 0;
}

#endif

static int recvmsg_step (bs_op *o, bs_time patience) {
  recvmsg_op *m = (recvmsg_op *)o;
  bs_receive *r = &m->r;
  int flags = r->flags | bs_dontwait(patience);
  size_t n = r->n;
  struct iovec piece;
  struct msghdr msg;
  if (wantsnothing(r))
    return BS_DONE;
  if (bs_serveheld(r)) {
    m->flags = r->cut ? MSG_TRUNC : 0;
    return BS_DONE;
  }
  int want;
  if (bs_receivethrough(r, &want)) {
    m->flags = 0;
    return want;
  }
  if (lookahead(m, patience, &want))
    return want;
  want = bs_makeroom(r, &n, flags);
  if (r->chunk == NULL)
    return want;
  piece.iov_base = r->chunk->data;
  piece.iov_len = n;
  memset(&msg, 0, sizeof(msg));
  msg.msg_name = &r->address;
  msg.msg_namelen = sizeof(r->address);
  msg.msg_iov = &piece;
  msg.msg_iovlen = 1;
  bs_setcontrol(&msg, m->box->size > 0 ? m->box->control : NULL, m->box->size);
  if (bs_carriesfds(o->sock)) /* some others take the flag for a mistake */
    flags |= MSG_CMSG_CLOEXEC;
  ssize_t got = recvmsg(o->sock->fd, &msg, flags);
  if (got < 0)
    return bs_notreceived(r);
  m->box->len = msg.msg_controllen;
  if (!(flags & MSG_CMSG_CLOEXEC))
    closeonexec(m->box);
  m->flags = msg.msg_flags & ~MSG_CMSG_CLOEXEC;
  r->addrlen = msg.msg_namelen;
  r->cut = (msg.msg_flags & MSG_TRUNC) != 0;
  r->got = (size_t)got < n ? (size_t)got : n; /* MSG_TRUNC tells the whole length */
  return BS_DONE;
}

/* Pushes the bytes in the chunk, or none, and the sender. Before anything else is made: that may run the collector, and
** a finalizer that receives has the chunk emptied or given back. */
static void pushhere (lua_State *L, const bs_receive *r) {
  lua_pushlstring(L, r->chunk != NULL ? r->chunk->data + r->chunk->start : "", r->got);
  bs_pushsender(L, r->op.st, &r->address, r->addrlen, r->op.sock->family);
}

/* These two are below the table on the top, which is for them. */
static void sethere (lua_State *L, int flags) {
  lua_pushvalue(L, -3);
  setmessage(L, lua_gettop(L) - 2, flags);
}

static int recvmsg_finish (lua_State *L, bs_op *o) {
  const recvmsg_op *m = (const recvmsg_op *)o;
  const bs_receive *r = &m->r;
  if (r->flags & MSG_ERRQUEUE)
    bs_lendnotice(L, o->sock, m->box->control, m->box->len);
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  if (r->chunk != NULL)
    bs_mark(r); /* before anything can fail */
  size_t n = r->chunk != NULL ? bs_waiting(r) : 0;
  luaL_checkstack(L, 8, NULL);
  pushhere(L, r);
  lua_createtable(L, 0, 6);
  sethere(L, m->flags);
  setclosable(L);
  pushfds(L, m->box);
  setclosable(L);
  lua_setfield(L, -2, "fds");
  pushcontrol(L, m->box->control, m->box->len);
  lua_setfield(L, -2, "control");
  if (r->chunk != NULL)
    bs_handedover(r, n);
  return 1;
}

static const bs_kind recvmsg_kind = {BS_CALL("recvmsg", recvmsg_op),
                                     .traits = BS_RECEIVETRAITS | BS_OPENS, .step = recvmsg_step,
                                     .finish = recvmsg_finish};

static const char *const recvmsg_options[] = {"control", "flags", NULL};

/* The options at arg: gives the room for control data, `size` unless they have it. */
static size_t checkoptions (lua_State *L, int arg, bs_receive *r, lua_Integer size) {
  bs_place at = {arg, 0, NULL, 0, NULL};
  if (lua_isnoneornil(L, arg))
    return (size_t)size;
  bs_checkfields(L, &at, arg, recvmsg_options);
  at.field = "control";
  if (lua_getfield(L, arg, "control") != LUA_TNIL)
    size = bs_checkwithin(L, &at, -1, 0, INT_MAX);
  at.field = "flags";
  if (lua_getfield(L, arg, "flags") != LUA_TNIL)
    bs_setreceiveflags(r, bs_checknamed(L, &at, -1, "MSG_\0"));
  lua_pop(L, 2);
  return size < MOSTCONTROL ? (size_t)size : MOSTCONTROL;
}

/* s:recvmsg([n [, {control=bytes, flags=}]]) */
static int recvmsg_recvmsg (lua_State *L) {
  recvmsg_op m;
  bs_socket *s = bs_checksocket(L, 1);
  lua_settop(L, 3);
  bs_initreceive(&m.r, &recvmsg_kind, s);
  m.r.from = 1;
  m.r.n = bs_checkcount(L, 2);
  m.box = newinbox(L, s, checkoptions(L, 3, &m.r, CONTROLSIZE));
  m.flags = m.looked = 0;
  notenothing(&m.r);
  return bs_run(L, &m.r.op);
}

/* ---- several at once ---- */

/* What a header points to; the bytes follow, and then the room for control data. */
typedef struct Slot {
  struct iovec piece;
  struct sockaddr_storage address;
} Slot;

/* Room for `count` messages of n bytes: this, as many headers, as many slots. With the state's allocator, and not as
** a userdata: most of it will never be touched, and the collector should not hurry for its sake. The state keeps one
** for the next call. */
struct bs_block {
  size_t n;
  size_t control; /* bytes for each */
  unsigned count;
  bs_header headers[];
};

/* A call's own block. The collector gives it back where an error was raised. */
typedef struct Hold {
  bs_state *st;
  bs_block *block; /* NULL: none now */
} Hold;

#define HOLD lua_upvalueindex(BS_NUP + 1) /* of recvmmsg: its metatable */

/* What a slot needs, which may be more than a pointer does: some systems have an int64_t in a sockaddr_storage. */
typedef struct Aligned {
  char first;
  Slot slot;
} Aligned;

#define ALIGNMENT offsetof(Aligned, slot)

static size_t aligned (size_t n) {
  return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* From slot to slot. */
static size_t stride (size_t n, size_t control) {
  return sizeof(Slot) + aligned(n) + aligned(control);
}

static size_t blocksize (unsigned count, size_t n, size_t control) {
  return offsetof(bs_block, headers) + count * (sizeof(bs_header) + stride(n, control));
}

static bs_block *newblock (const bs_state *st, unsigned count, size_t n, size_t control) {
  bs_block *b = (bs_block *)st->alloc(st->allocdata, NULL, 0, blocksize(count, n, control));
  if (b == NULL)
    return NULL;
  b->n = n;
  b->control = control;
  b->count = count;
  memset(b->headers, 0, count * sizeof(bs_header));
  char *place = (char *)(b->headers + count);
  for (unsigned i = 0; i < count; i++, place += stride(n, control)) {
    struct msghdr *h = &b->headers[i].msg_hdr;
    Slot *slot = (Slot *)(void *)place;
    slot->piece.iov_base = slot + 1;
    slot->piece.iov_len = n;
    h->msg_name = &slot->address;
    h->msg_iov = &slot->piece;
    h->msg_iovlen = 1;
    h->msg_control = control > 0 ? (char *)(slot + 1) + aligned(n) : NULL;
  }
  return b;
}

static void freeblock (const bs_state *st, bs_block *b) {
  if (b != NULL)
    st->alloc(st->allocdata, b, blocksize(b->count, b->n, b->control), 0);
}

void bs_dropblock (bs_state *st) {
  freeblock(st, st->block);
  st->block = NULL;
}

/* False when memory is out. */
static int takeblock (Hold *hold, unsigned count, size_t n, size_t control) {
  bs_state *st = hold->st;
  bs_block *b = st->block;
  if (b != NULL && b->count == count && b->n == n && b->control == control)
    st->block = NULL;
  else if ((b = newblock(st, count, n, control)) == NULL)
    return 0;
  for (unsigned i = 0; i < count; i++) {
    b->headers[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_storage);
    b->headers[i].msg_hdr.msg_controllen = (socklen_t)control;
  }
  hold->block = b;
  return 1;
}

static void giveback (Hold *hold) {
  bs_state *st = hold->st;
  bs_block *b = hold->block;
  hold->block = NULL;
  if (b != NULL && blocksize(b->count, b->n, b->control) <= BS_MOSTKEPT) {
    bs_dropblock(st);
    st->block = b;
  }
  else
    freeblock(st, b);
}

static int hold_gc (lua_State *L) {
  giveback((Hold *)lua_touserdata(L, 1));
  return 0;
}

typedef struct recvmmsg_op {
  bs_receive r;   /* the first member; n is that of one message */
  Hold *hold;     /* on the stack; without a block the one message is in r */
  size_t control; /* room for each one's */
  unsigned count; /* so many at most */
  unsigned got;
} recvmmsg_op;

/* The end of a connection comes again and again, as messages without bytes: once is enough. */
static unsigned withoutends (const recvmmsg_op *m, unsigned got) {
  const bs_socket *s = m->r.op.sock;
  const bs_header *headers = m->hold->block->headers;
  if (s->type == SOCK_STREAM) {
    for (unsigned i = 0; i < got; i++)
      if (headers[i].msg_len == 0)
        return i + 1;
  }
#if defined(POLLRDHUP)
  else if (s->type == SOCK_SEQPACKET && got == m->count) {
    struct pollfd p = {s->fd, POLLRDHUP, 0};
    if (headers[got - 1].msg_len == 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP))
      while (got > 1 && headers[got - 2].msg_len == 0)
        got--;
  }
#endif
  return got;
}

/* Only recvmsg receives descriptors: others that come along are closed, and the message says that something is gone. */
static void refusedescriptors (const recvmmsg_op *m, unsigned got) {
  if (m->control == 0 || !bs_carriesfds(m->r.op.sock))
    return;
  for (unsigned i = 0; i < got; i++) {
    struct msghdr *h = &m->hold->block->headers[i].msg_hdr;
    if (closedescriptors(h->msg_control, h->msg_controllen))
      h->msg_flags |= MSG_CTRUNC;
  }
}

static int recvmmsg_step (bs_op *o, bs_time patience) {
  recvmmsg_op *m = (recvmmsg_op *)o;
  bs_receive *r = &m->r;
  if (bs_serveheld(r)) {
    m->got = 1;
    return BS_DONE;
  }
  if (wantsnothing(r))
    return BS_DONE;
  int through;
  if (bs_receivethrough(r, &through)) {
    m->got = through == BS_DONE && o->error == 0;
    return through;
  }
  if (o->sock->fd < 0 || !takeblock(m->hold, m->count, r->n, m->control)) {
    o->error = o->sock->fd < 0 ? EBADF : BS_ENOMEM;
    return BS_DONE;
  }
  unsigned count = r->flags & MSG_PEEK ? 1 : m->count; /* it would show the same one every time */
  int flags = r->flags | bs_dontwait(patience);
  if (m->control > 0 && bs_carriesfds(o->sock))
    flags |= MSG_CMSG_CLOEXEC;
  int got = sys_recvmmsg(o->sock->fd, m->hold->block->headers, count, flags);
  if (got < 0) {
    int want = bs_notreceived(r);
    giveback(m->hold);
    return want;
  }
  refusedescriptors(m, (unsigned)got);
  m->got = withoutends(m, (unsigned)got);
  return BS_DONE;
}

/* Puts on the top the table for message i of the result at idx: the one that is there, or a new one. */
static void pushplace (lua_State *L, int idx, lua_Integer i) {
  if (lua_rawgeti(L, idx, i) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, -1);
  lua_rawseti(L, idx, i);
}

/* The field `control` of the message on the top. */
static void setcontrol (lua_State *L, const recvmmsg_op *m, const struct msghdr *h) {
  if (m->control == 0)
    lua_pushnil(L);
  else
    pushcontrol(L, h != NULL ? h->msg_control : NULL, h != NULL ? h->msg_controllen : 0);
  lua_setfield(L, -2, "control");
  if ((m->r.flags & MSG_ERRQUEUE) && h != NULL)
    bs_lendnotice(L, m->r.op.sock, h->msg_control, h->msg_controllen);
}

/* Has the result at idx control data that an earlier call has left there? */
static int hascontrol (lua_State *L, int idx) {
  int has = 0;
  if (lua_rawgeti(L, idx, 1) == LUA_TTABLE) {
    has = lua_getfield(L, -1, "control") != LUA_TNIL;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return has;
}

static void setmessages (lua_State *L, int idx, const recvmmsg_op *m) {
  const bs_op *o = &m->r.op;
  const bs_header *headers = m->hold->block->headers;
  const struct msghdr *before = NULL; /* whose sender is on the top */
  int control = m->control > 0 || hascontrol(L, idx);
  lua_pushnil(L);
  int sender = lua_gettop(L);
  for (unsigned i = 0; i < m->got; i++) {
    const struct msghdr *h = &headers[i].msg_hdr;
    size_t len = headers[i].msg_len < m->r.n ? headers[i].msg_len : m->r.n;
    if (before == NULL || h->msg_namelen != before->msg_namelen ||
        !bs_samebytes(h->msg_name, before->msg_name, h->msg_namelen)) {
      bs_pushsender(L, o->st, h->msg_name, h->msg_namelen, o->sock->family);
      lua_replace(L, sender);
    }
    before = h;
    pushplace(L, idx, (lua_Integer)i + 1);
    lua_pushlstring(L, (const char *)h->msg_iov->iov_base, len);
    setmessage(L, sender, h->msg_flags & ~MSG_CMSG_CLOEXEC);
    if (control)
      setcontrol(L, m, h);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Takes out of the result at idx what an earlier, longer one has left there. */
static void trim (lua_State *L, int idx, lua_Unsigned n) {
  lua_Unsigned last = lua_rawlen(L, idx);
  for (last = last < BS_MOSTMESSAGES ? last : BS_MOSTMESSAGES; last > n; last--) {
    lua_pushnil(L);
    lua_rawseti(L, idx, (lua_Integer)last);
  }
}

static int recvmmsg_finish (lua_State *L, bs_op *o) {
  const recvmmsg_op *m = (const recvmmsg_op *)o;
  const bs_receive *r = &m->r;
  int idx = 5; /* where recvmsg_recvmmsg has `into` */
  int here = m->hold->block == NULL && m->got > 0;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  size_t n = r->chunk != NULL ? bs_waiting(r) : 0;
  luaL_checkstack(L, 8, NULL);
  if (here)
    pushhere(L, r);
  if (lua_isnil(L, idx)) {
    lua_createtable(L, (int)m->got, 0);
    lua_replace(L, idx);
  }
  if (here) {
    pushplace(L, idx, 1);
    sethere(L, r->cut ? MSG_TRUNC : 0);
    setcontrol(L, m, NULL);
    lua_pop(L, 1);
  }
  else if (m->hold->block != NULL)
    setmessages(L, idx, m);
  if (r->chunk != NULL)
    bs_handedover(r, n);
  giveback(m->hold);
  trim(L, idx, m->got);
  lua_pushvalue(L, idx);
  lua_pushinteger(L, (lua_Integer)m->got);
  return 2;
}

static const bs_kind recvmmsg_kind = {BS_CALL("recvmmsg", recvmmsg_op), .traits = BS_RECEIVETRAITS,
                                      .step = recvmmsg_step, .finish = recvmmsg_finish};

static Hold *newhold (lua_State *L, bs_state *st) {
  Hold *hold = (Hold *)lua_newuserdatauv(L, sizeof(Hold), 0);
  hold->st = st;
  hold->block = NULL;
  lua_pushvalue(L, HOLD);
  lua_setmetatable(L, -2);
  return hold;
}

/* s:recvmmsg(count, n [, flags or {control=bytes, flags=} [, into]]) */
static int recvmsg_recvmmsg (lua_State *L) {
  recvmmsg_op m;
  bs_socket *s = bs_checksocket(L, 1);
  lua_settop(L, 5);
  lua_Integer count = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3);
  luaL_argcheck(L, count >= 1 && count <= BS_MOSTMESSAGES, 2, "1 to 1024 messages expected");
  luaL_argcheck(L, n >= 0, 3, "count must not be negative");
  luaL_argcheck(L, n <= MOSTROOM / count, 3, "room for more than 256 MiB");
  if (!lua_isnil(L, 5))
    luaL_checktype(L, 5, LUA_TTABLE);
  bs_initreceive(&m.r, &recvmmsg_kind, s);
  m.r.from = 1;
  m.control = (s->marks & BS_MERGES) ? BS_CONTROLROOM : 0;
  if (lua_type(L, 4) == LUA_TTABLE)
    m.control = checkoptions(L, 4, &m.r, (lua_Integer)m.control);
  else
    bs_setreceiveflags(&m.r, bs_optconstant(L, 4, "MSG_\0", 0));
  luaL_argcheck(L, (lua_Integer)m.control <= MOSTROOM / count - n, 4, "room for more than 256 MiB");
  m.r.n = (size_t)n;
  notenothing(&m.r);
  m.count = (unsigned)count;
  m.got = 0;
  m.hold = newhold(L, s->st);
  return bs_run(L, &m.r.op);
}

/* ==== registration ==== */

/* A method whose own upvalue, after the library's, is the metatable with this finalizer; that of what it makes, if it is
** to be closed, is in there. */
static void setmethod (lua_State *L, const char *name, lua_CFunction f, lua_CFunction gc,
                       const luaL_Reg *made) {
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, i);
  lua_createtable(L, 1, 1);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  if (made != NULL) {
    lua_newtable(L);
    bs_setfuncs(L, lua_gettop(L), made);
    lua_rawseti(L, -2, 1);
  }
  lua_pushcclosure(L, f, BS_NUP + 1);
  lua_setfield(L, BS_AT_METHODS, name);
}

static const luaL_Reg received[] = {
  {"__close", received_close},
  {NULL, NULL},
};

void bs_openrecvmsg (lua_State *L) {
  setmethod(L, "recvmsg", recvmsg_recvmsg, inbox_gc, received);
  setmethod(L, "recvmmsg", recvmsg_recvmmsg, hold_gc, NULL);
}
