/*
** interface.c: the network interfaces of this machine, their names, numbers and addresses, and all that may
** name one where a call takes one. What an address looks like in Lua is address.c's business; here is only how
** long one is.
**
** These calls open a descriptor inside the C library, so when there is none to be had they are
** tried once more after a garbage collection, as everything is that opens one.
*/
#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#ifdef AF_PACKET
#include <netpacket/packet.h>
#endif

#include "bsdsocket.h"

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

/* Why a name or number was not found. When glibc gets no descriptor for these two, errno is about
** something else; if_nameindex tells. */
static int reason (int err) {
  if (err == ENODEV || err == ENXIO)
    return err;
  struct if_nameindex *all = if_nameindex();
  if (all == NULL)
    return errno;
  if_freenameindex(all);
  return err;
}

int bs_nametoindex (lua_State *L, const char *name, unsigned *index) {
  if (strlen(name) >= IF_NAMESIZE) /* some systems would look for its beginning */
    return ENODEV;
  for (int again = 1; (*index = if_nametoindex(name)) == 0; again = 0) {
    int err = reason(errno);
    if (!again || !bs_collect(L, err))
      return err;
  }
  return 0;
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
    int err = reason(errno);
    if (!again || !bs_collect(L, err))
      return bs_failtext(L, "if_indextoname", lua_pushfstring(L, "%I", index), err);
  }
  lua_pushstring(L, name);
  return 1;
}

/* ---- what names an interface ---- */

/* The text behind the % of an address: a name, or, as in the text of addresses, an index. */
static void tozone (lua_State *L, const char *text, bs_ip *ip) {
  unsigned long n = 0;
  const char *digit = text;
  ip->err = bs_nametoindex(L, text, &ip->zone);
  if (ip->err == 0)
    return;
  for (; *digit >= '0' && *digit <= '9' && n <= INT_MAX / 10; digit++)
    n = n * 10 + (unsigned long)(*digit - '0');
  if (digit != text && *digit == '\0' && n <= INT_MAX) {
    ip->zone = (unsigned)n;
    ip->err = 0;
  }
}

static int texttoip (lua_State *L, const char *text, int family, bs_ip *ip) {
  char host[INET6_ADDRSTRLEN];
  const char *zone = family == AF_INET6 ? strchr(text, '%') : NULL;
  size_t len = zone != NULL ? (size_t)(zone - text) : strlen(text);
  if (len >= sizeof(host))
    return 0;
  memcpy(host, text, len);
  host[len] = '\0';
  if (inet_pton(family, host, &ip->u) != 1)
    return 0;
  if (zone != NULL)
    tozone(L, zone + 1, ip);
  return 1;
}

int bs_toip (lua_State *L, int idx, int family, bs_ip *ip) {
  const bs_address *a = bs_testaddress(L, idx);
  memset(ip, 0, sizeof(*ip));
  if (lua_type(L, idx) == LUA_TSTRING) {
    size_t len;
    const char *text = bs_barehost(L, idx, &len);
    return strlen(text) == len && texttoip(L, text, family, ip);
  }
  if (a == NULL || a->u.sa.sa_family != family)
    return 0;
  if (family == AF_INET)
    ip->u.in = a->u.in.sin_addr;
  else {
    ip->u.in6 = a->u.in6.sin6_addr;
    ip->zone = a->u.in6.sin6_scope_id;
  }
  return 1;
}

/* The index of the interface that has the address, 0 for the unspecified one: 0 or an errno. */
static int iptoindex (lua_State *L, int family, const bs_ip *ip, unsigned *index) {
  static const bs_ip any;
  char name[IF_NAMESIZE] = "";
  size_t size = family == AF_INET ? sizeof(ip->u.in) : sizeof(ip->u.in6);
  size_t offset = family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
                                    : offsetof(struct sockaddr_in6, sin6_addr);
  struct ifaddrs *list;
  if (memcmp(&ip->u, &any.u, size) == 0)
    return 0;
  for (int again = 1; getifaddrs(&list) != 0; again = 0) {
    int err = errno;
    if (!again || !bs_collect(L, err))
      return err;
  }
  for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
    if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family &&
        memcmp((const char *)i->ifa_addr + offset, &ip->u, size) == 0) /* need not be aligned */
      strncpy(name, i->ifa_name, sizeof(name) - 1);
  }
  freeifaddrs(list);
  return name[0] == '\0' ? ENODEV : bs_nametoindex(L, name, index);
}

/* A string that is no address. */
static const char *nametointerface (lua_State *L, int idx, unsigned *index, int *err) {
  const char *name = lua_tostring(L, idx);
  if (strlen(name) != lua_rawlen(L, idx))
    return "name contains zeros";
  if (strcmp(name, "*") != 0)
    *err = bs_nametoindex(L, name, index);
  return NULL;
}

const char *bs_tointerface (lua_State *L, int idx, int family, unsigned *index,
                            struct in_addr *asip, int *err) {
  bs_ip ip;
  *index = 0;
  if (lua_type(L, idx) == LUA_TNUMBER) {
    int whole;
    lua_Integer n = lua_tointegerx(L, idx, &whole);
    *index = (unsigned)n;
    if (!whole)
      return "number has no integer representation";
    return 0 <= n && n <= INT_MAX ? NULL : "interface out of range";
  }
  if (bs_toip(L, idx, AF_INET6, &ip) && (family != AF_INET || ip.zone != 0 || ip.err != 0)) {
    *index = ip.zone;
    *err = ip.zone != 0 || ip.err != 0 ? ip.err : iptoindex(L, AF_INET6, &ip, index);
  }
  else if (family != AF_INET6 && bs_toip(L, idx, AF_INET, &ip)) {
    if (asip != NULL)
      *asip = ip.u.in;
    else
      *err = iptoindex(L, AF_INET, &ip, index);
  }
  else if (lua_type(L, idx) == LUA_TSTRING)
    return nametointerface(L, idx, index, err);
  else
    return "name, index or address of an interface expected";
  return NULL;
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
