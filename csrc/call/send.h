/*
** send.h: what all sending calls do.
*/
#ifndef bs_send_h
#define bs_send_h

#include "op/op.h"

BS_BEGIN

int bs_notsent(bs_op *op); /* of sending ones */
int bs_notsentyet(bs_op *op, int *flags);

BS_END

#endif
