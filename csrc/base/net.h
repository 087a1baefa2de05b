/*
** net.h: the system's headers of sockets, and what some systems lack in them.
*/
#ifndef bs_net_h
#define bs_net_h

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/clock.h"

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* such systems have SO_NOSIGPIPE, which socket.c sets */
#endif

#if !defined(MSG_TRUNC)
#define MSG_TRUNC 0
#endif

#if !defined(MSG_ERRQUEUE)
#define MSG_ERRQUEUE 0
#endif

#if defined(MSG_FASTOPEN)
#define BS_FASTOPEN MSG_FASTOPEN
#else
#define BS_FASTOPEN 0
#endif

#if defined(MSG_ZEROCOPY)
#define BS_ZEROCOPY MSG_ZEROCOPY
#else
#define BS_ZEROCOPY 0
#endif

#if !defined(IOV_MAX)
#define IOV_MAX 1024
#endif

/* Does this errno say that it has to be waited for? */
#define bs_isagain(err) ((err) == EAGAIN || (err) == EWOULDBLOCK)

/* The counts and lengths of messages have other types on each system, wide enough for all that is given here. What
** assigns them, or calls what takes them, stands between these two. */
#if defined(__GNUC__)
#define BS_ANYWIDTH                                                                                \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wconversion\"")                \
    _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#define BS_ANYWIDTHEND _Pragma("GCC diagnostic pop")
#else
#define BS_ANYWIDTH
#define BS_ANYWIDTHEND
#endif

/* The flag of a call that may wait so long. */
#define bs_dontwait(patience) ((patience) == BS_NEVER ? MSG_DONTWAIT : 0)

/* What iovec and msghdr point to is not const, as they serve both ways; who sends leaves it as it is. */
static inline void *bs_unconst (const void *p) {
  union {
    const void *in;
    void *out;
  } cast;
  cast.in = p;
  return cast.out;
}

#endif
