/*
** backend.h: what an engine is made of, for engine.c and the file of the system's own: epoll.c, kqueue.c or poll.c.
**
** -DBS_ENGINE_POLL takes poll where the system has better, -DBS_ENGINE_KQUEUE kqueue (libkqueue has one
** for Linux): for trying them out by
**   make test BUILD=build-poll CFLAGS="-O2 -DBS_ENGINE_POLL" SPEC=spec/poller_spec.lua
*/
#ifndef bs_backend_h
#define bs_backend_h

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/engine.h"

#if defined(BS_ENGINE_KQUEUE)
#define BS_BACKEND_KQUEUE
#elif defined(BS_ENGINE_POLL) || !defined(__has_include)
#define BS_BACKEND_POLL
#elif __has_include(<sys/epoll.h>)
#define BS_BACKEND_EPOLL
#elif __has_include(<sys/event.h>)
#define BS_BACKEND_KQUEUE
#else
#define BS_BACKEND_POLL
#endif

#define BS_MOSTEVENTS 256 /* taken from the kernel at a time */

BS_BEGIN

struct bs_watch {
  uint64_t stamp; /* epoll, kqueue: number of the registration; poll: of the file */
  int fd;
  int asked; /* 0: the place is not taken */
};

/* What the backend has of each place beside the watch, so many bytes in an array of its own. */
extern const size_t bs_backendextra;
#define bs_extraof(e) ((void *)((e)->watches + (e)->size))

/* These give 0 or an errno. */
int bs_backendcreate(bs_engine *e); /* makes e->fd, or leaves it -1 */
/* The place has a watch for the first time, or is left. */
void bs_backendclear(bs_engine *e, int i);
/* The place has a watch, of this descriptor perhaps: then EEXIST, unless the kernel says that what had been added was
** closed behind our back. */
int bs_backendadd(bs_engine *e, int i, int fd, int asked);
int bs_backendmodify(bs_engine *e, int i, int fd, int asked); /* the place is taken */
/* The place is taken, and will be left whatever the answer. */
int bs_backendwithdraw(bs_engine *e, int i, int fd);
/* is bs_enginewait */
int bs_backendcollect(bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud);

/* For those that are not epoll. */

/* What epoll refuses, the others take for always ready: let it be the same everywhere. The number
** tells one file from another that has come to its descriptor. */
static inline int bs_pollable (int fd, uint64_t *file) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  *file = (uint64_t)st.st_ino;
  return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? EPERM : 0;
}

static inline struct timespec *bs_totimespec (bs_time patience, struct timespec *ts) {
  ts->tv_sec = (time_t)(patience / 1000000000);
  ts->tv_nsec = (long)(patience % 1000000000);
  return patience == BS_FOREVER ? NULL : ts;
}

BS_END

#endif
