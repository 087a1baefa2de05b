/*
** socket.h: the socket object.
*/
#ifndef bs_socket_h
#define bs_socket_h

#include "base/state.h"

BS_BEGIN

typedef struct bs_face bs_face;
typedef struct bs_reg bs_reg;

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
#define BS_IN 1       /* such a call receives from it */
#define BS_OUT 2      /* such a call sends by it */
#define BS_LOWAT 4    /* SO_RCVLOWAT is more than one byte */
#define BS_MERGES 8   /* UDP_GRO is set: several datagrams may come as one */
#define BS_PEEKS 16   /* SO_PEEK_OFF is set */
#define BS_THROUGH 32 /* its bytes go through a transport (transport.h) */
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

/* The socket at 1 of a method. Leaves its metatable on the top: to pop it would take as many instructions as the
** rest of the check. So the caller asks for the number of arguments before. */
static BS_STRAIGHT bs_socket *bs_self (lua_State *L) {
  void *p = lua_touserdata(L, 1);
  const bs_state *st = (const bs_state *)lua_touserdata(L, BS_UP_STATE);
  if (p == NULL || !lua_getmetatable(L, 1) || lua_topointer(L, -1) != st->meta)
    luaL_typeerror(L, 1, "socket");
  return (bs_socket *)p;
}

bs_socket *bs_checksocket(lua_State *L, int arg);
bs_socket *bs_testsocket(lua_State *L, int arg);
bs_socket *bs_newsocket(lua_State *L, int family, int type, int protocol); /* pushes a closed one */
/* The descriptor of a socket, an integer, a Lua file, or anything with fileno or getfd; -1 when closed.
** *s is the socket if it is one, else NULL. Raises for anything else. */
int bs_checkfd(lua_State *L, int arg, bs_socket **s);
/* For what is no argument: puts what is wrong in *wrong instead of raising it. idx counts from below. */
int bs_tofd(lua_State *L, int idx, bs_socket **s, const char **wrong);
/* Makes `fd` the descriptor of `s`, as the kernel describes it. 0 or -1 with errno, then unchanged. */
int bs_adopt(bs_socket *s, int fd);
int bs_haslinger(int fd);          /* may close(2) wait for the peer? */
void bs_notemerging(bs_socket *s); /* asks the kernel whether it does */

/* Does the socket carry descriptors? Elsewhere the kernel leaves them out without a word. */
static inline int bs_carriesfds (const bs_socket *s) {
  return s->family == AF_UNIX || s->family == AF_UNSPEC;
}

/* ---- flags.c: flags of the open file description ---- */

int bs_setnonblock(bs_socket *s, int on); /* 0 or -1 with errno; remembers */
int bs_waitsinkernel(
  bs_socket *s, double seconds); /* will a receive wait in the kernel for so long, and no longer? */
void bs_restoreflags(bs_socket *s); /* O_NONBLOCK and SO_RCVTIMEO as they were found */

BS_END

#endif
