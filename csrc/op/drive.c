/*
** drive.c: who drives an operation.
*/
#include "base/prefix.h"

#include "op/drive.h"

void bs_adddriver (bs_state *st, const bs_driver *d) {
  int i = 0;
  while (st->drivers[i] != NULL)
    i++;
  bs_assert(i < BS_DRIVERS);
  st->drivers[i] = d;
}

void bs_reclaim (const bs_state *st, const bs_socket *s, int side) {
  for (int i = 0; i < BS_DRIVERS && st->drivers[i] != NULL; i++)
    st->drivers[i]->reclaim(st, s, side);
}

int bs_maywait (lua_State *L, const bs_state *st) {
  if (st->closing > 0)
    return 0;
  for (int i = 0; i < BS_DRIVERS && st->drivers[i] != NULL; i++) {
    int may = st->drivers[i]->maywait(L, st);
    if (may >= 0)
      return may;
  }
  return 1;
}

int bs_hasturn (const bs_state *st) {
  for (int i = 0; i < BS_DRIVERS && st->drivers[i] != NULL; i++)
    if (st->drivers[i]->hasturn != NULL && !st->drivers[i]->hasturn(st))
      return 0;
  return 1;
}
