-- Options of TIPC, SCTP and vsock, as spec/call/option_spec.lua has them for what this machine's own kernel knows.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local vm = require "spec.vm.vm"

local makers = {
  tipc = function() return vm.socket("AF_TIPC", "SOCK_RDM") end,
  sctp = function() return vm.socket("AF_INET", "SOCK_SEQPACKET", "IPPROTO_SCTP") end,
  sctpstream = function() return vm.socket("AF_INET6", "SOCK_STREAM", "IPPROTO_SCTP") end,
  sctpany = function() return assert(vm.socket("AF_INET", "SOCK_STREAM", "IPPROTO_SCTP"):bind("0.0.0.0", 0)) end,
  vsock = function() return vm.socket("AF_VSOCK", "SOCK_STREAM") end,
}

local function of(value) return { assoc_id = 0, value = value } end

-- What is written, and read back.
for kind, rows in pairs {
  tipc = {
    { "TIPC_CONN_TIMEOUT", 0.25, 8 },
    { "TIPC_DEST_DROPPABLE", true, false },
    { "TIPC_IMPORTANCE", 3, 0 },
    { "TIPC_SRC_DROPPABLE", true, false },
  },
  sctp = {
    { "SCTP_ADAPTATION_LAYER", 4000000000, 0 },
    { "SCTP_ASCONF_SUPPORTED", of(1), of(0) },
    { "SCTP_AUTH_SUPPORTED", of(1), of(0) },
    { "SCTP_AUTOCLOSE", 5, 0 },
    { "SCTP_CONTEXT", of(77), of(0) },
    { "SCTP_DELAYED_ACK", { assoc_id = 0, delay = 100, freq = 3 } },
    { "SCTP_DELAYED_ACK_TIME", { assoc_id = 0, delay = 300, freq = 2 } },
    { "SCTP_DELAYED_SACK", { assoc_id = 0, delay = 100, freq = 3 } },
    { "SCTP_DISABLE_FRAGMENTS", true, false },
    { "SCTP_ECN_SUPPORTED", of(0), of(1) },
    { "SCTP_ENABLE_STREAM_RESET", of(7), of(0) },
    { "SCTP_EXPOSE_PF_STATE", of(2), of(0) },
    { "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE", of(1), of(2) },
    { "SCTP_FRAGMENT_INTERLEAVE", 1, 0 },
    { "SCTP_INITMSG", { num_ostreams = 5, max_instreams = 7, max_attempts = 3, max_init_timeo = 1000 } },
    { "SCTP_I_WANT_MAPPED_V4_ADDR", false, true },
    { "SCTP_MAXSEG", of(1000), of(0) },
    { "SCTP_MAX_BURST", of(9), of(0) },
    { "SCTP_NODELAY", true, false },
    { "SCTP_PARTIAL_DELIVERY_POINT", 1000, 0 },
    { "SCTP_PR_SUPPORTED", of(0), of(1) },
    { "SCTP_RECONFIG_SUPPORTED", of(1), of(0) },
    { "SCTP_RECVNXTINFO", true, false },
    { "SCTP_RECVRCVINFO", true, false },
    { "SCTP_RTOINFO", { assoc_id = 0, initial = 2000, max = 9000, min = 500 } },
    { "SCTP_STREAM_SCHEDULER", of(2), of(0) },
    -- structures, as bytes
    { "SCTP_DEFAULT_PRINFO", string.pack("=I4I4I2xx", 0, 300, 0x10) },
    { "SCTP_DEFAULT_SEND_PARAM", string.pack("=I2I2I2xxI4I4I4I4I4I4", 1, 0, 0, 7, 8, 0, 0, 0, 0) },
    { "SCTP_DEFAULT_SNDINFO", string.pack("=I2I2I4I4I4", 2, 0, 7, 8, 0) },
  },
  sctpstream = { { "SCTP_REUSE_PORT", true, false } },
  sctpany = { { "SCTP_AUTO_ASCONF", true, false } },
  vsock = {
    { "SO_VM_SOCKETS_BUFFER_SIZE", 200000, 65536 },
    { "SO_VM_SOCKETS_BUFFER_MIN_SIZE", 4096, 128 },
    { "SO_VM_SOCKETS_BUFFER_MAX_SIZE", 1 << 30, 1 << 20 },
    { "SO_VM_SOCKETS_CONNECT_TIMEOUT", 2.5, 10 },
  },
} do
  describe("an option of " .. kind .. " reads back what was written:", function()
    for _, row in ipairs(rows) do
      it(row[1], function()
        local s <close> = makers[kind]()
        for i = 2, #row do
          assert.equal(s, assert(s:setsockopt(row[1], row[i])))
          assert.same(row[i], s:getsockopt(row[1]))
        end
      end)
    end
  end)
end

describe("of TIPC", function()
  it("queues can be counted", function()
    local service = vm.tipc { type = 18888, instance = 600 }
    local server <close> = assert(makers.tipc():bind(service))
    local s <close> = makers.tipc()
    assert.equal(0, server:getsockopt "TIPC_SOCK_RECVQ_DEPTH")
    for _ = 1, 3 do assert(s:sendto("hello", service)) end
    assert.equal(3, server:getsockopt "TIPC_SOCK_RECVQ_DEPTH")
    assert.is_true(server:getsockopt "TIPC_SOCK_RECVQ_USED" > 0)
    assert.equal(0, server:getsockopt "TIPC_NODE_RECVQ_DEPTH")
  end)

  it("those without a value take none", function()
    local s <close> = makers.tipc()
    assert.equal(s, s:setsockopt "TIPC_MCAST_REPLICAST")
    assert.equal(s, s:setsockopt("SOL_TIPC", "TIPC_MCAST_REPLICAST", nil))
    assert.equal(s, s:setsockopt("TIPC_MCAST_REPLICAST", ""))
    -- a bearer that broadcasts has to be there
    local ok, _, code = s:setsockopt "TIPC_MCAST_BROADCAST"
    assert(ok == s or code == "ENOPROTOOPT", code)
    helper.raises("s:setsockopt", "this option takes no value", function()
      return s:setsockopt("TIPC_MCAST_REPLICAST", true)
    end)
  end)

  it("a stream sends small parts at once if it is told so", function()
    local s <close> = vm.socket("AF_TIPC", "SOCK_STREAM")
    assert.equal(s, s:setsockopt("TIPC_NODELAY", true))
    helper.fails("s:getsockopt", "EINVAL", s:getsockopt "TIPC_NODELAY") -- which Linux does not tell
  end)

  it("a group is joined and left", function()
    local members = {}
    finally(function() for _, s in ipairs(members) do s:close() end end)
    for i = 1, 2 do
      members[i] = makers.tipc()
      assert.same({ type = 0 }, members[i]:getsockopt "TIPC_GROUP_JOIN")
      local group =
        { type = 18900, instance = i, scope = socket.TIPC_NODE_SCOPE, flags = socket.TIPC_GROUP_MEMBER_EVTS }
      assert.equal(members[i], assert(members[i]:setsockopt("TIPC_GROUP_JOIN", group)))
      assert.same({ type = 18900 }, members[i]:getsockopt "TIPC_GROUP_JOIN")
    end
    local joined = assert(members[1]:recvmsg()) -- members learn of each other in their own time
    assert.same({ "", true }, { joined.data, joined.flags & socket.MSG_OOB ~= 0 })
    assert(members[1]:sendto("to the second", vm.tipc { type = 18900, instance = 2 }))
    local message
    repeat message = assert(members[2]:recvmsg()) until message.flags & socket.MSG_OOB == 0
    assert.equal("to the second", message.data)
    for i = 1, 2 do
      assert.equal(members[i], assert(members[i]:setsockopt "TIPC_GROUP_LEAVE"))
      assert.same({ type = 0 }, members[i]:getsockopt "TIPC_GROUP_JOIN")
    end
  end)
end)

describe("of SCTP", function()
  it("one association has a record of its own", function()
    local server <close> = assert(makers.sctp():bind("127.0.0.1", 0)):listen()
    local client <close> = vm.socket("AF_INET", "SOCK_STREAM", "IPPROTO_SCTP")
    assert.equal(client, client:setsockopt("SCTP_INITMSG", { num_ostreams = 3, max_instreams = 4 }))
    assert(client:connect(server:getsockname()))
    assert.equal(1, server:getsockopt "SCTP_GET_ASSOC_NUMBER")
    local info = client:getsockopt "SCTP_ASSOCINFO"
    assert.is_true(info.assoc_id >= 0 and info.peer_rwnd > 0 and info.number_peer_destinations == 1)
    assert.equal(client, client:setsockopt("SCTP_ASSOCINFO", { asocmaxrxt = 4 }))
    assert.equal(4, client:getsockopt("SCTP_ASSOCINFO").asocmaxrxt)
    -- struct sctp_status: its state, and the streams, both ways
    local status = client:getsockopt "SCTP_STATUS"
    local _, state, _, _, _, inward, outward = string.unpack("=I4i4I4I2I2I2I2", status)
    assert.equal(socket.SCTP_ESTABLISHED, state)
    assert.is_true(inward <= 4 and outward == 3)
    -- struct sctp_prim and the others begin with the association, too
    assert.is_true(#client:getsockopt "SCTP_PRIMARY_ADDR" >= 132)
    assert.is_true(#client:getsockopt "SCTP_PEER_ADDR_PARAMS" > 140)
    for _, name in ipairs { "SCTP_PEER_ADDR_THLDS", "SCTP_PEER_ADDR_THLDS_V2" } do
      assert.is_true(#client:getsockopt(name) > 128)
    end
    assert.is_true(#client:getsockopt "SCTP_REMOTE_UDP_ENCAPS_PORT" > 128)
    assert.is_true(#client:getsockopt "SCTP_PLPMTUD_PROBE_INTERVAL" > 128)
  end)

  it("events arrive where they are asked for", function()
    local s <close> = makers.sctp()
    local events = s:getsockopt "SCTP_EVENTS"
    assert.equal(0, events.association)
    assert.equal(s, s:setsockopt("SCTP_EVENTS", { association = 1, send_failure_event = 1 }))
    events = s:getsockopt "SCTP_EVENTS"
    assert.equal(1, events.association)
    assert.equal(1, events.send_failure_event)
    assert.equal(0, events.shutdown)
    local shutdown = { assoc_id = 0, type = socket.SCTP_SHUTDOWN_EVENT, on = 1 }
    assert.equal(s, s:setsockopt("SCTP_EVENT", shutdown))
    assert.equal(1, s:getsockopt("SCTP_EVENTS").shutdown)
    assert.equal(1, s:getsockopt("SCTP_EVENTS").association)
    assert.is_true(#s:getsockopt("SOL_SCTP", "SCTP_EVENTS", 100) >= 14)
  end)

  it("chunks are authenticated with keys", function()
    local s <close> = makers.sctp()
    assert.equal(s, s:setsockopt("SCTP_AUTH_SUPPORTED", { value = 1 }))
    assert.equal(s, assert(s:setsockopt("SCTP_AUTH_KEY", string.pack("=I4I2I2", 0, 7, 3) .. "key")))
    assert.equal(s, assert(s:setsockopt("SCTP_AUTH_ACTIVE_KEY", string.pack("=I4I2xx", 0, 7))))
    assert.equal(7, (string.unpack("=I2", s:getsockopt "SCTP_AUTH_ACTIVE_KEY", 5)))
    assert.equal(s, assert(s:setsockopt("SCTP_AUTH_KEY", string.pack("=I4I2I2", 0, 8, 3) .. "key")))
    assert.equal(s, assert(s:setsockopt("SCTP_AUTH_DELETE_KEY", string.pack("=I4I2xx", 0, 8))))
    helper.fails("s:setsockopt", "EINVAL", s:setsockopt("SCTP_AUTH_DEACTIVATE_KEY", string.pack("=I4I2xx", 0, 9)))
    assert.equal(s, assert(s:setsockopt("SCTP_AUTH_CHUNK", "\0"))) -- data
    assert.is_true(#s:getsockopt "SCTP_LOCAL_AUTH_CHUNKS" > 8)
    assert.equal(s, assert(s:setsockopt("SCTP_HMAC_IDENT", string.pack("=I4I2xx", 1, 1))))
    assert.equal(1, (string.unpack("=I4", s:getsockopt "SCTP_HMAC_IDENT")))
  end)

  it("interleaving is for those who allow it", function()
    local s <close> = makers.sctp()
    local ok, _, code = s:setsockopt("SCTP_INTERLEAVING_SUPPORTED", { value = 1 })
    assert(ok == s or code == "EPERM", code)
    assert.equal(0, s:getsockopt("SCTP_INTERLEAVING_SUPPORTED").value & ~1)
  end)
end)

it("of vsock, those of VMware are not there", function()
  local s <close> = makers.vsock()
  for _, name in ipairs { "SO_VM_SOCKETS_PEER_HOST_VM_ID", "SO_VM_SOCKETS_TRUSTED" } do
    helper.fails("s:getsockopt", "ENOPROTOOPT", s:getsockopt(name))
  end
end)
