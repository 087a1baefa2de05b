/*
** error.c: how a failure of the world is told: nil, message, code. The only caller of strerror_r and
** gai_strerror; the names of the codes are rows of constant.c.
*/
#include "base/prefix.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"

#define TIMEDOUT "timed out" /* its text */

const char *bs_errname (int err) {
  return bs_constantname("E", err);
}

const char *bs_eainame (int err) {
  return bs_constantname("EAI_", err);
}

int bs_memory (lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  lua_error(L);
}

const char *bs_expected (lua_State *L, int idx, const char *what) {
  const char *got = lua_islightuserdata(L, idx) ? "light userdata" : luaL_typename(L, idx);
  if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
    got = lua_tostring(L, -1);
  return lua_pushfstring(L, "%s expected, got %s", what, got);
}

static void pushcode (lua_State *L, const char *name, int err) {
  if (name != NULL)
    lua_pushstring(L, name);
  else /* a system newer than the table: still a string, and still told apart */
    lua_pushfstring(L, "%d", err);
}

/* ==== platform: strerror_r, of which there are two; strerror has one room for all threads ==== */

#define ERRTEXT 256 /* room for any text */

static const char *errtext (int err, char text[ERRTEXT]) {
  if (err == BS_ETIMEOUT)
    return TIMEDOUT;
#if defined(__GLIBC__) /* gives the text, which need not be in the room */
  return strerror_r(err, text, ERRTEXT);
#else /* POSIX's gives 0, or an errno and perhaps a text */
  text[0] = '\0';
  if (strerror_r(err, text, ERRTEXT) != 0 && text[0] == '\0')
    snprintf(text, ERRTEXT, "Unknown error %d", err);
  return text;
#endif
}

/* ==== nil, message, code ==== */

static int fail (lua_State *L, const char *call, const char *subject, const char *text,
                 const char *name, int err) {
  lua_pushnil(L);
  if (subject != NULL)
    lua_pushfstring(L, "%s %s: %s", call, subject, text);
  else
    lua_pushfstring(L, "%s: %s", call, text);
  pushcode(L, name, err);
  return 3;
}

int bs_failtext (lua_State *L, const char *call, const char *subject, int err) {
  if (err == BS_ENOMEM)
    return bs_memory(L);
  char text[ERRTEXT];
  return fail(L, call, subject, errtext(err, text),
              err == BS_ETIMEOUT ? BS_TIMEOUT : bs_errname(err), err);
}

int bs_fail (lua_State *L, const char *call, int err) {
  return bs_failtext(L, call, NULL, err);
}

int bs_faileai (lua_State *L, const char *call, const char *subject, int eai, int err) {
#if defined(EAI_SYSTEM)
  if (eai == EAI_SYSTEM)
    return bs_failtext(L, call, subject, err);
#else
  (void)err;
#endif
#if defined(EAI_MEMORY)
  if (eai == EAI_MEMORY)
    return bs_memory(L);
#endif
  return fail(L, call, subject, gai_strerror(eai), bs_eainame(eai), eai);
}

int bs_raise (lua_State *L, const char *call, int err) {
  bs_fail(L, call, err);
  luaL_error(L, "%s", lua_tostring(L, -2));
}

/* strerror(code): the text for a number, or for the name of one */
static int error_strerror (lua_State *L) {
  lua_Integer code;
  if (lua_type(L, 1) == LUA_TSTRING) {
    size_t len;
    const char *name = lua_tolstring(L, 1, &len);
    int iseai = strncmp(name, "EAI_", 4) == 0;
    if (strcmp(name, BS_TIMEOUT) == 0 && len == strlen(name)) {
      lua_pushliteral(L, TIMEDOUT);
      return 1;
    }
    /* of the names in E only those of errno have no underscore: ETH_P_IP is no code */
    int iscode = *name == 'E' && (iseai || strchr(name, '_') == NULL) && strlen(name) == len;
    if (!iscode || !bs_findconstant(name, &code)) {
      bs_guess g;
      bs_initguess(&g, name, len);
      bs_considerconstants(&g, "E\0EAI_\0");
      name = lua_pushfstring(L, "unknown error code %s", bs_pushquoted(L, name, len));
      return luaL_argerror(L, 1, bs_pushmeant(L, name, &g));
    }
    if (iseai) {
      lua_pushstring(L, gai_strerror((int)code));
      return 1;
    }
  }
  else {
    code = luaL_checkinteger(L, 1);
    luaL_argcheck(L, (int)code == code, 1, "out of range");
    if (code < 0) { /* where errnos are positive, these can only be the resolver's */
      lua_pushstring(L, gai_strerror((int)code));
      return 1;
    }
  }
  char text[ERRTEXT];
  lua_pushstring(L, errtext((int)code, text));
  return 1;
}

static const luaL_Reg functions[] = {
  {"strerror", error_strerror},
  {NULL, NULL},
};

void bs_openerror (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
