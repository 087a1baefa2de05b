/*
** resolve.c: names of hosts, services and protocols, to and from numbers. What a sockaddr looks
** like in Lua is address.c's business.
**
** Each question to the system is an operation whose struct holds all that its step reads and finds,
** the names included: a copy of it may be stepped in a helper thread (thread.c), far from any Lua state.
** What is numeric is found out first, so that the resolver is never asked about it: such a step never
** waits. Services and protocols are read from files of this machine: nobody is to wait for these, either.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "base/constant.h"
#include "base/error.h"
#include "base/open.h"
#include "call/target.h"
#include "object/hint.h"
#include "object/inet.h"
#include "op/run.h"

#define LIST "bsdsocket.addrinfo" /* metatable of the userdata that holds a list */

/* ---- addresses that are numbers ---- */

static void cleanhints (struct addrinfo *hints, int family, int type, int flags) {
  memset(hints, 0, sizeof(*hints));
  hints->ai_family = family;
  hints->ai_socktype = type;
  hints->ai_flags = flags;
}

/* The first address of a list; the list is gone then. */
static void takefirst (struct addrinfo *list, bs_address *a) {
  a->len = list->ai_addrlen <= sizeof(a->u) ? list->ai_addrlen : (socklen_t)sizeof(a->u);
  memcpy(&a->u, list->ai_addr, a->len);
  freeaddrinfo(list);
}

/* True if `host` is numeric in any spelling: "127.1", "fe80::1%eth0". What has a colon tries to be,
** as no name has one. */
static int numeric (const char *host) {
  struct addrinfo hints, *list;
  if (strchr(host, ':') != NULL)
    return 1;
  cleanhints(&hints, AF_UNSPEC, SOCK_STREAM, AI_NUMERICHOST);
  if (getaddrinfo(host, NULL, &hints, &list) != 0)
    return 0;
  freeaddrinfo(list);
  return 1;
}

/* ---- questions ---- */

/* What getaddrinfo is asked. The operations below begin with one. */
typedef struct query {
  bs_op op;
  int eai; /* what it answered */
  struct addrinfo hints;
  char host[NI_MAXHOST];        /* empty: none */
  char service[BS_SERVICESIZE]; /* empty: none */
} query;

static void initquery (lua_State *L, query *q, const bs_kind *kind, double timeout) {
  bs_initop(&q->op, kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  q->op.timeout = timeout;
  q->eai = 0;
  q->host[0] = q->service[0] = '\0';
}

/* Sets the host, and the flag that keeps the resolver out if it is numeric. (Some systems take "*"
** for the loopback interface; here it is no host's name.) */
static void sethost (query *q, const char *host, size_t len) {
  if (len == 0 || len >= sizeof(q->host) || strcmp(host, "*") == 0) {
    q->eai = EAI_NONAME;
    return;
  }
  memcpy(q->host, host, len + 1);
  if (numeric(host))
    q->hints.ai_flags |= AI_NUMERICHOST;
}

/* EMFILE or ENFILE if there is no descriptor left, else 0. */
static int shortage (void) {
  int fd = open("/", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == EMFILE || errno == ENFILE ? errno : 0;
  close(fd);
  return 0;
}

/* What a step answers after the system did; `err` is errno, which was 0 before. Without a descriptor to read
** its files by, the C library says that names and services are not there, or asks to try again, and errno
** need not know better. */
static int answer (bs_op *op, int eai, int err) {
  if (eai != 0 && err != EMFILE && err != ENFILE) {
    int lack = shortage();
    err = lack != 0 ? lack : err;
  }
#if defined(EAI_SYSTEM)
  if (eai == EAI_SYSTEM && err == EINTR)
    return BS_AGAIN;
  if (eai == EAI_SYSTEM)
    op->error = err != 0 ? err : EIO;
#endif
  if (err == EMFILE || err == ENFILE)
    op->error = err;
  return BS_DONE;
}

static int ask (query *q, bs_time patience, struct addrinfo **list) {
  const char *host = q->host[0] != '\0' ? q->host : NULL;
  if (patience == BS_NEVER && host != NULL && !(q->hints.ai_flags & AI_NUMERICHOST))
    return BS_BLOCK;
  errno = 0;
  q->eai = getaddrinfo(host, q->service[0] != '\0' ? q->service : NULL, &q->hints, list);
  return answer(&q->op, q->eai, q->eai != 0 ? errno : 0);
}

static int failed (const query *q) {
  return q->eai != 0 || q->op.error != 0;
}

/* Host and service as they were given, at arg and arg + 1: what a message is about. */
static const char *pushsubject (lua_State *L, int arg) {
  const char *host = lua_isstring(L, arg) ? lua_tostring(L, arg) : "";
  if (lua_isnoneornil(L, arg + 1))
    return lua_pushstring(L, host);
  const char *form = strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s";
  return lua_pushfstring(L, form, host, luaL_tolstring(L, arg + 1, NULL));
}

static int fail (lua_State *L, const query *q, const char *call, int arg) {
  int err = q->op.error;
  if (err == EAGAIN || err == BS_ETIMEOUT) /* constant messages */
    return bs_fail(L, call, err);
  const char *subject = pushsubject(L, arg);
  if (*subject == '\0')
    subject = NULL;
  else if (err == 0)
    subject = lua_pushfstring(L, "%s%s", subject,
                              bs_hintlookup(lua_isstring(L, arg) ? lua_tostring(L, arg) : "",
                                            lua_tostring(L, arg + 1), q->eai));
  return err != 0 ? bs_failtext(L, call, subject, err) : bs_faileai(L, call, subject, q->eai, 0);
}

/* ---- bs_withname ---- */

typedef struct naming {
  query q;
  const char *call;
  bs_next next;
  int arg;
  bs_target target;
} naming;

static int withname_step (bs_op *op, bs_time patience) {
  naming *n = (naming *)op;
  struct addrinfo *list;
  bs_address found;
  int want = ask(&n->q, patience, &list);
  if (want == BS_DONE && !failed(&n->q)) {
    takefirst(list, &found);
    if (n->target.port == BS_NOPORT)
      n->target.port = bs_getport(&found);
    if (!n->target.known)
      n->target.address = found;
  }
  return want;
}

static int withname_finish (lua_State *L, bs_op *op) {
  naming *n = (naming *)op;
  if (failed(&n->q))
    return fail(L, &n->q, n->call, n->arg);
  return n->next(L, bs_settarget(L, n->arg, &n->target), n->q.op.began);
}

static const char *withname_call (const bs_op *op) {
  return ((const naming *)op)->call;
}

static const bs_kind withname_kind = {BS_CALL("getaddrinfo", naming),
                                      .traits = BS_BLOCKS | BS_OPENS, .step = withname_step,
                                      .finish = withname_finish, .call = withname_call};

int bs_withname (lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                 bs_next next) {
  naming n;
  bs_target *t = &n.target;
  initquery(L, &n.q, &withname_kind, s != NULL ? s->timeout[1] : -1);
  n.call = call;
  n.next = next;
  n.arg = arg;
  bs_checktarget(L, arg, family, t);
  if (s != NULL && s->fd < 0)
    return bs_failtext(L, call, pushsubject(L, arg), EBADF);
  /* With a port there is no service to look up, and any type does to get each address once. */
  cleanhints(&n.q.hints, family, t->port != BS_NOPORT ? SOCK_STREAM : s != NULL ? s->type : 0, 0);
  if (!t->known)
    sethost(&n.q, t->host, t->len);
  if (t->port == BS_NOPORT && t->service[0] == '\0')
    n.q.eai = EAI_SERVICE;
  memcpy(n.q.service, t->service, sizeof(t->service));
  if (failed(&n.q))
    return fail(L, &n.q, call, arg);
  n.q.op.began = bs_now();
  return bs_runaside(L, &n.q.op);
}

/* ---- getaddrinfo ---- */

typedef struct listing {
  query q;
  struct addrinfo *list;
} listing;

#define LISTAT 4 /* where on the stack is the userdata that finish puts the list into */

static void freelist (struct addrinfo **list) {
  if (*list != NULL)
    freeaddrinfo(*list);
  *list = NULL;
}

static int list_gc (lua_State *L) {
  freelist((struct addrinfo **)lua_touserdata(L, 1));
  return 0;
}

static void pushlist (lua_State *L) {
  struct addrinfo **list = (struct addrinfo **)lua_newuserdatauv(L, sizeof(*list), 0);
  *list = NULL;
  luaL_setmetatable(L, LIST);
}

static int getaddrinfo_step (bs_op *op, bs_time patience) {
  listing *l = (listing *)op;
  return ask(&l->q, patience, &l->list);
}

static void getaddrinfo_drop (bs_op *op) {
  freelist(&((listing *)op)->list);
}

static void setinteger (lua_State *L, const char *key, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

static int getaddrinfo_finish (lua_State *L, bs_op *op) {
  listing *l = (listing *)op;
  struct addrinfo **list = (struct addrinfo **)lua_touserdata(L, LISTAT);
  lua_Integer i = 0;
  if (failed(&l->q))
    return fail(L, &l->q, op->kind->name, 1);
  *list = l->list; /* before anything may raise */
  lua_newtable(L);
  for (const struct addrinfo *ai = *list; ai != NULL; ai = ai->ai_next) {
    lua_createtable(L, 0, 5);
    setinteger(L, "family", ai->ai_family);
    setinteger(L, "type", ai->ai_socktype);
    setinteger(L, "protocol", ai->ai_protocol);
    if (ai->ai_canonname != NULL && (l->q.hints.ai_flags & AI_CANONNAME)) { /* musl always has it */
      lua_pushstring(L, ai->ai_canonname);
      lua_setfield(L, -2, "canonname");
    }
    bs_pushaddress(L, ai->ai_addr, ai->ai_addrlen, ai->ai_family);
    lua_setfield(L, -2, "address");
    lua_rawseti(L, -2, ++i);
  }
  freelist(list);
  return 1;
}

static const bs_kind getaddrinfo_kind = {BS_CALL("getaddrinfo", listing),
                                         .traits = BS_BLOCKS | BS_OPENS, .step = getaddrinfo_step,
                                         .finish = getaddrinfo_finish, .drop = getaddrinfo_drop};

static const char *const hint_fields[] = {"family", "type", "protocol", "flags", "timeout", NULL};
static const char *const hint_prefixes[] = {"AF_\0PF_\0", "SOCK_\0", "IPPROTO_\0", "AI_\0", NULL};

/* The hints are at arg. */
static void checkhints (lua_State *L, int arg, query *q) {
  bs_place at = {arg, 0, NULL, 0, NULL};
  int *const values[] = {&q->hints.ai_family, &q->hints.ai_socktype, &q->hints.ai_protocol,
                         &q->hints.ai_flags};
  bs_checkfields(L, &at, arg, hint_fields);
  for (int i = 0; hint_fields[i] != NULL; i++) {
    at.field = hint_fields[i];
    if (lua_getfield(L, arg, at.field) != LUA_TNIL) {
      if (hint_prefixes[i] != NULL)
        *values[i] = bs_checknamed(L, &at, -1, hint_prefixes[i]);
      else if (lua_type(L, -1) != LUA_TNUMBER)
        bs_unexpected(L, &at, -1, "number");
      else if (!(lua_tonumber(L, -1) >= 0)) /* NaN is not >= 0 */
        bs_mistake(L, &at, "must not be negative or NaN");
      else
        q->op.timeout = bs_checktimeout(L, -1);
    }
    lua_pop(L, 1);
  }
}

/* getaddrinfo(host, service [, hints]) */
static int resolve_getaddrinfo (lua_State *L) {
  listing l;
  size_t len = 0;
  const char *host = NULL;
  initquery(L, &l.q, &getaddrinfo_kind, -1);
  cleanhints(&l.q.hints, AF_UNSPEC, 0, 0);
  lua_settop(L, 3);
  if (!lua_isnil(L, 1) && lua_type(L, 1) != LUA_TSTRING)
    bs_notarget(L, 1, 1, "string");
  if (!lua_isnil(L, 1))
    host = bs_checkhost(L, 1, &len);
  if (!lua_isnil(L, 2)) {
    int port = bs_checkservice(L, 2, l.q.service);
    if (port != BS_NOPORT)
      snprintf(l.q.service, sizeof(l.q.service), "%d", port);
    else if (l.q.service[0] == '\0')
      l.q.eai = EAI_SERVICE;
  }
  if (!lua_isnil(L, 3))
    checkhints(L, 3, &l.q);
  if (host != NULL)
    sethost(&l.q, host, len);
  l.list = NULL;
  pushlist(L);
  return failed(&l.q) ? fail(L, &l.q, l.q.op.kind->name, 1) : bs_runaside(L, &l.q.op);
}

/* ---- getnameinfo ---- */

typedef struct reverse {
  bs_op op;
  int eai;
  int flags;
  bs_address address;
  char host[NI_MAXHOST];
  char service[BS_SERVICESIZE];
} reverse;

static int getnameinfo_step (bs_op *op, bs_time patience) {
  reverse *r = (reverse *)op;
  if (patience == BS_NEVER && !(r->flags & NI_NUMERICHOST))
    return BS_BLOCK;
  errno = 0;
  r->eai = getnameinfo(&r->address.u.sa, r->address.len, r->host, sizeof(r->host), r->service,
                       sizeof(r->service), r->flags);
  return answer(op, r->eai, errno);
}

static int getnameinfo_finish (lua_State *L, bs_op *op) {
  reverse *r = (reverse *)op;
  char text[BS_ADDRTEXT];
  if (op->error != 0)
    return bs_failop(L, op, &r->address);
  if (r->eai != 0)
    return bs_faileai(L, op->kind->name, bs_addresstext(&r->address, text), r->eai, 0);
  lua_pushstring(L, r->host);
  lua_pushstring(L, r->service);
  return 2;
}

static const bs_kind getnameinfo_kind = {BS_CALL("getnameinfo", reverse),
                                         .traits = BS_BLOCKS | BS_OPENS, .step = getnameinfo_step,
                                         .finish = getnameinfo_finish};

/* getnameinfo(address [, flags]) */
static int resolve_getnameinfo (lua_State *L) {
  reverse r;
  const bs_address *a = bs_checkaddress(L, 1);
  int family = a->u.sa.sa_family;
  bs_initop(&r.op, &getnameinfo_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  r.flags = bs_optconstant(L, 2, "NI_\0", 0);
  r.eai = 0;
  memset(&r.address, 0, sizeof(r.address));
  memcpy(&r.address, a, offsetof(bs_address, u) + a->len);
  if (family != AF_INET && family != AF_INET6) { /* some systems make up a host for a unix path */
    r.eai = EAI_FAMILY;
    return getnameinfo_finish(L, &r.op);
  }
  return bs_runaside(L, &r.op);
}

/* ---- services: through getaddrinfo and getnameinfo, as getservbyname has static data ---- */

typedef struct transport {
  const char *name;
  int protocol;
} transport;

static const transport transports[] = {
  {"tcp", IPPROTO_TCP},
  {"udp", IPPROTO_UDP},
#ifdef IPPROTO_SCTP
  {"sctp", IPPROTO_SCTP},
#endif
#ifdef IPPROTO_DCCP
  {"dccp", IPPROTO_DCCP},
#endif
#ifdef IPPROTO_UDPLITE
  {"udplite", IPPROTO_UDPLITE},
#endif
  {NULL, 0},
};

static const transport anytransport = {"", 0};

/* The protocol at arg; NULL: one whose services nobody can look up. */
static const transport *opttransport (lua_State *L, int arg) {
  size_t len;
  if (lua_isnoneornil(L, arg))
    return &anytransport;
  const char *name = bs_checkname(L, arg, &len);
  for (const transport *t = transports; t->name != NULL; t++)
    if (strcmp(t->name, name) == 0)
      return t;
  return NULL;
}

typedef struct service {
  bs_op op;
  int eai;
  const transport *t;
  int port;
  char name[BS_SERVICESIZE];
} service;

static void initservice (lua_State *L, service *s, const bs_kind *kind) {
  bs_initop(&s->op, kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  lua_settop(L, 2);
  s->t = opttransport(L, 2);
  s->eai = s->t != NULL ? 0 : EAI_SERVICE;
}

static int failservice (lua_State *L, const service *s) {
  const char *subject = luaL_tolstring(L, 1, NULL);
  if (!lua_isnil(L, 2))
    subject = lua_pushfstring(L, "%s/%s", subject, lua_tostring(L, 2));
  if (s->op.error != 0)
    return bs_failtext(L, s->op.kind->name, subject, s->op.error);
  return bs_faileai(L, s->op.kind->name, subject, s->eai, 0);
}

/* The port of a name; gives an EAI code. */
static int findport (const char *name, const transport *t, int *port) {
  struct addrinfo wanted, *list;
  bs_address a;
  cleanhints(&wanted, AF_INET, 0, 0);
  wanted.ai_protocol = t->protocol;
  int eai = getaddrinfo(NULL, name, &wanted, &list);
  if (eai == 0) {
    takefirst(list, &a);
    *port = bs_getport(&a);
  }
  return eai;
}

static int getservbyname_step (bs_op *op, bs_time patience) {
  service *s = (service *)op;
  (void)patience; /* it reads a file */
  errno = 0;
  s->eai = findport(s->name, s->t, &s->port);
  return answer(op, s->eai, s->eai != 0 ? errno : 0);
}

static int getservbyname_finish (lua_State *L, bs_op *op) {
  service *s = (service *)op;
  if (s->eai != 0 || op->error != 0)
    return failservice(L, s);
  lua_pushinteger(L, s->port);
  return 1;
}

static const bs_kind getservbyname_kind = {
  BS_CALL("getservbyname", service), .traits = BS_TIMED | BS_OPENS, .step = getservbyname_step,
  .finish = getservbyname_finish};

/* getservbyname(name [, proto]) */
static int resolve_getservbyname (lua_State *L) {
  service s;
  size_t len;
  const char *name = bs_checkname(L, 1, &len);
  initservice(L, &s, &getservbyname_kind);
  if (len >= sizeof(s.name) || !bs_hasletter(name))
    s.eai = EAI_SERVICE;
  if (s.eai != 0)
    return failservice(L, &s);
  memcpy(s.name, name, len + 1);
  return bs_run(L, &s.op);
}

/* getnameinfo knows services in two views, TCP's and UDP's. A name out of one of them is the answer
** for another protocol too if it leads back to the port there. */
static int getservbyport_step (bs_op *op, bs_time patience) {
  static const int views[] = {0, NI_DGRAM};
  service *s = (service *)op;
  bs_address a;
  (void)patience; /* it reads a file */
  bs_cleanaddress(&a, AF_INET);
  bs_setport(&a, s->port);
  errno = 0;
  for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
    int port;
    s->eai = getnameinfo(&a.u.sa, a.len, NULL, 0, s->name, sizeof(s->name), views[i]);
    if (s->eai != 0)
      return answer(op, s->eai, errno);
    if (bs_hasletter(s->name) && /* else it has no name, and these are its digits */
        (s->t == &anytransport || (findport(s->name, s->t, &port) == 0 && port == s->port)))
      return BS_DONE;
  }
  s->eai = EAI_SERVICE;
  return answer(op, s->eai, errno);
}

static int getservbyport_finish (lua_State *L, bs_op *op) {
  service *s = (service *)op;
  if (s->eai != 0 || op->error != 0)
    return failservice(L, s);
  lua_pushstring(L, s->name);
  return 1;
}

static const bs_kind getservbyport_kind = {
  BS_CALL("getservbyport", service), .traits = BS_TIMED | BS_OPENS, .step = getservbyport_step,
  .finish = getservbyport_finish};

/* getservbyport(port [, proto]) */
static int resolve_getservbyport (lua_State *L) {
  service s;
  int isport;
  lua_Integer port = lua_tointegerx(L, 1, &isport);
  if (lua_type(L, 1) != LUA_TNUMBER)
    luaL_typeerror(L, 1, "port number");
  s.port = bs_checkport(L, 1, isport, port);
  initservice(L, &s, &getservbyport_kind);
  return s.eai != 0 ? failservice(L, &s) : bs_run(L, &s.op);
}

/* ---- protocols ---- */

typedef struct protocol {
  bs_op op;
  int number;
  char name[BS_SERVICESIZE];
} protocol;

/*
** {======================================================
** getprotobyname has static data, and nothing tells of getprotobyname_r but the library's own name.
** =======================================================
*/
#ifndef BS_HAVE_GETPROTOBYNAME_R
#ifdef __GLIBC__
#define BS_HAVE_GETPROTOBYNAME_R 1
#else
#define BS_HAVE_GETPROTOBYNAME_R 0
#endif
#endif

#if BS_HAVE_GETPROTOBYNAME_R

static int findprotocol (const char *name, int *number) {
  struct protoent entry, *found = NULL;
  char buffer[8192]; /* for one entry's names */
  int err = getprotobyname_r(name, &entry, buffer, sizeof(buffer), &found);
  if (found == NULL)
    return err == ERANGE || err == EINTR || err == EMFILE || err == ENFILE ? err : EPROTONOSUPPORT;
  *number = entry.p_proto;
  return 0;
}

#else /* what has a constant: IPPROTO_UDP is "udp" */

static int findprotocol (const char *name, int *number) {
  char constant[sizeof("IPPROTO_") + BS_SERVICESIZE] = "IPPROTO_";
  size_t len = strlen(constant);
  lua_Integer value;
  for (; *name != '\0'; name++)
    constant[len++] = (char)('a' <= *name && *name <= 'z' ? *name - 'a' + 'A' : *name);
  constant[len] = '\0';
  if (!bs_findconstant(constant, &value) || value > 255) /* IPPROTO_MAX is none */
    return EPROTONOSUPPORT;
  *number = (int)value;
  return 0;
}

#endif
/* }====================================================== */

static int getprotobyname_step (bs_op *op, bs_time patience) {
  protocol *p = (protocol *)op;
  (void)patience; /* it reads a file */
  op->error = findprotocol(p->name, &p->number);
  if (op->error != EINTR)
    return BS_DONE;
  op->error = 0;
  return BS_AGAIN;
}

static int getprotobyname_finish (lua_State *L, bs_op *op) {
  protocol *p = (protocol *)op;
  if (op->error != 0)
    return bs_failtext(L, op->kind->name, lua_tostring(L, 1), op->error);
  lua_pushinteger(L, p->number);
  return 1;
}

static const bs_kind getprotobyname_kind = {
  BS_CALL("getprotobyname", protocol), .traits = BS_TIMED | BS_OPENS, .step = getprotobyname_step,
  .finish = getprotobyname_finish};

/* getprotobyname(name) */
static int resolve_getprotobyname (lua_State *L) {
  protocol p;
  size_t len;
  const char *name = bs_checkname(L, 1, &len);
  bs_initop(&p.op, &getprotobyname_kind, (bs_state *)lua_touserdata(L, BS_UP_STATE), NULL);
  if (len >= sizeof(p.name)) {
    p.op.error = EPROTONOSUPPORT;
    return getprotobyname_finish(L, &p.op);
  }
  memcpy(p.name, name, len + 1);
  return bs_run(L, &p.op);
}

/* gethostname() */
static int resolve_gethostname (lua_State *L) {
  char name[NI_MAXHOST];
  if (gethostname(name, sizeof(name) - 1) != 0) {
    int err = errno;
    return bs_fail(L, "gethostname", err);
  }
  name[sizeof(name) - 1] = '\0'; /* POSIX leaves it open whether a cut name is terminated */
  lua_pushstring(L, name);
  return 1;
}

static const luaL_Reg functions[] = {
  {"getaddrinfo", resolve_getaddrinfo},
  {"getnameinfo", resolve_getnameinfo},
  {"getservbyname", resolve_getservbyname},
  {"getservbyport", resolve_getservbyport},
  {"getprotobyname", resolve_getprotobyname},
  {"gethostname", resolve_gethostname},
  {NULL, NULL},
};

void bs_openresolve (lua_State *L) {
  luaL_newmetatable(L, LIST);
  lua_pushcfunction(L, list_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  bs_setfuncs(L, BS_AT_MODULE, functions);
}
