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

#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#ifdef __has_include
#if __has_include(<netinet/icmp6.h>)
#include <netinet/icmp6.h>
#endif
#if __has_include(<netinet/ip6.h>)
#include <netinet/ip6.h>
#endif
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

/* Of the kernel's headers that had to stay out, or may be older than the kernel: its numbers never change. */
#ifdef SOL_TIPC
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif
#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL 49
#endif
#ifndef IP_UNICAST_IF
#define IP_UNICAST_IF 50
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_FLOWLABEL
#define IPV6_FLOWINFO_FLOWLABEL 0x000fffff
#define IPV6_FLOWINFO_PRIORITY 0x0ff00000
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_ROUTER_ALERT_ISOLATE
#define IPV6_ROUTER_ALERT_ISOLATE 30
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
#endif
#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif
#ifndef IPV6_ADDR_PREFERENCES
#define IPV6_ADDR_PREFERENCES 72
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif
#ifndef IPV6_ORIGDSTADDR
#define IPV6_ORIGDSTADDR 74
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR IPV6_ORIGDSTADDR
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#ifndef IPPROTO_ETHERNET
#define IPPROTO_ETHERNET 143
#endif
#ifndef IPPROTO_AGGFRAG
#define IPPROTO_AGGFRAG 144
#endif
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif
#ifndef SCM_SECURITY
#define SCM_SECURITY 3
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM 0x2000000
#endif

/* Of netfilter's headers, which need others that do not stand beside the C library's. */
#ifndef SO_ORIGINAL_DST
#define SO_ORIGINAL_DST 80
#endif
#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST 80
#endif

/* linux/net_tstamp.h has them as enumerators, which #ifdef would miss. */
#define SOF_TIMESTAMPING_TX_HARDWARE (1 << 0)
#define SOF_TIMESTAMPING_TX_SOFTWARE (1 << 1)
#define SOF_TIMESTAMPING_RX_HARDWARE (1 << 2)
#define SOF_TIMESTAMPING_RX_SOFTWARE (1 << 3)
#define SOF_TIMESTAMPING_SOFTWARE (1 << 4)
#define SOF_TIMESTAMPING_SYS_HARDWARE (1 << 5)
#define SOF_TIMESTAMPING_RAW_HARDWARE (1 << 6)
#define SOF_TIMESTAMPING_OPT_ID (1 << 7)
#define SOF_TIMESTAMPING_TX_SCHED (1 << 8)
#define SOF_TIMESTAMPING_TX_ACK (1 << 9)
#define SOF_TIMESTAMPING_OPT_CMSG (1 << 10)
#define SOF_TIMESTAMPING_OPT_TSONLY (1 << 11)
#define SOF_TIMESTAMPING_OPT_STATS (1 << 12)
#define SOF_TIMESTAMPING_OPT_PKTINFO (1 << 13)
#define SOF_TIMESTAMPING_OPT_TX_SWHW (1 << 14)
#define SOF_TIMESTAMPING_BIND_PHC (1 << 15)
#define SOF_TIMESTAMPING_OPT_ID_TCP (1 << 16)
#define SOF_TIMESTAMPING_OPT_RX_FILTER (1 << 17)
#define SOF_TIMESTAMPING_TX_COMPLETION (1 << 18)
#define SOF_TXTIME_DEADLINE_MODE (1 << 0)
#define SOF_TXTIME_REPORT_ERRORS (1 << 1)
#endif

/* The later ones of SOL_SOCKET have these numbers wherever the earlier ones go on as usual (sparc's and parisc's do
** not). */
#if defined SO_ATTACH_REUSEPORT_EBPF && SO_ATTACH_REUSEPORT_EBPF == 52
#ifndef SO_RESERVE_MEM
#define SO_RESERVE_MEM 73
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_DEVMEM_LINEAR
#define SO_DEVMEM_LINEAR 78
#define SCM_DEVMEM_LINEAR SO_DEVMEM_LINEAR
#define SO_DEVMEM_DMABUF 79
#define SCM_DEVMEM_DMABUF SO_DEVMEM_DMABUF
#define SO_DEVMEM_DONTNEED 80
#endif
#ifndef SCM_TS_OPT_ID
#define SCM_TS_OPT_ID 81
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SO_INQ
#define SO_INQ 84
#define SCM_INQ SO_INQ
#endif
#endif

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
