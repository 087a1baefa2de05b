/*
** args.h: arguments, and the fields of tables that were given as such, with one wording for each mistake.
*/
#ifndef bs_args_h
#define bs_args_h

#include "base/name.h"

BS_BEGIN

/* Where in a table that was given as argument `arg` one is: for the errors that it raises. */
typedef struct bs_place {
  int arg;
  lua_Integer message; /* which one; 0: there is just one */
  const char *field;   /* NULL: not in one yet, and so on */
  lua_Integer item;    /* of the array in the field; 0: not in one */
  const char *part;    /* field of the item */
} bs_place;

/* Raises "bad argument #1 to 'sendmsg' (field 'fds': item 2: <what>)". */
BS_NORETURN int bs_mistake(lua_State *L, const bs_place *at, const char *what);
BS_NORETURN int bs_unexpected(lua_State *L, const bs_place *at, int idx, const char *expected);
/* The table at idx has these fields and no others: a typing mistake is not to be ignored. */
void bs_checkfields(lua_State *L, const bs_place *at, int idx, const char *const *names);
/* For who has the names in another form: the guess for the key at idx, and what is raised with it. */
void bs_guessfield(lua_State *L, bs_guess *g, int idx);
int bs_strangefield(lua_State *L, const bs_place *at, int idx, const bs_guess *g);
size_t bs_checkarray(lua_State *L, const bs_place *at, int idx); /* its length */
/* A constant, as bs_checkconstant takes them. */
int bs_checknamed(lua_State *L, const bs_place *at, int idx, const char *prefixes);
lua_Integer bs_checkwithin(lua_State *L, const bs_place *at, int idx, lua_Integer least,
                           lua_Integer most);
int bs_toswitch(lua_State *L, int idx, int *value); /* true and false, 1 and 0: else it gives 0 */
int bs_hasfields(lua_State *L, int arg);            /* a table, or something that can be indexed */
void bs_setinteger(lua_State *L, const char *name,
                   lua_Integer value); /* into the table on the top */

BS_END

#endif
