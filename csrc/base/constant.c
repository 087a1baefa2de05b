/*
** constant.c: one table of {name, value}, and what reads it: the module's integers, arguments given
** by name, names for messages. The rows themselves are constants.h; which headers they come from is
** netheaders.h. No option's type (option.c), no text of an error (error.c). What somebody may have meant
** who gave a name that is none is for name.c to guess.
*/
#include "base/prefix.h"

#include <limits.h>
#include <string.h>

#include "base/constant.h"
#include "base/error.h"
#include "base/netheaders.h"
#include "base/open.h"

typedef struct constant {
  const char *name;
  lua_Integer value;
} constant;

#define ABSENT LUA_MININTEGER /* the value of what this system lacks: no constant has it */

/* clang-format off */
/* Each BS_GROUP of constants.h closes an array and begins the next: rows_AF and so on. */
#define END {NULL, 0}
#define BS_GROUP(prefix) END }, rows_##prefix[] = {

static const constant rows_none[] = {
#include "constants.h"
END };

typedef struct constant_group {
  const char *prefix;
  const constant *rows;
} constant_group;

#define GROUP(prefix) {#prefix "_", rows_##prefix}

static const constant_group groups[] = {
  GROUP(AF), GROUP(PF), GROUP(SOCK), GROUP(IPPROTO), GROUP(SOL), GROUP(SO), GROUP(TCP), GROUP(UDP),
  GROUP(UDPLITE), GROUP(IP), GROUP(IPV6), GROUP(IP6T), GROUP(ICMP), GROUP(ICMP6), GROUP(MSG), GROUP(SHUT),
  GROUP(AI), GROUP(NI), GROUP(EAI), GROUP(SCM), GROUP(IFF), GROUP(ETH_P), GROUP(PACKET), GROUP(NETLINK), GROUP(VMADDR), GROUP(TIPC),
  GROUP(SCTP), GROUP(SOF), {"SOMAXCONN", rows_SOMAXCONN}, {"E", rows_E}, /* errno only: not EAI_, not ETH_P_ */
  {NULL, rows_none},
};
/* clang-format on */

static const constant_group *findgroup (const char *prefix) {
  const constant_group *g = groups;
  while (g->prefix != NULL && strcmp(g->prefix, prefix) != 0)
    g++;
  return g;
}

/* Also of a constant that is absent here. Of most rows the first letter behind the prefix tells that it is another. */
static const constant *findrow (const constant_group *g, const char *name) {
  size_t prefix = g->prefix != NULL ? strlen(g->prefix) : 0;
  if (prefix == 0 || strncmp(name, g->prefix, prefix) != 0)
    return NULL;
  for (const constant *c = g->rows; c->name != NULL; c++) {
    if (c->name[prefix] == name[prefix] && strcmp(c->name + prefix, name + prefix) == 0)
      return c;
  }
  return NULL;
}

static const constant *findconstant (const char *name) {
  const constant *c = NULL;
  for (const constant_group *g = groups; g->prefix != NULL && c == NULL; g++)
    c = findrow(g, name);
  return c;
}

int bs_findconstant (const char *name, lua_Integer *value) {
  const constant *c = findconstant(name);
  if (c == NULL || c->value == ABSENT)
    return 0;
  *value = c->value;
  return 1;
}

int bs_isabsent (const char *name) {
  const constant *c = findconstant(name);
  return c != NULL && c->value == ABSENT;
}

size_t bs_prefixlength (const char *name) {
  size_t longest = 0;
  for (const constant_group *g = groups; g->prefix != NULL; g++) {
    size_t len = strlen(g->prefix);
    if (len > longest && strncmp(name, g->prefix, len) == 0)
      longest = len;
  }
  return longest;
}

const char *bs_constantname (const char *prefix, lua_Integer value) {
  for (const constant *c = findgroup(prefix)->rows; c->name != NULL; c++) {
    if (c->value == value)
      return c->name;
  }
  return NULL;
}

void bs_considerconstants (bs_guess *g, const char *prefixes) {
  for (const char *p = prefixes; *p != '\0'; p += strlen(p) + 1) {
    for (const constant *c = findgroup(p)->rows; c->name != NULL; c++) {
      if (c->value != ABSENT)
        bs_consider(g, c->name, strlen(p));
    }
  }
}

/* Says what the name is not. */
static const char *wrongname (lua_State *L, const char *name, size_t len, const char *prefixes) {
  const constant *c = strlen(name) == len ? findconstant(name) : NULL;
  if (c == NULL) {
    bs_guess g;
    bs_initguess(&g, name, len);
    bs_considerconstants(&g, prefixes);
    return bs_pushmeant(L, lua_pushfstring(L, "unknown constant %s", bs_pushquoted(L, name, len)),
                        &g);
  }
  if (c->value == ABSENT)
    return lua_pushfstring(L, "this system has no constant '%s'", name);
  const char *msg = lua_pushfstring(L, "constant '%s' is none of", name);
  for (const char *p = prefixes; *p != '\0'; p += strlen(p) + 1)
    msg = lua_pushfstring(L, "%s%s %s*", msg, p == prefixes ? "" : ",", p);
  return msg;
}

/* The name of `len` bytes among those with the prefixes; NULL: it is there, and in *value. */
static const char *toconstant (lua_State *L, const char *name, size_t len, const char *prefixes,
                               lua_Integer *value) {
  for (const char *p = prefixes; *p != '\0' && strlen(name) == len; p += strlen(p) + 1) {
    const constant *c = findrow(findgroup(p), name);
    if (c != NULL && c->value != ABSENT) {
      *value = c->value;
      return NULL;
    }
  }
  return wrongname(L, name, len, prefixes);
}

/* Those that are bits beside each other, so that "A|B" makes sense. */
static int combines (const char *prefixes) {
  static const char *const flags[] = {"MSG_", "AI_", "NI_", "SOCK_", "SOF_"};
  for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    if (strcmp(prefixes, flags[i]) == 0) /* then it is the only one */
      return 1;
  }
  return 0;
}

/* Of types of sockets only one may be there, besides flags. */
static const char *checktypes (lua_State *L, lua_Integer all, lua_Integer one) {
#if defined(SOCK_CLOEXEC)
  all &= ~(lua_Integer)(SOCK_CLOEXEC | SOCK_NONBLOCK);
  one &= ~(lua_Integer)(SOCK_CLOEXEC | SOCK_NONBLOCK);
#endif
  return all != 0 && one != 0 ? lua_pushliteral(L, "a socket has one type only") : NULL;
}

/* "A|B|C", also with blanks around each "|" */
static const char *toflags (lua_State *L, const char *text, size_t len, const char *prefixes,
                            lua_Integer *value) {
  const char *end = text + len, *wrong = NULL;
  lua_Integer all = 0, one = 0;
  while (wrong == NULL && text <= end) {
    const char *bar = (const char *)memchr(text, '|', (size_t)(end - text));
    const char *next = bar != NULL ? bar : end, *last = next;
    while (text < last && *text == ' ')
      text++;
    while (text < last && last[-1] == ' ')
      last--;
    const char *name = lua_pushlstring(L, text, (size_t)(last - text));
    wrong = toconstant(L, name, (size_t)(last - text), prefixes, &one);
    if (wrong == NULL && strcmp(prefixes, "SOCK_") == 0)
      wrong = checktypes(L, all, one);
    if (wrong == NULL)
      lua_pop(L, 1);
    all |= one;
    text = next + 1;
  }
  *value = all;
  return wrong;
}

static const char *fromtext (lua_State *L, int idx, const char *prefixes, lua_Integer *value) {
  size_t len;
  const char *text = lua_tolstring(L, idx, &len);
  if (memchr(text, '|', len) == NULL)
    return toconstant(L, text, len, prefixes, value);
  if (combines(prefixes))
    return toflags(L, text, len, prefixes, value);
  return lua_pushfstring(L, "%s: only flags are joined by '|', and here one constant is expected",
                         bs_pushquoted(L, text, len));
}

const char *bs_wrongname (lua_State *L, int idx, const char *prefixes) {
  size_t len;
  const char *name = lua_tolstring(L, idx, &len);
  return wrongname(L, name, len, prefixes);
}

const char *bs_toconstant (lua_State *L, int idx, const char *prefixes, int *value) {
  lua_Integer n = 0;
  int isinteger;
  const char *wrong = NULL;
  switch (lua_type(L, idx)) {
    case LUA_TSTRING: wrong = fromtext(L, idx, prefixes, &n); break;
    case LUA_TNUMBER:
      n = lua_tointegerx(L, idx, &isinteger);
      if (!isinteger)
        wrong = "number has no integer representation";
      break;
    default: wrong = bs_expected(L, idx, "integer or name of a constant"); break;
  }
  if (wrong == NULL && (n < INT_MIN || n > INT_MAX))
    wrong = "out of range";
  *value = (int)n;
  return wrong;
}

int bs_checkconstant (lua_State *L, int arg, const char *prefixes) {
  int value;
  if (BS_LIKELY(lua_isinteger(L, arg))) {
    lua_Integer n = lua_tointeger(L, arg);
    if (n == (int)n)
      return (int)n;
  }
  const char *wrong = bs_toconstant(L, arg, prefixes, &value);
  if (wrong != NULL)
    luaL_argerror(L, arg, wrong);
  return value;
}

int bs_optconstant (lua_State *L, int arg, const char *prefixes, int def) {
  return lua_isnoneornil(L, arg) ? def : bs_checkconstant(L, arg, prefixes);
}

/* core.constant(value, prefix ...): the integer, or nil and what is wrong. For the library's own Lua. */
static int constant_constant (lua_State *L) {
  char prefixes[32];
  size_t at = 0;
  int value;
  for (int i = 2; i <= lua_gettop(L); i++) {
    size_t len;
    const char *prefix = luaL_checklstring(L, i, &len);
    luaL_argcheck(L, len + 2 <= sizeof(prefixes) - at, i, "too long");
    memcpy(prefixes + at, prefix, len + 1);
    at += len + 1;
  }
  prefixes[at] = '\0';
  const char *wrong = bs_toconstant(L, 1, prefixes, &value);
  if (wrong == NULL)
    lua_pushinteger(L, value);
  else
    lua_pushnil(L);
  lua_pushstring(L, wrong);
  return 2;
}

static const luaL_Reg functions[] = {
  {"constant", constant_constant},
  {NULL, NULL},
};

void bs_openconstants (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
  for (const constant_group *g = groups; g->prefix != NULL; g++) {
    for (const constant *c = g->rows; c->name != NULL; c++) {
      if (c->value != ABSENT) {
        lua_pushinteger(L, c->value);
        lua_setfield(L, BS_AT_MODULE, c->name);
      }
    }
  }
}
