/*
** constant.c: one table of {name, value}, and what reads it: the module's integers, arguments given
** by name, names for messages. The rows themselves are constants.h; which headers they come from is
** netheaders.h. No option's type (option.c), no text of an error (error.c).
*/
#include "prefix.h"

#include <limits.h>
#include <string.h>

#include "bsdsocket.h"
#include "netheaders.h"

typedef struct Constant {
  const char *name;
  lua_Integer value;
} Constant;

/* clang-format off */
/* Each BS_GROUP of constants.h closes an array and begins the next: rows_AF and so on. */
#define END {NULL, 0}
#define BS_GROUP(prefix) END }, rows_##prefix[] = {

static const Constant rows_none[] = {
#include "constants.h"
END };

typedef struct Group {
  const char *prefix;
  const Constant *rows;
} Group;

#define GROUP(prefix) {#prefix "_", rows_##prefix}

static const Group groups[] = {
  GROUP(AF), GROUP(PF), GROUP(SOCK), GROUP(IPPROTO), GROUP(SOL), GROUP(SO), GROUP(TCP), GROUP(UDP),
  GROUP(UDPLITE), GROUP(IP), GROUP(IPV6), GROUP(IP6T), GROUP(ICMP), GROUP(ICMP6), GROUP(MSG), GROUP(SHUT),
  GROUP(AI), GROUP(NI), GROUP(EAI), GROUP(SCM), GROUP(IFF), GROUP(ETH_P), GROUP(PACKET), GROUP(NETLINK), GROUP(VMADDR), GROUP(TIPC),
  GROUP(SCTP), GROUP(SOF), {"SOMAXCONN", rows_SOMAXCONN}, {"E", rows_E}, /* errno only: not EAI_, not ETH_P_ */
  {NULL, rows_none},
};
/* clang-format on */

static const Group *findgroup (const char *prefix) {
  const Group *g = groups;
  while (g->prefix != NULL && strcmp(g->prefix, prefix) != 0)
    g++;
  return g;
}

static const Constant *findrow (const Group *g, const char *name) {
  for (const Constant *c = g->rows; c->name != NULL; c++) {
    if (strcmp(c->name, name) == 0)
      return c;
  }
  return NULL;
}

int bs_findconstant (const char *name, lua_Integer *value) {
  for (const Group *g = groups; g->prefix != NULL; g++) {
    if (strncmp(name, g->prefix, strlen(g->prefix)) == 0) {
      const Constant *c = findrow(g, name);
      if (c != NULL) {
        *value = c->value;
        return 1;
      }
    }
  }
  return 0;
}

const char *bs_constantname (const char *prefix, lua_Integer value) {
  for (const Constant *c = findgroup(prefix)->rows; c->name != NULL; c++) {
    if (c->value == value)
      return c->name;
  }
  return NULL;
}

/* Says what the name is not. */
static const char *wrongname (lua_State *L, const char *name, const char *prefixes) {
  lua_Integer value;
  if (!bs_findconstant(name, &value))
    return lua_pushfstring(L, "unknown constant '%s'", name);
  const char *msg = lua_pushfstring(L, "constant '%s' is none of", name);
  for (const char *p = prefixes; *p != '\0'; p += strlen(p) + 1)
    msg = lua_pushfstring(L, "%s%s %s*", msg, p == prefixes ? "" : ",", p);
  return msg;
}

static const char *toconstant (lua_State *L, int idx, const char *prefixes, lua_Integer *value) {
  size_t len;
  const char *name = lua_tolstring(L, idx, &len);
  if (strlen(name) == len) { /* else there is a zero in it, and it is no name at all */
    for (const char *p = prefixes; *p != '\0'; p += strlen(p) + 1) {
      const Constant *c = findrow(findgroup(p), name);
      if (c != NULL) {
        *value = c->value;
        return NULL;
      }
    }
    return wrongname(L, name, prefixes);
  }
  return lua_pushfstring(L, "unknown constant '%s\\0...'", name);
}

const char *bs_toconstant (lua_State *L, int idx, const char *prefixes, int *value) {
  lua_Integer n = 0;
  int isinteger;
  const char *wrong = NULL;
  switch (lua_type(L, idx)) {
    case LUA_TSTRING: wrong = toconstant(L, idx, prefixes, &n); break;
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
  const char *wrong = bs_toconstant(L, arg, prefixes, &value);
  if (wrong != NULL)
    luaL_argerror(L, arg, wrong);
  return value;
}

int bs_optconstant (lua_State *L, int arg, const char *prefixes, int def) {
  return lua_isnoneornil(L, arg) ? def : bs_checkconstant(L, arg, prefixes);
}

void bs_openconstants (lua_State *L) {
  for (const Group *g = groups; g->prefix != NULL; g++) {
    for (const Constant *c = g->rows; c->name != NULL; c++) {
      lua_pushinteger(L, c->value);
      lua_setfield(L, BS_AT_MODULE, c->name);
    }
  }
}
