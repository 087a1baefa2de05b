/*
** control.h: control data of messages.
*/
#ifndef bs_control_h
#define bs_control_h

#include "base/args.h"

BS_BEGIN

/* One entry of control data; of what was cut, only that is counted which is there. */
typedef struct bs_control {
  int level, type;
  unsigned char *data;
  size_t len;
} bs_control;

#define BS_CONTROLROOM 256 /* for what the kernel may tell beside the size of merged datagrams */

/* The entry that begins at *at of the `len` bytes, and *at moves to the next one; false: there is none. */
int bs_nextcontrol(void *bytes, size_t len, size_t *at, bs_control *c);

#define BS_CONTROLVALUE 64

/* Puts the value at idx as bytes into `data`, and gives their number. */
size_t bs_checkcontrol(lua_State *L, bs_place *at, int idx, int level, int type,
                       char data[BS_CONTROLVALUE]);
/* Pushes the value of the bytes; false if there is none. */
int bs_pushcontrol(lua_State *L, int level, int type, const unsigned char *data, size_t len);

BS_END

#endif
