/*
** send.h: what all sending calls do.
*/
#ifndef bs_send_h
#define bs_send_h

#include "object/transport.h"
#include "op/op.h"

BS_BEGIN

/* The answer of a step that has given away all of its bytes. A transport may have something left, which goes on to the
** kernel first, unless nobody waits: then the next call does that. */
BS_ASIDE int bs_flushleft(bs_op *op);
static inline int bs_allsent (bs_op *op) {
  return BS_LIKELY(!bs_isthrough(op->sock)) ? BS_DONE : bs_flushleft(op);
}
int bs_notsent(bs_op *op); /* of sending ones */
int bs_notsentyet(bs_op *op, int *flags);

BS_END

#endif
