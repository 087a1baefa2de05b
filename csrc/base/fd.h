/*
** fd.h: descriptors: opened close-on-exec, waited for, owned by a file of Lua's.
*/
#ifndef bs_fd_h
#define bs_fd_h

#include <stdio.h>

#include "base/net.h"

BS_BEGIN

/* What may be in the type of a socket beside the type. */
#if defined(SOCK_CLOEXEC)
#define BS_TYPEFLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#else
#define BS_TYPEFLAGS 0
#endif

int bs_syssocket(int family, int type, int protocol); /* socket(2), close-on-exec from birth */
int bs_syssocketpair(int family, int type, int protocol, int fds[2]);
int bs_sysaccept(int fd, struct sockaddr *sa, socklen_t *len);
int bs_waitfd(int fd, int want, bs_time deadline); /* poll one: > 0 ready, 0 timeout, -1 errno */
int bs_readyfd(int fd, int want); /* what of BS_READ and BS_WRITE is ready now; -1 errno */
/* If err says that descriptors ran out, collects garbage: true if it is worth another try. */
int bs_collect(lua_State *L, int err);
/* Pushes a closed file of Lua's, which is to own a descriptor that is no socket. */
luaL_Stream *bs_newfile(lua_State *L);
int bs_openfile(luaL_Stream *p, int fd);                    /* it does; false when memory is out */
int bs_filebuffered(FILE *f, const char **data, size_t *n); /* false where that cannot be seen */

BS_END

#endif
