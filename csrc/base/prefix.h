/*
** prefix.h: the first include of every .c file.
** Feature macros only. Without them -std=c99 hides SO_REUSEPORT, accept4 and friends,
** and a constant that is hidden looks exactly like one that the platform lacks. The widths of files and
** times are for 32 bits, where else files end at 2 GiB and time in 2038.
*/
#ifndef bs_prefix_h
#define bs_prefix_h

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* glibc, musl */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1 /* macOS */
#endif
#ifndef __APPLE_USE_RFC_3542
#define __APPLE_USE_RFC_3542                                                                       \
  1 /* macOS: IPV6_RECVPKTINFO and its kin, with which control data comes */
#endif
#ifndef _NETBSD_SOURCE
#define _NETBSD_SOURCE 1 /* NetBSD */
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#ifndef _TIME_BITS
#define _TIME_BITS 64 /* glibc from 2.34 on; asks for the line before */
#endif
#ifndef __BSD_VISIBLE
#define __BSD_VISIBLE 1 /* FreeBSD */
#endif

#endif
