/*
** ip.h: numeric addresses without a port, and what may name an interface.
*/
#ifndef bs_ip_h
#define bs_ip_h

#include "base/compiler.h"

BS_BEGIN

int bs_nametoindex(lua_State *L, const char *name, unsigned *index); /* 0 or an errno */

/* A numeric address, as text or as an object. */
typedef struct bs_ip {
  union {
    struct in_addr in;
    struct in6_addr in6;
  } u;
  unsigned zone; /* the interface after its %, or its scope_id; 0: none */
  int err;       /* an errno: there is no such zone */
} bs_ip;

int bs_toip(lua_State *L, int idx, int family, bs_ip *ip); /* false: none of that family is there */
/* The interface at idx: a name, an index, "*" and unspecified addresses for any (0), an address that it has (of
** `family`; AF_UNSPEC: of either), or an address with its zone. NULL, or what is wrong with it; *err is set if it is an
** interface that cannot be found. Who can use an IPv4 address as it is gets it in *asip (NULL: cannot), and index 0. */
const char *bs_tointerface(lua_State *L, int idx, int family, unsigned *index, struct in_addr *asip,
                           int *err);
int bs_whynone(
  int err); /* the errno of an interface that was not found, which the C library may have lost */

BS_END

#endif
