/*
** sendmsg.c: messages with all that belongs to them, on their way out: sendmsg sendmmsg. Pieces, addresses, and
** the descriptors that go along. How control data looks is in control.c; what arrives is taken by recvmsg.c.
**
** The user's tables are read once, before the call, into a *batch*: a userdata of headers and what they point
** to, with a table beside it that keeps all of that alive. So a program may do what it likes with its tables
** while the call waits.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/msghdr.h"
#include "base/open.h"
#include "call/send.h"
#include "object/buffer.h"
#include "object/control.h"
#include "object/lend.h"
#include "op/run.h"

#if defined(MSG_WAITFORONE)
#include <sys/syscall.h>
#endif

/* ==== platform: long control data, and several messages in one system call ==== */

#if defined(SYS_sendmsg)

/* musl's copies control data into an array of its own, and takes no more than 1024 bytes, which 253 descriptors have; what
** it copies is in the kernel's form already. */
static ssize_t sys_sendmsg (int fd, const struct msghdr *h, int flags) {
  ssize_t n = sendmsg(fd, h, flags);
  if (n < 0 && errno == ENOMEM && h->msg_controllen > 1024)
    n = (ssize_t)syscall(SYS_sendmsg, fd, h, flags);
  return n;
}

#else

#define sys_sendmsg sendmsg

#endif

#if defined(MSG_WAITFORONE)

BS_ANYWIDTH
static int sys_sendmmsg (int fd, bs_header *h, unsigned n, int flags) {
  int sent = (int)sendmmsg(fd, h, n, flags);
  if (sent < 0 && errno == ENOMEM && h->msg_hdr.msg_controllen > 1024) {
    ssize_t len = sys_sendmsg(fd, &h->msg_hdr, flags);
    h->msg_len = (unsigned)len;
    sent = len < 0 ? -1 : 1;
  }
  return sent;
}
BS_ANYWIDTHEND

#else /* one after the other: as good, but for the time it takes */

static int sys_sendmmsg (int fd, bs_header *h, unsigned n, int flags) {
  unsigned i;
  for (i = 0; i < n; i++) {
    ssize_t len = sys_sendmsg(fd, &h[i].msg_hdr, flags);
    if (len < 0)
      break;
    h[i].msg_len = (unsigned)len;
  }
  return i > 0 ? (int)i : -1;
}

#endif

/* ==== sending ==== */

/* A descriptor that shall go along. Its owner may be closed while the call waits: it is asked each time. */
typedef struct Passed {
  bs_socket *sock;
  const luaL_Stream *file;
  int fd; /* with neither of them */
} Passed;

/* What belongs to one message beside the kernel's header of it. */
typedef struct Outgoing {
  struct iovec *pieces; /* what is left of them; none is empty */
  size_t npieces;
  struct iovec one; /* room for a single one */
  const bs_address *to;
  const Passed *fds;
  size_t nfds;
  char *rights; /* where in the control data they stand */
  int flags;
} Outgoing;

typedef struct sendmsg_op {
  bs_op op;
  bs_header *headers; /* both on the stack, in one userdata */
  Outgoing *out;
  size_t n;
  size_t sent;  /* messages */
  size_t bytes; /* in all */
  int begun;    /* the next message went in part: streams only */
  int flags;
  bs_loan *loan; /* on the stack; NULL: there is none */
} sendmsg_op;

/* ---- the user's tables ---- */

typedef struct Builder {
  bs_place at;
  bs_socket *sock;
  int anchors; /* the table on the stack that keeps alive what the batch points to */
  lua_Integer nanchors;
  char *control; /* of the message under way */
  size_t len, size;
} Builder;

/* Pops it. */
static void anchor (lua_State *L, Builder *b) {
  lua_rawseti(L, b->anchors, ++b->nanchors);
}

static void *newanchored (lua_State *L, Builder *b, size_t size) {
  void *p = lua_newuserdatauv(L, size, 0);
  anchor(L, b);
  return p;
}

/* Adds a piece; the value is on the top, and popped. */
static void addpiece (lua_State *L, Builder *b, Outgoing *x, const char *expected) {
  size_t len;
  const char *data = bs_todata(L, lua_gettop(L), &len);
  if (data == NULL)
    bs_unexpected(L, &b->at, -1, expected);
  if (len == 0) {
    lua_pop(L, 1);
    return;
  }
  struct iovec *piece = &x->pieces[x->npieces++];
  piece->iov_base = bs_unconst(data);
  piece->iov_len = len;
  anchor(L, b);
}

/* More pieces than the kernel takes, in one message: they become one. */
static void join (lua_State *L, Builder *b, Outgoing *x) {
  size_t total = 0, at = 0;
  for (size_t i = 0; i < x->npieces; i++) {
    if (x->pieces[i].iov_len > SIZE_MAX / 2 - total)
      bs_memory(L);
    total += x->pieces[i].iov_len;
  }
  char *whole = (char *)newanchored(L, b, total);
  for (size_t i = 0; i < x->npieces; i++) {
    memcpy(whole + at, x->pieces[i].iov_base, x->pieces[i].iov_len);
    at += x->pieces[i].iov_len;
  }
  x->pieces = &x->one;
  x->one.iov_base = whole;
  x->one.iov_len = total;
  x->npieces = 1;
}

/* The field `data` is on the top, and stays. */
static void getdata (lua_State *L, Builder *b, Outgoing *x) {
  int idx = lua_gettop(L);
  x->pieces = &x->one;
  if (lua_type(L, idx) != LUA_TTABLE) {
    lua_pushvalue(L, idx);
    addpiece(L, b, x, "string, buffer or array");
    return;
  }
  size_t n = bs_checkarray(L, &b->at, idx);
  if (n > 1)
    x->pieces = (struct iovec *)newanchored(L, b, n * sizeof(struct iovec));
  for (b->at.item = 1; (size_t)b->at.item <= n; b->at.item++) {
    lua_geti(L, idx, b->at.item);
    addpiece(L, b, x, "string or buffer");
  }
  b->at.item = 0;
  if (x->npieces > IOV_MAX && b->sock->type != SOCK_STREAM)
    join(L, b, x);
}

static void getaddress (lua_State *L, Builder *b, Outgoing *x) {
  const bs_address *a = bs_testaddress(L, -1);
  if (a == NULL)
    bs_mistake(L, &b->at, bs_noaddress(L, lua_gettop(L)));
  const char *wrong = bs_otherfamily(L, a, b->sock->family);
  if (wrong != NULL)
    bs_mistake(L, &b->at, wrong);
  x->to = a;
  lua_pushvalue(L, -1);
  anchor(L, b);
}

/* Adds a control message; gives where its data is, until the next is added. */
static char *addcontrol (lua_State *L, Builder *b, int level, int type, const void *data,
                         size_t len) {
  if (len > INT_MAX / 2)
    bs_mistake(L, &b->at, "data too long");
  size_t need = CMSG_SPACE(len);
  if (b->size - b->len < need) {
    size_t size = 2 * b->size > b->len + need ? 2 * b->size : b->len + need;
    char *larger = (char *)newanchored(L, b, size);
    if (b->len > 0)
      memcpy(larger, b->control, b->len);
    memset(larger + b->len, 0, size - b->len);
    b->control = larger;
    b->size = size;
  }
  struct cmsghdr *c = (struct cmsghdr *)(void *)(b->control + b->len);
  bs_setlength(c, len);
  c->cmsg_level = level;
  c->cmsg_type = type;
  if (data != NULL)
    memcpy(CMSG_DATA(c), data, len);
  b->len += need;
  return (char *)CMSG_DATA(c);
}

static int getconstant (lua_State *L, Builder *b, int idx, const char *name, const char *prefixes) {
  b->at.part = name;
  lua_getfield(L, idx, name);
  int value = bs_checknamed(L, &b->at, -1, prefixes);
  lua_pop(L, 1);
  return value;
}

/* {level=, type=, data= or value=} is on the top, and popped. */
static void addentry (lua_State *L, Builder *b) {
  static const char *const names[] = {"level", "type", "data", "value", NULL};
  int idx = lua_gettop(L);
  size_t len;
  bs_checkfields(L, &b->at, idx, names);
  int level = getconstant(L, b, idx, "level", "SOL_\0IPPROTO_\0");
  int type = getconstant(L, b, idx, "type", "SCM_\0SO_\0IP_\0IPV6_\0UDP_\0SCTP_\0TIPC_\0");
  int hasvalue = lua_getfield(L, idx, "value") != LUA_TNIL;
  int hasdata = lua_getfield(L, idx, "data") != LUA_TNIL;
  b->at.part = NULL;
  if (hasdata == hasvalue)
    bs_mistake(L, &b->at, "one of the fields 'data' and 'value' expected");
  if (hasdata) {
    b->at.part = "data";
    const char *data = bs_todata(L, idx + 2, &len);
    if (data == NULL)
      bs_unexpected(L, &b->at, idx + 2, "string or buffer");
    addcontrol(L, b, level, type, data, len);
  }
  else {
    char value[BS_CONTROLVALUE];
    b->at.part = "value";
    len = bs_checkcontrol(L, &b->at, idx + 1, level, type, value);
    addcontrol(L, b, level, type, value, len);
  }
  b->at.part = NULL;
  lua_settop(L, idx - 1);
}

static void getcontrol (lua_State *L, Builder *b, Outgoing *x) {
  int idx = lua_gettop(L);
  size_t n = bs_checkarray(L, &b->at, idx);
  (void)x;
  for (b->at.item = 1; (size_t)b->at.item <= n; b->at.item++) {
    lua_geti(L, idx, b->at.item);
    addentry(L, b);
  }
  b->at.item = 0;
}

/* A descriptor is on the top, and popped. From now on others may have it. */
static void addpassed (lua_State *L, Builder *b, Passed *p) {
  const char *wrong;
  bs_socket *s;
  int idx = lua_gettop(L);
  p->fd = bs_tofd(L, idx, &s, &wrong);
  if (wrong != NULL)
    bs_mistake(L, &b->at, wrong);
  p->sock = s;
  p->file = (const luaL_Stream *)luaL_testudata(L, idx, LUA_FILEHANDLE);
  if (s != NULL)
    s->flags |= BS_SHARED;
  lua_settop(L, idx);
  anchor(L, b);
}

/* After the field `control`: what is added later may move what was there. */
static void getfds (lua_State *L, Builder *b, Outgoing *x) {
  int idx = lua_gettop(L);
  size_t n = bs_checkarray(L, &b->at, idx);
  if (n == 0)
    return;
  if (!bs_carriesfds(b->sock))
    bs_mistake(L, &b->at, "only AF_UNIX sockets pass descriptors");
  if (b->sock->type == SOCK_STREAM && x->npieces == 0)
    bs_mistake(L, &b->at, "in a stream descriptors go with data, of one byte at least");
  Passed *fds = (Passed *)newanchored(L, b, n * sizeof(Passed));
  for (b->at.item = 1; (size_t)b->at.item <= n; b->at.item++) {
    lua_geti(L, idx, b->at.item);
    addpassed(L, b, &fds[b->at.item - 1]);
  }
  b->at.item = 0;
  x->rights = addcontrol(L, b, SOL_SOCKET, SCM_RIGHTS, NULL, n * sizeof(int));
  x->fds = fds;
  x->nfds = n;
}

static void getflags (lua_State *L, Builder *b, Outgoing *x) {
  x->flags = bs_checknamed(L, &b->at, -1, "MSG_\0");
}

static const char *const message_fields[] = {"data", "address", "flags", "control", "fds", NULL};
static void (*const message_getters[])(lua_State *L, Builder *b, Outgoing *x) = {
  getdata, getaddress, getflags, getcontrol, getfds,
};

/* The message on the top, which is popped. */
static void getmessage (lua_State *L, Builder *b, bs_header *h, Outgoing *x) {
  int idx = lua_gettop(L);
  memset(h, 0, sizeof(*h));
  memset(x, 0, sizeof(*x));
  x->pieces = &x->one;
  b->control = NULL;
  b->len = b->size = 0;
  if (lua_type(L, idx) == LUA_TTABLE) {
    bs_checkfields(L, &b->at, idx, message_fields);
    for (int i = 0; message_fields[i] != NULL; i++) {
      b->at.field = message_fields[i];
      if (lua_getfield(L, idx, message_fields[i]) != LUA_TNIL)
        message_getters[i](L, b, x);
      lua_settop(L, idx);
    }
    b->at.field = NULL;
    lua_pop(L, 1);
  }
  else if (b->at.message == 0)
    bs_unexpected(L, &b->at, idx, "table");
  else
    addpiece(L, b, x, "table, string or buffer");
  if (x->to != NULL) {
    h->msg_hdr.msg_name = bs_unconst(&x->to->u);
    h->msg_hdr.msg_namelen = x->to->len;
  }
  bs_setcontrol(&h->msg_hdr, b->control, b->len);
}

/* Pushes the batch and its table of anchors. Later there are at most so many slots more on the stack. */
static void initsend (lua_State *L, sendmsg_op *op, Builder *b, const bs_kind *kind, bs_socket *s,
                      size_t n) {
  luaL_checkstack(L, LUA_MINSTACK + 10, NULL);
  bs_initop(&op->op, kind, s->st, s);
  op->n = n;
  op->sent = op->bytes = 0;
  op->begun = 0;
  op->flags = 0;
  op->loan = NULL;
  op->headers = (bs_header *)lua_newuserdatauv(L, n * (sizeof(bs_header) + sizeof(Outgoing)), 0);
  op->out = (Outgoing *)(op->headers + n);
  lua_createtable(L, n < BS_MOSTMESSAGES ? (int)n : BS_MOSTMESSAGES, 0); /* a length may be a lie */
  memset(b, 0, sizeof(*b));
  b->at.arg = 2;
  b->sock = s;
  b->anchors = lua_gettop(L);
}

/* ---- the operations ---- */

/* What belongs to all messages is on the top; `flags` are all of theirs. */
static void lend (lua_State *L, sendmsg_op *op, int flags) {
  if (flags & BS_ZEROCOPY)
    op->loan = bs_lend(L, op->op.sock, lua_gettop(L));
}

/* Makes the message ready as things stand now. */
static struct msghdr *readied (sendmsg_op *m, size_t i) {
  struct msghdr *h = &m->headers[i].msg_hdr;
  const Outgoing *x = &m->out[i];
  bs_setpieces(h, x->pieces, x->npieces);
  for (size_t k = 0; k < x->nfds; k++) {
    const Passed *p = &x->fds[k];
    int fd = p->fd; /* of a closed one -1, and so EBADF by itself */
    if (p->sock != NULL) {
      fd = p->sock->fd;
      bs_restoreflags(p->sock); /* who gets it finds it as we did */
    }
    else if (p->file != NULL)
      fd = p->file->closef == NULL ? -1 : fileno(p->file->f);
    memcpy(x->rights + k * sizeof(fd), &fd, sizeof(fd));
  }
  return h;
}

/* Through a transport there go bytes and nothing else. */
static ssize_t sendonce (sendmsg_op *m, size_t i, int flags) {
  bs_socket *s = m->op.sock;
  const struct msghdr *h = readied(m, i);
  if (!bs_isthrough(s))
    return sys_sendmsg(s->fd, h, flags);
  if (h->msg_controllen == 0 && h->msg_name == NULL &&
      !(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | BS_ZEROCOPY)))
    return bs_sendthrough(s, m->out[i].pieces, m->out[i].npieces);
  errno = h->msg_name != NULL ? EISCONN : EOPNOTSUPP;
  return -1;
}

static int sendmsg_step (bs_op *o, bs_time patience) {
  sendmsg_op *m = (sendmsg_op *)o;
  if (m->bytes > 0) /* through a transport, which had something left */
    return bs_allsent(o);
  int flags = bs_lendflags(m->loan, m->flags | MSG_NOSIGNAL | bs_dontwait(patience));
  ssize_t n = sendonce(m, 0, flags);
  if (n < 0)
    return bs_notsentyet(o, &m->flags);
  bs_lent(m->loan, flags, bs_lendcounts(o->sock, n));
  m->bytes = (size_t)n;
  return bs_allsent(o);
}

static const bs_address *destination (const sendmsg_op *m) {
  return m->sent < m->n ? m->out[m->sent].to : NULL;
}

static int sendmsg_finish (lua_State *L, bs_op *o) {
  const sendmsg_op *m = (const sendmsg_op *)o;
  if (o->error != 0 && m->bytes == 0)
    return bs_failop(L, o, destination(m));
  lua_pushinteger(L, (lua_Integer)m->bytes);
  return 1;
}

static const bs_kind sendmsg_kind = {BS_CALL("sendmsg", sendmsg_op), .traits = BS_SENDTRAITS,
                                     .step = sendmsg_step, .finish = sendmsg_finish};

/* s:sendmsg{...} */
static int sendmsg_sendmsg (lua_State *L) {
  sendmsg_op m;
  Builder b;
  bs_socket *s = bs_checksocket(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  initsend(L, &m, &b, &sendmsg_kind, s, 1);
  lua_pushvalue(L, 2);
  getmessage(L, &b, m.headers, m.out);
  m.flags = m.out->flags;
  bs_setflags(&m.op, m.flags);
  lend(L, &m, m.flags);
  return bs_run(L, &m.op);
}

/* The first bytes of a stream's message went: only the rest is to go. */
static void advance (Outgoing *x, bs_header *h, size_t bytes) {
  while (x->npieces > 0 && x->pieces->iov_len <= bytes) {
    bytes -= x->pieces->iov_len;
    x->pieces++;
    x->npieces--;
  }
  if (bytes > 0) {
    x->pieces->iov_base = (char *)x->pieces->iov_base + bytes;
    x->pieces->iov_len -= bytes;
  }
  x->nfds = 0; /* and all that belongs to it went with them */
  h->msg_hdr.msg_control = NULL;
  h->msg_hdr.msg_controllen = 0;
}

/* A stream keeps no bounds: half a message before the next one would be data lost. So they go one by
** one there, and one that has begun is ended. */
static int streammessages (sendmsg_op *m, int flags) {
  if (m->sent == m->n)
    return bs_allsent(&m->op);
  Outgoing *x = &m->out[m->sent];
  flags = bs_lendflags(m->loan, flags | x->flags);
  ssize_t n = sendonce(m, m->sent, flags);
  if (n < 0) {
    if (m->sent > 0 && !m->begun)
      return BS_DONE;
    flags = m->flags | x->flags;
    int want = bs_notsentyet(&m->op, &flags);
    m->flags &= flags;
    x->flags &= flags;
    return want;
  }
  bs_lent(m->loan, flags, n > 0);
  m->flags &= ~BS_FASTOPEN; /* that was for the first part */
  x->flags &= ~BS_FASTOPEN;
  advance(x, &m->headers[m->sent], (size_t)n);
  m->bytes += (size_t)n;
  m->begun = x->npieces > 0;
  if (!m->begun)
    m->sent++;
  return m->sent < m->n ? BS_AGAIN : bs_allsent(&m->op);
}

static int sendmmsg_step (bs_op *o, bs_time patience) {
  sendmsg_op *m = (sendmsg_op *)o;
  int flags = m->flags | MSG_NOSIGNAL | bs_dontwait(patience);
  unsigned n = 0;
  if (m->n == 0) {
    o->error = o->sock->fd < 0 ? EBADF : 0;
    return BS_DONE;
  }
  if (o->sock->type == SOCK_STREAM)
    return streammessages(m, flags);
  int own = m->out[m->sent].flags; /* those of a kind in one call */
  while (n < BS_MOSTMESSAGES && m->sent + n < m->n && m->out[m->sent + n].flags == own)
    readied(m, m->sent + n++);
  flags = bs_lendflags(m->loan, flags | own);
  int sent = sys_sendmmsg(o->sock->fd, m->headers + m->sent, n, flags);
  if (sent < 0)
    return m->sent > 0 ? BS_DONE : bs_notsent(o); /* after some that went the next call will tell */
  uint32_t counted = 0;
  for (unsigned i = 0; i < (unsigned)sent; i++)
    counted += bs_lendcounts(o->sock, m->headers[m->sent + i].msg_len);
  bs_lent(m->loan, flags, counted);
  m->sent += (size_t)sent;
  return (unsigned)sent == n && m->sent < m->n ? BS_AGAIN : BS_DONE;
}

static int sendmmsg_finish (lua_State *L, bs_op *o) {
  const sendmsg_op *m = (const sendmsg_op *)o;
  if (o->error != 0 && m->begun) {
    int n = bs_failop(L, o, destination(m));
    lua_pushinteger(L, (lua_Integer)m->bytes);
    return n + 1;
  }
  if (o->error != 0 && m->sent == 0)
    return bs_failop(L, o, destination(m));
  lua_pushinteger(L, (lua_Integer)m->sent);
  return 1;
}

static const bs_kind sendmmsg_kind = {BS_CALL("sendmmsg", sendmsg_op), .traits = BS_SENDTRAITS,
                                      .step = sendmmsg_step, .finish = sendmmsg_finish};

/* s:sendmmsg(messages [, flags]) */
static int sendmsg_sendmmsg (lua_State *L) {
  sendmsg_op m;
  Builder b;
  bs_place at = {2, 0, NULL, 0, NULL};
  bs_socket *s = bs_checksocket(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 3);
  int flags = bs_optconstant(L, 3, "MSG_\0", 0), all = flags;
  size_t n = bs_checkarray(L, &at, 2);
  initsend(L, &m, &b, &sendmmsg_kind, s, n);
  for (size_t i = 0; i < n; i++) {
    b.at.message = (lua_Integer)i + 1;
    lua_geti(L, 2, b.at.message);
    getmessage(L, &b, &m.headers[i], &m.out[i]);
    all |= m.out[i].flags;
  }
  m.flags = flags;
  bs_setflags(&m.op, all);
  lend(L, &m, all);
  return bs_run(L, &m.op);
}

/* ==== registration ==== */

static const luaL_Reg methods[] = {
  {"sendmmsg", sendmsg_sendmmsg},
  {"sendmsg", sendmsg_sendmsg},
  {NULL, NULL},
};

void bs_opensendmsg (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
