/*
** target.c: calls that take an address, or host and port in its place; socket.address, which makes one of them.
*/
#include "base/prefix.h"

#include "base/constant.h"
#include "base/open.h"
#include "call/target.h"
#include "object/socket.h"

int bs_withaddress (lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                    bs_next next) {
  int results = bs_parseaddress(L, arg, call, family, s);
  if (results == BS_NAMED)
    return bs_withname(L, arg, call, family, s, next);
  return results > 0 ? results : next(L, (const bs_address *)lua_touserdata(L, arg), 0);
}

static int pushtop (lua_State *L, const bs_address *a, bs_time began) {
  (void)a;
  (void)began;
  lua_settop(L, 2);
  return 1;
}

/* socket.address(family, ...) */
static int target_address (lua_State *L) {
  int af = bs_checkconstant(L, 1, "AF_\0PF_\0");
  luaL_argcheck(L, af >= 0 && af <= (int)(sa_family_t)-1, 1, "out of range");
  if (lua_gettop(L) < 2)
    lua_settop(L, 2);
  return bs_withaddress(L, 2, "address", af, NULL, pushtop);
}

static const luaL_Reg functions[] = {
  {"address", target_address},
  {NULL, NULL},
};

void bs_opentarget (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
