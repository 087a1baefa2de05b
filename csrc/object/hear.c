/*
** hear.c: who hears what becomes of a descriptor: the list, and how it is gone through.
*/
#include "base/prefix.h"

#include "object/hear.h"
#include "object/socket.h"

void bs_hear (bs_state *st, const bs_hearer *h) {
  int i = 0;
  while (st->hearers[i] != NULL)
    i++;
  bs_assert(i < BS_HEARERS);
  st->hearers[i] = h;
}

/* Each that is there and listens to that. */
#define TELL(st, what, arguments)                                                                  \
  for (int i = 0; i < BS_HEARERS && (st)->hearers[i] != NULL; i++)                                 \
    if ((st)->hearers[i]->what != NULL)                                                            \
  (st)->hearers[i]->what arguments

void bs_tellgoing (lua_State *L, bs_state *st, int arg, int fd) {
  arg = lua_absindex(L, arg);
  TELL(st, going, (L, st, arg, fd));
}

void bs_tellgone (bs_state *st, bs_socket *s, int fd) {
  TELL(st, gone, (st, s, fd));
}

void bs_tellborn (bs_state *st, int fd) {
  TELL(st, born, (st, fd));
}

void bs_tellcame (bs_socket *s) {
  TELL(s->st, came, (s));
}

void bs_telllook (bs_state *st, int fd) {
  TELL(st, look, (st, fd));
}

void bs_tellleft (lua_State *L, bs_socket *s, int arg) {
  arg = lua_absindex(L, arg);
  TELL(s->st, left, (L, s, arg));
}

void bs_telllookup (lua_State *L, bs_state *st, int n) {
  TELL(st, lookup, (L, st, n));
}

void bs_tellshut (lua_State *L, bs_socket *s, int sides) {
  TELL(s->st, shut, (L, s, sides));
}

int bs_flushwaits (const bs_socket *s) {
  const bs_hearer *const *h = s->st->hearers;
  if (s->marks & BS_OUT)
    return 1;
  for (int i = 0; i < BS_HEARERS && h[i] != NULL; i++)
    if (h[i]->flushes != NULL && h[i]->flushes(s))
      return 1;
  return 0;
}
