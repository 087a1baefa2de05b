/*
** inet.c: a host and a port as arguments, and addresses of AF_INET and AF_INET6 that are made of them. Nothing is looked up
** here: what is a name is for resolve.c.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "object/family.h"
#include "object/hint.h"
#include "object/inet.h"
#include "object/socket.h"

#define MAXPORT 65535

/* ---- arguments ---- */

/* A string without zeros; a number is none. */
const char *bs_checkname (lua_State *L, int arg, size_t *len) {
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *name = lua_tolstring(L, arg, len);
  luaL_argcheck(L, strlen(name) == *len, arg, "string contains zeros");
  return name;
}

const char *bs_barehost (lua_State *L, int idx, size_t *len) {
  const char *host = lua_tolstring(L, idx, len);
  idx = lua_absindex(L, idx);
  if (*len > 2 && host[0] == '[' && host[*len - 1] == ']' && strchr(host, ':') != NULL) {
    lua_pushlstring(L, host + 1, *len - 2);
    lua_replace(L, idx);
    host = lua_tolstring(L, idx, len);
  }
  return host;
}

const char *bs_checkhost (lua_State *L, int arg, size_t *len) {
  const char *host = bs_checkname(L, arg, len);
  return host[0] == '[' ? bs_barehost(L, arg, len) : host;
}

/* Raises: it is no host, or no port, and perhaps both in another notation. */
int bs_notarget (lua_State *L, int arg, int host, const char *what) {
  const char *hint = bs_hinttarget(L, host, host + 1); /* before a push puts something there */
  luaL_argerror(L, arg, lua_pushfstring(L, "%s%s", bs_expected(L, arg, what), hint));
}

int bs_checkport (lua_State *L, int arg, int isport, lua_Integer port) {
  luaL_argcheck(L, isport && 0 <= port && port <= MAXPORT, arg,
                "port out of range: integer from 0 to 65535 expected");
  return (int)port;
}

/* Every service has one (RFC 6335). What has none, the system would read as a number, cut to 16
** bits: " 80", "+80", "-1". */
int bs_hasletter (const char *name) {
  for (; *name != '\0'; name++)
    if (((unsigned char)*name | 0x20u) - 'a' < 26u)
      return 1;
  return 0;
}

/* A port after its host: as a number or in digits, or else BS_NOPORT and a service's name in `name` (empty: there can
** be no such service). */
int bs_checkservice (lua_State *L, int arg, char name[BS_SERVICESIZE]) {
  size_t len;
  name[0] = '\0';
  if (lua_type(L, arg) == LUA_TNUMBER) {
    int isport;
    lua_Integer port = lua_tointegerx(L, arg, &isport);
    return bs_checkport(L, arg, isport, port);
  }
  if (lua_type(L, arg) != LUA_TSTRING)
    bs_notarget(L, arg, arg - 1, "port number or service name");
  const char *service = bs_checkname(L, arg, &len);
  if (len > 0 && strspn(service, "0123456789") == len) {
    unsigned long port = strtoul(service, NULL, 10); /* too large a number gives the largest */
    return bs_checkport(L, arg, port <= MAXPORT, (lua_Integer)port);
  }
  if (len < BS_SERVICESIZE && bs_hasletter(service))
    memcpy(name, service, len + 1);
  return BS_NOPORT;
}

static lua_Integer optword (lua_State *L, int arg, const char *message) {
  if (lua_isnoneornil(L, arg))
    return -1;
  lua_Integer word = luaL_checkinteger(L, arg);
  luaL_argcheck(L, 0 <= word && word <= UINT32_MAX, arg, message);
  return word;
}

/* ---- addresses that are numbers ---- */

void bs_setport (bs_address *a, int port) {
  if (a->u.sa.sa_family == AF_INET)
    a->u.in.sin_port = htons((uint16_t)port);
  else
    a->u.in6.sin6_port = htons((uint16_t)port);
}

int bs_getport (const bs_address *a) {
  return ntohs(a->u.sa.sa_family == AF_INET ? a->u.in.sin_port : a->u.in6.sin6_port);
}

/* An address of AF_INET or AF_INET6 with all else zero; gives the place of its bytes. */
void *bs_cleanaddress (bs_address *a, int family) {
  memset(&a->u.in6, 0, sizeof(a->u.in6)); /* the larger one */
  if (family == AF_INET) {
    a->u.in.sin_family = AF_INET;
    a->len = sizeof(a->u.in);
    return &a->u.in.sin_addr;
  }
  a->u.in6.sin6_family = AF_INET6;
  a->len = sizeof(a->u.in6);
  return &a->u.in6.sin6_addr;
}

/* The address of AF_INET or AF_INET6 that `host` is without being a name, if it is one as nearly
** everybody spells them. */
static int literal (const char *host, int family, bs_address *a) {
  void *bytes = bs_cleanaddress(a, family);
  if (host[0] == '\0' || strcmp(host, "*") == 0)
    return 1; /* any: all zero, in both families */
  if (family == AF_INET && strcmp(host, "<broadcast>") == 0) {
    a->u.in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    return 1;
  }
  return inet_pton(family, host, bytes) == 1;
}

void bs_checktarget (lua_State *L, int arg, int family, bs_target *t) {
  if (lua_type(L, arg) != LUA_TSTRING)
    bs_notarget(L, arg, arg, "host name or address");
  t->host = bs_checkhost(L, arg, &t->len);
  luaL_argcheck(L, family == AF_INET || strcmp(t->host, "<broadcast>") != 0, arg,
                "there is broadcast in AF_INET only");
  t->port = bs_checkservice(L, arg + 1, t->service);
  t->flowinfo = family == AF_INET6 ? optword(L, arg + 2, "flowinfo out of range") : -1;
  t->scope = family == AF_INET6 ? optword(L, arg + 3, "scope_id out of range") : -1;
  t->known = literal(t->host, family, &t->address);
}

/* It goes where the host was, and so lives for as long as the call. */
const bs_address *bs_settarget (lua_State *L, int arg, bs_target *t) {
  bs_address *a = &t->address;
  bs_setport(a, t->port);
  if (t->flowinfo >= 0)
    a->u.in6.sin6_flowinfo = htonl((uint32_t)t->flowinfo);
  if (t->scope >= 0)
    a->u.in6.sin6_scope_id = (uint32_t)t->scope;
  const bs_address *object = bs_pushaddress(L, &a->u.sa, a->len, a->u.sa.sa_family);
  lua_replace(L, arg);
  return object;
}

/* ---- the two families ---- */

static int inet_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                       const bs_socket *s) {
  bs_target t;
  (void)call;
  (void)s;
  bs_checktarget(L, arg, f->family, &t);
  if (!t.known || t.port == BS_NOPORT)
    return BS_NAMED;
  bs_settarget(L, arg, &t);
  return 0;
}

static void pushhost (lua_State *L, int af, const void *bytes) {
  char text[INET6_ADDRSTRLEN];
  lua_pushstring(L, inet_ntop(af, bytes, text, sizeof(text)));
}

static int inet_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "host") == 0)
    pushhost(L, AF_INET, &a->u.in.sin_addr);
  else if (strcmp(name, "port") == 0)
    lua_pushinteger(L, ntohs(a->u.in.sin_port));
  else
    return 0;
  return 1;
}

static int inet6_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "host") == 0)
    pushhost(L, AF_INET6, &a->u.in6.sin6_addr);
  else if (strcmp(name, "port") == 0)
    lua_pushinteger(L, ntohs(a->u.in6.sin6_port));
  else if (strcmp(name, "flowinfo") == 0)
    lua_pushinteger(L, ntohl(a->u.in6.sin6_flowinfo));
  else if (strcmp(name, "scope_id") == 0)
    lua_pushinteger(L, a->u.in6.sin6_scope_id);
  else
    return 0;
  return 1;
}

static int inet_unpack (lua_State *L, const bs_address *a) {
  inet_field(L, a, "host");
  inet_field(L, a, "port");
  return 2;
}

static int inet6_unpack (lua_State *L, const bs_address *a) {
  inet6_field(L, a, "host");
  inet6_field(L, a, "port");
  inet6_field(L, a, "flowinfo");
  inet6_field(L, a, "scope_id");
  return 4;
}

static void inet_text (const bs_address *a, char *text) {
  char host[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &a->u.in.sin_addr, host, sizeof(host));
  snprintf(text, BS_ADDRTEXT, "%s:%u", host, (unsigned)ntohs(a->u.in.sin_port));
}

/* The scope as a number: its name would cost a system call. */
static void inet6_text (const bs_address *a, char *text) {
  char host[INET6_ADDRSTRLEN], scope[16] = "";
  inet_ntop(AF_INET6, &a->u.in6.sin6_addr, host, sizeof(host));
  if (a->u.in6.sin6_scope_id != 0)
    snprintf(scope, sizeof(scope), "%%%u", (unsigned)a->u.in6.sin6_scope_id);
  snprintf(text, BS_ADDRTEXT, "[%s%s]:%u", host, scope, (unsigned)ntohs(a->u.in6.sin6_port));
}

const bs_family bs_inetfamily = {
  AF_INET, sizeof(struct sockaddr_in), 2, inet_parse, inet_field, inet_unpack, inet_text, NULL};

const bs_family bs_inet6family = {
  AF_INET6, sizeof(struct sockaddr_in6), 4, inet_parse, inet6_field, inet6_unpack, inet6_text,
  NULL};
