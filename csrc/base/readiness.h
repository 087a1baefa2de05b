/*
** readiness.h: what a descriptor may be ready for: bits, as a try wants them and an engine tells them.
*/
#ifndef bs_readiness_h
#define bs_readiness_h

#define BS_READ 1
#define BS_WRITE 2
#define BS_URGENT 4 /* out-of-band data */
#define BS_ERROR 8  /* the error queue: reported always, asked for by nothing else */
/* The peer's end, or an error; with BS_EDGE it is told unasked, and of urgent data, too: after this a short read proves
** nothing. */
#define BS_HANGUP 16
#define BS_LOST                                                                                    \
  32 /* told by an engine, and alone: the descriptor was found closed, and the place is left */

/* What a try answers that goes on later: what of its descriptor it wants, or one of these. */
#define BS_DONE 0
#define BS_AGAIN 64  /* was interrupted, or did a part: call again */
#define BS_REST 128  /* cannot be waited for: call again after a rest */
#define BS_BLOCK 256 /* would block in the C library: to be stepped where that stops nobody */

#endif
