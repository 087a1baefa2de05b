/*
** letgo.c: how a socket object lets go of its descriptor: all that knows it, or waits for it, hears of that first.
*/
#include "base/prefix.h"

#include "object/chunk.h"
#include "object/face.h"
#include "object/lend.h"
#include "object/letgo.h"

/* Everything else lets go of the descriptor; gives it to the caller. The object is at 1. */
int bs_letgo (lua_State *L, bs_socket *s) {
  if (s->flags & BS_WAITED)
    bs_tellgoing(L, s->st, 1, s->fd);
  int fd = s->fd;
  if (s->regs != NULL || s->st->loop != NULL)
    bs_tellgone(s->st, s, fd);
  if (s->st->lenders != NULL)
    bs_endloans(L, s);
  if (bs_pending(s))
    bs_dropheld(s);
  if (s->face != NULL)
    bs_dropface(s);
  s->fd = -1;
  s->flags = 0;
  s->marks = (unsigned char)(s->marks & ~BS_OPTIONMARKS);
  return fd;
}
