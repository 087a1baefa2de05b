/*
** state.h: what one Lua state has of the library, and how its functions find that: by their upvalues, so that no call
** looks anything up by name.
*/
#ifndef bs_state_h
#define bs_state_h

#include "base/net.h"

BS_BEGIN

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

typedef struct bs_state bs_state;
typedef struct bs_socket bs_socket;
typedef struct bs_chunk bs_chunk;
typedef struct bs_block bs_block;
typedef struct bs_pool bs_pool;
typedef struct bs_loop bs_loop;
typedef struct bs_lender bs_lender;
typedef struct bs_buffer bs_buffer;
typedef struct bs_hearer bs_hearer;
typedef struct bs_driver bs_driver;
typedef struct bs_outside bs_outside;
typedef struct bs_waited bs_waited;
typedef struct bs_optionindex bs_optionindex;
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

#define BS_HEARERS 3 /* so many there may be of each */
#define BS_DRIVERS 2

struct bs_state {
  const bs_outside *outside; /* what other shared objects may call (outside.h) */
  lua_State *main;           /* the main thread: lua.c sets its Ctrl-C hook on this one only */
  const void *meta;          /* sockets' metatable, as lua_topointer has it */
  bs_chunk *scratch;         /* where receiving calls put what arrives */
  bs_block *block;           /* recvmmsg's, while no call has it (recvmsg.c); NULL: none */
  lua_Alloc alloc; /* Lua's allocator, for memory that is needed where no Lua state is at hand */
  void *allocdata;
  bs_chunk *held;     /* the chunks that sockets have of their own */
  bs_lender *lenders; /* sockets with memory that the kernel still reads (lend.c), */
  bs_buffer *lent;    /* and the buffers in that */
  /* What a call must look at before it goes its straight way: sockets with unflushed bytes, a loop that runs. */
  int aside;
  const bs_hearer *hearers[BS_HEARERS]; /* who hears what becomes of descriptors (hear.h) */
  const bs_driver *drivers[BS_DRIVERS]; /* who suspends calls that have to wait (drive.h) */
  bs_loop *loop;                        /* the scheduler of tasks (loop.c); NULL: none yet */
  int looping;                          /* it runs */
  int waiter; /* another scheduler is to be called (waiter.c): the registry has its functions, */
  char wait, wake, never, selecting,
    pollers;      /* and what waiter.c keeps besides, by the addresses of these */
  int waking;     /* that scheduler's function wake runs */
  uint64_t walks; /* of poller.c, through pollers that are in each other */
  /* Of other schedulers: calls that hold a side of a socket, and those whose turn to send has not come. */
  bs_waited *holders, *firstwaited, **lastwaited;
  /* The source of the library's own Lua code, as debug information names it; NULL: not told. The registry has by this
  ** address the names of its functions, by function (inspect.c). */
  const char *own;
  int closing; /* <close> variables of something cancelled are running: nobody may wait */
  bs_interned interned;
  /* The last address that bs_pushsender was given, as the kernel wrote it. */
  socklen_t senderlen; /* 0: none */
  int senderfamily;
  char sender[sizeof(struct sockaddr_in6)];
  /* of process.c: a byte that is 0 after a fork; NULL: not yet, or there can be none (`nopage`); forks so far */
  volatile char *page;
  int nopage;
  unsigned process;
  bs_pool *pool;           /* its helper threads (thread.c); NULL: none yet */
  int poolclosed;          /* and there will be none */
  bs_optionindex *options; /* where each option has its row (option.c); NULL: not yet */
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

void bs_setfuncs(lua_State *L, int table, const luaL_Reg *funcs); /* while opening */
/* Later: one more function with the same upvalues, and after them the `extra` values on the top. */
void bs_pushfunction(lua_State *L, lua_CFunction f, int extra);

BS_END

#endif
