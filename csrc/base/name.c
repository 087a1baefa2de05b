/*
** name.c: names that nobody has, and which known one was meant. What is looked for is an edit distance, in capitals:
** letters that are wrong, missing, too many, or two that changed places. Also what indexing the module with such a
** name does: it raises, as nil would be taken for a default.
*/
#include "base/prefix.h"

#include <string.h>

#include "base/constant.h"
#include "base/open.h"

/* What people write who know the thing from elsewhere; how many letters it is away from says nothing. */
static const struct misnomer {
  const char *name, *meant;
} misnomers[] = {
  {"AF_IPV4", "AF_INET"},           {"AF_IPV6", "AF_INET6"},
  {"SOCK_TCP", "SOCK_STREAM"},      {"SOCK_UDP", "SOCK_DGRAM"},
  {"SOCK_DATAGRAM", "SOCK_DGRAM"},  {"SO_RCVTIMEOUT", "SO_RCVTIMEO"},
  {"SO_SNDTIMEOUT", "SO_SNDTIMEO"}, {"SO_REUSEADDRESS", "SO_REUSEADDR"},
  {"SHUT_READ", "SHUT_RD"},         {"SHUT_WRITE", "SHUT_WR"},
  {"SHUT_BOTH", "SHUT_RDWR"},       {NULL, NULL},
};

/* The same of functions: LuaSocket's and Python's names, and those of POSIX that are out of use. */
static const struct misnomer functions_elsewhere[] = {
  {"tcp", "socket"},
  {"udp", "socket"},
  {"bind", "listen"},
  {"create_connection", "connect"},
  {"create_server", "listen"},
  {"gethostbyname", "getaddrinfo"},
  {"gethostbyaddr", "getnameinfo"},
  {"toip", "getaddrinfo"},
  {"tohostname", "getnameinfo"},
  {"getfqdn", "gethostname"},
  {"gettime", "time"},
  {NULL, NULL},
};

static char capital (char c) {
  return (char)('a' <= c && c <= 'z' ? c - 'a' + 'A' : c);
}

/* ---- how far two names are apart ---- */

static unsigned least (unsigned a, unsigned b) {
  return a < b ? a : b;
}

/* The number of letters to put in, take out, change or swap with the next one; more than `most` is any such number. */
static unsigned distance (const char *a, size_t na, const char *b, size_t nb, unsigned most) {
  unsigned rows[3][BS_LONGESTNAME + 1];
  if (na > nb + most || nb > na + most || nb > BS_LONGESTNAME)
    return most + 1;
  for (unsigned j = 0; j <= nb; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= na; i++) {
    unsigned *row = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
    unsigned best = row[0] = (unsigned)i;
    for (size_t j = 1; j <= nb; j++) {
      char y = capital(b[j - 1]);
      row[j] = least(least(before[j], row[j - 1]) + 1, before[j - 1] + (a[i - 1] != y));
      if (i > 1 && j > 1 && a[i - 1] == capital(b[j - 2]) && a[i - 2] == y)
        row[j] = least(row[j], earlier[j - 2] + 1);
      best = least(best, row[j]);
    }
    if (best > most)
      return most + 1;
  }
  return rows[na % 3][nb];
}

/* ---- guessing ---- */

void bs_initguess (bs_guess *g, const char *name, size_t len) {
  memset(g, 0, sizeof(*g));
  if (len > sizeof(g->name))
    return;
  g->len = len;
  for (size_t i = 0; i < len; i++)
    g->name[i] = capital(name[i]);
}

/* Of two that are as near the first in the alphabet, so that the answer is always the same: AF_INET, not PF_INET. */
static void offer (bs_guess *g, const char *known, unsigned rank) {
  if (g->best == NULL || rank < g->rank || (rank == g->rank && strcmp(known, g->best) < 0)) {
    g->best = known;
    g->rank = rank;
  }
}

/* One wrong letter of three may be a slip; with more it is another word. */
static unsigned mostwrong (size_t len) {
  return len < 6 ? 1 : (unsigned)(len / 3);
}

static int is (const bs_guess *g, const char *name) {
  return strlen(name) == g->len && memcmp(name, g->name, g->len) == 0;
}

void bs_consider (bs_guess *g, const char *known, size_t prefix) {
  size_t len = strlen(known), rest = len - prefix;
  unsigned most = mostwrong(rest);
  if (g->len < 2)
    return;
  for (const struct misnomer *m = misnomers; m->name != NULL; m++)
    if (strcmp(m->meant, known) == 0 && (is(g, m->name) || is(g, m->name + prefix)))
      offer(g, known, 0);
  unsigned far = distance(g->name, g->len, known, len, most);
  if (far <= most)
    offer(g, known, 2 * far);
  if (prefix > 0 && rest > 0) {
    far = distance(g->name, g->len, known + prefix, rest, rest < 4 ? 0 : most);
    if (far == 0 || (far <= most && rest >= 4))
      offer(g, known, 2 * far + 1);
  }
}

const char *bs_pushmeant (lua_State *L, const char *what, const bs_guess *g) {
  if (g->best == NULL)
    return what;
  return lua_pushfstring(L, "%s; did you mean '%s'?", what, g->best);
}

const char *bs_pushquoted (lua_State *L, const char *name, size_t len) {
  const char *zero = (const char *)memchr(name, '\0', len);
  if (zero != NULL)
    return lua_pushfstring(L, "'%s\\0...'", name);
  return lua_pushfstring(L, "'%s'", name);
}

/* ---- the module, indexed with a name that it does not have ---- */

/* Is the name in capitals, which nobody has, `known` with a slip in it? Constants of other systems and of later kernels
** are none, and many are no more than a letter or a digit away from one that is known. So this looks closer than a
** guess about what is wrong in any case: the beginning is right (of a long name; of a short one nearly), no digit is
** changed, and more than one letter only in a long name, not at its end. */
static int isslip (const bs_guess *g, const char *known) {
  size_t len = strlen(known), prefix = bs_prefixlength(known), rest = len - prefix;
  size_t shorter = len < g->len ? len : g->len, same = 0;
  for (const struct misnomer *m = misnomers; m->name != NULL; m++)
    if (strcmp(m->meant, known) == 0 && is(g, m->name))
      return 1;
  unsigned far = distance(g->name, g->len, known, len, 2);
  while (same < shorter && g->name[same] == known[same])
    same++;
  if (far == 0 || far > 2 || g->len < 4)
    return 0;
  if (far == 2 && (rest < 8 || same < prefix || same == shorter))
    return 0;
  if (rest <= 3 && g->len == len) { /* two acronyms, unless two letters have changed places */
    if (same + 1 >= len || g->name[same] != known[same + 1] || g->name[same + 1] != known[same])
      return 0;
  }
  for (const char *digit = "0123456789"; *digit != '\0'; digit++) {
    size_t ours = 0, theirs = 0;
    for (size_t i = 0; i < g->len; i++)
      ours += g->name[i] == *digit;
    for (size_t i = 0; i < len; i++)
      theirs += known[i] == *digit;
    if (ours != theirs)
      return 0;
  }
  return 1;
}

static int incapitals (const char *name) {
  int letters = 0;
  for (; *name != '\0'; name++) {
    if ('a' <= *name && *name <= 'z')
      return 0;
    letters += 'A' <= *name && *name <= 'Z';
  }
  return letters > 0;
}

static int haslower (const char *name) {
  while (*name != '\0' && !('a' <= *name && *name <= 'z'))
    name++;
  return *name != '\0';
}

/* Considers the names in the table at 1: of constants those of which it is a slip. */
static void considermodule (lua_State *L, bs_guess *g, int slips) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      continue;
    const char *known = lua_tostring(L, -1);
    if (!slips)
      bs_consider(g, known, bs_prefixlength(known));
    else if (incapitals(known) && isslip(g, known))
      offer(g, known, distance(g->name, g->len, known, strlen(known), 2));
  }
}

/* Has the table at idx this name? */
static int has (lua_State *L, int idx, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, idx);
  int there = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return there;
}

/* What a function is called here that somebody else calls `name`. */
static const char *elsewhere (lua_State *L, const char *name) {
  for (const struct misnomer *m = functions_elsewhere; m->name != NULL; m++)
    if (strcmp(m->name, name) == 0 && has(L, 1, m->meant))
      return m->meant;
  return NULL;
}

/* Raises for a name in lower or mixed case. */
static int unknown (lua_State *L, const char *name, size_t len) {
  bs_guess g;
  const char *what = lua_pushfstring(L, "bsdsocket has no %s", bs_pushquoted(L, name, len));
  bs_initguess(&g, name, len);
  g.best = elsewhere(L, name);
  if (g.best == NULL) {
    lua_getfield(L, BS_UP_SOCKET, "__index");
    if (has(L, lua_gettop(L), name))
      return luaL_error(L, "%s: that is a method of sockets, s:%s(...)", what, name);
    if (strcmp(name, "loop") == 0 || strcmp(name, "sleep") == 0)
      return luaL_error(L, "%s; see require \"bsdsocket.loop\"", what);
    considermodule(L, &g, 0);
  }
  return luaL_error(L, "%s", bs_pushmeant(L, what, &g));
}

/* The module's __index: nil for constants of other systems, and for "timeout", which is a code without a number. */
static int name_index (lua_State *L) {
  size_t len;
  bs_guess g;
  lua_settop(L, 2);
  if (lua_type(L, 1) == LUA_TTABLE && lua_type(L, 2) == LUA_TSTRING) {
    const char *name = lua_tolstring(L, 2, &len);
    if (haslower(name) && !(strcmp(name, "timeout") == 0 && len == strlen(name)))
      return unknown(L, name, len);
    if (incapitals(name) && strlen(name) == len && !bs_isabsent(name)) {
      bs_initguess(&g, name, len);
      considermodule(L, &g, 1);
      if (g.best != NULL)
        return luaL_error(L, "%s",
                          bs_pushmeant(L, lua_pushfstring(L, "bsdsocket has no '%s'", name), &g));
    }
  }
  lua_pushnil(L);
  return 1;
}

/* core.meant(what, name, t): `what`, with the nearest name among the keys of t behind it. For the library's own Lua. */
static int name_meant (lua_State *L) {
  size_t len;
  bs_guess g;
  const char *what = luaL_checkstring(L, 1), *name = luaL_checklstring(L, 2, &len);
  luaL_checktype(L, 3, LUA_TTABLE);
  bs_initguess(&g, name, len);
  lua_pushnil(L);
  while (lua_next(L, 3)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING)
      bs_consider(&g, lua_tostring(L, -1), 0);
  }
  lua_pushstring(L, bs_pushmeant(L, what, &g));
  return 1;
}

static const luaL_Reg functions[] = {
  {"index", name_index},
  {"meant", name_meant},
  {NULL, NULL},
};

void bs_openname (lua_State *L) {
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
