/*
** core.c: luaopen_bsdsocket_core makes what all rooms share (the state, the metatables) and opens the rooms. What
** the rooms do is in their own files.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/open.h"
#include "base/process.h"
#include "object/chunk.h"
#include "op/outside.h"

#if defined(__GNUC__)
#define BS_EXPORT __attribute__((visibility("default")))
#else
#define BS_EXPORT
#endif

static void *refuse (void *ud, void *block, size_t osize, size_t nsize) {
  (void)ud, (void)block, (void)osize, (void)nsize;
  return NULL;
}

/* Sockets, made later, are finalized earlier; so nobody looks into the chunk any more. Finalizers of
** what is older than the library may still call it: nobody would free what they allocate. */
static int state_gc (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, 1);
  if (st->scratch != NULL) {
    st->alloc(st->allocdata, st->scratch, sizeof(bs_chunk) + st->scratch->size, 0);
    st->scratch = NULL;
  }
  bs_dropblock(st);
  bs_dropoptions(st);
  bs_closeloop(L, st);
  bs_endprocess(st);
  st->alloc = refuse;
  bs_closepool(st);
  return 0;
}

static void newstate (lua_State *L) {
  bs_state *st = (bs_state *)lua_newuserdatauv(L, sizeof(bs_state), BS_STATE_NUV);
  memset(st, 0, sizeof(*st));
  st->outside = &bs_outsidetable;
  st->meta = lua_topointer(L, BS_AT_SOCKET);
  st->alloc = lua_getallocf(L, &st->allocdata);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  st->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

/* With room to spare, so that the names that every call looks up find their places free. */
static void newmetatable (lua_State *L, const char *name) {
  lua_createtable(L, 0, 32);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
}

/* The one name that is seen from outside: the headers hide the others. */
BS_EXPORT int luaopen_bsdsocket_core(lua_State *L);

int luaopen_bsdsocket_core (lua_State *L) {
  luaL_checkversion(L);
  lua_settop(L, 0);
  luaL_checkstack(L, 4 * BS_NUP, NULL);
  newmetatable(L, "socket"); /* in the order of BS_AT_* */
  newstate(L);
  newmetatable(L, "address");
  newmetatable(L, "buffer");
  newmetatable(L, "poller");
  lua_newtable(L); /* the module */
  lua_pushliteral(L, BS_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_createtable(L, 0, 128); /* the sockets' methods */
  lua_pushvalue(L, BS_AT_METHODS);
  lua_setfield(L, BS_AT_SOCKET, "__index");
  bs_opensend(L); /* first, so that send and recv find their places in the table free */
  bs_openreceive(L);
  bs_opensocket(L);
  bs_openconnection(L);
  bs_openread(L);
  bs_openwrite(L);
  bs_opensendfile(L);
  bs_opensendmsg(L);
  bs_openrecvmsg(L);
  bs_openoption(L);
  bs_openintern(L);
  bs_openaddress(L);
  bs_opentarget(L);
  bs_openbuffer(L);
  bs_openpoller(L);
  bs_openloop(L); /* before waiter.c: it is asked first who drives a call */
  bs_openwait(L);
  bs_opentask(L); /* these add to loop's functions */
  bs_openinspect(L);
  bs_opentrace(L);
  bs_openscope(L);
  bs_openwaiter(L);
  bs_openselect(L);
  bs_openresolve(L);
  bs_openthread(L);
  bs_openinterface(L);
  bs_openunixpath(L);
  bs_openutil(L);
  bs_openerror(L);
  bs_openname(L);
  bs_openhint(L);
  bs_openconstants(L);
  lua_settop(L, BS_AT_MODULE);
  return 1;
}
