/*
** control.c: control data of messages, as it looks in C and in Lua. A kind that has a value in Lua is one row
** of `kinds`: how the value becomes bytes, and the bytes a value; all others are bytes. Also the checks of the
** tables that sendmsg.c and recvmsg.c are given. Nothing is sent or received here.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/netheaders.h"
#include "object/address.h"
#include "object/control.h"
#include "object/ip.h"

/* ==== one entry after the other ==== */

/* By hand, as CMSG_NXTHDR of some C libraries (glibc's up to 2.35) passes over a last entry whose padding is not in the
** room: descriptors in it would be lost. */
int bs_nextcontrol (void *bytes, size_t len, size_t *at, bs_control *c) {
  struct cmsghdr head;
  unsigned char *place = (unsigned char *)bytes + *at;
  if (*at > len || len - *at < CMSG_LEN(0))
    return 0;
  memcpy(&head, place, sizeof(head));
  if (head.cmsg_len < CMSG_LEN(0)) /* no entry: where the next one begins nobody could tell */
    return 0;
  size_t most = len - *at - CMSG_LEN(0), size = (size_t)(head.cmsg_len - CMSG_LEN(0));
  c->level = head.cmsg_level;
  c->type = head.cmsg_type;
  c->data = place + CMSG_LEN(0);
  c->len = size < most ? size : most;
  *at = size < most && CMSG_SPACE(size) < len - *at ? *at + CMSG_SPACE(size) : len;
  return 1;
}

/* ==== the kinds ==== */

/* Of one in the kernel's form. */
typedef union Datum {
  int i;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  struct timeval time;
  struct timespec times[3];
  int64_t pair[2];
#if defined(SCM_CREDENTIALS)
  struct ucred cred;
#endif
#if defined(IP_PKTINFO)
  struct in_pktinfo info;
#endif
#if defined(IPV6_PKTINFO)
  struct in6_pktinfo info6;
#endif
} Datum;

/* check: the Lua value at idx into *d, its size is `size`; NULL: it is never sent, or as bytes.
** push: leaves the Lua value of the `len` bytes of data, false if they do not look like it; NULL: bytes. */
typedef struct Kind {
  int level, type;
  size_t size;
  void (*check)(lua_State *L, bs_place *at, int idx, Datum *d);
  int (*push)(lua_State *L, const unsigned char *data, size_t len);
} Kind;

/* Of a form that some system may have no kind for. */
#if defined(__GNUC__)
#define SPARE __attribute__((unused))
#else
#define SPARE
#endif

/* ---- integers ---- */

static void int_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  d->i = (int)bs_checkwithin(L, at, idx, INT_MIN, INT_MAX);
}

/* Some systems give TOS in a byte, and some kernels sizes in two. */
static int int_push (lua_State *L, const unsigned char *data, size_t len) {
  int i;
  uint16_t u16;
  if (len == 1)
    i = data[0];
  else if (len == sizeof(u16)) {
    memcpy(&u16, data, sizeof(u16));
    i = u16;
  }
  else if (len == sizeof(i))
    memcpy(&i, data, sizeof(i));
  else
    return 0;
  lua_pushinteger(L, i);
  return 1;
}

SPARE static void switch_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  if (!bs_toswitch(L, idx, &d->i))
    bs_unexpected(L, at, idx, "boolean");
}

SPARE static void u16_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  d->u16 = (uint16_t)bs_checkwithin(L, at, idx, 0, UINT16_MAX);
}

SPARE static void u32_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  d->u32 = (uint32_t)bs_checkwithin(L, at, idx, 0, UINT32_MAX);
}

SPARE static int u32_push (lua_State *L, const unsigned char *data, size_t len) {
  uint32_t u;
  if (len != sizeof(u))
    return 0;
  memcpy(&u, data, sizeof(u));
  lua_pushinteger(L, (lua_Integer)u);
  return 1;
}

/* As in addresses, in the machine's own byte order. */
SPARE static void flow_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  u32_check(L, at, idx, d);
  d->u32 = htonl(d->u32);
}

SPARE static int flow_push (lua_State *L, const unsigned char *data, size_t len) {
  uint32_t u;
  if (len != sizeof(u))
    return 0;
  memcpy(&u, data, sizeof(u));
  lua_pushinteger(L, (lua_Integer)ntohl(u));
  return 1;
}

SPARE static void u64_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  d->u64 = (uint64_t)bs_checkwithin(L, at, idx, 0, LUA_MAXINTEGER);
}

SPARE static int text_push (lua_State *L, const unsigned char *data, size_t len) {
  lua_pushlstring(L, (const char *)data, len > 0 && data[len - 1] == '\0' ? len - 1 : len);
  return 1;
}

/* ---- addresses ---- */

SPARE static int address_push (lua_State *L, const unsigned char *data, size_t len) {
  bs_address a;
  if (len < offsetof(struct sockaddr, sa_data) || len > sizeof(a.u))
    return 0;
  memset(&a, 0, sizeof(a));
  memcpy(&a.u, data, len);
  bs_pushaddress(L, &a.u.sa, (socklen_t)len, a.u.sa.sa_family);
  return 1;
}

/* ---- times: seconds ---- */

#if defined(SCM_TIMESTAMP)
static int time_push (lua_State *L, const unsigned char *data, size_t len) {
  struct timeval tv;
  if (len != sizeof(tv))
    return 0;
  memcpy(&tv, data, sizeof(tv));
  lua_pushnumber(L, (lua_Number)tv.tv_sec + (lua_Number)tv.tv_usec / 1e6);
  return 1;
}
#endif

#if defined(SCM_TIMESTAMPNS) || defined(SCM_TIMESTAMPING)
/* One, or three of which those that there is none of are 0. */
static int times_push (lua_State *L, const unsigned char *data, size_t len) {
  struct timespec ts;
  lua_Number seconds = 0;
  if (len % sizeof(ts) != 0)
    return 0;
  for (size_t at = 0; at < len && seconds <= 0; at += sizeof(ts)) {
    memcpy(&ts, data + at, sizeof(ts));
    seconds = (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9;
  }
  lua_pushnumber(L, seconds);
  return 1;
}
#endif

/* ---- tables ---- */

#if defined(SCM_CREDENTIALS)
static lua_Integer getid (lua_State *L, bs_place *at, int idx, const char *name, lua_Integer most,
                          lua_Integer own) {
  at->part = name;
  if (lua_getfield(L, idx, name) != LUA_TNIL)
    own = bs_checkwithin(L, at, -1, 0, most);
  lua_pop(L, 1);
  return own;
}

static void cred_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  static const char *const names[] = {"pid", "uid", "gid", NULL};
  bs_checkfields(L, at, idx, names);
  d->cred.pid = (pid_t)getid(L, at, idx, "pid", INT_MAX, getpid());
  d->cred.uid = (uid_t)getid(L, at, idx, "uid", UINT32_MAX, getuid());
  d->cred.gid = (gid_t)getid(L, at, idx, "gid", UINT32_MAX, getgid());
}

static int cred_push (lua_State *L, const unsigned char *data, size_t len) {
  struct ucred cred;
  if (len != sizeof(cred))
    return 0;
  memcpy(&cred, data, sizeof(cred));
  lua_createtable(L, 0, 3);
  bs_setinteger(L, "pid", cred.pid);
  bs_setinteger(L, "uid", cred.uid);
  bs_setinteger(L, "gid", cred.gid);
  return 1;
}
#endif

#if defined(IP_PKTINFO) || defined(IPV6_PKTINFO)
/* The number of the interface at idx. Where there is none the kernel is to say so: this is nobody's. */
static lua_Integer checkifindex (lua_State *L, bs_place *at, int idx, int family) {
  unsigned index;
  int err = 0;
  at->part = "ifindex";
  const char *wrong = bs_tointerface(L, idx, family, &index, NULL, &err);
  if (wrong != NULL)
    bs_mistake(L, at, wrong);
  return err != 0 ? INT_MAX : (lua_Integer)index;
}

/* An object of the family, its host as text, or "*" */
static bs_ip checkhost (lua_State *L, bs_place *at, int idx, int family) {
  bs_ip ip;
  at->part = "address";
  if (bs_toip(L, idx, family, &ip))
    return ip;
  if (lua_type(L, idx) != LUA_TSTRING)
    bs_unexpected(L, at, idx, family == AF_INET ? "AF_INET address" : "AF_INET6 address");
  if (strcmp(lua_tostring(L, idx), "*") != 0)
    bs_mistake(L, at, "a numeric host of the socket's family expected");
  return ip;
}

/* ifindex, or the zone of the address, and into `ip` the address */
static lua_Integer checkinfo (lua_State *L, bs_place *at, int idx, int family, void *ip,
                              size_t size) {
  static const char *const names[] = {"ifindex", "address", NULL};
  lua_Integer ifindex = 0, zone = 0;
  int top = lua_gettop(L);
  bs_checkfields(L, at, idx, names);
  memset(ip, 0, size);
  if (lua_getfield(L, idx, "address") != LUA_TNIL) {
    bs_ip host = checkhost(L, at, top + 1, family);
    memcpy(ip, &host.u, size);
    ifindex = zone = host.err != 0 ? INT_MAX : (lua_Integer)host.zone;
  }
  if (lua_getfield(L, idx, "ifindex") != LUA_TNIL) {
    ifindex = checkifindex(L, at, top + 2, family);
    if (zone != 0 && zone != ifindex)
      bs_mistake(L, at, "the zone of the address is another one");
  }
  lua_settop(L, top);
  return ifindex;
}

/* {ifindex=, address=}, the address without a port */
static void pushinfo (lua_State *L, lua_Integer ifindex, const bs_address *a) {
  lua_createtable(L, 0, 2);
  bs_setinteger(L, "ifindex", ifindex);
  bs_pushaddress(L, &a->u.sa, a->len, a->u.sa.sa_family);
  lua_setfield(L, -2, "address");
}
#endif

#if defined(IP_PKTINFO)
BS_ANYWIDTH /* of the index */
static void info_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  struct in_addr ip;
  memset(&d->info, 0, sizeof(d->info));
  d->info.ipi_ifindex = (int)checkinfo(L, at, idx, AF_INET, &ip, sizeof(ip));
  d->info.ipi_spec_dst = ip; /* what the packet is sent from */
}
BS_ANYWIDTHEND

static int info_push (lua_State *L, const unsigned char *data, size_t len) {
  struct in_pktinfo info;
  bs_address a;
  if (len != sizeof(info))
    return 0;
  memcpy(&info, data, sizeof(info));
  memset(&a, 0, sizeof(a));
  a.len = sizeof(a.u.in);
  a.u.in.sin_family = AF_INET;
  a.u.in.sin_addr = info.ipi_addr;
  pushinfo(L, info.ipi_ifindex, &a);
  return 1;
}
#endif

#if defined(IPV6_PKTINFO)
static void info6_check (lua_State *L, bs_place *at, int idx, Datum *d) {
  struct in6_addr ip;
  memset(&d->info6, 0, sizeof(d->info6));
  d->info6.ipi6_ifindex = (unsigned)checkinfo(L, at, idx, AF_INET6, &ip, sizeof(ip));
  d->info6.ipi6_addr = ip;
}

static int info6_push (lua_State *L, const unsigned char *data, size_t len) {
  struct in6_pktinfo info;
  bs_address a;
  if (len != sizeof(info))
    return 0;
  memcpy(&info, data, sizeof(info));
  memset(&a, 0, sizeof(a));
  a.len = sizeof(a.u.in6);
  a.u.in6.sin6_family = AF_INET6;
  a.u.in6.sin6_addr = info.ipi6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&info.ipi6_addr))
    a.u.in6.sin6_scope_id = (uint32_t)info.ipi6_ifindex;
  pushinfo(L, (lua_Integer)info.ipi6_ifindex, &a);
  return 1;
}
#endif

#if defined(IPV6_PATHMTU)
static int mtu_push (lua_State *L, const unsigned char *data, size_t len) {
  struct ip6_mtuinfo info;
  if (len != sizeof(info))
    return 0;
  memcpy(&info, data, sizeof(info));
  lua_createtable(L, 0, 2);
  bs_setinteger(L, "mtu", (lua_Integer)info.ip6m_mtu);
  (void)address_push(L, data, sizeof(info.ip6m_addr));
  lua_setfield(L, -2, "address");
  return 1;
}
#endif

#if defined(SO_EE_ORIGIN_LOCAL)
/* What is in the error queue; who said so stands behind it. */
static int error_push (lua_State *L, const unsigned char *data, size_t len) {
  struct sock_extended_err err;
  bs_address a;
  if (len < sizeof(err))
    return 0;
  memcpy(&err, data, sizeof(err));
  memset(&a, 0, sizeof(a));
  len -= sizeof(err);
  memcpy(&a.u, data + sizeof(err), len < sizeof(a.u) ? len : sizeof(a.u));
  switch (a.u.sa.sa_family) {
    case AF_INET: a.len = sizeof(a.u.in); break;
    case AF_INET6: a.len = sizeof(a.u.in6); break;
    default: a.len = 0; break;
  }
  lua_createtable(L, 0, 7);
  if (bs_errname((int)err.ee_errno) != NULL)
    lua_pushstring(L, bs_errname((int)err.ee_errno));
  else
    lua_pushfstring(L, "%d", (int)err.ee_errno);
  lua_setfield(L, -2, "errno");
  bs_setinteger(L, "origin", err.ee_origin);
  bs_setinteger(L, "type", err.ee_type);
  bs_setinteger(L, "code", err.ee_code);
  bs_setinteger(L, "info", err.ee_info);
  bs_setinteger(L, "data", err.ee_data);
  if (a.len > 0 && a.len <= len) {
    bs_pushaddress(L, &a.u.sa, a.len, a.u.sa.sa_family);
    lua_setfield(L, -2, "offender");
  }
  return 1;
}
#endif

/* clang-format off */
static const Kind kinds[] = {
#if defined(SCM_CREDENTIALS)
  {SOL_SOCKET, SCM_CREDENTIALS, sizeof(struct ucred), cred_check, cred_push},
#endif
#if defined(SCM_SECURITY)
  {SOL_SOCKET, SCM_SECURITY, 0, NULL, text_push},
  {IPPROTO_IP, SCM_SECURITY, 0, NULL, text_push},
#endif
#if defined(SCM_TIMESTAMP)
  {SOL_SOCKET, SCM_TIMESTAMP, 0, NULL, time_push},
#endif
#if defined(SO_TIMESTAMP_NEW) && defined(SCM_TIMESTAMP)
  {SOL_SOCKET, SO_TIMESTAMP_NEW, 0, NULL, time_push},
#endif
#if defined(SCM_TIMESTAMPNS)
  {SOL_SOCKET, SCM_TIMESTAMPNS, 0, NULL, times_push},
#endif
#if defined(SO_TIMESTAMPNS_NEW) && defined(SCM_TIMESTAMPNS)
  {SOL_SOCKET, SO_TIMESTAMPNS_NEW, 0, NULL, times_push},
#endif
#if defined(SCM_TIMESTAMPING) /* sent, it is which times are wanted */
  {SOL_SOCKET, SCM_TIMESTAMPING, sizeof(uint32_t), u32_check, times_push},
#endif
#if defined(SO_TIMESTAMPING_NEW) && defined(SCM_TIMESTAMPING)
  {SOL_SOCKET, SO_TIMESTAMPING_NEW, sizeof(uint32_t), u32_check, times_push},
#endif
#if defined(SCM_TXTIME)
  {SOL_SOCKET, SCM_TXTIME, sizeof(uint64_t), u64_check, NULL},
#endif
#if defined(SCM_TS_OPT_ID)
  {SOL_SOCKET, SCM_TS_OPT_ID, sizeof(uint32_t), u32_check, NULL},
#endif
#if defined(SO_RXQ_OVFL)
  {SOL_SOCKET, SO_RXQ_OVFL, 0, NULL, u32_push},
#endif
#if defined(SO_MARK)
  {SOL_SOCKET, SO_MARK, sizeof(uint32_t), u32_check, u32_push},
#endif
#if defined(SO_PRIORITY)
  {SOL_SOCKET, SO_PRIORITY, sizeof(uint32_t), u32_check, u32_push},
#endif
#if defined(SCM_WIFI_STATUS)
  {SOL_SOCKET, SCM_WIFI_STATUS, 0, NULL, int_push},
#endif
#if defined(SCM_INQ)
  {SOL_SOCKET, SCM_INQ, 0, NULL, int_push},
#endif
  {IPPROTO_IP, IP_TTL, sizeof(int), int_check, int_push},
  {IPPROTO_IP, IP_TOS, sizeof(int), int_check, int_push},
#if defined(IP_PKTINFO)
  {IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo), info_check, info_push},
#endif
#if defined(IP_ORIGDSTADDR)
  {IPPROTO_IP, IP_ORIGDSTADDR, 0, NULL, address_push},
#endif
#if defined(IP_CHECKSUM)
  {IPPROTO_IP, IP_CHECKSUM, 0, NULL, u32_push},
#endif
#if defined(IP_RECVFRAGSIZE)
  {IPPROTO_IP, IP_RECVFRAGSIZE, 0, NULL, int_push},
#endif
#if defined(IP_PROTOCOL)
  {IPPROTO_IP, IP_PROTOCOL, sizeof(int), int_check, NULL},
#endif
#if defined(IP_RECVERR) && defined(SO_EE_ORIGIN_LOCAL)
  {IPPROTO_IP, IP_RECVERR, 0, NULL, error_push},
#endif
#if defined(IPV6_HOPLIMIT)
  {IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int), int_check, int_push},
#endif
#if defined(IPV6_2292HOPLIMIT)
  {IPPROTO_IPV6, IPV6_2292HOPLIMIT, sizeof(int), int_check, int_push},
#endif
#if defined(IPV6_TCLASS)
  {IPPROTO_IPV6, IPV6_TCLASS, sizeof(int), int_check, int_push},
#endif
#if defined(IPV6_DONTFRAG)
  {IPPROTO_IPV6, IPV6_DONTFRAG, sizeof(int), switch_check, NULL},
#endif
#if defined(IPV6_FLOWINFO)
  {IPPROTO_IPV6, IPV6_FLOWINFO, sizeof(uint32_t), flow_check, flow_push},
#endif
#if defined(IPV6_PKTINFO)
  {IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo), info6_check, info6_push},
#endif
#if defined(IPV6_2292PKTINFO) && defined(IPV6_PKTINFO)
  {IPPROTO_IPV6, IPV6_2292PKTINFO, sizeof(struct in6_pktinfo), info6_check, info6_push},
#endif
#if defined(IPV6_ORIGDSTADDR)
  {IPPROTO_IPV6, IPV6_ORIGDSTADDR, 0, NULL, address_push},
#endif
#if defined(IPV6_RECVFRAGSIZE)
  {IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 0, NULL, int_push},
#endif
#if defined(IPV6_PATHMTU)
  {IPPROTO_IPV6, IPV6_PATHMTU, 0, NULL, mtu_push},
#endif
#if defined(IPV6_RECVERR) && defined(SO_EE_ORIGIN_LOCAL)
  {IPPROTO_IPV6, IPV6_RECVERR, 0, NULL, error_push},
#endif
#if defined(UDP_SEGMENT)
  {IPPROTO_UDP, UDP_SEGMENT, sizeof(uint16_t), u16_check, NULL},
#endif
#if defined(UDP_GRO)
  {IPPROTO_UDP, UDP_GRO, 0, NULL, int_push},
#endif
#if defined(TCP_CM_INQ)
  {IPPROTO_TCP, TCP_CM_INQ, 0, NULL, int_push},
#endif
#if defined(NETLINK_PKTINFO)
  {SOL_NETLINK, NETLINK_PKTINFO, 0, NULL, u32_push}, /* the group */
#endif
#if defined(NETLINK_LISTEN_ALL_NSID)
  {SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 0, NULL, int_push},
#endif
};
/* clang-format on */

static const Kind *findkind (int level, int type) {
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (kinds[i].level == level && kinds[i].type == type)
      return &kinds[i];
  return NULL;
}

size_t bs_checkcontrol (lua_State *L, bs_place *at, int idx, int level, int type,
                        char data[BS_CONTROLVALUE]) {
  const Kind *k = findkind(level, type);
  Datum d;
  if (k == NULL || k->check == NULL)
    bs_mistake(L, at, "not known for this level and type; give 'data', the raw bytes");
  k->check(L, at, idx, &d);
  memcpy(data, &d, k->size);
  return k->size;
}

int bs_pushcontrol (lua_State *L, int level, int type, const unsigned char *data, size_t len) {
  const Kind *k = findkind(level, type);
  return k != NULL && k->push != NULL && k->push(L, data, len);
}
