/*
** fork.c: a process that was forked, for the specs, built by fault/build.lua: what a library may do that
** Lua cannot.
*/
#define _GNU_SOURCE 1 /* fork */

#include <lauxlib.h>
#include <lua.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork.call(f, ...): runs f(...) in a child; gives its result, 0 to 255 (254: it raised), or 256 + the signal that
** ended it */
static int call (lua_State *L) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    if (lua_pcall(L, lua_gettop(L) - 1, 1, 0) != LUA_OK)
      _exit(254);
    _exit((int)lua_tointeger(L, -1));
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid)
    return luaL_error(L, "no child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status));
  return 1;
}

/* fork.fork(): as fork(2), in the midst of what runs: a child must come to fork.exit */
static int plain (lua_State *L) {
  lua_pushinteger(L, fork());
  return 1;
}

/* fork.exit(status): ends a child, and nothing else of what it has of its parent's */
static int leave (lua_State *L) {
  _exit((int)luaL_checkinteger(L, 1));
  return 0;
}

/* fork.wait(pid): the status of that child, as fork.call gives it */
static int await (lua_State *L) {
  int status;
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  if (waitpid(pid, &status, 0) != pid)
    return luaL_error(L, "no child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status));
  return 1;
}

static const luaL_Reg functions[] = {
  {"call", call}, {"fork", plain}, {"exit", leave}, {"wait", await}, {NULL, NULL}};

int luaopen_fork(lua_State *L);

int luaopen_fork (lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
