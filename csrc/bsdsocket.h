/*
** bsdsocket.h: what the files of csrc share, grouped by the file it lives in.
**
** The data first. One Lua state has one bs_state. A socket object is a bs_socket; its methods
** find the metatables and the state in their upvalues (BS_UP_*), so that no call looks anything
** up by name. Every call that can wait is an *operation*: a struct that begins with a bs_op, and
** a step (`kind->step`) that tries once and answers what it wants. Steps touch no Lua state and keep
** all they know in the struct, so a driver may copy the struct (`kind->size` bytes), go away, and
** step the copy later. wait.c has the driver.
*/
#ifndef bsdsocket_h
#define bsdsocket_h

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "lauxlib.h"
#include "lua.h"

#define BS_VERSION "bsdsocket 0.1.0"

/* upvalues that every C function of the library has */
#define BS_UP_SOCKET lua_upvalueindex(1)  /* metatable of sockets */
#define BS_UP_STATE lua_upvalueindex(2)   /* the bs_state, a full userdata */
#define BS_UP_ADDRESS lua_upvalueindex(3) /* metatable of addresses */
#define BS_UP_BUFFER lua_upvalueindex(4)  /* metatable of buffers */
#define BS_UP_POLLER lua_upvalueindex(5)  /* metatable of pollers */
#define BS_NUP 5

/* user values of the state */
#define BS_STATE_TASK 1      /* metatable of tasks */
#define BS_STATE_SENDER 2    /* the address of `sender` */
#define BS_STATE_LOOP 3      /* what `loop` points to */
#define BS_STATE_ADDRESSES 4 /* the objects of `interned` */
#define BS_STATE_ENTRIES 5   /* and its block */
#define BS_STATE_LENDERS 6   /* those of lend.c, by the address of their socket; nil: none yet */
#define BS_STATE_SPARE 7     /* a closed socket that detach has made for fromfd, or nil */
#define BS_STATE_NUV 7

/* The straight way of a call that is made millions of times: what is on it, what is off it and would only make it
** longer, and what is hardly ever done. After a system call each jump to another line of the instruction cache costs
** more than what is done there. */
#if defined(__GNUC__)
#define BS_STRAIGHT inline __attribute__((always_inline))
#define BS_ASIDE __attribute__((noinline))
#define BS_SELDOM __attribute__((noinline, cold))
#define BS_LIKELY(x) __builtin_expect((x) != 0, 1)
/* Has memory brought near that will be needed soon. As it is never read, `p` may be NULL, and `size` a guess; so the
** addresses are numbers here, as there is no arithmetic with such pointers. */
#define BS_FETCH(p, size)                                                                          \
  do {                                                                                             \
    for (size_t at_ = 0; at_ < (size) + 63; at_ += 64)                                             \
      __builtin_prefetch((const void *)((uintptr_t)(p) + (at_ < (size) ? at_ : (size)-1)));        \
  } while (0)
#define BS_NORETURN __attribute__((noreturn))
#else
#define BS_STRAIGHT inline
#define BS_ASIDE
#define BS_SELDOM
#define BS_LIKELY(x) (x)
#define BS_FETCH(p, size) ((void)(p))
#define BS_NORETURN
#endif

/* Lua's own that never come back, as Lua does not say: compilers and analyzers know then that what follows has passed
** the check. Each gives an int for `return luaL_error(...)`, and so do ours that are marked so; in those the call stands
** without the `return`. */
#if defined(__GNUC__)
LUA_API int(lua_error)(lua_State *L) BS_NORETURN;
LUALIB_API int(luaL_error)(lua_State *L, const char *fmt, ...) BS_NORETURN;
LUALIB_API int(luaL_argerror)(lua_State *L, int arg, const char *extramsg) BS_NORETURN;
LUALIB_API int(luaL_typeerror)(lua_State *L, int arg, const char *tname) BS_NORETURN;
#endif

/* What always holds, unless there is a mistake in here. Looked at where mistakes are looked for: in builds with the
** address sanitizer, and in those of the fault harness. */
#if defined(BS_ASSERT) || defined(__SANITIZE_ADDRESS__)
#undef NDEBUG
#include <assert.h>
#define bs_assert(c) assert(c)
#else
#define bs_assert(c) ((void)0)
#endif

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* such systems have SO_NOSIGPIPE, which socket.c sets */
#endif
#if !defined(MSG_TRUNC)
#define MSG_TRUNC 0
#endif
#if !defined(MSG_ERRQUEUE)
#define MSG_ERRQUEUE 0
#endif
#if defined(MSG_FASTOPEN)
#define BS_FASTOPEN MSG_FASTOPEN
#else
#define BS_FASTOPEN 0
#endif
#if defined(MSG_ZEROCOPY)
#define BS_ZEROCOPY MSG_ZEROCOPY
#else
#define BS_ZEROCOPY 0
#endif
#if !defined(IOV_MAX)
#define IOV_MAX 1024
#endif

/* What is declared here is seen by the files of csrc and by nobody outside core.so, whatever the flags (luarocks knows
** none of ours). */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

typedef int64_t bs_time; /* nanoseconds on the monotonic clock, or a span of them */
#define BS_NEVER ((bs_time)0)
#define BS_FOREVER INT64_MAX

typedef struct bs_state bs_state;
typedef struct bs_socket bs_socket;
typedef struct bs_address bs_address;
typedef struct bs_chunk bs_chunk;
typedef struct bs_block bs_block;
typedef struct bs_face bs_face;
typedef struct bs_reg bs_reg;
typedef struct bs_poller bs_poller;
typedef struct bs_op bs_op;
typedef struct bs_pool bs_pool;
typedef struct bs_job bs_job;
typedef struct bs_loop bs_loop;
typedef struct bs_loan bs_loan;
typedef struct bs_lender bs_lender;
typedef struct bs_buffer bs_buffer;

/* Bytes that have left the kernel and are not in Lua yet: read ahead, or on their way. A receiving call
** fills the state's chunk and marks it with its socket until the Lua value exists; if memory runs out in
** between, the next call finds the bytes here. When another socket needs the chunk, they move to one of
** their owner's own. */
struct bs_chunk {
  bs_socket *owner;       /* NULL: nothing in it is wanted any more */
  bs_chunk *next, **link; /* of an owner's own: in the list of all such */
  size_t size;            /* of data */
  size_t start;           /* the bytes start .. end - 1 are waiting */
  size_t end;
  /* A reading call that found too little (read.c); 0: none did, or bytes were taken since. Of its formats so many have
  ** what they want; the next one's begins at `reached`, after `start`, and from `searched` on it has yet to look. */
  uint64_t sought;
  int made;
  size_t reached, searched;
  unsigned char scant; /* these bytes were too few for it: no reason to call the socket readable */
  size_t peeked;       /* SO_PEEK_OFF, counted from `start`: beyond `end` the kernel's own counts */
  int cut;             /* a message whose rest the kernel threw away */
  socklen_t addrlen;   /* of address; 0: none */
  struct sockaddr_storage address;
  char data[];
};

/* The addresses that are alive (intern.c). */
typedef struct bs_entry bs_entry;
typedef struct bs_interned {
  unsigned *heads;   /* of the chains, by hash: places of entries, from 1 on */
  bs_entry *entries; /* in the same block */
  unsigned size;     /* of both: 0, or a power of two */
  unsigned used;     /* entries, the living and the dead */
  unsigned made;     /* so many there have been */
  uint64_t seed;
} bs_interned;

struct bs_state {
  lua_State *main;   /* the main thread: lua.c sets its Ctrl-C hook on this one only */
  const void *meta;  /* sockets' metatable, as lua_topointer has it */
  bs_chunk *scratch; /* where receiving calls put what arrives */
  bs_block *block;   /* recvmmsg's, while no call has it (recvmsg.c); NULL: none */
  lua_Alloc alloc;   /* Lua's allocator, for memory that is needed where no Lua state is at hand */
  void *allocdata;
  bs_chunk *held;     /* the chunks that sockets have of their own */
  bs_lender *lenders; /* sockets with memory that the kernel still reads (lend.c), */
  bs_buffer *lent;    /* and the buffers in that */
  /* What a call must look at before it goes its straight way: sockets with unflushed bytes, a loop that runs. */
  int aside;
  bs_loop *loop; /* the scheduler of tasks (loop.c); NULL: none yet */
  int waiter;    /* another scheduler is to be called (waiter.c): the registry has its functions, */
  char wait, wake, never, selecting,
    pollers;      /* and what waiter.c keeps besides, by the addresses of these */
  int waking;     /* that scheduler's function wake runs */
  uint64_t walks; /* of poller.c, through pollers that are in each other */
  /* Of other schedulers: calls that hold a side of a socket, and those whose turn to send has not come. */
  struct waited *holders, *firstwaited, **lastwaited;
  const char *
    own; /* the source of the library's own Lua code, as debug information names it; NULL: not told. The registry
                      ** has by this address the names of its functions, by function (inspect.c) */
  int closing; /* <close> variables of something cancelled are running: nobody may wait */
  bs_interned interned;
  /* The last address that bs_pushsender was given, as the kernel wrote it. */
  socklen_t senderlen; /* 0: none */
  int senderfamily;
  char sender[sizeof(struct sockaddr_in6)];
  /* of engine.c: a byte that is 0 after a fork; NULL: not yet, or there can be none (`nopage`); forks so far */
  volatile char *page;
  int nopage;
  unsigned process;
  bs_pool *pool;  /* its helper threads (thread.c); NULL: none yet */
  int poolclosed; /* and there will be none */
};

#define BS_MOSTKEPT ((size_t)1 << 20) /* more room than this is not kept for the next call */

/* bits of bs_socket.flags */
#define BS_CONNECTING 1u   /* an attempt is under way in the kernel */
#define BS_NONBLOCK 2u     /* O_NONBLOCK is set, as far as this object knows */
#define BS_SETNONBLOCK 4u  /* it was this object that set it */
#define BS_SHARED 8u       /* others may change the description's flags behind our back */
#define BS_SETRCVTIMEO 16u /* this object set SO_RCVTIMEO; `foundrcvtimeo` is what it was */
#define BS_UNFLUSHED 32u   /* write() left bytes in `face` */
#define BS_WAITED 64u      /* another scheduler has waited for it */
#define BS_LINGERS 128u    /* somebody has set SO_LINGER: to close it may last */

/* bits of bs_socket.marks. While a task's call is suspended, or another scheduler's, no other may begin to receive; who
** wants to send waits in a queue until its turn has come. */
#define BS_IN 1     /* such a call receives from it */
#define BS_OUT 2    /* such a call sends by it */
#define BS_LOWAT 4  /* SO_RCVLOWAT is more than one byte */
#define BS_MERGES 8 /* UDP_GRO is set: several datagrams may come as one */
#define BS_PEEKS 16 /* SO_PEEK_OFF is set */
#define BS_OPTIONMARKS (BS_LOWAT | BS_MERGES | BS_PEEKS)

struct bs_socket {
  int fd; /* -1 when closed: every system call on it then gives EBADF by itself */
  int family;
  int type;
  int protocol;
  double timeout[2]; /* seconds; negative: for ever. [1]: of calls with BS_OUTPUT; [0]: of others */
  double rcvtimeo;   /* SO_RCVTIMEO in the kernel, seconds; negative: not known */
  double foundrcvtimeo; /* what it was before */
  bs_state *st;         /* of the Lua state that it lives in */
  bs_chunk *held;       /* its own chunk, if it has one */
  bs_face *face;        /* what setvbuf and setmaxline said; NULL: nothing yet */
  bs_reg *regs;         /* its places in pollers (poller.c) */
  unsigned char flags;  /* BS_CONNECTING ... */
  unsigned char wants;  /* BS_READ or BS_WRITE: what the last call waited for */
  unsigned char marks;  /* BS_IN ... */
  unsigned char
    process; /* with BS_SETNONBLOCK, BS_SETRCVTIMEO: which one set that (bs_process), as far as it fits */
  uint32_t target; /* while BS_CONNECTING: tells the address from others */
};

/* The userdata at arg if its metatable is the upvalue `meta`, else NULL. Inline, since every call begins so;
** by address, since lua_rawequal takes a quarter more instructions. */
static inline void *bs_testobject (lua_State *L, int arg, int meta) {
  void *p = lua_touserdata(L, arg);
  if (p != NULL && lua_getmetatable(L, arg)) {
    const void *its = lua_topointer(L, -1);
    lua_pop(L, 1);
    if (its == lua_topointer(L, meta))
      return p;
  }
  return NULL;
}

/* The socket at 1 of a method. Leaves its metatable on the top: to pop it would take as many instructions as the
** rest of the check. So the caller asks for the number of arguments before. */
static BS_STRAIGHT bs_socket *bs_self (lua_State *L) {
  void *p = lua_touserdata(L, 1);
  const bs_state *st = (const bs_state *)lua_touserdata(L, BS_UP_STATE);
  if (p == NULL || !lua_getmetatable(L, 1) || lua_topointer(L, -1) != st->meta)
    luaL_typeerror(L, 1, "socket");
  return (bs_socket *)p;
}

/* ---- operations: wait.c ---- */

/* what a step answers */
enum bs_want {
  BS_DONE = 0,
  BS_READ = 1,
  BS_WRITE = 2,
  BS_URGENT = 4, /* out-of-band data */
  BS_ERROR = 8,  /* the error queue: reported always, asked for by nothing else */
  BS_AGAIN = 16, /* was interrupted, or did a part: call again */
  BS_REST = 32   /* cannot be waited for: call again after op->rest */
};

/* op->error: an errno, 0, or one of these */
#define BS_ETIMEOUT (-1) /* the library's own deadline passed */
#define BS_ENOMEM (-2)   /* Lua's memory ran out: raise */

typedef struct bs_kind {
  const char *name; /* the call, as messages name it */
  /* "name: text" for EAGAIN, EINPROGRESS and "timeout": constants, as these are no rare answers */
  const char *again, *progress, *timeout;
  size_t size;     /* of the whole operation struct */
  unsigned traits; /* BS_RECEIVES ... */
  /* Try once. patience 0: must not wait; else it may wait in the kernel (BS_TIMED: so long). A driver that
  ** keeps a copy of the operation anchors it off the stack of the call: finish may cut that. */
  int (*step)(bs_op *op, bs_time patience);
  /* Push the results, or nil, message, code; gives their number. May run a further operation. */
  int (*finish)(lua_State *L, bs_op *op);
  /* Frees what a step left in the operation and no finish will take; NULL: that is nothing. */
  void (*drop)(bs_op *op);
  /* Of an operation without a socket: gives op->fd, where its driver has to wait itself; NULL: has one, or none. */
  void (*descriptor)(bs_op *op);
  /* Of an operation that has more than what it waits for now: is this descriptor, which is about to be closed, in it? It
  ** has to look again then. NULL: there is no more. */
  int (*concerns)(const bs_op *op, int fd);
  /* Of an operation with two sockets: the one that it receives from (BS_IN), or sends by (BS_OUT). */
  bs_socket *(*side)(const bs_op *op, int side);
} bs_kind;

#define BS_KIND(name, type, traits, step, finish)                                                  \
  BS_DROPKIND(name, type, traits, step, finish, NULL)

#define BS_DROPKIND(name, type, traits, step, finish, drop)                                        \
  BS_FULLKIND(name, type, traits, step, finish, drop, NULL, NULL, NULL)

#define BS_FULLKIND(name, type, traits, step, finish, drop, descriptor, concerns, side)            \
  {                                                                                                \
    name, name ": Resource temporarily unavailable", name ": Operation now in progress",           \
      name ": timed out", sizeof(type), traits, step, finish, drop, descriptor, concerns, side     \
  }

/* traits */
#define BS_RECEIVES 1u  /* SO_RCVTIMEO bounds it */
#define BS_NEEDSFLAG 2u /* has no MSG_DONTWAIT: needs O_NONBLOCK when it must not wait */
#define BS_OPENS 4u    /* opens a descriptor: when none is left, collects garbage and tries again */
#define BS_PERSISTS 8u /* rests and goes on after a passing failure */
#define BS_TIMED 16u   /* its step waits by itself, up to `patience` */
#define BS_SENDS 32u   /* what write() left is sent before */
/* Its step may block in the C library, where there is no descriptor to wait for. With patience 0 it does not, and
** EAGAIN says that it would: then it is stepped in a helper thread. */
#define BS_BLOCKS 64u
#define BS_OUTPUT 128u /* sends or connects: the timeout of that direction is its own */
#define BS_TAKES 256u  /* receives or accepts: only one at a time on a socket */
#define BS_TURN 512u   /* sends: one after the other on a socket */
#define BS_LASTS                                                                                   \
  1024u /* its step is made in a helper thread of its own, though nobody waits for it any more */

/* Of sending calls. Systems with SO_NOSIGPIPE and without SOCK_CLOEXEC (macOS) look at O_NONBLOCK alone when
** they send, not at MSG_DONTWAIT. */
#if defined(SO_NOSIGPIPE) && !defined(SOCK_CLOEXEC)
#define BS_FLUSHTRAITS (BS_OUTPUT | BS_NEEDSFLAG)
#else
#define BS_FLUSHTRAITS BS_OUTPUT
#endif
#define BS_SENDTRAITS (BS_SENDS | BS_TURN | BS_FLUSHTRAITS)
#define BS_RECEIVETRAITS (BS_RECEIVES | BS_TAKES)

struct bs_op {
  const bs_kind *kind;
  bs_state *st;
  bs_socket *sock;  /* may be NULL */
  int error;        /* of the answer BS_DONE */
  double timeout;   /* of this call, seconds; negative: for ever */
  bs_time began;    /* 0: not known; the deadline then counts from the first wait */
  bs_time deadline; /* 0: not fixed yet */
  bs_time rest;     /* with BS_REST */
  int fd; /* readable when an operation without a socket may go on; -1: no descriptor tells */
  unsigned char
    drained; /* a receive got less than it had room for: the kernel has no more for now */
  unsigned char flagged; /* with MSG_ flags: peeks perhaps, or waits for urgent data */
  unsigned char
    beside; /* receives nothing of the stream itself: may go on beside another that does */
};

/* For `s`, under its timeout in the call's direction; without one (NULL) for ever. */
static BS_STRAIGHT void bs_initop (bs_op *op, const bs_kind *kind, bs_state *st, bs_socket *s) {
  op->kind = kind;
  op->st = st;
  op->sock = s;
  op->error = 0;
  op->timeout = s != NULL ? s->timeout[(kind->traits & BS_OUTPUT) != 0] : -1;
  op->began = op->deadline = 0;
  op->fd = -1;
  op->drained = op->flagged = op->beside = 0;
}

/* A receive under a timeout of a quarter of a second or more waits in the kernel, under SO_RCVTIMEO. The kernel keeps
** that up to an eighth late, so it is asked for seven eighths, and a poll, which is precise, finishes. */
#define BS_KERNELSHARE 0.875

static inline bs_socket *bs_sideof (const bs_op *op, int side) {
  return op->kind->side != NULL ? op->kind->side(op, side) : op->sock;
}

static inline int bs_sides (const bs_op *op) {
  unsigned traits = op->kind->traits;
  return ((traits & BS_TAKES) && !op->beside ? BS_IN : 0) | (traits & BS_TURN ? BS_OUT : 0);
}

/* The sides of its sockets that it would use, and a call that is suspended does. */
int bs_busysides(const bs_op *op);
/* What it comes to where it cannot wait for its turn: true, and op->error is EBUSY or EAGAIN. */
int bs_isbusy(bs_op *op);

/* Drives it to its end; gives the results of its finish. */
int bs_run(lua_State *L, bs_op *op);
int bs_runaside(lua_State *L, bs_op *op); /* the same, for kinds with BS_BLOCKS */
bs_time bs_now(void);
bs_time bs_coarsenow(void); /* some milliseconds ago: of a clock that is read for next to nothing */
bs_time bs_span(double seconds); /* rounded up; negative and huge: BS_FOREVER */
int bs_millis(bs_time span);     /* for poll and epoll_wait: rounded up; -1 for ever */
double bs_checktimeout(lua_State *L, int arg); /* nil, none, huge: -1; negative, NaN: raises */
int bs_setnonblock(bs_socket *s, int on);      /* 0 or -1 with errno; remembers */
/* Before a try that must not wait: sets it where the kind needs that. False: it cannot be set, and so the
** call would wait; op->error says why. */
static BS_STRAIGHT int bs_mustnotwait (bs_op *op) {
  if (!(op->kind->traits & BS_NEEDSFLAG) || bs_setnonblock(op->sock, 1) == 0)
    return 1;
  op->error = errno;
  return 0;
}
void bs_restoreflags(bs_socket *s); /* O_NONBLOCK and SO_RCVTIMEO as they were found */
int bs_waitfd(int fd, int want, bs_time deadline); /* poll one: > 0 ready, 0 timeout, -1 errno */
int bs_readyfd(int fd, int want); /* what of BS_READ and BS_WRITE is ready now; -1 errno */
/* For a driver of its own: one try that does not wait. *collected: was garbage collected for it once? */
int bs_tryflushing(bs_op *op, bs_time patience); /* where write() left something unflushed */
int bs_afterfailure(lua_State *L, bs_op *op, unsigned char *collected);

static BS_STRAIGHT int bs_tryonce (bs_op *op, bs_time patience) {
  if (!BS_LIKELY(op->sock == NULL || !(op->sock->flags & BS_UNFLUSHED)))
    return bs_tryflushing(op, patience);
  return op->kind->step(op, patience);
}

static BS_STRAIGHT int bs_try (lua_State *L, bs_op *op, unsigned char *collected) {
  int want = bs_tryonce(op, BS_NEVER);
  return want == BS_DONE && op->error > 0 ? bs_afterfailure(L, op, collected) : want;
}

/* After a step that cannot go on: gives what to wait for, which s:events() tells; under timeout 0 it is BS_DONE. */
static BS_STRAIGHT int bs_wanted (bs_op *op, int want) {
  if (op->sock != NULL && want != BS_REST)
    op->sock->wants = (unsigned char)want;
  if (op->timeout == 0) {
    if (op->error == 0)
      op->error = EAGAIN;
    return BS_DONE;
  }
  op->error = 0;
  return want;
}

void bs_restlonger(bs_op *op);   /* of who looks again and again, from op->rest = 0 on */
double bs_left(const bs_op *op); /* seconds until the deadline; negative: for ever */
bs_time bs_begindeadline(bs_op *op);
/* The deadline, which begins now if it has not. */
static BS_STRAIGHT bs_time bs_fixdeadline (bs_op *op) {
  if (op->deadline == 0 && op->timeout < 0)
    op->deadline = BS_FOREVER;
  return op->deadline != 0 ? op->deadline : bs_begindeadline(op);
}

/* Hooks of the running coroutine and the main thread: one that is new wants to be run. */
typedef struct bs_hooks {
  lua_Hook own, main;
} bs_hooks;

static BS_STRAIGHT bs_hooks bs_knownhooks (lua_State *L, const bs_state *st) {
  bs_hooks known;
  known.main = lua_gethook(st->main);
  known.own = L == st->main ? known.main : lua_gethook(L);
  return known;
}

void bs_checkhooks(lua_State *L, const bs_state *st, bs_hooks *known); /* may raise */
/* Runs the hook of a coroutine that waits elsewhere, if it wants the very next event; true if so. May raise. */
int bs_checkhookof(lua_State *L, lua_State *co);

/* What bs_run is made of. Inline where `kind` is a constant and a call is made millions of times. */
BS_SELDOM void bs_checkmainhook(lua_State *L, const bs_state *st, bs_hooks *known);
bs_time
bs_firstpatience(bs_op *op); /* of a call with a timeout; sets op->error where it cannot be kept */
BS_SELDOM void bs_drive(lua_State *L, bs_op *op, int want,
                        bs_hooks *known); /* after the first step */

static BS_STRAIGHT int bs_runinline (lua_State *L, bs_op *op, const bs_kind *kind) {
  bs_time patience = BS_FOREVER;
  if (!BS_LIKELY(op->st->aside == 0))
    return bs_runaside(L, op);
  bs_hooks known = bs_knownhooks(L, op->st);
  if (known.main != NULL)
    bs_checkmainhook(L, op->st, &known);
  if (!BS_LIKELY(op->timeout < 0)) {
    const bs_socket *s = op->sock;
    if ((kind->traits & BS_RECEIVES) && op->timeout * BS_KERNELSHARE == s->rcvtimeo &&
        op->timeout > 0 && !(s->flags & (BS_NONBLOCK | BS_SHARED)))
      op->began = bs_now(); /* the kernel's own timeout is set for this very call already */
    else {
      patience = bs_firstpatience(op);
      if (!BS_LIKELY(op->error == 0))
        return kind->finish(L, op);
    }
  }
  int want = kind->step(op, patience);
  if (want != BS_DONE || op->error > 0)
    bs_drive(L, op, want, &known);
  return kind->finish(L, op);
}

/* ---- thread.c ---- */

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
void bs_abandon(bs_job *job);    /* the job is over, wherever it was; harmless if it has been */
void bs_closepool(bs_state *st); /* with the state; waits for nobody */
void bs_openthread(lua_State *L);

/* Does this errno say that it has to be waited for? */
#define bs_isagain(err) ((err) == EAGAIN || (err) == EWOULDBLOCK)

/* ---- error.c ---- */

const char *bs_errname(int err); /* "ECONNREFUSED"; NULL: no name */
const char *bs_eainame(int err); /* "EAI_NONAME"; NULL: no name */
/* Each pushes nil, message, code and gives 3; BS_ENOMEM as err raises. The message is
** "call: text", "call address: text" or "call subject: text". */
int bs_fail(lua_State *L, const char *call, int err);
int bs_failat(lua_State *L, const char *call, const bs_address *a, int err);
int bs_failtext(lua_State *L, const char *call, const char *subject, int err);
/* of the resolver's codes; err is the errno that EAI_SYSTEM refers to */
int bs_faileai(lua_State *L, const char *call, const char *subject, int eai, int err);
/* of an operation; a may be NULL */
BS_SELDOM int bs_failop(lua_State *L, const bs_op *op, const bs_address *a);
BS_SELDOM BS_NORETURN int bs_raiseop(lua_State *L,
                                     const bs_op *op); /* raises the message: of iterators */
BS_NORETURN int bs_raise(lua_State *L, const char *call, int err);
BS_NORETURN int bs_memory(lua_State *L); /* raises "not enough memory" */
/* "<what> expected, got <type>", pushed, for a value that is no argument; idx counts from below. */
const char *bs_expected(lua_State *L, int idx, const char *what);
void bs_openerror(lua_State *L);

/* ---- constant.c ---- */

void bs_openconstants(lua_State *L);                       /* into the module's table */
int bs_findconstant(const char *name, lua_Integer *value); /* true if there */
int bs_isabsent(const char *name);                         /* is it one that this system lacks? */
size_t bs_prefixlength(const char *name); /* of "AF_" in "AF_INET"; 0: it begins as none does */
const char *bs_constantname(const char *prefix, lua_Integer value); /* first row so; NULL */
/* Integer or name at arg; prefixes: "AF_\0PF_\0" and so on, each ended by a zero. Of flags ("MSG_\0", "AI_\0",
** "NI_\0", "SOCK_\0") several may be joined: "MSG_PEEK|MSG_DONTWAIT". */
int bs_checkconstant(lua_State *L, int arg, const char *prefixes);
int bs_optconstant(lua_State *L, int arg, const char *prefixes, int def);
/* For what is no argument: NULL, or what is wrong, pushed. idx counts from below. */
const char *bs_toconstant(lua_State *L, int idx, const char *prefixes, int *value);
/* What to say of the string at idx, which is none of those, pushed. */
const char *bs_wrongname(lua_State *L, int idx, const char *prefixes);

/* ---- name.c: names that nobody has, and what was meant ---- */

#define BS_LONGESTNAME 48

/* The nearest known name to one that is none. */
typedef struct bs_guess {
  char name[BS_LONGESTNAME]; /* in capitals */
  size_t len;                /* 0: it is too long to be near anything */
  const char *best;          /* NULL: none is near */
  unsigned rank;             /* how far it is */
} bs_guess;

void bs_initguess(bs_guess *g, const char *name, size_t len);
/* Is it `known` that was meant? Its first `prefix` bytes may have been left out. */
void bs_consider(bs_guess *g, const char *known, size_t prefix);
void bs_considerconstants(bs_guess *g, const char *prefixes); /* constant.c */
/* Pushes "<what>; did you mean '<best>'?", or `what` where there is no guess. */
const char *bs_pushmeant(lua_State *L, const char *what, const bs_guess *g);
/* Pushes the name in quotation marks, for a message; what follows a zero is left out. */
const char *bs_pushquoted(lua_State *L, const char *name, size_t len);
void bs_openname(lua_State *L);

/* ---- hint.c: a few words more in messages ---- */

/* For what is no host and port at these places: "; give host and port as two arguments", or "". */
const char *bs_hinttarget(lua_State *L, int host, int port);
/* For a look-up that failed: " (the host comes first, then the port)", or ""; service may be NULL. */
const char *bs_hintlookup(const char *host, const char *service, int eai);
const char *bs_hintmaking(int family, int type, int protocol, int err);     /* NULL: none */
const char *bs_hintfailure(const char *call, const bs_address *a, int err); /* NULL: none */
void bs_openhint(lua_State *L);

/* ---- address.c ---- */

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
/* Calls that take ADDR: puts an address object at stack index `arg` and goes on with next(L, address, began);
** `began` is when a look-up began whose time counts in the call's own (0: there was none).
** The arguments there are an address, or what follows the family in socket.address(family, ...).
** `s` is the socket that the call is a method of, or NULL: nothing is looked up for a closed one. */
typedef int (*bs_next)(lua_State *L, const bs_address *a, bs_time began);
int bs_withaddress(lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                   bs_next next);
int bs_addressargs(int family); /* how many arguments ADDR may be */
void bs_openaddress(lua_State *L);

bs_address *bs_newaddress(lua_State *L, const bs_address *form); /* pushes a copy: for intern.c */

/* ---- intern.c ---- */

/* Pushes the one object for these bytes, in the form that bs_normalize gives them. */
const bs_address *bs_intern(lua_State *L, const bs_address *form);
void bs_openintern(lua_State *L);

/* ---- linuxaddress.c ---- */

typedef struct bs_family {
  int family;
  socklen_t need; /* shorter ones are treated as raw bytes */
  int args;       /* how many arguments may stand for an address */
  /* Puts an address object at `arg` from the arguments there, and goes on as bs_withaddress does. */
  int (*parse)(lua_State *L, int arg, const char *call, const struct bs_family *f,
               const bs_socket *s, bs_next next);
  /* Pushes the field; false: none such. */
  int (*field)(lua_State *L, const bs_address *a, const char *name);
  int (*unpack)(lua_State *L, const bs_address *a); /* pushes what parse takes; their number */
  void (*text)(const bs_address *a, char *text);
  void (*normalize)(bs_address *a); /* what bs_normalize is for; NULL where it does so by itself */
} bs_family;

const bs_family *bs_linuxfamily(int af); /* NULL: none of its families */

/* ---- resolve.c ---- */

/* As bs_withaddress, for AF_INET and AF_INET6 where host and service are at arg and arg + 1:
** looks up; *numeric* ones without the resolver. */
int bs_withname(lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                bs_next next);
/* A host may be in brackets, as "[::1]" is in a URL: takes them away from the string at idx, and gives its bytes. */
const char *bs_barehost(lua_State *L, int idx, size_t *len);
/* The call of an operation, as its messages name it: of a look-up for another call, that one. */
const char *bs_callname(const bs_op *op);
void bs_openresolve(lua_State *L);

/* ---- socket.c: life of the object; connection.c: what is done with it before data flows ---- */

int bs_syssocket(int family, int type, int protocol); /* socket(2), close-on-exec from birth */
int bs_syssocketpair(int family, int type, int protocol, int fds[2]);
bs_socket *bs_checksocket(lua_State *L, int arg);
bs_socket *bs_testsocket(lua_State *L, int arg);
bs_socket *bs_newsocket(lua_State *L, int family, int type, int protocol); /* pushes a closed one */
/* The descriptor of a socket, an integer, a Lua file, or anything with fileno or getfd; -1 when closed.
** *s is the socket if it is one, else NULL. Raises for anything else. */
int bs_checkfd(lua_State *L, int arg, bs_socket **s);
/* For what is no argument: puts what is wrong in *wrong instead of raising it. idx counts from below. */
int bs_tofd(lua_State *L, int idx, bs_socket **s, const char **wrong);
int bs_hasfields(lua_State *L, int arg); /* a table, or something that can be indexed */
/* Makes `fd` the descriptor of `s`, as the kernel describes it. 0 or -1 with errno, then unchanged. */
int bs_adopt(bs_socket *s, int fd);
void bs_notemerging(bs_socket *s); /* asks the kernel whether it does */
/* If err says that descriptors ran out, collects garbage: true if it is worth another try. */
int bs_collect(lua_State *L, int err);
void bs_opensocket(lua_State *L);
void bs_openconnection(lua_State *L);

/* ---- transfer.c ---- */

/* What a receiving call knows; those of recvmsg.c begin with it. */
typedef struct bs_receive {
  bs_op op;
  size_t n;   /* at most so many bytes */
  char *into; /* recvinto: to here; NULL: to a chunk */
  size_t got;
  bs_chunk *chunk; /* where they are, from its start on; NULL with `into` */
  int flags;
  unsigned char message; /* not a stream: messages have bounds */
  unsigned char from;    /* the sender is wanted */
  unsigned char cut;     /* a message was longer */
  socklen_t addrlen;
  struct sockaddr_storage address;
} bs_receive;

void bs_initreceive(bs_receive *r, const bs_kind *kind, bs_socket *s);
size_t bs_checkcount(lua_State *L, int arg);       /* its n, 65536 unless given */
void bs_setreceiveflags(bs_receive *r, int flags); /* the user's */
void bs_setflags(bs_op *op, int flags);            /* of any call: MSG_DONTWAIT is a timeout of 0 */
int bs_serveheld(bs_receive *r); /* the bytes that wait for their owner: true if these will do */
int bs_makeroom(bs_receive *r, size_t *n,
                int flags);        /* room for *n or less; without, a step's answer */
int bs_notreceived(bs_receive *r); /* a step's answer after errno */
int bs_notsent(bs_op *op);         /* of sending ones */
int bs_notsentyet(bs_op *op, int *flags);
void bs_mark(const bs_receive *r); /* until the values exist, the bytes belong to the socket */
/* So many wait in the chunk, with those that the call gives. */
static BS_STRAIGHT size_t bs_waiting (const bs_receive *r) {
  return r->chunk->end - r->chunk->start;
}
void bs_handedover(const bs_receive *r, size_t n); /* they do; so many had waited before */
#define bs_dontwait(patience) ((patience) == BS_NEVER ? MSG_DONTWAIT : 0)
void bs_opentransfer(lua_State *L);

/* ---- control.c ---- */

/* Where in a table that was given as argument `arg` one is: for the errors that it raises. */
typedef struct bs_place {
  int arg;
  lua_Integer message; /* which one; 0: there is just one */
  const char *field;   /* NULL: not in one yet, and so on */
  lua_Integer item;    /* of the array in the field; 0: not in one */
  const char *part;    /* field of the item */
} bs_place;

/* Raises "bad argument #1 to 'sendmsg' (field 'fds': item 2: <what>)". */
BS_NORETURN int bs_mistake(lua_State *L, const bs_place *at, const char *what);
BS_NORETURN int bs_unexpected(lua_State *L, const bs_place *at, int idx, const char *expected);
/* The table at idx has these fields and no others: a typing mistake is not to be ignored. */
void bs_checkfields(lua_State *L, const bs_place *at, int idx, const char *const *names);
/* For who has the names in another form: the guess for the key at idx, and what is raised with it. */
void bs_guessfield(lua_State *L, bs_guess *g, int idx);
int bs_strangefield(lua_State *L, const bs_place *at, int idx, const bs_guess *g);
size_t bs_checkarray(lua_State *L, const bs_place *at, int idx); /* its length */
/* A constant, as bs_checkconstant takes them. */
int bs_checknamed(lua_State *L, const bs_place *at, int idx, const char *prefixes);
lua_Integer bs_checkwithin(lua_State *L, const bs_place *at, int idx, lua_Integer least,
                           lua_Integer most);
void bs_setinteger(lua_State *L, const char *name,
                   lua_Integer value); /* into the table on the top */

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

/* ---- sendmsg.c, recvmsg.c ---- */

/* One of several messages, as the kernel is given it. */
#if defined(MSG_WAITFORONE)
typedef struct mmsghdr bs_header;
#else
typedef struct bs_header {
  struct msghdr msg_hdr;
  unsigned msg_len;
} bs_header;
#endif

#define BS_MOSTMESSAGES 1024 /* in one call: UIO_MAXIOV */

/* Does the socket carry descriptors? Elsewhere the kernel leaves them out without a word. */
static inline int bs_carriesfds (const bs_socket *s) {
  return s->family == AF_UNIX || s->family == AF_UNSPEC;
}

/* What iovec and msghdr point to is not const, as they serve both ways; who sends leaves it as it is. */
static inline void *bs_unconst (const void *p) {
  union {
    const void *in;
    void *out;
  } cast;
  cast.in = p;
  return cast.out;
}

/* The counts and lengths of messages have other types on each system, wide enough for all that is given here. What
** assigns them, or calls what takes them, stands between these two. */
#if defined(__GNUC__)
#define BS_ANYWIDTH                                                                                \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wconversion\"")                \
    _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#define BS_ANYWIDTHEND _Pragma("GCC diagnostic pop")
#else
#define BS_ANYWIDTH
#define BS_ANYWIDTHEND
#endif

BS_ANYWIDTH
static inline void bs_setpieces (struct msghdr *h, struct iovec *pieces, size_t n) {
  h->msg_iov = pieces;
  h->msg_iovlen = n < IOV_MAX ? n : IOV_MAX;
}

static inline void bs_setcontrol (struct msghdr *h, void *control, size_t len) {
  h->msg_control = control;
  h->msg_controllen = len;
}

static inline void bs_setlength (struct cmsghdr *c, size_t len) {
  c->cmsg_len = CMSG_LEN(len);
}
BS_ANYWIDTHEND

void bs_dropblock(bs_state *st); /* recvmmsg's room */
/* Pushes a closed file of Lua's, which is to own a descriptor that is no socket. */
luaL_Stream *bs_newfile(lua_State *L);
int bs_openfile(luaL_Stream *p, int fd); /* it does; false when memory is out */
void bs_opensendmsg(lua_State *L);
void bs_openrecvmsg(lua_State *L);

/* ---- buffer.c ---- */

/* The one where bytes of `s` wait; NULL: none do. */
static inline bs_chunk *bs_chunkof (const bs_socket *s) {
  bs_chunk *scratch = s->st->scratch;
  return scratch != NULL && scratch->owner == s ? scratch : s->held;
}

#define bs_pending(s) (bs_chunkof(s) != NULL)

/* Do they count as readable? Not what a reading call has found too little, until more has come. */
static inline int bs_readable (const bs_socket *s) {
  const bs_chunk *c = bs_chunkof(s);
  return c != NULL && !c->scant;
}

void bs_readahead(bs_socket *s); /* loop.c */

/* To be asked before bytes are read ahead: where the kernel's next MSG_PEEK would begin, under SO_PEEK_OFF. */
int bs_askpeekoff(const bs_socket *s);
static inline int bs_peekoff (const bs_socket *s) {
  return s->marks & BS_PEEKS ? bs_askpeekoff(s) : 0;
}

/* `n` bytes more have come to the end of `c`, which are for `s`: whoever waits for it elsewhere is to look again. */
static inline void bs_came (bs_socket *s, bs_chunk *c, size_t n, int peeked) {
  size_t had = c->end - c->start;
  if (peeked > 0 && c->peeked >= had)
    c->peeked = had + (size_t)peeked;
  c->owner = s;
  c->end += n;
  c->scant = 0;
  if (s->st->loop != NULL)
    bs_readahead(s);
}

void bs_eachpending(const bs_state *st, void (*call)(void *ud, bs_socket *s), void *ud);
/* The state's chunk, free and with room for `size` bytes; NULL when memory is out. */
bs_chunk *bs_room(bs_state *st, size_t size);
/* A chunk with what is waiting for `s` and room for `more` bytes after that; NULL when memory is out. If
** nothing is waiting it is free: who puts bytes there sets owner. */
bs_chunk *bs_roomafter(bs_socket *s, size_t more);
void bs_dropheld(bs_socket *s); /* none of the bytes that wait for it is wanted any more */
/* They count as readable again. */
BS_SELDOM void bs_notscant(bs_socket *s, bs_chunk *c);
/* So many of them are in Lua now. */
static inline void bs_consume (bs_socket *s, size_t n) {
  bs_chunk *c = bs_chunkof(s);
  bs_assert(c == NULL || (c->owner == s && c->start <= c->end && c->end <= c->size));
  if (c != NULL && n < c->end - c->start) {
    c->start += n;
    c->sought = 0;
    c->peeked = c->peeked > n ? c->peeked - n : 0;
    if (c->scant) /* for a call that would begin elsewhere */
      bs_notscant(s, c);
  }
  else
    bs_dropheld(s);
}

/* Of n that waited, the first `used` are. Making the values may have run a finalizer that reads from this very socket:
** what it got, too, is gone already, and what comes next is nobody's yet. */
static BS_STRAIGHT void bs_consumed (bs_socket *s, size_t n, size_t used) {
  const bs_chunk *c = bs_chunkof(s);
  size_t left = c != NULL ? c->end - c->start : 0, gone = left < n ? n - left : 0;
  if (BS_LIKELY(gone < used))
    bs_consume(s, used - gone);
}

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
void bs_openbuffer(lua_State *L);

/* ---- lend.c: what is sent with MSG_ZEROCOPY ---- */

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

/* ---- read.c, write.c: the file face ---- */

enum bs_vbuf { BS_UNBUFFERED, BS_FULL, BS_LINE };

struct bs_face {
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
int bs_flushstep(bs_op *op, bs_time patience); /* the same as a step: of calls that flush first */
void bs_openread(lua_State *L);
void bs_openwrite(lua_State *L);

/* ---- held.c: bytes at hand of which no descriptor tells ---- */

/* What a descriptor was given for. */
typedef struct bs_source {
  bs_socket *sock;    /* NULL: none of ours */
  bs_poller *poller;  /* NULL: no poller */
  unsigned char held; /* another's object, or one in the poller, had bytes when it was asked */
} bs_source;

/* Of the value there; if it is to be read, asks another library's object. That may run anything, so the descriptor is to be
** asked for afterwards. */
void bs_asksource(lua_State *L, int idx, int reads, bs_source *from);
int bs_holds(const bs_source *from); /* is it readable, whatever its descriptor tells? */
/* Of what is no socket and no poller: may it have such bytes, and does it now? */
int bs_mayhold(lua_State *L, int idx);
int bs_askheld(lua_State *L, int idx);
int bs_filebuffered(FILE *f, const char **data, size_t *n); /* false where that cannot be seen */

/* ---- sendfile.c ---- */

void bs_opensendfile(lua_State *L);

/* ---- option.c ---- */

int bs_toswitch(lua_State *L, int idx, int *value); /* true and false, 1 and 0: else it gives 0 */
void bs_openoption(lua_State *L);                   /* setsockopt, getsockopt */

/* ---- interface.c, util.c (byte order, inet_pton, checksum, clock) ---- */

int bs_nametoindex(lua_State *L, const char *name, unsigned *index); /* 0 or an errno */
/* A numeric address, as text or as an object. */
typedef struct bs_ip {
  union {
    struct in_addr in;
    struct in6_addr in6;
  } u;
  unsigned zone; /* the interface after its %, or its scope_id; 0: none */
  int err;       /* an errno: there is no such zone */
} bs_ip;

int bs_toip(lua_State *L, int idx, int family, bs_ip *ip); /* false: none of that family is there */
/* The interface at idx: a name, an index, "*" and unspecified addresses for any (0), an address that it has (of
** `family`; AF_UNSPEC: of either), or an address with its zone. NULL, or what is wrong with it; *err is set if it is an
** interface that cannot be found. Who can use an IPv4 address as it is gets it in *asip (NULL: cannot), and index 0. */
const char *bs_tointerface(lua_State *L, int idx, int family, unsigned *index, struct in_addr *asip,
                           int *err);
void bs_openinterface(lua_State *L);
void bs_openutil(lua_State *L);

/* ---- unixpath.c ---- */

void bs_openunixpath(lua_State *L); /* core.listenpath, for socket.listen */

/* ---- engine.c ---- */

/* Asked for, and told: BS_READ, BS_WRITE, BS_URGENT (not by kqueue), BS_HANGUP. To be asked with them, as it stays until
** the place is left: */
#define BS_EDGE 16 /* tell of changes only */
#define BS_ONCE 32 /* disarmed when something was told; bs_enginemodify arms it again */
/* The peer's end, or an error; with BS_EDGE it is told unasked, and of urgent data, too: after this a short read proves
** nothing. */
#define BS_HANGUP 64
/* Told, never asked for: BS_ERROR, and */
#define BS_LOST 128 /* alone: the descriptor was found closed, and the place is left */

typedef struct bs_watch bs_watch;

typedef struct bs_engine {
  bs_state *st;      /* whose allocator it uses */
  bs_watch *watches; /* by place */
  int size;          /* of them */
  int fd;            /* the kernel's; -1: this engine has none, or is closed */
  unsigned process;  /* the one that opened it (bs_process) */
  uint32_t stamp;    /* the last one given */
  int coarse;        /* the kernel knows no finer time than milliseconds */
} bs_engine;

/* A place is the caller's number for a descriptor: small, as there is an array of them. These give 0, an
** errno, or BS_ENOMEM. */
int bs_engineopen(bs_engine *e, bs_state *st);
void bs_engineclose(bs_engine *e); /* again is harmless */
/* EEXIST for a place that has this descriptor already, unless that was closed behind our back meanwhile. */
/* After a fork add, modify and wait give EBADF in the child, and nothing there touches what the parent has. */
int bs_engineadd(bs_engine *e, int i, int fd, int asked);
int bs_enginemodify(bs_engine *e, int i, int fd, int asked); /* ENOENT, EBADF: the place is left */
int bs_engineremove(bs_engine *e, int i, int fd); /* the place is left, whatever it gives */
/* Waits up to `patience`, no shorter, and calls told for each place that is ready; for one it may be called twice,
** or in vain. It must not raise; it may add, modify, remove, wait and close: no place is told what
** was meant for an earlier owner. */
typedef void (*bs_told)(void *ud, int i, int what);
/* Says whose turn will come after so many others, at most BS_SOON; NULL: that need not be said. An engine may leave
** it out. */
#define BS_SOON 3
typedef void (*bs_soon)(void *ud, int i, int turns);
int bs_enginewait(bs_engine *e, bs_time patience, bs_told told, bs_soon soon, void *ud);
/* With BS_EDGE, where the engine knows no edges (poll): what somebody waits for now. To be said before each wait of
** theirs, and 0 when nobody does: of such a place it asks that and nothing else. */
#define bs_enginehasedges(e) ((e)->fd >= 0)
void bs_engineneeds(bs_engine *e, int i, int want);
int bs_engineforked(const bs_engine *e); /* it is another process's: only to be closed */
/* Tells this process from the one that it was forked from. Costs no system call where that can be. */
unsigned bs_process(bs_state *st);
void bs_endprocess(bs_state *st);  /* with the state */
extern const char bs_enginename[]; /* "epoll" ... */

/* ---- timer.c ---- */

typedef struct bs_timer bs_timer;

struct bs_timer {
  bs_time when;
  void (*ring)(lua_State *L, bs_timer *t); /* what its owner does then */
  int place;                               /* in the heap; 0: it is not set */
};

typedef struct bs_timers {
  bs_state *st;
  bs_timer **heap;
  int n, size;
} bs_timers;

int bs_settimer(bs_timers *ts, bs_timer *t, bs_time when); /* 0 or BS_ENOMEM */
void bs_taketimer(bs_timers *ts, bs_timer *t);
/* Harmless where it is not set. */
static inline void bs_stoptimer (bs_timers *ts, bs_timer *t) {
  if (t->place != 0)
    bs_taketimer(ts, t);
}

bs_timer *bs_nexttimer(const bs_timers *ts); /* NULL: none is set */
void bs_freetimers(bs_timers *ts);

/* ---- loop.c ---- */

/* Drives `op` in a task: gives the number of results, or suspends. -1: this is no task's call, or one that cannot
** be suspended. */
int bs_runintask(lua_State *L, bs_op *op);
int bs_hasturn(const bs_state *st); /* may a task go on without waiting, or is it others' turn? */
int bs_intask(const bs_state *st);  /* is one running? */
int bs_loopruns(const bs_state *st);
int bs_flushwaits(
  const bs_socket *s); /* does another task wait for what is unflushed to be sent? */
/* Before a descriptor is closed or given up: wakes who waits for it. */
void bs_leaveloop(bs_state *st, int fd);
/* The kernel has just given it: whoever waits for this number waits for one that was closed behind our back. */
void bs_leaveold(bs_state *st, int fd);
static inline void bs_newdescriptor (bs_state *st, int fd) {
  if (!BS_LIKELY(st->loop == NULL))
    bs_leaveold(st, fd);
}
/* What waits at this descriptor without receiving or sending looks again. */
void bs_lookagain(bs_state *st, int fd);
/* Takes the side from a task whose coroutine somebody has closed. */
void bs_leavegone(const bs_socket *s, int side);
/* `s` was shut down: those who use the sides are woken, senders with EPIPE. */
void bs_shutloop(bs_socket *s, int sides);
/* May a call in L wait without stopping tasks, or are there none? */
int bs_maywait(lua_State *L, const bs_state *st);
void bs_closeloop(lua_State *L, bs_state *st); /* with the state */
void bs_openloop(lua_State *L);

/* ---- task.c, inspect.c, trace.c, scope.c: loop.h has what they share with loop.c ---- */

void bs_opentask(lua_State *L);
void bs_openinspect(lua_State *L);
void bs_opentrace(lua_State *L);
void bs_openscope(lua_State *L);

/* ---- waiter.c ---- */

/* As bs_runintask, with another scheduler. */
int bs_runwaiter(lua_State *L, bs_op *op);
void bs_wake(lua_State *L, bs_state *st,
             int arg); /* the descriptor of the object there is about to be closed or given up */
/* Does another scheduler's call wait for what is unflushed to be sent? */
int bs_waiterflushes(const bs_socket *s);
/* Takes the side from a call that will not go on. */
void bs_reclaim(const bs_state *st, const bs_socket *s, int side);
/* The socket at 1 was shut down: those who use these sides go on. */
void bs_shut(lua_State *L, bs_socket *s, int sides);
/* Bytes of the socket at `arg` may be left that were read ahead: whoever waits until it is readable looks again. */
void bs_wakewaiting(lua_State *L, bs_state *st,
                    bs_reg *list); /* the same for who waits for pollers of these */
void bs_wakeahead(lua_State *L, int arg);
void bs_openwaiter(lua_State *L);

/* ---- select.c, poller.c ---- */

void bs_openselect(lua_State *L);
void bs_openpoller(lua_State *L);
bs_poller *bs_testpoller(lua_State *L, int arg); /* NULL if it is none */
void bs_markpoller(bs_poller *p);                /* it is waited for by another scheduler */
int bs_pollerfd(const bs_poller *p);             /* -1: closed, or it has none */
int bs_pollerholds(bs_poller *p); /* do bytes wait in a socket in it, or in a poller in it ...? */
/* Asks the others' objects in it that may hold bytes, and so on. May run anything. */
int bs_askpoller(lua_State *L, int idx);
void bs_leavepollers(bs_socket *s); /* before its descriptor is closed or given up */
/* Calls for the descriptor of each poller that is readable with what is in these places: it is in them, or in one inside
** them, to be read. May call for one twice. `call` may not run Lua, nor change a poller. */
void bs_wakepollers(bs_reg *list, void (*call)(void *ud, int fd), void *ud);

/* ---- core.c ---- */

/* While the library opens, the stack holds the upvalues at 1 .. BS_NUP (so the metatables are at
** BS_AT_SOCKET and so on), then the module's table and the sockets' methods. Every bs_open* puts its
** functions where they belong and leaves the stack as it was. */
#define BS_AT_SOCKET 1
#define BS_AT_STATE 2
#define BS_AT_ADDRESS 3
#define BS_AT_BUFFER 4
#define BS_AT_POLLER 5
#define BS_AT_MODULE (BS_NUP + 1)
#define BS_AT_METHODS (BS_NUP + 2)

void bs_setfuncs(lua_State *L, int table, const luaL_Reg *funcs); /* while opening */
/* Later: one more function with the same upvalues, and after them the `extra` values on the top. */
void bs_pushfunction(lua_State *L, lua_CFunction f, int extra);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
