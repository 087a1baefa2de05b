/*
** write.c: the writing half of the file face of stream sockets, with the names and the meaning of Lua's io: write
** flush setvbuf. What write leaves unflushed waits here, and wait.c sends it before other calls go on. The reading
** half is in read.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/msghdr.h"
#include "base/open.h"
#include "call/send.h"
#include "object/face.h"
#include "op/run.h"

#define VBUFSIZE ((size_t)1 << 16) /* unless setvbuf says otherwise */

/* What one write gathers: its arguments, and before them what is unflushed. pieces[0] is free for that. */
#define FEWPIECES 9

typedef struct write_op {
  bs_op op;
  struct iovec *pieces; /* NULL: in `few` */
  int at, n;            /* the arguments that are left are at .. n - 1 */
  int whole;            /* one message: all of them, whatever their number */
  int buffers;          /* it need not be sent if there is room for it in the socket's buffer */
  size_t taken;
  struct iovec few[FEWPIECES];
} write_op;

static void gone (write_op *w, struct iovec *pieces, size_t n) {
  w->taken += n;
  while (w->at < w->n && n >= pieces[w->at].iov_len)
    n -= pieces[w->at++].iov_len;
  if (n > 0) {
    pieces[w->at].iov_base = (char *)pieces[w->at].iov_base + n;
    pieces[w->at].iov_len -= n;
  }
}

/* Where the buffer has room for all of it, it is there now: > 0; < 0 when memory is out. */
static int buffered (write_op *w) {
  const struct iovec *pieces = w->pieces != NULL ? w->pieces : w->few;
  bs_socket *s = w->op.sock;
  bs_face *f = s->face;
  size_t total = 0;
  for (int i = 1; i < w->n; i++)
    total += pieces[i].iov_len;
  if (f == NULL || f->mode == BS_UNBUFFERED || total > f->limit ||
      f->end - f->start > f->limit - total)
    return 0;
  if (!bs_faceroom(s, total) || f->data == NULL)
    return -1;
  for (int i = 1; i < w->n; i++) {
    if (pieces[i].iov_len > 0)
      memcpy(f->data + f->end, pieces[i].iov_base, pieces[i].iov_len);
    f->end += pieces[i].iov_len;
  }
  bs_setunflushed(s, 1);
  return 1;
}

static int write_step (bs_op *o, bs_time patience) {
  write_op *w = (write_op *)o;
  struct iovec *pieces = w->pieces != NULL ? w->pieces : w->few;
  bs_socket *s = o->sock;
  struct msghdr msg;
  size_t unflushed = 0, count = (size_t)(w->n - w->at);
  if (w->buffers) { /* once: what has begun to be sent goes on */
    int is = s->fd >= 0 ? buffered(w) : 0;
    w->buffers = 0;
    if (is != 0) {
      o->error = is < 0 ? BS_ENOMEM : 0;
      return BS_DONE;
    }
  }
  if (bs_leaves(s)) { /* that comes before all that is unflushed here */
    if (bs_flushthrough(s) != 0)
      return bs_notsent(o);
    return BS_AGAIN;
  }
  if (w->at == w->n)
    return BS_DONE;
  memset(&msg, 0, sizeof(msg));
  struct iovec *first = pieces + w->at;
  if (s->flags & BS_UNFLUSHED) {
    unflushed = s->face->end - s->face->start;
    first--;
    first->iov_base = s->face->data + s->face->start;
    first->iov_len = unflushed;
    count++;
  }
  bs_setpieces(&msg, first, count);
  ssize_t sent = bs_isthrough(s) ? bs_sendthrough(s, first, count)
                                 : sendmsg(s->fd, &msg, MSG_NOSIGNAL | bs_dontwait(patience));
  if (sent < 0)
    return bs_notsent(o);
  size_t n = (size_t)sent, before = n < unflushed ? n : unflushed;
  if (before > 0)
    bs_flushed(s, before);
  gone(w, pieces, n - before);
  return w->at < w->n && !w->whole ? BS_AGAIN : bs_allsent(o);
}

static int write_finish (lua_State *L, bs_op *o) {
  const write_op *w = (const write_op *)o;
  if (o->error != 0) {
    int n = bs_failop(L, o, NULL);
    lua_pushinteger(L, (lua_Integer)w->taken);
    return n + 1;
  }
  lua_settop(L, 1);
  return 1;
}

static const bs_kind write_kind = {BS_CALL("write", write_op), .traits = BS_TURN | BS_FLUSHTRAITS,
                                   .step = write_step, .finish = write_finish};

/* The arguments as pieces behind pieces[0]; gives their length. *newline: is there one in them? */
static size_t gather (lua_State *L, int top, struct iovec *pieces, int *newline) {
  size_t total = 0;
  for (int arg = 2; arg <= top; arg++) {
    size_t len;
    const char *data = luaL_checklstring(L, arg, &len);
    if (newline != NULL && !*newline)
      *newline = memchr(data, '\n', len) != NULL;
    pieces[arg - 1].iov_base = bs_unconst(data);
    pieces[arg - 1].iov_len = len;
    total += len;
  }
  return total;
}

/* More arguments than the kernel takes in one message: they become one. */
static void join (lua_State *L, write_op *w, struct iovec *pieces, size_t total) {
  luaL_Buffer b;
  luaL_buffinitsize(L, &b, total);
  for (int i = 1; i < w->n; i++)
    luaL_addlstring(&b, (const char *)pieces[i].iov_base, pieces[i].iov_len);
  luaL_pushresult(&b);
  lua_replace(L, 2);
  w->n = 2;
  gather(L, 2, pieces, NULL);
}

static enum bs_vbuf modeof (const bs_socket *s) {
  return s->face != NULL ? s->face->mode : BS_UNBUFFERED;
}

/* s:write(...) */
static int write_write (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  write_op w;
  int top = lua_gettop(L), newline = 0;
  bs_disown(s);
  w.pieces = NULL;
  w.n = top; /* with the free one */
  if (w.n > FEWPIECES)
    w.pieces = (struct iovec *)lua_newuserdatauv(L, (size_t)w.n * sizeof(struct iovec), 0);
  struct iovec *pieces = w.pieces != NULL ? w.pieces : w.few;
  size_t total = gather(L, top, pieces, modeof(s) == BS_LINE ? &newline : NULL);
  w.whole = s->type != SOCK_STREAM;
  if (w.whole && w.n - 1 > IOV_MAX)
    join(L, &w, pieces, total);
  bs_initop(&w.op, &write_kind, s->st, s);
  w.at = 1;
  w.taken = 0;
  if (s->fd < 0) {
    w.op.error = EBADF;
    return write_finish(L, &w.op);
  }
  if (w.n == 1 || (total == 0 && !w.whole)) {
    lua_settop(L, 1);
    return 1;
  }
  /* asked anew: a finalizer may have closed it, and given it another descriptor */
  w.buffers = modeof(s) != BS_UNBUFFERED && !newline;
  if (w.buffers && !(s->marks & BS_OUT)) { /* nobody's bytes are on their way */
    int is = buffered(&w);
    if (is < 0)
      bs_memory(L);
    if (is > 0) {
      lua_settop(L, 1);
      return 1;
    }
    w.buffers = 0;
  }
  return bs_run(L, &w.op);
}

static int flush_finish (lua_State *L, bs_op *o) {
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  lua_settop(L, 1);
  return 1;
}

static const bs_kind flush_kind = {BS_CALL("flush", bs_op), .traits = BS_FLUSHES | BS_FLUSHTRAITS,
                                   .step = bs_flushstep, .finish = flush_finish};

/* s:flush() */
static int write_flush (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  bs_op op;
  bs_initop(&op, &flush_kind, s->st, s);
  return bs_run(L, &op);
}

static const char *const modes[] = {"no", "full", "line", NULL}; /* by enum bs_vbuf */

static int setvbuf_finish (lua_State *L, bs_op *o) {
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  bs_face *f = bs_checkface(L, o->sock);
  f->mode = (enum bs_vbuf)luaL_checkoption(L, 2, NULL, modes);
  f->limit = (size_t)luaL_optinteger(L, 3, (lua_Integer)VBUFSIZE);
  lua_pushboolean(L, 1);
  return 1;
}

static const bs_kind setvbuf_kind = {BS_CALL("setvbuf", bs_op),
                                     .traits = BS_FLUSHES | BS_FLUSHTRAITS, .step = bs_flushstep,
                                     .finish = setvbuf_finish};

/* s:setvbuf(mode [, size]). What the mode before has left is flushed, so that the new size holds for all. */
static int write_setvbuf (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  bs_op op;
  luaL_checkoption(L, 2, NULL, modes);
  lua_Integer size = luaL_optinteger(L, 3, (lua_Integer)VBUFSIZE);
  luaL_argcheck(L, size >= 1 && (lua_Unsigned)size <= SIZE_MAX / 4, 3, "size out of range");
  if (s->type != SOCK_STREAM || s->fd < 0) /* a closed one would never give its face back */
    return bs_nostream(L, s, "setvbuf");
  bs_checkface(L, s); /* if memory is out, before anything is done */
  bs_initop(&op, &setvbuf_kind, s->st, s);
  return bs_run(L, &op);
}

static const luaL_Reg methods[] = {
  {"flush", write_flush},
  {"setvbuf", write_setvbuf},
  {"write", write_write},
  {NULL, NULL},
};

void bs_openwrite (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
