/*
** hint.h: a few words more in messages.
*/
#ifndef bs_hint_h
#define bs_hint_h

#include "object/address.h"

BS_BEGIN

/* For what is no host and port at these places: "; give host and port as two arguments", or "". */
const char *bs_hinttarget(lua_State *L, int host, int port);
/* For a look-up that failed: " (the host comes first, then the port)", or ""; service may be NULL. */
const char *bs_hintlookup(const char *host, const char *service, int eai);
const char *bs_hintmaking(int family, int type, int protocol, int err);     /* NULL: none */
const char *bs_hintfailure(const char *call, const bs_address *a, int err); /* NULL: none */

/* nil, message, code, as bs_fail; the message names the address. */

int bs_failat(lua_State *L, const char *call, const bs_address *a, int err);

BS_END

#endif
