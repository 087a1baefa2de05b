-- 17_protocols.lua: every kind of socket that carries a message from one program to another. The calls are the same
-- for all: only the family, the type, the protocol and the address differ. What this system lacks, it says itself.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

-- Where each end is bound to; the system chooses the rest: a port, a name. A TIPC socket has an address from the start.
local V4, V6, NAME, LOCAL = {"127.0.0.1", 0}, {"::1", 0}, {""}, {"VMADDR_CID_LOCAL", "VMADDR_PORT_ANY"}

local kinds = {
  {"AF_INET", "SOCK_STREAM", "IPPROTO_TCP", V4},
  {"AF_INET", "SOCK_STREAM", "IPPROTO_MPTCP", V4}, -- TCP that may use several ways at once
  {"AF_INET", "SOCK_STREAM", "IPPROTO_SCTP", V4},
  {"AF_INET", "SOCK_DGRAM", "IPPROTO_UDP", V4},
  {"AF_INET", "SOCK_DGRAM", "IPPROTO_UDPLITE", V4}, -- UDP that may deliver what was damaged on the way
  {"AF_INET", "SOCK_SEQPACKET", "IPPROTO_SCTP", V4},
  {"AF_INET", "SOCK_RAW", "IPPROTO_IGMP", V4},
  {"AF_INET", "SOCK_RAW", 253, V4}, -- any number is a protocol; this one is free for experiments
  {"AF_INET6", "SOCK_STREAM", "IPPROTO_TCP", V6},
  {"AF_INET6", "SOCK_STREAM", "IPPROTO_MPTCP", V6},
  {"AF_INET6", "SOCK_STREAM", "IPPROTO_SCTP", V6},
  {"AF_INET6", "SOCK_DGRAM", "IPPROTO_UDP", V6},
  {"AF_INET6", "SOCK_DGRAM", "IPPROTO_UDPLITE", V6},
  {"AF_INET6", "SOCK_SEQPACKET", "IPPROTO_SCTP", V6},
  {"AF_INET6", "SOCK_RAW", 253, V6},
  {"AF_UNIX", "SOCK_STREAM", 0, NAME},
  {"AF_UNIX", "SOCK_DGRAM", 0, NAME},
  {"AF_UNIX", "SOCK_SEQPACKET", 0, NAME},
  {"AF_UNIX", "SOCK_RAW", 0, NAME}, -- is SOCK_DGRAM
  {"AF_VSOCK", "SOCK_STREAM", 0, LOCAL},
  {"AF_VSOCK", "SOCK_SEQPACKET", 0, LOCAL},
  {"AF_TIPC", "SOCK_STREAM", 0},
  {"AF_TIPC", "SOCK_DGRAM", 0},
  {"AF_TIPC", "SOCK_SEQPACKET", 0},
  {"AF_TIPC", "SOCK_RDM", 0},
}

local MESSAGE = "hihihi"

-- A bound socket, or nil and why there is none.
local function make(family, type, protocol, address)
  for _, name in ipairs {family, type, protocol} do
    if not math.tointeger(name) and not socket[name] then return nil, name .. " is not known here" end
  end
  local s, message = socket.socket(family, type, protocol)
  if not s then return nil, message end
  s:settimeout(5)
  if not address then return s end
  local bound, why = s:bind(table.unpack(address))
  if not bound then s:close() end
  return bound, why
end

-- With a connection: what came, from whom, and who that should be.
local function connected(server, client)
  assert(server:listen())
  -- Some connect only once the server accepts, and one script is both here: begin it, accept, then end it.
  local begun, message, code = client:settimeout(0):connect(server:getsockname())
  assert(begun or code == "EINPROGRESS", message)
  local connection <close>, from = assert(server:accept())
  if not begun then assert(client:settimeout(5):connect(server:getsockname())) end
  client:settimeout(5)
  connection:settimeout(5)
  assert(client:sendall(MESSAGE))
  return assert(connection:recv(#MESSAGE)), from, client:getsockname()
end

-- Without one: the same.
local function unconnected(server, client)
  assert(client:sendto(MESSAGE, server:getsockname()))
  local data, from = assert(server:recvfrom())
  return data, from, client:getsockname()
end

-- SCTP makes its connections by itself where one socket has many of them.
local function associated(server, client)
  assert(server:listen())
  return unconnected(server, client)
end

-- Raw IP has no ports, and IPv4 leaves its header on the packet.
local function raw(server, client)
  local host, family = client:getsockname().host, client:getsockname().family
  assert(client:sendto(MESSAGE, host, 0))
  local data, from = assert(server:recvfrom())
  if family == socket.AF_INET then data = data:sub((data:byte() & 15) * 4 + 1) end
  return data, from.host, host
end

local function way(family, type, protocol)
  if type == "SOCK_RAW" and family ~= "AF_UNIX" then return raw end
  if type == "SOCK_SEQPACKET" and protocol == "IPPROTO_SCTP" then return associated end
  return (type == "SOCK_STREAM" or type == "SOCK_SEQPACKET") and connected or unconnected
end

local wrong = 0

local function check(what, data, from, expected)
  local right = data == MESSAGE and from == expected
  if not right then wrong = wrong + 1 end
  print(what, data, right and "from the other end" or ("WRONG: from %s, not %s"):format(from, expected))
end

for _, kind in ipairs(kinds) do
  local family, type, protocol, address = table.unpack(kind)
  local what = ("%s %s %s"):format(family, type, protocol)
  local server <close>, message = make(family, type, protocol, address)
  if server then
    local client <close> = assert(make(family, type, protocol, address))
    check(what, way(family, type, protocol)(server, client))
  else
    print(what, message)
  end
end

-- One IPv6 socket serves both: to it, an IPv4 client has an address that begins with ::ffff: .
local both <close>, message = make("AF_INET6", "SOCK_STREAM", "IPPROTO_TCP")
if both then
  assert(assert(both:setsockopt("IPV6_V6ONLY", false)):bind("*", 0):listen())
  local client <close> = assert(socket.connect("127.0.0.1", both:getsockname().port))
  local connection <close>, from = assert(both:accept())
  assert(client:sendall(MESSAGE))
  local expected = socket.address("AF_INET6", "::ffff:127.0.0.1", client:getsockname().port)
  check("AF_INET to AF_INET6", assert(connection:settimeout(5):recv(#MESSAGE)), from, expected)
else
  print("AF_INET to AF_INET6", message)
end

if wrong > 0 then os.exit(1, true) end
