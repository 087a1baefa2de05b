/*
** block.h: the driver that has the thread wait.
*/
#ifndef bs_block_h
#define bs_block_h

#include "base/hook.h"
#include "op/op.h"

BS_BEGIN

/* A receive under a timeout of a quarter of a second or more waits in the kernel, under SO_RCVTIMEO. The kernel keeps
** that up to an eighth late, so it is asked for seven eighths, and a poll, which is precise, finishes. */
#define BS_KERNELSHARE 0.875

/* Drives it to its end, and gives the results of its finish. */
int bs_blockthread(lua_State *L, bs_op *op);
/* What that is made of, for who has the straight way in sight: how long the first step of a call with a timeout may wait
** (sets op->error where that cannot be kept), and all that comes after the first step. */
bs_time bs_firstpatience(bs_op *op);
BS_SELDOM void bs_drive(lua_State *L, bs_op *op, int want, bs_hooks *known);

BS_END

#endif
