/*
** kqueue.c: the engine of the BSDs and of macOS.
*/
#include "base/prefix.h"

#include "base/backend.h"
#include "base/readiness.h"

#if defined(BS_BACKEND_KQUEUE)

#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

const char bs_enginename[] = "kqueue";
const size_t bs_backendextra = 0;

int bs_backendcreate (bs_engine *e) {
  e->fd = kqueue(); /* no fork inherits it, so this is soon enough: */
  if (e->fd < 0)
    return errno;
  (void)fcntl(e->fd, F_SETFD, FD_CLOEXEC);
  return 0;
}

void bs_backendclear (bs_engine *e, int i) {
  e->watches[i].stamp = ++e->stamp;
}

/* The filters that this takes, as BS_READ and BS_WRITE. A hang-up is told by that for reading. */
static int filtersof (int asked) {
  return (asked & BS_READ || asked & BS_HANGUP ? BS_READ : 0) | (asked & BS_WRITE);
}

/* Does the filter for reading tell of the end alone? It waits for more bytes than there can be. */
static int endsonly (int asked) {
  return (asked & BS_HANGUP) && !(asked & BS_READ);
}

static int control (bs_engine *e, int i, int fd, int event, int flags, int lowat) {
  struct kevent k;
  EV_SET(&k, (uintptr_t)fd, event == BS_READ ? EVFILT_READ : EVFILT_WRITE, (unsigned short)flags,
         lowat > 0 ? NOTE_LOWAT : 0, lowat, (void *)(intptr_t)i);
  return kevent(e->fd, &k, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

/* Two filters, one change each: all of it is done or nothing. */
static int change (bs_engine *e, int i, int fd, int old, int asked) {
  int flags = EV_ADD | (asked & BS_EDGE ? EV_CLEAR : 0) | (asked & BS_ONCE ? EV_ONESHOT : 0);
  int done = 0, wanted = filtersof(asked), had = filtersof(old);
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1) {
    int lowat = event == BS_READ && endsonly(asked) ? INT_MAX : 0;
    int same = (had & event) && (event == BS_WRITE || endsonly(old) == endsonly(asked));
    if (!(wanted & event) || same)
      continue;
    int err = control(e, i, fd, event, flags, lowat);
    if (err != 0) {
      if (done != 0)
        (void)control(e, i, fd, done, EV_DELETE, 0);
      return err;
    }
    done = event;
  }
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1)
    if ((had & event) && !(wanted & event))
      (void)control(e, i, fd, event, EV_DELETE, 0);
  return 0;
}

/* What was closed has left the queue, and cannot be enabled. */
static int enable (bs_engine *e, int i, int fd) {
  int asked = e->watches[i].asked;
  int event = filtersof(asked) & BS_READ ? BS_READ : BS_WRITE;
  return control(e, i, fd, event, EV_ENABLE, event == BS_READ && endsonly(asked) ? INT_MAX : 0);
}

int bs_backendadd (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = bs_pollable(fd, &file);
  if (err == 0 && e->watches[i].asked != 0 && enable(e, i, fd) == 0)
    err = EEXIST;
  if (err == 0)
    err = change(e, i, fd, 0, asked);
  if (err == 0)
    bs_backendclear(e, i);
  return err;
}

int bs_backendmodify (bs_engine *e, int i, int fd, int asked) {
  int old = e->watches[i].asked & (BS_READ | BS_WRITE | BS_HANGUP); /* none: disarmed, by BS_ONCE */
  int err = old != 0 ? enable(e, i, fd) : 0;
  return err != 0 ? err : change(e, i, fd, old, asked);
}

int bs_backendwithdraw (bs_engine *e, int i, int fd) {
  int err = 0;
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1)
    if (filtersof(e->watches[i].asked) & event) {
      int failure = control(e, i, fd, event, EV_DELETE, 0);
      err = err != 0 ? err : failure;
    }
  return err;
}

int bs_backendcollect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  (void)soon;
  struct kevent events[BS_MOSTEVENTS];
  struct timespec ts;
  int n = kevent(e->fd, NULL, 0, events, BS_MOSTEVENTS, bs_totimespec(patience, &ts));
  if (n < 0)
    return errno;
  uint32_t before = e->stamp;
  for (int k = 0; k < n; k++) {
    int i = (int)(intptr_t)events[k].udata;
    int event = events[k].filter == EVFILT_READ ? BS_READ : BS_WRITE;
    if (i >= e->size) /* closed by `told` */
      break;
    bs_watch *w = &e->watches[i];
    /* what is closed leaves the queue: only `told` can make an event an old one */
    if ((int32_t)((uint32_t)w->stamp - before) > 0 || !(filtersof(w->asked) & event))
      continue;
    if (w->asked & BS_ONCE) { /* this filter is gone by itself, the other is not */
      int other = filtersof(w->asked) & ~event;
      if (other != 0)
        (void)control(e, i, w->fd, other, EV_DELETE, 0);
      w->asked = w->asked & ~(BS_READ | BS_WRITE | BS_HANGUP);
    }
    told(ud, i, events[k].flags & (EV_EOF | EV_ERROR) ? event | BS_HANGUP : event);
  }
  return 0;
}

void bs_engineneeds (bs_engine *e, int i, int want) {
  (void)e, (void)i, (void)want;
}

#else

typedef int bs_nokqueue; /* a file of C is not empty */

#endif
