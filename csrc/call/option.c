/*
** option.c: setsockopt and getsockopt. One table row per option says which kind it is (options.h),
** one row per kind says how its values look in C and in Lua (below). What names an interface is
** interface.c's business. The library's own timeouts are not here (wait.c), nor is control data.
*/
#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/args.h"
#include "base/constant.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/netheaders.h"
#include "base/open.h"
#include "object/address.h"
#include "object/chunk.h"
#include "object/ip.h"

#define LEVELS "SOL_\0IPPROTO_\0"
#define NAMES                                                                                      \
  "SO_\0TCP_\0UDP_\0UDPLITE_\0IP_\0IPV6_\0IP6T_\0ICMP_\0ICMP6_\0PACKET_\0NETLINK_\0TIPC_\0SCTP_\0"

#define NAMESIZE 16 /* of interfaces, congestion controls, protocols above TCP; the zero too */
#define MAXSIZE (1 << 20) /* no option is longer */
#define INSTRUCTION 8     /* the bytes of one, in a filter's program */
#define MAXPROGRAM (4096 * INSTRUCTION)

#if defined(__NetBSD__)
typedef struct ip_mreq Join4;
#else
typedef struct ip_mreqn Join4;
#endif

/* An option's value in C. */
typedef struct option_value {
  socklen_t len;
  int optname; /* memberships: with a source it is another option */
  int err;     /* no mistake of the program's, but a failure: there is no such interface */
  union {
    int i;
    unsigned u;
    unsigned char byte;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    struct linger linger;
    struct timeval time;
    Join4 join4;
    struct ipv6_mreq join6;
#if defined(MCAST_JOIN_SOURCE_GROUP)
    struct group_source_req source;
#endif
#if defined(SCM_CREDENTIALS)
    struct ucred cred;
#endif
#if defined(PACKET_MR_PROMISC)
    struct packet_mreq packet;
#endif
    union {
      struct sockaddr sa;
      struct sockaddr_storage room;
    } storage;
    struct {
      unsigned short len;
      const void *filter;
    } program; /* Linux's struct sock_fprog */
    char bytes[1024];
  } u;
} option_value;

typedef struct option_kind option_kind;

/* `size` is that of the value; the most that is read. Without check it cannot be set, without push
** it is read as bytes. `detail` is for times the units in a second, for interfaces the family of
** their addresses, for memberships the option with a source, 0 if there is none, for records which
** of them it is, for programs whether a descriptor may stand for one. `strings` says that its values
** are strings; for all others a string is raw bytes. */
struct option_kind {
  socklen_t size;
  void (*check)(lua_State *L, int arg, const option_kind *k, option_value *v);
  void (*push)(lua_State *L, const option_kind *k, const option_value *v);
  int detail;
  int strings;
};

/* ---- integers and switches ---- */

/* Systems answer some options in fewer bytes than they take, and some in more. */
static lua_Integer tointeger (const option_value *v) {
  switch (v->len) {
    case 1: return v->u.byte;
    case 2: return v->u.u16;
    case 8: return (lua_Integer)v->u.u64;
    default: return v->u.i;
  }
}

static void pushinteger (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_pushinteger(L, tointeger(v));
}

static lua_Integer checkrange (lua_State *L, int arg, lua_Integer min, lua_Integer max) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, min <= n && n <= max, arg, "out of range");
  return n;
}

static void checkinteger (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  v->u.i = (int)checkrange(L, arg, INT_MIN, INT_MAX);
}

static void checkunsigned (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  v->u.u32 = (uint32_t)checkrange(L, arg, 0, UINT32_MAX);
}

static void pushunsigned (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_pushinteger(L, v->u.u32);
}

/* As wide as a long, or wider. All bits set are -1, by which Linux means a rate without a limit. */
static void checkwide (lua_State *L, int arg, const option_kind *k, option_value *v) {
  if (k->size == sizeof(v->u.u32))
    v->u.u32 = (uint32_t)checkrange(L, arg, -1, UINT32_MAX);
  else
    v->u.u64 = (uint64_t)checkrange(L, arg, -1, LUA_MAXINTEGER);
}

static void pushwide (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  if (v->len == sizeof(v->u.u32) && v->u.u32 != UINT32_MAX)
    lua_pushinteger(L, v->u.u32);
  else
    lua_pushinteger(L, tointeger(v));
}

static void checkswitch (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  if (!bs_toswitch(L, arg, &v->u.i))
    luaL_typeerror(L, arg, "boolean");
}

static void pushswitch (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_pushboolean(L, tointeger(v) != 0);
}

/* An option that has no row. */
static void checkunknown (lua_State *L, int arg, const option_kind *k, option_value *v) {
  v->len = sizeof(v->u.i);
  switch (lua_type(L, arg)) {
    case LUA_TBOOLEAN: checkswitch(L, arg, k, v); break;
    case LUA_TNUMBER: checkinteger(L, arg, k, v); break;
    default: luaL_typeerror(L, arg, "integer, boolean or string");
  }
}

/* ---- times ---- */

/* Seconds in units of 1/scale, rounded to the nearest. But a little is not nothing, as in most
** options 0 stands for "for ever". */
static lua_Integer checkunits (lua_State *L, int arg, lua_Number scale, lua_Integer max) {
  lua_Number seconds = luaL_checknumber(L, arg);
  lua_Number n = seconds * scale + 0.5;
  luaL_argcheck(L, seconds >= 0 && n < (lua_Number)max + 1, arg, "out of range"); /* NaN too */
  return n < 1 && seconds > 0 ? 1 : (lua_Integer)n;
}

static void checkunittime (lua_State *L, int arg, const option_kind *k, option_value *v) {
  v->u.i = (int)checkunits(L, arg, k->detail, INT_MAX);
}

static void pushunittime (lua_State *L, const option_kind *k, const option_value *v) {
  lua_pushnumber(L, (lua_Number)tointeger(v) / k->detail);
}

/* The kernel counts these in whole seconds: half a one would be cut. */
static void checkseconds (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  v->u.i = (int)checkrange(L, arg, 0, INT_MAX);
}

static void checktime (lua_State *L, int arg, const option_kind *k, option_value *v) {
  lua_Integer n = checkunits(L, arg, k->detail, (lua_Integer)INT_MAX * k->detail);
  v->u.time.tv_sec = (time_t)(n / k->detail);
  v->u.time.tv_usec = (suseconds_t)(n % k->detail);
}

static void pushtime (lua_State *L, const option_kind *k, const option_value *v) {
  lua_pushnumber(L, (lua_Number)v->u.time.tv_sec + (lua_Number)v->u.time.tv_usec / k->detail);
}

static void checklinger (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  if (lua_type(L, arg) == LUA_TNUMBER) {
    v->u.linger.l_onoff = 1;
    v->u.linger.l_linger = (int)checkrange(L, arg, 0, INT_MAX);
  }
  else if (lua_isnoneornil(L, arg) || lua_toboolean(L, arg))
    luaL_typeerror(L, arg, "number or false");
}

static void pushlinger (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  if (v->u.linger.l_onoff)
    lua_pushinteger(L, v->u.linger.l_linger);
  else
    lua_pushboolean(L, 0);
}

/* ---- strings ---- */

static void checkname (lua_State *L, int arg, const option_kind *k, option_value *v) {
  size_t len;
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *name = lua_tolstring(L, arg, &len);
  luaL_argcheck(L, strlen(name) == len, arg, "name contains zeros");
  luaL_argcheck(L, len < k->size, arg, "name too long"); /* Linux would cut it */
  memcpy(v->u.bytes, name, len + 1);
  v->len = (socklen_t)len;
}

static void pushname (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  const char *end = memchr(v->u.bytes, '\0', v->len);
  lua_pushlstring(L, v->u.bytes, end != NULL ? (size_t)(end - v->u.bytes) : v->len);
}

static void checkbytes (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  (void)v;
  luaL_typeerror(L, arg, "string"); /* a string would not have come here */
}

/* What the kernel does at once and has no value. */
static void checknothing (lua_State *L, int arg, const option_kind *k, option_value *v) {
  (void)k;
  (void)v;
  luaL_argcheck(L, lua_isnoneornil(L, arg), arg, "this option takes no value");
}

/* A program's bytes. The kernel takes a struct that points to them, and would read wherever bytes of
** Lua's in its place said: so these never are the struct. */
static void checkprogram (lua_State *L, int arg, const option_kind *k, option_value *v) {
  if (k->detail && lua_type(L, arg) == LUA_TNUMBER) {
    checkinteger(L, arg, k, v);
    v->len = sizeof(v->u.i);
    return;
  }
  size_t len;
  luaL_checktype(L, arg, LUA_TSTRING);
  v->u.program.filter = lua_tolstring(L, arg, &len);
  luaL_argcheck(L, len % INSTRUCTION == 0, arg, "instructions of 8 bytes each expected");
  luaL_argcheck(L, len <= MAXPROGRAM, arg, "program too long");
  v->u.program.len = (unsigned short)(len / INSTRUCTION);
  v->len = sizeof(v->u.program);
}

/* ---- lists to read ---- */

static void pushlist (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_newtable(L);
  for (socklen_t at = 0; at + sizeof(v->u.u32) <= v->len; at += (socklen_t)sizeof(v->u.u32)) {
    uint32_t n;
    memcpy(&n, v->u.bytes + at, sizeof(n));
    lua_pushinteger(L, n);
    lua_rawseti(L, -2, (lua_Integer)(at / sizeof(n)) + 1);
  }
}

/* The numbers of the bits that are set, from 1; words are in the machine's byte order. */
static void pushbitlist (lua_State *L, const option_kind *k, const option_value *v) {
  lua_Integer count = 0;
  (void)k;
  lua_newtable(L);
  for (socklen_t at = 0; at + sizeof(v->u.u32) <= v->len; at += (socklen_t)sizeof(v->u.u32)) {
    uint32_t word;
    memcpy(&word, v->u.bytes + at, sizeof(word));
    for (int bit = 0; bit < 32; bit++) {
      if (word >> bit & 1) {
        lua_pushinteger(L, (lua_Integer)at * 8 + bit + 1);
        lua_rawseti(L, -2, ++count);
      }
    }
  }
}

/* ---- records: tables of integers ---- */

static void setinteger (lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

#if defined(SCM_CREDENTIALS)
static void pushcredentials (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_createtable(L, 0, 3);
  setinteger(L, "pid", v->u.cred.pid);
  setinteger(L, "uid", v->u.cred.uid);
  setinteger(L, "gid", v->u.cred.gid);
}
#endif

/* The structs of the kernel's, field by field. They only grow, while those of the C library stay as
** they are. A field without a name is no integer, or a hole. */
typedef struct info_field {
  const char *name;
  size_t size; /* 0: the end */
} info_field;

/* clang-format off */
static const info_field infofields[] = { /* struct tcp_info */
  {"state", 1}, {"ca_state", 1}, {"retransmits", 1}, {"probes", 1}, {"backoff", 1},
  {"options", 1}, {NULL, 1}, {NULL, 1}, /* two bytes of bits */
  {"rto", 4}, {"ato", 4}, {"snd_mss", 4}, {"rcv_mss", 4}, {"unacked", 4}, {"sacked", 4},
  {"lost", 4}, {"retrans", 4}, {"fackets", 4}, {"last_data_sent", 4}, {"last_ack_sent", 4},
  {"last_data_recv", 4}, {"last_ack_recv", 4}, {"pmtu", 4}, {"rcv_ssthresh", 4}, {"rtt", 4},
  {"rttvar", 4}, {"snd_ssthresh", 4}, {"snd_cwnd", 4}, {"advmss", 4}, {"reordering", 4},
  {"rcv_rtt", 4}, {"rcv_space", 4}, {"total_retrans", 4},
  {"pacing_rate", 8}, {"max_pacing_rate", 8}, {"bytes_acked", 8}, {"bytes_received", 8},
  {"segs_out", 4}, {"segs_in", 4}, {"notsent_bytes", 4}, {"min_rtt", 4}, {"data_segs_in", 4},
  {"data_segs_out", 4}, {"delivery_rate", 8}, {"busy_time", 8}, {"rwnd_limited", 8},
  {"sndbuf_limited", 8}, {"delivered", 4}, {"delivered_ce", 4}, {"bytes_sent", 8},
  {"bytes_retrans", 8}, {"dsack_dups", 4}, {"reord_seen", 4}, {"rcv_ooopack", 4},
  {"snd_wnd", 4}, {"rcv_wnd", 4}, {"rehash", 4}, {"total_rto", 2}, {"total_rto_recoveries", 2},
  {"total_rto_time", 4}, {"received_ce", 4}, {"delivered_e1_bytes", 4},
  {"delivered_e0_bytes", 4}, {"delivered_ce_bytes", 4}, {"received_e1_bytes", 4},
  {"received_e0_bytes", 4}, {"received_ce_bytes", 4}, {NULL, 0},
};
static const info_field meminfofields[] = { /* SK_MEMINFO_ */
  {"rmem_alloc", 4}, {"rcvbuf", 4}, {"wmem_alloc", 4}, {"sndbuf", 4}, {"fwd_alloc", 4},
  {"wmem_queued", 4}, {"optmem", 4}, {"backlog", 4}, {"drops", 4}, {NULL, 0},
};
static const info_field txtimefields[] = { /* struct sock_txtime */
  {"clockid", 4}, {"flags", 4}, {NULL, 0},
};
static const info_field windowfields[] = { /* struct tcp_repair_window */
  {"snd_wl1", 4}, {"snd_wnd", 4}, {"max_window", 4}, {"rcv_wnd", 4}, {"rcv_wup", 4}, {NULL, 0},
};
static const info_field statisticsfields[] = { /* struct tpacket_stats_v3 */
  {"packets", 4}, {"drops", 4}, {"freeze_q_cnt", 4}, {NULL, 0},
};
static const info_field rolloverfields[] = { /* struct tpacket_rollover_stats */
  {"all", 8}, {"huge", 8}, {"failed", 8}, {NULL, 0},
};
static const info_field groupfields[] = { /* struct tipc_group_req */
  {"type", 4}, {"instance", 4}, {"scope", 4}, {"flags", 4}, {NULL, 0},
};
static const info_field initfields[] = { /* struct sctp_initmsg */
  {"num_ostreams", 2}, {"max_instreams", 2}, {"max_attempts", 2}, {"max_init_timeo", 2}, {NULL, 0},
};
static const info_field rtofields[] = { /* struct sctp_rtoinfo */
  {"assoc_id", 4}, {"initial", 4}, {"max", 4}, {"min", 4}, {NULL, 0},
};
static const info_field assocfields[] = { /* struct sctp_assocparams */
  {"assoc_id", 4}, {"asocmaxrxt", 2}, {"number_peer_destinations", 2}, {"peer_rwnd", 4},
  {"local_rwnd", 4}, {"cookie_life", 4}, {NULL, 0},
};
static const info_field sackfields[] = { /* struct sctp_sack_info */
  {"assoc_id", 4}, {"delay", 4}, {"freq", 4}, {NULL, 0},
};
static const info_field valuefields[] = { /* struct sctp_assoc_value */
  {"assoc_id", 4}, {"value", 4}, {NULL, 0},
};
static const info_field eventfields[] = { /* struct sctp_event */
  {"assoc_id", 4}, {"type", 2}, {"on", 1}, {NULL, 1}, {NULL, 0},
};
static const info_field eventsfields[] = { /* struct sctp_event_subscribe */
  {"data_io", 1}, {"association", 1}, {"address", 1}, {"send_failure", 1}, {"peer_error", 1},
  {"shutdown", 1}, {"partial_delivery", 1}, {"adaptation_layer", 1}, {"authentication", 1},
  {"sender_dry", 1}, {"stream_reset", 1}, {"assoc_reset", 1}, {"stream_change", 1},
  {"send_failure_event", 1}, {NULL, 0},
};

enum {
  R_INFO, R_MEMINFO, R_TXTIME, R_WINDOW, R_STATISTICS, R_ROLLOVER, R_GROUP, R_INIT, R_RTO, R_ASSOC,
  R_SACK, R_VALUE, R_EVENT, R_EVENTS
};

static const info_field *const records[] = {
  [R_INFO] = infofields, [R_MEMINFO] = meminfofields, [R_TXTIME] = txtimefields,
  [R_WINDOW] = windowfields, [R_STATISTICS] = statisticsfields, [R_ROLLOVER] = rolloverfields,
  [R_GROUP] = groupfields, [R_INIT] = initfields, [R_RTO] = rtofields, [R_ASSOC] = assocfields,
  [R_SACK] = sackfields, [R_VALUE] = valuefields, [R_EVENT] = eventfields,
  [R_EVENTS] = eventsfields,
};
/* clang-format on */

/* Raises: about an argument, or a field of it. */
static int mistake (lua_State *L, int arg, const char *field, const char *what) {
  if (field != NULL)
    what = lua_pushfstring(L, "field '%s': %s", field, what);
  return luaL_argerror(L, arg, what);
}

/* The fields that are there; a kernel may know fewer. */
static void pushrecord (lua_State *L, const option_kind *k, const option_value *v) {
  size_t at = 0;
  lua_newtable(L);
  for (const info_field *f = records[k->detail]; f->size != 0 && at + f->size <= v->len; f++) {
    option_value field;
    field.len = (socklen_t)f->size;
    memcpy(&field.u, v->u.bytes + at, f->size);
    at += f->size;
    if (f->name != NULL)
      setinteger(L, f->name, f->size == 4 ? field.u.u32 : tointeger(&field));
  }
}

/* Writes the integer on the top of the stack into the field. */
static void checkfield (lua_State *L, int arg, const info_field *f, char *at) {
  bs_place place = {arg, 0, f->name, 0, NULL};
  if (lua_type(L, -1) != LUA_TNUMBER)
    bs_unexpected(L, &place, -1, "integer");
  lua_Integer n = bs_checkwithin(L, &place, -1, 0, ((lua_Integer)1 << (8 * f->size)) - 1);
  switch (f->size) {
    case 1: *at = (char)n; break;
    case 2: memcpy(at, &(uint16_t){(uint16_t)n}, f->size); break;
    default: memcpy(at, &(uint32_t){(uint32_t)n}, f->size);
  }
}

static int isname (lua_State *L, int idx, const char *name) {
  size_t len;
  if (name == NULL || lua_type(L, idx) != LUA_TSTRING)
    return 0;
  const char *s = lua_tolstring(L, idx, &len);
  return strlen(name) == len && memcmp(s, name, len) == 0;
}

static int strange (lua_State *L, int arg, int idx, const info_field *fields) {
  bs_place place = {arg, 0, NULL, 0, NULL};
  bs_guess g;
  bs_guessfield(L, &g, idx);
  for (const info_field *f = fields; f->size != 0; f++)
    if (f->name != NULL)
      bs_consider(&g, f->name, 0);
  return bs_strangefield(L, &place, idx, &g);
}

/* Fields that the table does not have are 0. */
static void checkrecord (lua_State *L, int arg, const option_kind *k, option_value *v) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, arg)) {
    const info_field *f = records[k->detail];
    size_t at = 0;
    while (f->size != 0 && !isname(L, -2, f->name))
      at += f++->size;
    if (f->size == 0)
      strange(L, arg, -2, records[k->detail]);
    checkfield(L, arg, f, v->u.bytes + at);
    lua_pop(L, 1);
  }
}

#if defined(TCP_REPAIR)
/* C begins the bits of a byte where the byte order begins. */
static int bits (int byte, int first, int n) {
  return byte >> (htonl(1) == 1 ? 8 - first - n : first) & ((1 << n) - 1);
}

static void pushinfo (lua_State *L, const option_kind *k, const option_value *v) {
  pushrecord(L, k, v);
  const unsigned char *byte = (const unsigned char *)v->u.bytes;
  setinteger(L, "snd_wscale", bits(byte[6], 0, 4));
  setinteger(L, "rcv_wscale", bits(byte[6], 4, 4));
  setinteger(L, "delivery_rate_app_limited", bits(byte[7], 0, 1));
  setinteger(L, "fastopen_client_fail", bits(byte[7], 1, 2));
}
#endif

/* ---- addresses ---- */

static void pushaddress (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  bs_pushaddress(L, &v->u.storage.sa, v->len, v->u.storage.sa.sa_family);
}

/* ---- interfaces ---- */

/* The index of the interface at `idx`. Where the caller can use an IPv4 address as it is, that goes to `*ip`, and the
** index is 0. */
static unsigned checkinterface (lua_State *L, int idx, int arg, const char *field, int family,
                                struct in_addr *ip, option_value *v) {
  unsigned index;
  const char *wrong = bs_tointerface(L, idx, family, &index, ip, &v->err);
  if (wrong != NULL)
    mistake(L, arg, field, wrong);
  return index;
}

/* ==== platform: ip_mreqn, by which an interface is known by its index or its address. NetBSD has none: there
** an address 0.x.y.z stands for the interface of that index. ==== */

#if defined(__NetBSD__)

static struct in_addr indexoraddress (struct in_addr ip, unsigned index) {
  if (index != 0)
    ip.s_addr = htonl(index);
  return ip;
}

static void setinterface4 (option_value *v, struct in_addr ip, unsigned index) {
  ip = indexoraddress(ip, index);
  memcpy(v->u.bytes, &ip, sizeof(ip));
  v->len = sizeof(ip);
}

static void setmember4 (option_value *v, struct in_addr group, struct in_addr ip, unsigned index) {
  v->u.join4.imr_multiaddr = group;
  v->u.join4.imr_interface = indexoraddress(ip, index);
}

#else

static void setmember4 (option_value *v, struct in_addr group, struct in_addr ip, unsigned index) {
  v->u.join4.imr_multiaddr = group;
  v->u.join4.imr_address = ip;
  v->u.join4.imr_ifindex = (int)index;
}

static void setinterface4 (option_value *v, struct in_addr ip, unsigned index) {
  static const struct in_addr none = {0};
  setmember4(v, none, ip, index);
}

#endif

static void checkinterface4 (lua_State *L, int arg, const option_kind *k, option_value *v) {
  struct in_addr ip = {0};
  unsigned index = checkinterface(L, arg, arg, NULL, k->detail, &ip, v);
  setinterface4(v, ip, index);
}

static void pushinterface4 (lua_State *L, const option_kind *k, const option_value *v) {
  char text[INET_ADDRSTRLEN];
  (void)k;
  lua_pushstring(L, inet_ntop(AF_INET, v->u.bytes, text, sizeof(text)));
}

static void checkindex (lua_State *L, int arg, const option_kind *k, option_value *v) {
  v->u.u32 = checkinterface(L, arg, arg, NULL, k->detail, NULL, v);
}

/* IP_UNICAST_IF and IPV6_UNICAST_IF have the index in network order, unlike all others. */
static void checknetindex (lua_State *L, int arg, const option_kind *k, option_value *v) {
  checkindex(L, arg, k, v);
  v->u.u32 = htonl(v->u.u32);
}

static void pushnetindex (lua_State *L, const option_kind *k, const option_value *v) {
  (void)k;
  lua_pushinteger(L, ntohl(v->u.u32));
}

/* A misspelt field is not to be taken for one that is not there. */
static void checkfields (lua_State *L, int arg, const char *const *names) {
  bs_place at = {arg, 0, NULL, 0, NULL};
  luaL_checktype(L, arg, LUA_TTABLE);
  bs_checkfields(L, &at, arg, names);
}

/* ---- memberships: {group =, interface = [, source =]} ---- */

#if defined(MCAST_JOIN_SOURCE_GROUP)
static void setsockaddr (struct sockaddr_storage *ss, int family, const void *ip) {
  union {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } a;
  memset(&a, 0, sizeof(a));
  a.sa.sa_family = (sa_family_t)family;
  if (family == AF_INET)
    memcpy(&a.in.sin_addr, ip, sizeof(a.in.sin_addr));
  else
    memcpy(&a.in6.sin6_addr, ip, sizeof(a.in6.sin6_addr));
#if defined(SIN6_LEN)
  a.sa.sa_len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
#endif
  memcpy(ss, &a, sizeof(a));
}
#endif

/* On the top; pops it. */
static void checkip (lua_State *L, int arg, const char *field, int family, bs_ip *ip,
                     option_value *v) {
  if (!bs_toip(L, lua_gettop(L), family, ip))
    mistake(L, arg, field,
            family == AF_INET ? "numeric IPv4 address expected" : "numeric IPv6 address expected");
  if (ip->err != 0)
    v->err = ip->err;
  lua_pop(L, 1);
}

static const char *const membership_fields[] = {"group", "interface", "source", NULL};

typedef struct membership {
  bs_ip group, source;
  int sourced;
  unsigned index;    /* of the interface, unless */
  struct in_addr ip; /* this is one of its addresses */
} membership;

/* The zone of an address is an interface, too. */
static void getmembership (lua_State *L, int arg, int family, const option_kind *k, option_value *v,
                           membership *m) {
  memset(m, 0, sizeof(*m));
  checkfields(L, arg, membership_fields);
  m->sourced = lua_getfield(L, arg, "source") != LUA_TNIL;
  if (m->sourced && k->detail == 0)
    mistake(L, arg, "source", "this option takes none");
  if (m->sourced)
    checkip(L, arg, "source", family, &m->source, v);
  lua_getfield(L, arg, "group");
  checkip(L, arg, "group", family, &m->group, v);
  m->index = m->group.zone;
  if (lua_getfield(L, arg, "interface") == LUA_TNIL)
    return;
  m->index =
    checkinterface(L, lua_gettop(L), arg, "interface", family, m->sourced ? NULL : &m->ip, v);
  if (m->group.zone != 0 && m->group.zone != m->index && v->err == 0)
    mistake(L, arg, "interface", "the zone of the group is another one");
}

/* With a source in it, the value is one for the option k->detail, whatever the family. */
static void checkmembership (lua_State *L, int arg, int family, const option_kind *k,
                             option_value *v) {
  membership m;
  getmembership(L, arg, family, k, v, &m);
#if defined(MCAST_JOIN_SOURCE_GROUP)
  if (m.sourced) {
    v->optname = k->detail;
    v->len = sizeof(v->u.source);
    v->u.source.gsr_interface = m.index;
    setsockaddr(&v->u.source.gsr_group, family, &m.group.u);
    setsockaddr(&v->u.source.gsr_source, family, &m.source.u);
    return;
  }
#endif
  if (family == AF_INET) {
    setmember4(v, m.group.u.in, m.ip, m.index);
  }
  else {
    v->u.join6.ipv6mr_interface = m.index;
    v->u.join6.ipv6mr_multiaddr = m.group.u.in6;
  }
}

static void checkmember4 (lua_State *L, int arg, const option_kind *k, option_value *v) {
  checkmembership(L, arg, AF_INET, k, v);
}

static void checkmember6 (lua_State *L, int arg, const option_kind *k, option_value *v) {
  checkmembership(L, arg, AF_INET6, k, v);
}

static void checksource4 (lua_State *L, int arg, const option_kind *k, option_value *v) {
  checkmembership(L, arg, AF_INET, k, v);
  if (v->optname != k->detail)
    mistake(L, arg, "source", "numeric IPv4 address expected");
}

#if defined(PACKET_MR_PROMISC)
/* Of a packet socket: {interface =, type = [, address = bytes]} */
static const char *const frames_fields[] = {"interface", "type", "address", NULL};

static void checkframes (lua_State *L, int arg, const option_kind *k, option_value *v) {
  bs_place at = {arg, 0, "type", 0, NULL};
  size_t len;
  (void)k;
  checkfields(L, arg, frames_fields);
  lua_getfield(L, arg, "interface");
  v->u.packet.mr_ifindex =
    (int)checkinterface(L, lua_gettop(L), arg, "interface", AF_UNSPEC, NULL, v);
  lua_getfield(L, arg, "type");
  int type = bs_checknamed(L, &at, -1, "PACKET_\0");
  if (type < 0 || type > USHRT_MAX)
    mistake(L, arg, "type", "one of PACKET_MR_* expected");
  v->u.packet.mr_type = (unsigned short)type;
  if (lua_getfield(L, arg, "address") != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) > sizeof(v->u.packet.mr_address))
      mistake(L, arg, "address", "string of at most 8 bytes expected");
    const char *bytes = lua_tolstring(L, -1, &len);
    memcpy(v->u.packet.mr_address, bytes, len);
    v->u.packet.mr_alen = (unsigned short)len;
  }
}
#endif

/* ---- the tables ---- */

#if !defined(MCAST_JOIN_SOURCE_GROUP)
#define MCAST_JOIN_SOURCE_GROUP 0
#define MCAST_LEAVE_SOURCE_GROUP 0
#define MCAST_BLOCK_SOURCE 0
#define MCAST_UNBLOCK_SOURCE 0
#endif

/* clang-format off */
enum {
  SWITCH, INTEGER, UNSIGNED, INTEGER64, RATE, SECONDS, MILLISECONDS, MICROSECONDS, TIME, LINGER,
  NAME, BYTES, CREDENTIALS, INFO, INDEX, INDEX6, NETINDEX4, NETINDEX6, INTERFACE4,
  JOIN4, LEAVE4, JOINSOURCE4, LEAVESOURCE4, BLOCK4, UNBLOCK4, JOIN6, LEAVE6, ANYCAST, FRAMES,
  ADDRESS, DESCRIPTOR, PROGRAM, PROGRAMORFD, DETACH, COMMAND, LIST, BITLIST, MEMINFO, TXTIME, WINDOW, STATISTICS,
  ROLLOVER, GROUP, INITMSG, RTOINFO, ASSOCINFO, SACK, ASSOCVALUE, EVENT, EVENTS, UNKNOWN
};
/* clang-format on */

#define SIZE(member) sizeof(((option_value *)0)->u.member)

static const option_kind kinds[] = {
  [SWITCH] = {SIZE(i), checkswitch, pushswitch, 0, 0},
  [INTEGER] = {SIZE(i), checkinteger, pushinteger, 0, 0},
  [UNSIGNED] = {SIZE(u32), checkunsigned, pushunsigned, 0, 0},
  [INTEGER64] = {SIZE(u64), checkwide, pushinteger, 0, 0},
  [RATE] = {sizeof(unsigned long), checkwide, pushwide, 0, 0},
  [SECONDS] = {SIZE(i), checkseconds, pushinteger, 0, 0},
  [MILLISECONDS] = {SIZE(i), checkunittime, pushunittime, 1000, 0},
  [MICROSECONDS] = {SIZE(i), checkunittime, pushunittime, 1000000, 0},
  [TIME] = {SIZE(time), checktime, pushtime, 1000000, 0},
  [LINGER] = {SIZE(linger), checklinger, pushlinger, 0, 0},
  [NAME] = {NAMESIZE, checkname, pushname, 0, 1},
  [BYTES] = {SIZE(bytes), checkbytes, NULL, 0, 0},
#if defined(SCM_CREDENTIALS)
  [CREDENTIALS] = {SIZE(cred), NULL, pushcredentials, 0, 0},
#endif
#if defined(TCP_REPAIR)
  [INFO] = {SIZE(bytes), NULL, pushinfo, R_INFO, 0},
#endif
  [INDEX] = {SIZE(u32), checkindex, pushunsigned, AF_UNSPEC, 1},
  [INDEX6] = {SIZE(u32), checkindex, pushunsigned, AF_INET6, 1},
  [NETINDEX4] = {SIZE(u32), checknetindex, pushnetindex, AF_INET, 1},
  [NETINDEX6] = {SIZE(u32), checknetindex, pushnetindex, AF_INET6, 1},
  [INTERFACE4] = {SIZE(join4), checkinterface4, pushinterface4, AF_INET, 1},
  [JOIN4] = {SIZE(join4), checkmember4, NULL, MCAST_JOIN_SOURCE_GROUP, 0},
  [LEAVE4] = {SIZE(join4), checkmember4, NULL, MCAST_LEAVE_SOURCE_GROUP, 0},
  [JOINSOURCE4] = {SIZE(join4), checksource4, NULL, MCAST_JOIN_SOURCE_GROUP, 0},
  [LEAVESOURCE4] = {SIZE(join4), checksource4, NULL, MCAST_LEAVE_SOURCE_GROUP, 0},
  [BLOCK4] = {SIZE(join4), checksource4, NULL, MCAST_BLOCK_SOURCE, 0},
  [UNBLOCK4] = {SIZE(join4), checksource4, NULL, MCAST_UNBLOCK_SOURCE, 0},
  [JOIN6] = {SIZE(join6), checkmember6, NULL, MCAST_JOIN_SOURCE_GROUP, 0},
  [LEAVE6] = {SIZE(join6), checkmember6, NULL, MCAST_LEAVE_SOURCE_GROUP, 0},
  [ANYCAST] = {SIZE(join6), checkmember6, NULL, 0, 0},
#if defined(PACKET_MR_PROMISC)
  [FRAMES] = {SIZE(packet), checkframes, NULL, 0, 0},
#endif
  [ADDRESS] = {SIZE(storage), NULL, pushaddress, 0, 0},
  [DESCRIPTOR] = {SIZE(i), NULL, NULL, 0, 0}, /* ownedoption */
  [PROGRAM] = {MAXPROGRAM, checkprogram, NULL, 0, 1},
  [PROGRAMORFD] = {MAXPROGRAM, checkprogram, NULL, 1, 1},
  [DETACH] = {SIZE(i), checknothing, NULL, 0, 0},
  [COMMAND] = {0, checknothing, NULL, 0, 0},
  [LIST] = {SIZE(bytes), NULL, pushlist, 0, 0},
  [BITLIST] = {SIZE(bytes), NULL, pushbitlist, 0, 0},
  [MEMINFO] = {SIZE(bytes), NULL, pushrecord, R_MEMINFO, 0},
  [TXTIME] = {8, checkrecord, pushrecord, R_TXTIME, 0},
  [WINDOW] = {20, checkrecord, pushrecord, R_WINDOW, 0},
  [STATISTICS] = {12, NULL, pushrecord, R_STATISTICS, 0},
  [ROLLOVER] = {24, NULL, pushrecord, R_ROLLOVER, 0},
  [GROUP] = {16, checkrecord, pushrecord, R_GROUP, 0},
  [INITMSG] = {8, checkrecord, pushrecord, R_INIT, 0},
  [RTOINFO] = {16, checkrecord, pushrecord, R_RTO, 0},
  [ASSOCINFO] = {20, checkrecord, pushrecord, R_ASSOC, 0},
  [SACK] = {12, checkrecord, pushrecord, R_SACK, 0},
  [ASSOCVALUE] = {8, checkrecord, pushrecord, R_VALUE, 0},
  [EVENT] = {8, checkrecord, pushrecord, R_EVENT, 0},
  [EVENTS] = {14, checkrecord, pushrecord, R_EVENTS, 0},
  [UNKNOWN] = {SIZE(u64), checkunknown, pushinteger, 0, 0},
};

typedef struct option_row {
  const char *name;
  int level;
  int optname;
  int kind;
} option_row;

static const option_row options[] = {
#include "options.h"
};

#define NOPTIONS (sizeof(options) / sizeof(options[0]))

/* The rows by name, and by level and number: places in the table, from 1 on. Made at the first call of a state. */
#define PLACES 2048 /* a power of two, and many more than rows */

struct bs_optionindex {
  unsigned short names[PLACES], pairs[PLACES];
};

typedef char enoughplaces[NOPTIONS < PLACES / 2 ? 1 : -1];

static unsigned hashname (const char *name, size_t len) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < len; i++)
    h = (h ^ (unsigned char)name[i]) * 16777619u;
  return (unsigned)(h ^ h >> 16) % PLACES;
}

static unsigned hashpair (int level, int optname) {
  uint32_t h = ((uint32_t)level * 31u + (uint32_t)optname) * 2654435761u;
  return (unsigned)(h >> 16) % PLACES;
}

static void put (unsigned short *places, unsigned h, size_t row) {
  while (places[h] != 0)
    h = (h + 1) % PLACES;
  places[h] = (unsigned short)(row + 1);
}

static const bs_optionindex *indexof (lua_State *L, bs_state *st) {
  if (st->options == NULL) {
    bs_optionindex *x = (bs_optionindex *)st->alloc(st->allocdata, NULL, 0, sizeof(bs_optionindex));
    if (x == NULL)
      bs_memory(L);
    memset(x, 0, sizeof(*x));
    for (size_t i = 0; i < NOPTIONS; i++) { /* of two with one number the first is found */
      put(x->names, hashname(options[i].name, strlen(options[i].name)), i);
      put(x->pairs, hashpair(options[i].level, options[i].optname), i);
    }
    st->options = x;
  }
  return st->options;
}

void bs_dropoptions (bs_state *st) {
  if (st->options != NULL)
    st->alloc(st->allocdata, st->options, sizeof(bs_optionindex), 0);
  st->options = NULL;
}

static const option_row *findname (lua_State *L, bs_state *st, const char *name, size_t len) {
  const bs_optionindex *x = indexof(L, st);
  for (unsigned h = hashname(name, len); x->names[h] != 0; h = (h + 1) % PLACES) {
    const option_row *o = &options[x->names[h] - 1];
    if (strcmp(o->name, name) == 0 && strlen(name) == len)
      return o;
  }
  return NULL;
}

static const option_row *findpair (lua_State *L, bs_state *st, int level, int optname) {
  const bs_optionindex *x = indexof(L, st);
  for (unsigned h = hashpair(level, optname); x->pairs[h] != 0; h = (h + 1) % PLACES) {
    const option_row *o = &options[x->pairs[h] - 1];
    if (o->optname == optname && o->level == level)
      return o;
  }
  return NULL;
}

/* ---- the calls ---- */

/* What the arguments before the value or the size say. */
typedef struct option_target {
  int level;
  int optname;
  const option_kind *kind;
  const option_row *row; /* NULL: none */
  int pair;              /* by level and name */
} option_target;

/* s, NAME */
static void checknamed (lua_State *L, bs_state *st, option_target *t) {
  size_t len;
  const char *name = lua_tolstring(L, 2, &len);
  const option_row *o = findname(L, st, name, len);
  if (o == NULL) {
    (void)bs_checkconstant(L, 2, NAMES); /* says it better if it is no option at all */
    luaL_argerror(L, 2, lua_pushfstring(L, "the level of '%s' is not known", name));
    return;
  }
  t->level = o->level;
  t->optname = o->optname;
  t->kind = &kinds[o->kind];
  t->row = o;
  t->pair = 0;
}

/* s, level, name */
static void checkpair (lua_State *L, bs_state *st, option_target *t) {
  t->level = bs_checkconstant(L, 2, LEVELS);
  t->optname = bs_checkconstant(L, 3, NAMES);
  const option_row *o = findpair(L, st, t->level, t->optname);
  t->kind = &kinds[o != NULL ? o->kind : UNKNOWN];
  t->row = o;
  t->pair = 1;
}

/* For messages: as the program named it, if it did. */
static const char *nameof (lua_State *L, const option_target *t) {
  if (t->pair && lua_type(L, 3) == LUA_TSTRING)
    return lua_tostring(L, 3);
  return t->row != NULL ? t->row->name : lua_pushfstring(L, "%d/%d", t->level, t->optname);
}

static int fail (lua_State *L, const char *call, const option_target *t, int err) {
  return bs_failtext(L, call, nameof(L, t), err);
}

/* The driver of receiving calls remembers what it set: no longer true. And close has to know whether it may last. */
static void noteoption (bs_socket *s, int level, int optname) {
  int same = optname == SO_RCVTIMEO;
#if defined(SO_RCVTIMEO_OLD) /* another form of it, or itself; so is the next */
  same |= optname == SO_RCVTIMEO_OLD;
#endif
#if defined(SO_RCVTIMEO_NEW)
  same |= optname == SO_RCVTIMEO_NEW;
#endif
  if (level == SOL_SOCKET && same) {
    s->rcvtimeo = -1;
    s->flags = (unsigned char)(s->flags & ~BS_SETRCVTIMEO);
  }
  int linger = optname == SO_LINGER;
#if defined(SO_LINGER_SEC)
  linger |= optname == SO_LINGER_SEC;
#endif
  if (level == SOL_SOCKET && linger)
    s->flags |= BS_LINGERS;
}

/* Of IPv4's multicast options OpenBSD takes two as a byte, and that alone; all others take that, too. */
static int setbyte (const bs_socket *s, const option_target *t, const option_value *v) {
#if defined(IP_MULTICAST_TTL) && defined(IP_MULTICAST_LOOP)
  int one = t->level == IPPROTO_IP && v->len == sizeof(v->u.i) &&
            (v->optname == IP_MULTICAST_TTL || v->optname == IP_MULTICAST_LOOP);
  if (errno == EINVAL && one && 0 <= v->u.i && v->u.i <= UCHAR_MAX) {
    unsigned char byte = (unsigned char)v->u.i;
    return setsockopt(s->fd, t->level, v->optname, &byte, sizeof(byte)) == 0;
  }
#else
  (void)s, (void)t, (void)v;
#endif
  return 0;
}

static void setmark (bs_socket *s, int mark, int on) {
  s->marks = (unsigned char)(on ? s->marks | mark : s->marks & ~mark);
}

/* What the library has to do itself for bytes that it waits for, or has read ahead. */
static void notereceiving (bs_socket *s, int level, int name, const void *data, socklen_t len) {
  int n;
  if (level != SOL_SOCKET || data == NULL || len < sizeof(n))
    return;
  memcpy(&n, data, sizeof(n));
  if (name == SO_RCVLOWAT) {
    setmark(s, BS_LOWAT, n > 1);
    /* the kernel would give what there is after seven eighths of the timeout */
    struct timeval none = {0, 0};
    if (s->rcvtimeo > 0 && setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)) == 0)
      s->rcvtimeo = 0;
  }
#if defined(SO_PEEK_OFF)
  if (name == SO_PEEK_OFF) {
    bs_chunk *c = bs_chunkof(s);
    size_t ahead = c != NULL ? c->end - c->start : 0, at = n > 0 ? (size_t)n : 0;
    setmark(s, BS_PEEKS, n >= 0);
    if (ahead == 0)
      return;
    c->peeked = at;
    n = n < 0 ? n : at > ahead ? (int)(at - ahead) : 0;
    (void)setsockopt(s->fd, SOL_SOCKET, SO_PEEK_OFF, &n, sizeof(n));
  }
#endif
}

/* s:setsockopt(level, name, value), s:setsockopt(NAME, value): s */
static int option_setsockopt (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  int named = lua_type(L, 2) == LUA_TSTRING && lua_gettop(L) <= 3;
  int arg = named ? 3 : 4;
  option_target t;
  option_value v;
  void *data = &v.u;
  size_t len;
  if (named)
    checknamed(L, s->st, &t);
  else
    checkpair(L, s->st, &t);
  v.optname = t.optname;
  v.err = 0;
  v.len = t.kind->size;
  memset(&v.u, 0, v.len < sizeof(v.u) ? v.len : sizeof(v.u));
  if (lua_type(L, arg) == LUA_TSTRING && !t.kind->strings) {
    const char *bytes = lua_tolstring(L, arg, &len);
    luaL_argcheck(L, len <= MAXSIZE, arg, "string too long");
    v.len = (socklen_t)len;
    if (len > sizeof(v.u))
      data = lua_newuserdatauv(L, len, 0);
    memcpy(data, bytes, len); /* Linux answers some options (IPV6_FLOWLABEL_MGR) in their place */
  }
  else if (t.kind->check != NULL)
    t.kind->check(L, arg, t.kind, &v);
  else
    return luaL_argerror(L, arg, lua_pushfstring(L, "%s can only be read", nameof(L, &t)));
  if (v.len == 0)
    data = NULL; /* options that take no value want to see that */
  if (s->fd < 0)
    return bs_fail(L, "setsockopt", EBADF);
  if (v.err != 0)
    return fail(L, "setsockopt", &t, v.err);
  if (setsockopt(s->fd, t.level, v.optname, data, v.len) != 0 && !setbyte(s, &t, &v))
    return fail(L, "setsockopt", &t, errno);
  noteoption(s, t.level, v.optname);
  notereceiving(s, t.level, v.optname, data, v.len);
#if defined(UDP_GRO)
  if (t.level == IPPROTO_UDP && v.optname == UDP_GRO)
    bs_notemerging(s);
#endif
  lua_settop(L, 1);
  return 1;
}

/* A descriptor, of no socket: a file of Lua's, which is there before. So it is no bare number, whatever size is asked
** for. */
static int ownedoption (lua_State *L, const bs_socket *s, const option_target *t) {
  int fd;
  socklen_t len = sizeof(fd);
  luaL_Stream *file = bs_newfile(L);
  int r = getsockopt(s->fd, t->level, t->optname, &fd, &len);
  if (r != 0 && bs_collect(L, errno))
    r = getsockopt(s->fd, t->level, t->optname, &fd, &len);
  if (r != 0)
    return fail(L, "getsockopt", t, errno);
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (!bs_openfile(file, fd)) {
    close(fd);
    return bs_memory(L);
  }
  return 1;
}

/* s:getsockopt(level, name [, size]), s:getsockopt(NAME): the value */
static int option_getsockopt (lua_State *L) {
  bs_socket *s = bs_checksocket(L, 1);
  option_target t;
  option_value v;
  void *data = &v.u;
  lua_Integer size = -1; /* none was given */
  if (lua_type(L, 2) == LUA_TSTRING && lua_isnoneornil(L, 3))
    checknamed(L, s->st, &t);
  else {
    checkpair(L, s->st, &t);
    if (!lua_isnoneornil(L, 4))
      size = checkrange(L, 4, 0, MAXSIZE);
  }
  if (s->fd < 0)
    return bs_fail(L, "getsockopt", EBADF);
  if (t.kind == &kinds[DESCRIPTOR])
    return ownedoption(L, s, &t);
  /* Linux counts a program's instructions here, and writes eight times as many bytes: whatever the
  ** size is, there is room for the longest. */
  int program = t.kind->check == checkprogram;
  socklen_t room = size >= 0 && !program ? (socklen_t)size : t.kind->size;
  v.len = program ? room / INSTRUCTION : room;
  memset(&v.u, 0, room < sizeof(v.u) ? room : sizeof(v.u)); /* the kernel may fill less */
  if (room > sizeof(v.u))
    data = memset(lua_newuserdatauv(L, room, 0), 0, room);
  if (getsockopt(s->fd, t.level, t.optname, data, &v.len) != 0)
    return fail(L, "getsockopt", &t, errno);
  if (program)
    v.len *= INSTRUCTION;
  if (size >= 0 && size < room)
    room = (socklen_t)size;
  if (v.len > room) /* some tell how much there would have been */
    v.len = room;
  if (size >= 0 || t.kind->push == NULL)
    lua_pushlstring(L, data, v.len);
  else
    t.kind->push(L, t.kind, &v);
  return 1;
}

static const luaL_Reg methods[] = {
  {"getsockopt", option_getsockopt},
  {"setsockopt", option_setsockopt},
  {NULL, NULL},
};

void bs_openoption (lua_State *L) {
  bs_setfuncs(L, BS_AT_METHODS, methods);
}
