/*
** held.c: bytes that are at hand though no descriptor tells of them: in sockets of ours, in the pollers that these are
** in, in objects of other libraries that have a method `dirty`, and in Lua's files. select.c, poller.c and loop.wait
** ask here, as they count such bytes as readable.
*/
#include "base/prefix.h"

#include <stdio.h>

#include "base/args.h"
#include "base/fd.h"
#include "call/source.h"
#include "object/chunk.h"

/* ==== asking ==== */

static const luaL_Stream *testfile (lua_State *L, int idx) {
  return (const luaL_Stream *)luaL_testudata(L, idx, LUA_FILEHANDLE);
}

/* Pushes the method `dirty` of the object; false, and nothing pushed: it has none. */
static int pushdirty (lua_State *L, int idx) {
  if (lua_type(L, idx) == LUA_TNUMBER || !bs_hasfields(L, idx))
    return 0;
  if (lua_getfield(L, idx, "dirty") != LUA_TNIL)
    return 1;
  lua_pop(L, 1);
  return 0;
}

int bs_mayhold (lua_State *L, int idx) {
  if (testfile(L, idx) != NULL)
    return 1;
  if (!pushdirty(L, idx))
    return 0;
  lua_pop(L, 1);
  return 1;
}

int bs_askheld (lua_State *L, int idx) {
  const char *data;
  size_t n;
  idx = lua_absindex(L, idx);
  const luaL_Stream *file = testfile(L, idx);
  if (file != NULL)
    return file->closef != NULL && bs_filebuffered(file->f, &data, &n) && n > 0;
  if (!pushdirty(L, idx))
    return 0;
  lua_pushvalue(L, idx);
  lua_call(L, 1, 1);
  int dirty = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return dirty;
}

void bs_asksource (lua_State *L, int idx, int reads, bs_source *from) {
  from->sock = bs_testsocket(L, idx);
  from->poller = from->sock == NULL ? bs_testpoller(L, idx) : NULL;
  from->held = 0;
  if (reads && from->poller != NULL)
    from->held = (unsigned char)bs_askpoller(L, idx);
  else if (reads && from->sock == NULL && lua_type(L, idx) != LUA_TNUMBER)
    from->held = (unsigned char)bs_askheld(L, idx);
}

int bs_holds (const bs_source *from) {
  if (from->sock != NULL)
    return bs_readable(from->sock);
  return from->held || (from->poller != NULL && bs_pollerholds(from->poller));
}
