/*
** unixpath.c: listening on a path of the file system where an earlier server may have left its socket
** file. core.listenpath(s, address, backlog, mode) is a part of socket.listen; users do not see it.
**
** A file where nobody answers is stale and is replaced. Whether somebody answers, and the replacing, must
** be one step, or of two starters at once one would remove the other's fresh socket; so starters take
** turns by a lock on the directory (flock leaves no file behind). Without the lock nothing is replaced.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "object/hint.h"
#include "op/run.h"

#define LOCKREST 10000000 /* ns between two tries: another starter needs far less */
#define LOCKPATIENCE 1.0  /* s: a stranger who keeps the lock must not hold us up */

typedef struct listen_op {
  bs_op op;
  const bs_address *a; /* at stack index 2 */
  bs_socket
    *lock; /* at stack index 5: not a socket, but it closes the directory whatever happens */
  int backlog;
  int mode; /* -1: as the system makes it */
  char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
} listen_op;

/* Opens the directory of the path: 0 or an errno. */
static int opendirectory (listen_op *l) {
  char dir[sizeof(l->path)] = ".";
  const char *slash = strrchr(l->path, '/');
  if (slash != NULL) {
    size_t len = slash == l->path ? 1 : (size_t)(slash - l->path);
    memcpy(dir, l->path, len);
    dir[len] = '\0';
  }
  l->lock->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return l->lock->fd < 0 ? errno : 0;
}

/* Is it a socket file that no socket is bound to any more? 0 then, else an errno. A datagram socket can ask
** without being heard: a stream socket is of the wrong type for it, and a connection would reach the
** server's accept. */
static int stale (const listen_op *l) {
  struct stat st;
  if (lstat(l->path, &st) != 0 || !S_ISSOCK(st.st_mode))
    return EADDRINUSE;
  int probe = bs_syssocket(AF_UNIX, SOCK_DGRAM, 0);
  if (probe < 0)
    return errno;
  int refused = connect(probe, &l->a->u.sa, l->a->len) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused ? 0 : EADDRINUSE;
}

/* Binds, if need be in the place of a stale file; only with the lock. 0 or an errno. */
static int bindpath (const listen_op *l, int locked) {
  const struct sockaddr *sa = &l->a->u.sa;
  int fd = l->op.sock->fd;
  if (bind(fd, sa, l->a->len) == 0)
    return 0;
  int err = errno;
  if (err != EADDRINUSE || !locked)
    return err;
  err = stale(l);
  if (err != 0)
    return err;
  return unlink(l->path) == 0 && bind(fd, sa, l->a->len) == 0 ? 0 : errno;
}

/* Nobody can connect before listen, so nobody gets past a mode that is still too wide. 0 or an errno. */
static int bindandlisten (const listen_op *l, int locked) {
  int err = bindpath(l, locked);
  if (err != 0)
    return err;
  if ((l->mode < 0 || chmod(l->path, (mode_t)l->mode) == 0) &&
      listen(l->op.sock->fd, l->backlog) == 0)
    return 0;
  err = errno;
  (void)unlink(l->path);
  return err;
}

static int listen_step (bs_op *o, bs_time patience) {
  listen_op *l = (listen_op *)o;
  (void)patience; /* no call here waits */
  int err = l->lock->fd < 0 ? opendirectory(l) : 0;
  if (err == EMFILE || err == ENFILE) {
    o->error = err;
    return BS_DONE;
  }
  if (err == 0 && flock(l->lock->fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) {
      o->rest = LOCKREST;
      return BS_REST;
    }
    err = errno;
  }
  o->error = bindandlisten(l, err == 0);
  return BS_DONE;
}

static int listen_finish (lua_State *L, bs_op *o) {
  listen_op *l = (listen_op *)o;
  if (o->error == BS_ETIMEOUT)
    o->error = bindandlisten(l, 0);
  if (l->lock->fd >= 0) {
    int fd = l->lock->fd;
    l->lock->fd = -1;
    close(fd);
  }
  if (o->error != 0)
    return bs_failat(L, "listen", l->a, o->error);
  lua_settop(L, 1);
  return 1;
}

static const bs_kind listen_kind = {BS_CALL("listen", listen_op), .traits = BS_OPENS,
                                    .step = listen_step, .finish = listen_finish};

/* core.listenpath(s, address, backlog, mode or -1) -> s */
static int unixpath_listenpath (lua_State *L) {
  listen_op l;
  bs_socket *s = bs_checksocket(L, 1);
  const bs_address *a = bs_checkaddress(L, 2);
  lua_Integer backlog = luaL_checkinteger(L, 3), mode = luaL_checkinteger(L, 4);
  size_t len = a->len - offsetof(struct sockaddr_un, sun_path);
  luaL_argcheck(L, a->u.sa.sa_family == AF_UNIX && len < sizeof(l.path), 2,
                "unix address expected");
  memset(l.path, 0, sizeof(l.path));
  memcpy(l.path, a->u.un.sun_path, len);
  luaL_argcheck(L, l.path[0] != '\0', 2, "path expected");
  luaL_argcheck(L, mode >= -1 && mode <= 07777, 4, "mode out of range");
  lua_settop(L, 4);
  bs_initop(&l.op, &listen_kind, s->st, s);
  l.op.timeout = LOCKPATIENCE;
  l.a = a;
  l.lock = bs_newsocket(L, AF_UNSPEC, 0, 0);
  l.backlog = (int)backlog;
  l.mode = (int)mode;
  return bs_run(L, &l.op);
}

static const luaL_Reg functions[] = {
  {"listenpath", unixpath_listenpath},
  {NULL, NULL},
};

void bs_openunixpath (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
