/*
** lend.h: what was sent with MSG_ZEROCOPY stays as it is until the kernel has done with it.
*/
#ifndef bs_lend_h
#define bs_lend_h

#include "base/state.h"

BS_BEGIN

typedef struct bs_loan bs_loan;
/* Before such a call: what is at idx, a string, a buffer, or a table of such, is to stay as it is until the kernel has
** done with it. Pushes a loan that ends with the calling C function, unless the kernel will copy (NULL). */
bs_loan *bs_lend(lua_State *L, bs_socket *s, int idx);
int bs_lendflags(const bs_loan *loan, int flags); /* the flags for the next system call */

/* One of so many bytes counts as a message: of UDP an empty one, too, as the kernel sees the header. */
#define bs_lendcounts(sock, bytes) ((bytes) > 0 || (sock)->type == SOCK_DGRAM)

/* It has sent so many messages with these flags; of a stream, of whatever length, 1. */
void bs_lent(bs_loan *loan, int flags, uint32_t messages);
/* Of a message from the error queue: it may say that the kernel has done with some. */
void bs_lendnotice(lua_State *L, const bs_socket *s, void *control, size_t len);
void bs_endloans(lua_State *L, const bs_socket *s);   /* it is closed or given up */
int bs_islent(const bs_state *st, const void *place); /* is this in a buffer that is lent? */

#define BS_LENTBUFFER "into a buffer that is being sent (MSG_ZEROCOPY)"

BS_END

#endif
