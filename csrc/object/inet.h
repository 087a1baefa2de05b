/*
** inet.h: a host and a port as arguments, and addresses of AF_INET and AF_INET6 that are made of them.
*/
#ifndef bs_inet_h
#define bs_inet_h

#include "object/address.h"

BS_BEGIN

#define BS_SERVICESIZE 256 /* of a service's name; RFC 6335 allows 15 bytes */
#define BS_NOPORT (-1)     /* in place of a port: it has a name, and must be looked up */

const char *bs_checkname(lua_State *L, int arg,
                         size_t *len); /* a string without zeros; a number is none */
const char *bs_checkhost(lua_State *L, int arg, size_t *len);

/* A host may be in brackets, as "[::1]" is in a URL: takes them away from the string at idx, and gives its bytes. */
const char *bs_barehost(lua_State *L, int idx, size_t *len);

int bs_checkport(lua_State *L, int arg, int isport, lua_Integer port);
int bs_hasletter(const char *name); /* may it be a service's? */
/* A port after its host: as a number or in digits, or else BS_NOPORT and a service's name in `name` (empty: there can be no
** such service). */
int bs_checkservice(lua_State *L, int arg, char name[BS_SERVICESIZE]);
/* Raises: it is no host, or no port, and perhaps both in another notation. */
BS_NORETURN int bs_notarget(lua_State *L, int arg, int host, const char *what);

/* What may be given as an address of AF_INET or AF_INET6. */
typedef struct bs_target {
  bs_address address; /* the host, if `known` */
  const char *host;
  size_t len;                   /* of host */
  int known;                    /* it is no name */
  int port;                     /* or BS_NOPORT */
  char service[BS_SERVICESIZE]; /* then */
  lua_Integer flowinfo, scope;  /* -1: not given */
} bs_target;

void bs_checktarget(lua_State *L, int arg, int family, bs_target *t);
/* Puts the object of a target whose host and port are known at `arg`. */
const bs_address *bs_settarget(lua_State *L, int arg, bs_target *t);
void *bs_cleanaddress(bs_address *a, int family); /* all else zero; gives the place of its bytes */
void bs_setport(bs_address *a, int port);
int bs_getport(const bs_address *a);

BS_END

#endif
