/*
** drive.h: an operation is driven to its end: in a task, by another scheduler, or by the thread that waits itself.
*/
#ifndef bs_drive_h
#define bs_drive_h

#include "op/op.h"

BS_BEGIN

/* Where calls may be suspended there is somebody who drives them. */
struct bs_driver {
  /* Gives the number of results, or suspends. Or: */
  int (*run)(lua_State *L, bs_op *op);
#define BS_NOTMINE (-1) /* the next one is to be asked */
#define BS_STOP (-2)    /* nobody can suspend it: the thread waits */
  /* Takes the side from a call that will not go on. */
  void (*reclaim)(const bs_state *st, const bs_socket *s, int side);
  /* May a call in L wait without stopping others? -1: the next one is to be asked. */
  int (*maywait)(lua_State *L, const bs_state *st);
  /* May the running call go on without waiting, or is it others' turn? NULL: always. */
  int (*hasturn)(const bs_state *st);
};

void bs_adddriver(bs_state *st, const bs_driver *d); /* asked in this order */
void bs_reclaim(const bs_state *st, const bs_socket *s, int side);
int bs_maywait(lua_State *L, const bs_state *st);
int bs_hasturn(const bs_state *st);

BS_END

#endif
