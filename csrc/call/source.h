/*
** source.h: bytes at hand of which no descriptor tells.
*/
#ifndef bs_source_h
#define bs_source_h

#include "base/state.h"
#include "call/poller.h"

BS_BEGIN

/* What a descriptor was given for. */
typedef struct bs_source {
  bs_socket *sock;    /* NULL: none of ours */
  bs_poller *poller;  /* NULL: no poller */
  unsigned char held; /* another's object, or one in the poller, had bytes when it was asked */
} bs_source;

/* Of the value there; if it is to be read, asks another library's object. That may run anything, so the descriptor is to be
** asked for afterwards. */
void bs_asksource(lua_State *L, int idx, int reads, bs_source *from);
int bs_holds(const bs_source *from); /* is it readable, whatever its descriptor tells? */
/* Of what is no socket and no poller: may it have such bytes, and does it now? */
int bs_mayhold(lua_State *L, int idx);
int bs_askheld(lua_State *L, int idx);

BS_END

#endif
