/*
** engine.c: readiness of many descriptors, as the system tells it: epoll, kqueue or poll behind one
** interface. No Lua state is touched and nothing is known of sockets. A few descriptors are asked about by select and by
** who waits for one.
**
** Each descriptor has a place, a number that its owner chose, and a watch here. The owner's function
** `told` may do anything with the engine while events are handed to it; so an event counts only if its
** place has not changed hands since the kernel gave it, which is what stamps are for.
*/
#include "base/prefix.h"

#include <string.h>
#include <unistd.h>

#include "base/backend.h"
#include "base/error.h"
#include "base/process.h"

#define FEWEST 16
#define MOST (INT_MAX / 128) /* places: so that no size below overflows anywhere */

int bs_engineopen (bs_engine *e, bs_state *st) {
  memset(e, 0, sizeof(*e));
  e->st = st;
  e->fd = -1;
  e->process = bs_process(st);
  return bs_backendcreate(e);
}

static size_t bytes (int size) {
  return (size_t)size * (sizeof(bs_watch) + bs_backendextra);
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
    memcpy(bs_extraof(e), bs_extraof(&old), (size_t)old.size * bs_backendextra);
    old.st->alloc(old.st->allocdata, old.watches, bytes(old.size), 0);
  }
  for (int k = old.size; k < size; k++)
    bs_backendclear(e, k);
  return 1;
}

int bs_engineadd (bs_engine *e, int i, int fd, int asked) {
  if (bs_engineforked(e))
    return EBADF;
  if (i >= e->size && !reach(e, i))
    return BS_ENOMEM;
  int err = bs_backendadd(e, i, fd, asked);
  if (err == 0) {
    e->watches[i].fd = fd;
    e->watches[i].asked = asked;
  }
  return err;
}

static void forget (bs_engine *e, int i) {
  e->watches[i].asked = 0;
  bs_backendclear(e, i);
}

int bs_enginemodify (bs_engine *e, int i, int fd, int asked) {
  int err = bs_engineforked(e) ? EBADF : bs_backendmodify(e, i, fd, asked);
  if (err == 0)
    e->watches[i].asked = asked;
  else if (err == ENOENT || err == EBADF)
    forget(e, i);
  return err;
}

int bs_engineremove (bs_engine *e, int i, int fd) {
  int err = bs_engineforked(e) ? EBADF : bs_backendwithdraw(e, i, fd);
  forget(e, i);
  return err;
}

int bs_enginewait (bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud) {
  return bs_engineforked(e) ? EBADF : bs_backendcollect(e, patience, told, soon, ud);
}
