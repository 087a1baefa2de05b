-- csrc/call/interface.c: the network interfaces of this machine. Every machine has a loopback interface;
-- nothing else is taken for granted.

local helper = require "spec.helper"
local process = require "spec.process"
local namespace = require "spec.namespace"
local socket = require "bsdsocket"

local inside = namespace.inside

-- What a script prints that may open 24 descriptors (process.confined).
local function confined(script)
  return (process.confined(24, [[
    local first = socket.if_nameindex()[1]
    ]] .. script))
end

describe("if_nameindex", function()
  it("lists every interface by name and index", function()
    local list = assert(socket.if_nameindex())
    assert.is_true(#list > 0)
    for _, entry in ipairs(list) do
      assert.equal("string", type(entry.name))
      assert.equal("integer", math.type(entry.index))
      assert.equal(entry.index, socket.if_nametoindex(entry.name))
      assert.equal(entry.name, socket.if_indextoname(entry.index))
      entry.name, entry.index = nil, nil
      assert.same({}, entry)
    end
  end)
end)

describe("if_nametoindex", function()
  it("is ENODEV for an interface that is not there", function()
    for _, name in ipairs { "nosuch", "", ("x"):rep(15), ("x"):rep(16), ("x"):rep(17), ("x"):rep(1 << 20) } do
      local message = helper.fails("socket.if_nametoindex", "ENODEV", socket.if_nametoindex(name))
      assert.equal("if_nametoindex " .. name .. ": " .. socket.strerror "ENODEV", message)
    end
  end)

  it("raises for what is no name", function()
    for _, name in ipairs { 1, 1.5, true, {}, io.stdout } do
      helper.raises("socket.if_nametoindex", "#1 to '.*if_nametoindex' %(string expected", socket.if_nametoindex, name)
    end
    helper.raises("socket.if_nametoindex", "#1 to .*got no value", socket.if_nametoindex)
    helper.raises("socket.if_nametoindex", "#1 to .*string contains zeros", socket.if_nametoindex,
      socket.if_nameindex()[1].name .. "\0")
  end)
end)

describe("if_indextoname", function()
  it("is ENXIO for an interface that is not there", function()
    for _, index in ipairs { 0, (1 << 31) - 1, 1 << 31, (1 << 32) - 1 } do
      local message = helper.fails("socket.if_indextoname", "ENXIO", socket.if_indextoname(index))
      assert.equal("if_indextoname " .. index .. ": " .. socket.strerror "ENXIO", message)
    end
    assert.match("^if_indextoname 2147483648: ", (select(2, socket.if_indextoname(2 ^ 31))))
  end)

  it("raises for what is no index", function()
    for _, index in ipairs { -1, 1 << 32, math.maxinteger, math.mininteger } do
      helper.raises("socket.if_indextoname", "#1 to '.*if_indextoname' %(out of range%)", socket.if_indextoname, index)
    end
    for _, index in ipairs { 1.5, 0 / 0, "lo", true, {}, io.stdout } do
      helper.raises("socket.if_indextoname", "#1 to '.*if_indextoname' %(number ", socket.if_indextoname, index)
    end
    helper.raises("socket.if_indextoname", "#1 to .*got no value", socket.if_indextoname)
  end)
end)

describe("getifaddrs", function()
  it("lists the addresses of every interface", function()
    local families, names = {}, {}
    for _, interface in ipairs(socket.if_nameindex()) do names[interface.name] = true end
    for _, entry in ipairs(assert(socket.getifaddrs())) do
      assert.is_true(names[entry.name:match "^[^:]+"]) -- an alias is eth0:1
      assert.equal("integer", math.type(entry.flags))
      local family = entry.address and entry.address.family
      if family then families[family] = true end
      for _, key in ipairs { "netmask", "broadcast" } do
        if entry[key] then assert.equal(family, entry[key].family) end
      end
      if family == socket.AF_INET or family == socket.AF_INET6 then
        assert.equal(0, entry.address.port)
        assert.is_truthy(socket.inet_pton(family, entry.netmask.host))
      end
      if entry.flags & socket.IFF_BROADCAST == 0 then assert.is_nil(entry.broadcast) end
      if entry.flags & socket.IFF_POINTOPOINT == 0 then assert.is_nil(entry.destination) end
    end
    assert.is_true(families[socket.AF_INET])
  end)

  it("shows the loopback interface", function()
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.address == socket.address("AF_INET", "127.0.0.1", 0) then
        assert.equal(socket.IFF_LOOPBACK, entry.flags & socket.IFF_LOOPBACK)
        assert.equal(socket.address("AF_INET", "255.0.0.0", 0), entry.netmask)
        assert.is_nil(entry.broadcast)
        return
      end
    end
    assert.is_true(false, "127.0.0.1 is not there")
  end)

  it("gives addresses that a socket takes", function()
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.address and entry.address.family == socket.AF_INET then
        local s <close> = assert(socket.socket(entry.address.family, "SOCK_DGRAM"))
        assert.equal(s, s:bind(entry.address))
      end
    end
  end)

  it("shows broadcast addresses of interfaces that have one", function()
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.broadcast and entry.address.family == socket.AF_INET then
        local address = (">I4"):unpack(socket.inet_pton("AF_INET", entry.address.host))
        local netmask = (">I4"):unpack(socket.inet_pton("AF_INET", entry.netmask.host))
        local broadcast = (">I4"):unpack(socket.inet_pton("AF_INET", entry.broadcast.host))
        assert.equal(address & netmask, broadcast & netmask)
      elseif entry.address and entry.address.family == socket.AF_PACKET then
        assert.equal(entry.flags & socket.IFF_BROADCAST ~= 0, entry.broadcast ~= nil)
      end
    end
  end)

  it("shows the other end of a link that goes from point to point", inside(function(skip)
    if not os.execute "ip tuntap add dev line mode tun 2>/dev/null" then skip "no tun here" end
    assert(os.execute "ip addr add 10.9.9.1 peer 10.9.9.2 dev line")
    assert(os.execute "ip -6 addr add fd09::1 peer fd09::2 dev line")
    local ends = {}
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.name == "line" and entry.destination then
        assert.equal(socket.IFF_POINTOPOINT, entry.flags & socket.IFF_POINTOPOINT)
        assert.is_nil(entry.broadcast)
        ends[entry.address.host] = entry.destination
      end
    end
    assert.same({
      ["10.9.9.1"] = socket.address("AF_INET", "10.9.9.2", 0), ["fd09::1"] = socket.address("AF_INET6", "fd09::2", 0),
    }, ends)
  end))

  it("shows each interface's link layer", function()
    if not socket.AF_PACKET then return end
    local left = {}
    for _, interface in ipairs(socket.if_nameindex()) do left[interface.name] = interface.index end
    for _, entry in ipairs(socket.getifaddrs()) do
      if entry.address and entry.address.family == socket.AF_PACKET then
        local address = entry.address
        assert.equal(left[entry.name], address.ifindex)
        assert.equal(entry.name, address.ifname)
        assert.same({ 0, 0 }, { address.protocol, address.pkttype })
        if entry.flags & socket.IFF_LOOPBACK ~= 0 then
          assert.same({ 772, ("\0"):rep(6) }, { address.hatype, address.hwaddr }) -- ARPHRD_LOOPBACK
        end
        local shown = io.open("/sys/class/net/" .. entry.name .. "/address")
        if shown then
          local text = shown:read "l" or ""
          shown:close()
          assert.equal(text, (address.hwaddr:gsub(".", function(c) return (":%02x"):format(c:byte()) end):sub(2)))
        end
        if entry.broadcast then assert.equal(#address.hwaddr, #entry.broadcast.hwaddr) end
        left[entry.name] = nil
      end
    end
    assert.same({}, left)
  end)
end)

describe("when descriptors have run out", function()
  local calls = {
    if_nameindex = "socket.if_nameindex()",
    if_nametoindex = "socket.if_nametoindex(first.name)",
    if_indextoname = "socket.if_indextoname(first.index)",
    getifaddrs = "socket.getifaddrs()",
  }

  it("each call says so", function()
    for name, call in pairs(calls) do
      local output = confined("local kept = {} fill(kept) print(" .. call .. ")")
      local message, code = output:match "^nil\t(.*)\t(%u+)\n$"
      helper.fails("socket." .. name, "EMFILE", nil, message or output, code)
    end
  end)

  it("each call collects sockets that nobody can reach any more", function()
    for _, call in pairs(calls) do
      assert.equal("true\n", confined("fill() print(" .. call .. " ~= nil)"))
    end
    assert.match("\tENODEV\n$", confined "fill() print(socket.if_nametoindex 'nosuch')")
    assert.match("\tENXIO\n$", confined "fill() print(socket.if_indextoname(0))")
  end)
end)
