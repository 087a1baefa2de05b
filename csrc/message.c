/*
** message.c: messages with all that belongs to them: sendmsg sendmmsg, recvmsg recvmmsg. Pieces, addresses,
** and the descriptors that travel with them. How control data looks is in control.c; what becomes of bytes
** that have left the kernel and are not in Lua yet in transfer.c.
**
** Sending: the user's tables are read once, before the call, into a *batch*: a userdata of headers and
** what they point to, with a table beside it that keeps all of that alive. So a program may do what it
** likes with its tables while the call waits.
**
** Receiving: the room for control data is a userdata, too, an *inbox*. A descriptor is in it from
** recvmsg(2) on until a Lua object has it, and its finalizer closes what nobody took. So none leaks,
** whatever fails in between.
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bsdsocket.h"

#if !defined(IOV_MAX)
#define IOV_MAX 1024
#endif
#if defined(SO_PASSSEC) && !defined(SCM_PIDFD) /* a kernel may be newer than its headers here */
#define SCM_PIDFD 4
#endif

#define MOSTMESSAGES 1024               /* in one call: UIO_MAXIOV */
#define MOSTROOM ((lua_Integer)1 << 28) /* what recvmmsg may ask for, count times n */

/* Room for control data unless the call says how much: 253 descriptors, the most that can come at once
** (1032 bytes), with credentials, timestamps, packet information and an error beside them. */
#define CONTROLSIZE 2048
#define MOSTCONTROL (1 << 18) /* no message has more */

/* ==== platform: several messages in one system call ==== */

#if defined(MSG_WAITFORONE)

typedef struct mmsghdr Header;

static int sys_sendmmsg (int fd, Header *h, unsigned n, int flags) {
  return (int)sendmmsg(fd, h, n, flags);
}

static int sys_recvmmsg (int fd, Header *h, unsigned n, int flags) {
  return (int)recvmmsg(fd, h, n, flags | MSG_WAITFORONE, NULL);
}

#else /* one after the other: as good, but for the time it takes */

typedef struct Header {
  struct msghdr msg_hdr;
  unsigned msg_len;
} Header;

static int sys_sendmmsg (int fd, Header *h, unsigned n, int flags) {
  unsigned i;
  for (i = 0; i < n; i++) {
    ssize_t len = sendmsg(fd, &h[i].msg_hdr, flags);
    if (len < 0)
      break;
    h[i].msg_len = (unsigned)len;
  }
  return i > 0 ? (int)i : -1;
}

static int sys_recvmmsg (int fd, Header *h, unsigned n, int flags) {
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

#if !defined(MSG_CMSG_CLOEXEC)
#define MSG_CMSG_CLOEXEC 0
#endif

/* Does the socket carry descriptors? Elsewhere the kernel leaves them out without a word. */
static int carries (const bs_socket *s) {
  return s->family == AF_UNIX || s->family == AF_UNSPEC;
}

/* ==== sending ==== */

/* A descriptor that shall go along. Its owner may be closed while the call waits: it is asked each time. */
typedef struct Passed {
  const bs_socket *sock;
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
  Header *headers; /* both on the stack, in one userdata */
  Outgoing *out;
  size_t n;
  size_t sent;  /* messages */
  size_t bytes; /* in all */
  int begun;    /* the next message went in part: streams only */
  int flags;
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
  union {
    const char *in;
    char *out;
  } cast; /* an iovec serves both ways */
  cast.in = data;
  piece->iov_base = cast.out;
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
    bs_unexpected(L, &b->at, -1, "address");
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
  c->cmsg_len = CMSG_LEN(len);
  c->cmsg_level = level;
  c->cmsg_type = type;
  if (data != NULL)
    memcpy(CMSG_DATA(c), data, len);
  b->len += need;
  return (char *)CMSG_DATA(c);
}

static int getconstant (lua_State *L, Builder *b, int idx, const char *name, const char *prefixes) {
  int value;
  b->at.part = name;
  lua_getfield(L, idx, name);
  const char *wrong = bs_toconstant(L, lua_gettop(L), prefixes, &value);
  if (wrong != NULL)
    bs_mistake(L, &b->at, wrong);
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
  if (!carries(b->sock))
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
  x->flags = bs_checkmsgflags(L, &b->at, -1);
}

static const char *const message_fields[] = {"data", "address", "flags", "control", "fds", NULL};
static void (*const message_getters[])(lua_State *L, Builder *b, Outgoing *x) = {
  getdata, getaddress, getflags, getcontrol, getfds,
};

/* The message on the top, which is popped. */
static void getmessage (lua_State *L, Builder *b, Header *h, Outgoing *x) {
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
    union {
      const struct sockaddr *in;
      struct sockaddr *out;
    } cast;
    cast.in = &x->to->u.sa;
    h->msg_hdr.msg_name = cast.out;
    h->msg_hdr.msg_namelen = x->to->len;
  }
  h->msg_hdr.msg_control = b->control;
  h->msg_hdr.msg_controllen = b->len;
}

/* Pushes the batch and its table of anchors. */
static void initsend (lua_State *L, sendmsg_op *op, Builder *b, const bs_kind *kind, size_t n) {
  bs_socket *s = bs_checksocket(L, 1);
  bs_initop(&op->op, kind, s->st, s);
  op->n = n;
  op->sent = op->bytes = 0;
  op->begun = 0;
  op->flags = 0;
  op->headers = (Header *)lua_newuserdatauv(L, n * (sizeof(Header) + sizeof(Outgoing)), 0);
  op->out = (Outgoing *)(op->headers + n);
  lua_createtable(L, n < MOSTMESSAGES ? (int)n : MOSTMESSAGES, 0); /* a length may be a lie */
  memset(b, 0, sizeof(*b));
  b->at.arg = 2;
  b->sock = s;
  b->anchors = lua_gettop(L);
}

/* ---- the operations ---- */

/* Makes the message ready as things stand now. */
static struct msghdr *readied (sendmsg_op *m, size_t i) {
  struct msghdr *h = &m->headers[i].msg_hdr;
  const Outgoing *x = &m->out[i];
  h->msg_iov = x->pieces;
  h->msg_iovlen = x->npieces < IOV_MAX ? x->npieces : IOV_MAX;
  for (size_t k = 0; k < x->nfds; k++) {
    const Passed *p = &x->fds[k];
    int fd = p->fd; /* of a closed one -1, and so EBADF by itself */
    if (p->sock != NULL)
      fd = p->sock->fd;
    else if (p->file != NULL)
      fd = p->file->closef == NULL ? -1 : fileno(p->file->f);
    memcpy(x->rights + k * sizeof(fd), &fd, sizeof(fd));
  }
  return h;
}

static int sendmsg_step (bs_op *o, bs_time patience) {
  sendmsg_op *m = (sendmsg_op *)o;
  ssize_t n = sendmsg(o->sock->fd, readied(m, 0), m->flags | MSG_NOSIGNAL | bs_dontwait(patience));
  if (n < 0)
    return bs_notsent(o);
  m->bytes = (size_t)n;
  return BS_DONE;
}

static const bs_address *destination (const sendmsg_op *m) {
  return m->sent < m->n ? m->out[m->sent].to : NULL;
}

static int sendmsg_finish (lua_State *L, bs_op *o) {
  const sendmsg_op *m = (const sendmsg_op *)o;
  if (o->error != 0)
    return bs_failop(L, o, destination(m));
  lua_pushinteger(L, (lua_Integer)m->bytes);
  return 1;
}

static const bs_kind sendmsg_kind =
  BS_KIND("sendmsg", sendmsg_op, BS_SENDTRAITS, sendmsg_step, sendmsg_finish);

/* s:sendmsg{...} */
static int message_sendmsg (lua_State *L) {
  sendmsg_op m;
  Builder b;
  (void)bs_checksocket(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  initsend(L, &m, &b, &sendmsg_kind, 1);
  lua_pushvalue(L, 2);
  getmessage(L, &b, m.headers, m.out);
  m.flags = m.out->flags;
  bs_setflags(&m.op, m.flags);
  return bs_run(L, &m.op);
}

/* The first bytes of a stream's message went: only the rest is to go. */
static void advance (Outgoing *x, Header *h, size_t bytes) {
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
  Outgoing *x = &m->out[m->sent];
  ssize_t n = sendmsg(m->op.sock->fd, readied(m, m->sent), flags | x->flags);
  if (n < 0) {
    if (m->sent > 0 && !m->begun)
      return BS_DONE;
    return bs_notsent(&m->op);
  }
  advance(x, &m->headers[m->sent], (size_t)n);
  m->bytes += (size_t)n;
  m->begun = x->npieces > 0;
  if (!m->begun)
    m->sent++;
  return m->sent < m->n ? BS_AGAIN : BS_DONE;
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
  while (n < MOSTMESSAGES && m->sent + n < m->n && m->out[m->sent + n].flags == own)
    readied(m, m->sent + n++);
  int sent = sys_sendmmsg(o->sock->fd, m->headers + m->sent, n, flags | own);
  if (sent < 0)
    return m->sent > 0 ? BS_DONE
                       : bs_notsent(o); /* after some that went, the next call will tell */
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

static const bs_kind sendmmsg_kind =
  BS_KIND("sendmmsg", sendmsg_op, BS_SENDTRAITS, sendmmsg_step, sendmmsg_finish);

/* s:sendmmsg(messages [, flags]) */
static int message_sendmmsg (lua_State *L) {
  sendmsg_op m;
  Builder b;
  bs_place at = {2, 0, NULL, 0, NULL};
  (void)bs_checksocket(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 3);
  int flags = bs_optconstant(L, 3, "MSG_\0", 0), all = flags;
  size_t n = bs_checkarray(L, &at, 2);
  initsend(L, &m, &b, &sendmmsg_kind, n);
  for (size_t i = 0; i < n; i++) {
    b.at.message = (lua_Integer)i + 1;
    lua_geti(L, 2, b.at.message);
    getmessage(L, &b, &m.headers[i], &m.out[i]);
    all |= m.out[i].flags;
  }
  m.flags = flags;
  bs_setflags(&m.op, all);
  return bs_run(L, &m.op);
}

/* ==== the inbox ==== */

typedef struct Inbox {
  size_t len; /* of what has come */
  size_t size;
  char control[];
} Inbox;

#define INBOX lua_upvalueindex(BS_NUP + 1) /* of recvmsg: its metatable */

static struct cmsghdr *nextentry (Inbox *box, struct cmsghdr *c) {
  struct msghdr msg;
  memset(&msg, 0, sizeof(msg));
  msg.msg_control = box->control;
  msg.msg_controllen = box->len;
  return c == NULL ? CMSG_FIRSTHDR(&msg) : CMSG_NXTHDR(&msg, c);
}

/* Of what was cut, only that is counted which is there. */
static size_t entrylength (const Inbox *box, struct cmsghdr *c) {
  const char *data = (const char *)CMSG_DATA(c);
  size_t len = c->cmsg_len < CMSG_LEN(0) ? 0 : (size_t)(c->cmsg_len - CMSG_LEN(0));
  size_t most = (size_t)(box->control + box->len - data);
  return len < most ? len : most;
}

static int isrights (const struct cmsghdr *c) {
  return c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
}

static int ispidfd (const struct cmsghdr *c) {
#if defined(SCM_PIDFD)
  return c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD;
#else
  (void)c;
  return 0;
#endif
}

/* How many descriptors are in it. */
static size_t ndescriptors (const Inbox *box, struct cmsghdr *c) {
  return isrights(c) || ispidfd(c) ? entrylength(box, c) / sizeof(int) : 0;
}

static int getdescriptor (struct cmsghdr *c, size_t i) {
  int fd;
  memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
  return fd;
}

/* Somebody else has it now. */
static void taken (struct cmsghdr *c, size_t i) {
  int none = -1;
  memcpy(CMSG_DATA(c) + i * sizeof(none), &none, sizeof(none));
}

static int inbox_gc (lua_State *L) {
  Inbox *box = (Inbox *)lua_touserdata(L, 1);
  for (struct cmsghdr *c = nextentry(box, NULL); c != NULL; c = nextentry(box, c)) {
    for (size_t i = 0; i < ndescriptors(box, c); i++) {
      int fd = getdescriptor(c, i);
      taken(c, i);
      if (fd >= 0)
        close(fd);
    }
  }
  return 0;
}

static Inbox *newinbox (lua_State *L, const bs_socket *s, size_t size) {
  Inbox *box = (Inbox *)lua_newuserdatauv(L, sizeof(Inbox) + size, 0);
  box->len = 0;
  box->size = size;
  if (carries(s)) {
    lua_pushvalue(L, INBOX);
    lua_setmetatable(L, -2);
  }
  return box;
}

/* ---- descriptors become objects ---- */

static int fileclose (lua_State *L) {
  luaL_Stream *p = (luaL_Stream *)luaL_checkudata(L, 1, LUA_FILEHANDLE);
  errno = 0;
  return luaL_fileresult(L, fclose(p->f) == 0, NULL);
}

/* A closed file of Lua's. */
static luaL_Stream *newfile (lua_State *L) {
  luaL_Stream *p = (luaL_Stream *)lua_newuserdatauv(L, sizeof(luaL_Stream), 0);
  p->f = NULL;
  p->closef = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  return p;
}

static const char *accessmode (int fd) {
  switch (fcntl(fd, F_GETFL) & O_ACCMODE) {
    case O_RDONLY: return "r";
    case O_WRONLY: return "w";
    default: return "r+";
  }
}

/* The object is made closed, and then takes the descriptor from the inbox. */
static void pushdescriptor (lua_State *L, struct cmsghdr *c, size_t i) {
  int fd = getdescriptor(c, i);
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
    bs_socket *s = bs_newsocket(L, AF_UNSPEC, 0, 0);
    if (bs_adopt(s, fd) != 0)
      return;              /* a closed one: better than another program's */
    s->flags |= BS_SHARED; /* with who sent it */
  }
  else {
    luaL_Stream *p = newfile(L);
    p->f = fdopen(fd, accessmode(fd));
    if (p->f == NULL)
      bs_memory(L);
    p->closef = fileclose;
  }
  taken(c, i);
}

static int file_gc (lua_State *L) {
  luaL_Stream *p = (luaL_Stream *)lua_touserdata(L, 1);
  if (p->closef != NULL)
    fclose(p->f);
  p->closef = NULL;
  return 0;
}

/* Where a program has not opened the library io, nobody would close the files. */
static void needfiles (lua_State *L) {
  if (luaL_newmetatable(L, LUA_FILEHANDLE)) {
    lua_pushcfunction(L, file_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

static void pushfds (lua_State *L, Inbox *box) {
  lua_Integer n = 0;
  struct cmsghdr *c;
  for (c = nextentry(box, NULL); c != NULL; c = nextentry(box, c))
    n += (lua_Integer)ndescriptors(box, c);
  if (n > 0)
    needfiles(L);
  lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
  n = 0;
  for (c = nextentry(box, NULL); c != NULL; c = nextentry(box, c)) {
    for (size_t i = 0; isrights(c) && i < ndescriptors(box, c); i++) {
      pushdescriptor(L, c, i);
      lua_rawseti(L, -2, ++n);
    }
  }
}

static int pushentryvalue (lua_State *L, const Inbox *box, struct cmsghdr *c) {
  if (ispidfd(c) && ndescriptors(box, c) == 1) {
    if (getdescriptor(c, 0) < 0)
      return 0;
    pushdescriptor(L, c, 0);
    return 1;
  }
  return bs_pushcontrol(L, c->cmsg_level, c->cmsg_type, CMSG_DATA(c), entrylength(box, c));
}

static void pushcontrol (lua_State *L, Inbox *box) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (struct cmsghdr *c = nextentry(box, NULL); c != NULL; c = nextentry(box, c)) {
    if (isrights(c))
      continue;
    lua_createtable(L, 0, 4);
    bs_setinteger(L, "level", c->cmsg_level);
    bs_setinteger(L, "type", c->cmsg_type);
    lua_pushlstring(L, (const char *)CMSG_DATA(c), entrylength(box, c));
    lua_setfield(L, -2, "data");
    if (pushentryvalue(L, box, c))
      lua_setfield(L, -2, "value");
    lua_rawseti(L, -2, ++n);
  }
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
} recvmsg_op;

/* Where recvmsg(2) did not do it. */
static void closeonexec (Inbox *box) {
  for (struct cmsghdr *c = nextentry(box, NULL); c != NULL; c = nextentry(box, c))
    for (size_t i = 0; i < ndescriptors(box, c); i++)
      (void)fcntl(getdescriptor(c, i), F_SETFD, FD_CLOEXEC);
}

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
  int want = bs_makeroom(r, &n, flags);
  if (r->chunk == NULL)
    return want;
  piece.iov_base = r->chunk->data;
  piece.iov_len = n;
  memset(&msg, 0, sizeof(msg));
  msg.msg_name = &r->address;
  msg.msg_namelen = sizeof(r->address);
  msg.msg_iov = &piece;
  msg.msg_iovlen = 1;
  msg.msg_control = m->box->size > 0 ? m->box->control : NULL;
  msg.msg_controllen = m->box->size;
  if (carries(o->sock)) /* some others take the flag for a mistake */
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
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  if (r->chunk != NULL)
    bs_mark(r); /* before anything can fail */
  luaL_checkstack(L, 8, NULL);
  pushhere(L, r);
  lua_createtable(L, 0, 6);
  sethere(L, m->flags);
  pushfds(L, m->box);
  lua_setfield(L, -2, "fds");
  pushcontrol(L, m->box);
  lua_setfield(L, -2, "control");
  if (r->chunk != NULL)
    bs_handedover(r);
  return 1;
}

static const bs_kind recvmsg_kind =
  BS_KIND("recvmsg", recvmsg_op, BS_RECEIVES, recvmsg_step, recvmsg_finish);

static const char *const recvmsg_options[] = {"control", "flags", NULL};

/* The options at 3: gives the size of the inbox. */
static size_t checkoptions (lua_State *L, bs_receive *r) {
  bs_place at = {3, 0, NULL, 0, NULL};
  lua_Integer size = CONTROLSIZE;
  if (lua_isnoneornil(L, 3))
    return CONTROLSIZE;
  bs_checkfields(L, &at, 3, recvmsg_options);
  at.field = "control";
  if (lua_getfield(L, 3, "control") != LUA_TNIL)
    size = bs_checkwithin(L, &at, -1, 0, INT_MAX);
  at.field = "flags";
  if (lua_getfield(L, 3, "flags") != LUA_TNIL)
    bs_setreceiveflags(r, bs_checkmsgflags(L, &at, -1));
  lua_pop(L, 2);
  return size < MOSTCONTROL ? (size_t)size : MOSTCONTROL;
}

/* s:recvmsg([n [, {control=bytes, flags=}]]) */
static int message_recvmsg (lua_State *L) {
  recvmsg_op m;
  bs_socket *s = bs_checksocket(L, 1);
  lua_settop(L, 3);
  bs_initreceive(&m.r, &recvmsg_kind, s);
  m.r.from = 1;
  m.r.n = bs_checkcount(L, 2);
  m.box = newinbox(L, s, checkoptions(L, &m.r));
  m.flags = 0;
  return bs_run(L, &m.r.op);
}

/* ---- several at once ---- */

/* What a header points to; the bytes follow. */
typedef struct Slot {
  struct iovec piece;
  struct sockaddr_storage address;
} Slot;

/* Room for `count` messages of n bytes: this, as many headers, as many slots. With the state's allocator, and not as
** a userdata: most of it will never be touched, and the collector should not hurry for its sake. The state keeps one
** for the next call. */
struct bs_block {
  size_t n;
  unsigned count;
  Header headers[];
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

/* From slot to slot. */
static size_t stride (size_t n) {
  return sizeof(Slot) + (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t blocksize (unsigned count, size_t n) {
  return offsetof(bs_block, headers) + count * (sizeof(Header) + stride(n));
}

static bs_block *newblock (const bs_state *st, unsigned count, size_t n) {
  bs_block *b = (bs_block *)st->alloc(st->allocdata, NULL, 0, blocksize(count, n));
  if (b == NULL)
    return NULL;
  b->n = n;
  b->count = count;
  memset(b->headers, 0, count * sizeof(Header));
  char *place = (char *)(b->headers + count);
  for (unsigned i = 0; i < count; i++, place += stride(n)) {
    struct msghdr *h = &b->headers[i].msg_hdr;
    Slot *slot = (Slot *)(void *)place;
    slot->piece.iov_base = slot + 1;
    slot->piece.iov_len = n;
    h->msg_name = &slot->address;
    h->msg_iov = &slot->piece;
    h->msg_iovlen = 1;
  }
  return b;
}

static void freeblock (const bs_state *st, bs_block *b) {
  if (b != NULL)
    st->alloc(st->allocdata, b, blocksize(b->count, b->n), 0);
}

void bs_dropblock (bs_state *st) {
  freeblock(st, st->block);
  st->block = NULL;
}

/* False when memory is out. */
static int takeblock (Hold *hold, unsigned count, size_t n) {
  bs_state *st = hold->st;
  bs_block *b = st->block;
  if (b != NULL && b->count == count && b->n == n)
    st->block = NULL;
  else if ((b = newblock(st, count, n)) == NULL)
    return 0;
  for (unsigned i = 0; i < count; i++)
    b->headers[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_storage);
  hold->block = b;
  return 1;
}

static void giveback (Hold *hold) {
  bs_state *st = hold->st;
  bs_block *b = hold->block;
  hold->block = NULL;
  if (b != NULL && blocksize(b->count, b->n) <= BS_MOSTKEPT) {
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
  unsigned count; /* so many at most */
  unsigned got;
} recvmmsg_op;

/* The end of a connection comes again and again, as messages without bytes: once is enough. */
static unsigned withoutends (const recvmmsg_op *m, unsigned got) {
  const bs_socket *s = m->r.op.sock;
  const Header *headers = m->hold->block->headers;
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

static int recvmmsg_step (bs_op *o, bs_time patience) {
  recvmmsg_op *m = (recvmmsg_op *)o;
  bs_receive *r = &m->r;
  if (bs_serveheld(r)) {
    m->got = 1;
    return BS_DONE;
  }
  if (wantsnothing(r))
    return BS_DONE;
  if (o->sock->fd < 0 || !takeblock(m->hold, m->count, r->n)) {
    o->error = o->sock->fd < 0 ? EBADF : BS_ENOMEM;
    return BS_DONE;
  }
  unsigned count = r->flags & MSG_PEEK ? 1 : m->count; /* it would show the same one every time */
  int got =
    sys_recvmmsg(o->sock->fd, m->hold->block->headers, count, r->flags | bs_dontwait(patience));
  if (got < 0) {
    int want = bs_notreceived(r);
    giveback(m->hold);
    return want;
  }
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

static void setmessages (lua_State *L, int idx, const recvmmsg_op *m) {
  const bs_op *o = &m->r.op;
  const Header *headers = m->hold->block->headers;
  const struct msghdr *before = NULL; /* whose sender is on the top */
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
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static int recvmmsg_finish (lua_State *L, bs_op *o) {
  const recvmmsg_op *m = (const recvmmsg_op *)o;
  const bs_receive *r = &m->r;
  int idx = 5; /* where message_recvmmsg has `into` */
  int here = m->hold->block == NULL && m->got > 0;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
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
    lua_pop(L, 1);
  }
  else if (m->hold->block != NULL)
    setmessages(L, idx, m);
  if (r->chunk != NULL)
    bs_handedover(r);
  giveback(m->hold);
  lua_Unsigned last = lua_rawlen(L, idx);
  for (last = last < MOSTMESSAGES ? last : MOSTMESSAGES; last > m->got; last--) {
    lua_pushnil(L);
    lua_rawseti(L, idx, (lua_Integer)last);
  }
  lua_pushvalue(L, idx);
  lua_pushinteger(L, (lua_Integer)m->got);
  return 2;
}

static const bs_kind recvmmsg_kind =
  BS_KIND("recvmmsg", recvmmsg_op, BS_RECEIVES, recvmmsg_step, recvmmsg_finish);

static Hold *newhold (lua_State *L, bs_state *st) {
  Hold *hold = (Hold *)lua_newuserdatauv(L, sizeof(Hold), 0);
  hold->st = st;
  hold->block = NULL;
  lua_pushvalue(L, HOLD);
  lua_setmetatable(L, -2);
  return hold;
}

/* s:recvmmsg(count, n [, flags [, into]]) */
static int message_recvmmsg (lua_State *L) {
  recvmmsg_op m;
  bs_socket *s = bs_checksocket(L, 1);
  lua_settop(L, 5);
  lua_Integer count = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3);
  luaL_argcheck(L, count >= 1 && count <= MOSTMESSAGES, 2, "1 to 1024 messages expected");
  luaL_argcheck(L, n >= 0, 3, "count must not be negative");
  luaL_argcheck(L, n <= MOSTROOM / count, 3, "room for more than 256 MiB");
  if (!lua_isnil(L, 5))
    luaL_checktype(L, 5, LUA_TTABLE);
  bs_initreceive(&m.r, &recvmmsg_kind, s);
  m.r.from = 1;
  bs_setreceiveflags(&m.r, bs_optconstant(L, 4, "MSG_\0", 0));
  m.r.n = (size_t)n;
  m.count = (unsigned)count;
  m.got = 0;
  m.hold = newhold(L, s->st);
  return bs_run(L, &m.r.op);
}

/* ==== registration ==== */

static const luaL_Reg methods[] = {
  {"sendmmsg", message_sendmmsg},
  {"sendmsg", message_sendmsg},
  {NULL, NULL},
};

/* A method whose own upvalue, after the library's, is the metatable with this finalizer. */
static void setmethod (lua_State *L, const char *name, lua_CFunction f, lua_CFunction gc) {
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, i);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcclosure(L, f, BS_NUP + 1);
  lua_setfield(L, BS_AT_METHODS, name);
}

void bs_openmessage (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
  setmethod(L, "recvmsg", message_recvmsg, inbox_gc);
  setmethod(L, "recvmmsg", message_recvmmsg, hold_gc);
}
