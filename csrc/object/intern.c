/*
** intern.c: equal addresses are one object. The set of those that are alive: what an address is, and its bytes in one
** form, is for address.c to know.
**
** The set is a hash table in C, chained, of entries in the order in which they came; a table of Lua's beside it has
** the objects at the same places. Its values are weak: where the collector has taken one out, the entry stays until
** there is no more room. Then those that are alive move together, and only where they are still too many does the set
** grow. A table of Lua's with the bytes as keys would do the same, but most of the time that a server's accept takes
** of its own would go there: a string for each address, and a table that is full of dead keys over and over again.
*/
#include "base/prefix.h"

#include <limits.h>

#include "base/error.h"
#include "base/open.h"
#include "object/address.h"

#define FEWEST 64u
#define MANY 4096u /* of more than so many places those that are not needed are given back */

struct bs_entry {
  uint32_t hash;
  unsigned next; /* of the same head: its place, from 1 on; 0: none */
};

/* The seed keeps strangers, who choose their addresses, from having them all in one chain. */
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
    h =
      (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9); /* else the next word could undo a difference */
  }
  return (uint32_t)(h >> 32);
}

static unsigned *headof (const bs_interned *set, uint32_t h) {
  return &set->heads[h & (set->size - 1)];
}

/* Pushes the object for the same bytes, if there is one. The table of objects is on the top. */
static const bs_address *find (lua_State *L, const bs_interned *set, const bs_address *form,
                               uint32_t h) {
  unsigned place = set->size > 0 ? *headof(set, h) : 0;
  for (; place != 0; place = set->entries[place - 1].next) {
    if (set->entries[place - 1].hash == h) {
      lua_rawgeti(L, -1, (lua_Integer)place);
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
  unsigned *head = headof(set, h), place = set->used + 1;
  lua_rawseti(L, objects, (lua_Integer)place);
  set->entries[place - 1].hash = h;
  set->entries[place - 1].next = *head;
  *head = set->used = place;
}

/* Moves those that are alive from the table at `from` to the beginning of that at `to`, or within one. */
static void compact (lua_State *L, const bs_interned *set, int from, bs_interned *fresh, int to) {
  unsigned n = set->used;
  memset(fresh->heads, 0, fresh->size * sizeof(*fresh->heads));
  fresh->used = 0;
  for (unsigned i = 0; i < n; i++) {
    if (lua_rawgeti(L, from, (lua_Integer)i + 1) != LUA_TNIL)
      put(L, fresh, to, set->entries[i].hash);
    else
      lua_pop(L, 1);
  }
}

/* Another size, for n that are alive. */
static void resize (lua_State *L, bs_state *st, unsigned n) {
  bs_interned fresh, *set = &st->interned;
  int objects = lua_gettop(L) + 1;
  fresh = *set;
  for (fresh.size = FEWEST; fresh.size / 2 <= n; fresh.size *= 2)
    if (fresh.size > INT_MAX / 4)
      bs_memory(L);
  luaL_checkstack(L, 6, NULL);
  lua_createtable(L, (int)fresh.size, 0);
  fresh.heads = (unsigned *)lua_newuserdatauv(
    L, fresh.size * (sizeof(*fresh.heads) + sizeof(*fresh.entries)), 0);
  fresh.entries = (bs_entry *)(fresh.heads + fresh.size);
  /* from here on nothing is allocated; but finalizers that have run may have made addresses, too */
  fresh.made = set->made;
  lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
  lua_getmetatable(L, objects + 2);
  lua_setmetatable(L, objects);
  if (set->used < fresh.size) {
    compact(L, set, objects + 2, &fresh, objects);
    *set = fresh;
    lua_settop(L, objects + 1);
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_ENTRIES);
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
  }
  lua_settop(L, objects - 1);
}

/* Makes room for one more. */
static void makeroom (lua_State *L, bs_state *st) {
  bs_interned *set = &st->interned;
  while (set->used == set->size) {
    if (set->size > 0) {
      lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
      compact(L, set, lua_gettop(L), set, lua_gettop(L));
      lua_pop(L, 1);
    }
    if (set->used >= set->size / 2 || (set->size > MANY && set->used < set->size / 4))
      resize(L, st, set->used);
  }
}

const bs_address *bs_intern (lua_State *L, const bs_address *form) {
  bs_state *st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  bs_interned *set = &st->interned;
  uint32_t h = hash(st, form);
  lua_getiuservalue(L, BS_UP_STATE, BS_STATE_ADDRESSES);
  const bs_address *a = find(L, set, form, h);
  if (a == NULL) {
    const unsigned *heads = set->heads;
    unsigned made = set->made;
    a = bs_newaddress(L, form);
    makeroom(L, st);
    if (set->heads != heads ||
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
