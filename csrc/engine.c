/*
** engine.c: readiness of many descriptors, as the system tells it: epoll, kqueue or poll behind one
** interface. No Lua state is touched and nothing is known of sockets: poller.c gives it to users, and
** whoever schedules may stand on it, too. A few descriptors are asked about in select.c and wait.c.
**
** Each descriptor has a place, a number that its owner chose, and a watch here. The owner's function
** `told` may do anything with the engine while events are handed to it; so an event counts only if its
** place has not changed hands since the kernel gave it, which is what stamps are for.
**
** -DBS_ENGINE_POLL takes poll where the system has better, -DBS_ENGINE_KQUEUE kqueue (libkqueue has one
** for Linux): for trying them out by
**   make test BUILD=build-poll CFLAGS="-O2 -DBS_ENGINE_POLL" SPEC=spec/poller_spec.lua
*/
#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bsdsocket.h"

#if defined(BS_ENGINE_KQUEUE)
#include <sys/event.h>
#elif !defined(BS_ENGINE_POLL) && defined(__has_include)
#if __has_include(<sys/epoll.h>)
#include <sys/epoll.h>
#include <sys/syscall.h>
#elif __has_include(<sys/event.h>)
#include <sys/event.h>
#endif
#endif

/* ==== platform: a page that a child process finds empty, since to ask for one's number takes a system call ==== */

#if defined(MADV_WIPEONFORK)

static void openpage (bs_state *st) {
  void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  st->nopage = page == MAP_FAILED;
  if (!st->nopage && madvise(page, 1, MADV_WIPEONFORK) != 0) {
    (void)munmap(page, 1);
    st->nopage = 1;
  }
  if (!st->nopage)
    st->page = (volatile char *)page;
}

unsigned bs_process (bs_state *st) {
  if (st->page == NULL && !st->nopage)
    openpage(st);
  if (st->page == NULL)
    return (unsigned)getpid();
  if (*st->page == 0) {
    *st->page = 1;
    st->process++;
  }
  return st->process;
}

void bs_endprocess (bs_state *st) {
  if (st->page != NULL)
    (void)munmap((void *)(uintptr_t)st->page, 1);
  st->page = NULL;
  st->nopage = 1;
}

#else

unsigned bs_process (bs_state *st) {
  (void)st;
  return (unsigned)getpid();
}

void bs_endprocess (bs_state *st) {
  (void)st;
}

#endif

struct bs_watch {
  uint64_t stamp; /* epoll, kqueue: number of the registration; poll: of the file */
  int fd;
  int asked; /* 0: the place is not taken */
};

#define FEWEST 16
#define MOST (INT_MAX / 128) /* places: so that no size below overflows anywhere */
#define EVENTS 256           /* taken from the kernel at a time */

/* What an engine has of each place beside the watch, EXTRA bytes in an array of its own. */
#define extraof(e) ((void *)((e)->watches + (e)->size))

/* ---- engines ----
**
** Each has these functions; they give 0 or an errno.
**   create     makes e->fd, or leaves it -1
**   clear      the place has a watch for the first time, or is left
**   add        the place has a watch, of this descriptor perhaps: then EEXIST, unless the kernel says that
**              what had been added was closed behind our back
**   modify     the place is taken
**   withdraw   the place is taken, and will be left whatever the answer
**   collect    is bs_enginewait
*/

#if defined(EPOLL_CLOEXEC)

#define NAME "epoll"
#define EXTRA 0

static int create (bs_engine *e) {
  e->fd = epoll_create1(EPOLL_CLOEXEC);
  return e->fd < 0 ? errno : 0;
}

static void clear (bs_engine *e, int i) {
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

static int add (bs_engine *e, int i, int fd, int asked) {
  uint32_t stamp = e->stamp + 1;
  int err = control(e, EPOLL_CTL_ADD, i, fd, asked, stamp);
  if (err == 0)
    e->watches[i].stamp = e->stamp = stamp;
  return err;
}

static int modify (bs_engine *e, int i, int fd, int asked) {
  return control(e, EPOLL_CTL_MOD, i, fd, asked, e->watches[i].stamp);
}

static int withdraw (bs_engine *e, int i, int fd) {
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
    long n = syscall(SYS_epoll_pwait2, e->fd, events, EVENTS, &span, NULL, (size_t)0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) /* sandboxes forbid what they do not know */
      return (int)n;
    e->coarse = 1;
  }
#endif
  return epoll_wait(e->fd, events, EVENTS, bs_millis(patience));
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

static int collect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  struct epoll_event events[EVENTS];
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

#else

#include <sys/stat.h>

/* What epoll refuses, the others take for always ready: let it be the same everywhere. The number
** tells one file from another that has come to its descriptor. */
static int pollable (int fd, uint64_t *file) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  *file = (uint64_t)st.st_ino;
  return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? EPERM : 0;
}

static inline struct timespec *totimespec (bs_time patience, struct timespec *ts) {
  ts->tv_sec = (time_t)(patience / 1000000000);
  ts->tv_nsec = (long)(patience % 1000000000);
  return patience == BS_FOREVER ? NULL : ts;
}

#if defined(EVFILT_READ)

#define NAME "kqueue"
#define EXTRA 0

static int create (bs_engine *e) {
  e->fd = kqueue(); /* no fork inherits it, so this is soon enough: */
  if (e->fd < 0)
    return errno;
  (void)fcntl(e->fd, F_SETFD, FD_CLOEXEC);
  return 0;
}

static void clear (bs_engine *e, int i) {
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

static int add (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = pollable(fd, &file);
  if (err == 0 && e->watches[i].asked != 0 && enable(e, i, fd) == 0)
    err = EEXIST;
  if (err == 0)
    err = change(e, i, fd, 0, asked);
  if (err == 0)
    clear(e, i);
  return err;
}

static int modify (bs_engine *e, int i, int fd, int asked) {
  int old = e->watches[i].asked & (BS_READ | BS_WRITE | BS_HANGUP); /* none: disarmed, by BS_ONCE */
  int err = old != 0 ? enable(e, i, fd) : 0;
  return err != 0 ? err : change(e, i, fd, old, asked);
}

static int withdraw (bs_engine *e, int i, int fd) {
  int err = 0;
  for (int event = BS_READ; event <= BS_WRITE; event <<= 1)
    if (filtersof(e->watches[i].asked) & event) {
      int failure = control(e, i, fd, event, EV_DELETE, 0);
      err = err != 0 ? err : failure;
    }
  return err;
}

static int collect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  (void)soon;
  struct kevent events[EVENTS];
  struct timespec ts;
  int n = kevent(e->fd, NULL, 0, events, EVENTS, totimespec(patience, &ts));
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

#else /* slow with many, and nobody else can wait for such an engine: it has no descriptor */

#include <poll.h>

#define NAME "poll"
#define EXTRA sizeof(struct pollfd)
#define LEVELONLY /* knows no edges */
#define fdsof(e) ((struct pollfd *)extraof(e))

#if !defined(POLLRDHUP) /* then BS_HANGUP is told when both directions have ended */
#define POLLRDHUP 0
#endif

static int create (bs_engine *e) {
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

static void clear (bs_engine *e, int i) {
  ask(e, i, -1, 0);
}

/* There are no edges here: of such places nothing is asked but what somebody needs. */
void bs_engineneeds (bs_engine *e, int i, int want) {
  if (i < e->size && (e->watches[i].asked & BS_EDGE))
    ask(e, i, e->watches[i].fd, want & e->watches[i].asked);
}

static int add (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = pollable(fd, &file);
  if (err == 0 && e->watches[i].asked != 0 && e->watches[i].stamp == file)
    err = EEXIST;
  if (err != 0)
    return err;
  e->watches[i].stamp = file;
  ask(e, i, fd, asked & BS_EDGE ? 0 : asked & ~BS_ONCE);
  fdsof(e)[i].revents = 0;
  return 0;
}

static int modify (bs_engine *e, int i, int fd, int asked) {
  uint64_t file;
  int err = pollable(fd, &file);
  if (err == 0 && e->watches[i].stamp != file)
    err = ENOENT;
  if (err == 0 && !(asked & BS_EDGE))
    ask(e, i, fd, asked & ~BS_ONCE);
  return err;
}

static int withdraw (bs_engine *e, int i, int fd) {
  uint64_t file;
  int err = pollable(fd, &file);
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
  return ppoll(fds, (nfds_t)size, totimespec(patience, &ts), NULL);
#else
  return poll(fds, (nfds_t)size, bs_millis(patience));
#endif
}

static int collect (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
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
      clear(e, i);
      e->watches[i].asked = 0;
      told(ud, i, BS_LOST);
      continue;
    }
    if (e->watches[i].asked & BS_ONCE)
      clear(e, i);
    told(ud, i, whatof(events));
  }
  return 0;
}

#endif
#endif

#if !defined(LEVELONLY)
void bs_engineneeds (bs_engine *e, int i, int want) {
  (void)e, (void)i, (void)want;
}
#endif

/* ---- what they share ---- */

const char bs_enginename[] = NAME;

int bs_engineopen (bs_engine *e, bs_state *st) {
  memset(e, 0, sizeof(*e));
  e->st = st;
  e->fd = -1;
  e->process = bs_process(st);
  return create(e);
}

static size_t bytes (int size) {
  return (size_t)size * (sizeof(bs_watch) + EXTRA);
}

void bs_engineclose (bs_engine *e) {
  if (e->fd >= 0)
    (void)close(e->fd);
  e->fd = -1;
  if (e->watches != NULL)
    e->st->alloc(e->st->allocdata, e->watches, bytes(e->size), 0);
  e->watches = NULL;
  e->size = 0;
}

int bs_engineforked (const bs_engine *e) {
  return e->process != bs_process(e->st);
}

/* Sees to it that there is a place i. */
static BS_ASIDE int reach (bs_engine *e, int i) {
  bs_engine old = *e;
  int size = old.size == 0 ? FEWEST : old.size;
  if (i >= MOST)
    return 0;
  while (size <= i)
    size *= 2;
  bs_watch *watches = (bs_watch *)old.st->alloc(old.st->allocdata, NULL, 0, bytes(size));
  if (watches == NULL)
    return 0;
  e->watches = watches;
  e->size = size;
  memset(watches, 0, bytes(size));
  if (old.size > 0) {
    memcpy(watches, old.watches, (size_t)old.size * sizeof(bs_watch));
    memcpy(extraof(e), extraof(&old), (size_t)old.size * EXTRA);
    old.st->alloc(old.st->allocdata, old.watches, bytes(old.size), 0);
  }
  for (int k = old.size; k < size; k++)
    clear(e, k);
  return 1;
}

int bs_engineadd (bs_engine *e, int i, int fd, int asked) {
  if (bs_engineforked(e))
    return EBADF;
  if (i >= e->size && !reach(e, i))
    return BS_ENOMEM;
  int err = add(e, i, fd, asked);
  if (err == 0) {
    e->watches[i].fd = fd;
    e->watches[i].asked = asked;
  }
  return err;
}

static void forget (bs_engine *e, int i) {
  e->watches[i].asked = 0;
  clear(e, i);
}

int bs_enginemodify (bs_engine *e, int i, int fd, int asked) {
  int err = bs_engineforked(e) ? EBADF : modify(e, i, fd, asked);
  if (err == 0)
    e->watches[i].asked = asked;
  else if (err == ENOENT || err == EBADF)
    forget(e, i);
  return err;
}

int bs_engineremove (bs_engine *e, int i, int fd) {
  int err = bs_engineforked(e) ? EBADF : withdraw(e, i, fd);
  forget(e, i);
  return err;
}

int bs_enginewait (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  return bs_engineforked(e) ? EBADF : collect(e, patience, told, soon, ud);
}
