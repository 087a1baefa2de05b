/*
** run.c: how a call runs its operation: straight where nobody else is concerned, else by whoever drives calls here.
*/
#include "base/prefix.h"

#include "op/drive.h"
#include "op/run.h"

/* What is not as simple as in bs_runinline. */
BS_ASIDE int bs_runaside (lua_State *L, bs_op *op) {
  const bs_driver *const *drivers = op->st->drivers;
  for (int i = 0; i < BS_DRIVERS && drivers[i] != NULL; i++) {
    int results = drivers[i]->run(L, op);
    if (results >= 0)
      return results;
    if (results == BS_STOP)
      break;
  }
  return bs_blockthread(L, op);
}

int bs_run (lua_State *L, bs_op *op) {
  return bs_runinline(L, op, op->kind);
}
