/*
** interface.c: the network interfaces of this machine, their names, numbers and addresses, and all that may
** name one where a call takes one. What an address looks like in Lua is address.c's business; here is only how
** long one is.
**
** These calls open a descriptor inside the C library, so when there is none to be had they are
** tried once more after a garbage collection, as everything is that opens one.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/open.h"
#include "object/address.h"
#include "object/ip.h"

#ifdef AF_PACKET
#include <netpacket/packet.h>
#endif

/* ---- lists of the C library, in userdata made before there is a list ---- */

#define NAMES "bsdsocket.if_nameindex" /* their metatables */
#define ADDRESSES "bsdsocket.ifaddrs"

static void **newlist (lua_State *L, const char *metatable) {
  void **list = (void **)lua_newuserdatauv(L, sizeof(*list), 0);
  *list = NULL;
  luaL_setmetatable(L, metatable);
  return list;
}

static void freenames (void **list) {
  if (*list != NULL)
    if_freenameindex((struct if_nameindex *)*list);
  *list = NULL;
}

static void freeaddresses (void **list) {
  if (*list != NULL)
    freeifaddrs((struct ifaddrs *)*list);
  *list = NULL;
}

static int names_gc (lua_State *L) {
  freenames((void **)lua_touserdata(L, 1));
  return 0;
}

static int addresses_gc (lua_State *L) {
  freeaddresses((void **)lua_touserdata(L, 1));
  return 0;
}

/* ---- names and numbers ---- */

/* if_nameindex() */
static int interface_nameindex (lua_State *L) {
  void **list = newlist(L, NAMES);
  for (int again = 1; (*list = if_nameindex()) == NULL; again = 0) {
    int err = errno;
    if (!again || !bs_collect(L, err))
      return bs_fail(L, "if_nameindex", err);
  }
  lua_newtable(L);
  lua_Integer i = 0;
  for (const struct if_nameindex *n = (struct if_nameindex *)*list; n->if_index != 0; n++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, n->if_index);
    lua_setfield(L, -2, "index");
    lua_pushstring(L, n->if_name);
    lua_setfield(L, -2, "name");
    lua_rawseti(L, -2, ++i);
  }
  freenames(list);
  return 1;
}

/* if_nametoindex(name) */
static int interface_nametoindex (lua_State *L) {
  size_t len;
  unsigned index;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *name = lua_tolstring(L, 1, &len);
  luaL_argcheck(L, strlen(name) == len, 1, "string contains zeros");
  int err = bs_nametoindex(L, name, &index);
  if (err != 0)
    return bs_failtext(L, "if_nametoindex", name, err);
  lua_pushinteger(L, index);
  return 1;
}

/* if_indextoname(index) */
static int interface_indextoname (lua_State *L) {
  char name[IF_NAMESIZE];
  lua_Integer index = luaL_checkinteger(L, 1);
  luaL_argcheck(L, 0 <= index && index <= UINT_MAX, 1, "out of range");
  for (int again = 1; if_indextoname((unsigned)index, name) == NULL; again = 0) {
    int err = bs_whynone(errno);
    if (!again || !bs_collect(L, err))
      return bs_failtext(L, "if_indextoname", lua_pushfstring(L, "%I", index), err);
  }
  lua_pushstring(L, name);
  return 1;
}

/* ---- addresses ---- */

/* The length of a sockaddr of `family`; 0: not known. */
static socklen_t length (const struct sockaddr *sa, int family) {
  switch (family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
#ifdef AF_PACKET
    case AF_PACKET: { /* some links have hardware addresses of more than the 8 bytes declared */
      const struct sockaddr_ll *ll = (const struct sockaddr_ll *)(const void *)sa;
      size_t used = offsetof(struct sockaddr_ll, sll_addr) + ll->sll_halen;
      return (socklen_t)(used > sizeof(*ll) ? used : sizeof(*ll));
    }
#endif
#ifdef SIN6_LEN /* where sockaddrs tell their length */
    default: return sa->sa_len;
#else
    default: (void)sa; return 0;
#endif
  }
}

/* Adds t[key] = address to the table on the top, if there is one. A netmask may come cut behind its
** last byte that is not zero and without its family, which is the address's. */
static void setaddress (lua_State *L, const char *key, const struct sockaddr *sa, int family) {
  struct sockaddr_storage form;
  socklen_t len = sa != NULL ? length(sa, family) : 0;
  if (len == 0 || len > sizeof(form))
    return;
  memset(&form, 0, sizeof(form));
#ifdef SIN6_LEN
  memcpy(&form, sa, sa->sa_len < len ? sa->sa_len : len);
#else
  memcpy(&form, sa, len);
#endif
  form.ss_family = (sa_family_t)family;
  bs_pushaddress(L, (struct sockaddr *)&form, len, family);
  lua_setfield(L, -2, key);
}

/* getifaddrs() */
static int interface_getifaddrs (lua_State *L) {
  struct ifaddrs *all = NULL;
  void **list = newlist(L, ADDRESSES);
  for (int again = 1; getifaddrs(&all) != 0; again = 0) {
    int err = errno;
    if (!again || !bs_collect(L, err))
      return bs_fail(L, "getifaddrs", err);
  }
  *list = all;
  lua_newtable(L);
  lua_Integer i = 0;
  for (const struct ifaddrs *ifa = all; ifa != NULL; ifa = ifa->ifa_next) {
    int family = ifa->ifa_addr != NULL ? ifa->ifa_addr->sa_family : AF_UNSPEC;
    lua_createtable(L, 0, 5);
    lua_pushstring(L, ifa->ifa_name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)ifa->ifa_flags);
    lua_setfield(L, -2, "flags");
    setaddress(L, "address", ifa->ifa_addr, family);
    setaddress(L, "netmask", ifa->ifa_netmask, family);
    if (ifa->ifa_flags & IFF_BROADCAST) /* the field is shared */
      setaddress(L, "broadcast", ifa->ifa_broadaddr, family);
    else if (ifa->ifa_flags & IFF_POINTOPOINT)
      setaddress(L, "destination", ifa->ifa_dstaddr, family);
    lua_rawseti(L, -2, ++i);
  }
  freeaddresses(list);
  return 1;
}

static const luaL_Reg functions[] = {
  {"if_nameindex", interface_nameindex},
  {"if_nametoindex", interface_nametoindex},
  {"if_indextoname", interface_indextoname},
  {"getifaddrs", interface_getifaddrs},
  {NULL, NULL},
};

static void newmetatable (lua_State *L, const char *name, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void bs_openinterface (lua_State *L) {
  newmetatable(L, NAMES, names_gc);
  newmetatable(L, ADDRESSES, addresses_gc);
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
