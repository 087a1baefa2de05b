/*
** alloc.c: memory that runs out. A module for the specs, built by fault/build.lua: alloc.run loads a
** script into a Lua state of its own whose allocator can be told to fail, and that knows what it gave.
*/
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Heap {
  size_t used;    /* bytes that are given out */
  size_t blocks;  /* their number */
  int wrong;      /* a block came back with another size than it was given with */
  long countdown; /* requests until the first that fails; 0: none does */
  long failing;   /* how many fail then, one after the other */
  long asked;     /* requests since the last time it was armed */
} Heap;

/* Before each block its size: enough to keep the alignment of malloc. */
typedef union Header {
  size_t size;
  char room[16];
} Header;

static int failsnow (Heap *h) {
  h->asked++;
  if (h->countdown > 1)
    h->countdown--;
  else if (h->countdown == 1 && h->failing > 0) {
    h->failing--;
    return 1;
  }
  return 0;
}

static void *allocate (void *ud, void *block, size_t osize, size_t nsize) {
  Heap *h = (Heap *)ud;
  Header *old = block != NULL ? (Header *)block - 1 : NULL;
  if (old == NULL)
    osize = 0; /* it tells the type of the object then */
  else if (old->size != osize)
    h->wrong = 1;
  if (nsize == 0) {
    if (old != NULL) {
      h->used -= osize;
      h->blocks--;
      memset(block, 0xda, osize); /* nobody looks at it any more */
      free(old);
    }
    return NULL;
  }
  if (nsize > osize && failsnow(h)) /* what shrinks never fails */
    return NULL;
  Header *fresh = (Header *)malloc(sizeof(Header) + nsize);
  if (fresh == NULL)
    return NULL;
  fresh->size = nsize;
  memset(fresh + 1, 0xad, nsize);
  if (old != NULL) { /* always another place: who kept the old one is found out */
    memcpy(fresh + 1, block, osize < nsize ? osize : nsize);
    memset(block, 0xda, osize);
    free(old);
    h->blocks--;
  }
  h->used = h->used - osize + nsize;
  h->blocks++;
  return fresh + 1;
}

/* In the state: fault(k, n, f, ...): calls f(...) while the k-th request for memory and the n - 1 after it
** fail. Gives true if so many were made, and then what pcall gives. */
static int fault (lua_State *L) {
  Heap *h;
  lua_getallocf(L, (void **)&h);
  long k = (long)luaL_checkinteger(L, 1), n = (long)luaL_checkinteger(L, 2);
  int top = lua_gettop(L);
  luaL_checkstack(L, 20, NULL);
  h->asked = 0;
  h->failing = n;
  h->countdown = k;
  int status = lua_pcall(L, top - 3, LUA_MULTRET, 0);
  int hit = h->asked >= k;
  h->countdown = 0;
  lua_pushboolean(L, hit);
  lua_replace(L, 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 2);
  return lua_gettop(L);
}

/* In the state: used(): the bytes that are given out */
static int used (lua_State *L) {
  Heap *h;
  lua_getallocf(L, (void **)&h);
  lua_pushinteger(L, (lua_Integer)h->used);
  return 1;
}

static int traceback (lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static lua_State *newstate (Heap *h) {
#if LUA_VERSION_NUM > 504
  return lua_newstate(allocate, h, 0);
#else
  return lua_newstate(allocate, h);
#endif
}

/* alloc.run(path, cpath, script, ...): runs the script in a new state, with `fault` and `used` as globals and the
** strings `...` as arguments, and closes it. Gives nil or the script's error, then the bytes and the blocks
** that were not given back, and whether one came back with a wrong size. */
static int run (lua_State *L) {
  Heap h;
  memset(&h, 0, sizeof(h));
  int n = lua_gettop(L), status;
  lua_State *S = newstate(&h);
  if (S == NULL)
    return luaL_error(L, "no memory for a state");
  luaL_openlibs(S);
  lua_pushcfunction(S, fault);
  lua_setglobal(S, "fault");
  lua_pushcfunction(S, used);
  lua_setglobal(S, "used");
  lua_getglobal(S, "package");
  lua_pushstring(S, luaL_checkstring(L, 1));
  lua_setfield(S, -2, "path");
  lua_pushstring(S, luaL_checkstring(L, 2));
  lua_setfield(S, -2, "cpath");
  lua_settop(S, 0);
  lua_pushcfunction(S, traceback);
  status = luaL_loadstring(S, luaL_checkstring(L, 3));
  if (status == LUA_OK) {
    for (int i = 4; i <= n; i++)
      lua_pushstring(S, luaL_checkstring(L, i));
    status = lua_pcall(S, n - 3, 0, 1);
  }
  if (status == LUA_OK)
    lua_pushnil(L);
  else
    lua_pushstring(L, lua_tostring(S, -1));
  lua_close(S);
  lua_pushinteger(L, (lua_Integer)h.used);
  lua_pushinteger(L, (lua_Integer)h.blocks);
  lua_pushboolean(L, h.wrong);
  return 4;
}

/* alloc.open(path, cpath, module, k, n): requires the module in a new state while the k-th request and the
** n - 1 after it fail. Gives true if so many were made, then what run gives. */
static int openmodule (lua_State *L) {
  Heap h;
  memset(&h, 0, sizeof(h));
  lua_State *S = newstate(&h);
  if (S == NULL)
    return luaL_error(L, "no memory for a state");
  luaL_openlibs(S);
  lua_getglobal(S, "package");
  lua_pushstring(S, luaL_checkstring(L, 1));
  lua_setfield(S, -2, "path");
  lua_pushstring(S, luaL_checkstring(L, 2));
  lua_setfield(S, -2, "cpath");
  lua_getglobal(S, "require");
  lua_pushstring(S, luaL_checkstring(L, 3));
  h.failing = (long)luaL_checkinteger(L, 5);
  h.countdown = (long)luaL_checkinteger(L, 4);
  int status = lua_pcall(S, 1, 0, 0);
  lua_pushboolean(L, h.asked >= luaL_checkinteger(L, 4));
  h.countdown = 0;
  if (status == LUA_OK)
    lua_pushnil(L);
  else
    lua_pushstring(L, lua_tostring(S, -1));
  lua_close(S);
  lua_pushinteger(L, (lua_Integer)h.used);
  lua_pushinteger(L, (lua_Integer)h.blocks);
  lua_pushboolean(L, h.wrong);
  return 5;
}

/* alloc.quietly(f, ...): the results of f(...), which writes to stderr for nobody. An error of f is raised. */
static int quietly (lua_State *L) {
  luaL_checkany(L, 1);
  fflush(stderr);
  int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (saved < 0 || null < 0)
    return luaL_error(L, "cannot turn stderr away");
  dup2(null, STDERR_FILENO);
  close(null);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static const luaL_Reg functions[] = {
  {"open", openmodule},
  {"quietly", quietly},
  {"run", run},
  {NULL, NULL},
};

int luaopen_alloc(lua_State *L);

int luaopen_alloc (lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
