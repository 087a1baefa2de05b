/*
** bare.h: a system that has what POSIX has and nothing besides: included before all else, it takes away what Linux has
** alone. `make port PART=bare` builds the library so.
*/
#include "base/prefix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "base/netheaders.h"

#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#undef MSG_WAITFORONE
#undef MSG_CMSG_CLOEXEC
#undef MSG_ERRQUEUE
#undef MSG_FASTOPEN
#undef MSG_ZEROCOPY
#undef SO_ZEROCOPY
#undef SO_PEEK_OFF
#undef SO_DOMAIN
#undef SO_PROTOCOL
#undef SCM_CREDENTIALS
#undef UDP_GRO
#undef POLLRDHUP
#undef MADV_WIPEONFORK
#undef CLOCK_MONOTONIC_COARSE
#undef EFD_CLOEXEC
#undef AF_PACKET
#undef PACKET_HOST /* the families of addresses: packet, netlink, vsock, TIPC */
#undef NETLINK_ROUTE
#undef VMADDR_CID_ANY
#undef TIPC_SERVICE_ADDR
#undef IPPROTO_SCTP
