/*
** open.h: how the library opens and closes. core.c calls the functions of this list, of which each file with functions for
** users has one.
*/
#ifndef bs_open_h
#define bs_open_h

#include "base/state.h"

BS_BEGIN

/* While the library opens, the stack holds the upvalues at 1 .. BS_NUP (so the metatables are at
** BS_AT_SOCKET and so on), then the module's table and the sockets' methods. Every bs_open* puts its
** functions where they belong and leaves the stack as it was. */
#define BS_AT_SOCKET 1
#define BS_AT_STATE 2
#define BS_AT_ADDRESS 3
#define BS_AT_BUFFER 4
#define BS_AT_POLLER 5
#define BS_AT_MODULE (BS_NUP + 1)
#define BS_AT_METHODS (BS_NUP + 2)

/* ---- base ---- */

void bs_openconstants(lua_State *L); /* into the module's table */
void bs_openerror(lua_State *L);
void bs_openname(lua_State *L);

/* ---- object ---- */

void bs_openaddress(lua_State *L);
void bs_openbuffer(lua_State *L);
void bs_openhint(lua_State *L);
void bs_openintern(lua_State *L);

/* ---- op ---- */

void bs_openthread(lua_State *L);
void bs_openwaiter(lua_State *L);

/* ---- loop ---- */

void bs_openinspect(lua_State *L);
void bs_openloop(lua_State *L);
void bs_openscope(lua_State *L);
void bs_opentask(lua_State *L);
void bs_opentrace(lua_State *L);

/* ---- call ---- */

void bs_openconnection(lua_State *L);
void bs_openinterface(lua_State *L);
void bs_openoption(lua_State *L); /* setsockopt, getsockopt */
void bs_openpoller(lua_State *L);
void bs_openread(lua_State *L);
void bs_openreceive(lua_State *L);
void bs_openrecvmsg(lua_State *L);
void bs_openresolve(lua_State *L);
void bs_openselect(lua_State *L);
void bs_opensend(lua_State *L);
void bs_opensendfile(lua_State *L);
void bs_opensendmsg(lua_State *L);
void bs_opensocket(lua_State *L);
void bs_opentarget(lua_State *L);
void bs_openunixpath(lua_State *L); /* core.listenpath, for socket.listen */
void bs_openutil(lua_State *L);
void bs_openwait(lua_State *L);
void bs_openwrite(lua_State *L);

/* ---- with the state ---- */

void bs_closeloop(lua_State *L, bs_state *st); /* with the state */
void bs_closepool(bs_state *st);               /* with the state; waits for nobody */
void bs_dropblock(bs_state *st);               /* recvmmsg's room */
void bs_dropoptions(bs_state *st);             /* what setsockopt looks up in */

BS_END

#endif
