/*
** msghdr.h: the structs of sendmsg(2) and recvmsg(2), whose fields have other types on each system.
*/
#ifndef bs_msghdr_h
#define bs_msghdr_h

#include "base/net.h"

BS_BEGIN

/* One of several messages, as the kernel is given it. */
#if defined(MSG_WAITFORONE)
typedef struct mmsghdr bs_header;
#else
typedef struct bs_header {
  struct msghdr msg_hdr;
  unsigned msg_len;
} bs_header;
#endif

#define BS_MOSTMESSAGES 1024 /* in one call: UIO_MAXIOV */

BS_ANYWIDTH

#define BS_MOSTMESSAGES 1024 /* in one call: UIO_MAXIOV */

BS_ANYWIDTH
static inline void bs_setpieces (struct msghdr *h, struct iovec *pieces, size_t n) {
  h->msg_iov = pieces;
  h->msg_iovlen = n < IOV_MAX ? n : IOV_MAX;
}

static inline void bs_setcontrol (struct msghdr *h, void *control, size_t len) {
  h->msg_control = control;
  h->msg_controllen = len;
}

static inline void bs_setlength (struct cmsghdr *c, size_t len) {
  c->cmsg_len = CMSG_LEN(len);
}

BS_ANYWIDTHEND

BS_END

#endif
