/*
** constant.h: the names of numbers.
*/
#ifndef bs_constant_h
#define bs_constant_h

#include "base/name.h"

BS_BEGIN

int bs_findconstant(const char *name, lua_Integer *value); /* true if there */
int bs_isabsent(const char *name);                         /* is it one that this system lacks? */
size_t bs_prefixlength(const char *name); /* of "AF_" in "AF_INET"; 0: it begins as none does */
const char *bs_constantname(const char *prefix, lua_Integer value); /* first row so; NULL */
/* Integer or name at arg; prefixes: "AF_\0PF_\0" and so on, each ended by a zero. Of flags ("MSG_\0", "AI_\0",
** "NI_\0", "SOCK_\0") several may be joined: "MSG_PEEK|MSG_DONTWAIT". */
int bs_checkconstant(lua_State *L, int arg, const char *prefixes);
int bs_optconstant(lua_State *L, int arg, const char *prefixes, int def);
/* For what is no argument: NULL, or what is wrong, pushed. idx counts from below. */
const char *bs_toconstant(lua_State *L, int idx, const char *prefixes, int *value);
/* What to say of the string at idx, which is none of those, pushed. */
const char *bs_wrongname(lua_State *L, int idx, const char *prefixes);
void bs_considerconstants(bs_guess *g, const char *prefixes); /* constant.c */

BS_END

#endif
