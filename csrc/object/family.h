/*
** family.h: a family of addresses is one row: how its arguments become a sockaddr, what its fields are, how it looks as text.
*/
#ifndef bs_family_h
#define bs_family_h

#include "object/address.h"

BS_BEGIN

typedef struct bs_family {
  int family;
  socklen_t need; /* shorter ones are treated as raw bytes */
  int args;       /* how many arguments may stand for an address */
  /* As bs_parseaddress, of arguments that are no address object. */
  int (*parse)(lua_State *L, int arg, const char *call, const struct bs_family *f,
               const bs_socket *s);
  /* Pushes the field; false: none such. */
  int (*field)(lua_State *L, const bs_address *a, const char *name);
  int (*unpack)(lua_State *L, const bs_address *a); /* pushes what parse takes; their number */
  void (*text)(const bs_address *a, char *text);
  void (*normalize)(bs_address *a); /* what bs_normalize is for; NULL where it does so by itself */
} bs_family;

const bs_family *bs_linuxfamily(int af); /* NULL: none of its families */
/* inet.c has these two rows. */
extern const bs_family bs_inetfamily, bs_inet6family;

BS_END

#endif
