/*
** buffer.h: socket.buffer(size), bytes of users that calls read from and write to.
*/
#ifndef bs_buffer_h
#define bs_buffer_h

#include "base/state.h"

BS_BEGIN

struct bs_buffer {
  size_t size;
  size_t lent;             /* to so many loans: nothing may be written into it */
  bs_buffer *next, **link; /* of lent ones: in the state's list */
  char data[];
};

bs_buffer *bs_testbuffer(lua_State *L, int arg);
bs_buffer *bs_checkbuffer(lua_State *L, int arg);
const char *bs_checkdata(lua_State *L, int arg, size_t *len); /* a string, a number or a buffer */
const char *bs_todata(lua_State *L, int idx, size_t *len);    /* NULL: none of them */
/* The range i .. j of string.sub, given at arg and arg + 1, of `size` bytes: its length, and its offset. */
size_t bs_checkrange(lua_State *L, int arg, size_t size, size_t *from);

BS_END

#endif
