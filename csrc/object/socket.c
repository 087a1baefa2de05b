/*
** socket.c: the socket object: how it takes a descriptor, and how it lets go of one. What users call is in call/.
**
** An object is made closed before the call that opens its descriptor, so that no failure can leak one,
** and it is closed before close(2), so that nobody meets a recycled one.
*/
#include "base/prefix.h"

#include <limits.h>
#include <netinet/udp.h>
#include <stdio.h>

#include "base/args.h"
#include "base/error.h"
#include "object/socket.h"

bs_socket *bs_testsocket (lua_State *L, int arg) {
  return (bs_socket *)bs_testobject(L, arg, BS_UP_SOCKET);
}

bs_socket *bs_checksocket (lua_State *L, int arg) {
  void *s = bs_testobject(L, arg, BS_UP_SOCKET);
  if (s == NULL)
    luaL_typeerror(L, arg, "socket");
  return (bs_socket *)s;
}

bs_socket *bs_newsocket (lua_State *L, int family, int type, int protocol) {
  bs_socket *s = (bs_socket *)lua_newuserdatauv(L, sizeof(bs_socket), 0);
  memset(s, 0, sizeof(*s));
  s->fd = -1;
  s->family = family;
  s->type = type;
  s->protocol = protocol;
  s->timeout[0] = s->timeout[1] = -1;
  s->st = (bs_state *)lua_touserdata(L, BS_UP_STATE);
  lua_pushvalue(L, BS_UP_SOCKET);
  lua_setmetatable(L, -2);
  return s;
}

/* May close(2) wait for the peer? */
int bs_haslinger (int fd) {
  struct linger l;
  socklen_t len = sizeof(l);
  return getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_onoff && l.l_linger > 0;
}

/* ---- what has a descriptor ---- */

/* What the method `name` of the object at arg answers: a descriptor, -1 when closed; -2: no such method. */
static int askfd (lua_State *L, int arg, const char *name, const char **wrong) {
  int fd = -2;
  if (lua_getfield(L, arg, name) != LUA_TNIL) {
    int isinteger;
    lua_pushvalue(L, arg);
    lua_call(L, 1, 1);
    lua_Integer n = lua_tointegerx(L, -1, &isinteger);
    if (!lua_isnil(L, -1) && !(isinteger && n >= -1 && n <= INT_MAX))
      *wrong = "its descriptor is not an integer in range";
    fd = isinteger ? (int)n : -1;
  }
  lua_pop(L, 1);
  return fd;
}

int bs_tofd (lua_State *L, int arg, bs_socket **s, const char **wrong) {
  *wrong = NULL;
  *s = bs_testsocket(L, arg);
  if (*s != NULL)
    return (*s)->fd;
  if (lua_type(L, arg) == LUA_TNUMBER) {
    int isinteger;
    lua_Integer fd = lua_tointegerx(L, arg, &isinteger);
    if (!isinteger)
      *wrong = "number has no integer representation";
    else if (fd < 0 || fd > INT_MAX)
      *wrong = "descriptor out of range";
    return (int)fd;
  }
  const luaL_Stream *stream = (const luaL_Stream *)luaL_testudata(L, arg, LUA_FILEHANDLE);
  if (stream != NULL)
    return stream->closef == NULL ? -1 : fileno(stream->f);
  int fd = -2;
  if (bs_hasfields(L, arg)) {
    fd = askfd(L, arg, "fileno", wrong);
    if (fd == -2)
      fd = askfd(L, arg, "getfd", wrong);
  }
  if (fd == -2)
    *wrong = bs_expected(L, arg, "socket, descriptor, or object with fileno or getfd");
  return fd;
}

int bs_checkfd (lua_State *L, int arg, bs_socket **s) {
  const char *wrong;
  int fd = bs_tofd(L, arg, s, &wrong);
  if (wrong != NULL)
    luaL_argerror(L, arg, wrong);
  return fd;
}

/* ---- a descriptor from elsewhere ---- */

static int askint (int fd, int name, int *value) {
  socklen_t len = sizeof(*value);
  return getsockopt(fd, SOL_SOCKET, name, value, &len);
}

void bs_notemerging (bs_socket *s) {
  s->marks = (unsigned char)(s->marks & ~BS_MERGES);
#if defined(UDP_GRO)
  int on = 0;
  socklen_t len = sizeof(on);
  if ((s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_DGRAM &&
      getsockopt(s->fd, IPPROTO_UDP, UDP_GRO, &on, &len) == 0 && on)
    s->marks |= BS_MERGES;
#endif
}

int bs_adopt (bs_socket *s, int fd) {
  int type, protocol = 0, family = AF_UNSPEC, lowat;
  if (askint(fd, SO_TYPE, &type) != 0)
    return -1;
#if defined(SO_PROTOCOL)
  (void)askint(fd, SO_PROTOCOL, &protocol);
#endif
#if defined(SO_DOMAIN)
  (void)askint(fd, SO_DOMAIN, &family);
#else
  struct sockaddr_storage name;
  socklen_t len = sizeof(name);
  if (getsockname(fd, (struct sockaddr *)&name, &len) == 0)
    family = name.ss_family;
#endif
  s->fd = fd;
  s->family = family;
  s->type = type;
  s->protocol = protocol;
  s->flags = bs_haslinger(fd) ? BS_SHARED | BS_LINGERS : BS_SHARED; /* who knows who else has it */
  s->marks = (unsigned char)(s->marks & ~BS_OPTIONMARKS);
  bs_notemerging(s);
  if (askint(fd, SO_RCVLOWAT, &lowat) == 0 && lowat > 1)
    s->marks |= BS_LOWAT;
#if defined(SO_PEEK_OFF)
  int peekoff;
  if (askint(fd, SO_PEEK_OFF, &peekoff) == 0 && peekoff >= 0)
    s->marks |= BS_PEEKS;
#endif
  s->rcvtimeo = -1;
#if defined(SO_NOSIGPIPE)
  int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
  return 0;
}
