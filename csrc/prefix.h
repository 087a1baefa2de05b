/*
** prefix.h: the first include of every .c file.
** Feature macros only. Without them -std=c99 hides SO_REUSEPORT, accept4 and friends,
** and a constant that is hidden looks exactly like one that the platform lacks.
*/
#ifndef bs_prefix_h
#define bs_prefix_h

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* glibc, musl */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1 /* macOS */
#endif
#ifndef __BSD_VISIBLE
#define __BSD_VISIBLE 1 /* FreeBSD */
#endif

#endif
