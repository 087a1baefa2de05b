/*
** hint.c: a few words more in messages, for who does not know what the system's text means, or has written an address as
** other libraries take it. A hint is a row of a table here; where nothing is to be said it is "".
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <string.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"
#include "object/hint.h"

/* ==== addresses in another notation ==== */

#define TWOARGUMENTS "; give host and port as two arguments"
#define HOSTFIRST "; the host comes first, then the port"
#define DATAFIRST "; the data comes first, then the host, then the port"
#define SENDTO 3 /* where the host of sendto is, alone among calls: something stands before it */

/* "127.0.0.1:80", "localhost:http", "[::1]:80" */
static int ishostport (const char *text) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon[1] == '\0')
    return 0;
  for (const char *p = colon + 1; *p != '\0'; p++)
    if (!isalnum((unsigned char)*p) && *p != '-')
      return 0;
  if (text[0] == '[')
    return colon[-1] == ']';
  return strchr(text, ':') == colon;
}

/* A numeric address where a port should be. */
static int ishost (const char *text) {
  struct in6_addr ip;
  return inet_pton(AF_INET, text, &ip) == 1 || inet_pton(AF_INET6, text, &ip) == 1;
}

const char *bs_hinttarget (lua_State *L, int host, int port) {
  int type = lua_type(L, host), porttype = lua_type(L, port);
  if (type == LUA_TTABLE)
    return TWOARGUMENTS;
  if (type == LUA_TNUMBER)
    return porttype != LUA_TSTRING ? TWOARGUMENTS : host == SENDTO ? DATAFIRST : HOSTFIRST;
  if (type == LUA_TSTRING && porttype != LUA_TNUMBER && porttype != LUA_TSTRING &&
      ishostport(lua_tostring(L, host)))
    return TWOARGUMENTS;
  return "";
}

const char *bs_hintlookup (const char *host, const char *service, int eai) {
  if (eai == EAI_NONAME && ishostport(host))
    return " (give host and port as two arguments)";
  if (eai == EAI_SERVICE && service != NULL && ishost(service))
    return " (the host comes first, then the port)";
  return "";
}

/* ==== failures of socket and socketpair ==== */

#define RIGHTS "needs root or a capability such as CAP_NET_ADMIN"

/* -1 stands for any. The first that fits is told. */
static const struct making {
  int family, type, protocol, err;
  const char *text;
} makings[] = {
#if defined(AF_TIPC)
  {AF_TIPC, -1, -1, EAFNOSUPPORT, "is the kernel's module tipc loaded?"},
#endif
#if defined(AF_VSOCK)
  {AF_VSOCK, -1, -1, EAFNOSUPPORT, "is the kernel's module vsock loaded?"},
#endif
  {AF_INET6, -1, -1, EAFNOSUPPORT, "is IPv6 switched off?"},
  {AF_UNSPEC, -1, -1, EAFNOSUPPORT, "a socket is of one family, such as AF_INET"},
#if defined(SOCK_RDM)
  {-1, SOCK_RDM, -1, ESOCKTNOSUPPORT, "AF_TIPC has reliable datagrams"},
#endif
#if defined(IPPROTO_SCTP)
  {-1, -1, IPPROTO_SCTP, EPROTONOSUPPORT, "is the kernel's module sctp loaded?"},
  {-1, SOCK_SEQPACKET, IPPROTO_SCTP, ESOCKTNOSUPPORT, "is the kernel's module sctp loaded?"},
  {AF_INET, SOCK_SEQPACKET, -1, ESOCKTNOSUPPORT, "AF_UNIX has it, and IPPROTO_SCTP"},
  {AF_INET6, SOCK_SEQPACKET, -1, ESOCKTNOSUPPORT, "AF_UNIX has it, and IPPROTO_SCTP"},
#endif
  {AF_INET, SOCK_RAW, 0, EPROTONOSUPPORT, "a raw socket needs a protocol, such as IPPROTO_ICMP"},
  {AF_INET6, SOCK_RAW, 0, EPROTONOSUPPORT, "a raw socket needs a protocol, such as IPPROTO_ICMPV6"},
  {AF_INET, SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT, "UDP goes with SOCK_DGRAM"},
  {AF_INET6, SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT, "UDP goes with SOCK_DGRAM"},
  {AF_INET, SOCK_DGRAM, IPPROTO_TCP, EPROTONOSUPPORT, "TCP goes with SOCK_STREAM"},
  {AF_INET6, SOCK_DGRAM, IPPROTO_TCP, EPROTONOSUPPORT, "TCP goes with SOCK_STREAM"},
  {AF_INET, SOCK_STREAM, IPPROTO_ICMP, EPROTONOSUPPORT, "ICMP goes with SOCK_RAW"},
  {AF_INET6, SOCK_STREAM, IPPROTO_ICMPV6, EPROTONOSUPPORT, "ICMPv6 goes with SOCK_RAW"},
  {-1, -1, -1, EPROTONOSUPPORT, "the protocol is none of this family and type"},
  {-1, -1, -1, ESOCKTNOSUPPORT, "the family has no sockets of this type"},
  {-1, -1, -1, EAFNOSUPPORT, "this kernel has no such family, or its module is not loaded"},
  {AF_INET, -1, -1, EOPNOTSUPP, "only AF_UNIX sockets come in pairs"},
  {AF_INET6, -1, -1, EOPNOTSUPP, "only AF_UNIX sockets come in pairs"},
#if defined(__linux__)
  {-1, SOCK_RAW, -1, EPERM, "needs CAP_NET_RAW"},
#if defined(AF_PACKET)
  {AF_PACKET, -1, -1, EPERM, "needs CAP_NET_RAW"},
#endif
  {-1, SOCK_DGRAM, IPPROTO_ICMP, EACCES, "not in net.ipv4.ping_group_range"},
  {-1, SOCK_DGRAM, IPPROTO_ICMPV6, EACCES, "not in net.ipv4.ping_group_range"},
#endif
  {-1, SOCK_RAW, -1, EPERM, "raw sockets are for root"},
  {-1, -1, -1, EPERM, RIGHTS},
  {-1, -1, -1, -1, NULL},
};

const char *bs_hintmaking (int family, int type, int protocol, int err) {
  for (const struct making *h = makings; h->text != NULL; h++) {
    if ((h->family == -1 || h->family == family) && (h->type == -1 || h->type == type) &&
        (h->protocol == -1 || h->protocol == protocol) && h->err == err)
      return h->text;
  }
  return NULL;
}

/* ==== failures that an address has to do with ==== */

static int privileged (const bs_address *a) {
  int port = a->u.sa.sa_family == AF_INET ? ntohs(a->u.in.sin_port) : ntohs(a->u.in6.sin6_port);
  return 0 < port && port < 1024;
}

/* 255.255.255.255, or perhaps a network's: the last byte tells of most. */
static int broadcasts (const bs_address *a) {
  return (ntohl(a->u.in.sin_addr.s_addr) & 0xff) == 0xff;
}

static int needszone (const bs_address *a) {
  return IN6_IS_ADDR_LINKLOCAL(&a->u.in6.sin6_addr) && a->u.in6.sin6_scope_id == 0;
}

static int haspath (const bs_address *a) {
  return a->len > offsetof(struct sockaddr_un, sun_path) && a->u.un.sun_path[0] != '\0';
}

#define BIND 1u
#define LISTEN 2u
#define BINDS (BIND | LISTEN)
#define SENDS 4u /* or connects */

#define PRIVILEGED "ports below 1024 are for root, or with CAP_NET_BIND_SERVICE"
#define FOREIGN "no interface of this machine has this address"
#define ZONE "a link-local address needs its interface, as in fe80::1%eth0"

static const struct failing {
  unsigned calls;
  int family, err;
  int (*test)(const bs_address *a); /* NULL: none */
  const char *text;
} failings[] = {
  {BINDS, AF_INET, EACCES, privileged, PRIVILEGED},
  {BINDS, AF_INET6, EACCES, privileged, PRIVILEGED},
  {BINDS, AF_INET, EADDRNOTAVAIL, NULL, FOREIGN},
  {BINDS, AF_INET6, EADDRNOTAVAIL, NULL, FOREIGN},
  {BINDS | SENDS, AF_INET6, EINVAL, needszone, ZONE},
  {BINDS, AF_INET, EINVAL, NULL, "is the socket bound already?"},
  {BINDS, AF_INET6, EINVAL, NULL, "is the socket bound already?"},
  {BINDS, AF_UNIX, EINVAL, haspath, "is the socket bound already?"},
  {BIND, AF_UNIX, EADDRINUSE, haspath, "the file is there; socket.listen replaces a stale one"},
#if defined(AF_NETLINK)
  {BINDS, AF_NETLINK, EPERM, NULL, RIGHTS},
#endif
  {SENDS, AF_UNIX, EPROTOTYPE, NULL, "the socket there is of another type"},
  {SENDS, AF_INET, EACCES, broadcasts, "broadcasting needs SO_BROADCAST"},
  {0, 0, 0, NULL, NULL},
};

const char *bs_hintfailure (const char *call, const bs_address *a, int err) {
  unsigned which = strcmp(call, "bind") == 0 ? BIND : strcmp(call, "listen") == 0 ? LISTEN : SENDS;
  for (const struct failing *h = failings; h->text != NULL; h++) {
    if ((h->calls & which) && h->family == a->u.sa.sa_family && h->err == err &&
        (h->test == NULL || h->test(a)))
      return h->text;
  }
  return NULL;
}

/* ==== messages with an address in them ==== */

int bs_failat (lua_State *L, const char *call, const bs_address *a, int err) {
  char text[BS_ADDRTEXT];
  const char *hint = bs_hintfailure(call, a, err);
  bs_addresstext(a, text);
  return bs_failtext(L, call, hint != NULL ? lua_pushfstring(L, "%s (%s)", text, hint) : text, err);
}

/* ==== for the library's own Lua ==== */

/* core.hinttarget(host, port): what bs_hinttarget says */
static int hint_hinttarget (lua_State *L) {
  lua_settop(L, 2);
  lua_pushstring(L, bs_hinttarget(L, 1, 2));
  return 1;
}

/* core.hintfailure(call, address, code): " (in parentheses)", or "" */
static int hint_hintfailure (lua_State *L) {
  lua_Integer err = 0;
  const char *call = luaL_checkstring(L, 1), *code = luaL_checkstring(L, 3), *text = NULL;
  const bs_address *a = bs_checkaddress(L, 2);
  if (bs_findconstant(code, &err))
    text = bs_hintfailure(call, a, (int)err);
  lua_pushfstring(L, text != NULL ? " (%s)" : "%s", text != NULL ? text : "");
  return 1;
}

static const luaL_Reg functions[] = {
  {"hinttarget", hint_hinttarget},
  {"hintfailure", hint_hintfailure},
  {NULL, NULL},
};

void bs_openhint (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
