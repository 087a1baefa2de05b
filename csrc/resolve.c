/*
** resolve.c: names of hosts, services and protocols, to and from numbers. What a sockaddr looks
** like in Lua is address.c's business.
**
** Each question to the system is an operation whose struct holds all that its step reads and finds,
** the names included: a copy of it may be stepped in a helper thread (thread.c), far from any Lua state.
** What is numeric is found out first, so that the resolver is never asked about it: such a step never
** waits. Services and protocols are read from files of this machine: nobody is to wait for these, either.
*/
#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bsdsocket.h"

#define LIST "bsdsocket.addrinfo" /* metatable of the userdata that holds a list */
#define SERVICESIZE 256           /* of a service's name; RFC 6335 allows 15 bytes */
#define MAXPORT 65535
#define NAMED (-1) /* in place of a port: it has a name, and must be looked up */

/* ---- arguments ---- */

/* A string without zeros; a number is none. */
static const char *checkname (lua_State *L, int arg, size_t *len) {
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *name = lua_tolstring(L, arg, len);
  luaL_argcheck(L, strlen(name) == *len, arg, "string contains zeros");
  return name;
}

const char *bs_barehost (lua_State *L, int idx, size_t *len) {
  const char *host = lua_tolstring(L, idx, len);
  idx = lua_absindex(L, idx);
  if (*len > 2 && host[0] == '[' && host[*len - 1] == ']' && strchr(host, ':') != NULL) {
    lua_pushlstring(L, host + 1, *len - 2);
    lua_replace(L, idx);
    host = lua_tolstring(L, idx, len);
  }
  return host;
}

static const char *checkhost (lua_State *L, int arg, size_t *len) {
  const char *host = checkname(L, arg, len);
  return host[0] == '[' ? bs_barehost(L, arg, len) : host;
}

/* Raises: it is no host, or no port, and perhaps both in another notation. */
static int notarget (lua_State *L, int arg, int host, const char *what) {
  const char *hint = bs_hinttarget(L, host, host + 1); /* before a push puts something there */
  return luaL_argerror(L, arg, lua_pushfstring(L, "%s%s", bs_expected(L, arg, what), hint));
}

static int checkport (lua_State *L, int arg, int isport, lua_Integer port) {
  luaL_argcheck(L, isport && 0 <= port && port <= MAXPORT, arg,
                "port out of range: integer from 0 to 65535 expected");
  return (int)port;
}

/* Every service has one (RFC 6335). What has none, the system would read as a number, cut to 16
** bits: " 80", "+80", "-1". */
static int hasletter (const char *name) {
  for (; *name != '\0'; name++)
    if (((unsigned char)*name | 0x20u) - 'a' < 26u)
      return 1;
  return 0;
}

/* A port after its host: as a number or in digits, or else NAMED and a service's name in `name` (empty: there can
** be no such service). */
static int checkservice (lua_State *L, int arg, char name[SERVICESIZE]) {
  size_t len;
  name[0] = '\0';
  if (lua_type(L, arg) == LUA_TNUMBER) {
    int isport;
    lua_Integer port = lua_tointegerx(L, arg, &isport);
    return checkport(L, arg, isport, port);
  }
  if (lua_type(L, arg) != LUA_TSTRING)
    notarget(L, arg, arg - 1, "port number or service name");
  const char *service = checkname(L, arg, &len);
  if (len > 0 && strspn(service, "0123456789") == len) {
    unsigned long port = strtoul(service, NULL, 10); /* too large a number gives the largest */
    return checkport(L, arg, port <= MAXPORT, (lua_Integer)port);
  }
  if (len < SERVICESIZE && hasletter(service))
    memcpy(name, service, len + 1);
  return NAMED;
}

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

static void setport (bs_address *a, int port) {
  if (a->u.sa.sa_family == AF_INET)
    a->u.in.sin_port = htons((uint16_t)port);
  else
    a->u.in6.sin6_port = htons((uint16_t)port);
}

static int getport (const bs_address *a) {
  return ntohs(a->u.sa.sa_family == AF_INET ? a->u.in.sin_port : a->u.in6.sin6_port);
}

/* An address of AF_INET or AF_INET6 with all else zero; gives the place of its bytes. */
static void *cleanaddress (bs_address *a, int family) {
  memset(&a->u.in6, 0, sizeof(a->u.in6)); /* the larger one */
  if (family == AF_INET) {
    a->u.in.sin_family = AF_INET;
    a->len = sizeof(a->u.in);
    return &a->u.in.sin_addr;
  }
  a->u.in6.sin6_family = AF_INET6;
  a->len = sizeof(a->u.in6);
  return &a->u.in6.sin6_addr;
}

/* The address of AF_INET or AF_INET6 that `host` is without being a name, if it is one as nearly
** everybody spells them. */
static int literal (const char *host, int family, bs_address *a) {
  void *bytes = cleanaddress(a, family);
  if (host[0] == '\0' || strcmp(host, "*") == 0)
    return 1; /* any: all zero, in both families */
  if (family == AF_INET && strcmp(host, "<broadcast>") == 0) {
    a->u.in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    return 1;
  }
  return inet_pton(family, host, bytes) == 1;
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
  char host[NI_MAXHOST];     /* empty: none */
  char service[SERVICESIZE]; /* empty: none */
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
  if (patience == BS_NEVER && host != NULL && !(q->hints.ai_flags & AI_NUMERICHOST)) {
    q->op.error = EAGAIN;
    return BS_DONE;
  }
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
  int port;             /* or NAMED */
  lua_Integer flowinfo; /* -1: not given */
  lua_Integer scope;    /* the same */
  int known;            /* the host was: only the port is asked for */
  bs_address address;
} naming;

static int withname_step (bs_op *op, bs_time patience) {
  naming *n = (naming *)op;
  struct addrinfo *list;
  bs_address found;
  int want = ask(&n->q, patience, &list);
  if (want == BS_DONE && !failed(&n->q)) {
    takefirst(list, &found);
    if (n->port == NAMED)
      n->port = getport(&found);
    if (!n->known)
      n->address = found;
  }
  return want;
}

/* The address is there but for what the resolver does not know. It goes where the host was, and so
** lives for as long as the call. */
static int proceed (lua_State *L, naming *n) {
  bs_address *a = &n->address;
  setport(a, n->port);
  if (n->flowinfo >= 0)
    a->u.in6.sin6_flowinfo = htonl((uint32_t)n->flowinfo);
  if (n->scope >= 0)
    a->u.in6.sin6_scope_id = (uint32_t)n->scope;
  const bs_address *object = bs_pushaddress(L, &a->u.sa, a->len, a->u.sa.sa_family);
  lua_replace(L, n->arg);
  return n->next(L, object, n->q.op.began);
}

static int withname_finish (lua_State *L, bs_op *op) {
  naming *n = (naming *)op;
  return failed(&n->q) ? fail(L, &n->q, n->call, n->arg) : proceed(L, n);
}

static const bs_kind withname_kind =
  BS_KIND("getaddrinfo", naming, BS_BLOCKS | BS_OPENS, withname_step, withname_finish);

const char *bs_callname (const bs_op *op) {
  return op->kind == &withname_kind ? ((const naming *)op)->call : op->kind->name;
}

static lua_Integer optword (lua_State *L, int arg, const char *message) {
  if (lua_isnoneornil(L, arg))
    return -1;
  lua_Integer word = luaL_checkinteger(L, arg);
  luaL_argcheck(L, 0 <= word && word <= UINT32_MAX, arg, message);
  return word;
}

int bs_withname (lua_State *L, int arg, const char *call, int family, const bs_socket *s,
                 bs_next next) {
  naming n;
  size_t len;
  if (lua_type(L, arg) != LUA_TSTRING)
    notarget(L, arg, arg, "host name or address");
  const char *host = checkhost(L, arg, &len);
  luaL_argcheck(L, family == AF_INET || strcmp(host, "<broadcast>") != 0, arg,
                "there is broadcast in AF_INET only");
  initquery(L, &n.q, &withname_kind, s != NULL ? s->timeout[1] : -1);
  n.call = call;
  n.next = next;
  n.arg = arg;
  n.port = checkservice(L, arg + 1, n.q.service);
  n.flowinfo = family == AF_INET6 ? optword(L, arg + 2, "flowinfo out of range") : -1;
  n.scope = family == AF_INET6 ? optword(L, arg + 3, "scope_id out of range") : -1;
  n.known = literal(host, family, &n.address);
  if (n.known && n.port != NAMED)
    return proceed(L, &n);
  if (s != NULL && s->fd < 0)
    return bs_failtext(L, call, pushsubject(L, arg), EBADF);
  /* With a port there is no service to look up, and any type does to get each address once. */
  cleanhints(&n.q.hints, family, n.port != NAMED ? SOCK_STREAM : s != NULL ? s->type : 0, 0);
  if (!n.known)
    sethost(&n.q, host, len);
  if (n.port == NAMED && n.q.service[0] == '\0')
    n.q.eai = EAI_SERVICE;
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

static const bs_kind getaddrinfo_kind =
  BS_DROPKIND("getaddrinfo", listing, BS_BLOCKS | BS_OPENS, getaddrinfo_step, getaddrinfo_finish,
              getaddrinfo_drop);

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
    notarget(L, 1, 1, "string");
  if (!lua_isnil(L, 1))
    host = checkhost(L, 1, &len);
  if (!lua_isnil(L, 2)) {
    int port = checkservice(L, 2, l.q.service);
    if (port != NAMED)
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
  char service[SERVICESIZE];
} reverse;

static int getnameinfo_step (bs_op *op, bs_time patience) {
  reverse *r = (reverse *)op;
  if (patience == BS_NEVER && !(r->flags & NI_NUMERICHOST)) {
    op->error = EAGAIN;
    return BS_DONE;
  }
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

static const bs_kind getnameinfo_kind =
  BS_KIND("getnameinfo", reverse, BS_BLOCKS | BS_OPENS, getnameinfo_step, getnameinfo_finish);

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
  const char *name = checkname(L, arg, &len);
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
  char name[SERVICESIZE];
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
    *port = getport(&a);
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

static const bs_kind getservbyname_kind =
  BS_KIND("getservbyname", service, BS_TIMED | BS_OPENS, getservbyname_step, getservbyname_finish);

/* getservbyname(name [, proto]) */
static int resolve_getservbyname (lua_State *L) {
  service s;
  size_t len;
  const char *name = checkname(L, 1, &len);
  initservice(L, &s, &getservbyname_kind);
  if (len >= sizeof(s.name) || !hasletter(name))
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
  cleanaddress(&a, AF_INET);
  setport(&a, s->port);
  errno = 0;
  for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
    int port;
    s->eai = getnameinfo(&a.u.sa, a.len, NULL, 0, s->name, sizeof(s->name), views[i]);
    if (s->eai != 0)
      return answer(op, s->eai, errno);
    if (hasletter(s->name) && /* else it has no name, and these are its digits */
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

static const bs_kind getservbyport_kind =
  BS_KIND("getservbyport", service, BS_TIMED | BS_OPENS, getservbyport_step, getservbyport_finish);

/* getservbyport(port [, proto]) */
static int resolve_getservbyport (lua_State *L) {
  service s;
  int isport;
  lua_Integer port = lua_tointegerx(L, 1, &isport);
  if (lua_type(L, 1) != LUA_TNUMBER)
    luaL_typeerror(L, 1, "port number");
  s.port = checkport(L, 1, isport, port);
  initservice(L, &s, &getservbyport_kind);
  return s.eai != 0 ? failservice(L, &s) : bs_run(L, &s.op);
}

/* ---- protocols ---- */

typedef struct protocol {
  bs_op op;
  int number;
  char name[SERVICESIZE];
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
  char constant[sizeof("IPPROTO_") + SERVICESIZE] = "IPPROTO_";
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

static const bs_kind getprotobyname_kind = BS_KIND("getprotobyname", protocol, BS_TIMED | BS_OPENS,
                                                   getprotobyname_step, getprotobyname_finish);

/* getprotobyname(name) */
static int resolve_getprotobyname (lua_State *L) {
  protocol p;
  size_t len;
  const char *name = checkname(L, 1, &len);
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
