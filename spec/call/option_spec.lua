-- csrc/call/option.c: setsockopt and getsockopt. Every row of csrc/call/options.h has its row here.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local process = require "spec.support.process"
local namespace = require "spec.support.namespace"
local netlink = require "spec.support.netlink"
local net = require "spec.support.net"

local nan, inf = 0 / 0, math.huge

local NOSUCH = "this kernel does not have the option"
local NOTALLOWED = "no privilege for the option"

local makers = {
  tcp = function() return socket.socket("AF_INET", "SOCK_STREAM") end,
  tcp6 = function() return socket.socket("AF_INET6", "SOCK_STREAM") end,
  udp = function() return socket.socket("AF_INET", "SOCK_DGRAM") end,
  udp6 = function() return socket.socket("AF_INET6", "SOCK_DGRAM") end,
  udplite = function() return socket.socket("AF_INET", "SOCK_DGRAM", "IPPROTO_UDPLITE") end,
  icmp = function() return socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_ICMP") end,
  unix = function() return socket.socket("AF_UNIX", "SOCK_STREAM") end,
  raw = function() return socket.socket("AF_INET", "SOCK_RAW", "IPPROTO_RAW") end,
  raw6 = function() return socket.socket("AF_INET6", "SOCK_RAW", 253) end, -- for experiments
  icmp6 = function() return socket.socket("AF_INET6", "SOCK_RAW", "IPPROTO_ICMPV6") end,
  alert6 = function() return socket.socket("AF_INET6", "SOCK_RAW", "IPPROTO_RAW") end,
  packet = function() return socket.socket("AF_PACKET", "SOCK_RAW") end,
  netlink = function() return socket.socket("AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE") end,
}

local function make(kind)
  local s, message, code = makers[kind]()
  if not s and (code == "EPERM" or code == "EAFNOSUPPORT") then helper.skip(NOTALLOWED) end
  if not s and code == "EPROTONOSUPPORT" then helper.skip("no UDP-Lite here") end
  return assert(s, message)
end

-- Two ends of a connection over loopback.
local function connected()
  local server <close> = assert(socket.socket())
  assert(assert(server:bind("127.0.0.1", 0)):listen())
  local client = assert(socket.socket())
  assert(client:connect(server:getsockname()))
  return client, (assert(server:accept()))
end

local loopback = assert(socket.if_nametoindex "lo")
local inside = namespace.inside

---------------------------------------------------------------------------------------------------
-- Every option reads back what was written

local rows = {} -- by name: the kind of socket, and values that are written and read back
local order = {}

local function add(kind, name, ...)
  rows[name] = { kind = kind, values = { ... } }
  order[#order + 1] = name
end

-- Switches that turn on and off again.
local switches = {
  tcp = {
    "SO_BROADCAST", "SO_DEBUG", "SO_DONTROUTE", "SO_KEEPALIVE", "SO_NOFCS", "SO_NO_CHECK", "SO_OOBINLINE",
    "SO_PREFER_BUSY_POLL", "SO_RCVMARK", "SO_REUSEADDR", "SO_REUSEPORT", "SO_RXQ_OVFL", "SO_SELECT_ERR_QUEUE",
    "SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_WIFI_STATUS", "SO_ZEROCOPY", "SO_RCVPRIORITY", "SO_USELOOPBACK",
    "SO_NOSIGPIPE", "SO_REUSEPORT_LB",
    "TCP_CORK", "TCP_FASTOPEN_CONNECT", "TCP_FASTOPEN_NO_COOKIE", "TCP_INQ", "TCP_NODELAY", "TCP_QUICKACK",
    "TCP_THIN_LINEAR_TIMEOUTS", "TCP_NOOPT", "TCP_NOPUSH",
  },
  udp = {
    "UDP_CORK", "UDP_GRO",
    "IP_BIND_ADDRESS_NO_PORT", "IP_CHECKSUM", "IP_FREEBIND", "IP_MULTICAST_ALL", "IP_MULTICAST_LOOP",
    "IP_PASSSEC", "IP_PKTINFO", "IP_RECVERR", "IP_RECVERR_RFC4884", "IP_RECVFRAGSIZE", "IP_RECVOPTS",
    "IP_RECVORIGDSTADDR", "IP_RECVTOS", "IP_RECVTTL", "IP_RETOPTS", "IP_TRANSPARENT", "IP_BINDANY",
    "IP_DONTFRAG", "IP_ONESBCAST", "IP_RECVRETOPTS", "IP_RECVDSTADDR", "IP_RECVIF",
  },
  raw = { "IP_HDRINCL", "IP_NODEFRAG" },
  udp6 = {
    "UDP_NO_CHECK6_RX", "UDP_NO_CHECK6_TX",
    "IPV6_AUTOFLOWLABEL", "IPV6_DONTFRAG", "IPV6_FLOWINFO", "IPV6_FLOWINFO_SEND", "IPV6_FREEBIND",
    "IPV6_MULTICAST_ALL", "IPV6_MULTICAST_LOOP", "IPV6_RECVDSTOPTS", "IPV6_RECVERR", "IPV6_RECVERR_RFC4884",
    "IPV6_RECVFRAGSIZE", "IPV6_RECVHOPLIMIT", "IPV6_RECVHOPOPTS", "IPV6_RECVORIGDSTADDR", "IPV6_RECVPATHMTU",
    "IPV6_RECVPKTINFO", "IPV6_RECVRTHDR", "IPV6_RECVTCLASS", "IPV6_ROUTER_ALERT_ISOLATE", "IPV6_TRANSPARENT",
    "IPV6_V6ONLY", "IPV6_BINDANY", "IPV6_2292DSTOPTS", "IPV6_2292HOPLIMIT", "IPV6_2292HOPOPTS", "IPV6_2292PKTINFO",
    "IPV6_2292RTHDR",
  },
  raw6 = { "IPV6_HDRINCL" },
  unix = { "SO_PASSCRED", "SO_PASSPIDFD", "SO_PASSRIGHTS", "SO_PASSSEC" },
  packet = {
    "PACKET_AUXDATA", "PACKET_IGNORE_OUTGOING", "PACKET_LOSS", "PACKET_ORIGDEV", "PACKET_QDISC_BYPASS",
    "PACKET_VNET_HDR", "PACKET_TX_HAS_OFF",
  },
  netlink = {
    "NETLINK_BROADCAST_ERROR", "NETLINK_CAP_ACK", "NETLINK_EXT_ACK", "NETLINK_GET_STRICT_CHK",
    "NETLINK_LISTEN_ALL_NSID", "NETLINK_NO_ENOBUFS", "NETLINK_PKTINFO",
  },
}
local isswitch = {}
for kind, names in pairs(switches) do
  for _, name in ipairs(names) do
    add(kind, name, true, false)
    isswitch[name] = true
  end
end
add("tcp", "SO_LOCK_FILTER", true) -- there is no way back

-- Integers. The bounds of some are the kernel's.
add("tcp", "SO_BUF_LOCK", 3, 0)
add("tcp", "SO_INCOMING_CPU", 0)
add("tcp", "SO_MARK", 0, 77, 2 ^ 32 - 1)
add("tcp", "SO_MAX_PACING_RATE", 1000000, 0, 2 ^ 31, -1)
add("tcp", "SO_PEEK_OFF", 5, 0, -1)
add("tcp", "SO_PRIORITY", 4, 0)
add("tcp", "SO_RCVLOWAT", 1000, 1)
add("udp", "SO_TIMESTAMPING", 1 << 4, (socket.SOF_TIMESTAMPING_RX_SOFTWARE or 0), 0)
add("tcp", "SO_TXREHASH", 0, 1)
add("tcp", "TCP_FASTOPEN", 5, 0)
add("tcp", "TCP_KEEPCNT", 3, 127)
add("tcp", "TCP_LINGER2", 7)
add("tcp", "TCP_NOTSENT_LOWAT", 16384, 0, 2 ^ 32 - 1)
add("tcp", "TCP_REPAIR", 1, 0)
add("tcp", "TCP_SAVE_SYN", 1, 2, 0)
add("tcp", "TCP_SYNCNT", 3, 127)
add("tcp", "TCP_WINDOW_CLAMP", 70000)
add("udp", "UDP_ENCAP", 2)
add("udp", "UDP_SEGMENT", 1000, 0)
add("udp", "IP_LOCAL_PORT_RANGE", 40000 | 60000 << 16, 0)
add("tcp", "IP_MINTTL", 255, 0)
add("udp", "IP_MTU_DISCOVER", 2, 0)
add("udp", "IP_MULTICAST_TTL", 0, 64, 255)
add("udp", "IP_TOS", 0x10, 0xfc, 0)
add("udp", "IP_TTL", 1, 255)
add("udp", "IP_PORTRANGE", 1, 0)
add("udp6", "IPV6_ADDR_PREFERENCES", 1 | 0x400, 2 | 0x400)
add("raw6", "IPV6_CHECKSUM", 2, -1)
add("udp6", "IPV6_MINHOPCOUNT", 255, 0)
add("udp6", "IPV6_MTU_DISCOVER", 2, 0)
add("udp6", "IPV6_MULTICAST_HOPS", 0, 64, 255)
add("alert6", "IPV6_ROUTER_ALERT", 1)
add("udp6", "IPV6_TCLASS", 0xb8, 0)
add("udp6", "IPV6_UNICAST_HOPS", 1, 255)
add("udp6", "IPV6_USE_MIN_MTU", 1, -1)
add("packet", "PACKET_COPY_THRESH", 5, 0)
add("packet", "PACKET_RESERVE", 64, 0)
add("packet", "PACKET_TIMESTAMP", 1 << 4, 0)
add("packet", "PACKET_VERSION", 2, 0)
add("packet", "PACKET_VNET_HDR_SZ", 12, 0)
add("udplite", "UDPLITE_RECV_CSCOV", 20, 8, 0)
add("udplite", "UDPLITE_SEND_CSCOV", 20, 8, 0)
add("icmp", "ICMP_FILTER", 1 << 8, 2 ^ 32 - 1, 0)

-- Seconds.
add("tcp", "SO_BUSY_POLL", 0.00005, 0)
add("tcp", "SO_LINGER", 0, 30, false)
add("tcp", "SO_RCVTIMEO", 2.5, 0.5, 3600, 0)
add("tcp", "SO_SNDTIMEO", 2.5, 0.5, 3600, 0)
add("tcp", "TCP_KEEPIDLE", 60, 1, 32767)
add("tcp", "TCP_KEEPINTVL", 5, 1, 32767)
add("tcp", "TCP_CONNECTIONTIMEOUT", 5)
add("tcp", "TCP_KEEPALIVE", 60)
add("tcp", "TCP_KEEPINIT", 60)
add("tcp", "TCP_DEFER_ACCEPT", 1, 0)
add("tcp", "TCP_DELACK_MAX_US", 0.1)
add("tcp", "TCP_RTO_MAX_MS", 5)
add("tcp", "TCP_RTO_MIN_US", 0.1)
add("tcp", "TCP_TX_DELAY", 0.002)
add("tcp", "TCP_USER_TIMEOUT", 0.25, 30, 0)

-- Names and bytes.
add("udp", "SO_BINDTODEVICE", "lo", "")
add("tcp", "TCP_CONGESTION", "reno")
add("tcp", "TCP_FASTOPEN_KEY", ("0123456789abcdef"):rep(2), "0123456789abcdef")
add("udp", "IP_OPTIONS", "\7\7\4\0\0\0\0\0", "")
add("udp6", "IPV6_DSTOPTS", "\0\0\1\4\0\0\0\0", "")
add("raw6", "IPV6_HOPOPTS", "\0\0\1\4\0\0\0\0", "")
add("udp6", "IPV6_RTHDRDSTOPTS", "\0\0\1\4\0\0\0\0", "")
add("icmp6", "ICMP6_FILTER", ("\255"):rep(32), ("\0"):rep(32))

-- Programs of the filter machine, and records.
local function instruction(code, jt, jf, k) return string.pack("=I2BBI4", code, jt, jf, k) end
local function ret(n) return instruction(0x06, 0, 0, n) end

add("udp", "SO_ATTACH_FILTER", ret(0), instruction(0x00, 0, 0, 77) .. ret(9):rep(4095))
add("udp", "SO_GET_FILTER", ret(0), ret(1):rep(2))
add("udp", "SO_TXTIME", { clockid = 11, flags = 0 }, { clockid = 1, flags = 2 })

-- Interfaces.
add("udp", "SO_BINDTOIFINDEX", loopback, 0)
add("udp", "IP_MULTICAST_IF", "127.0.0.1", "0.0.0.0")
add("udp", "IP_UNICAST_IF", loopback, 0)
add("udp6", "IPV6_MULTICAST_IF", loopback, 0)
add("udp6", "IPV6_UNICAST_IF", loopback, 0)

-- These have a test of their own below.
local others = {}
for name in ([[
  SO_ACCEPTCONN SO_BUSY_POLL_BUDGET SO_COOKIE SO_DOMAIN SO_ERROR SO_INCOMING_NAPI_ID SO_NETNS_COOKIE SO_PEERCRED
  SO_PROTOCOL SO_RCVBUF SO_RCVBUFFORCE SO_RESERVE_MEM SO_SNDBUF SO_SNDBUFFORCE SO_SNDLOWAT SO_TYPE TCP_INFO
  TCP_IS_MPTCP TCP_MAXSEG TCP_QUEUE_SEQ
  TCP_REPAIR_QUEUE TCP_SAVED_SYN TCP_THIN_DUPACK TCP_TIMESTAMP TCP_ULP IP_MTU IP_PROTOCOL IP_ROUTER_ALERT
  IP_ADD_MEMBERSHIP IP_DROP_MEMBERSHIP IP_ADD_SOURCE_MEMBERSHIP IP_DROP_SOURCE_MEMBERSHIP IP_BLOCK_SOURCE
  IP_UNBLOCK_SOURCE IPV6_JOIN_GROUP IPV6_LEAVE_GROUP IPV6_ADD_MEMBERSHIP IPV6_DROP_MEMBERSHIP IPV6_JOIN_ANYCAST
  IPV6_LEAVE_ANYCAST IPV6_MTU IPV6_RTHDR NETLINK_ADD_MEMBERSHIP NETLINK_DROP_MEMBERSHIP NETLINK_LIST_MEMBERSHIPS
  SO_ATTACH_BPF SO_ATTACH_REUSEPORT_CBPF SO_ATTACH_REUSEPORT_EBPF SO_BPF_EXTENSIONS SO_BSDCOMPAT SO_CNX_ADVICE
  SO_DETACH_BPF SO_DETACH_FILTER SO_DETACH_REUSEPORT_BPF SO_DEVMEM_DONTNEED SO_MEMINFO SO_PEERGROUPS SO_PEERPIDFD
  SO_PEERSEC TCP_AO_ADD_KEY TCP_AO_DEL_KEY TCP_AO_INFO TCP_AO_REPAIR TCP_CC_INFO TCP_MD5SIG TCP_MD5SIG_EXT
  TCP_REPAIR_OPTIONS TCP_REPAIR_WINDOW IP_IPSEC_POLICY IP_MSFILTER IP_PKTOPTIONS IP_XFRM_POLICY IPV6_2292PKTOPTIONS
  IPV6_ADDRFORM
  IPV6_FLOWLABEL_MGR IPV6_IPSEC_POLICY IPV6_PATHMTU IPV6_PKTINFO IPV6_XFRM_POLICY PACKET_ADD_MEMBERSHIP
  SO_INQ SO_ORIGINAL_DST IP6T_SO_ORIGINAL_DST
  PACKET_DROP_MEMBERSHIP PACKET_FANOUT PACKET_FANOUT_DATA PACKET_HDRLEN PACKET_ROLLOVER_STATS PACKET_STATISTICS
]]):gmatch "%S+" do others[name] = true end

-- A kernel may lack an option or forbid it; then there is nothing to see.
local function try(result, message, code)
  if code == "ENOPROTOOPT" or code == "EOPNOTSUPP" then helper.skip(NOSUCH) end
  if code == "EPERM" then helper.skip(NOTALLOWED) end
  if result == nil then error(message, 2) end
  return result
end

describe("an option reads back what was written:", function()
  table.sort(order)
  for _, name in ipairs(order) do
    if socket[name] then
      it(name, function()
        local row = rows[name]
        local s <close> = make(row.kind)
        for _, value in ipairs(row.values) do
          assert.equal(s, try(s:setsockopt(name, value)))
          local read = s:getsockopt(name)
          assert.same(value, read)
          if type(value) ~= "number" then assert.equal(type(value), type(read)) end
        end
      end)
    end
  end
end)

describe("a switch takes 1 and 0, as C does, and still reads back as a boolean:", function()
  for _, name in ipairs(order) do
    if socket[name] and isswitch[name] then
      it(name, function()
        local s <close> = make(rows[name].kind)
        for _, on in ipairs { 1, 0, 1.0, 0.0 } do
          assert.equal(s, try(s:setsockopt(name, on)))
          assert.equal(on == 1, s:getsockopt(name))
        end
      end)
    end
  end

  it("however the option is named", function()
    local s <close> = make "tcp"
    assert.equal(s, s:setsockopt("SOL_SOCKET", "SO_KEEPALIVE", 1))
    assert.is_true(s:getsockopt("SOL_SOCKET", "SO_KEEPALIVE"))
    assert.equal(s, s:setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
    assert.is_true(s:getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
  end)
end)

it("every option of csrc/call/options.h has a test here", function()
  local missing, count = {}, 0
  -- Of what this machine's kernel may lack the test is in the virtual machine, where it is there.
  for line in io.lines "spec/vm/option_spec.lua" do
    for name in line:gmatch '"([%u%d_]+)"' do others[name] = true end
  end
  for line in io.lines "csrc/call/options.h" do
    local name = line:match '^{"([%u%d_]+)"'
    if name then
      count = count + 1
      if not rows[name] and not others[name] then missing[#missing + 1] = name end
    end
  end
  assert.same({}, missing)
  assert.is_true(count > 300)
end)

-- Names of the headers that begin like an option's and have no row.
local norow = {}
for reason, names in pairs {
  ["a value, not an option"] = [[
    SO_EE_CODE_TXTIME_INVALID_PARAM SO_EE_CODE_TXTIME_MISSED SO_EE_CODE_ZEROCOPY_COPIED SO_EE_OFFENDER
    SO_EE_ORIGIN_ICMP SO_EE_ORIGIN_ICMP6 SO_EE_ORIGIN_LOCAL SO_EE_ORIGIN_NONE SO_EE_ORIGIN_TIMESTAMPING
    SO_EE_ORIGIN_TXSTATUS SO_EE_ORIGIN_TXTIME SO_EE_ORIGIN_ZEROCOPY SO_EE_RFC4884_FLAG_INVALID
    TCP_CLOSE TCP_CLOSE_WAIT TCP_CLOSING TCP_COOKIE_IN_ALWAYS TCP_COOKIE_MAX TCP_COOKIE_MIN TCP_COOKIE_OUT_NEVER
    TCP_COOKIE_PAIR_SIZE TCP_ESTABLISHED TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_LAST_ACK TCP_LISTEN TCP_MAXWIN
    TCP_MAX_WINSHIFT TCP_MD5SIG_FLAG_IFINDEX TCP_MD5SIG_FLAG_PREFIX TCP_MD5SIG_MAXKEYLEN TCP_MSS TCP_MSS_DEFAULT
    TCP_MSS_DESIRED TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT TCP_REPAIR_OFF TCP_REPAIR_OFF_NO_WP TCP_REPAIR_ON
    TCP_SYN_RECV TCP_SYN_SENT TCP_S_DATA_IN TCP_S_DATA_OUT TCP_TIME_WAIT TCP_ENCAP_ESPINTCP
    UDP_ENCAP_ESPINUDP UDP_ENCAP_ESPINUDP_NON_IKE UDP_ENCAP_GTP0 UDP_ENCAP_GTP1U UDP_ENCAP_L2TPINUDP
    UDP_ENCAP_RXRPC UDP_MAX_SEGMENTS
    IP_DEFAULT_MULTICAST_LOOP IP_DEFAULT_MULTICAST_TTL IP_DF IP_MAXPACKET IP_MAX_MEMBERSHIPS IP_MF IP_MSFILTER_SIZE
    IP_MSS IP_OFFMASK IP_RF IP_PMTUDISC_DO IP_PMTUDISC_DONT IP_PMTUDISC_INTERFACE IP_PMTUDISC_OMIT IP_PMTUDISC_PROBE
    IP_PMTUDISC_WANT
    IPV6_FLOWINFO_FLOWLABEL IPV6_FLOWINFO_PRIORITY IPV6_FL_A_GET IPV6_FL_A_PUT IPV6_FL_A_RENEW IPV6_FL_F_CREATE
    IPV6_FL_F_EXCL IPV6_FL_F_REFLECT IPV6_FL_F_REMOTE IPV6_FL_S_ANY IPV6_FL_S_EXCL IPV6_FL_S_NONE IPV6_FL_S_PROCESS
    IPV6_FL_S_USER IPV6_MIN_MTU IPV6_OPT_ROUTERALERT_MLD IPV6_PMTUDISC_DO IPV6_PMTUDISC_DONT
    IPV6_PMTUDISC_INTERFACE IPV6_PMTUDISC_OMIT IPV6_PMTUDISC_PROBE IPV6_PMTUDISC_WANT IPV6_PREFER_SRC_CGA
    IPV6_PREFER_SRC_COA IPV6_PREFER_SRC_HOME IPV6_PREFER_SRC_NONCGA IPV6_PREFER_SRC_PUBLIC
    IPV6_PREFER_SRC_PUBTMP_DEFAULT IPV6_PREFER_SRC_TMP IPV6_PRIORITY_8 IPV6_PRIORITY_9 IPV6_PRIORITY_10
    IPV6_PRIORITY_11 IPV6_PRIORITY_12 IPV6_PRIORITY_13 IPV6_PRIORITY_14 IPV6_PRIORITY_15 IPV6_PRIORITY_BULK
    IPV6_PRIORITY_CONTROL IPV6_PRIORITY_FILLER IPV6_PRIORITY_INTERACTIVE IPV6_PRIORITY_RESERVED1
    IPV6_PRIORITY_RESERVED2 IPV6_PRIORITY_UNATTENDED IPV6_PRIORITY_UNCHARACTERIZED IPV6_RTHDR_LOOSE
    IPV6_RTHDR_STRICT IPV6_RTHDR_TYPE_0 IPV6_SRCRT_STRICT IPV6_SRCRT_TYPE_0 IPV6_SRCRT_TYPE_2 IPV6_SRCRT_TYPE_3
    IPV6_SRCRT_TYPE_4 IPV6_TLV_CALIPSO IPV6_TLV_HAO IPV6_TLV_IOAM IPV6_TLV_JUMBO IPV6_TLV_PAD1 IPV6_TLV_PADN
    IPV6_TLV_ROUTERALERT
  ]],
  ["names control data, whose option is the one with RECV in its name, or TCP_INQ"] =
    "IP_ORIGDSTADDR IPV6_ORIGDSTADDR IPV6_HOPLIMIT IPV6_NEXTHOP TCP_CM_INQ SO_DEVMEM_LINEAR SO_DEVMEM_DMABUF",
  ["the form that an option of the plain name has for one width of its times"] = [[
    SO_RCVTIMEO_NEW SO_RCVTIMEO_OLD SO_SNDTIMEO_NEW SO_SNDTIMEO_OLD SO_TIMESTAMPING_NEW SO_TIMESTAMPING_OLD
    SO_TIMESTAMPNS_NEW SO_TIMESTAMPNS_OLD SO_TIMESTAMP_NEW SO_TIMESTAMP_OLD SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW
    SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD
  ]],
  ["a number that no kernel makes anything of"] = [[
    SO_SECURITY_AUTHENTICATION SO_SECURITY_ENCRYPTION_NETWORK SO_SECURITY_ENCRYPTION_TRANSPORT
    SO_VM_SOCKETS_NONBLOCK_TXRX TCP_COOKIE_TRANSACTIONS IPV6_AUTHHDR
  ]],
  ["an old name that now means another option than it did"] = "IP_PMTUDISC IPV6_RXHOPOPTS IPV6_RXDSTOPTS",
  ["s:getpeername gives it; the kernel wants to know its length before"] = "SO_PEERNAME",
  ["is about memory that has to be mapped; its struct has addresses of it"] = "TCP_ZEROCOPY_RECEIVE",
  ["can only be read, for a struct that says which keys"] = "TCP_AO_GET_KEYS",
} do
  for name in names:gmatch "%S+" do norow[name] = reason end
end

it("every option that the headers name has its row, or a reason why it has none", function()
  local isrow, missing, count = {}, {}, 0
  for line in io.lines "csrc/call/options.h" do
    local name = line:match '^{"([%u%d_]+)"'
    if name then isrow[name] = true end
  end
  for _, source in ipairs {
    '#include "base/netheaders.h"\n', "#ifdef __linux__\n#include <linux/tcp.h>\n#endif\n",
    "#ifdef __linux__\n#include <linux/udp.h>\n#endif\n",
  } do
    for name in helper.macros(source) do
      local prefix = name:match "^([%u%d]+)_"
      if prefix == "SO" or prefix == "TCP" or prefix == "UDP" or prefix == "IP" or prefix == "IPV6" then
        count = count + 1
        if not isrow[name] and not norow[name] then missing[#missing + 1] = name end
      end
    end
  end
  table.sort(missing)
  assert.same({}, missing)
  for name in pairs(norow) do assert.is_nil(isrow[name], name) end
  assert.is_true(count > 300)
end)

---------------------------------------------------------------------------------------------------

describe("setsockopt", function()
  local s
  before_each(function() s = assert(socket.socket()) end)
  after_each(function() s:close() end)

  it("takes the level and the name as integers or as names", function()
    local on = false
    for _, level in ipairs { socket.SOL_SOCKET, "SOL_SOCKET" } do
      for _, name in ipairs { socket.SO_KEEPALIVE, "SO_KEEPALIVE" } do
        on = not on
        assert.equal(s, s:setsockopt(level, name, on))
        assert.equal(on, s:getsockopt(level, name))
        assert.equal(on, s:getsockopt "SO_KEEPALIVE")
      end
    end
    for _, level in ipairs { "SOL_TCP", "IPPROTO_TCP", 6, 6.0 } do
      on = not on
      assert.equal(s, s:setsockopt(level, "TCP_NODELAY", on))
      assert.equal(on, s:getsockopt(level, "TCP_NODELAY"))
      assert.equal(on, s:getsockopt "TCP_NODELAY")
    end
  end)

  it("chains", function()
    s:setsockopt("SO_REUSEADDR", true):setsockopt("TCP_NODELAY", true):setsockopt("SOL_SOCKET", "SO_KEEPALIVE", true)
    assert.is_true(s:getsockopt "SO_REUSEADDR" and s:getsockopt "TCP_NODELAY" and s:getsockopt "SO_KEEPALIVE")
  end)

  it("takes integers and booleans for a pair that the library does not know", function()
    -- where times have 64 bits and all else 32, the new one is that which the library knows
    local name = socket.SO_TIMESTAMP ~= socket.SO_TIMESTAMP_NEW and "SO_TIMESTAMP_NEW" or "SO_TIMESTAMP_OLD"
    local option = socket[name]
    if not option then helper.skip(NOSUCH) end
    assert.equal(s, s:setsockopt("SOL_SOCKET", option, 1))
    assert.equal(1, s:getsockopt("SOL_SOCKET", option))
    assert.equal("integer", math.type(s:getsockopt(socket.SOL_SOCKET, name)))
    assert.equal(s, s:setsockopt("SOL_SOCKET", name, false))
    assert.equal(0, s:getsockopt("SOL_SOCKET", option))
    assert.equal(s, s:setsockopt("SOL_SOCKET", option, true))
    assert.equal(1, s:getsockopt("SOL_SOCKET", option))
  end)

  it("takes raw bytes as a string, for any option that is none itself", function()
    assert.equal(s, s:setsockopt("SO_KEEPALIVE", string.pack("i", 1)))
    assert.is_true(s:getsockopt "SO_KEEPALIVE")
    assert.equal(s, s:setsockopt("SOL_SOCKET", "SO_LINGER", string.pack("ii", 1, 9)))
    assert.equal(9, s:getsockopt "SO_LINGER")
    assert.equal(s, s:setsockopt(1, 13, string.pack("ii", 0, 0)))
    assert.is_false(s:getsockopt "SO_LINGER")
    for _, size in ipairs { 0, 1020, 1021, 2000, 2 ^ 20 - 4 } do -- Linux looks at the first four bytes
      local on = size % 8 == 0
      assert.equal(s, s:setsockopt("SO_KEEPALIVE", string.pack("i", on and 1 or 0) .. ("\0"):rep(size)))
      assert.equal(on, s:getsockopt "SO_KEEPALIVE")
    end
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_KEEPALIVE", "1"))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_KEEPALIVE", ""))
    local u <close> = make "udp"
    assert.equal(u, u:setsockopt("IP_ADD_MEMBERSHIP", "\224\0\0\77" .. "\127\0\0\1"))
    local same = { group = "224.0.0.77", interface = "lo" }
    helper.fails("s:setsockopt", "EADDRINUSE", u:setsockopt("IP_ADD_MEMBERSHIP", same))
  end)

  it("rounds a time to the nearest that the option can hold, but never to nothing", function()
    s:setsockopt("TCP_USER_TIMEOUT", 0.1 + 0.2)
    assert.equal(0.3, s:getsockopt "TCP_USER_TIMEOUT")
    s:setsockopt("TCP_USER_TIMEOUT", 1.001) -- a little less than 1001 ms in binary
    assert.equal(1.001, s:getsockopt "TCP_USER_TIMEOUT")
    s:setsockopt("TCP_USER_TIMEOUT", 1e-9)
    assert.equal(0.001, s:getsockopt "TCP_USER_TIMEOUT")
    s:setsockopt("TCP_USER_TIMEOUT", 5e-324)
    assert.equal(0.001, s:getsockopt "TCP_USER_TIMEOUT")
    s:setsockopt("SO_SNDTIMEO", 1e-12)
    assert.is_true(s:getsockopt "SO_SNDTIMEO" > 0)
    s:setsockopt("SO_SNDTIMEO", 1.9999999)
    assert.equal(2.0, s:getsockopt "SO_SNDTIMEO")
    s:setsockopt("SO_SNDTIMEO", 0x7fffffff)
    assert.equal(0x7fffffff, s:getsockopt "SO_SNDTIMEO")
    s:setsockopt("TCP_USER_TIMEOUT", 2147483.647)
    assert.equal(2147483.647, s:getsockopt "TCP_USER_TIMEOUT")
  end)

  it("leaves the socket's own timeout as exact as it was", function()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    a:setsockopt("SO_RCVTIMEO", 0.02):settimeout(0.3)
    helper.fails("s:recv", "timeout", net.takes(0.3, a.recv, a))
    -- The first receive gave the kernel a timeout; a raw one of the user's must not be taken for it.
    a:setsockopt("SOL_SOCKET", "SO_RCVTIMEO", string.pack("jj", 3, 0))
    helper.fails("s:recv", "timeout", net.takes(0.3, a.recv, a))
  end)
end)

describe("a timeout of the kernel's that was set", function()
  it("is still there when the descriptor is given up", function()
    local a, b = assert(socket.socketpair())
    local _ <close> = b
    a:settimeout(0.3)
    helper.fails("s:recv", "timeout", a:recv()) -- which the library bounds in its own way
    a:setsockopt("SO_RCVTIMEO", 1.5)
    local s <close> = assert(socket.fromfd((assert(a:detach()))))
    assert.equal(1.5, s:getsockopt "SO_RCVTIMEO")
  end)
end)

describe("setsockopt fails", function()
  it("with what the system says, naming call and option", function()
    local s <close> = make "unix"
    local message = helper.fails("s:setsockopt", "EOPNOTSUPP", s:setsockopt("TCP_NODELAY", true))
    assert.equal("setsockopt TCP_NODELAY: " .. socket.strerror "EOPNOTSUPP", message)
    message = helper.fails("s:setsockopt", "EOPNOTSUPP", s:setsockopt(6, 1, true))
    assert.equal("setsockopt TCP_NODELAY: " .. socket.strerror "EOPNOTSUPP", message)
    message = helper.fails("s:setsockopt", "ENOPROTOOPT", s:setsockopt("SOL_SOCKET", 9999, 1))
    assert.equal("setsockopt 1/9999: " .. socket.strerror "ENOPROTOOPT", message)
    message = helper.fails("s:setsockopt", "ENOPROTOOPT", s:setsockopt("SO_ERROR", 0))
    assert.equal("setsockopt SO_ERROR: " .. socket.strerror "ENOPROTOOPT", message)
    local t <close> = make "tcp"
    helper.fails("s:setsockopt", "EINVAL", t:setsockopt("TCP_KEEPIDLE", 40000))
    helper.fails("s:setsockopt", "ENOENT", t:setsockopt("TCP_CONGESTION", "no-such-one"))
  end)

  it("with ENODEV for an interface that is not there", function()
    local s <close> = make "udp"
    local t <close> = make "udp6"
    for _, name in ipairs { "no-such-if", "", "a name that is much too long for one", "192.0.2.77 " } do
      local member4, member6 = { group = "224.0.0.77", interface = name }, { group = "ff02::77", interface = name }
      local message = helper.fails("s:setsockopt", "ENODEV", s:setsockopt("IP_MULTICAST_IF", name))
      assert.equal("setsockopt IP_MULTICAST_IF: " .. socket.strerror "ENODEV", message)
      helper.fails("s:setsockopt", "ENODEV", s:setsockopt("SO_BINDTOIFINDEX", name))
      helper.fails("s:setsockopt", "ENODEV", t:setsockopt("IPV6_MULTICAST_IF", name))
      helper.fails("s:setsockopt", "ENODEV", s:setsockopt("IP_ADD_MEMBERSHIP", member4))
      helper.fails("s:setsockopt", "ENODEV", t:setsockopt("IPV6_JOIN_GROUP", member6))
    end
    helper.fails("s:setsockopt", "ENODEV", t:setsockopt("IPV6_MULTICAST_IF", "2001:db8::77"))
    local elsewhere = { group = "224.0.0.77", interface = "192.0.2.77" }
    helper.fails("s:setsockopt", "ENODEV", s:setsockopt("IP_ADD_MEMBERSHIP", elsewhere))
    helper.fails("s:setsockopt", "ENODEV", s:setsockopt("IP_UNICAST_IF", "192.0.2.77"))
  end)

  it("with EBADF on a closed socket", function()
    local s = make "tcp"
    s:close()
    for _, args in ipairs {
      { "SO_REUSEADDR", true }, { "SOL_SOCKET", "SO_REUSEADDR", true }, { 1, 9999, 1 }, { "SO_LINGER", "raw" },
      { "IP_MULTICAST_IF", "no-such-if" },
    } do
      local message = helper.fails("s:setsockopt", "EBADF", s:setsockopt(table.unpack(args)))
      assert.equal("setsockopt: " .. socket.strerror "EBADF", message)
    end
    -- Even when it is closed while the arguments are looked at.
    local t = make "udp"
    local group = setmetatable({}, { __index = function(_, key)
      t:close()
      return key == "group" and "224.0.0.77" or nil
    end })
    helper.fails("s:setsockopt", "EBADF", t:setsockopt("IP_ADD_MEMBERSHIP", group))
  end)
end)

describe("setsockopt raises", function()
  local s, u, u6
  before_each(function() s, u, u6 = make "tcp", make "udp", make "udp6" end)
  after_each(function()
    s:close()
    u:close()
    u6:close()
  end)

  -- How a user sees it: argument numbers of a method do not count the socket.
  local function refuses(pattern, t, ...)
    local args = table.pack(...)
    return helper.raises("s:setsockopt", pattern, function()
      return assert(t:setsockopt(table.unpack(args, 1, args.n)))
    end)
  end

  it("for names that it does not know, and names them", function()
    refuses("#1 to 'setsockopt' %(unknown constant 'SO_FOO'%)", s, "SO_FOO", true)
    refuses("#1 to 'setsockopt' %(unknown constant 'SOL_FOO'%)", s, "SOL_FOO", "SO_KEEPALIVE", true)
    refuses("#2 to 'setsockopt' %(unknown constant 'SO_FOO'%)", s, "SOL_SOCKET", "SO_FOO", true)
    refuses("unknown constant ''", s, "", true)
    refuses("unknown constant 'SO_KEEPALIVE\\0", s, "SO_KEEPALIVE\0", true)
    refuses("unknown constant 'SO_KEEPALIVE\\0", s, 1, "SO_KEEPALIVE\0", true)
    refuses("unknown constant 'so_keepalive'", s, "so_keepalive", true)
    refuses("unknown constant 'x+'", s, ("x"):rep(100000), true)
  end)

  it("for names of another kind, and for options whose level it does not know", function()
    refuses("#1 to 'setsockopt' %(constant 'AF_INET' is none of SO_%*", s, "AF_INET", true)
    refuses("#1 to 'setsockopt' %(constant 'SO_KEEPALIVE' is none of SOL_%*, IPPROTO_%*%)", s,
      "SO_KEEPALIVE", "SO_DEBUG", true)
    refuses("#2 to 'setsockopt' %(constant 'SOL_SOCKET' is none of SO_%*", s, 1, "SOL_SOCKET", true)
    refuses("#1 to 'setsockopt' %(constant 'SOL_SOCKET' is none of", s, "SOL_SOCKET",
      "SO_KEEPALIVE") -- the value is missing
    refuses("#1 to 'setsockopt' %(the level of 'TCP_ESTABLISHED' is not known%)", s, "TCP_ESTABLISHED", 1)
  end)

  it("when arguments are missing", function()
    refuses("#1 to 'setsockopt' %(.*got no value%)", s)
    refuses("#2 to 'setsockopt' %(.*got no value%)", s, 1)
    refuses("#3 to 'setsockopt' %(boolean expected, got no value%)", s, 1, socket.SO_KEEPALIVE)
    refuses("#3 to 'setsockopt' %(.*got no value%)", s, 1, 9999)
    refuses("#2 to 'setsockopt' %(boolean expected, got no value%)", s, "SO_KEEPALIVE")
    refuses("#2 to 'setsockopt' %(boolean expected, got nil%)", s, "SO_KEEPALIVE", nil)
    refuses("#2 to 'setsockopt' %(number or false expected, got nil%)", s, "SO_LINGER", nil)
    refuses("#2 to 'setsockopt' %(.*got nil%)", s, "IP_ADD_MEMBERSHIP", nil)
  end)

  it("for levels and names that are no integers", function()
    for _, wrong in ipairs { 1.5, nan, inf, 2 ^ 31, -2 ^ 31 - 1, math.maxinteger, true, {}, io.stdout, print } do
      refuses("#1 to 'setsockopt'", s, wrong, 1, 1)
      refuses("#2 to 'setsockopt'", s, 1, wrong, 1)
    end
  end)

  it("when called on something that is no socket", function()
    for _, wrong in ipairs { 1, "x", {}, io.stdout, socket.address("AF_INET", "127.0.0.1", 1) } do
      helper.raises("s:setsockopt", "socket expected", s.setsockopt, wrong, "SO_KEEPALIVE", true)
      helper.raises("s:getsockopt", "socket expected", s.getsockopt, wrong, "SO_KEEPALIVE")
    end
    helper.raises("s:setsockopt", "socket expected", s.setsockopt)
    helper.raises("s:getsockopt", "socket expected", s.getsockopt)
  end)

  -- kind of value = {an option of that kind, which socket, what it does not take}
  local kinds = {
    switch = { "SO_KEEPALIVE", "tcp", 2, -1, 0.5, 1.5, nan, inf, 2 ^ 63, {}, io.stdout },
    integer = { "SO_RCVBUF", "tcp", true, 2 ^ 31, -2 ^ 31 - 1, 2 ^ 63, math.maxinteger, math.mininteger, 1.5, nan, inf,
      {} },
    unsigned = { "SO_MARK", "tcp", true, -1, 2 ^ 32, math.maxinteger, 0.5, nan, inf, {} },
    rate = { "SO_MAX_PACING_RATE", "tcp", true, -2, math.mininteger, 2 ^ 63, 0.5, nan, inf, {} },
    time = { "SO_SNDTIMEO", "tcp", true, -1, -0.001, -5e-324, 2 ^ 31, inf, nan, {} },
    milliseconds = { "TCP_USER_TIMEOUT", "tcp", true, -1, -1e-9, 2147483.648, inf, nan, {} },
    seconds = { "TCP_KEEPIDLE", "tcp", true, -1, 1.5, 2 ^ 31, inf, nan, {} },
    linger = { "SO_LINGER", "tcp", true, -1, 1.5, 2 ^ 31, inf, nan, {} },
    name = { "TCP_CONGESTION", "tcp", true, 1, {}, "reno\0", ("x"):rep(16), ("x"):rep(100000) },
    ["name of an interface"] = { "SO_BINDTODEVICE", "udp", true, 1, {}, "lo\0", "\0", ("x"):rep(16) },
    program = { "SO_ATTACH_FILTER", "udp", true, 1, {}, "1234567", ("x"):rep(4097 * 8), io.stdout },
    ["value for what takes none"] = { "SO_DETACH_FILTER", "udp", true, 1, {} },
    record = { "SO_TXTIME", "udp", true, 1, { clock = 1 }, { clockid = -1 }, { clockid = 2 ^ 32 }, { clockid = 1.5 },
      { clockid = nan }, { clockid = "1" }, { flags = true }, { 11, 0 }, { [true] = 1 }, { ["clockid\0"] = 1 } },
    ["record of two bytes each"] = { "SCTP_INITMSG", "tcp", { num_ostreams = 2 ^ 16 }, { max_instreams = -1 } },
    ["record of a byte each"] = { "SCTP_EVENTS", "tcp", { association = 256 }, { association = 2 ^ 53 } },
    frames = { "PACKET_ADD_MEMBERSHIP", "packet", true, 1, {}, { interface = "lo" }, { type = 1 },
      { interface = "lo", type = -1 }, { interface = "lo", type = 2 ^ 16 }, { interface = "lo", type = "PACKET_MR_" },
      { interface = "lo", type = 1.5 }, { interface = "lo", type = 0, address = "123456789" },
      { interface = "lo", type = 0, address = 1 }, { interface = {}, type = 0 } },
    bytes = { "IP_OPTIONS", "udp", true, 1, {} },
    ["what can only be read"] = { "TCP_INFO", "tcp", true, 1, {} },
    ["interface of IPv4"] = { "IP_MULTICAST_IF", "udp", true, -1, 1.5, 2 ^ 31, nan, inf, {}, io.stdout, "lo\0",
      socket.address("AF_INET6", "::1", 0) },
    ["interface of IPv6"] = { "IPV6_MULTICAST_IF", "udp6", true, -1, 1.5, 2 ^ 31, nan, inf, {}, io.stdout, "lo\0",
      socket.address("AF_INET", "127.0.0.1", 0) },
    ["interface by index"] = { "SO_BINDTOIFINDEX", "udp", true, -1, 1.5, 2 ^ 31, nan, inf, {}, io.stdout, "lo\0",
      socket.address("AF_UNIX", "x") },
    membership = { "IP_ADD_MEMBERSHIP", "udp", true, 1, {}, { group = 1 }, { group = "x" }, { group = "::1" },
      { group = "224.0.0.77\0" }, { group = "localhost" }, { group = socket.address("AF_INET6", "::1", 0) },
      { group = io.stdout }, { group = "224.0.0.77", interface = -1 }, { group = "224.0.0.77", interface = {} },
      { group = "224.0.0.77", interface = "lo\0" }, { group = "224.0.0.77", interface = true },
      { group = "224.0.0.77", source = "x" }, { group = "224.0.0.77", source = true }, io.stdout },
    ["membership with a source"] = { "IP_ADD_SOURCE_MEMBERSHIP", "udp", true, {}, { group = "232.0.0.77" } },
    ["membership of IPv6"] = { "IPV6_JOIN_GROUP", "udp6", true, {}, { group = "224.0.0.77" },
      { group = "ff02::77%lo\0" }, { group = "ff02::77%lo", interface = loopback + 1 },
      { group = "ff02::77", interface = 1.5 } },
    anycast = { "IPV6_JOIN_ANYCAST", "udp6", true, {}, { group = "::1", source = "::1" } },
  }
  for kind, row in pairs(kinds) do
    it("for values that are no " .. kind, function()
      local t <close> = make(row[2])
      local name = row[1]
      for i = 3, #row do
        refuses("bad argument #2 to 'setsockopt'", t, name, row[i])
      end
      if name ~= "SO_DETACH_FILTER" then refuses("bad argument #2 to 'setsockopt'", t, name, nil) end
      refuses("bad argument #2 to 'setsockopt'", t, name, print)
    end)
  end

  it("for values that an unknown pair cannot take", function()
    for _, wrong in ipairs { 2 ^ 31, -2 ^ 31 - 1, math.maxinteger, 1.5, nan, inf, {}, print, io.stdout } do
      refuses("#3 to 'setsockopt'", s, 1, 9999, wrong)
    end
    refuses("#3 to 'setsockopt' %(string too long%)", s, 1, 9999, ("x"):rep(2 ^ 20 + 1))
  end)

  it("a field that a membership does not have", function()
    local udp <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
    helper.raises("s:setsockopt", "#2 to 'setsockopt' %(unknown field 'iface'%)", function()
      udp:setsockopt("IP_ADD_MEMBERSHIP", { group = "224.0.0.251", iface = "lo" })
    end)
  end)

  it("and says which field of a membership is wrong", function()
    refuses("field 'group': numeric IPv4 address expected", u, "IP_ADD_MEMBERSHIP", {})
    refuses("field 'interface': name, index or address of an interface expected", u, "IP_ADD_MEMBERSHIP",
      { group = "224.0.0.77", interface = {} })
    refuses("field 'source': numeric IPv6 address expected", u6, "IPV6_JOIN_GROUP",
      { group = "ff02::77", source = "x" })
    refuses("field 'source': numeric IPv4 address expected", u, "IP_BLOCK_SOURCE", { group = "224.0.0.77" })
    refuses("field 'source': this option takes none", u6, "IPV6_LEAVE_ANYCAST", { group = "::1", source = "::1" })
  end)
end)

---------------------------------------------------------------------------------------------------

describe("getsockopt", function()
  it("tells what a socket is", function()
    local s <close> = make "udp6"
    assert.equal(socket.AF_INET6, s:getsockopt "SO_DOMAIN")
    assert.equal(socket.SOCK_DGRAM, s:getsockopt "SO_TYPE")
    assert.equal(socket.IPPROTO_UDP, s:getsockopt "SO_PROTOCOL")
    assert.equal(0, s:getsockopt "SO_ERROR")
    local r <close> = make "raw"
    assert.equal(socket.IPPROTO_RAW, try(r:getsockopt "IP_PROTOCOL"))
  end)

  it("tells whether a socket listens", function()
    local s <close> = make "tcp"
    assert.is_false(s:getsockopt "SO_ACCEPTCONN")
    assert(assert(s:bind("127.0.0.1", 0)):listen())
    assert.is_true(s:getsockopt "SO_ACCEPTCONN")
  end)

  it("gives an error that waits, once, as an integer", function()
    local free <close> = make "udp"
    assert(free:bind("127.0.0.1", 0))
    local s <close> = make "udp"
    assert(s:connect(free:getsockname()))
    free:close()
    assert(s:send "x")
    assert.equal(socket.ECONNREFUSED, s:getsockopt "SO_ERROR")
    assert.equal(0, s:getsockopt "SO_ERROR")
  end)

  it("gives sizes as the kernel keeps them", function()
    local s <close> = make "udp"
    s:setsockopt("SO_RCVBUF", 20000):setsockopt("SO_SNDBUF", 30000)
    assert.equal(40000, s:getsockopt "SO_RCVBUF") -- Linux doubles what it is given
    assert.equal(60000, s:getsockopt "SO_SNDBUF")
    assert.equal(1, s:getsockopt "SO_SNDLOWAT")
    helper.fails("s:setsockopt", "ENOPROTOOPT", s:setsockopt("SO_SNDLOWAT", 2))
    assert.equal(s, s:setsockopt("SO_BUSY_POLL_BUDGET", 8)) -- which cannot be read
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt "SO_BUSY_POLL_BUDGET")
    local t <close> = make "tcp"
    t:setsockopt("TCP_MAXSEG", 1000)
    assert.is_true(t:getsockopt "TCP_MAXSEG" > 0)
    try(s:setsockopt("SO_RCVBUFFORCE", 25000))
    assert.equal(50000, s:getsockopt "SO_RCVBUF")
    try(s:setsockopt("SO_SNDBUFFORCE", 35000))
    assert.equal(70000, s:getsockopt "SO_SNDBUF")
  end)

  it("tells who the peer is", function()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    local cred = a:getsockopt "SO_PEERCRED"
    local stat <close> = assert(io.open "/proc/self/stat")
    local pid = stat:read "n"
    assert.equal(pid, cred.pid)
    assert.equal("integer", math.type(cred.uid))
    assert.equal("integer", math.type(cred.gid))
    local count = 0
    for _ in pairs(cred) do count = count + 1 end
    assert.equal(3, count)
  end)

  it("tells of a connection in a table", function()
    local client <close>, server = connected()
    local _ <close> = server
    assert(client:send "hello")
    assert.equal("hello", server:recv())
    local info = client:getsockopt "TCP_INFO"
    assert.equal(socket.TCP_ESTABLISHED, info.state)
    for name, value in pairs(info) do
      assert.equal("string", type(name))
      assert.equal("integer", math.type(value))
    end
    assert.equal(5, info.bytes_sent or 5)
    assert.equal(5, server:getsockopt("TCP_INFO").bytes_received or 5)
    assert.equal(info.snd_mss, string.unpack("I4", client:getsockopt("IPPROTO_TCP", "TCP_INFO", 104), 17))
    assert.is_true(info.rtt > 0 and info.rtt < 10000000)
    local window = string.unpack("B", client:getsockopt("IPPROTO_TCP", "TCP_INFO", 8), 7)
    if string.pack("=I2", 1) == string.pack("<I2", 1) then
      assert.equal(window, info.snd_wscale | info.rcv_wscale << 4)
    else
      assert.equal(window, info.rcv_wscale | info.snd_wscale << 4)
    end
    local s <close> = make "tcp"
    assert.equal(socket.TCP_CLOSE, s:getsockopt("TCP_INFO").state)
  end)

  it("gives what only some moments have", function()
    local client <close>, server = connected()
    local _ <close> = server
    assert.is_true(client:getsockopt "IP_MTU" >= 1280)
    assert.equal("integer", math.type(client:getsockopt "TCP_TIMESTAMP"))
    assert.equal("integer", math.type(try(client:getsockopt "SO_RESERVE_MEM"))) -- to set it takes a memory cgroup
    assert.equal("", client:getsockopt "TCP_ULP")
    assert.equal("", client:getsockopt "TCP_SAVED_SYN")
    assert.equal(0, client:getsockopt "SO_INCOMING_NAPI_ID")
    assert.not_equal(client:getsockopt "SO_COOKIE", server:getsockopt "SO_COOKIE")
    assert.is_true(client:getsockopt "TCP_THIN_DUPACK" ~= nil)
    local u6 <close> = make "udp6"
    assert(u6:bind("::1", 0))
    assert(u6:connect(u6:getsockname()))
    assert.is_true(u6:getsockopt "IPV6_MTU" >= 1280)
    assert.equal("", u6:getsockopt "IPV6_RTHDR")
    assert.is_false(try(client:getsockopt "TCP_IS_MPTCP"))
    assert.equal("integer", math.type(try(client:getsockopt "SO_NETNS_COOKIE")))
  end)

  it("saves the SYN where it is asked to", function()
    local server <close> = make "tcp"
    assert(assert(server:bind("127.0.0.1", 0)):listen())
    server:setsockopt("TCP_SAVE_SYN", 1)
    local client <close> = make "tcp"
    assert(client:connect(server:getsockname()))
    local conn <close> = assert(server:accept())
    local syn = conn:getsockopt "TCP_SAVED_SYN"
    assert.equal(0x45, syn:byte()) -- IPv4, five words
    assert.is_true(#syn >= 40)
  end)

  it("gives and takes queue and number of a socket under repair", function()
    local s <close> = make "tcp"
    try(s:setsockopt("TCP_REPAIR", 1))
    s:setsockopt("TCP_REPAIR_QUEUE", 2)
    assert.equal(2, s:getsockopt "TCP_REPAIR_QUEUE")
    s:setsockopt("TCP_QUEUE_SEQ", 4000000000)
    assert.equal(4000000000, s:getsockopt "TCP_QUEUE_SEQ")
  end)

  it("routes by alert only where packets are raw", function()
    local r <close> = make "raw"
    helper.fails("s:setsockopt", "EINVAL", r:setsockopt("IP_ROUTER_ALERT", true)) -- not for IPPROTO_RAW
    assert.is_false(r:getsockopt "IP_ROUTER_ALERT")
  end)

  it("gives raw bytes for a size", function()
    local s <close> = make "tcp"
    assert.equal(string.pack("i", socket.SOCK_STREAM), s:getsockopt("SOL_SOCKET", "SO_TYPE", 4))
    assert.equal(string.pack("i", socket.SOCK_STREAM), s:getsockopt(1, 3, 4.0))
    assert.equal(string.pack("i", socket.SOCK_STREAM), s:getsockopt("SOL_SOCKET", "SO_TYPE", 2000))
    assert.equal(string.pack("ii", 0, 0), s:getsockopt("SOL_SOCKET", "SO_LINGER", 8))
    assert.equal("", s:getsockopt("SOL_SOCKET", "SO_TYPE", 0))
    assert.equal(string.pack("i", socket.SOCK_STREAM), s:getsockopt("SOL_SOCKET", "SO_TYPE", 2 ^ 20))
    assert.equal(s:getsockopt "SO_COOKIE", (string.unpack("j", s:getsockopt("SOL_SOCKET", "SO_COOKIE", 8))))
    assert.equal("reno", (s:setsockopt("TCP_CONGESTION", "reno"):getsockopt("IPPROTO_TCP", "TCP_CONGESTION", 16)
      :match "^%Z+"))
    assert.is_true(#s:getsockopt("IPPROTO_TCP", "TCP_INFO", 2 ^ 20) < 4096)
    assert.equal(socket.SOCK_STREAM, s:getsockopt("SOL_SOCKET", "SO_TYPE", nil))
  end)

  it("fails with what the system says, naming call and option", function()
    local s <close> = make "tcp"
    local message = helper.fails("s:getsockopt", "ENOTCONN", s:getsockopt "IP_MTU")
    assert.equal("getsockopt IP_MTU: " .. socket.strerror "ENOTCONN", message)
    message = helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt("SOL_SOCKET", 9999))
    assert.equal("getsockopt 1/9999: " .. socket.strerror "ENOPROTOOPT", message)
    message = helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt("SOL_SOCKET", 9999, 16))
    assert.equal("getsockopt 1/9999: " .. socket.strerror "ENOPROTOOPT", message)
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt "IP_ADD_MEMBERSHIP")
    helper.fails("s:getsockopt", "EINVAL", s:getsockopt("SOL_SOCKET", "SO_COOKIE", 4))
    local u <close> = make "unix"
    helper.fails("s:getsockopt", "EOPNOTSUPP", u:getsockopt "TCP_NODELAY")
  end)

  it("fails with EBADF on a closed socket", function()
    local s = make "tcp"
    s:close()
    for _, args in ipairs { { "SO_TYPE" }, { "SOL_SOCKET", "SO_TYPE" }, { 1, 3, 4 }, { 1, 9999 } } do
      local message = helper.fails("s:getsockopt", "EBADF", s:getsockopt(table.unpack(args)))
      assert.equal("getsockopt: " .. socket.strerror "EBADF", message)
    end
  end)

  it("raises for wrong arguments", function()
    local s <close> = make "tcp"
    local function refuses(pattern, ...)
      local args = table.pack(...)
      helper.raises("s:getsockopt", pattern, function() return s:getsockopt(table.unpack(args, 1, args.n)) end)
    end
    refuses("#1 to 'getsockopt' %(unknown constant 'SO_FOO'%)", "SO_FOO")
    refuses("#1 to 'getsockopt' %(constant 'SOL_SOCKET' is none of", "SOL_SOCKET")
    refuses("#1 to 'getsockopt' %(the level of 'TCP_LISTEN' is not known%)", "TCP_LISTEN")
    refuses("#2 to 'getsockopt' %(unknown constant 'SO_FOO'%)", 1, "SO_FOO")
    refuses("#1 to 'getsockopt' %(.*got no value%)")
    refuses("#2 to 'getsockopt' %(.*got no value%)", 1)
    refuses("#1 to 'getsockopt' %(unknown constant 'SO_TYPE\\0", "SO_TYPE\0")
    for _, wrong in ipairs { 1.5, nan, inf, 2 ^ 31, true, {}, io.stdout } do
      refuses("#1 to 'getsockopt'", wrong, 1)
      refuses("#2 to 'getsockopt'", 1, wrong)
    end
    for _, wrong in ipairs { -1, 1.5, nan, inf, 2 ^ 20 + 1, 2 ^ 31, math.maxinteger, math.mininteger, true, {}, "x" } do
      refuses("#3 to 'getsockopt'", 1, 3, wrong)
    end
  end)
end)

---------------------------------------------------------------------------------------------------

describe("a membership", function()
  local group4, group6 = "224.0.0.77", "ff02::77"

  -- Whether Linux lists a line like that; elsewhere nobody can tell.
  local function listed(name, pattern)
    local file <close> = io.open("/proc/net/" .. name)
    return not file or file:read "a":find(pattern) ~= nil
  end

  it("is joined and left by the interface's name, index or address", function()
    local address4, address6 = socket.address("AF_INET", "127.0.0.1", 0), socket.address("AF_INET6", "::1", 0)
    for _, interface in ipairs { "lo", loopback, "127.0.0.1", address4 } do
      local s <close> = make "udp"
      local value = { group = group4, interface = interface }
      assert.equal(s, s:setsockopt("IP_ADD_MEMBERSHIP", value))
      local same = { group = group4, interface = "lo" }
      helper.fails("s:setsockopt", "EADDRINUSE", s:setsockopt("IP_ADD_MEMBERSHIP", same))
      assert.equal(s, s:setsockopt("IPPROTO_IP", "IP_DROP_MEMBERSHIP", value))
      helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt("IP_DROP_MEMBERSHIP", value))
    end
    for _, join in ipairs { "IPV6_JOIN_GROUP", "IPV6_ADD_MEMBERSHIP" } do
      local leave = join == "IPV6_JOIN_GROUP" and "IPV6_LEAVE_GROUP" or "IPV6_DROP_MEMBERSHIP"
      local scoped = socket.address("AF_INET6", "fe80::1", 0, 0, loopback)
      for _, interface in ipairs { "lo", loopback, "::1", address6, scoped } do
        local s <close> = make "udp6"
        local value = { group = socket.address("AF_INET6", group6, 0), interface = interface }
        assert.equal(s, s:setsockopt(join, value))
        assert.is_true(listed("igmp6", "%slo%s+ff020*77%s"))
        helper.fails("s:setsockopt", "EADDRINUSE", s:setsockopt(join, { group = group6, interface = "lo" }))
        assert.equal(s, s:setsockopt(leave, value))
        helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt(leave, value))
      end
    end
  end)

  it("makes datagrams to the group arrive", function()
    local receiver <close> = make "udp"
    receiver:setsockopt("IP_ADD_MEMBERSHIP", { group = group4, interface = "lo" }):settimeout(5)
    assert(receiver:bind(group4, 0))
    local _, port = receiver:getsockname():unpack()
    local s <close> = make "udp"
    s:setsockopt("IP_MULTICAST_IF", "lo"):setsockopt("IP_MULTICAST_LOOP", true)
    assert.equal(2, s:sendto("hi", group4, port))
    assert.equal("hi", receiver:recv())
  end)

  it("may be in one source alone", function()
    for _, interface in ipairs { "lo", loopback, "127.0.0.1" } do
      local s <close> = make "udp"
      local value = { group = "232.0.0.77", interface = interface, source = "127.0.0.2" }
      assert.equal(s, s:setsockopt("IP_ADD_SOURCE_MEMBERSHIP", value))
      assert.is_true(listed("mcfilter", "%slo%s+0xe800004d%s+0x7f000002%s+1%s+0"))
      helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt("IP_ADD_MEMBERSHIP", value))
      assert.equal(s, s:setsockopt("IP_DROP_SOURCE_MEMBERSHIP", value))
      assert.equal(s, s:setsockopt("IP_ADD_MEMBERSHIP", value))
      assert.equal(s, s:setsockopt("IP_DROP_MEMBERSHIP", value))
    end
    local s <close> = make "udp6"
    local value = { group = "ff32::77", interface = "lo", source = "2001:db8::2" }
    assert.equal(s, s:setsockopt("IPV6_JOIN_GROUP", value))
    assert.is_true(listed("mcfilter6", "%slo%s+ff320*77%s+20010db80*2%s+1%s+0"))
    assert.equal(s, s:setsockopt("IPV6_LEAVE_GROUP", value))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("IPV6_LEAVE_GROUP", value))
  end)

  it("in one source lets that one through and no other", function()
    local receiver <close> = make "udp"
    receiver:setsockopt("IP_ADD_MEMBERSHIP", { group = "232.0.0.77", interface = "lo", source = "127.0.0.2" })
    assert(assert(receiver:settimeout(5)):bind("232.0.0.77", 0))
    local _, port = receiver:getsockname():unpack()
    for _, from in ipairs { "127.0.0.3", "127.0.0.2" } do
      local s <close> = make "udp"
      s:setsockopt("IP_MULTICAST_IF", "lo")
      assert(s:bind(from, 0))
      assert(s:sendto(from, "232.0.0.77", port))
    end
    assert.equal("127.0.0.2", receiver:recv())
  end)

  it("blocks a source and lets it in again", function()
    local s <close> = make "udp"
    s:setsockopt("IP_ADD_MEMBERSHIP", { group = group4, interface = "lo" })
    local value = { group = group4, interface = "lo", source = "127.0.0.2" }
    assert.equal(s, s:setsockopt("IP_BLOCK_SOURCE", value))
    helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt("IP_BLOCK_SOURCE", value))
    assert.equal(s, s:setsockopt("IP_UNBLOCK_SOURCE", value))
    helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt("IP_UNBLOCK_SOURCE", value))
  end)

  it("may be anycast", function()
    local s <close> = make "udp6"
    local value = { group = "::1", interface = "lo" }
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("IPV6_JOIN_ANYCAST", value)) -- a unicast address
    assert.equal(nil, (s:setsockopt("IPV6_LEAVE_ANYCAST", value)))
  end)

  it("of netlink is a number", function()
    local s <close> = make "netlink"
    assert.equal(s, s:setsockopt("NETLINK_ADD_MEMBERSHIP", 1))
    assert.equal(1, (string.unpack("I4", s:getsockopt("SOL_NETLINK", socket.NETLINK_LIST_MEMBERSHIPS or 9, 4))))
    assert.equal(s, s:setsockopt("NETLINK_ADD_MEMBERSHIP", 32):setsockopt("NETLINK_ADD_MEMBERSHIP", 33))
    assert.same({ 1, 32, 33 }, s:getsockopt "NETLINK_LIST_MEMBERSHIPS")
    for _, group in ipairs { 1, 32, 33 } do assert.equal(s, s:setsockopt("NETLINK_DROP_MEMBERSHIP", group)) end
    assert.same({}, s:getsockopt "NETLINK_LIST_MEMBERSHIPS")
  end)
end)

describe("an interface", function()
  it("may be given by name, index or address, as a string or an object", function()
    local s <close> = make "udp"
    for _, lo in ipairs { "lo", loopback, "127.0.0.1", socket.address("AF_INET", "127.0.0.1", 0) } do
      s:setsockopt("IP_UNICAST_IF", 0)
      assert.equal(s, s:setsockopt("IP_UNICAST_IF", lo))
      assert.equal(loopback, s:getsockopt "IP_UNICAST_IF")
      assert.equal(s, s:setsockopt("IP_MULTICAST_IF", lo))
    end
    local s6 <close> = make "udp6"
    for _, lo in ipairs { "lo", loopback, "::1", socket.address("AF_INET6", "::1", 0) } do
      for _, name in ipairs { "IPV6_UNICAST_IF", "IPV6_MULTICAST_IF" } do
        s6:setsockopt(name, 0)
        assert.equal(s6, s6:setsockopt(name, lo))
        assert.equal(loopback, s6:getsockopt(name))
      end
    end
    local u <close> = make "udp"
    for _, lo in ipairs { "lo", loopback, "127.0.0.1", "::1", socket.address("AF_INET6", "::1", 0) } do
      try(u:setsockopt("SO_BINDTOIFINDEX", 0))
      assert.equal(u, u:setsockopt("SO_BINDTOIFINDEX", lo))
      assert.equal(loopback, u:getsockopt "SO_BINDTOIFINDEX")
      assert.equal("lo", u:getsockopt "SO_BINDTODEVICE")
    end
  end)
end)

---------------------------------------------------------------------------------------------------

describe("a filter", function()
  -- The first byte of a datagram is at 8, behind the UDP header: 'x' is dropped, of others come three bytes.
  local program = instruction(0x30, 0, 0, 8) .. instruction(0x15, 0, 1, ("x"):byte()) .. ret(0) .. ret(8 + 3)

  -- A socket with a port, and one connected to it.
  local function pair()
    local receiver, sender = make "udp", make "udp"
    assert(receiver:bind("127.0.0.1", 0))
    assert(sender:connect(receiver:getsockname()))
    return receiver:settimeout(5), sender
  end

  it("drops and cuts what comes, until it is taken away", function()
    local receiver <close>, sender = pair()
    local _ <close> = sender
    assert.equal(receiver, receiver:setsockopt("SO_ATTACH_FILTER", program))
    for _, data in ipairs { "xylophone", "trumpet", "xx", "bassoon", "oh" } do assert(sender:send(data)) end
    for _, data in ipairs { "tru", "bas", "oh" } do assert.equal(data, receiver:recv()) end
    assert.equal(receiver, receiver:setsockopt "SO_DETACH_FILTER")
    for _, data in ipairs { "xylophone", "trumpet" } do assert(sender:send(data)) end
    for _, data in ipairs { "xylophone", "trumpet" } do assert.equal(data, receiver:recv()) end
    helper.fails("s:setsockopt", "ENOENT", receiver:setsockopt "SO_DETACH_FILTER")
    helper.fails("s:setsockopt", "ENOENT", receiver:setsockopt("SOL_SOCKET", "SO_DETACH_BPF", nil))
  end)

  it("is the same bytes however the option is named", function()
    local receiver <close>, sender = pair()
    local _ <close> = sender
    for _, level in ipairs { "SOL_SOCKET", socket.SOL_SOCKET } do
      for _, name in ipairs { "SO_ATTACH_FILTER", "SO_GET_FILTER", socket.SO_ATTACH_FILTER } do
        assert.equal("", receiver:getsockopt(level, name))
        assert.equal(receiver, receiver:setsockopt(level, name, program))
        assert.equal(program, receiver:getsockopt(level, name))
        assert(sender:send "x")
        assert(sender:send "yes")
        assert.equal("yes", receiver:recv())
        assert.equal(receiver, receiver:setsockopt("SO_DETACH_FILTER"))
      end
    end
  end)

  it("is read into as many bytes as were asked for, not as many instructions", function()
    local receiver <close>, sender = pair()
    local _ <close> = sender
    local long = ret(1):rep(4096)
    assert.equal("", receiver:getsockopt("SOL_SOCKET", "SO_GET_FILTER", 100))
    receiver:setsockopt("SO_ATTACH_FILTER", long)
    assert.equal(long, receiver:getsockopt("SOL_SOCKET", "SO_GET_FILTER", #long))
    assert.equal(long, receiver:getsockopt("SOL_SOCKET", "SO_GET_FILTER", #long + 7))
    assert.equal(long, receiver:getsockopt("SOL_SOCKET", "SO_GET_FILTER", 1 << 20))
    for _, size in ipairs { 0, 1, 7, 8, 100, 1024, 4096, #long - 1 } do -- 4096 are enough in the kernel's count
      assert.equal(long:sub(1, size), receiver:getsockopt("SOL_SOCKET", "SO_GET_FILTER", size))
    end
  end)

  it("is refused by the kernel where it makes no sense", function()
    local s <close> = make "udp"
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_ATTACH_FILTER", ""))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_ATTACH_FILTER", ("\255"):rep(8)))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_ATTACH_FILTER", instruction(0x05, 0, 0, 1000) .. ret(0)))
    -- what C programs pass: a struct with a pointer
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_ATTACH_FILTER", string.pack("!HT", 1, 0x1000)))
    helper.fails("s:setsockopt", "EBADF", s:setsockopt("SO_ATTACH_BPF", 2 ^ 31 - 1))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SO_ATTACH_BPF", 0)) -- a descriptor, of something else
    assert.equal(s, s:setsockopt("SO_ATTACH_FILTER", program):setsockopt("SO_LOCK_FILTER", true))
    local _, _, code = s:setsockopt "SO_DETACH_FILTER"
    assert.equal("EPERM", code)
  end)

  it("chooses among sockets that share a port", function()
    local first <close> = make "udp"
    local second <close> = make "udp"
    local sender <close> = make "udp"
    for _, s in ipairs { first, second } do
      s:setsockopt("SO_REUSEPORT", true):settimeout(5)
      assert(s:bind(s == first and socket.address("AF_INET", "127.0.0.1", 0) or first:getsockname()))
    end
    assert(sender:connect(first:getsockname()))
    for i, receiver in ipairs { first, second } do
      assert.equal(first, first:setsockopt("SO_ATTACH_REUSEPORT_CBPF", ret(i - 1)))
      for k = 1, 5 do assert(sender:send(i .. " " .. k)) end
      for k = 1, 5 do assert.equal(i .. " " .. k, receiver:recv()) end
    end
    assert.equal(first, try(first:setsockopt "SO_DETACH_REUSEPORT_BPF"))
    helper.fails("s:setsockopt", "ENOENT", first:setsockopt "SO_DETACH_REUSEPORT_BPF")
    helper.fails("s:setsockopt", "EBADF", first:setsockopt("SO_ATTACH_REUSEPORT_EBPF", 2 ^ 31 - 1))
  end)
end)

describe("a packet socket", function()
  local PROTOCOL <const> = socket.htons(0x88b5) -- for experiments: nobody sends it

  local function packet()
    local s, message, code = socket.socket("AF_PACKET", "SOCK_RAW", PROTOCOL)
    if code == "EPERM" or code == "EAFNOSUPPORT" then helper.skip(NOTALLOWED) end
    return assert(s, message)
  end

  it("joins and leaves addresses of an interface", function()
    local s <close> = packet()
    for _, interface in ipairs { "lo", loopback, "127.0.0.1", "::1" } do
      for _, type in ipairs { "PACKET_MR_MULTICAST", socket.PACKET_MR_MULTICAST } do
        local value = { interface = interface, type = type, address = "\1\0\x5e\0\0\x4d" }
        local function listed()
          local file <close> = assert(io.open "/proc/net/dev_mcast")
          return file:read "a":find "%slo%s+%d+%s+%d+%s+01005e00004d%s" ~= nil
        end
        assert.is_false(listed())
        assert.equal(s, s:setsockopt("PACKET_ADD_MEMBERSHIP", value))
        assert.is_true(listed())
        assert.equal(s, s:setsockopt("PACKET_DROP_MEMBERSHIP", value))
        assert.is_false(listed())
      end
    end
    local all = { interface = "lo", type = "PACKET_MR_ALLMULTI" }
    assert.equal(s, s:setsockopt("PACKET_ADD_MEMBERSHIP", all):setsockopt("PACKET_DROP_MEMBERSHIP", all))
    local elsewhere = { interface = "no-such-if", type = "PACKET_MR_PROMISC" }
    helper.fails("s:setsockopt", "ENODEV", s:setsockopt("PACKET_ADD_MEMBERSHIP", elsewhere))
  end)

  it("counts in a record", function()
    local s <close> = packet()
    assert.same({ packets = 0, drops = 0 }, s:getsockopt "PACKET_STATISTICS")
    s:setsockopt("PACKET_VERSION", 2) -- the third
    assert.same({ packets = 0, drops = 0, freeze_q_cnt = 0 }, s:getsockopt "PACKET_STATISTICS")
    assert.is_true(s:getsockopt "PACKET_HDRLEN" > 16)
  end)

  it("shares with others in a group", function()
    local a <close> = packet()
    local b <close> = packet()
    local id = 0x4d5a
    helper.fails("s:getsockopt", "EINVAL", a:getsockopt "PACKET_ROLLOVER_STATS")
    local group = id | socket.PACKET_FANOUT_CBPF << 16
    for _, s in ipairs { a, b } do
      assert.equal(s, s:setsockopt("PACKET_FANOUT", group))
      assert.equal(group, s:getsockopt "PACKET_FANOUT")
      assert.equal(s, s:setsockopt("PACKET_FANOUT_DATA", ret(0)))
    end
    helper.fails("s:setsockopt", "EINVAL", a:setsockopt("PACKET_FANOUT_DATA", ("\255"):rep(8)))
    helper.fails("s:setsockopt", "EINVAL", a:setsockopt("PACKET_FANOUT_DATA", 0))
    local c <close> = packet()
    c:setsockopt("PACKET_FANOUT", id + 1 | socket.PACKET_FANOUT_EBPF << 16)
    helper.fails("s:setsockopt", "EBADF", c:setsockopt("PACKET_FANOUT_DATA", 2 ^ 31 - 1))
    local d <close> = packet()
    d:setsockopt("PACKET_FANOUT", id + 2 | socket.PACKET_FANOUT_ROLLOVER << 16)
    assert.same({ all = 0, huge = 0, failed = 0 }, d:getsockopt "PACKET_ROLLOVER_STATS")
  end)
end)

describe("of options that are seldom used", function()
  it("some can be read, some be written, some do nothing", function()
    local s <close> = make "tcp"
    assert.is_true(s:getsockopt "SO_BPF_EXTENSIONS" > 0)
    assert.equal(s, s:setsockopt("SO_BSDCOMPAT", true))
    assert.is_false(s:getsockopt "SO_BSDCOMPAT")
    assert.equal(s, s:setsockopt("SO_CNX_ADVICE", 1))
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt "SO_CNX_ADVICE")
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt "SO_DETACH_FILTER")
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt "SO_ATTACH_REUSEPORT_CBPF")
    assert.equal("string", type(s:getsockopt "TCP_CC_INFO"))
    if socket.SO_DEVMEM_DONTNEED then -- tokens of 8 bytes each
      local _, _, code = s:setsockopt("SO_DEVMEM_DONTNEED", ("\0"):rep(7))
      assert.is_true(code == "EINVAL" or code == "ENOPROTOOPT", code)
    end
  end)

  it("SO_MEMINFO tells what memory a socket has", function()
    local s <close> = make "udp"
    local info = s:getsockopt "SO_MEMINFO"
    assert.equal(s:getsockopt "SO_RCVBUF", info.rcvbuf)
    assert.equal(s:getsockopt "SO_SNDBUF", info.sndbuf)
    assert.equal(0, info.drops)
    for name, value in pairs(info) do assert.equal("integer", math.type(value), name) end
  end)

  it("SO_PEERGROUPS lists the peer's groups", function()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    local groups = {}
    for line in io.lines "/proc/self/status" do
      for group in (line:match "^Groups:(.*)" or ""):gmatch "%d+" do groups[#groups + 1] = tonumber(group) end
    end
    assert.same(groups, try(a:getsockopt "SO_PEERGROUPS"))
  end)

  it("SO_PEERPIDFD gives the peer's process, as a file that somebody owns", function()
    helper.collects()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    for _, get in ipairs {
      function() return a:getsockopt "SO_PEERPIDFD" end,
      function() return a:getsockopt("SOL_SOCKET", "SO_PEERPIDFD") end,
      function() return a:getsockopt("SOL_SOCKET", socket.SO_PEERPIDFD) end,
      function() return a:getsockopt("SOL_SOCKET", socket.SO_PEERPIDFD, 4) end,
    } do
      local file = try(get())
      assert.equal("file", io.type(file))
      local number = 0 -- whatever a child would inherit
      for _ in helper.shell("ls -l /proc/self/fd"):gmatch "pidfd" do number = number + 1 end
      assert.equal(0, number)
      assert.same({}, (socket.select({file}, nil, 0))) -- it has not ended
      assert.is_true(file:close())
      assert.equal("closed file", io.type(file))
    end
    assert(try(a:getsockopt "SO_PEERPIDFD")) -- the collector closes this one
    assert.is_false(pcall(a.setsockopt, a, "SO_PEERPIDFD", 1))
  end)

  it("SO_PEERPIDFD looks for garbage where no descriptor is left, and leaves none open", function()
    if not socket.SO_PEERPIDFD then helper.skip "this kernel does not have the option" end
    local output = process.confined(20, [[
      local a, b = socket.socketpair()
      local _, _, code = a:getsockopt "SO_PEERPIDFD"
      if code then print "file" os.exit(true) end
      fill {}
      print(io.type((a:getsockopt "SO_PEERPIDFD")))
    ]])
    assert.equal("file\n", output)
  end)

  it("SO_PEERSEC has the peer's security context, where there are any", function()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    assert.equal("string", type(try(a:getsockopt "SO_PEERSEC")))
  end)

  it("TCP_MD5SIG makes keys that both ends must have", function()
    local key = "a key of ours"
    local function sign(s, from)
      local host = string.pack("=I2 >I2 BBBB", socket.AF_INET, 0, 127, 0, 0, 1)
      local text = key .. ("\0"):rep(80 - #key)
      return s:setsockopt(from, host .. ("\0"):rep(128 - #host) .. string.pack("=BBI2I4", 0, 0, #key, 0) .. text)
    end
    local server <close> = make "tcp"
    local client <close> = make "tcp"
    assert(assert(server:bind("127.0.0.1", 0)):listen())
    assert.equal(server, try(sign(server, "TCP_MD5SIG")))
    assert.equal(client, sign(client, "TCP_MD5SIG_EXT"))
    assert(client:connect(server:getsockname()))
    local conn <close> = assert(server:accept())
    assert(client:send "signed")
    assert.equal("signed", conn:recv())
    local stranger <close> = make "tcp"
    helper.fails("s:connect", "timeout", stranger:settimeout(0.05):connect(server:getsockname()))
  end)

  it("those of TCP-AO take the structs of the kernel", function()
    local s <close> = make "tcp"
    for _, name in ipairs { "TCP_AO_ADD_KEY", "TCP_AO_DEL_KEY", "TCP_AO_INFO", "TCP_AO_REPAIR" } do
      local _, _, code = s:setsockopt(name, "x")
      assert.is_true(code == "ENOPROTOOPT" or code == "EINVAL" or code == "EPERM", code)
    end
    try(s:getsockopt "TCP_AO_INFO")
  end)

  it("TCP_REPAIR_WINDOW and TCP_REPAIR_OPTIONS mend a connection", function()
    local client <close>, server = connected()
    local _ <close> = server
    try(client:setsockopt("TCP_REPAIR", 1))
    local window = client:getsockopt "TCP_REPAIR_WINDOW"
    assert.is_true(window.snd_wnd > 0 and window.rcv_wnd > 0)
    window.max_window = window.max_window + 5
    assert.equal(client, client:setsockopt("TCP_REPAIR_WINDOW", window))
    assert.same(window, client:getsockopt "TCP_REPAIR_WINDOW")
    assert.equal(client, client:setsockopt("TCP_REPAIR_OPTIONS", string.pack("=I4I4", 2, 1000))) -- the segment's size
    client:setsockopt("TCP_REPAIR", 0)
    assert(server:send "back")
    assert.equal("back", client:recv())
  end)

  it("IP_MSFILTER sets the sources of a group", function()
    local s <close> = make "udp"
    s:setsockopt("IP_ADD_MEMBERSHIP", { group = "232.0.0.78", interface = "127.0.0.1" })
    local address = "BBBB"
    local filter = string.pack(address .. address .. "=I4I4" .. address:rep(2), 232, 0, 0, 78, 127, 0, 0, 1,
      1, 2, 127, 0, 0, 2, 127, 0, 0, 3) -- MCAST_INCLUDE
    assert.equal(s, s:setsockopt("IP_MSFILTER", filter))
    for _, source in ipairs { "127.0.0.2", "127.0.0.3" } do
      local value = { group = "232.0.0.78", interface = "127.0.0.1", source = source }
      helper.fails("s:setsockopt", "EADDRNOTAVAIL", s:setsockopt("IP_ADD_SOURCE_MEMBERSHIP", value)) -- is there
    end
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("IP_MSFILTER", filter:sub(1, 15)))
  end)

  it("IP_PKTOPTIONS and IPV6_2292PKTOPTIONS have control data", function()
    local client <close>, server = connected()
    local _ <close> = server
    assert.equal("", client:getsockopt "IP_PKTOPTIONS")
    client:setsockopt("IP_RECVTTL", true)
    local data = client:getsockopt "IP_PKTOPTIONS"
    assert.is_true(#data >= 16)
    local s <close> = make "tcp6"
    assert.equal("", s:getsockopt "IPV6_2292PKTOPTIONS")
    local u <close> = make "udp6"
    assert.equal(u, u:setsockopt("IPV6_2292PKTOPTIONS", ""))
  end)

  it("policies of IPsec are bytes", function()
    local s <close> = make "udp"
    local s6 <close> = make "udp6"
    for _, row in ipairs {
      { s, "IP_IPSEC_POLICY" }, { s, "IP_XFRM_POLICY" }, { s6, "IPV6_IPSEC_POLICY" }, { s6, "IPV6_XFRM_POLICY" },
    } do
      local _, _, code = row[1]:setsockopt(row[2], "x")
      assert.is_true(code == "EPERM" or code == "EINVAL" or code == "ENOPROTOOPT" or code == "EOPNOTSUPP", code)
    end
  end)

  it("IPV6_ADDRFORM makes an IPv4 socket of one that speaks it already", function()
    local peer <close> = make "udp"
    local s <close> = make "udp6"
    assert(peer:bind("127.0.0.1", 0))
    local _, port = peer:getsockname():unpack()
    assert(s:connect("::ffff:127.0.0.1", port))
    assert.equal(socket.AF_INET6, s:getsockopt "IPV6_ADDRFORM")
    assert.equal(s, s:setsockopt("IPV6_ADDRFORM", socket.AF_INET))
    assert.equal(socket.AF_INET, s:getsockopt "SO_DOMAIN")
  end)

  it("IPV6_FLOWLABEL_MGR rents labels", function()
    local s <close> = make "udp6"
    local lo = ("\0"):rep(15) .. "\1"
    local function request(label, share)
      return lo .. string.pack(">I4 =BBI2I2I2I4", label, 0, share, 1 | 2, 0, 0, 0) -- make it, if it is not there
    end
    local label, code = socket.monotime() * 1000 % 0xfffff // 1 + 1
    assert.equal(s, try(s:setsockopt("IPV6_FLOWLABEL_MGR", request(label, 1))))
    code = select(3, s:setsockopt("IPV6_FLOWLABEL_MGR", request(label, 1)))
    assert.equal("EEXIST", code)
    -- Which one Linux chose it writes into what it was given: that must not be the string.
    local any = request(0, 1)
    assert.equal(s, s:setsockopt("IPV6_FLOWLABEL_MGR", any))
    assert.equal("\0\0\0\0", any:sub(17, 20))
  end)

  it("IPV6_PATHMTU and IPV6_PKTINFO know the way", function()
    local s <close> = make "udp6"
    helper.fails("s:getsockopt", "ENOTCONN", s:getsockopt "IPV6_PATHMTU")
    assert(s:bind("::1", 0))
    assert(s:connect(s:getsockname()))
    assert.equal(s:getsockopt "IPV6_MTU", (string.unpack("=I4", s:getsockopt "IPV6_PATHMTU", 29)))
    local lo = ("\0"):rep(15) .. "\1"
    assert.equal(s, s:setsockopt("IPV6_PKTINFO", lo .. string.pack("=I4", loopback)))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("IPV6_PKTINFO", "x"))
  end)
end)

---------------------------------------------------------------------------------------------------
-- What names an interface

describe("an interface is named by its name, its index, its address, or an address with its zone:", function()
  -- In each, `left` and `right` are interfaces with addresses of their own; `notation` stands for what was given.
  local notations = {
    AF_INET = { "left", 0, "10.9.0.1", "address 10.9.0.1", "fe80::1%left", "::%left" },
    AF_INET6 = { "left", 0, "fd09::1", "fe80::1%left", "fe80::77%left", "::%left", "address fd09::1",
      "address fe80::77%left" },
    AF_UNSPEC = { "left", 0, "10.9.0.1", "fd09::1", "fe80::1%left", "::%left" },
  }
  local calls = {
    -- option, family of its addresses, how it is looked at (or which option undoes it), source
    { "IP_UNICAST_IF", "AF_INET", "index" }, { "IPV6_UNICAST_IF", "AF_INET6", "index" },
    { "IPV6_MULTICAST_IF", "AF_INET6", "index" }, { "SO_BINDTOIFINDEX", "AF_UNSPEC", "index" },
    { "IP_MULTICAST_IF", "AF_INET", "egress" }, { "IP_ADD_MEMBERSHIP", "AF_INET", "IP_DROP_MEMBERSHIP" },
    { "IP_ADD_SOURCE_MEMBERSHIP", "AF_INET", "IP_DROP_SOURCE_MEMBERSHIP", "10.9.0.2" },
    { "IPV6_JOIN_GROUP", "AF_INET6", "IPV6_LEAVE_GROUP" },
    { "IPV6_JOIN_GROUP", "AF_INET6", "IPV6_LEAVE_GROUP", "fd09::2" },
  }
  for _, call in ipairs(calls) do
    local name, family = call[1], call[2]
    it(name .. (call[4] and " with a source" or ""), inside(function(skip, option, af, how, source, ...)
      local left = netlink.pair(skip)
      local sf = af == "AF_UNSPEC" and "AF_INET" or af
      local group = sf == "AF_INET" and "239.1.2.3" or "ff15::77"
      if source == "" then source = nil end
      for _, notation in ipairs { ... } do
        local value = notation
        if notation == "0" then value = left end
        local host = notation:match "^address (.*)"
        if host then value = socket.address(sf, host, 0) end
        local s <close> = assert(socket.socket(sf, "SOCK_DGRAM"))
        if how == "index" then
          assert(s:setsockopt(option, value))
          assert.equal(left, s:getsockopt(option), notation)
        elseif how == "egress" then -- it is the address that this option reads back as
          assert(s:setsockopt(option, value))
          assert(s:connect(group, 7))
          assert.equal("10.9.0.1", s:getsockname().host, notation)
        else
          assert(s:setsockopt(option, { group = group, interface = value, source = source }))
          -- it is there, on that interface and on no other
          local same = { group = group, interface = "left", source = source }
          local _, _, code = s:setsockopt(option, same)
          assert(code == "EADDRINUSE" or code == "EADDRNOTAVAIL", notation .. " " .. tostring(code))
          assert.equal(s, s:setsockopt(how, same))
        end
      end
    end, name, family, call[3], call[4] or "", table.unpack(notations[family])))
  end

  it("a group's zone, too", inside(function(skip)
    local left, right = netlink.pair(skip)
    local s <close> = assert(socket.socket("AF_INET6", "SOCK_DGRAM"))
    for _, group in ipairs { "ff02::77%right", socket.address("AF_INET6", "ff02::77%right", 0) } do
      assert(s:setsockopt("IPV6_JOIN_GROUP", { group = group }))
      assert(s:setsockopt("IPV6_LEAVE_GROUP", { group = "ff02::77", interface = right }))
      assert(s:setsockopt("IPV6_JOIN_GROUP", { group = group, interface = "right" }))
      assert(s:setsockopt("IPV6_LEAVE_GROUP", { group = group }))
      local ok, message = pcall(s.setsockopt, s, "IPV6_JOIN_GROUP", { group = group, interface = left })
      assert.is_false(ok)
      assert.match("field 'interface': the zone of the group is another one", message)
    end
    assert.equal("ENODEV", (select(3, s:setsockopt("IPV6_JOIN_GROUP", { group = "ff02::77%nosuch" }))))
  end))

  it('"*" and unspecified addresses are any', inside(function(skip)
    netlink.pair(skip)
    for _, row in ipairs {
      { "AF_INET", "IP_UNICAST_IF", "0.0.0.0" }, { "AF_INET6", "IPV6_UNICAST_IF", "::" },
      { "AF_INET6", "IPV6_MULTICAST_IF", "::" }, { "AF_INET", "SO_BINDTOIFINDEX", "::" },
      { "AF_INET", "IP_MULTICAST_IF", "0.0.0.0" },
    } do
      local s <close> = assert(socket.socket(row[1], "SOCK_DGRAM"))
      local none = row[2] == "IP_MULTICAST_IF" and "0.0.0.0" or 0
      for _, any in ipairs { "*", row[3] } do
        assert(s:setsockopt(row[2], "left"))
        assert(s:setsockopt(row[2], any))
        assert.equal(none, s:getsockopt(row[2]))
      end
    end
    if not os.execute "ip route add default dev left" then skip "ip is not here" end
    for _, row in ipairs {
      { "AF_INET", "IP_ADD_MEMBERSHIP", "239.1.2.3", "0.0.0.0" }, { "AF_INET6", "IPV6_JOIN_GROUP", "ff15::7", "::" },
    } do
      for _, any in ipairs { "*", row[4], socket.address(row[1], row[4], 0), 0 } do
        local s <close> = assert(socket.socket(row[1], "SOCK_DGRAM"))
        assert(s:setsockopt(row[2], { group = row[3], interface = any }))
      end
    end
  end))

  it("a zone by its number, as tostring writes it; one that is not there is ENODEV", function()
    local s <close> = make "udp6"
    assert(s:setsockopt("IPV6_MULTICAST_IF", "fe80::1%" .. loopback))
    assert.equal(loopback, s:getsockopt "IPV6_MULTICAST_IF")
    for _, zone in ipairs { "", "nosuch", "1x", "-1", " 1", "99999999999999999999" } do
      helper.fails("s:setsockopt", "ENODEV", s:setsockopt("IPV6_MULTICAST_IF", "fe80::1%" .. zone))
    end
  end)
end)

---------------------------------------------------------------------------------------------------

describe("the address that a redirected connection was meant for", function()
  for name, row in pairs {
    SO_ORIGINAL_DST = { "AF_INET", "127.0.0.1", "SOL_IP" },
    IP6T_SO_ORIGINAL_DST = { "AF_INET6", "::1", "SOL_IPV6" },
  } do
    it("is an address: " .. name, inside(function(skip, option, af, host, level)
      local rules = "table %s n { chain o { type nat hook output priority -100; tcp dport 7777 redirect to :8888; }; }"
      local pipe = io.popen("nft -f - 2>/dev/null", "w")
      pipe:write(rules:format(af == "AF_INET" and "ip" or "ip6"))
      if not pipe:close() then skip "nft is not here" end
      local listener <close> = assert(socket.listen(host, 8888))
      local _ <close> = assert(socket.connect(host, 7777))
      local conn <close> = assert(listener:accept())
      assert.equal(8888, conn:getsockname().port)
      assert.equal(socket.address(af, host, 7777), conn:getsockopt(option))
      assert.equal(socket.address(af, host, 7777), conn:getsockopt(level, option))
      assert.equal(socket.address(af, host, 7777), conn:getsockopt(level, 80))
      local ok, message = pcall(conn.setsockopt, conn, option, 1)
      assert.is_false(ok)
      assert.match("can only be read", message)
    end, name, table.unpack(row)))
  end
end)

it("a record's message says which field is wrong", function()
  local s <close> = make "udp"
  for pattern, value in pairs {
    ["unknown field 'clock'; did you mean 'clockid'%?"] = { clock = 1 },
    ["its fields have names, and no number"] = { 1 },
    ["field 'flags': out of range: integer from 0 to 4294967295 expected"] = { flags = -1 },
    ["field 'clockid': number has no integer representation"] = { clockid = 0.5 },
    ["field 'clockid': integer expected, got string"] = { clockid = "1" },
  } do
    helper.raises("s:setsockopt", pattern, function() return s:setsockopt("SO_TXTIME", value) end)
  end
end)
