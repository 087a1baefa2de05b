/*
** turn.h: whose turn it is on a socket.
*/
#ifndef bs_turn_h
#define bs_turn_h

#include "op/op.h"

BS_BEGIN

/* The sides of its sockets that it would use, and a call that is suspended does. */
int bs_busysides(const bs_op *op);
/* What it comes to where it cannot wait for its turn: true, and op->error is EBUSY or EAGAIN. */
int bs_isbusy(bs_op *op);

BS_END

#endif
