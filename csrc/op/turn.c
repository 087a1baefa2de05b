/*
** turn.c: whose turn it is: two calls cannot receive from one socket at once, nor send by it, where one is suspended.
*/
#include "base/prefix.h"

#include "op/drive.h"
#include "op/turn.h"

static int isused (const bs_op *op, int side) {
  const bs_socket *s = bs_sideof(op, side);
  if (s == NULL || s->fd < 0 || !(s->marks & side)) /* that it is closed its step will say */
    return 0;
  bs_reclaim(op->st, s, side);
  return s->marks & side;
}

int bs_busysides (const bs_op *op) {
  int sides = bs_sides(op);
  return (sides & BS_IN ? isused(op, BS_IN) : 0) | (sides & BS_OUT ? isused(op, BS_OUT) : 0);
}

int bs_isbusy (bs_op *op) {
  int busy = bs_busysides(op);
  if (busy == 0)
    return 0;
  op->error = busy == BS_OUT && op->timeout == 0 ? EAGAIN : EBUSY;
  if (op->error == EAGAIN)
    op->sock->wants = BS_WRITE;
  return 1;
}
