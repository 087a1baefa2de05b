/*
** process.c: is this still the process that it was, or a child that was forked from it? A page that a child finds empty
** tells, since to ask for a process's number takes a system call.
*/
#include "base/prefix.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/process.h"

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
