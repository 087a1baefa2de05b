/*
** error.h: how a failure of the world is told: nil, message, code.
*/
#ifndef bs_error_h
#define bs_error_h

#include <errno.h>

#include "base/compiler.h"

BS_BEGIN

/* op->error: an errno, 0, or one of these */
#define BS_ETIMEOUT (-1)     /* the library's own deadline passed */
#define BS_ENOMEM (-2)       /* Lua's memory ran out: raise */
#define BS_TIMEOUT "timeout" /* the code of BS_ETIMEOUT */

const char *bs_errname(int err); /* "ECONNREFUSED"; NULL: no name */
const char *bs_eainame(int err); /* "EAI_NONAME"; NULL: no name */
/* Each pushes nil, message, code and gives 3; BS_ENOMEM as err raises. The message is
** "call: text", "call address: text" or "call subject: text". */
int bs_fail(lua_State *L, const char *call, int err);
int bs_failtext(lua_State *L, const char *call, const char *subject, int err);
/* of the resolver's codes; err is the errno that EAI_SYSTEM refers to */
int bs_faileai(lua_State *L, const char *call, const char *subject, int eai, int err);
BS_NORETURN int bs_raise(lua_State *L, const char *call, int err);
BS_NORETURN int bs_memory(lua_State *L); /* raises "not enough memory" */
/* "<what> expected, got <type>", pushed, for a value that is no argument; idx counts from below. */
const char *bs_expected(lua_State *L, int idx, const char *what);

BS_END

#endif
