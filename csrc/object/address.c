/*
** address.c: sockaddr <-> Lua, for every family. No I/O here: names are looked up by resolve.c.
** A family is one row of `families`: how its arguments become a sockaddr, what its fields are, how it
** looks as text. Those that only Linux has are in linuxaddress.c. Families without a row are raw bytes.
**
** Addresses are immutable, and equal ones are one object (intern.c); so their bytes are brought into one form first
** (bs_normalize).
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"
#include "object/family.h"
#include "object/socket.h"

#define RAWHEADER offsetof(struct sockaddr, sa_data)
#define PATHOFFSET offsetof(struct sockaddr_un, sun_path)
#define PATHMAX (sizeof(((struct sockaddr_un *)0)->sun_path))

/* ---- the object ---- */

const bs_address *bs_testaddress (lua_State *L, int arg) {
  return (const bs_address *)bs_testobject(L, arg, BS_UP_ADDRESS);
}

const bs_address *bs_checkaddress (lua_State *L, int arg) {
  const bs_address *a = bs_testaddress(L, arg);
  if (a == NULL)
    luaL_argerror(L, arg, bs_noaddress(L, arg));
  return a;
}

const char *bs_noaddress (lua_State *L, int idx) {
  const char *what = bs_expected(L, idx, "address");
  int type = lua_type(L, idx);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TTABLE)
    return what;
  return lua_pushfstring(L, "%s; socket.address(family, ...) makes one", what);
}

void bs_normalize (bs_address *a, int family) {
  socklen_t len = a->len;
  if (len > (socklen_t)sizeof(a->u))
    len = sizeof(a->u);
  if (len < (socklen_t)RAWHEADER) { /* an unnamed unix peer may come without even a family */
    a->u.sa.sa_family = (sa_family_t)family;
    len = (socklen_t)RAWHEADER;
  }
  switch (a->u.sa.sa_family) {
    case AF_INET:
      if (len >= (socklen_t)sizeof(struct sockaddr_in)) {
        len = sizeof(struct sockaddr_in);
        memset(a->u.in.sin_zero, 0, sizeof(a->u.in.sin_zero));
      }
      break;
    case AF_INET6:
      if (len > (socklen_t)sizeof(struct sockaddr_in6))
        len = sizeof(struct sockaddr_in6);
      break;
    case AF_UNIX: /* a path ends at its zero; a name that begins with one is as long as it is */
      if (len > (socklen_t)PATHOFFSET && a->u.un.sun_path[0] != '\0')
        len = (socklen_t)(PATHOFFSET + strnlen(a->u.un.sun_path, len - PATHOFFSET));
#if !defined(__linux__) /* elsewhere zeros after an empty path mean nothing */
      else
        len = (socklen_t)PATHOFFSET;
#endif
      break;
    default: {
      const bs_family *f = bs_linuxfamily(a->u.sa.sa_family);
      a->len = len;
      if (f != NULL)
        f->normalize(a);
      return;
    }
  }
  a->len = len;
#ifdef SIN6_LEN /* the kernel's tell their length, users' do not */
  a->u.sa.sa_len = (unsigned char)len;
#endif
}

bs_address *bs_newaddress (lua_State *L, const bs_address *form) {
  size_t size = form->len < sizeof(struct sockaddr_in6)
                  ? sizeof(struct sockaddr_in6)
                  : form->len + 1u; /* a path ends with a zero */
  bs_address *a = (bs_address *)lua_newuserdatauv(L, offsetof(bs_address, u) + size, 0);
  memset(a, 0, offsetof(bs_address, u) + size);
  memcpy(a, form, offsetof(bs_address, u) + form->len);
  lua_pushvalue(L, BS_UP_ADDRESS);
  lua_setmetatable(L, -2);
  return a;
}

const bs_address *bs_pushaddress (lua_State *L, const struct sockaddr *sa, socklen_t len,
                                  int family) {
  bs_address form;
  if (len == 0 && family != AF_UNIX) {
    lua_pushnil(L);
    return NULL;
  }
  memcpy(&form.u, sa, len < (socklen_t)sizeof(form.u) ? len : sizeof(form.u));
  form.len = len;
  bs_normalize(&form, family);
  return bs_intern(L, &form);
}

void bs_pushothersender (lua_State *L, bs_state *st, const struct sockaddr *sa, socklen_t len,
                         int family) {
  bs_pushaddress(L, sa, len, family);
  if (len <= (socklen_t)sizeof(st->sender)) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, BS_UP_STATE, BS_STATE_SENDER);
    memcpy(st->sender, sa, len);
    st->senderlen = len;
    st->senderfamily = family;
  }
}

/* ---- the families ---- */

/* AF_UNIX */

static int unix_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                       const bs_socket *s) {
  bs_address form;
  size_t len;
  const char *path;
  (void)call;
  (void)s;
  if (lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, "path or address");
  luaL_argcheck(L, lua_type(L, arg + 1) != LUA_TNUMBER, arg + 1,
                "a path has no port; is another family meant?");
  path = lua_tolstring(L, arg, &len);
  if (len > 0 && path[0] == '\0')
#if defined(__linux__)
    luaL_argcheck(L, len <= PATHMAX, arg, "abstract name too long");
#else
    luaL_argerror(L, arg, "this system has no abstract names");
#endif
  else {
    luaL_argcheck(L, memchr(path, '\0', len) == NULL, arg, "path contains zeros");
    luaL_argcheck(L, len < PATHMAX, arg,
                  lua_pushfstring(L, "path too long: %d bytes, at most %d", (int)(len & 0xffffff),
                                  (int)PATHMAX - 1));
  }
  memset(&form, 0, sizeof(form));
  form.u.un.sun_family = (sa_family_t)f->family;
  memcpy(form.u.un.sun_path, path, len);
  bs_pushaddress(L, &form.u.sa, (socklen_t)(PATHOFFSET + len), AF_UNIX);
  lua_replace(L, arg);
  return 0;
}

static int unix_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "path") != 0)
    return 0;
  lua_pushlstring(L, a->u.un.sun_path, a->len - PATHOFFSET);
  return 1;
}

static int unix_unpack (lua_State *L, const bs_address *a) {
  return unix_field(L, a, "path");
}

static void unix_text (const bs_address *a, char *text) {
  size_t len = a->len - PATHOFFSET;
  if (len == 0) {
    memcpy(text, "(unnamed)", sizeof("(unnamed)"));
    return;
  }
  memcpy(text, a->u.un.sun_path, len);
  text[len] = '\0';
  for (size_t i = 0; i < len; i++) /* as everybody writes the zeros of abstract names */
    if (text[i] == '\0')
      text[i] = '@';
}

/* any other */

static int raw_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                      const bs_socket *s) {
  bs_address form;
  size_t len = 0;
  const char *bytes = "";
  (void)call;
  (void)s;
  if (f->family == AF_UNSPEC && lua_isnoneornil(L, arg))
    lua_settop(L, arg); /* there may be none: the object needs a place */
  else {
    luaL_checktype(L, arg, LUA_TSTRING);
    bytes = lua_tolstring(L, arg, &len);
  }
  luaL_argcheck(L, len <= sizeof(form.u) - RAWHEADER, arg, "sockaddr too long");
  memset(&form, 0, sizeof(form));
  form.u.sa.sa_family = (sa_family_t)f->family;
  memcpy((char *)&form.u + RAWHEADER, bytes, len);
  bs_pushaddress(L, &form.u.sa, (socklen_t)(RAWHEADER + len), f->family);
  lua_replace(L, arg);
  return 0;
}

static int raw_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "bytes") != 0)
    return 0;
  lua_pushlstring(L, (const char *)&a->u + RAWHEADER, a->len - RAWHEADER);
  return 1;
}

static int raw_unpack (lua_State *L, const bs_address *a) {
  return raw_field(L, a, "bytes");
}

static void raw_text (const bs_address *a, char *text) {
  const char *name = bs_constantname("AF_", a->u.sa.sa_family);
  int n = name != NULL ? snprintf(text, BS_ADDRTEXT, "%s", name)
                       : snprintf(text, BS_ADDRTEXT, "AF_%d", a->u.sa.sa_family);
  for (socklen_t i = RAWHEADER; i < a->len && n < BS_ADDRTEXT - 5;
       i++) /* at a glance, not in full */
    n += snprintf(text + n, (size_t)(BS_ADDRTEXT - n), i == RAWHEADER ? " %02x" : "%02x",
                  ((const unsigned char *)&a->u)[i]);
}

/* {bytes = what follows the family in the sockaddr}, in any family */

static int isbytes (lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TTABLE)
    return 0;
  int type = lua_getfield(L, arg, "bytes");
  lua_pop(L, 1);
  return type != LUA_TNIL;
}

static int bytes_parse (lua_State *L, int arg, const bs_family *f) {
  static const char *const names[] = {"bytes", NULL};
  bs_place at = {arg, 0, NULL, 0, NULL};
  bs_address form;
  size_t len, least = f->need > (socklen_t)RAWHEADER ? f->need - RAWHEADER : 0;
  bs_checkfields(L, &at, arg, names);
  at.field = "bytes";
  if (lua_getfield(L, arg, "bytes") != LUA_TSTRING)
    bs_unexpected(L, &at, -1, "string");
  const char *bytes = lua_tolstring(L, -1, &len);
  if (len < least)
    bs_mistake(L, &at, lua_pushfstring(L, "too short: at least %d bytes expected", (int)least));
  memset(&form, 0, sizeof(form));
  form.len = (socklen_t)(RAWHEADER + len);
  form.u.sa.sa_family = (sa_family_t)f->family;
  if (len <= sizeof(form.u) - RAWHEADER) {
    memcpy((char *)&form.u + RAWHEADER, bytes, len);
    bs_normalize(&form, f->family);
  }
  if (form.len > (f->family == AF_UNIX ? sizeof(form.u.un) : sizeof(form.u)))
    bs_mistake(L, &at, "sockaddr too long");
  bs_intern(L, &form);
  lua_replace(L, arg);
  lua_pop(L, 1);
  return 0;
}

static const bs_family families[] = {
  {AF_UNIX, PATHOFFSET, 1, unix_parse, unix_field, unix_unpack, unix_text, NULL},
};

static bs_family findfamily (int af, socklen_t len) {
  if (af == AF_INET && len >= bs_inetfamily.need)
    return bs_inetfamily;
  if (af == AF_INET6 && len >= bs_inet6family.need)
    return bs_inet6family;
  for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
    if (families[i].family == af && len >= families[i].need)
      return families[i];
  const bs_family *f = bs_linuxfamily(af);
  if (f != NULL && len >= f->need)
    return *f;
  bs_family raw = {af, 0, 1, raw_parse, raw_field, raw_unpack, raw_text, NULL};
  return raw;
}

int bs_addressargs (int family) {
  return findfamily(family, sizeof(struct sockaddr_storage)).args;
}

static bs_family familyof (const bs_address *a) {
  return findfamily(a->u.sa.sa_family, a->len);
}

const char *bs_addresstext (const bs_address *a, char text[BS_ADDRTEXT]) {
  familyof(a).text(a, text);
  return text;
}

static const char *familyname (int af) {
  const char *name = bs_constantname("AF_", af);
  return name != NULL ? name : "another family's";
}

const char *bs_otherfamily (lua_State *L, const bs_address *a, int af) {
  int given = a->u.sa.sa_family;
  /* a family that is raw bytes to us may well take another's: RDS and SMC take AF_INET's */
  if (given == af || given == AF_UNSPEC ||
      findfamily(af, sizeof(struct sockaddr_storage)).parse == raw_parse)
    return NULL;
  return lua_pushfstring(L, "%s address expected, got %s address", familyname(af),
                         familyname(given));
}

int bs_parseaddress (lua_State *L, int arg, const char *call, int af, const bs_socket *s) {
  const bs_address *a = bs_testaddress(L, arg);
  if (a == NULL) {
    bs_family f = findfamily(af, sizeof(struct sockaddr_storage));
    if (isbytes(L, arg))
      return bytes_parse(L, arg, &f);
    return f.parse(L, arg, call, &f, s);
  }
  const char *wrong = bs_otherfamily(L, a, af);
  if (wrong != NULL)
    luaL_argerror(L, arg, wrong);
  return 0;
}

/* ---- methods ---- */

static int address_index (lua_State *L) {
  const bs_address *a = bs_checkaddress(L, 1);
  size_t len;
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
  if (name != NULL && strlen(name) == len) {
    if (strcmp(name, "family") == 0) {
      lua_pushinteger(L, a->u.sa.sa_family);
      return 1;
    }
    if (familyof(a).field(L, a, name))
      return 1;
    if (strcmp(name, "unpack") == 0) {
      lua_pushvalue(L, lua_upvalueindex(BS_NUP + 1));
      return 1;
    }
  }
  lua_pushnil(L);
  return 1;
}

static int address_unpack (lua_State *L) {
  const bs_address *a = bs_checkaddress(L, 1);
  return familyof(a).unpack(L, a);
}

/* Only for one that a finalizer has brought back, which is not in the set any more: all others are equal by being the
** same object. */
static int address_eq (lua_State *L) {
  const bs_address *a = bs_testaddress(L, 1), *b = bs_testaddress(L, 2);
  lua_pushboolean(L,
                  a != NULL && b != NULL && a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0);
  return 1;
}

static int address_tostring (lua_State *L) {
  char text[BS_ADDRTEXT];
  lua_pushstring(L, bs_addresstext(bs_checkaddress(L, 1), text));
  return 1;
}

static const luaL_Reg metamethods[] = {
  {"__eq", address_eq},
  {"__tostring", address_tostring},
  {NULL, NULL},
};

void bs_openaddress (lua_State *L) {
  bs_setfuncs(L, BS_AT_ADDRESS, metamethods);
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, i);
  for (int i = 1; i <= BS_NUP; i++)
    lua_pushvalue(L, i);
  lua_pushcclosure(L, address_unpack, BS_NUP);
  lua_pushcclosure(L, address_index, BS_NUP + 1);
  lua_setfield(L, BS_AT_ADDRESS, "__index");
}
