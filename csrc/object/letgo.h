/*
** letgo.h: how a socket object lets go of its descriptor.
*/
#ifndef bs_letgo_h
#define bs_letgo_h

#include "base/state.h"

BS_BEGIN

/* Everything else lets go of the descriptor of the socket at 1, which is the caller's then; -1: it was closed. */
int bs_letgo(lua_State *L, bs_socket *s);

BS_END

#endif
