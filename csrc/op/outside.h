/*
** outside.h: what other shared objects find of this one, as its functions are seen by nobody else: the state has a pointer
** to this table. They are built from the same sources, and use no other.
*/
#ifndef bs_outside_h
#define bs_outside_h

#include "object/transport.h"
#include "op/op.h"

BS_BEGIN

struct bs_outside {
  const char *version;
  bs_face *(*checkface)(lua_State *L, bs_socket *s);
  void (*settransport)(bs_socket *s, bs_transport *t);
  bs_transport *(*taketransport)(bs_socket *s);
  int (*run)(lua_State *L, bs_op *op);
  int (*failop)(lua_State *L, const bs_op *op, const bs_address *a);
};

extern const bs_outside bs_outsidetable;

BS_END

#endif
