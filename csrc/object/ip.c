/*
** ip.c: numeric addresses without a port, and all that may name an interface where a call takes one.
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

#include "base/fd.h"
#include "object/inet.h"
#include "object/ip.h"

/* Why a name or number was not found. When glibc gets no descriptor for these two, errno is about
** something else; if_nameindex tells. */
int bs_whynone (int err) {
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
    int err = bs_whynone(errno);
    if (!again || !bs_collect(L, err))
      return err;
  }
  return 0;
}

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
