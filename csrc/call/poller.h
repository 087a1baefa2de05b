/*
** poller.h: socket.poller(), as others that ask for readiness know it.
*/
#ifndef bs_poller_h
#define bs_poller_h

#include "base/compiler.h"

BS_BEGIN

typedef struct bs_poller bs_poller;
bs_poller *bs_testpoller(lua_State *L, int arg); /* NULL if it is none */
void bs_markpoller(bs_poller *p);                /* it is waited for by another scheduler */
int bs_pollerfd(const bs_poller *p);             /* -1: closed, or it has none */
int bs_pollerholds(bs_poller *p); /* do bytes wait in a socket in it, or in a poller in it ...? */
/* Asks the others' objects in it that may hold bytes, and so on. May run anything. */
int bs_askpoller(lua_State *L, int idx);

BS_END

#endif
