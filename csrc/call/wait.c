/*
** wait.c: loop.wait, which waits until a descriptor of whomever is ready.
*/
#include "base/prefix.h"

#include <errno.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "call/source.h"
#include "op/run.h"

typedef struct wait_op {
  bs_op op;
  bs_source from;
  int want, ready;
} wait_op;

static int wait_step (bs_op *o, bs_time patience) {
  wait_op *w = (wait_op *)o;
  int fd = o->sock != NULL ? o->sock->fd : o->fd;
  (void)patience;
  if (fd < 0) {
    o->error = EBADF;
    return BS_DONE;
  }
  w->ready = bs_readyfd(fd, w->want);
  if (w->ready < 0 && errno == EINTR)
    return BS_AGAIN;
  if (w->ready < 0) {
    o->error = errno;
    return BS_DONE;
  }
  if ((w->want & BS_READ) && bs_holds(&w->from))
    w->ready |= BS_READ;
  return w->ready != 0 ? BS_DONE : w->want;
}

static const char *const events[] = {"", "r", "w", "rw", NULL}; /* by BS_READ | BS_WRITE */

static int wait_finish (lua_State *L, bs_op *o) {
  if (o->error ==
      EAGAIN) /* without time to wait; a socket would say so, but this is no socket's call */
    o->error = BS_ETIMEOUT;
  if (o->error != 0)
    return bs_failop(L, o, NULL);
  lua_pushstring(L, events[((wait_op *)o)->ready]);
  return 1;
}

static int wait_watched (bs_op *op) {
  const wait_op *w = (const wait_op *)op;
  if (w->from.poller == NULL)
    return 0;
  bs_markpoller(w->from.poller);
  return 1;
}

static const bs_kind wait_kind = {BS_CALL("wait", wait_op), .step = wait_step,
                                  .finish = wait_finish, .watched = wait_watched};

/* loop.wait(sock or fd, events [, timeout]) */
static int loop_wait (lua_State *L) {
  wait_op w;
  bs_socket *s;
  int fd = bs_checkfd(L, 1, &s);
  w.want = luaL_checkoption(L, 2, NULL, events);
  luaL_argcheck(L, w.want != 0, 2, "events must be 'r', 'w' or 'rw'");
  bs_initop(&w.op, &wait_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), s);
  w.op.timeout = bs_checktimeout(L, 3);
  bs_asksource(L, 1, w.want & BS_READ, &w.from);
  w.op.fd = w.from.held ? bs_checkfd(L, 1, &s) : fd;
  return bs_run(L, &w.op);
}

static const luaL_Reg functions[] = {
  {"wait", loop_wait},
  {NULL, NULL},
};

void bs_openwait (lua_State *L) {
  lua_getfield(L, BS_AT_MODULE, "loop");
  bs_setfuncs(L, lua_gettop(L), functions);
  lua_pop(L, 1);
}
