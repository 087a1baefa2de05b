/*
** process.h: is this still the process that it was?
*/
#ifndef bs_process_h
#define bs_process_h

#include "base/state.h"

BS_BEGIN

/* Tells this process from the one that it was forked from. Costs no system call where that can be. */
unsigned bs_process(bs_state *st);
void bs_endprocess(bs_state *st); /* with the state */

BS_END

#endif
