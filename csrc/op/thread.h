/*
** thread.h: helper threads, which step operations that block in the C library or the kernel.
*/
#ifndef bs_thread_h
#define bs_thread_h

#include "op/op.h"

BS_BEGIN

typedef struct bs_job bs_job;
/* Has a copy of `op` stepped to its end in a helper thread. Its deadline is for the driver to keep. Pushes a
** userdata, which anchors the job; the collector abandons it. NULL, and nothing pushed: no thread, no memory or no
** descriptor is to be had, and the step can only be made here. */
bs_job *bs_startjob(lua_State *L, const bs_op *op);
/* The same in two: pushes the userdata, a job that is over; and begins it, true if a thread has it. */
bs_job *bs_newjob(lua_State *L);
int bs_beginjob(bs_job *job, const bs_op *op);
/* Of a kind with BS_LASTS: begins it, and nobody waits. False: no thread has it. */
int bs_leavejob(const bs_op *op);
int bs_jobfd(const bs_job *job); /* readable once the step has ended; -1: the job is over */
/* If the step has ended (by BS_DONE): copies the operation back, and the job is over. What the step left there is for
** finish or drop then. */
int bs_endjob(bs_job *job, bs_op *op);
void bs_abandon(bs_job *job); /* the job is over, wherever it was; harmless if it has been */

BS_END

#endif
