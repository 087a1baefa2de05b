/*
** hear.h: who hears what becomes of a descriptor. A poller that has it, tasks and the coroutines of other schedulers that wait
** for it have to know that it is about to be closed, and that bytes came of which the kernel does not tell. They live on
** floors above; so each of them has a row here.
*/
#ifndef bs_hear_h
#define bs_hear_h

#include "base/state.h"

BS_BEGIN

struct bs_hearer {
  /* The object at `arg` is about to let go of this descriptor, and somebody has waited for it. May run Lua. */
  void (*going)(lua_State *L, bs_state *st, int arg, int fd);
  /* Whoever has this descriptor is about to let go of it; NULL: it is no socket's. */
  void (*gone)(bs_state *st, bs_socket *s, int fd);
  /* The kernel has just given it: whoever waits for this number waits for one that was closed behind our back. */
  void (*born)(bs_state *st, int fd);
  /* Bytes were read ahead, or count again: who waits for the socket without receiving is to look again. */
  void (*came)(bs_socket *s);
  /* What waits at this descriptor without receiving or sending looks again. */
  void (*look)(bs_state *st, int fd);
  /* The same where Lua may run: the socket at `arg` may have such bytes; the descriptors on the top, n of them. */
  void (*left)(lua_State *L, bs_socket *s, int arg);
  void (*lookup)(lua_State *L, bs_state *st, int n);
  /* The socket at 1 was shut down: those who use these sides go on, senders with EPIPE. */
  void (*shut)(lua_State *L, bs_socket *s, int sides);
  /* Does somebody wait for what is unflushed to be sent? */
  int (*flushes)(const bs_socket *s);
};

void bs_hear(bs_state *st, const bs_hearer *h); /* from now on, and in this order */

void bs_tellgoing(lua_State *L, bs_state *st, int arg, int fd);
void bs_tellgone(bs_state *st, bs_socket *s, int fd);
void bs_tellborn(bs_state *st, int fd);
void bs_tellcame(bs_socket *s);
void bs_telllook(bs_state *st, int fd);
void bs_tellleft(lua_State *L, bs_socket *s, int arg);
void bs_telllookup(lua_State *L, bs_state *st, int n);
void bs_tellshut(lua_State *L, bs_socket *s, int sides);
int bs_flushwaits(const bs_socket *s);

static inline void bs_newdescriptor (bs_state *st, int fd) {
  if (!BS_LIKELY(st->loop == NULL))
    bs_tellborn(st, fd);
}

BS_END

#endif
