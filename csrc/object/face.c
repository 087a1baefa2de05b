/*
** face.c: a stream socket as a file: what setvbuf and setmaxline said, and what write() has left unflushed. The calls are in
** read.c and write.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "base/readiness.h"
#include "object/face.h"

bs_face *bs_checkface (lua_State *L, bs_socket *s) {
  if (s->face == NULL) {
    bs_state *st = s->st;
    bs_face *f = (bs_face *)st->alloc(st->allocdata, NULL, 0, sizeof(bs_face));
    if (f == NULL)
      bs_memory(L);
    memset(f, 0, sizeof(*f));
    f->maxline = BS_MAXLINE;
    s->face = f;
  }
  return s->face;
}

int bs_nostream (lua_State *L, const bs_socket *s, const char *call) {
  return bs_fail(L, call, s->fd < 0 ? EBADF : EOPNOTSUPP);
}

bs_socket *bs_checkstream (lua_State *L, const char *call) {
  bs_socket *s = bs_checksocket(L, 1);
  if (s->type != SOCK_STREAM)
    bs_raise(L, call, s->fd < 0 ? EBADF : EOPNOTSUPP);
  return s;
}

void bs_setunflushed (bs_socket *s, int is) {
  if (is == ((s->flags & BS_UNFLUSHED) != 0))
    return;
  s->flags = (unsigned char)(s->flags ^ BS_UNFLUSHED);
  s->st->aside += is ? 1 : -1;
  if (is)
    s->face->process = bs_process(s->st);
}

/* So many of the unflushed bytes are gone. What they were in is given back with the last. */
void bs_flushed (bs_socket *s, size_t n) {
  bs_face *f = s->face;
  f->start += n;
  if (f->start < f->end)
    return;
  s->st->alloc(s->st->allocdata, f->data, f->room, 0);
  f->data = NULL;
  f->room = f->start = f->end = 0;
  bs_setunflushed(s, bs_leaves(s));
}

/* What was written before a fork is for the parent to send. */
void bs_disown (bs_socket *s) {
  if (!(s->flags & BS_UNFLUSHED) || s->face->process == bs_process(s->st))
    return;
  bs_flushed(s, s->face->end - s->face->start);
  if (bs_isthrough(s))
    s->face->through->leaves = 0;
  bs_setunflushed(s, 0);
}

void bs_dropface (bs_socket *s) {
  if (s->face == NULL)
    return;
  if (s->flags & BS_UNFLUSHED)
    bs_flushed(s, s->face->end - s->face->start);
  if (bs_isthrough(s))
    bs_closethrough(s);
  s->st->alloc(s->st->allocdata, s->face, sizeof(bs_face), 0);
  s->face = NULL;
}

/* Room for `more` bytes behind what is unflushed; false when memory is out. */
int bs_faceroom (bs_socket *s, size_t more) {
  bs_face *f = s->face;
  size_t n = f->end - f->start;
  if (f->room - f->end >= more)
    return 1;
  if (n > 0)
    memmove(f->data, f->data + f->start, n);
  f->start = 0;
  f->end = n;
  if (f->room - n >= more)
    return 1;
  size_t room = f->room > 0 ? f->room : 512;
  while (room < n + more)
    room *= 2;
  if (room > f->limit)
    room = f->limit;
  char *data = (char *)s->st->alloc(s->st->allocdata, f->data, f->room, room);
  if (data == NULL)
    return 0;
  f->data = data;
  f->room = room;
  return 1;
}

/* What an error of a sending system call comes to. */
static int notflushed (const bs_socket *s, int *err) {
  if (bs_isagain(errno))
    return bs_wantof(s, BS_WRITE);
  if (errno == EINTR)
    return BS_AGAIN;
  *err = errno;
  return errno == EINPROGRESS ? BS_WRITE : BS_DONE; /* TCP_FASTOPEN_CONNECT: it connects first */
}

int bs_flush (bs_socket *s, bs_time patience, int *err) {
  if (s->fd < 0) {
    *err = EBADF;
    return BS_DONE;
  }
  bs_disown(s);
  if (!(s->flags & BS_UNFLUSHED))
    return BS_DONE;
  const bs_face *f = s->face;
  if (bs_leaves(s)) { /* that comes first */
    if (bs_flushthrough(s) != 0)
      return notflushed(s, err);
    return s->flags & BS_UNFLUSHED ? BS_AGAIN : BS_DONE;
  }
  ssize_t n =
    bs_send(s, f->data + f->start, f->end - f->start, MSG_NOSIGNAL | bs_dontwait(patience));
  if (n < 0)
    return notflushed(s, err);
  bs_flushed(s, (size_t)n);
  return s->flags & BS_UNFLUSHED ? BS_AGAIN : BS_DONE;
}
