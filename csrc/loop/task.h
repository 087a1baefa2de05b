/*
** task.h: what the files of this floor share, and nobody else.
**
** A task is a coroutine that loop.run resumes. Its first user value keeps that coroutine alive, and is after an
** error the traceback of that; the second keeps the coroutine alive that waits, and is after the end
** the outcome. The tasks that have not ended, or whose error nobody has been told of, are in a table.
**
** A task is on one list at most: one of the loop's, that of those that wait for another task's end, or one of
** a descriptor's place. While its call receives or sends, and has to be suspended, it *holds* that side of the
** socket: no other can, until the call has ended. Whoever wants to send then is in the place's queue.
**
** A task has *scopes*: coroutines inside it through which its waits pass, since they belong to
** loop.wrap or loop.timeout. When the innermost waits, each one in turn yields to the one around it.
*/
#ifndef bs_task_h
#define bs_task_h

#include "base/engine.h"
#include "base/timer.h"
#include "op/thread.h"

BS_BEGIN

/* The error of a task that yields and does not wait. */
#define BS_STRAY                                                                                   \
  "attempt to yield from a task to the loop: a generator needs loop.wrap, or a coroutine of its "  \
  "own"

typedef struct bs_task bs_task;
typedef struct bs_scope bs_scope;

typedef struct bs_list {
  bs_task *first, *last;
  int n;
} bs_list;

/* An error that nobody has been told of: did all have a turn since, in which to ask? */
#define BS_FRESH 1
#define BS_STALE 2

/* Where a task is at a place that holds no side of the socket. */
#define BS_WATCHES 1 /* waits until it is ready, as any number of others may */
#define BS_QUEUES 2  /* waits for its turn to send */
#define BS_LONE 3    /* as BS_WATCHES, and is on a list of the loop's: there is one such at most */

enum bs_taskstate { BS_READY, BS_WAITING, BS_RUNNING, BS_ENDED };

/* First what every wait touches: of thousands of tasks that is seldom in the processor's cache. */
struct bs_task {
  bs_loop *loop;
  lua_State *L;    /* its coroutine; NULL: it has ended */
  lua_State *runs; /* the coroutine that runs when the task does: L, or that of a scope */
  lua_State *at;   /* the one that `op` waits in */
  bs_op *op;   /* the operation that it waits for: a copy, in `own` or in room of the allocator's */
  bs_job *job; /* of that, in a helper thread */
  bs_list *on; /* the list that it is on, or NULL */
  bs_scope *scope;      /* the innermost */
  int fd;               /* the place where it waits, or stands in the queue, */
  unsigned char wanted; /* and for what; 0: at none */
  unsigned char holds;  /* BS_IN, BS_OUT: the sides of its operation's sockets */
  unsigned char among;  /* BS_WATCHES, BS_QUEUES: the list of the place that it is on */
  unsigned char state;
  unsigned char started;
  unsigned char pending;   /* `op` has not ended */
  unsigned char collected; /* for that, garbage was once */
  unsigned char blocks;    /* waits block the thread: somewhere below Lua cannot yield */
  unsigned char tried;  /* its operation is, right now: that may collect garbage, so run anything */
  unsigned char doomed; /* and it was cancelled meanwhile */
  int room;             /* at `op` */
  union {
    bs_op op;
    char room[BS_USUALOP]; /* most need no more */
  } own;
  bs_timer timer;
  bs_task *next, *before;
  bs_list joiners;         /* tasks that wait for its end */
  int results;             /* after its end: so many; of several the outcome is a table */
  unsigned char failed;    /* it ended by an error, which is its result */
  unsigned char cancelled; /* that is "cancelled" */
  unsigned char silent;    /* BS_FRESH, BS_STALE: and nobody has been told of that yet */
};

struct bs_scope {
  lua_State *co; /* kept alive by the user value */
  bs_scope *outer;
  bs_task *task; /* the one that it is in, while active */
  bs_loop *loop;
  bs_timer timer;
  const char *call;        /* what its task waited in when the time was over, or NULL */
  unsigned char active;    /* runs, or waits: not suspended by a yield of its own */
  unsigned char expired;   /* its time is over */
  unsigned char running;   /* it is on the C stack */
  unsigned char generator; /* loop.wrap's */
  unsigned char spared;    /* it was over before: the task only had to let others have their turn */
};

/* The last error that has left a scope: what its coroutine's stack was. */
typedef struct bs_passed {
  const bs_task *task; /* NULL: none has */
  const void *error;   /* its address: nil and numbers have none */
  lua_CFunction by;    /* what raised it then in the coroutine around */
} bs_passed;

struct bs_loop {
  bs_state *st;
  lua_State *L; /* that of loop.run */
  bs_engine engine;
  bs_timers timers;
  struct place *places; /* by descriptor; loop.c knows what they are */
  int size;
  bs_list ready;
  bs_list selecting; /* have several descriptors: to look again when one is closed */
  bs_list silent;    /* ended by errors that nobody has been told of */
  bs_list condemned; /* cancelled, but too deep in the <close> variables of others */
  int cancelling;    /* how deep that is */
  bs_task *current;  /* the one that runs */
  bs_task *ran;      /* the last one that did; perhaps it is no more */
  bs_task *first;    /* that of loop.run's function */
  /* For what must not raise, nor run into a hook that is meant for the program: a coroutine that the registry has by the
  ** address of this; NULL: not yet. */
  lua_State *aside;
  char onerror;     /* the registry has by these addresses the function of loop.onerror, */
  char traced;      /* and the traceback of the last run, or false */
  bs_passed passed; /* by this one its traceback */
  int running;
  int stopped; /* loop.stop was called: its values are in the registry, by the address of this, */
  int values;  /* so many, in a table */
  int alive;   /* tasks that have not ended */
  unsigned spawned; /* so many have begun */
  int waiting;      /* for descriptors */
  int budget;
};

/* ---- lists ---- */

static inline void bs_leavelist (bs_task *t) {
  bs_list *l = t->on;
  if (l == NULL)
    return;
  bs_assert(l->n > 0);
  bs_assert((t->before != NULL ? t->before->next : l->first) == t);
  bs_assert((t->next != NULL ? t->next->before : l->last) == t);
  *(t->before != NULL ? &t->before->next : &l->first) = t->next;
  *(t->next != NULL ? &t->next->before : &l->last) = t->before;
  t->on = NULL;
  l->n--;
}

static inline void bs_append (bs_list *l, bs_task *t) {
  bs_leavelist(t);
  t->on = l;
  t->next = NULL;
  t->before = l->last;
  *(l->last != NULL ? &l->last->next : &l->first) = t;
  l->last = t;
  l->n++;
}

static inline void bs_makeready (bs_task *t) {
  bs_assert(t->state != BS_ENDED || t->L != NULL); /* one that begins has not ended */
  t->state = BS_READY;
  bs_append(&t->loop->ready, t);
}

/* ---- what it waits for ---- */

/* The task waits, and for no operation: for what is told by the kind's name. */
static inline void bs_waitsfor (bs_task *t, const bs_kind *kind) {
  bs_initop(t->op, kind, t->loop->st, NULL);
  t->op->deadline = BS_FOREVER;
  t->op->began = bs_coarsenow();
  t->state = BS_WAITING;
}

/* ---- room for an operation ---- */

static inline void bs_initroom (bs_task *t) {
  t->op = &t->own.op;
  t->room = (int)sizeof(t->own);
}

static inline void bs_freeroom (bs_task *t) {
  const bs_state *st = t->loop->st;
  if (t->op != &t->own.op)
    st->alloc(st->allocdata, t->op, (size_t)t->room, 0);
  bs_initroom(t);
}

/* ---- the error that has ended a coroutine ---- */

/* Pushes it on L. It stays on the top of the coroutine, where Lua looks for it when that is closed; but there is no
** room for one more. */
static inline void bs_pusherror (lua_State *L, lua_State *co) {
  lua_xmove(co, L, 1);
  lua_pushvalue(L, -1);
  lua_xmove(L, co, 1);
}

/* ---- which coroutine may wait ---- */

/* The task whose coroutine is L, so that a wait here suspends it; NULL: there is none. */
static inline bs_task *bs_taskof (lua_State *L, const bs_loop *loop) {
  bs_task *t = loop != NULL ? loop->current : NULL;
  return t != NULL && L == t->runs && !t->blocks && lua_isyieldable(L) ? t : NULL;
}

/* In a coroutine that a program has made inside a task a wait would end up at its resume. */
static inline int bs_misplaced (lua_State *L, const bs_loop *loop) {
  const bs_task *t = loop->current;
  return t != NULL && L != t->runs && !t->blocks && lua_isyieldable(L);
}

/* ---- loop.c ---- */

bs_loop *bs_needloop(lua_State *L);              /* made when it is first asked for */
void bs_ringtask(lua_State *L, bs_timer *timer); /* a task's timer */
void bs_forget(bs_task *t);                      /* nobody waits for its operation any more */

/* ---- task.c ---- */

void bs_pushtasks(lua_State *L, const bs_state *st); /* that table: task as pointer -> task */
/* Pushes a task that is ready: the function and its arguments are all that is on the stack from `f` on. */
bs_task *bs_newtask(lua_State *L, int f);
bs_task *bs_checktask(lua_State *L, int arg);
void bs_endfailed(lua_State *L, bs_task *t); /* by the error on the top, which is popped */
void bs_endreturned(lua_State *L, bs_task *t, int results); /* these are there */
void bs_canceltask(lua_State *L, bs_task *t); /* one that has not ended and does not run */
void bs_cancelall(lua_State *L, bs_loop *loop);
int bs_pushvalues(lua_State *L, const bs_loop *loop); /* those of loop.stop; their number */
/* In a child process: all but this one are the parent's. They are forgotten, and nothing of them runs. */
void bs_abandonothers(lua_State *L, bs_loop *loop, const bs_task *own);
/* Pushes true and the results, or false and the error; the task is at `at`. Their number. */
int bs_pushoutcome(lua_State *L, bs_task *t, int at);
/* Somebody has asked for its error: it need not be told any more. */
void bs_heard(lua_State *L, bs_task *t);
void bs_pushtask(lua_State *L, const bs_task *t); /* one that is in that table */
/* Runs the <close> variables of a coroutine that will not go on; gives the status, and if it is none of
** success an error on its top. They cannot wait. */
int bs_closethread(lua_State *L, bs_loop *loop, lua_State *co);
/* The same for one that ended by the error on the top of L: that becomes one of theirs, if there is one. */
void bs_closefailed(lua_State *L, bs_loop *loop, lua_State *co);
/* Raises: it has to wait where bs_misplaced. */
BS_NORETURN int bs_refuse(lua_State *L, const char *call);
/* Raises: something else than the loop has resumed this coroutine, which waits. */
BS_NORETURN int bs_wrongly(lua_State *L, const bs_loop *loop);
/* What is not asked of an operation: is it the loop that goes on with this coroutine? If not, raises. */
void bs_goeson(lua_State *L, const bs_loop *loop);

/* ---- inspect.c ---- */

/* Where a task is. To find that allocates nothing, so no finalizer runs meanwhile. */
typedef struct bs_spot {
  const char *call; /* that it waits in; NULL: in none, or it is not known */
  char file[LUA_IDSIZE];
  int line; /* 0: not known */
} bs_spot;

const char *bs_callof(const bs_task *t); /* NULL: none */
/* Looks for the line of the innermost function of the program's; `running`: the coroutine to begin with, or NULL. */
void bs_findspot(lua_State *L, const bs_task *t, lua_State *running, bs_spot *spot);
void bs_pushtimedout(lua_State *L,
                     const bs_spot *spot); /* loop.timeout's message of what waited there */
/* Adds to the string on the top where each task is, if there is memory for that. */
void bs_addtasks(lua_State *L, bs_loop *loop);

/* ---- trace.c ---- */

/* Before a run: makes what it takes that the following need not raise. */
void bs_needaside(lua_State *L, bs_loop *loop);
/* Calls f with what is on the top, and pushes its result, one; false, and nothing pushed, after an error. A hook that a
** signal sets on the program's coroutines meanwhile is for these, and f does not see it. */
int bs_callaside(lua_State *L, const bs_loop *loop, lua_CFunction f, int arguments);
/* Pushes the traceback of an error that is on the top of `co`, in this task; nil when memory is out. */
void bs_pushtrace(lua_State *L, const bs_task *t, lua_State *co);
/* The error below the top has left a scope of the task, and L is about to raise it. Takes its traceback from the top. */
void bs_notepassed(lua_State *L, bs_task *t);
/* After a run: keeps the traceback of its first task, at `first` (0: it has not failed). */
void bs_keeptrace(lua_State *L, const bs_loop *loop, int first);
/* Tells what nobody has asked for: at once (BS_FRESH), or if all had a turn in which to ask (BS_STALE). True if something
** was told: that may have run anything. If it may, raises what Ctrl-C meanwhile comes to. */
int bs_tellerrors(lua_State *L, bs_loop *loop, int which, int raises);
int bs_isinterrupt(lua_State *L); /* is the error on the top that of Ctrl-C? */

BS_END

#endif
