/*
** sanitized.c: runs Lua with the sanitizers' runtime preloaded, which their core.so needs where Lua itself
** was built without them. tools/asan.sh compiles it twice:
** - as a program that stands first in PATH under Lua's name, so that every Lua that a spec starts is one;
** - with PRELOADED as a shared object that is preloaded too, and takes LD_PRELOAD out of the environment:
**   the shells, compilers and other programs that specs start are not ours to examine.
*/
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef PRELOADED

__attribute__((constructor)) static void once (void) {
  unsetenv("LD_PRELOAD");
}

#else

int main (int argc, char **argv) {
  (void)argc;
  if (setenv("LD_PRELOAD", PRELOAD, 1) == 0)
    execv(REAL, argv);
  perror(REAL);
  return 127;
}

#endif
