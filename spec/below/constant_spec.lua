-- csrc/base/constant.c: the names of numbers.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

local prefixes = {
  "AF_", "PF_", "SOCK_", "IPPROTO_", "SOL_", "SO_", "TCP_", "UDP_", "UDPLITE_", "IP_", "IPV6_", "ICMP_", "ICMP6_",
  "MSG_", "SHUT_", "AI_", "NI_", "EAI_", "SCM_", "IFF_", "ETH_P_", "PACKET_", "NETLINK_", "VMADDR_", "TIPC_", "SCTP_",
  "SOF_", "IP6T_",
}

local function isconstant(name)
  for _, prefix in ipairs(prefixes) do
    if name:sub(1, #prefix) == prefix then return true end
  end
  return name == "SOMAXCONN" or name:find "^E[%u%d]+$" ~= nil
end

-- What programs use on Linux, and what all systems have.
local everywhere = [[
  AF_UNSPEC AF_UNIX AF_LOCAL AF_INET AF_INET6 PF_UNSPEC PF_UNIX PF_LOCAL PF_INET PF_INET6
  SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET
  IPPROTO_IP IPPROTO_ICMP IPPROTO_IGMP IPPROTO_TCP IPPROTO_UDP IPPROTO_IPV6 IPPROTO_ICMPV6 IPPROTO_RAW IPPROTO_ESP
  IPPROTO_AH IPPROTO_NONE IPPROTO_ROUTING IPPROTO_FRAGMENT IPPROTO_DSTOPTS IPPROTO_HOPOPTS
  SOL_SOCKET SOMAXCONN SHUT_RD SHUT_WR SHUT_RDWR
  SO_ACCEPTCONN SO_BROADCAST SO_DEBUG SO_DONTROUTE SO_ERROR SO_KEEPALIVE SO_LINGER SO_OOBINLINE SO_RCVBUF SO_RCVLOWAT
  SO_RCVTIMEO SO_REUSEADDR SO_REUSEPORT SO_SNDBUF SO_SNDLOWAT SO_SNDTIMEO SO_TIMESTAMP SO_TYPE
  TCP_NODELAY TCP_MAXSEG TCP_KEEPCNT TCP_KEEPINTVL
  IP_HDRINCL IP_OPTIONS IP_TOS IP_TTL IP_MULTICAST_IF IP_MULTICAST_TTL IP_MULTICAST_LOOP IP_ADD_MEMBERSHIP
  IP_DROP_MEMBERSHIP IP_ADD_SOURCE_MEMBERSHIP IP_DROP_SOURCE_MEMBERSHIP IP_BLOCK_SOURCE IP_UNBLOCK_SOURCE
  IPV6_JOIN_GROUP IPV6_LEAVE_GROUP IPV6_MULTICAST_HOPS IPV6_MULTICAST_IF IPV6_MULTICAST_LOOP IPV6_UNICAST_HOPS
  IPV6_V6ONLY IPV6_CHECKSUM IPV6_RECVPKTINFO IPV6_PKTINFO IPV6_RECVHOPLIMIT IPV6_HOPLIMIT IPV6_TCLASS IPV6_RECVTCLASS
  ICMP6_FILTER ICMP6_ECHO_REQUEST ICMP6_ECHO_REPLY ICMP6_DST_UNREACH ICMP6_PACKET_TOO_BIG ICMP6_TIME_EXCEEDED
  MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_NOSIGNAL
  AI_PASSIVE AI_CANONNAME AI_NUMERICHOST AI_NUMERICSERV AI_V4MAPPED AI_ALL AI_ADDRCONFIG
  NI_NUMERICHOST NI_NUMERICSERV NI_NOFQDN NI_NAMEREQD NI_DGRAM NI_MAXHOST NI_MAXSERV
  EAI_AGAIN EAI_BADFLAGS EAI_FAIL EAI_FAMILY EAI_MEMORY EAI_NONAME EAI_SERVICE EAI_SOCKTYPE EAI_SYSTEM EAI_OVERFLOW
  SCM_RIGHTS SCM_TIMESTAMP IFF_UP IFF_BROADCAST IFF_LOOPBACK IFF_POINTOPOINT IFF_RUNNING IFF_NOARP IFF_PROMISC
  IFF_ALLMULTI IFF_MULTICAST
  E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF EBADMSG EBUSY ECANCELED ECHILD ECONNABORTED
  ECONNREFUSED ECONNRESET EDEADLK EDESTADDRREQ EDOM EDQUOT EEXIST EFAULT EFBIG EHOSTDOWN EHOSTUNREACH EIDRM EILSEQ
  EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR ELOOP EMFILE EMLINK EMSGSIZE ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH
  ENFILE ENOBUFS ENODEV ENOENT ENOEXEC ENOLCK ENOMEM ENOMSG ENOPROTOOPT ENOSPC ENOSYS ENOTBLK ENOTCONN ENOTDIR
  ENOTEMPTY ENOTSOCK ENOTSUP ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM EPFNOSUPPORT EPIPE EPROTO EPROTONOSUPPORT
  EPROTOTYPE ERANGE EROFS ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ESTALE ETIMEDOUT ETOOMANYREFS ETXTBSY EWOULDBLOCK
  EXDEV
]]

local linux = [[
  AF_NETLINK AF_PACKET AF_VSOCK AF_TIPC AF_ALG AF_CAN AF_BLUETOOTH AF_RDS AF_XDP AF_SMC AF_KEY AF_ROUTE
  PF_NETLINK PF_PACKET PF_VSOCK PF_TIPC SOCK_CLOEXEC SOCK_NONBLOCK SOCK_DCCP SOCK_PACKET
  IPPROTO_SCTP IPPROTO_UDPLITE IPPROTO_MPTCP IPPROTO_DCCP IPPROTO_GRE IPPROTO_IPIP IPPROTO_MPLS IPPROTO_L2TP
  SOL_IP SOL_IPV6 SOL_TCP SOL_UDP SOL_RAW SOL_ICMPV6 SOL_PACKET SOL_NETLINK SOL_TIPC SOL_SCTP SOL_UDPLITE SOL_TLS
  SOL_ALG SOL_CAN_BASE SOL_CAN_RAW SOL_MPTCP SOL_RDS SOL_XDP
  SO_BINDTODEVICE SO_BINDTOIFINDEX SO_BUSY_POLL SO_COOKIE SO_DOMAIN SO_INCOMING_CPU SO_MARK SO_MAX_PACING_RATE
  SO_PASSCRED SO_PEEK_OFF SO_PEERCRED SO_PRIORITY SO_PROTOCOL SO_RCVBUFFORCE SO_SNDBUFFORCE SO_RXQ_OVFL
  SO_TIMESTAMPING SO_TIMESTAMPNS SO_TXTIME SO_ZEROCOPY SO_ATTACH_FILTER SO_DETACH_FILTER SO_LOCK_FILTER SO_PEERGROUPS
  SO_EE_ORIGIN_ICMP SO_EE_ORIGIN_ICMP6 SO_EE_ORIGIN_LOCAL SO_EE_ORIGIN_ZEROCOPY SO_VM_SOCKETS_BUFFER_SIZE
  TCP_CORK TCP_KEEPIDLE TCP_SYNCNT TCP_LINGER2 TCP_DEFER_ACCEPT TCP_WINDOW_CLAMP TCP_INFO TCP_QUICKACK TCP_CONGESTION
  TCP_USER_TIMEOUT TCP_FASTOPEN TCP_FASTOPEN_CONNECT TCP_NOTSENT_LOWAT TCP_SAVE_SYN TCP_SAVED_SYN TCP_ULP TCP_INQ
  TCP_TX_DELAY TCP_IS_MPTCP TCP_MD5SIG TCP_REPAIR TCP_ESTABLISHED TCP_LISTEN TCP_TIME_WAIT TCP_CLOSE TCP_CLOSING
  UDP_CORK UDP_ENCAP UDP_SEGMENT UDP_GRO UDP_NO_CHECK6_TX UDP_NO_CHECK6_RX UDP_ENCAP_ESPINUDP UDP_ENCAP_RXRPC
  IP_PKTINFO IP_RECVERR IP_RECVTTL IP_RECVTOS IP_MTU IP_MTU_DISCOVER IP_PMTUDISC_DO IP_FREEBIND IP_TRANSPARENT
  IP_RECVORIGDSTADDR IP_ORIGDSTADDR IP_MINTTL IP_NODEFRAG IP_BIND_ADDRESS_NO_PORT IP_RECVFRAGSIZE IP_MULTICAST_ALL
  IP_UNICAST_IF IP_ROUTER_ALERT IP_MSFILTER IP_DF IP_MF
  IPV6_ADD_MEMBERSHIP IPV6_DROP_MEMBERSHIP IPV6_RECVERR IPV6_MTU IPV6_MTU_DISCOVER IPV6_DONTFRAG IPV6_FREEBIND
  IPV6_TRANSPARENT IPV6_FLOWINFO IPV6_FLOWINFO_SEND IPV6_FLOWLABEL_MGR IPV6_AUTOFLOWLABEL IPV6_HDRINCL IPV6_UNICAST_IF
  IPV6_MINHOPCOUNT IPV6_ADDR_PREFERENCES IPV6_RECVORIGDSTADDR IPV6_RECVPATHMTU IPV6_PATHMTU IPV6_JOIN_ANYCAST
  MSG_MORE MSG_CONFIRM MSG_ERRQUEUE MSG_FASTOPEN MSG_ZEROCOPY MSG_CMSG_CLOEXEC MSG_WAITFORONE MSG_NOTIFICATION
  SCM_CREDENTIALS SCM_TIMESTAMPNS SCM_TIMESTAMPING SCM_TXTIME IFF_LOWER_UP IFF_DORMANT IFF_MASTER IFF_SLAVE
  EAI_NODATA EAI_ADDRFAMILY
  ETH_P_ALL ETH_P_IP ETH_P_IPV6 ETH_P_ARP ETH_P_8021Q ETH_P_LOOP ETH_P_LLDP
  PACKET_HOST PACKET_BROADCAST PACKET_MULTICAST PACKET_OTHERHOST PACKET_OUTGOING PACKET_ADD_MEMBERSHIP
  PACKET_MR_PROMISC PACKET_AUXDATA PACKET_STATISTICS PACKET_FANOUT PACKET_FANOUT_HASH PACKET_VERSION
  NETLINK_ROUTE NETLINK_USERSOCK NETLINK_SOCK_DIAG NETLINK_NETFILTER NETLINK_KOBJECT_UEVENT NETLINK_GENERIC
  NETLINK_ADD_MEMBERSHIP NETLINK_DROP_MEMBERSHIP NETLINK_PKTINFO NETLINK_EXT_ACK NETLINK_CAP_ACK NETLINK_NO_ENOBUFS
  VMADDR_CID_ANY VMADDR_CID_HYPERVISOR VMADDR_CID_LOCAL VMADDR_CID_HOST VMADDR_PORT_ANY
  TIPC_ADDR_NAME TIPC_ADDR_NAMESEQ TIPC_ADDR_MCAST TIPC_ADDR_ID TIPC_CLUSTER_SCOPE TIPC_NODE_SCOPE TIPC_IMPORTANCE
  TIPC_SRC_DROPPABLE TIPC_DEST_DROPPABLE TIPC_CONN_TIMEOUT TIPC_GROUP_JOIN TIPC_TOP_SRV TIPC_WAIT_FOREVER
  SCTP_INITMSG SCTP_NODELAY SCTP_EVENTS SCTP_EVENT SCTP_SNDRCV SCTP_SNDINFO SCTP_RCVINFO SCTP_UNORDERED SCTP_ABORT
  SCTP_EOF SCTP_ASSOC_CHANGE SCTP_COMM_UP SCTP_ESTABLISHED SCTP_STATUS SCTP_AUTOCLOSE
  IPPROTO_ETHERNET IPPROTO_AGGFRAG IPPROTO_SMC SO_ORIGINAL_DST IP6T_SO_ORIGINAL_DST IP_RECVERR_RFC4884 IP_PROTOCOL
  IP_LOCAL_PORT_RANGE IPV6_FLOWINFO_FLOWLABEL IPV6_FLOWINFO_PRIORITY IPV6_MULTICAST_ALL IPV6_ROUTER_ALERT_ISOLATE
  IPV6_RECVERR_RFC4884 IPV6_ORIGDSTADDR IPV6_RECVFRAGSIZE PACKET_IGNORE_OUTGOING PACKET_VNET_HDR_SZ SCM_SECURITY
  SCM_PIDFD
  MSG_SOCK_DEVMEM SOF_TIMESTAMPING_TX_SOFTWARE SOF_TIMESTAMPING_RX_SOFTWARE SOF_TIMESTAMPING_SOFTWARE
  SOF_TIMESTAMPING_OPT_ID SOF_TIMESTAMPING_OPT_RX_FILTER SOF_TXTIME_DEADLINE_MODE SOF_TXTIME_REPORT_ERRORS
  EREMOTEIO ENOKEY ENOMEDIUM ECOMM ENONET ENOTUNIQ EBADFD ERFKILL EHWPOISON EUCLEAN ENODATA ETIME EDEADLOCK
]]

local function present(names)
  local missing = {}
  for name in names:gmatch "%S+" do
    if math.type(socket[name]) ~= "integer" then missing[#missing + 1] = name end
  end
  assert.same({}, missing)
end

describe("the module has", function()
  it("every name that all systems share", function() present(everywhere) end)

  it("every name that Linux must have", function()
    local proc <close> = io.open "/proc/self/stat"
    if not proc then helper.skip("not Linux") end
    present(linux)
  end)

  it("integers as values, and names of no other kind", function()
    local count = 0
    for name, value in pairs(socket) do
      if name:find "^%u" then
        assert.equal("integer", math.type(value), name)
        assert.is_true(isconstant(name), name)
        count = count + 1
      end
    end
    assert.is_true(count > 300)
  end)

  it("one number for two names of one thing", function()
    for a, b in pairs {
      AF_UNIX = "AF_LOCAL", AF_INET = "PF_INET", AF_INET6 = "PF_INET6", EAGAIN = "EWOULDBLOCK", SOL_TCP = "IPPROTO_TCP",
      SOL_IP = "IPPROTO_IP", SOL_IPV6 = "IPPROTO_IPV6", SOL_UDP = "IPPROTO_UDP", SOL_SCTP = "IPPROTO_SCTP",
      IPV6_JOIN_GROUP = "IPV6_ADD_MEMBERSHIP", SO_TIMESTAMP = "SCM_TIMESTAMP",
    } do
      if socket[a] and socket[b] then assert.equal(socket[a], socket[b], a) end
    end
    for name, value in pairs(socket) do
      local family = name:match "^AF_(.*)"
      if family and socket["PF_" .. family] then assert.equal(value, socket["PF_" .. family], name) end
    end
  end)

  -- The latter: other systems' and later kernels'. Many are a letter or a digit away from one that is there.
  it("nil for what the platform lacks and for what nobody has, in capitals", function()
    for _, name in ipairs {
      "AF_FOO", "SO_FOO", "AF_", "E", "EAI_", "INADDR_ANY", "EFOO", "A", "", "1", "124", "_", "TCP", "UDP", "HAVE_IPV6",
      "SO_QUUX", "SO_PASSXYZZY", "SO_TIMESTAMP64", "TCP_INFO2", "IPPROTO_ICMPV7", "SOCK_STREAM2", "AF_INET7",
      "MSG_PEEK64", "SO_REUSEPORT_XY", "SOL_VSOCK2", "IPPROTO_UDQ", "IPPROTO_QQQ", "IP_DONTFRAG", "SIOCGIFADDR",
    } do
      assert.is_true(pcall(function() return socket[name] end), name)
      assert.is_nil(rawget(socket, name))
    end
    for line in io.lines "csrc/base/constants.h" do
      local name = line:match "^#ifdef (.+)$"
      if name and not rawget(socket, name) then assert.is_nil(socket[name]) end
    end
    if socket.SOL_TIPC then
      for _, name in ipairs { "SO_NOSIGPIPE", "TCP_KEEPALIVE", "AF_SYSTEM", "EDOOFUS", "MSG_EOF", "SO_RERROR" } do
        assert.is_nil(socket[name])
      end
    end
  end)

  it("nil for keys that are no strings, and for the code that has no number", function()
    for _, key in ipairs { 1, 1.5, true, print, {}, "timeout" } do assert.is_nil(socket[key]) end
  end)

  it("nothing else: a name in lower or mixed case raises, and says where and what was meant", function()
    local function message(name)
      local err = helper.raises("socket", "", function() return socket[name] end)
      return (assert(err:match "^[^\n]*constant_spec.lua:%d+: (.*)$", err))
    end
    for name, meant in pairs {
      af_inet = "AF_INET", sock_stream = "SOCK_STREAM", Sock_Dgram = "SOCK_DGRAM", ipproto_tcp = "IPPROTO_TCP",
      getadrinfo = "getaddrinfo", Socket = "socket", conect = "connect", lisen = "listen", inet_aton = "inet_pton",
      stream = "SOCK_STREAM", econnrefused = "ECONNREFUSED", so_reuseaddress = "SO_REUSEADDR", somaxconn = "SOMAXCONN",
      tcp = "socket", udp = "socket", bind = "listen", gethostbyname = "getaddrinfo", create_connection = "connect",
      ["socket "] = "socket", _version = "_VERSION",
    } do
      assert.equal(("bsdsocket has no '%s'; did you mean '%s'?"):format(name, meant), message(name))
    end
    assert.equal("bsdsocket has no 'recv': that is a method of sockets, s:recv(...)", message "recv")
    assert.equal('bsdsocket has no \'loop\'; see require "bsdsocket.loop"', message "loop")
    for _, name in ipairs { "quux", "a", "AF_INETx", "http", ("x"):rep(100000) } do
      assert.equal("bsdsocket has no '" .. name, message(name):sub(1, 18 + #name))
    end
    assert.equal("bsdsocket has no 'socket\\0...'; did you mean 'socket'?", message "socket\0x")
  end)

  it("nothing else: a slip of a name in capitals raises", function()
    for name, meant in pairs {
      SOCK_STEAM = "SOCK_STREAM", SOCK_STRAEM = "SOCK_STREAM", SOCKSTREAM = "SOCK_STREAM", AF_INTE = "AF_INET",
      AFINET = "AF_INET", SO_REUSEADR = "SO_REUSEADDR", SO_REUSE_ADDR = "SO_REUSEADDR", SO_RECVBUF = "SO_RCVBUF",
      TCP_NO_DELAY = "TCP_NODELAY", SO_RCVTIMEOUT = "SO_RCVTIMEO", IPPROTO_TPC = "IPPROTO_TCP", MSG_PEAK = "MSG_PEEK",
      SOMAXCON = "SOMAXCONN", EGAIN = "EAGAIN", ECONREFUSED = "ECONNREFUSED", ECONNREFUSSED = "ECONNREFUSED",
      EAI_NONAM = "EAI_NONAME", SHUT_RDRW = "SHUT_RDWR", SHUT_BOTH = "SHUT_RDWR", SO_BRODCAT = "SO_BROADCAST",
      SOCK_DATAGRAM = "SOCK_DGRAM", SO_KEEP_ALIVE = "SO_KEEPALIVE", VERSION = "_VERSION",
    } do
      local message = ("bsdsocket has no '%s'; did you mean '%s'%%?$"):format(name, meant)
      helper.raises("socket", "constant_spec.lua:%d+: " .. message, function() return socket[name] end)
    end
  end)

  it("the same keys for pairs, next and rawget as ever, and takes new ones", function()
    local copy = {}
    for name, value in pairs(socket) do
      copy[name] = value
      assert.equal(value, rawget(socket, name))
    end
    assert.equal(next(socket), next(copy) and next(socket))
    assert.is_nil(rawget(socket, "tcp"))
    assert.is_nil(copy.index)
    assert.is_nil(copy.meant)
    socket.mine = 1
    assert.equal(1, socket.mine)
    socket.mine = nil
    helper.raises("socket", "has no 'mine'", function() return socket.mine end)
  end)

  it("numbers that no int could hold, too", function()
    if not socket.VMADDR_CID_ANY then helper.skip("no vsock here") end
    assert.equal(0xffffffff, socket.VMADDR_CID_ANY)
    assert.equal(0xffffffff, socket.VMADDR_PORT_ANY)
  end)
end)

describe("csrc/base/constants.h", function()
  it("has five lines for each name: #ifdef, row, #else, row, #endif", function()
    local group, wanted, row
    local seen = {}
    for line in io.lines "csrc/base/constants.h" do
      local ifdef = line:match "^#ifdef (%w[%w_]*)$"
      local name, value = line:match '^{"([%w_]+)", ([%w_()]+)},$'
      if line:find "^BS_GROUP" then
        group = line:match "^BS_GROUP%(([%w_]+)%)$"
        assert.is_nil(wanted)
      elseif ifdef then
        assert.is_nil(wanted)
        wanted = ifdef
      elseif line == "#else" then
        assert.equal("#else", wanted)
        wanted = ('{"%s", ABSENT},'):format(row)
      elseif value == "ABSENT" then
        assert.equal(wanted, line)
        wanted = "#endif"
      elseif name then
        assert.equal(wanted, name)
        assert.equal(name, (value:gsub("^%(lua_Integer%)", "")))
        assert.is_nil(seen[name], name)
        assert.equal(group, name:sub(1, #group))
        assert.is_true(isconstant(name), name)
        seen[name], wanted, row = true, "#else", name
      elseif line == "#endif" then
        assert.equal("#endif", wanted)
        wanted = nil
      end
    end
    assert.is_true(seen.AF_INET and seen.ETH_P_ALL and seen.SOMAXCONN and seen.EAGAIN)
  end)

  -- What the preprocessor sees and the module has not, with the reason.
  local excused = {
    SOCK_IOC_TYPE = "an ioctl's number",
    SCM_SRCRT = "stands for IPV6_RXSRCRT, which does not exist",
    AI_IDN_ALLOW_UNASSIGNED = "glibc warns of it", AI_IDN_USE_STD3_ASCII_RULES = "glibc warns of it",
    NI_IDN_ALLOW_UNASSIGNED = "glibc warns of it", NI_IDN_USE_STD3_ASCII_RULES = "glibc warns of it",
  }

  it("has every name that the headers define", function()
    local missing, count = {}, 0
    local function check(source, wanted)
      for name in helper.macros(source) do
        if wanted(name) and not excused[name] then
          count = count + 1
          if not socket[name] then missing[#missing + 1] = name end
        end
      end
    end
    check("#include <errno.h>\n", function(name) return name:find "^E[%u%d]+$" end)
    for _, source in ipairs {
      '#include "base/netheaders.h"\n',
      "#ifdef __linux__\n#include <linux/tcp.h>\n#endif\n", -- these two cannot stand beside the others
      "#ifdef __linux__\n#include <linux/udp.h>\n#endif\n",
    } do
      check(source, function(name) return isconstant(name) and not name:find "^E[%u%d]+$" end)
    end
    assert.same({}, missing)
    assert.is_true(count > 300)
  end)
end)

describe("where a constant is expected", function()
  it("its name may stand", function()
    for _, family in ipairs { "AF_INET", "PF_INET", socket.AF_INET, socket.AF_INET + 0.0 } do
      for _, type in ipairs { "SOCK_STREAM", socket.SOCK_STREAM } do
        for _, protocol in ipairs { "IPPROTO_TCP", socket.IPPROTO_TCP, 0 } do
          local s <close> = assert(socket.socket(family, type, protocol))
          assert.equal(socket.AF_INET, s:family())
          assert.equal(socket.SOCK_STREAM, s:type())
        end
      end
    end
    local s <close> = assert(socket.socket("AF_UNIX", "SOCK_DGRAM"))
    assert.equal(socket.SOCK_DGRAM, s:getsockopt("SOL_SOCKET", "SO_TYPE"))
  end)

  it("a name that nobody knows raises an error with it in", function()
    local function refuses(pattern, ...)
      local args = table.pack(...)
      helper.raises("socket.socket", pattern, function()
        return socket.socket(table.unpack(args, 1, args.n))
      end)
    end
    refuses("bad argument #1 to 'socket' %(unknown constant 'AF_FOO'%)", "AF_FOO")
    refuses("bad argument #2 to 'socket' %(unknown constant 'SOCK_FOO'%)", "AF_INET", "SOCK_FOO")
    refuses("bad argument #3 to 'socket' %(unknown constant 'x'%)", "AF_INET", "SOCK_STREAM", "x")
    refuses("unknown constant ''", "")
    refuses("unknown constant '2'", "2")
    refuses("unknown constant 'af_inet'; did you mean 'AF_INET'%?%)$", "af_inet")
    refuses("unknown constant ' AF_INET'; did you mean 'AF_INET'%?", " AF_INET")
    refuses("unknown constant 'inet'; did you mean 'AF_INET'%?", "inet")
    refuses("unknown constant 'AF_IPV6'; did you mean 'AF_INET6'%?", "AF_IPV6")
    refuses("unknown constant 'ipv6'; did you mean 'AF_INET6'%?", "ipv6")
    refuses("unknown constant 'SOCK_STEAM'; did you mean 'SOCK_STREAM'%?", "AF_INET", "SOCK_STEAM")
    refuses("unknown constant 'stream'; did you mean 'SOCK_STREAM'%?", "AF_INET", "stream")
    refuses("unknown constant 'DGRAM'; did you mean 'SOCK_DGRAM'%?", "AF_INET", "DGRAM")
    refuses("unknown constant 'tcp'; did you mean 'SOCK_STREAM'%?", "AF_INET", "tcp")
    refuses("unknown constant 'udp'; did you mean 'SOCK_DGRAM'%?", "AF_INET", "udp")
    refuses("unknown constant 'icmp'; did you mean 'IPPROTO_ICMP'%?", "AF_INET", "SOCK_RAW", "icmp")
    refuses("unknown constant 'IPROTO_TCP'; did you mean 'IPPROTO_TCP'%?", "AF_INET", "SOCK_STREAM", "IPROTO_TCP")
    refuses("unknown constant 'AF_INET\\0...'", "AF_INET\0")
    refuses("unknown constant '\\0...'", "\0AF_INET")
    refuses("unknown constant 'AF_x+'", "AF_" .. ("x"):rep(1 << 16))
  end)

  it("a name that only other systems have raises, and says that", function()
    if socket.SO_NOSIGPIPE then helper.skip("this system has the constant") end
    local s <close> = assert(socket.socket())
    helper.raises("s:setsockopt", "#1 to 'setsockopt' %(this system has no constant 'SO_NOSIGPIPE'%)", function()
      return s:setsockopt("SO_NOSIGPIPE", true)
    end)
    helper.raises("socket.socket", "#1 to 'socket' %(this system has no constant 'AF_SYSTEM'%)", function()
      return socket.socket "AF_SYSTEM"
    end)
  end)

  it("flags may be joined, with blanks or without", function()
    local a <close>, peer = assert(socket.socketpair())
    local b <close> = peer
    assert.equal(2, a:send("xy", "MSG_NOSIGNAL|MSG_DONTWAIT"))
    for _, flags in ipairs {
      "MSG_PEEK|MSG_DONTWAIT", "MSG_PEEK | MSG_DONTWAIT", " MSG_DONTWAIT|MSG_PEEK ", "MSG_PEEK|MSG_PEEK|MSG_DONTWAIT",
      socket.MSG_PEEK | socket.MSG_DONTWAIT,
    } do
      assert.equal("xy", b:recv(10, flags))
      assert.equal("xy", b:recvfrom(10, flags))
      assert.equal("xy", b:recvmsg(10, { flags = flags }).data)
      assert.equal("xy", b:recvmmsg(1, 10, flags)[1].data)
      local buf = socket.buffer(10)
      assert.equal(2, b:recvinto(buf, 10, 1, flags))
    end
    assert.equal("xy", b:recv(10))
    helper.fails("s:recv", "EAGAIN", b:recv(10, "MSG_PEEK|MSG_DONTWAIT"))
    assert.equal(1, a:sendmsg { data = "x", flags = "MSG_NOSIGNAL|MSG_DONTWAIT" })
    local list = { "x", { data = "x", flags = "MSG_DONTWAIT|MSG_NOSIGNAL" } }
    assert.equal(2, a:sendmmsg(list, "MSG_NOSIGNAL|MSG_DONTWAIT"))
    assert.equal(1, a:sendall("x", "MSG_NOSIGNAL|MSG_DONTWAIT"))
    local s <close> = assert(socket.socket("AF_INET", "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC"))
    assert.equal(0, s:gettimeout())
    assert.equal(socket.SOCK_STREAM, s:type())
    local address = socket.address("AF_INET", "127.0.0.1", 80)
    local host, service = assert(socket.getnameinfo(address, "NI_NUMERICHOST|NI_NUMERICSERV"))
    assert.same({ "127.0.0.1", "80" }, { host, service })
    assert.equal(address, socket.getaddrinfo("127.0.0.1", 80, { flags = "AI_NUMERICHOST|AI_PASSIVE" })[1].address)
  end)

  it("what is wrong with joined flags raises, and names the one that is", function()
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    for flags, pattern in pairs {
      ["MSG_PEEK|MSG_DONTWIAT"] = "unknown constant 'MSG_DONTWIAT'; did you mean 'MSG_DONTWAIT'%?",
      ["MSG_PEEK|"] = "unknown constant ''", ["|"] = "unknown constant ''",
      ["MSG_PEEK||MSG_OOB"] = "unknown constant ''",
      ["MSG_PEEK|SO_DEBUG"] = "constant 'SO_DEBUG' is none of MSG_%*", ["MSG_PEEK|2"] = "unknown constant '2'",
      ["MSG_PEEK|MSG_OOB\0"] = "unknown constant 'MSG_OOB\\0", ["MSG_PEEK,MSG_OOB"] = "unknown constant",
    } do
      helper.raises("s:recv", "#2 to 'recv' %(" .. pattern, function() return a:recv(1, flags) end)
      helper.raises("s:sendmsg", "field 'flags': " .. pattern, function() a:sendmsg { data = "x", flags = flags } end)
    end
  end)

  it("constants that are no flags are not joined", function()
    local alone = "#%d to '%%w+' %%('%s': only flags are joined by '|', and here one constant is expected%%)"
    local function refuses(n, text, f, ...)
      local args = table.pack(...)
      helper.raises("a constant", alone:format(n, text), function() return f(table.unpack(args, 1, args.n)) end)
    end
    local s <close> = assert(socket.socket())
    refuses(1, "AF_INET|AF_INET6", socket.socket, "AF_INET|AF_INET6")
    refuses(3, "IPPROTO_TCP|IPPROTO_UDP", socket.socket, "AF_INET", "SOCK_STREAM", "IPPROTO_TCP|IPPROTO_UDP")
    helper.raises("s:setsockopt", alone:format(1, "SO_DEBUG|SO_KEEPALIVE"), function()
      return s:setsockopt("SO_DEBUG|SO_KEEPALIVE", true)
    end)
    helper.raises("s:shutdown", alone:format(1, "SHUT_RD|SHUT_WR"), function() return s:shutdown "SHUT_RD|SHUT_WR" end)
    helper.raises("socket.socket", "#2 to 'socket' %(a socket has one type only%)", function()
      return socket.socket("AF_INET", "SOCK_STREAM|SOCK_DGRAM")
    end)
  end)

  it("so does a name of another kind", function()
    helper.raises("socket.socket", "bad argument #1 to 'socket' %(constant 'SOCK_STREAM' is none of AF_%*, PF_%*%)",
      function() return socket.socket("SOCK_STREAM") end)
    helper.raises("socket.socket", "bad argument #2 to 'socket' %(constant 'AF_INET' is none of SOCK_%*%)",
      function() return socket.socket("AF_INET", "AF_INET") end)
    -- EAI_ and ETH_P_ begin like an errno, and are none
    helper.raises("socket.socket", "constant 'ETH_P_IP' is none of AF_%*",
      function() return socket.socket("ETH_P_IP") end)
  end)

  it("numbers that are no integers, or that C cannot hold, raise", function()
    for _, wrong in ipairs {
      1.5, 0 / 0, math.huge, -math.huge, 2 ^ 31, -2 ^ 31 - 1, 2 ^ 63, math.maxinteger, math.mininteger, true, {}, print,
      io.stdout,
    } do
      for i = 1, 3 do
        local args = { "AF_INET", "SOCK_STREAM", 0 }
        args[i] = wrong
        helper.raises("socket.socket", "bad argument #" .. i .. " to 'socket' %(", function()
          return socket.socket(table.unpack(args))
        end)
      end
    end
    helper.raises("socket.socket", "%(out of range%)", function() return socket.socket(1 << 31) end)
    helper.raises("socket.socket", "%(integer or name of a constant expected, got table%)",
      function() return socket.socket {} end)
  end)
end)

describe("of two names for one number", function()
  it("the plain one is in messages and descriptions", function()
    local s <close> = assert(socket.socket("AF_LOCAL", "SOCK_STREAM"))
    assert.match("AF_UNIX SOCK_STREAM", tostring(s))
    s:settimeout(0)
    local a <close>, b = assert(socket.socketpair())
    local _ <close> = b
    a:settimeout(0)
    helper.fails("s:recv", "EAGAIN", a:recv())
    helper.fails("s:setsockopt", "EOPNOTSUPP", a:setsockopt("TCP_NODELAY", true))
  end)
end)
