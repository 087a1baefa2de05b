/*
** intern.c: equal addresses are one object. The set of those that are alive: what an address is, and its bytes in one
** form, is for address.c to know.
**
** The set is an array of hashes in C, with linear probing, and a table of Lua's beside it that has the objects at the
** same places. Its values are weak: where the collector has taken one out, the hash stays until the set is made anew,
** which is when three quarters of it are used. A table with the bytes as keys would do the same, but most of the
** time that a server's accept takes would go there: a string for each address, and a table that is full of dead keys
** over and over again.
*/
#include "prefix.h"

#include <limits.h>

#include "bsdsocket.h"

#define FEWEST 64u

/* 0 is what a free place has. The seed keeps strangers, who choose their addresses, from choosing the places. */
static uint32_t hash (const bs_state *st, const bs_address *a) {
  const char *bytes = (const char *)&a->u;
  uint64_t h = st->interned.seed ^ a->len;
  for (socklen_t i = 0; i < a->len; i += (socklen_t)sizeof(h)) {
    uint64_t word = 0;
    if (a->len - i >= (socklen_t)sizeof(word))
      memcpy(&word, bytes + i, sizeof(word));
    else
      memcpy(&word, bytes + i, a->len - i);
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 32;
  }
  return (uint32_t)h | 1;
}

static unsigned first (const bs_interned *set, uint32_t h) {
  return (h >> 1) & (set->size - 1);
}

static unsigned next (const bs_interned *set, unsigned place) {
  return (place + 1) & (set->size - 1);
}

/* Pushes the object for the same bytes, if there is one. The table of objects is on the top. */
static const bs_address *find (lua_State *L, const bs_interned *set, const bs_address *form,
                               uint32_t h) {
  if (set->size == 0)
    return NULL;
  for (unsigned i = first(set, h); set->hashes[i] != 0; i = next(set, i)) {
    if (set->hashes[i] == h) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      const bs_address *a = (const bs_address *)lua_touserdata(L, -1);
      if (a != NULL && a->len == form->len && memcmp(&a->u, &form->u, a->len) == 0)
        return a;
      lua_pop(L, 1);
    }
  }
  return NULL;
}

/* Takes the object on the top, which is not there yet, to its place in the table at `objects`. There is room. */
static void put (lua_State *L, bs_interned *set, int objects, uint32_t h) {
  unsigned i = first(set, h);
  while (set->hashes[i] != 0)
    i = next(set, i);
  lua_rawseti(L, objects, (lua_Integer)i + 1);
  set->hashes[i] = h;
  set->used++;
}

/* Takes those that are alive out of the table on the top, which are not many, and puts them into the other. */
static void renew (lua_State *L, bs_state *st) {
  bs_interned fresh, *set = &st->interned;
  int objects = lua_gettop(L) + 1;
  unsigned before;
  luaL_checkstack(L, 6, NULL);
  do { /* what is allocated here may run finalizers, and these make addresses too */
    unsigned n = 0;
    lua_settop(L, objects - 1);
    lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
    for (unsigned i = 0; i < set->size; i++)
      if (set->hashes[i] != 0) {
        n += lua_rawgeti(L, objects, (lua_Integer)i + 1) != LUA_TNIL;
        lua_pop(L, 1);
      }
    before = set->made;
    fresh = *set;
    for (fresh.size = FEWEST; fresh.size / 3 <= n; fresh.size *= 2)
      if (fresh.size > INT_MAX / 2)
        bs_memory(L);
    lua_createtable(L, (int)fresh.size, 0);
    lua_getmetatable(L, objects);
    lua_setmetatable(L, -2);
    fresh.hashes = (uint32_t *)lua_newuserdatauv(L, fresh.size * sizeof(uint32_t), 0);
    memset(fresh.hashes, 0, fresh.size * sizeof(uint32_t));
    fresh.used = 0;
  } while (set->made != before);
  for (unsigned i = 0; i < set->size; i++)
    if (set->hashes[i] != 0) {
      if (lua_rawgeti(L, objects, (lua_Integer)i + 1) != LUA_TNIL)
        put(L, &fresh, objects + 1, set->hashes[i]);
      else
        lua_pop(L, 1);
    }
  *set = fresh;
  lua_setiuservalue(L, BS_UP_STATE, BS_STATE_HASHES);
  lua_setiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
  lua_pop(L, 1);
}

const bs_address *bs_intern (lua_State *L, const bs_address *form) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  bs_interned *set = &st->interned;
  uint32_t h = hash(st, form);
  lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
  const bs_address *a = find(L, set, form, h);
  if (a == NULL) {
    const uint32_t *hashes = set->hashes;
    unsigned made = set->made;
    a = bs_newaddress(L, form);
    if (set->used >= set->size / 4 * 3)
      renew(L, st);
    if (set->hashes != hashes ||
        set->made != made) { /* a finalizer, run just now, may have been faster */
      lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
      lua_copy(L, -1, -3);
      const bs_address *known = find(L, set, form, h);
      if (known != NULL) {
        lua_replace(L, -4);
        lua_pop(L, 2);
        return known;
      }
      lua_pop(L, 1);
    }
    lua_pushvalue(L, -1);
    put(L, set, lua_gettop(L) - 2, h);
    set->made++;
  }
  lua_replace(L, -2);
  return a;
}

void bs_openintern (lua_State *L) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_AT_STATE);
  st->interned.seed = (uint64_t)bs_now() ^ (uint64_t)(uintptr_t)st << 16;
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setiuservalue(L, BS_AT_STATE, BS_STATE_ADDRESSES);
}
