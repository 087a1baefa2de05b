/*
** face.h: a stream socket as a file: what setvbuf and setmaxline said, and what write() has left unflushed.
*/
#ifndef bs_face_h
#define bs_face_h

#include "object/transport.h"

BS_BEGIN

#define BS_MAXLINE ((size_t)1 << 20) /* unless setmaxline says otherwise */

enum bs_vbuf { BS_UNBUFFERED, BS_FULL, BS_LINE };

struct bs_face {
  struct bs_transport *through; /* with BS_THROUGH */
  size_t maxline;
  size_t limit; /* of what may stay unflushed; of no meaning while unbuffered */
  enum bs_vbuf mode;
  char *data; /* what is unflushed: start .. end - 1 of `room` bytes */
  size_t room, start, end;
  unsigned process; /* that wrote it (bs_process) */
};

bs_face *bs_checkface(lua_State *L, bs_socket *s); /* made if it has none; raises without memory */
void bs_dropface(bs_socket *s);                    /* with what is not flushed */
bs_socket *bs_checkstream(lua_State *L, const char *call); /* at 1; raises if it is no stream */
int bs_nostream(lua_State *L, const bs_socket *s, const char *call); /* what others give */
/* Sends what write() left: one try. BS_DONE: nothing is left, or *err says why. */
int bs_flush(bs_socket *s, bs_time patience, int *err);
/* What is unflushed, for write.c. */
int bs_faceroom(bs_socket *s, size_t more); /* behind it; false when memory is out */
void bs_setunflushed(bs_socket *s, int is);
void bs_flushed(bs_socket *s, size_t n); /* so many of the unflushed bytes are gone */
void bs_disown(bs_socket *s); /* what was written before a fork is for the parent to send */

BS_END

#endif
