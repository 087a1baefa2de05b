/*
** buffer.c: socket.buffer(size), bytes of users that calls read from and write to.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/error.h"
#include "base/open.h"
#include "object/buffer.h"
#include "object/lend.h"

bs_buffer *bs_testbuffer (lua_State *L, int arg) {
  return (bs_buffer *)bs_testobject(L, arg, BS_UP_BUFFER);
}

bs_buffer *bs_checkbuffer (lua_State *L, int arg) {
  bs_buffer *b = bs_testbuffer(L, arg);
  if (b == NULL)
    luaL_typeerror(L, arg, "buffer");
  return b;
}

const char *bs_todata (lua_State *L, int idx, size_t *len) {
  const char *data = lua_tolstring(L, idx, len);
  if (data == NULL) {
    const bs_buffer *b = bs_testbuffer(L, idx);
    if (b == NULL)
      return NULL;
    *len = b->size;
    data = b->data;
  }
  return data;
}

const char *bs_checkdata (lua_State *L, int arg, size_t *len) {
  const char *data = bs_todata(L, arg, len);
  if (data == NULL)
    luaL_typeerror(L, arg, "string or buffer");
  return data;
}

size_t bs_checkrange (lua_State *L, int arg, size_t size, size_t *from) {
  lua_Integer len = (lua_Integer)size;
  lua_Integer i = luaL_optinteger(L, arg, 1), j = luaL_optinteger(L, arg + 1, -1);
  if (i < 0)
    i = i < -len ? 1 : len + i + 1;
  else if (i == 0)
    i = 1;
  if (j < 0)
    j = j < -len ? 0 : len + j + 1;
  else if (j > len)
    j = len;
  *from = i > j ? 0 : (size_t)(i - 1);
  return i > j ? 0 : (size_t)(j - i + 1);
}

/* socket.buffer(size) */
static int buffer_buffer (lua_State *L) {
  lua_Integer size = luaL_checkinteger(L, 1);
  luaL_argcheck(L, size >= 1, 1, "a buffer has at least one byte");
  luaL_argcheck(L, (lua_Unsigned)size < SIZE_MAX / 2 - sizeof(bs_buffer), 1, "size out of range");
  bs_buffer *b = (bs_buffer *)lua_newuserdatauv(L, sizeof(bs_buffer) + (size_t)size, 0);
  b->size = (size_t)size;
  b->lent = 0;
  memset(b->data, 0, b->size); /* never what somebody else left in memory */
  lua_pushvalue(L, BS_UP_BUFFER);
  lua_setmetatable(L, -2);
  return 1;
}

/* buf:sub(i [, j]), as string.sub */
static int buffer_sub (lua_State *L) {
  const bs_buffer *b = bs_checkbuffer(L, 1);
  size_t from, len;
  luaL_checkinteger(L, 2);
  len = bs_checkrange(L, 2, b->size, &from);
  lua_pushlstring(L, b->data + from, len);
  return 1;
}

/* buf:set(i, string) -> buf */
static int buffer_set (lua_State *L) {
  bs_buffer *b = bs_checkbuffer(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  size_t len;
  const char *data = bs_checkdata(L, 3, &len);
  luaL_argcheck(L, i >= 1 && (lua_Unsigned)i <= b->size + 1, 2, "position outside the buffer");
  luaL_argcheck(L, len <= b->size - (size_t)(i - 1), 3, "does not fit into the buffer");
  if (b->lent > 0 && bs_islent((const bs_state *)lua_touserdata(L, BS_UP_STATE), b->data))
    return bs_failtext(L, "set", BS_LENTBUFFER, EBUSY);
  memmove(b->data + (i - 1), data, len);
  lua_settop(L, 1);
  return 1;
}

static int buffer_len (lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bs_checkbuffer(L, 1)->size);
  return 1;
}

static int buffer_tostring (lua_State *L) {
  lua_pushfstring(L, "buffer (%I bytes)", (LUAI_UACINT)bs_checkbuffer(L, 1)->size);
  return 1;
}

static const luaL_Reg functions[] = {
  {"buffer", buffer_buffer},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"set", buffer_set},
  {"sub", buffer_sub},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__len", buffer_len},
  {"__tostring", buffer_tostring},
  {NULL, NULL},
};

void bs_openbuffer (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
  bs_setfuncs(L, BS_AT_BUFFER, metamethods);
  lua_newtable(L);
  bs_setfuncs(L, lua_gettop(L), methods);
  lua_setfield(L, BS_AT_BUFFER, "__index");
}
