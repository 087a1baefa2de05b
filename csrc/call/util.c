/*
** util.c: what needs no socket and asks nobody: byte order, the text of numeric addresses, the
** Internet checksum, the clocks. core.getpid() is a part of socket.listen_fds; users do not see it.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"
#include "object/buffer.h"

/* ---- numeric addresses ---- */

/* The size of an address of `family` in bytes; 0: it has no text. */
static size_t addresssize (int family) {
  switch (family) {
    case AF_INET: return sizeof(struct in_addr);
    case AF_INET6: return sizeof(struct in6_addr);
    default: return 0;
  }
}

/* inet_pton(family, text) */
static int util_inet_pton (lua_State *L) {
  struct in6_addr bytes; /* the larger one */
  size_t len;
  int family = bs_checkconstant(L, 1, "AF_\0PF_\0");
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *text = lua_tolstring(L, 2, &len);
  size_t size = addresssize(family);
  luaL_argcheck(L, strlen(text) == len, 2, "string contains zeros");
  if (size == 0)
    return bs_failtext(L, "inet_pton", text, EAFNOSUPPORT);
  if (inet_pton(family, text, &bytes) != 1)
    return bs_failtext(L, "inet_pton", text, EINVAL);
  lua_pushlstring(L, (const char *)&bytes, size);
  return 1;
}

/* inet_ntop(family, bytes) */
static int util_inet_ntop (lua_State *L) {
  char text[INET6_ADDRSTRLEN];
  size_t len;
  int family = bs_checkconstant(L, 1, "AF_\0PF_\0");
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 2, &len);
  size_t size = addresssize(family);
  if (size == 0)
    return bs_fail(L, "inet_ntop", EAFNOSUPPORT);
  luaL_argcheck(L, len == size, 2, lua_pushfstring(L, "%d bytes expected", (int)size));
  if (inet_ntop(family, bytes, text, sizeof(text)) == NULL) {
    int err = errno;
    return bs_fail(L, "inet_ntop", err);
  }
  lua_pushstring(L, text);
  return 1;
}

/* ---- byte order ---- */

static lua_Integer checkword (lua_State *L, lua_Integer max) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, 0 <= n && n <= max, 1, "out of range");
  return n;
}

static int util_htons (lua_State *L) {
  lua_pushinteger(L, htons((uint16_t)checkword(L, UINT16_MAX)));
  return 1;
}

static int util_ntohs (lua_State *L) {
  lua_pushinteger(L, ntohs((uint16_t)checkword(L, UINT16_MAX)));
  return 1;
}

static int util_htonl (lua_State *L) {
  lua_pushinteger(L, htonl((uint32_t)checkword(L, UINT32_MAX)));
  return 1;
}

static int util_ntohl (lua_State *L) {
  lua_pushinteger(L, ntohl((uint32_t)checkword(L, UINT32_MAX)));
  return 1;
}

/* ---- the checksum of RFC 1071 ---- */

/* The sum comes out right in any byte order, and in any width: what a wide word carries into its
** upper half is folded back at the end. 32 bits at a time, 2^32 of them fit. */
static uint16_t checksum (const char *bytes, size_t len) {
  uint64_t sum = 0;
  uint32_t word;
  uint16_t result;
  for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
    memcpy(&word, bytes, sizeof(word));
    sum += word;
  }
  word = 0;
  memcpy(&word, bytes, len); /* an odd byte is as if a zero followed */
  sum += word;
  while (sum > UINT16_MAX)
    sum = (sum >> 16) + (sum & UINT16_MAX);
  result = (uint16_t)~sum;
  return ntohs(result);
}

/* checksum(bytes) */
static int util_checksum (lua_State *L) {
  size_t len;
  const char *bytes = bs_checkdata(L, 1, &len);
  lua_pushinteger(L, checksum(bytes, len));
  return 1;
}

/* ---- the clocks ---- */

/* monotime() */
static int util_monotime (lua_State *L) {
  lua_pushnumber(L, (lua_Number)bs_now() / 1e9);
  return 1;
}

/* time() */
static int util_time (lua_State *L) {
  struct timespec ts = {0, 0};
  (void)clock_gettime(CLOCK_REALTIME, &ts); /* which every system has */
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  return 1;
}

/* ---- the process ---- */

/* core.getpid() */
static int util_getpid (lua_State *L) {
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

/* clang-format off */
static const luaL_Reg functions[] = {
  {"inet_pton", util_inet_pton},
  {"inet_ntop", util_inet_ntop},
  {"htons", util_htons},
  {"ntohs", util_ntohs},
  {"htonl", util_htonl},
  {"ntohl", util_ntohl},
  {"checksum", util_checksum},
  {"monotime", util_monotime},
  {"time", util_time},
  {"getpid", util_getpid},
  {NULL, NULL},
};
/* clang-format on */

void bs_openutil (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
