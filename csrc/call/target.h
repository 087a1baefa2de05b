/*
** target.h: calls that take an address, or host and port in its place.
*/
#ifndef bs_target_h
#define bs_target_h

#include "object/address.h"

BS_BEGIN

/* Calls that take ADDR: puts an address object at stack index `arg` and goes on with next(L, address, began);
** `began` is when a look-up began whose time counts in the call's own (0: there was none).
** The arguments there are an address, or what follows the family in socket.address(family, ...).
** `s` is the socket that the call is a method of, or NULL: nothing is looked up for a closed one. */
typedef int (*bs_next)(lua_State *L, const bs_address *a, bs_time began);
int bs_withaddress(lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                   bs_next next);
/* As bs_withaddress, for AF_INET and AF_INET6 where host and service are at arg and arg + 1:
** looks up; *numeric* ones without the resolver. */
int bs_withname(lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                bs_next next);

BS_END

#endif
