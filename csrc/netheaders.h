/*
** netheaders.h: every system header that names constants of sockets, in an order that compiles.
** For the files that need the names (constant.c, option.c).
**
** Where the C library and the kernel both have a header (netinet/tcp.h, netinet/udp.h), the C
** library's is taken: the kernel's define the same structs again. Those of the kernel that know
** how to stand beside the C library's (linux/in.h, linux/in6.h, linux/if.h) follow after them.
*/
#ifndef bs_netheaders_h
#define bs_netheaders_h

#include <sys/types.h>

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#ifdef __has_include
#if __has_include(<linux/in.h>)
#include <linux/in.h>
#endif
#if __has_include(<linux/in6.h>)
#include <linux/in6.h>
#endif
#if __has_include(<linux/ipv6.h>)
#include <linux/ipv6.h>
#endif
#if __has_include(<linux/if.h>) && !defined IFF_LOWER_UP
#include <linux/if.h>
#endif
#if __has_include(<linux/can/isotp.h>)
#include <linux/can/isotp.h>
#endif
#if __has_include(<linux/can/j1939.h>)
#include <linux/can/j1939.h>
#endif
#if __has_include(<linux/can/raw.h>)
#include <linux/can/raw.h>
#endif
#if __has_include(<linux/errqueue.h>)
#include <linux/errqueue.h>
#endif
#if __has_include(<linux/if_ether.h>)
#include <linux/if_ether.h>
#endif
#if __has_include(<linux/if_packet.h>)
#include <linux/if_packet.h>
#endif
#if __has_include(<linux/netlink.h>)
#include <linux/netlink.h>
#endif
#if __has_include(<linux/sctp.h>)
#include <linux/sctp.h>
#elif __has_include(<netinet/sctp.h>)
#include <netinet/sctp.h>
#endif
#if __has_include(<linux/tipc.h>)
#include <linux/tipc.h>
#endif
#if __has_include(<linux/vm_sockets.h>)
#include <linux/vm_sockets.h>
#elif __has_include(<sys/vsock.h>)
#include <sys/vsock.h>
#endif
#endif

/*
** Names that #ifdef would miss.
*/

/* Enumerators that have no macro of the same name. */
#if defined TCP_REPAIR && !defined TCP_ESTABLISHED
#define TCP_ESTABLISHED TCP_ESTABLISHED
#define TCP_SYN_SENT TCP_SYN_SENT
#define TCP_SYN_RECV TCP_SYN_RECV
#define TCP_FIN_WAIT1 TCP_FIN_WAIT1
#define TCP_FIN_WAIT2 TCP_FIN_WAIT2
#define TCP_TIME_WAIT TCP_TIME_WAIT
#define TCP_CLOSE TCP_CLOSE
#define TCP_CLOSE_WAIT TCP_CLOSE_WAIT
#define TCP_LAST_ACK TCP_LAST_ACK
#define TCP_LISTEN TCP_LISTEN
#define TCP_CLOSING TCP_CLOSING
#endif

#if defined TIPC_WAIT_FOREVER && !defined TIPC_CLUSTER_SCOPE
#define TIPC_CLUSTER_SCOPE TIPC_CLUSTER_SCOPE
#define TIPC_NODE_SCOPE TIPC_NODE_SCOPE
#endif

#if defined SCTP_EVENT && !defined SCTP_UNORDERED
#define SCTP_UNORDERED SCTP_UNORDERED
#define SCTP_ADDR_OVER SCTP_ADDR_OVER
#define SCTP_ABORT SCTP_ABORT
#define SCTP_SACK_IMMEDIATELY SCTP_SACK_IMMEDIATELY
#define SCTP_SENDALL SCTP_SENDALL
#define SCTP_EOF SCTP_EOF
#define SCTP_NOTIFICATION SCTP_NOTIFICATION
#define SCTP_COMM_UP SCTP_COMM_UP
#define SCTP_COMM_LOST SCTP_COMM_LOST
#define SCTP_RESTART SCTP_RESTART
#define SCTP_SHUTDOWN_COMP SCTP_SHUTDOWN_COMP
#define SCTP_CANT_STR_ASSOC SCTP_CANT_STR_ASSOC
#define SCTP_EMPTY SCTP_EMPTY
#define SCTP_CLOSED SCTP_CLOSED
#define SCTP_COOKIE_WAIT SCTP_COOKIE_WAIT
#define SCTP_COOKIE_ECHOED SCTP_COOKIE_ECHOED
#define SCTP_ESTABLISHED SCTP_ESTABLISHED
#define SCTP_SHUTDOWN_PENDING SCTP_SHUTDOWN_PENDING
#define SCTP_SHUTDOWN_SENT SCTP_SHUTDOWN_SENT
#define SCTP_SHUTDOWN_RECEIVED SCTP_SHUTDOWN_RECEIVED
#define SCTP_SHUTDOWN_ACK_SENT SCTP_SHUTDOWN_ACK_SENT
#endif

/* Of the kernel's headers that had to stay out: the kernel's numbers never change. */
#ifdef TCP_REPAIR
#ifndef TCP_MD5SIG_FLAG_IFINDEX
#define TCP_MD5SIG_FLAG_IFINDEX 0x2
#endif
#ifndef TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT
#define TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT 0x1
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#define TCP_AO_DEL_KEY 39
#define TCP_AO_INFO 40
#define TCP_AO_GET_KEYS 41
#define TCP_AO_REPAIR 42
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif
#endif

#ifdef UDP_ENCAP_GTP1U
#ifndef UDP_ENCAP_RXRPC
#define UDP_ENCAP_RXRPC 6
#endif
#ifndef TCP_ENCAP_ESPINTCP
#define TCP_ENCAP_ESPINTCP 7
#endif
#endif

/* Protocols have their numbers from the IANA; a level is its protocol's number. */
#ifndef IPPROTO_L2TP
#define IPPROTO_L2TP 115
#endif
#if defined SOL_TIPC && !defined SOL_SCTP
#define SOL_SCTP 132
#endif
#if defined SOL_TIPC && !defined SOL_UDPLITE
#define SOL_UDPLITE 136
#endif

/* Of no header that programs could include. */
#ifdef SOL_UDPLITE
#ifndef UDPLITE_SEND_CSCOV
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
#endif
#endif
#if defined SOL_RAW && defined SOL_TIPC && !defined ICMP_FILTER
#define ICMP_FILTER 1 /* linux/icmp.h, which does not stand beside netinet/ip_icmp.h */
#endif

#endif
