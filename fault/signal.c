/*
** signal.c: signals for the specs, built by fault/build.lua. What lua.c does at Ctrl-C, a program that
** embeds Lua may do at any signal: here at that of a clock.
*/
#define _GNU_SOURCE 1 /* sigaction, setitimer */

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static lua_State *mainthread; /* one state at a time uses it */
static lua_State *target;     /* where the signal sets a hook: on the main thread mostly */
static lua_Hook hook;         /* which, if any */
static volatile sig_atomic_t count;

static void handler (int signo) {
  (void)signo;
  count++;
  if (hook != NULL)
    lua_sethook(target, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void stop (void) {
  struct itimerval timer;
  memset(&timer, 0, sizeof(timer));
  setitimer(ITIMER_REAL, &timer, NULL);
}

/* Takes itself off, and calls the function that signal.after was given. */
static void callhook (lua_State *L, lua_Debug *ar) {
  (void)ar;
  stop();
  lua_sethook(L, NULL, 0, 0);
  if (lua_getfield(L, LUA_REGISTRYINDEX, "signal.function") == LUA_TFUNCTION) {
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "signal.function");
    lua_call(L, 0, 0);
  }
  lua_pop(L, 1);
}

/* Stays, and does nothing. */
static void idlehook (lua_State *L, lua_Debug *ar) {
  (void)L;
  (void)ar;
}

static void set (double first, double every) {
  struct sigaction sa;
  struct itimerval timer;
  memset(&sa, 0, sizeof(sa));
  sa.sa_handler = handler; /* without SA_RESTART */
  sigaction(SIGALRM, &sa, NULL);
  timer.it_value.tv_sec = (time_t)first;
  timer.it_value.tv_usec = (suseconds_t)((first - (double)(time_t)first) * 1e6);
  timer.it_interval.tv_sec = (time_t)every;
  timer.it_interval.tv_usec = (suseconds_t)((every - (double)(time_t)every) * 1e6);
  count = 0;
  setitimer(ITIMER_REAL, &timer, NULL);
}

/* signal.every(seconds): a signal that nobody asked for, again and again; 0 ends it */
static int every (lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  hook = NULL;
  set(seconds, seconds);
  return 0;
}

/* signal.count(): how many came since then */
static int counted (lua_State *L) {
  lua_pushinteger(L, count);
  return 1;
}

/* The coroutine at arg, unless given the main thread. */
static void settarget (lua_State *L, int arg) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  mainthread = lua_tothread(L, -1);
  target = lua_isthread(L, arg) ? lua_tothread(L, arg) : mainthread;
}

/* signal.after(seconds [, f [, co]]): then, once, a hook on the main thread, or on co: it calls f and is gone, or without
** f does nothing and stays */
static int after (lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  settarget(L, 3);
  lua_settop(L, 2);
  hook = lua_isfunction(L, 2) ? callhook : idlehook;
  lua_setfield(L, LUA_REGISTRYINDEX, "signal.function");
  /* again and again until the hook has run: a signal may come just before the call begins to wait */
  set(seconds, hook == callhook ? seconds : 0);
  return 0;
}

/* signal.hook(f, mask [, co]): the same hook at once, as if a signal had come just before. The mask is as debug.sethook has
** it, and "n" in it wants the next instruction. */
static int sethook (lua_State *L) {
  const char *mask = luaL_checkstring(L, 2);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  settarget(L, 3);
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "signal.function");
  lua_sethook(target, callhook,
              (strchr(mask, 'c') ? LUA_MASKCALL : 0) | (strchr(mask, 'r') ? LUA_MASKRET : 0) |
                (strchr(mask, 'l') ? LUA_MASKLINE : 0) | (strchr(mask, 'n') ? LUA_MASKCOUNT : 0),
              strchr(mask, 'n') != NULL);
  return 0;
}

/* signal.idle(): is the hook that does nothing on the main thread, and there alone? */
static int idle (lua_State *L) {
  lua_pushboolean(L, lua_gethook(mainthread) == idlehook &&
                       (L == mainthread || lua_gethook(L) == NULL));
  return 1;
}

static const luaL_Reg functions[] = {
  {"after", after}, {"count", counted}, {"every", every},
  {"hook", sethook}, {"idle", idle},    {NULL, NULL},
};

int luaopen_signal(lua_State *L);

int luaopen_signal (lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
