/*
** op.c: operations: their deadlines, whose turn it is on a socket, and how they fail.
*/
#include "base/prefix.h"

#include "base/error.h"
#include "object/hint.h"
#include "op/op.h"

bs_time bs_begindeadline (bs_op *op) {
  bs_time span = bs_span(op->timeout);
  op->deadline = span == BS_FOREVER ? BS_FOREVER : (op->began != 0 ? op->began : bs_now()) + span;
  return op->deadline;
}

double bs_left (const bs_op *op) {
  return op->deadline == BS_FOREVER ? -1 : (double)bs_until(op->deadline) / 1e9;
}

/* ---- failures ---- */

/* The answers that a program under a timeout gets all the time are constants: Lua finds such a
** string again by its address. */
int bs_failop (lua_State *L, const bs_op *op, const bs_address *a) {
  const bs_kind *kind = op->kind;
  const char *message, *code;
  switch (op->error) {
    case EAGAIN:
      message = kind->again;
      code = "EAGAIN";
      break;
    case EINPROGRESS:
      message = kind->progress;
      code = "EINPROGRESS";
      break;
    case BS_ETIMEOUT:
      message = kind->timeout;
      code = BS_TIMEOUT;
      break;
    default:
      return a != NULL ? bs_failat(L, kind->name, a, op->error) : bs_fail(L, kind->name, op->error);
  }
  lua_pushnil(L);
  lua_pushstring(L, message);
  lua_pushstring(L, code);
  return 3;
}

int bs_raiseop (lua_State *L, const bs_op *op) {
  bs_failop(L, op, NULL);
  luaL_error(L, "%s", lua_tostring(L, -2));
}
