/*
** block.h: the driver that has the thread wait.
*/
#ifndef bs_block_h
#define bs_block_h

#include "base/hook.h"
#include "op/op.h"

BS_BEGIN

/* Drives it to its end, and gives the results of its finish. */
int bs_blockthread(lua_State *L, bs_op *op);
/* All that comes after the first step, whose answer is `want`. */
BS_SELDOM void bs_drive(lua_State *L, bs_op *op, int want, bs_hooks *known);

BS_END

#endif
