/*
** linuxaddress.c: the families of addresses that Linux has beyond those of POSIX: link layer
** (AF_PACKET), the kernel itself (AF_NETLINK), virtual machines (AF_VSOCK) and clusters (AF_TIPC).
** Rows of address.c's table, which has the object and everything common. Each family is here if its
** header is; without its row it is raw bytes.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/constant.h"
#include "base/error.h"
#include "base/netheaders.h"
#include "object/family.h"
#include "object/ip.h"
#include "object/socket.h"

#if (defined(AF_PACKET) && defined(PACKET_HOST)) ||                                                \
  (defined(AF_NETLINK) && defined(NETLINK_ROUTE)) ||                                               \
  (defined(AF_VSOCK) && defined(VMADDR_CID_ANY)) ||                                                \
  (defined(AF_TIPC) && defined(TIPC_SERVICE_ADDR))

/* ---- arguments ---- */

#define MAX32 0xffffffff

static uint32_t checkuint32 (lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, 0 <= n && n <= MAX32, arg, "out of range");
  return (uint32_t)n;
}

/* What is left to do when `form` is filled in. */
static int done (lua_State *L, int arg, const bs_address *form) {
  bs_pushaddress(L, &form->u.sa, form->len, form->u.sa.sa_family);
  lua_replace(L, arg);
  return 0;
}

static bs_address empty (int family, size_t len) {
  bs_address form;
  memset(&form, 0, sizeof(form));
  form.u.sa.sa_family = (sa_family_t)family;
  form.len = (socklen_t)len;
  return form;
}

#endif

/* ---- AF_PACKET: interface, protocol [, hwaddr] ---- */

#if defined(AF_PACKET) && defined(PACKET_HOST)

#define LLOFFSET offsetof(struct sockaddr_ll, sll_addr)
#define HWADDRMAX                                                                                  \
  32 /* MAX_ADDR_LEN of the kernel; the struct shows 8, but goes on behind its end */

static const struct sockaddr_ll *ll (const bs_address *a) {
  return (const struct sockaddr_ll *)(const void *)&a->u;
}

static const char *hwaddr (const bs_address *a) {
  return (const char *)&a->u + LLOFFSET;
}

/* The kernel leaves out at the end what there is none of. */
static void packet_normalize (bs_address *a) {
  struct sockaddr_ll *l = (struct sockaddr_ll *)(void *)&a->u;
  size_t used = LLOFFSET + l->sll_halen;
  if (a->len < (socklen_t)LLOFFSET)
    return;
  if (used > a->len) {
    used = a->len;
    l->sll_halen = (unsigned char)(used - LLOFFSET);
  }
  memset((char *)&a->u + used, 0, sizeof(a->u) - used);
  a->len = (socklen_t)(used > sizeof(*l) ? used : sizeof(*l));
}

static int packet_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                         const bs_socket *s) {
  bs_address form = empty(f->family, sizeof(struct sockaddr_ll));
  struct sockaddr_ll *l = (struct sockaddr_ll *)(void *)&form.u;
  unsigned index;
  int err = 0;
  const char *wrong = bs_tointerface(L, arg, AF_UNSPEC, &index, NULL, &err);
  if (wrong != NULL)
    return luaL_argerror(L, arg, wrong);
  int protocol = bs_checkconstant(L, arg + 1, "ETH_P_\0");
  luaL_argcheck(L, 0 <= protocol && protocol <= 0xffff, arg + 1, "protocol out of range");
  if (!lua_isnoneornil(L, arg + 2)) {
    size_t len;
    luaL_checktype(L, arg + 2, LUA_TSTRING);
    const char *hwaddr = lua_tolstring(L, arg + 2, &len);
    luaL_argcheck(L, len <= HWADDRMAX, arg + 2, "hardware address too long");
    memcpy((char *)l + LLOFFSET, hwaddr, len);
    l->sll_halen = (unsigned char)len;
    if (LLOFFSET + len > form.len)
      form.len = (socklen_t)(LLOFFSET + len);
  }
  if (err != 0)
    return bs_failtext(L, call, luaL_tolstring(L, arg, NULL), s != NULL && s->fd < 0 ? EBADF : err);
  l->sll_ifindex = (int)index;
  l->sll_protocol = htons((uint16_t)protocol);
  return done(L, arg, &form);
}

/* The name is asked for each time, as it may change; nil when there is none. */
static void pushifname (lua_State *L, const bs_address *a) {
  char name[IF_NAMESIZE];
  if (ll(a)->sll_ifindex != 0 && if_indextoname((unsigned)ll(a)->sll_ifindex, name) != NULL)
    lua_pushstring(L, name);
  else
    lua_pushnil(L);
}

static int packet_field (lua_State *L, const bs_address *a, const char *name) {
  const struct sockaddr_ll *l = ll(a);
  if (strcmp(name, "ifname") == 0)
    pushifname(L, a);
  else if (strcmp(name, "ifindex") == 0)
    lua_pushinteger(L, l->sll_ifindex);
  else if (strcmp(name, "protocol") == 0)
    lua_pushinteger(L, ntohs(l->sll_protocol));
  else if (strcmp(name, "hatype") == 0)
    lua_pushinteger(L, l->sll_hatype);
  else if (strcmp(name, "pkttype") == 0)
    lua_pushinteger(L, l->sll_pkttype);
  else if (strcmp(name, "hwaddr") == 0)
    lua_pushlstring(L, hwaddr(a), l->sll_halen);
  else
    return 0;
  return 1;
}

/* The interface by its name, or by its number if it has none (any more). */
static int packet_unpack (lua_State *L, const bs_address *a) {
  pushifname(L, a);
  if (lua_isnil(L, -1))
    lua_pushinteger(L, ll(a)->sll_ifindex);
  packet_field(L, a, "protocol");
  packet_field(L, a, "hwaddr");
  return 3;
}

/* The interface as a number: its name would cost a system call. */
static void packet_text (const bs_address *a, char *text) {
  const struct sockaddr_ll *l = ll(a);
  const char *protocol = bs_constantname("ETH_P_", ntohs(l->sll_protocol));
  int n = snprintf(text, BS_ADDRTEXT, "interface %d", l->sll_ifindex);
  if (protocol != NULL)
    n += snprintf(text + n, (size_t)(BS_ADDRTEXT - n), " %s", protocol);
  else if (l->sll_protocol != 0)
    n += snprintf(text + n, (size_t)(BS_ADDRTEXT - n), " 0x%04x", ntohs(l->sll_protocol));
  for (int i = 0; i < l->sll_halen && n < BS_ADDRTEXT - 4; i++)
    n += snprintf(text + n, (size_t)(BS_ADDRTEXT - n), "%c%02x", i == 0 ? ' ' : ':',
                  (unsigned)(unsigned char)hwaddr(a)[i]);
}

#endif

/* ---- AF_NETLINK: pid, groups ---- */

#if defined(AF_NETLINK) && defined(NETLINK_ROUTE)

static const struct sockaddr_nl *nl (const bs_address *a) {
  return (const struct sockaddr_nl *)(const void *)&a->u;
}

static void netlink_normalize (bs_address *a) {
  struct sockaddr_nl *n = (struct sockaddr_nl *)(void *)&a->u;
  if (a->len < (socklen_t)sizeof(*n))
    return;
  a->len = (socklen_t)sizeof(*n);
  n->nl_pad = 0;
}

static int netlink_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                          const bs_socket *s) {
  bs_address form = empty(f->family, sizeof(struct sockaddr_nl));
  struct sockaddr_nl *n = (struct sockaddr_nl *)(void *)&form.u;
  (void)call;
  (void)s;
  n->nl_pid = checkuint32(L, arg);
  n->nl_groups = checkuint32(L, arg + 1);
  return done(L, arg, &form);
}

static int netlink_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "pid") == 0)
    lua_pushinteger(L, nl(a)->nl_pid);
  else if (strcmp(name, "groups") == 0)
    lua_pushinteger(L, nl(a)->nl_groups);
  else
    return 0;
  return 1;
}

static int netlink_unpack (lua_State *L, const bs_address *a) {
  netlink_field(L, a, "pid");
  netlink_field(L, a, "groups");
  return 2;
}

static void netlink_text (const bs_address *a, char *text) {
  int n = snprintf(text, BS_ADDRTEXT, "netlink %lu", (unsigned long)nl(a)->nl_pid);
  if (nl(a)->nl_groups != 0)
    snprintf(text + n, (size_t)(BS_ADDRTEXT - n), " groups 0x%lx", (unsigned long)nl(a)->nl_groups);
}

#endif

/* ---- AF_VSOCK: cid, port ---- */

#if defined(AF_VSOCK) && defined(VMADDR_CID_ANY)

static const struct sockaddr_vm *vm (const bs_address *a) {
  return (const struct sockaddr_vm *)(const void *)&a->u;
}

/* Flags that the kernel keeps for itself are no part of who it is. */
static void vsock_normalize (bs_address *a) {
  struct sockaddr_vm *v = (struct sockaddr_vm *)(void *)&a->u;
  unsigned cid, port;
  if (a->len < (socklen_t)sizeof(*v))
    return;
  cid = v->svm_cid;
  port = v->svm_port;
  *a = empty(AF_VSOCK, sizeof(*v));
  v->svm_cid = cid;
  v->svm_port = port;
}

/* A number, or VMADDR_CID_ANY and so on, which are no int. */
static uint32_t checkvm (lua_State *L, int arg) {
  lua_Integer n = 0;
  if (lua_type(L, arg) != LUA_TSTRING)
    return checkuint32(L, arg);
  const char *name = lua_tostring(L, arg);
  if (strncmp(name, "VMADDR_", 7) != 0 || strlen(name) != lua_rawlen(L, arg) ||
      !bs_findconstant(name, &n))
    luaL_argerror(L, arg, bs_wrongname(L, arg, "VMADDR_\0"));
  return (uint32_t)n;
}

static int vsock_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                        const bs_socket *s) {
  bs_address form = empty(f->family, sizeof(struct sockaddr_vm));
  struct sockaddr_vm *v = (struct sockaddr_vm *)(void *)&form.u;
  (void)call;
  (void)s;
  v->svm_cid = checkvm(L, arg);
  v->svm_port = checkvm(L, arg + 1);
  return done(L, arg, &form);
}

static int vsock_field (lua_State *L, const bs_address *a, const char *name) {
  if (strcmp(name, "cid") == 0)
    lua_pushinteger(L, vm(a)->svm_cid);
  else if (strcmp(name, "port") == 0)
    lua_pushinteger(L, vm(a)->svm_port);
  else
    return 0;
  return 1;
}

static int vsock_unpack (lua_State *L, const bs_address *a) {
  vsock_field(L, a, "cid");
  vsock_field(L, a, "port");
  return 2;
}

static void vsock_text (const bs_address *a, char *text) {
  char cid[16] = "*", port[16] = "*";
  if (vm(a)->svm_cid != (unsigned)VMADDR_CID_ANY)
    snprintf(cid, sizeof(cid), "%u", vm(a)->svm_cid);
  if (vm(a)->svm_port != (unsigned)VMADDR_PORT_ANY)
    snprintf(port, sizeof(port), "%u", vm(a)->svm_port);
  snprintf(text, BS_ADDRTEXT, "vsock:%s:%s", cid, port);
}

#endif

/* ---- AF_TIPC: {type=, instance= [, upper=] [, scope=] [, node=]}, or {ref=, node=} ---- */

#if defined(AF_TIPC) && defined(TIPC_SERVICE_ADDR)

static const struct sockaddr_tipc *tipc (const bs_address *a) {
  return (const struct sockaddr_tipc *)(const void *)&a->u;
}

static void tipc_normalize (bs_address *a) {
  struct sockaddr_tipc *t = (struct sockaddr_tipc *)(void *)&a->u;
  if (a->len < (socklen_t)sizeof(*t))
    return;
  a->len = (socklen_t)sizeof(*t); /* to members of groups there belongs a second address */
  if (t->addrtype == TIPC_SOCKET_ADDR) {
    t->scope = 0;
    t->addr.name.domain = 0;
  }
}

/* The field of the table at `at`: lo .. hi, or the name of such a constant; or `none`, where it may be absent. */
static lua_Integer tablefield (lua_State *L, bs_place *at, const char *name, lua_Integer lo,
                               lua_Integer hi, lua_Integer none) {
  lua_Integer n = none;
  int type = lua_getfield(L, at->arg, name);
  at->field = name;
  if (type == LUA_TNUMBER)
    n = bs_checkwithin(L, at, -1, lo, hi);
  else if (type != LUA_TNIL || none < 0)
    n = bs_checknamed(L, at, -1, "TIPC_\0");
  if (n < lo || n > hi)
    bs_mistake(L, at, "out of range");
  at->field = NULL;
  lua_pop(L, 1);
  return n;
}

static int has (lua_State *L, int arg, const char *name) {
  int type = lua_getfield(L, arg, name);
  lua_pop(L, 1);
  return type != LUA_TNIL;
}

static uint32_t field32 (lua_State *L, bs_place *at, const char *name, lua_Integer none) {
  return (uint32_t)tablefield(L, at, name, 0, MAX32, none);
}

static const char *const tipc_fields[] = {"type", "instance", "upper", "scope",
                                          "ref",  "node",     NULL};

static void tipc_reference (lua_State *L, bs_place *at, struct sockaddr_tipc *t) {
  int arg = at->arg;
  if (has(L, arg, "type") || has(L, arg, "instance") || has(L, arg, "upper") ||
      has(L, arg, "scope"))
    bs_mistake(L, at, "either a service or the reference of a socket");
  t->addrtype = TIPC_SOCKET_ADDR;
  t->addr.id.ref = field32(L, at, "ref", -1);
  t->addr.id.node = field32(L, at, "node", -1);
}

/* A negative scope withdraws what was bound. */
static void tipc_service (lua_State *L, bs_place *at, struct sockaddr_tipc *t) {
  uint32_t service = field32(L, at, "type", -1), instance = field32(L, at, "instance", -1);
  t->scope =
    (signed char)tablefield(L, at, "scope", -TIPC_NODE_SCOPE, TIPC_NODE_SCOPE, TIPC_CLUSTER_SCOPE);
  if (has(L, at->arg, "upper")) {
    t->addrtype = TIPC_SERVICE_RANGE;
    t->addr.nameseq.type = service;
    t->addr.nameseq.lower = instance;
    t->addr.nameseq.upper = field32(L, at, "upper", -1);
    at->field = "upper";
    if (t->addr.nameseq.upper < instance)
      bs_mistake(L, at, "below the instance");
    at->field = "node";
    if (has(L, at->arg, "node"))
      bs_mistake(L, at, "a range of services has none");
  }
  else {
    t->addrtype = TIPC_SERVICE_ADDR;
    t->addr.name.name.type = service;
    t->addr.name.name.instance = instance;
    t->addr.name.domain = field32(L, at, "node", 0);
  }
}

static int tipc_parse (lua_State *L, int arg, const char *call, const bs_family *f,
                       const bs_socket *s) {
  bs_address form = empty(f->family, sizeof(struct sockaddr_tipc));
  struct sockaddr_tipc *t = (struct sockaddr_tipc *)(void *)&form.u;
  bs_place at = {arg, 0, NULL, 0, NULL};
  (void)call;
  (void)s;
  bs_checkfields(L, &at, arg, tipc_fields);
  if (has(L, arg, "ref"))
    tipc_reference(L, &at, t);
  else
    tipc_service(L, &at, t);
  return done(L, arg, &form);
}

/* Which kinds of addresses have a field: bits 1 << addrtype. */
#define RANGE (1u << TIPC_SERVICE_RANGE)
#define SERVICE (1u << TIPC_SERVICE_ADDR)
#define SOCKET (1u << TIPC_SOCKET_ADDR)

static lua_Integer tipc_value (const bs_address *a, const char *name, unsigned *kinds) {
  const struct sockaddr_tipc *t = tipc(a);
  *kinds = RANGE | SERVICE;
  if (strcmp(name, "type") == 0)
    return t->addr.nameseq.type;
  if (strcmp(name, "instance") == 0)
    return t->addr.nameseq.lower;
  if (strcmp(name, "scope") == 0)
    return t->scope;
  *kinds = RANGE;
  if (strcmp(name, "upper") == 0)
    return t->addr.nameseq.upper;
  *kinds = SOCKET;
  if (strcmp(name, "ref") == 0)
    return t->addr.id.ref;
  *kinds = SERVICE | SOCKET;
  if (strcmp(name, "node") == 0)
    return t->addrtype == TIPC_SOCKET_ADDR ? t->addr.id.node : t->addr.name.domain;
  *kinds = 0;
  return 0;
}

static int tipc_field (lua_State *L, const bs_address *a, const char *name) {
  unsigned kinds;
  lua_Integer value = tipc_value(a, name, &kinds);
  if (tipc(a)->addrtype > 7 || !(kinds & (1u << tipc(a)->addrtype)))
    return 0;
  lua_pushinteger(L, value);
  return 1;
}

static int tipc_unpack (lua_State *L, const bs_address *a) {
  lua_createtable(L, 0, 4);
  for (const char *const *name = tipc_fields; *name != NULL; name++) {
    if (tipc_field(L, a, *name))
      lua_setfield(L, -2, *name);
  }
  return 1;
}

/* As the program tipc(8) writes them: type:instance, and node:reference with the node in hex. */
static void tipc_text (const bs_address *a, char *text) {
  const struct sockaddr_tipc *t = tipc(a);
  if (t->addrtype == TIPC_SOCKET_ADDR)
    snprintf(text, BS_ADDRTEXT, "tipc %lx:%lu", (unsigned long)t->addr.id.node,
             (unsigned long)t->addr.id.ref);
  else {
    int n = snprintf(text, BS_ADDRTEXT, "tipc %lu:%lu", (unsigned long)t->addr.nameseq.type,
                     (unsigned long)t->addr.nameseq.lower);
    if (t->addrtype == TIPC_SERVICE_RANGE)
      snprintf(text + n, (size_t)(BS_ADDRTEXT - n), "-%lu", (unsigned long)t->addr.nameseq.upper);
    else if (t->addr.name.domain != 0)
      snprintf(text + n, (size_t)(BS_ADDRTEXT - n), " at %lx", (unsigned long)t->addr.name.domain);
  }
}

#endif

static const bs_family families[] = {
#if defined(AF_PACKET) && defined(PACKET_HOST)
  {AF_PACKET, LLOFFSET, 3, packet_parse, packet_field, packet_unpack, packet_text,
   packet_normalize},
#endif
#if defined(AF_NETLINK) && defined(NETLINK_ROUTE)
  {AF_NETLINK, sizeof(struct sockaddr_nl), 2, netlink_parse, netlink_field, netlink_unpack,
   netlink_text, netlink_normalize},
#endif
#if defined(AF_VSOCK) && defined(VMADDR_CID_ANY)
  {AF_VSOCK, sizeof(struct sockaddr_vm), 2, vsock_parse, vsock_field, vsock_unpack, vsock_text,
   vsock_normalize},
#endif
#if defined(AF_TIPC) && defined(TIPC_SERVICE_ADDR)
  {AF_TIPC, sizeof(struct sockaddr_tipc), 1, tipc_parse, tipc_field, tipc_unpack, tipc_text,
   tipc_normalize},
#endif
  {AF_UNSPEC, 0, 0, NULL, NULL, NULL, NULL, NULL},
};

const bs_family *bs_linuxfamily (int af) {
  for (const bs_family *f = families; f->parse != NULL; f++) {
    if (f->family == af)
      return f;
  }
  return NULL;
}
