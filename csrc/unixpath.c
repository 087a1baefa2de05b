/*
** unixpath.c: listening on a path of the file system where an earlier server may have left its socket
** file. core.listenpath(s, address, backlog, mode) is a part of socket.listen; users do not see it.
**
** A file where nobody answers is stale and is replaced. Whether somebody answers, and the replacing, must
** be one step, or of two starters at once one would remove the other's fresh socket; so starters take
** turns by a lock on the directory (flock leaves no file behind). Without the lock nothing is replaced.
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bsdsocket.h"

#define LOCKTRIES 100 /* of 10 ms: another starter needs far less; a stranger must not hold us up */

/* The locked directory of `path`, or -1. */
static int lockdirectory (const char *path) {
  char dir[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  const char *slash = strrchr(path, '/');
  size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
  memcpy(dir, path, len);
  strcpy(dir + len, len == 0 ? "." : "");
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  for (int i = 0; i < LOCKTRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
      return fd;
    if (errno != EWOULDBLOCK && errno != EINTR)
      break;
    (void)poll(NULL, 0, 10);
  }
  close(fd);
  return -1;
}

/* Is it a socket file that no socket is bound to any more? A datagram socket can ask without being heard:
** a stream socket is of the wrong type for it, and a connection would reach the server's accept. */
static int stale (const bs_address *a, const char *path) {
  struct stat st;
  if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
    return 0;
  int probe = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (probe < 0)
    return 0;
  (void)fcntl(probe, F_SETFD, FD_CLOEXEC);
  int refused = connect(probe, &a->u.sa, a->len) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

/* Binds, if need be in the place of a stale file; only with the lock. 0 or an errno. */
static int bindpath (const bs_socket *s, const bs_address *a, const char *path, int locked) {
  if (bind(s->fd, &a->u.sa, a->len) == 0)
    return 0;
  int err = errno;
  if (err != EADDRINUSE || !locked || !stale(a, path) || unlink(path) != 0)
    return err;
  return bind(s->fd, &a->u.sa, a->len) == 0 ? 0 : errno;
}

/* Nobody can connect before listen, so nobody gets past a mode that is still too wide. */
static int listenbound (const bs_socket *s, const char *path, int backlog, int mode) {
  if ((mode < 0 || chmod(path, (mode_t)mode) == 0) && listen(s->fd, backlog) == 0)
    return 0;
  int err = errno;
  (void)unlink(path);
  return err;
}

/* core.listenpath(s, address, backlog, mode or -1) -> s */
static int unixpath_listenpath (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  const bs_address *a = bs_checkaddress(L, 2);
  lua_Integer backlog = luaL_checkinteger(L, 3), mode = luaL_checkinteger(L, 4);
  char path[sizeof(a->u.un.sun_path) + 1] = "";
  size_t len = a->len - offsetof(struct sockaddr_un, sun_path);
  luaL_argcheck(L, a->u.sa.sa_family == AF_UNIX && len < sizeof(path), 2, "unix address expected");
  memcpy(path, a->u.un.sun_path, len);
  luaL_argcheck(L, path[0] != '\0', 2, "path expected");
  luaL_argcheck(L, mode >= -1 && mode <= 07777, 4, "mode out of range");
  int lock = lockdirectory(path);
  int err = bindpath(s, a, path, lock >= 0);
  if (err == 0)
    err = listenbound(s, path, (int)backlog, (int)mode);
  if (lock >= 0)
    close(lock);
  if (err != 0)
    return bs_failat(L, "listen", a, err);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"listenpath", unixpath_listenpath},
  {NULL, NULL},
};

void bs_openunixpath (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
