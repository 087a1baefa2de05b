/*
** read.c: the reading half of the file face of stream sockets, with the names and the meaning of Lua's io: read
** lines, and readuntil pending setmaxline. Bytes read ahead wait in a chunk (buffer.c), where the other
** receiving calls find them first. The writing half is in write.c.
**
** A reading call is a list of *items*, one for each format. Its step looks whether what has arrived is
** enough for all of them, and consumes nothing; its finish makes the values, and only then are
** their bytes gone. So whatever fails, the call can be repeated.
*/
#include "base/prefix.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "base/error.h"
#include "base/open.h"
#include "object/chunk.h"
#include "object/face.h"
#include "op/drive.h"
#include "op/run.h"

#define READAHEAD 4096 /* at least so much room for what arrives, and mostly 64 KiB */
#define MAXNUMERAL 200 /* of read("n"), as Lua's io has it */

/* ==== what has arrived ==== */

/* A place in the bytes that wait. */
typedef struct view {
  bs_chunk *c; /* NULL: none do */
  size_t at, n;
  size_t maxline;
  int ended;  /* nothing comes after them */
  int probed; /* it was asked: the stream has not ended */
} view;

static BS_STRAIGHT void look (view *v, const bs_socket *s, int ended) {
  v->c = bs_chunkof(s);
  v->at = 0;
  v->n = v->c != NULL ? v->c->end - v->c->start : 0;
  v->maxline = s->face != NULL ? s->face->maxline : BS_MAXLINE;
  v->ended = ended;
  v->probed = 0;
}

static BS_STRAIGHT const char *bytes (const view *v) {
  return v->c->data + v->c->start;
}

/* ==== formats ==== */

typedef struct item item;

/* What a format answers when it looks at the bytes. */
enum found {
  FOUND,   /* item.from and item.len, or item.nothing: the end of the stream */
  MORE,    /* has to arrive */
  TOOLONG, /* beyond the bound */
  PROBE    /* it has to be asked whether the stream has ended */
};

/* What is sought again and again while more arrives is not sought twice in the same bytes: a peer that sends it in
** small pieces would make the work grow with their square. So the chunk keeps for the next try, or for the next call with
** the same formats, where the first one begins that has not found what it wants, and from where on it has yet to look.
** When the last one has found it, all of them look once more. */
struct item {
  enum found (*find)(item *it, view *v); /* moves v->at behind what it found */
  void (*push)(lua_State *L, const item *it, const char *data);
  size_t n;            /* count, or readuntil's bound */
  size_t from, len;    /* of the value in what waits */
  size_t searched;     /* before this there is not what ends it */
  const char *pattern; /* of readuntil; on the stack */
  size_t patternlen;
  unsigned char keep; /* the newline stays */
  unsigned char nothing;
};

/* The offset of the next newline, v->n if there is none yet. */
static BS_STRAIGHT size_t findnewline (item *it, const view *v) {
  size_t from = v->at < it->searched ? it->searched : v->at;
  const char *found = from < v->n ? (const char *)memchr(bytes(v) + from, '\n', v->n - from) : NULL;
  it->searched = found != NULL ? (size_t)(found - bytes(v)) : v->n;
  return it->searched;
}

static BS_STRAIGHT enum found take (item *it, view *v, size_t len, size_t skip) {
  it->from = v->at;
  it->len = len;
  v->at += skip;
  return FOUND;
}

/* What the end of the stream leaves. */
static BS_STRAIGHT enum found takerest (item *it, view *v) {
  size_t rest = v->n - v->at;
  it->nothing = rest == 0;
  return take(it, v, rest, rest);
}

static BS_STRAIGHT enum found findline (item *it, view *v) {
  size_t end = v->n > 0 ? findnewline(it, v) : 0;
  if (end - v->at > v->maxline)
    return TOOLONG;
  if (end == v->n)
    return v->ended ? takerest(it, v) : MORE;
  size_t len = end - v->at, skip = len + 1;
  if (it->keep)
    len++;
  else if (len > 0 && bytes(v)[end - 1] == '\r')
    len--;
  return take(it, v, len, skip);
}

static enum found findcount (item *it, view *v) {
  if (v->n - v->at >= it->n)
    return take(it, v, it->n, it->n);
  return v->ended ? takerest(it, v) : MORE;
}

/* Whether anything is left, without waiting for it. */
static enum found findend (item *it, view *v) {
  if (v->at == v->n && !v->ended && !v->probed)
    return PROBE;
  it->nothing = v->at == v->n && v->ended;
  return take(it, v, 0, 0);
}

static enum found findall (item *it, view *v) {
  if (!v->ended)
    return MORE;
  takerest(it, v);
  it->nothing = 0;
  return FOUND;
}

/* The offset of the next delimiter, v->n if there is none yet. */
static size_t finddelimiter (item *it, const view *v) {
  size_t len = it->patternlen, from = v->at < it->searched ? it->searched : v->at;
  while (from < v->n && v->n - from >= len) {
    const char *p = (const char *)memchr(bytes(v) + from, it->pattern[0], v->n - from - len + 1);
    from = p != NULL ? (size_t)(p - bytes(v)) : v->n - len + 1;
    if (p != NULL && memcmp(p, it->pattern, len) == 0) {
      it->searched = from;
      return from;
    }
    from += p != NULL;
  }
  it->searched = from;
  return v->n;
}

static enum found finduntil (item *it, view *v) {
  size_t len = it->patternlen, end = finddelimiter(it, v), before = end - v->at;
  int isthere = end < v->n;
  size_t bound = isthere || v->ended ? it->n : it->n < SIZE_MAX - len ? it->n + len - 1 : it->n;
  if (before > bound)
    return TOOLONG;
  if (isthere)
    return take(it, v, before + len, before + len);
  return v->ended ? takerest(it, v) : MORE;
}

/* ---- numerals, as io.read takes them: what may be one is consumed, whether it becomes one or not ---- */

typedef struct numeral {
  const char *data;
  size_t at, n;
  int c; /* the byte at `at` */
  int ended;
  int dry; /* ran out of bytes before the end of the stream */
  size_t len;
  int toolong;
} numeral;

static void peek (numeral *r) {
  if (r->at < r->n)
    r->c = (unsigned char)r->data[r->at];
  else {
    r->c = -1;
    r->dry = !r->ended;
  }
}

static int accepted (numeral *r) {
  if (r->len >= MAXNUMERAL) {
    r->toolong = 1;
    return 0;
  }
  r->len++;
  r->at++;
  peek(r);
  return 1;
}

static int acceptone (numeral *r, const char *set) {
  return r->c > 0 && strchr(set, r->c) != NULL && accepted(r);
}

static int acceptdigits (numeral *r, int hex) {
  int n = 0;
  while (r->c >= 0 && (hex ? isxdigit(r->c) : isdigit(r->c)) && accepted(r))
    n++;
  return n;
}

static enum found findnumber (item *it, view *v) {
  char points[] = {'.', localeconv()->decimal_point[0], '\0'};
  int hex = 0, digits = 0, whole = 1;
  numeral r;
  r.data = v->n > 0 ? bytes(v) : "";
  r.at = v->at;
  r.n = v->n;
  r.len = 0;
  r.ended = v->ended;
  r.dry = r.toolong = 0;
  if (r.at < it->searched)
    r.at = it->searched;
  for (peek(&r); r.c >= 0 && isspace(r.c); peek(&r))
    r.at++;
  if (r.at - v->at > v->maxline)
    return TOOLONG;
  it->searched = v->at = r.at;
  acceptone(&r, "+-");
  if (acceptone(&r, "0")) {
    hex = acceptone(&r, "xX");
    digits = !hex;
  }
  digits += acceptdigits(&r, hex);
  if (acceptone(&r, points))
    digits += acceptdigits(&r, hex);
  if (digits > 0 && acceptone(&r, hex ? "pP" : "eE")) {
    acceptone(&r, "+-");
    whole = acceptdigits(&r, 0) > 0;
  }
  if (r.dry)
    return MORE;
  it->nothing = digits == 0 || !whole || r.toolong;
  return take(it, v, r.len, r.len);
}

static void pushdata (lua_State *L, const item *it, const char *data) {
  lua_pushlstring(L, data + it->from, it->len);
}

static void pushnumber (lua_State *L, const item *it, const char *data) {
  char text[MAXNUMERAL + 1];
  memcpy(text, data + it->from, it->len);
  text[it->len] = '\0';
  (void)lua_stringtonumber(L, text); /* findnumber has seen that it is one */
}

static void setformat (item *it, enum found (*find)(item *, view *), size_t n, int keep) {
  it->find = find;
  it->push = find == findnumber ? pushnumber : pushdata;
  it->n = n;
  it->searched = 0;
  it->pattern = NULL;
  it->keep = (unsigned char)keep;
}

static void checkformat (lua_State *L, int arg, item *it) {
  if (lua_type(L, arg) == LUA_TNUMBER) {
    lua_Integer n = luaL_checkinteger(L, arg);
    luaL_argcheck(L, n >= 0, arg, "count must not be negative");
    size_t count = (lua_Unsigned)n > SIZE_MAX ? SIZE_MAX : (size_t)n;
    setformat(it, n == 0 ? findend : findcount, count, 0);
    return;
  }
  const char *format = luaL_checkstring(L, arg);
  if (*format == '*') /* as in older Luas */
    format++;
  switch (*format) {
    case 'l': setformat(it, findline, 0, 0); break;
    case 'L': setformat(it, findline, 0, 1); break;
    case 'n': setformat(it, findnumber, 0, 0); break;
    case 'a': setformat(it, findall, 0, 0); break;
    default: luaL_argerror(L, arg, "invalid format");
  }
}

/* ==== reading ==== */

#define FEW 2

typedef struct read_op {
  bs_op op;
  item *items; /* NULL: in `few` */
  int n;
  int made;      /* so many values there are */
  size_t used;   /* bytes that they take */
  uint64_t what; /* stands for the formats */
  int ended, probed;
  item few[FEW];
} read_op;

static item *itemsof (read_op *r) {
  return r->items != NULL ? r->items : r->few;
}

#define LINES 1 /* stands for a line alone */

static uint64_t mix (uint64_t h, uint64_t more) { /* as FNV-1a does with bytes */
  return (h ^ more) * 0x100000001b3u;
}

/* A number for what is sought, never 0: of the formats before, and of this one. */
static uint64_t whatof (uint64_t before, const item *it) {
  uint64_t h = mix(mix(before, (uint64_t)(uintptr_t)it->find), it->n);
  for (size_t i = 0; it->pattern != NULL && i < it->patternlen; i++)
    h = mix(h, (unsigned char)it->pattern[i]);
  return before == 0 && it->find == findline ? LINES : h | 2;
}

/* Goes through the formats from r->made on, until one does not get what it wants. *reached: where that one begins. */
static BS_STRAIGHT enum found matchfrom (read_op *r, view *v, size_t *reached) {
  enum found found = FOUND;
  for (; r->made < r->n; r->made++) {
    item *it = &itemsof(r)[r->made];
    it->nothing = 0;
    *reached = v->at;
    found = it->find(it, v);
    if (found != FOUND)
      break;
    if (it->nothing) {
      r->made++;
      break;
    }
  }
  return found;
}

/* The same from the first one on. */
static enum found matchall (read_op *r, view *v, size_t *reached) {
  for (int i = 0; i < r->n; i++)
    itemsof(r)[i].searched = 0;
  r->made = 0;
  v->at = 0;
  return matchfrom(r, v, reached);
}

/* Have all what they want? Those that had found it before are not asked again until the others have, too. */
static enum found match (read_op *r) {
  view v;
  size_t reached = 0;
  enum found found = MORE;
  look(&v, r->op.sock, r->ended);
  v.probed = r->probed;
  int known = v.c != NULL && v.c->sought == r->what && v.c->made < r->n;
  if (known) {
    r->made = v.c->made;
    v.at = v.c->reached;
    itemsof(r)[r->made].searched = v.c->searched;
    for (int i = r->made + 1; i < r->n; i++)
      itemsof(r)[i].searched = 0;
    found = matchfrom(r, &v, &reached);
  }
  if (!known || (found == FOUND && v.c->made > 0))
    found = matchall(r, &v, &reached);
  r->used = v.at;
  if (found == TOOLONG)
    r->op.error = EMSGSIZE;
  else if (found != FOUND && v.c != NULL) {
    v.c->sought = r->what;
    v.c->scant = found == MORE;
    v.c->made = r->made;
    v.c->reached = reached;
    v.c->searched = itemsof(r)[r->made].searched;
  }
  return found;
}

static int read_step (bs_op *o, bs_time patience) {
  read_op *r = (read_op *)o;
  bs_socket *s = o->sock;
  if (s->fd < 0) {
    o->error = EBADF;
    return BS_DONE;
  }
  enum found found = match(r);
  if (found == FOUND || found == TOOLONG)
    return BS_DONE;
  bs_chunk *c = bs_roomafter(s, READAHEAD);
  if (c == NULL) {
    o->error = BS_ENOMEM;
    return BS_DONE;
  }
  size_t room = c->size - c->end;
  int peeked = bs_peekoff(s);
  ssize_t got =
    bs_recv(s, c->data + c->end, room, bs_dontwait(found == PROBE ? BS_NEVER : patience));
  if (got < 0) {
    int err = errno;
    if (err == EINTR)
      return BS_AGAIN;
    if (bs_isagain(err) && found == MORE)
      return bs_wantof(s, BS_READ);
    if (bs_isagain(err))
      r->probed = 1;
    else
      o->error = err;
  }
  else if (got == 0)
    r->ended = 1;
  else {
    bs_came(s, c, (size_t)got, peeked);
    bs_readheld(s);
    r->probed = 0;
  }
  if (o->error != 0)
    return BS_DONE;
  found = match(r);
  return found == FOUND || found == TOOLONG ? BS_DONE : BS_AGAIN;
}

/* Pushes the values, and gives their number. Making one may run the collector, and so anything: where the bytes are is
** asked anew for each. */
static int pushvalues (lua_State *L, read_op *r) {
  bs_socket *s = r->op.sock;
  size_t n = r->used;
  luaL_checkstack(L, r->made, "too many values");
  for (int i = 0; i < r->made; i++) {
    view v;
    const item *it = &itemsof(r)[i];
    look(&v, s, 0);
    if (v.n < n) { /* a finalizer reads from this very socket, or has closed it */
      r->op.error = s->fd < 0 ? EBADF : EBUSY;
      return 0;
    }
    n = v.n;
    if (it->nothing)
      lua_pushnil(L);
    else
      it->push(L, it, n > 0 ? bytes(&v) : "");
  }
  bs_consumed(s, n, r->used);
  return r->made;
}

static int read_finish (lua_State *L, bs_op *o) {
  int n = o->error == 0 ? pushvalues(L, (read_op *)o) : 0;
  if (o->st->waiter && bs_readable(o->sock))
    bs_tellleft(L, o->sock, 1);
  return o->error != 0 ? bs_failop(L, o, NULL) : n;
}

/* An iterator has no place for nil, message, code: it raises, as that of file:lines does. */
static int lines_finish (lua_State *L, bs_op *o) {
  int n = o->error == 0 ? pushvalues(L, (read_op *)o) : 0;
  if (o->st->waiter && bs_readable(o->sock))
    bs_tellleft(L, o->sock, 1);
  return o->error != 0 ? bs_raiseop(L, o) : n;
}

static const bs_kind read_kind = {BS_CALL("read", read_op), .traits = BS_RECEIVETRAITS,
                                  .step = read_step, .finish = read_finish};
static const bs_kind lines_kind = {BS_CALL("lines", read_op), .traits = BS_RECEIVETRAITS,
                                   .step = read_step, .finish = lines_finish};
static const bs_kind readuntil_kind = {BS_CALL("readuntil", read_op), .traits = BS_RECEIVETRAITS,
                                       .step = read_step, .finish = read_finish};

static void initread (read_op *r, const bs_kind *kind, bs_socket *s) {
  bs_initop(&r->op, kind, s->st, s);
  r->items = NULL;
  r->n = 1;
  r->ended = r->probed = 0;
}

/* The socket is at 1, and the formats from 2 on. */
static int doread (lua_State *L, const bs_kind *kind, bs_socket *s) {
  read_op r;
  int top = lua_gettop(L);
  initread(&r, kind, s);
  if (top == 1)
    setformat(&r.few[0], findline, 0, 0);
  else
    r.n = top - 1;
  r.what = top == 1 ? LINES : 0;
  if (r.n > FEW)
    r.items = (item *)lua_newuserdatauv(L, (size_t)r.n * sizeof(item), 0);
  int ends = top > 1; /* is nothing asked but whether it has ended? That waits for nothing */
  for (int arg = 2; arg <= top; arg++) {
    item *it = &itemsof(&r)[arg - 2];
    checkformat(L, arg, it);
    ends = ends && it->find == findend;
    r.what = whatof(r.what, it);
  }
  r.op.beside = r.op.flagged = (unsigned char)ends;
  return bs_run(L, &r.op);
}

/* s:read(...) */
static int read_read (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  if (s->type != SOCK_STREAM)
    return bs_nostream(L, s, "read");
  return doread(L, &read_kind, s);
}

/* upvalues of the iterators, which are all they have */
#define LOOPSOCKET lua_upvalueindex(1)
#define LOOPFORMATS lua_upvalueindex(2) /* how many, and then each */
#define LOOPFORMAT(i) lua_upvalueindex(2 + (i))
#define MOSTFORMATS (255 - 2)

/* One step of a loop over lines. One that has arrived already as a whole needs no more than this. */
static BS_STRAIGHT int nextline (lua_State *L, int keep) {
  bs_socket *s = (bs_socket *)lua_touserdata(L, LOOPSOCKET);
  item line;
  view v;
  line.keep = (unsigned char)keep;
  look(&v, s, 0);
  line.searched = v.c != NULL && v.c->sought == LINES ? v.c->searched : 0;
  if (BS_LIKELY(v.n > 0 && (s->st->aside == 0 || (!(s->marks & BS_IN) && bs_hasturn(s->st))) &&
                findline(&line, &v) == FOUND)) {
    lua_pushlstring(L, bytes(&v) + line.from, line.len);
    bs_consumed(s, v.n, v.at);
    return 1;
  }
  lua_settop(L, 0);
  lua_pushvalue(L, LOOPSOCKET);
  lua_pushstring(L, keep ? "L" : "l");
  return doread(L, &lines_kind, s);
}

static int lines_next (lua_State *L) {
  return nextline(L, 0);
}

static int wholelines_next (lua_State *L) {
  return nextline(L, 1);
}

static int formats_next (lua_State *L) {
  int n = (int)lua_tointeger(L, LOOPFORMATS);
  lua_settop(L, 0);
  luaL_checkstack(L, n + LUA_MINSTACK, "too many formats");
  lua_pushvalue(L, LOOPSOCKET);
  for (int i = 1; i <= n; i++)
    lua_pushvalue(L, LOOPFORMAT(i));
  return doread(L, &lines_kind, (bs_socket *)lua_touserdata(L, 1));
}

/* for line in s:lines(...) do */
static int read_lines (lua_State *L) {
  bs_checkstream(L, "lines");
  int n = lua_gettop(L) - 1;
  item it;
  luaL_argcheck(L, n <= MOSTFORMATS, MOSTFORMATS + 2, "too many arguments");
  for (int arg = 2; arg <= n + 1; arg++)
    checkformat(L, arg, &it);
  if (n == 0 || (n == 1 && it.find == findline)) {
    lua_settop(L, 1);
    lua_pushcclosure(L, n == 1 && it.keep ? wholelines_next : lines_next, 1);
  }
  else {
    lua_pushinteger(L, n);
    lua_insert(L, 2);
    lua_pushcclosure(L, formats_next, lua_gettop(L));
  }
  return 1;
}

static size_t checkbound (lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, n >= 1, arg, "a bound is at least one byte");
  return (lua_Unsigned)n > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)n;
}

/* s:readuntil(delimiter [, max]) */
static int read_readuntil (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  read_op r;
  item *it = &r.few[0];
  initread(&r, &readuntil_kind, s);
  setformat(it, finduntil, s->face != NULL ? s->face->maxline : BS_MAXLINE, 1);
  it->pattern = luaL_checklstring(L, 2, &it->patternlen);
  luaL_argcheck(L, it->patternlen > 0, 2, "empty delimiter");
  if (!lua_isnoneornil(L, 3))
    it->n = checkbound(L, 3);
  if (s->type != SOCK_STREAM)
    return bs_nostream(L, s, "readuntil");
  r.what = whatof(0, it);
  return bs_run(L, &r.op);
}

/* s:setmaxline(n) */
static int read_setmaxline (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  size_t n = checkbound(L, 2);
  if (s->fd < 0)
    return bs_fail(L, "setmaxline", EBADF);
  bs_checkface(L, s)->maxline = n;
  lua_settop(L, 1);
  return 1;
}

/* s:pending() */
static int read_pending (lua_State *L) {
  const bs_socket *s = bs_checksocket(L, 1);
  const bs_chunk *c = bs_chunkof(s);
  if (s->fd < 0)
    return bs_fail(L, "pending", EBADF);
  lua_pushinteger(L, c != NULL ? (lua_Integer)(c->end - c->start) : 0);
  return 1;
}

static const luaL_Reg methods[] = {
  {"lines", read_lines},         {"pending", read_pending},       {"read", read_read},
  {"readuntil", read_readuntil}, {"setmaxline", read_setmaxline}, {NULL, NULL},
};

void bs_openread (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
