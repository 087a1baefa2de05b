/*
** suspended.h: a call of another scheduler's coroutine that waits, for waiter.c, line.c and wake.c.
*/
#ifndef bs_suspended_h
#define bs_suspended_h

#include "base/hook.h"
#include "op/thread.h"

BS_BEGIN

/* The operation itself follows. Its user values are the DESCRIPTOR that is waited for, if it is one, and the job's
** anchor, the sockets whose sides it holds, and its coroutine. What it anchors is older, so that it is finalized later.
** It is waited for by a C function of its own, `waiting`, whose to-be-closed slot it is: that is closed by the function's
** return. To cut the stack below such a slot is no good, as Lua 5.4.3 and 5.4.4 then go on with a pointer to a stack
** that may have moved. */
struct bs_waited {
  bs_job *job;
  bs_waited *next,
    **link; /* in the state's list of those whose turn to send has not come; NULL: not in it */
  bs_waited *older, **newer; /* in that of those that hold something; NULL: not in it */
  lua_State *L;              /* its coroutine */
  int turn[2];               /* the first is readable when its turn has come; -1: there is none */
  unsigned char holds;       /* BS_IN, BS_OUT: the sides that no other may use meanwhile */
  bs_hooks known;
  lua_Hook hook; /* the coroutine's, while it is taken off; NULL: it is not */
  int mask, count;
  size_t size;     /* of the operation; 0: there is none any more */
  bs_moment began; /* to wait, this time */
  int vain;        /* how often in a row it was ready at once, and the step could do nothing */
  unsigned char collected;
  unsigned char ended; /* the operation has: finish will have it */
};

#define bs_operation(w) ((bs_op *)(void *)((w) + 1))

/* ---- line.c: whose turn it is ---- */

void bs_joinline(bs_waited *w);
void bs_closeend(bs_waited *w, int end);
void bs_holdfor(bs_waited *w, int sides);
void bs_releasefrom(bs_waited *w);
void bs_endline(const bs_state *st, const bs_socket *s, int err);
void bs_reclaimfrom(const bs_state *st, const bs_socket *s, int side);
int bs_waiterflushes(const bs_socket *s);

/* ---- wake.c ---- */

/* The function wake of setwaiter, with the object there. Closing goes on, whatever it says. */
void bs_callwake(lua_State *L, bs_state *st, int arg);
void bs_notepoller(lua_State *L, const bs_state *st, int fd);
void bs_noteselect(lua_State *L, const bs_state *st, int waits);
extern const bs_hearer bs_waiterhearer;

BS_END

#endif
