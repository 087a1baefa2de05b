/*
** engine.h: readiness of many descriptors, as the system tells it: epoll, kqueue or poll behind one interface.
*/
#ifndef bs_engine_h
#define bs_engine_h

#include <stdint.h>

#include "base/state.h"

BS_BEGIN

/* To be asked with what a descriptor may be ready for, as it stays until the place is left: */
#define BS_EDGE 512  /* tell of changes only */
#define BS_ONCE 1024 /* disarmed when something was told; bs_enginemodify arms it again */

typedef struct bs_watch bs_watch;

typedef struct bs_engine {
  bs_state *st;      /* whose allocator it uses */
  bs_watch *watches; /* by place */
  int size;          /* of them */
  int fd;            /* the kernel's; -1: this engine has none, or is closed */
  unsigned process;  /* the one that opened it (bs_process) */
  uint32_t stamp;    /* the last one given */
  int coarse;        /* the kernel knows no finer time than milliseconds */
} bs_engine;

/* A place is the caller's number for a descriptor: small, as there is an array of them. These give 0, an
** errno, or BS_ENOMEM. */
int bs_engineopen(bs_engine *e, bs_state *st);
void bs_engineclose(bs_engine *e); /* again is harmless */
/* EEXIST for a place that has this descriptor already, unless that was closed behind our back meanwhile. */
/* After a fork add, modify and wait give EBADF in the child, and nothing there touches what the parent has. */
int bs_engineadd(bs_engine *e, int i, int fd, int asked);
int bs_enginemodify(bs_engine *e, int i, int fd, int asked); /* ENOENT, EBADF: the place is left */
int bs_engineremove(bs_engine *e, int i, int fd); /* the place is left, whatever it gives */
/* Waits up to `patience`, no shorter, and calls told for each place that is ready; for one it may be called twice,
** or in vain. It must not raise; it may add, modify, remove, wait and close: no place is told what
** was meant for an earlier owner. */
typedef void (*bs_told)(void *ud, int i, int what);

/* Says whose turn will come after so many others, at most BS_SOON; NULL: that need not be said. An engine may leave
** it out. */
#define BS_SOON 3

typedef void (*bs_soon)(void *ud, int i, int turns);
int bs_enginewait(bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud);

/* With BS_EDGE, where the engine knows no edges (poll): what somebody waits for now. To be said before each wait of
** theirs, and 0 when nobody does: of such a place it asks that and nothing else. */
#define bs_enginehasedges(e) ((e)->fd >= 0)

void bs_engineneeds(bs_engine *e, int i, int want);
int bs_engineforked(const bs_engine *e); /* it is another process's: only to be closed */
extern const char bs_enginename[];       /* "epoll" ... */

BS_END

#endif
