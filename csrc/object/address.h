/*
** address.h: addresses as values, of every family.
*/
#ifndef bs_address_h
#define bs_address_h

#include "base/state.h"

BS_BEGIN

typedef struct bs_address bs_address;

struct bs_address {
  socklen_t len;
  union {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
  } u; /* the userdata is cut to what `len` needs: nothing reads past len (28 bytes at least are there) */
};

#define BS_ADDRTEXT 256 /* room for any address as text */

const bs_address *bs_testaddress(lua_State *L, int arg); /* NULL if it is none */
const bs_address *bs_checkaddress(lua_State *L, int arg);
/* Pushes the one object for these bytes; nil when len is 0 (an unnamed one for AF_UNIX as family). */
const bs_address *bs_pushaddress(lua_State *L, const struct sockaddr *sa, socklen_t len,
                                 int family);
BS_SELDOM void bs_pushothersender(lua_State *L, bs_state *st, const struct sockaddr *sa,
                                  socklen_t len, int family);

static BS_STRAIGHT int bs_samebytes (const void *a, const void *b, socklen_t len) {
  return len == sizeof(struct sockaddr_in) ? memcmp(a, b, sizeof(struct sockaddr_in)) == 0
                                           : memcmp(a, b, len) == 0;
}

/* The same for the sender of a datagram, who seldom sends just one. */
static BS_STRAIGHT void bs_pushsender (lua_State *L, bs_state *st, const void *sa, socklen_t len,
                                       int family) {
  if (len == st->senderlen && len > 0 && family == st->senderfamily &&
      bs_samebytes(sa, st->sender, len))
    lua_getiuservalue(L, BS_UP_STATE, BS_STATE_SENDER);
  else
    bs_pushothersender(L, st, (const struct sockaddr *)sa, len, family);
}

/* One form for what the kernel and users write in several; `family` for an address without any. */
void bs_normalize(bs_address *a, int family);
const char *bs_addresstext(const bs_address *a, char text[BS_ADDRTEXT]);
/* "address expected, got table; ..." of what is none, pushed */
const char *bs_noaddress(lua_State *L, int idx);
/* NULL where a socket of family `af` may be given this address, else what is wrong with it, pushed. */
const char *bs_otherfamily(lua_State *L, const bs_address *a, int af);
int bs_addressargs(int family); /* how many arguments ADDR may be */

/* Makes an address of what stands from `arg` on: an address, or what follows the family in socket.address(family, ...).
** The object is at `arg` then, and this 0; or the number of results of a call that has failed; or BS_NAMED. Nothing is
** looked up: host or port is a name, and the arguments are as they were. `s` is the socket that the call is a method of,
** or NULL. */
#define BS_NAMED (-1)
int bs_parseaddress(lua_State *L, int arg, const char *call, int family, const bs_socket *s);

bs_address *bs_newaddress(lua_State *L, const bs_address *form); /* pushes a copy: for intern.c */
/* Pushes the one object for these bytes, in the form that bs_normalize gives them. */
const bs_address *bs_intern(lua_State *L, const bs_address *form);

BS_END

#endif
