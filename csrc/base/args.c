/*
** args.c: what is wrong with a table that was given, and the checks that say so.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/args.h"
#include "base/constant.h"
#include "base/error.h"

int bs_mistake (lua_State *L, const bs_place *at, const char *what) {
  luaL_checkstack(L, LUA_MINSTACK, NULL); /* the place may be deep */
  if (at->part != NULL)
    what = lua_pushfstring(L, "field '%s': %s", at->part, what);
  if (at->item != 0)
    what = lua_pushfstring(L, "item %I: %s", (LUAI_UACINT)at->item, what);
  if (at->field != NULL)
    what = lua_pushfstring(L, "field '%s': %s", at->field, what);
  if (at->message != 0)
    what = lua_pushfstring(L, "message %I: %s", (LUAI_UACINT)at->message, what);
  luaL_argerror(L, at->arg, what);
}

int bs_unexpected (lua_State *L, const bs_place *at, int idx, const char *expected) {
  bs_mistake(L, at, bs_expected(L, lua_absindex(L, idx), expected));
}

int bs_strangefield (lua_State *L, const bs_place *at, int idx, const bs_guess *g) {
  size_t len;
  if (lua_type(L, idx) != LUA_TSTRING)
    return bs_mistake(
      L, at, lua_pushfstring(L, "its fields have names, and no %s", luaL_typename(L, idx)));
  const char *key = lua_tolstring(L, idx, &len);
  key = lua_pushfstring(L, "unknown field %s", bs_pushquoted(L, key, len));
  return bs_mistake(L, at, bs_pushmeant(L, key, g));
}

/* Is the key at idx this name? */
static int isfield (lua_State *L, int idx, const char *name) {
  return lua_type(L, idx) == LUA_TSTRING && lua_rawlen(L, idx) == strlen(name) &&
         strcmp(lua_tostring(L, idx), name) == 0;
}

void bs_guessfield (lua_State *L, bs_guess *g, int idx) {
  size_t len = 0;
  const char *key = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &len) : "";
  bs_initguess(g, key, len);
}

void bs_checkfields (lua_State *L, const bs_place *at, int idx, const char *const *names) {
  if (lua_type(L, idx) != LUA_TTABLE)
    bs_unexpected(L, at, idx, "table");
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const char *const *name = names;
    bs_guess g;
    lua_pop(L, 1);
    while (*name != NULL && !isfield(L, -1, *name))
      name++;
    if (*name != NULL)
      continue;
    bs_guessfield(L, &g, -1);
    for (name = names; *name != NULL; name++)
      bs_consider(&g, *name, 0);
    bs_strangefield(L, at, -1, &g);
  }
}

size_t bs_checkarray (lua_State *L, const bs_place *at, int idx) {
  if (lua_type(L, idx) != LUA_TTABLE)
    bs_unexpected(L, at, idx, "array");
  lua_Integer n = luaL_len(L, idx);
  if (n < 0 || (lua_Unsigned)n > SIZE_MAX / 1024)
    bs_mistake(L, at, "length out of range");
  if (n == 0) { /* with elements all the same, it is something else */
    lua_pushnil(L);
    if (lua_next(L, idx))
      bs_mistake(L, at, "array expected, got a table without element 1");
  }
  return (size_t)n;
}

int bs_checknamed (lua_State *L, const bs_place *at, int idx, const char *prefixes) {
  int value;
  const char *wrong = bs_toconstant(L, lua_absindex(L, idx), prefixes, &value);
  if (wrong != NULL)
    bs_mistake(L, at, wrong);
  return value;
}

lua_Integer bs_checkwithin (lua_State *L, const bs_place *at, int idx, lua_Integer least,
                            lua_Integer most) {
  int isinteger;
  lua_Integer n = lua_tointegerx(L, idx, &isinteger);
  if (!isinteger && lua_type(L, idx) == LUA_TNUMBER)
    bs_mistake(L, at, "number has no integer representation");
  if (!isinteger)
    bs_unexpected(L, at, idx, "integer");
  if (n < least || n > most)
    bs_mistake(L, at,
               lua_pushfstring(L, "out of range: integer from %I to %I expected",
                               (LUAI_UACINT)least, (LUAI_UACINT)most));
  return n;
}

void bs_setinteger (lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

/* Programs say 1 and 0, too: they did so while the option had no row. */
int bs_toswitch (lua_State *L, int idx, int *value) {
  int whole = 1;
  lua_Integer n = lua_isboolean(L, idx) ? lua_toboolean(L, idx) : lua_tointegerx(L, idx, &whole);
  *value = n == 1;
  return lua_type(L, idx) != LUA_TSTRING && whole && (n == 0 || n == 1);
}

int bs_hasfields (lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TTABLE)
    return 1;
  if (luaL_getmetafield(L, arg, "__index") == LUA_TNIL)
    return 0;
  lua_pop(L, 1);
  return 1;
}
