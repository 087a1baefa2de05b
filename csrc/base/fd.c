/*
** fd.c: descriptors: opened close-on-exec, waited for, owned by a file of Lua's. What differs between systems stands in
** blocks of its own.
*/
#include "base/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/readiness.h"

/* ---- platform: close-on-exec from birth ---- */

#if defined(SOCK_CLOEXEC)

#define BS_TYPEFLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

int bs_syssocket (int family, int type, int protocol) {
  return socket(family, type | SOCK_CLOEXEC, protocol);
}

int bs_syssocketpair (int family, int type, int protocol, int fds[2]) {
  return socketpair(family, type | SOCK_CLOEXEC, protocol, fds);
}

#else /* a child forked by another thread in between inherits: nothing better is to be had */

#define BS_TYPEFLAGS 0

static int birth (int fd) {
  if (fd >= 0) {
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#if defined(SO_NOSIGPIPE)
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
  }
  return fd;
}

int bs_syssocket (int family, int type, int protocol) {
  return birth(socket(family, type, protocol));
}

int bs_syssocketpair (int family, int type, int protocol, int fds[2]) {
  int r = socketpair(family, type, protocol, fds);
  if (r == 0) {
    birth(fds[0]);
    birth(fds[1]);
  }
  return r;
}

#endif

#if defined(SOCK_CLOEXEC)

int bs_sysaccept (int fd, struct sockaddr *sa, socklen_t *len) {
  return accept4(fd, sa, len, SOCK_CLOEXEC);
}

#else

int bs_sysaccept (int fd, struct sockaddr *sa, socklen_t *len) {
  int conn = accept(fd, sa, len);
  if (conn >= 0) {
    (void)fcntl(conn, F_SETFD, FD_CLOEXEC);
    (void)fcntl(conn, F_SETFL, fcntl(conn, F_GETFL) & ~O_NONBLOCK); /* inherited on such systems */
#if defined(SO_NOSIGPIPE)
    int on = 1;
    (void)setsockopt(conn, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
  }
  return conn;
}

#endif

/* ==== platform: what a FILE has read ahead; false where it cannot be seen ==== */

#if defined(_IO_EOF_SEEN) /* glibc shows its FILE */

int bs_filebuffered (FILE *f, const char **data, size_t *n) {
  *data = f->_IO_read_ptr;
  *n = (size_t)(f->_IO_read_end - f->_IO_read_ptr);
  return 1;
}

#elif defined(__SRD) /* so do the BSDs and macOS */

int bs_filebuffered (FILE *f, const char **data, size_t *n) {
  *data = (const char *)f->_p;
  *n = f->_r > 0 ? (size_t)f->_r : 0;
  return 1;
}

#elif defined(__ELF__) && defined(__GNUC__) /* musl has a function, and no macro that says so */

extern const char *__freadptr(FILE *f, size_t *n) __attribute__((weak));

int bs_filebuffered (FILE *f, const char **data, size_t *n) {
  *data = NULL;
  *n = 0;
  if (__freadptr == NULL)
    return 0;
  *data = __freadptr(f, n);
  if (*data == NULL)
    *n = 0;
  return 1;
}

#else

int bs_filebuffered (FILE *f, const char **data, size_t *n) {
  (void)f, (void)data, (void)n;
  return 0;
}

#endif

/* ==== waiting for one ==== */

static struct pollfd pollof (int fd, int want) {
  struct pollfd p;
  p.fd = fd;
  p.events = (short)((want & BS_READ ? POLLIN : 0) | (want & BS_WRITE ? POLLOUT : 0) |
                     (want & BS_URGENT ? POLLPRI : 0));
  p.revents = 0;
  return p;
}

int bs_waitfd (int fd, int want, bs_time deadline) {
  struct pollfd p = pollof(fd, want);
  return poll(&p, 1, bs_millis(bs_until(deadline)));
}

int bs_readyfd (int fd, int want) {
  struct pollfd p = pollof(fd, want);
  if (poll(&p, 1, 0) < 0)
    return -1;
  if (p.revents & POLLNVAL) {
    errno = EBADF;
    return -1;
  }
  int both = p.revents & (POLLHUP | POLLERR);
  return want & ((p.revents & POLLIN || both ? BS_READ : 0) |
                 (p.revents & POLLOUT || both ? BS_WRITE : 0));
}

int bs_collect (lua_State *L, int err) {
  if (err != EMFILE && err != ENFILE)
    return 0;
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 1;
}

/* ==== files of Lua's ==== */

static int fileclose (lua_State *L) {
  luaL_Stream *p = (luaL_Stream *)luaL_checkudata(L, 1, LUA_FILEHANDLE);
  errno = 0;
  return luaL_fileresult(L, fclose(p->f) == 0, NULL);
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
    lua_pushcfunction(L, file_gc);
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
}

luaL_Stream *bs_newfile (lua_State *L) {
  needfiles(L);
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

int bs_openfile (luaL_Stream *p, int fd) {
  p->f = fdopen(fd, accessmode(fd));
  if (p->f == NULL)
    return 0;
  p->closef = fileclose;
  return 1;
}
