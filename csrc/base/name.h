/*
** name.h: names that nobody has, and what was meant.
*/
#ifndef bs_name_h
#define bs_name_h

#include "base/compiler.h"

BS_BEGIN

#define BS_LONGESTNAME 48

/* The nearest known name to one that is none. */
typedef struct bs_guess {
  char name[BS_LONGESTNAME]; /* in capitals */
  size_t len;                /* 0: it is too long to be near anything */
  const char *best;          /* NULL: none is near */
  unsigned rank;             /* how far it is */
} bs_guess;

void bs_initguess(bs_guess *g, const char *name, size_t len);
/* Is it `known` that was meant? Its first `prefix` bytes may have been left out. */
void bs_consider(bs_guess *g, const char *known, size_t prefix);
/* Pushes "<what>; did you mean '<best>'?", or `what` where there is no guess. */
const char *bs_pushmeant(lua_State *L, const char *what, const bs_guess *g);
/* Pushes the name in quotation marks, for a message; what follows a zero is left out. */
const char *bs_pushquoted(lua_State *L, const char *name, size_t len);

BS_END

#endif
