-- What the specs in the virtual machine need again and again: addresses, connections, data, netem.
local socket = require "bsdsocket"

local vm = {}

---------------------------------------------------------------------------------------------------
-- Addresses. Where the library has no fields for a family yet, the kernel's struct does.

-- struct sockaddr_tipc after its family: addrtype, scope, and three numbers by addrtype
local TIPC = "=Bb I4 I4 I4"
-- struct sockaddr_vm after its family: reserved, port, cid, and zeros
local VSOCK = "=I2 I4 I4 xxxx"

local hastipc = pcall(socket.address, "AF_TIPC", { type = 1, instance = 1 })
local hasvsock = pcall(socket.address, "AF_VSOCK", 1, 1)

--- { type=, instance= [, upper=] } is a service or a range of them, { ref=, node= } a socket.
function vm.tipc(t)
  if hastipc then return socket.address("AF_TIPC", t) end
  local bytes
  if t.ref then
    bytes = TIPC:pack(socket.TIPC_SOCKET_ADDR, 0, t.ref, t.node, 0)
  elseif t.upper then
    bytes = TIPC:pack(socket.TIPC_SERVICE_RANGE, socket.TIPC_CLUSTER_SCOPE, t.type, t.instance, t.upper)
  else
    bytes = TIPC:pack(socket.TIPC_SERVICE_ADDR, socket.TIPC_CLUSTER_SCOPE, t.type, t.instance, 0)
  end
  return socket.address("AF_TIPC", bytes)
end

--- Of a socket's address its ref and node.
function vm.tipcsocket(address)
  if hastipc then return address.ref, address.node end
  local kind, _, ref, node = TIPC:unpack(address.bytes)
  assert(kind == socket.TIPC_SOCKET_ADDR)
  return ref, node
end

function vm.vsock(cid, port)
  return socket.address("AF_VSOCK", table.unpack(hasvsock and { cid, port } or { VSOCK:pack(0, port, cid) }))
end

--- Its cid and port.
function vm.vsocket(address)
  if hasvsock then return address.cid, address.port end
  local _, port, cid = VSOCK:unpack(address.bytes)
  return cid, port
end

---------------------------------------------------------------------------------------------------
-- Sockets. Nothing here takes long; what takes longer than this never comes.

local PATIENCE <const> = 10

function vm.socket(...)
  return assert(socket.socket(...)):settimeout(PATIENCE)
end

--- Connects a TIPC socket to the service of a listener; gives the other end and what accept said of its
--- peer. The connection is there only when the listener has accepted it, so connect is not to wait first.
function vm.connect(client, service, listener)
  local s, message, code = client:settimeout(0):connect(service)
  assert(s or code == "EINPROGRESS", message)
  local server, peer = assert(listener:accept())
  assert(client:settimeout(PATIENCE):connect(service))
  return server:settimeout(PATIENCE), peer
end

--- Sends all of it from one to the other, as a stream, both never waiting alone, so many bytes at once;
--- gives what arrived.
function vm.pump(from, to, data, most)
  most = most or 65536
  local sent, arrived, n = 0, {}, 0
  from:settimeout(0)
  while n < #data do
    local writers = sent < #data and { from } or {}
    local readable, writable = assert(socket.select({ to }, writers, PATIENCE))
    assert(readable[1] or writable[1], "nothing moves any more")
    if writable[1] then
      local count, message, code = from:send(data, 0, sent + 1, math.min(sent + most, #data))
      assert(count or code == "EAGAIN", message)
      sent = sent + (count or 0)
    end
    if readable[1] then
      arrived[#arrived + 1] = assert(to:recv(65536))
      assert(arrived[#arrived] ~= "", "the stream ended early")
      n = n + #arrived[#arrived]
    end
  end
  from:settimeout(PATIENCE)
  return table.concat(arrived)
end

---------------------------------------------------------------------------------------------------
-- Data

--- So many bytes, any values, other ones for every seed; the same in both machines.
function vm.data(seed, size)
  local state, list = seed * 2654435761 + 1, {}
  for i = 1, (size + 7) // 8 do
    state = state * 6364136223846793005 + 1442695040888963407
    list[i] = ("<i8"):pack(state ~ state >> 29)
  end
  return table.concat(list):sub(1, size)
end

---------------------------------------------------------------------------------------------------
-- Other programs

--- What it prints; it has to succeed.
function vm.run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "a"
  assert(pipe:close(), command .. ": " .. output)
  return output
end

--- How many packets netem has dropped on that device, by its own count.
function vm.dropped(device)
  return tonumber(vm.run("tc -s qdisc show dev " .. device):match "qdisc netem.-%(dropped (%d+),")
end

--- f() while netem treats what leaves by that device; gives its count of dropped packets, then f's results.
function vm.netem(device, what, f)
  vm.run(("tc qdisc add dev %s root netem %s"):format(device, what))
  local results = table.pack(pcall(f))
  local dropped = vm.dropped(device)
  vm.run(("tc qdisc del dev %s root"):format(device))
  if not results[1] then error(results[2], 0) end
  return dropped, table.unpack(results, 2, results.n)
end

return vm
