/*
** sendfile.c: a file through a socket, s:sendfile(file [, offset [, count]]). Bytes that are in Lua already
** are sent by transfer.c, sendmsg.c and write.c.
**
** There are four *ways*. What has places, as files on disks have, goes by sendfile(2), or where that is not
** to be had or not worth it by pread and send; either is told the place with each call, and the file's own
** position is moved afterwards. A pipe is spliced; a socket lends its read-ahead bytes. Each of them
** takes out of the source exactly what this socket has taken, so nothing is lost where a call ends early,
** and none has to be kept here.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "call/send.h"
#include "object/chunk.h"
#include "object/face.h"
#include "op/run.h"

#define COPIED 16384                       /* up to here a copy costs less than the kernel's way */
#define MOSTATONCE ((lua_Integer)1 << 20)  /* before a task or a deadline is thought of again, */
#define MOSTWAITING ((lua_Integer)1 << 30) /* and where neither is */

/* A way's answer: the source has nothing yet. */
#define NOTHINGYET (-2)

/* ==== platform: sendfile and splice, of Linux ====
**
** -DBS_SENDFILE_COPY does without them: for trying it out by
**   make test BUILD=build-copy CFLAGS="-O2 -DBS_SENDFILE_COPY" SPEC=spec/stream/sendfile_spec.lua
** Pipes cannot be sent then.
*/

#if !defined(BS_SENDFILE_COPY) && defined(__has_include)
#if __has_include(<sys/sendfile.h>)
#include <sys/sendfile.h>
#endif
#endif

#if !defined(BS_SENDFILE_COPY) && defined(SPLICE_F_NONBLOCK)

#include <signal.h>
#include <time.h>

/* From place `at` of a file; from a pipe if that is negative. These calls have no MSG_NOSIGNAL. So SIGPIPE is
** held off this thread meanwhile, and one that came of it is taken off; one that was there before, because
** the program itself holds it off, stays. */
static ssize_t sys_sendfile (int out, int in, off_t at, size_t n, int dontwait) {
  static const struct timespec notime = {0, 0};
  sigset_t sigpipe, before, pending;
  int held, older = 0;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
  held = sigismember(&before, SIGPIPE);
  if (held)
    older = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE);
  ssize_t sent = at >= 0 ? sendfile(out, in, &at, n)
                         : splice(in, NULL, out, NULL, n, dontwait ? SPLICE_F_NONBLOCK : 0);
  int err = errno;
  if (!older && (sent < 0 ? err == EPIPE : (size_t)sent < n)) /* it may have come after a part */
    (void)sigtimedwait(&sigpipe, NULL, &notime);
  if (!held)
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = err;
  return sent;
}

#else

static ssize_t sys_sendfile (int out, int in, off_t at, size_t n, int dontwait) {
  (void)out, (void)in, (void)n, (void)dontwait;
  errno = at >= 0 ? ENOSYS : ESPIPE;
  return -1;
}

#endif

/* ==== ways ==== */

typedef struct sendfile_op sendfile_op;

/* Sends up to n bytes of the source; dontwait is MSG_DONTWAIT or 0. Gives how many the socket has taken, 0 at
** the end of the source, -1 with errno or op.error, or NOTHINGYET. */
typedef ssize_t (*way)(sendfile_op *op, size_t n, int dontwait);

struct sendfile_op {
  bs_op op; /* op.sock is `to`, or `from` while that has nothing yet */
  bs_socket *to;
  luaL_Stream *file; /* the source, if it is a Lua file; it may be closed while the call waits */
  bs_socket *from;   /* the source, if it has no places: a socket, or one made for a pipe */
  int fd;            /* the source, if it is neither of them */
  way go;
  off_t at;         /* its next byte, if it has places */
  lua_Integer left; /* at most so many bytes */
  lua_Integer sent;
  int moves; /* the file's position moves along */
};

static int source (const sendfile_op *op) {
  if (op->file != NULL && op->file->closef == NULL)
    return -1;
  if (op->from != NULL)
    return op->from->fd;
  return op->file != NULL ? fileno(op->file->f) : op->fd;
}

static ssize_t bycopy (sendfile_op *op, size_t n, int dontwait) {
  char piece[COPIED];
  ssize_t got = pread(source(op), piece, n < COPIED ? n : COPIED, op->at);
  if (got <= 0)
    return got;
  return bs_send(op->to, piece, (size_t)got, MSG_NOSIGNAL | dontwait);
}

/* The kernel's own ways have no MSG_DONTWAIT. */
static ssize_t inkernel (sendfile_op *op, size_t n, int dontwait) {
  if (dontwait && bs_setnonblock(op->to, 1) != 0)
    return -1;
  return sys_sendfile(op->to->fd, source(op), op->from == NULL ? op->at : -1, n, dontwait);
}

static ssize_t bykernel (sendfile_op *op, size_t n, int dontwait) {
  if (n <= COPIED)
    return bycopy(op, n, dontwait);
  ssize_t sent = inkernel(op, n, dontwait);
  if (sent < 0 && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
    op->go = bycopy; /* some files of /proc; a directory, of which pread says what is wrong */
    return bycopy(op, n, dontwait);
  }
  return sent;
}

/* A pipe. What a Lua file has read ahead of it goes first. */
static ssize_t bysplice (sendfile_op *op, size_t n, int dontwait) {
  const char *data;
  size_t ahead;
  if (op->file != NULL && bs_filebuffered(op->file->f, &data, &ahead) && ahead > 0) {
    char taken[COPIED];
    if (n > ahead)
      n = ahead;
    ssize_t sent = bs_send(op->to, data, n < COPIED ? n : COPIED, MSG_NOSIGNAL | dontwait);
    return sent > 0 ? (ssize_t)fread(taken, 1, (size_t)sent, op->file->f) : sent;
  }
  ssize_t sent = inkernel(op, n, dontwait);
  if (sent < 0 && bs_isagain(errno)) { /* one of them is not ready */
    if (bs_waitfd(op->from->fd, BS_READ, BS_NOWAIT) == 0)
      return NOTHINGYET;
    sent = inkernel(op, n, dontwait); /* now it can only be the socket */
  }
  return sent;
}

/* A socket. What came out of it and this one does not take stays as its read-ahead bytes. */
static ssize_t bysocket (sendfile_op *op, size_t n, int dontwait) {
  bs_socket *from = op->from;
  bs_chunk *c = bs_chunkof(from);
  if (c == NULL) {
    c = bs_roomafter(from, 1);
    if (c == NULL) {
      op->op.error = BS_ENOMEM;
      return -1;
    }
    size_t room = c->size - c->end;
    int peeked = bs_peekoff(from);
    if (from->flags & BS_UNFLUSHED) /* what it is to answer has to go out before it is waited for */
      dontwait = MSG_DONTWAIT;
    ssize_t got = bs_recv(from, c->data + c->end, n < room ? n : room, dontwait);
    if (got < 0 && bs_isagain(errno))
      return NOTHINGYET;
    if (got <= 0)
      return got;
    bs_came(from, c, (size_t)got, peeked);
    bs_readheld(from);
    c = bs_chunkof(from);
  }
  size_t ahead = c->end - c->start;
  ssize_t sent =
    bs_send(op->to, c->data + c->start, n < ahead ? n : ahead, MSG_NOSIGNAL | dontwait);
  if (sent > 0)
    bs_consume(from, (size_t)sent);
  return sent;
}

/* ==== the operation ==== */

/* Waits for the source; before, what is unflushed in a socket goes out. */
static int waitforsource (sendfile_op *op) {
  int unsent = 0; /* why it could not be sent, its next sending call will tell */
  op->op.sock = op->from;
  op->to->flags |= BS_WAITED; /* who closes it is to tell: the source will not */
  switch (bs_flush(op->from, BS_NOWAIT, &unsent)) {
    case BS_DONE: return BS_READ;
    case BS_WRITE: return BS_READ | BS_WRITE;
    default: return BS_AGAIN;
  }
}

static int moveto (const sendfile_op *op) {
  if (op->file != NULL)
    return fseeko(op->file->f, op->at, SEEK_SET);
  return lseek(op->fd, op->at, SEEK_SET) < 0 ? -1 : 0;
}

static int sendfile_step (bs_op *o, bs_span patience) {
  sendfile_op *op = (sendfile_op *)o;
  lua_Integer most = patience == BS_NOWAIT ? MOSTATONCE : MOSTWAITING;
  o->sock = op->to;
  int want = bs_flush(op->to, patience, &o->error); /* EBADF if it is closed */
  if (want != BS_DONE || o->error != 0)
    return want;
  if (source(op) < 0) {
    o->error = EBADF;
    return BS_DONE;
  }
  if (op->left == 0)
    return BS_DONE;
  ssize_t n = op->go(op, (size_t)(op->left < most ? op->left : most), bs_dontwait(patience));
  if (n == NOTHINGYET)
    return waitforsource(op);
  if (o->error != 0)
    return BS_DONE;
  if (n < 0)
    return bs_notsent(o);
  op->sent += n;
  op->at += n;
  op->left -= n;
  if (n > 0 && op->moves && moveto(op) != 0) {
    o->error = errno;
    return BS_DONE;
  }
  return n == 0 || op->left == 0 ? bs_allsent(o) : BS_AGAIN;
}

static int sendfile_finish (lua_State *L, bs_op *o) {
  const sendfile_op *op = (const sendfile_op *)o;
  int n = 0;
  if (o->error != 0)
    n = bs_failop(L, o, NULL);
  lua_pushinteger(L, op->sent);
  return n + 1;
}

static int sendfile_concerns (const bs_op *o, int fd) {
  return ((const sendfile_op *)o)->to->fd == fd;
}

static bs_socket *sendfile_side (const bs_op *o, int side) {
  const sendfile_op *op = (const sendfile_op *)o;
  return side == BS_IN ? op->from : op->to;
}

/* What write() left is sent by the step, as op.sock may be the source. */
static const bs_kind sendfile_kind = {BS_CALL("sendfile", sendfile_op),
                                      .traits = BS_TAKES | BS_TURN | BS_FLUSHTRAITS,
                                      .step = sendfile_step,
                                      .finish = sendfile_finish,
                                      .concerns = sendfile_concerns,
                                      .side = sendfile_side};

/* A pipe can be waited for like a socket, and nobody else may close its descriptor meanwhile. It is closed with the
** call, however that ends. */
static int beginpipe (lua_State *L, sendfile_op *op) {
  int fd = source(op);
  op->from = bs_newsocket(L, AF_UNSPEC, 0, 0);
  lua_toclose(L, -1);
  op->from->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (op->from->fd < 0 && bs_collect(L, errno))
    op->from->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  op->go = bysplice;
  return op->from->fd < 0 ? errno : 0;
}

/* Finds out which way to go, where to begin and where to end: 0 or an errno. What a Lua file has not written
** yet comes first. A regular file is asked for no more than it has: older kernels that meet its end before
** the count take that for a sign that more is to come, and keep the last bytes back for a while. Files
** that are made up as they are read, as those of /proc, have the size 0. */
static int begin (lua_State *L, sendfile_op *op) {
  struct stat st;
  const char *data;
  size_t n;
  if (op->to->fd < 0)
    return EBADF;
  if (op->to->type != SOCK_STREAM) /* pieces of any size would be messages */
    return EOPNOTSUPP;
  if (fstat(source(op), &st) != 0)
    return errno;
  if (op->from != NULL) {
    if (!op->moves)
      return ESPIPE;
    op->moves = 0;
    op->go = bysocket;
    return op->from->type == SOCK_STREAM ? 0 : EOPNOTSUPP;
  }
  /* one that is being read has nothing to flush, and musl would throw away what it has read ahead of a pipe */
  if (op->file != NULL && !(bs_filebuffered(op->file->f, &data, &n) && n > 0) &&
      fflush(op->file->f) != 0)
    return errno;
  if (op->moves) {
    op->at = op->file != NULL ? ftello(op->file->f) : lseek(op->fd, 0, SEEK_CUR);
    if (op->at < 0 && errno == ESPIPE && S_ISFIFO(st.st_mode) &&
        (op->file == NULL || bs_filebuffered(op->file->f, &data, &n))) {
      op->moves = 0;
      return bs_isthrough(op->to) ? EOPNOTSUPP : beginpipe(L, op);
    }
    if (op->at < 0)
      return errno;
  }
  if (S_ISREG(st.st_mode) && st.st_size > 0) {
    lua_Integer rest = op->at < st.st_size ? (lua_Integer)(st.st_size - op->at) : 0;
    if (op->left > rest)
      op->left = rest;
  }
  return 0;
}

/* s:sendfile(file or fd [, offset [, count]]) */
static int sendfile_sendfile (lua_State *L) {
  sendfile_op op;
  bs_socket *s = bs_checksocket(L, 1);
  lua_settop(L, 4);
  op.file = (luaL_Stream *)luaL_testudata(L, 2, LUA_FILEHANDLE);
  luaL_argcheck(L, op.file == NULL || op.file->closef != NULL, 2, "closed file");
  op.fd = bs_checkfd(L, 2, &op.from);
  lua_Integer offset = luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, offset >= 0, 3, "offset must not be negative");
  op.at = (off_t)offset;
  luaL_argcheck(L, op.at == offset, 3, "offset out of range");
  op.moves = lua_isnil(L, 3);
  op.left = luaL_optinteger(L, 4, LUA_MAXINTEGER);
  luaL_argcheck(L, op.left >= 0, 4, "count must not be negative");
  op.to = s;
  op.go = bs_isthrough(s) ? bycopy : bykernel;
  op.sent = 0;
  bs_initop(&op.op, &sendfile_kind, s->st, s);
  op.op.error = begin(L, &op);
  if (op.op.error != 0)
    return sendfile_finish(L, &op.op);
  return bs_run(L, &op.op);
}

static const luaL_Reg methods[] = {
  {"sendfile", sendfile_sendfile},
  {NULL, NULL},
};

void bs_opensendfile (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
