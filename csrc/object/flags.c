/*
** flags.c: flags of the open file description of a socket, O_NONBLOCK and SO_RCVTIMEO: set where a call needs them, and put
** back where somebody else goes on with it.
*/
#include "base/prefix.h"

#include <fcntl.h>
#include <sys/time.h>

#include "base/process.h"
#include "object/socket.h"

/* Knows without asking, unless others share the description. */
int bs_setnonblock (bs_socket *s, int on) {
  int known = (s->flags & BS_NONBLOCK) != 0;
  if (known == on && !(s->flags & BS_SHARED))
    return 0;
  int flags = fcntl(s->fd, F_GETFL);
  if (flags < 0)
    return -1;
  if (((flags & O_NONBLOCK) != 0) != on) {
    if (fcntl(s->fd, F_SETFL, flags ^ O_NONBLOCK) != 0)
      return -1;
    if (on) {
      s->flags |= BS_SETNONBLOCK;
      s->process = (unsigned char)bs_process(s->st);
    }
  }
  s->flags =
    (unsigned char)(on ? s->flags | BS_NONBLOCK : s->flags & ~(BS_NONBLOCK | BS_SETNONBLOCK));
  return 0;
}

static int setrcvtimeo (bs_socket *s, double seconds) {
  struct timeval tv;
  tv.tv_sec = (time_t)seconds;
  tv.tv_usec = (suseconds_t)((seconds - (double)tv.tv_sec) * 1e6);
  return setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* True if a receive on `s` will wait in the kernel for `seconds` and no longer. */
int bs_waitsinkernel (bs_socket *s, double seconds) {
  if (s->rcvtimeo == seconds)
    return 1;
  if (!(s->flags & BS_SETRCVTIMEO)) {
    if (s->rcvtimeo < 0) { /* adopted: what did its owner leave? */
      struct timeval tv;
      socklen_t len = sizeof(tv);
      if (getsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len) != 0)
        return 0;
      s->rcvtimeo = (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
    }
    s->foundrcvtimeo = s->rcvtimeo;
  }
  if (setrcvtimeo(s, seconds) != 0)
    return 0;
  s->rcvtimeo = seconds;
  s->flags |= BS_SETRCVTIMEO;
  s->process = (unsigned char)bs_process(s->st);
  return 1;
}

/* What another process set before a fork, that one goes on with. */
void bs_restoreflags (bs_socket *s) {
  if (s->process != (unsigned char)bs_process(s->st))
    s->flags = (unsigned char)(s->flags & ~(BS_SETNONBLOCK | BS_SETRCVTIMEO));
  if (s->flags & BS_SETNONBLOCK) { /* a twin may have put it back already */
    int flags = fcntl(s->fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
      (void)fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
  }
  if (s->flags & BS_SETRCVTIMEO)
    (void)setrcvtimeo(s, s->foundrcvtimeo);
  s->flags = (unsigned char)(s->flags & ~(BS_NONBLOCK | BS_SETNONBLOCK | BS_SETRCVTIMEO));
  s->rcvtimeo = -1;
}
