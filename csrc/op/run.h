/*
** run.h: how a call runs its operation.
*/
#ifndef bs_run_h
#define bs_run_h

#include "op/attempt.h"
#include "op/block.h"

BS_BEGIN

/* Drives it to its end; gives the results of its finish. */
int bs_run(lua_State *L, bs_op *op);
int bs_runaside(lua_State *L, bs_op *op); /* the same, for kinds with BS_BLOCKS */

/* Inline where `kind` is a constant and a call is made millions of times. */
static BS_STRAIGHT int bs_runinline (lua_State *L, bs_op *op, const bs_kind *kind) {
  bs_time patience = BS_FOREVER;
  if (!BS_LIKELY(op->st->aside == 0))
    return bs_runaside(L, op);
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  if (!BS_LIKELY(op->timeout < 0)) {
    if (bs_kernelkeeps(op, kind))
      op->began = bs_now();
    else {
      patience = bs_firstpatience(op);
      if (!BS_LIKELY(op->error == 0))
        return kind->finish(L, op);
    }
  }
  int want = kind->step(op, patience);
  if (want != BS_DONE || op->error > 0)
    bs_drive(L, op, want, &known);
  return kind->finish(L, op);
}

BS_END

#endif
