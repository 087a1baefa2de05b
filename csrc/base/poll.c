/*
** poll.c: the engine of all other systems: slow with many, and nobody else can wait for such an engine, as it has no
** descriptor. It knows no edges.
*/
#include "base/prefix.h"

#include "base/backend.h"
#include "base/readiness.h"

#if defined(BS_BACKEND_POLL)

#include <poll.h>

#define fdsof(e) ((struct pollfd *)bs_extraof(e))

const char bs_enginename[] = "poll";
const size_t bs_backendextra = sizeof(struct pollfd);

#if !defined(POLLRDHUP) /* then BS_HANGUP is told when both directions have ended */
#define POLLRDHUP 0
#endif

int bs_backendcreate (bs_engine *e) {
  (void)e;
  return 0;
}

/* poll passes over what is negative, as hang-ups are reported whether asked for or not. */
static void ask (bs_engine *e, int i, int fd, int want) {
  struct pollfd *f = &fdsof(e)[i];
  f->fd = want != 0 ? fd : -1;
  f->events = (short)((want & BS_READ ? POLLIN | POLLRDHUP : 0) | (want & BS_WRITE ? POLLOUT : 0) |
                      (want & BS_URGENT ? POLLPRI : 0) | (want & BS_HANGUP ? POLLRDHUP : 0));
}

void bs_backendclear (bs_engine *e, int i) {
  ask(e, i, -1, 0);
}

/* There are no edges here: of such places nothing is asked but what somebody needs. */
void bs_engineneeds (bs_engine *e, int i, int want) {
  if (i < e->size && (e->watches[i].asked & BS_EDGE))
    ask(e, i, e->watches[i].fd, want & e->watches[i].asked);
}

int bs_backendadd (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = bs_pollable(fd, &file);
  if (err == 0 && e->watches[i].asked != 0 && e->watches[i].stamp == file)
    err = EEXIST;
  if (err != 0)
    return err;
  e->watches[i].stamp = file;
  ask(e, i, fd, asked & BS_EDGE ? 0 : asked & ~BS_ONCE);
  fdsof(e)[i].revents = 0;
  return 0;
}

int bs_backendmodify (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = bs_pollable(fd, &file);
  if (err == 0 && e->watches[i].stamp != file)
    err = ENOENT;
  if (err == 0 && !(asked & BS_EDGE))
    ask(e, i, fd, asked & ~BS_ONCE);
  return err;
}

int bs_backendwithdraw (bs_engine *e, int i, int fd) {
  uint64_t file;
  int err = bs_pollable(fd, &file);
  return err != 0 ? err : e->watches[i].stamp != file ? ENOENT : 0;
}

static int whatof (short events) {
  int what = 0;
  if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
    what |= BS_READ;
  if (events & (POLLOUT | POLLHUP | POLLERR))
    what |= BS_WRITE;
  if (events & (POLLRDHUP | POLLHUP | POLLERR | POLLPRI))
    what |= BS_HANGUP;
  if (events & POLLPRI)
    what |= BS_URGENT;
  if (events & POLLERR)
    what |= BS_ERROR;
  return what;
}

/* Who has POLLRDHUP has ppoll. */
static int await (struct pollfd *fds, int size, bs_time patience) {
#if POLLRDHUP
  struct timespec ts;
  return ppoll(fds, (nfds_t)size, bs_totimespec(patience, &ts), NULL);
#else
  return poll(fds, (nfds_t)size, bs_millis(patience));
#endif
}

int bs_backendcollect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  (void)soon;
  int size = e->size;
  while (size > 0 && fdsof(e)[size - 1].fd < 0) /* EINVAL for more than there may be descriptors */
    size--;
  int n = await(size > 0 ? fdsof(e) : NULL, size, patience);
  if (n < 0)
    return errno;
  for (int i = 0; n > 0 && i < size && i < e->size; i++) {
    struct pollfd *f = &fdsof(e)[i];
    short events = f->revents;
    if (f->fd < 0 || events == 0)
      continue;
    n--;
    if (events & POLLNVAL) { /* closed behind our back: the others forget it, too */
      bs_backendclear(e, i);
      e->watches[i].asked = 0;
      told(ud, i, BS_LOST);
      continue;
    }
    if (e->watches[i].asked & BS_ONCE)
      bs_backendclear(e, i);
    told(ud, i, whatof(events));
  }
  return 0;
}

#else

typedef int bs_nopoll; /* a file of C is not empty */

#endif
