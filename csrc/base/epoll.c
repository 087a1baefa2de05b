/*
** epoll.c: the engine of Linux.
*/
#include "base/prefix.h"

#include "base/backend.h"
#include "base/readiness.h"

#if defined(BS_BACKEND_EPOLL)

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

const char bs_enginename[] = "epoll";
const size_t bs_backendextra = 0;

int bs_backendcreate (bs_engine *e) {
  e->fd = epoll_create1(EPOLL_CLOEXEC);
  return e->fd < 0 ? errno : 0;
}

void bs_backendclear (bs_engine *e, int i) {
  e->watches[i].stamp = ++e->stamp;
}

/*
** The kernel goes on reporting a description whose descriptor was closed behind our back while a
** twin of it lives. So each event carries its place and the place's stamp, and an event with an
** older stamp is none of ours.
*/
static int control (bs_engine *e, int call, int i, int fd, int asked, uint64_t stamp) {
  struct epoll_event event;
  event.events = 0;
  if (asked & BS_READ)
    event.events |= asked & BS_EDGE ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : EPOLLIN;
  if (asked & BS_WRITE)
    event.events |= EPOLLOUT;
  if (asked & BS_URGENT)
    event.events |= EPOLLPRI;
  if (asked & BS_HANGUP)
    event.events |= EPOLLRDHUP;
  if (asked & BS_EDGE)
    event.events |= EPOLLET;
  if (asked & BS_ONCE)
    event.events |= EPOLLONESHOT;
  event.data.u64 = stamp << 32 | (uint64_t)i;
  return epoll_ctl(e->fd, call, fd, &event) == 0 ? 0 : errno;
}

int bs_backendadd (bs_engine *e, int i, int fd, int asked) {
  uint32_t stamp = e->stamp + 1;
  int err = control(e, EPOLL_CTL_ADD, i, fd, asked, stamp);
  if (err == 0)
    e->watches[i].stamp = e->stamp = stamp;
  return err;
}

int bs_backendmodify (bs_engine *e, int i, int fd, int asked) {
  return control(e, EPOLL_CTL_MOD, i, fd, asked, e->watches[i].stamp);
}

int bs_backendwithdraw (bs_engine *e, int i, int fd) {
  return control(e, EPOLL_CTL_DEL, i, fd, 0, 0);
}

/* What is reported and is none of ours cannot be taken out any more, and would be reported for ever: only
** a fresh set is rid of it. It takes the old one's number. */
static void renew (bs_engine *e) {
  int fresh = epoll_create1(EPOLL_CLOEXEC), number = e->fd;
  if (fresh < 0)
    return;
  e->fd = fresh;
  for (int i = 0; i < e->size; i++) {
    const bs_watch *w = &e->watches[i];
    if (w->asked != 0)
      (void)control(e, EPOLL_CTL_ADD, i, w->fd, w->asked, w->stamp);
  }
  e->fd = number;
  (void)dup3(fresh, number, O_CLOEXEC);
  (void)close(fresh);
}

/* epoll_wait knows milliseconds only. */
static int await (bs_engine *e, struct epoll_event *events, bs_time patience) {
#if defined(SYS_epoll_pwait2)
  if (patience > 0 && patience != BS_FOREVER && !e->coarse) {
    struct {
      int64_t sec, nsec;
    } span = {patience / 1000000000,
              patience % 1000000000}; /* the kernel's own, whatever libc's is */
    long n = syscall(SYS_epoll_pwait2, e->fd, events, BS_MOSTEVENTS, &span, NULL, (size_t)0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) /* sandboxes forbid what they do not know */
      return (int)n;
    e->coarse = 1;
  }
#endif
  return epoll_wait(e->fd, events, BS_MOSTEVENTS, bs_millis(patience));
}

static int placeof (const struct epoll_event *event) {
  return (int)(event->data.u64 & 0xffffffffu);
}

static int whatof (uint32_t events) {
  int what = 0;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
    what |= BS_READ;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
    what |= BS_WRITE;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) {
    what |= BS_HANGUP;
    if (events & EPOLLPRI)
      what |= BS_URGENT;
    if (events & EPOLLERR)
      what |= BS_ERROR;
  }
  return what;
}

int bs_backendcollect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  struct epoll_event events[BS_MOSTEVENTS];
  int n = await(e, events, patience), strange = 0;
  if (n < 0)
    return errno;
  uint32_t before = e->stamp;
  for (int k = 0; k < n; k++) {
    for (int turns = BS_SOON; soon != NULL && turns > 0; turns--) {
      int i = k + turns < n ? placeof(&events[k + turns]) : e->size;
      if (i < e->size)
        soon(ud, i, turns);
    }
    uint64_t stamp = events[k].data.u64 >> 32;
    int i = placeof(&events[k]);
    if (i >= e->size) /* closed by `told` */
      break;
    if (e->watches[i].stamp == stamp)
      told(ud, i, whatof(events[k].events));
    else if ((int32_t)((uint32_t)e->watches[i].stamp - before) <= 0) /* and not by `told` */
      strange = 1;
  }
  if (strange && e->fd >= 0)
    renew(e);
  return 0;
}

void bs_engineneeds (bs_engine *e, int i, int want) {
  (void)e, (void)i, (void)want;
}

#else

typedef int bs_noepoll; /* a file of C is not empty */

#endif
