-- types/bsdsocket.lua and what it includes, the one reference: equal to the live modules, in both directions.
local helper = require "spec.helper"
local docs = require "tools.docs"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

local source = docs.source()
local entries = docs.parse(source)
local failures = dofile "spec/failures.lua"

--- The modules, by the name of their class in types/.
local modules = {M = socket, Loop = loop}

--- One object of each class, closed where it can be.
local function objects()
  local s, p = assert(socket.socket()), assert(socket.poller())
  s:close()
  p:close()
  local task = loop.spawn(function() end)
  task:cancel()
  return {Socket = s, Poller = p, Buffer = socket.buffer(1), Address = socket.address("AF_UNSPEC"), Task = task}
end

--- Entries of a kind, and by name: all, or those of a class.
local function select_entries(kind, class)
  local list, byname = {}, {}
  for _, e in ipairs(entries) do
    if e.kind == kind and (not class or e.class == class) then
      list[#list + 1] = e
      byname[e.name or e.type] = e
    end
  end
  return list, byname
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- Both sets have the same names and, for each, the same value; else it is told what is to be done to the second,
--- which is in `file` (types/).
local function same(live, documented, file)
  local todo = {}
  for name, value in pairs(live) do
    if documented[name] == nil then
      todo[#todo + 1] = "to be added: " .. name
    elseif type(value) == "string" and value ~= documented[name] then
      todo[#todo + 1] = ("to be '%s' instead of '%s': %s"):format(value, documented[name], name)
    end
  end
  for name in pairs(documented) do
    if live[name] == nil then todo[#todo + 1] = "to be taken away: " .. name end
  end
  table.sort(todo)
  if todo[1] then error((file or docs.SOURCE) .. ":\n  " .. table.concat(todo, "\n  "), 2) end
end

--- Names that csrc knows, whether this system has them or not: group -> set.
local function constants()
  local groups, current = {}, nil
  for line in helper.read "csrc/base/constants.h":gmatch "[^\n]+" do
    local group, name = line:match "^BS_GROUP%((.-)%)", line:match '^{"([%w_]+)"'
    if group then
      current = group
      groups[group] = {}
    elseif name then
      groups[current][name] = true
    end
  end
  return groups
end

describe("types/bsdsocket.lua", function()
  it("is Lua, and has no definition twice", function()
    assert(loadfile(docs.SOURCE))
    for name in helper.read(docs.SOURCE):gmatch "%-%- @include (%S+)\n" do assert(loadfile(name)) end
    local seen = {}
    for _, e in ipairs(entries) do
      local name = e.key or e.type
      if name then
        assert.is_nil(seen[name], name)
        seen[name] = true
      end
    end
  end)

  it("has every function of each module, and no other", function()
    for class, module in pairs(modules) do
      local live = {}
      for name, value in pairs(module) do
        if type(value) == "function" then live[name] = true end
      end
      local _, documented = select_entries("function", class)
      same(live, documented)
    end
  end)

  it("has every other value of the module that is no integer, and no other", function()
    local live = {}
    for name, value in pairs(socket) do
      if type(value) ~= "function" and math.type(value) ~= "integer" then
        live[name] = true
        assert.equal("string", type(value), name)
      end
    end
    local _, documented = select_entries("field", "M")
    same(live, documented)
    for name in pairs(documented) do
      assert(source:find(("M.%s = %q"):format(name, socket[name]), 1, true), name)
    end
  end)

  it("has every method and metamethod of each class, and no other", function()
    for class, object in pairs(objects()) do
      local live = {}
      local meta = getmetatable(object)
      for name, value in pairs(meta) do
        if name:find "^__" and name ~= "__index" and name ~= "__name" then
          assert.equal("function", type(value))
          live[name] = true
        end
      end
      if type(meta.__index) == "table" then
        for name, value in pairs(meta.__index) do
          assert.equal("function", type(value))
          live[name] = true
        end
      end
      local _, documented = select_entries("function", class)
      for name in pairs(documented) do -- where __index is a function, it can only be asked
        if not name:find "^__" and type(object[name]) == "function" then live[name] = true end
      end
      same(live, documented)
    end
  end)

  it("has the fields of addresses, and unpack gives them in their order", function()
    local class
    for _, e in ipairs(entries) do
      if e.type == "bsdsocket.Address" then class = e end
    end
    local of = { -- of each family, in the order of unpack
      {socket.address("AF_INET", "127.0.0.1", 1), "host", "port"},
      {socket.address("AF_INET6", "::1", 1, 2, 3), "host", "port", "flowinfo", "scope_id"},
      {socket.address("AF_UNIX", "/x"), "path"},
      {socket.address(63, "xyz"), "bytes"},
    }
    if socket.AF_NETLINK then
      local loopback = socket.if_nameindex()[1].name
      of[#of + 1] = {
        socket.address("AF_PACKET", loopback, 3, "hwaddr"), "ifname", "protocol", "hwaddr",
        others = {"ifindex", "hatype", "pkttype"},
      }
      of[#of + 1] = {socket.address("AF_NETLINK", 1, 2), "pid", "groups"}
      of[#of + 1] = {socket.address("AF_VSOCK", 1, 2), "cid", "port"}
      -- of these, unpack gives a table
      for _, service in ipairs {
        {type = 1, instance = 2, scope = 3, node = 4}, {type = 1, instance = 2, scope = 3, upper = 5},
        {ref = 1, node = 2},
      } do
        local others = {}
        for name in pairs(service) do others[#others + 1] = name end
        of[#of + 1] = {socket.address("AF_TIPC", service), others = others, table = service}
      end
    end
    local documented, live = {}, {}
    for _, field in ipairs(class.fields) do documented[field.name] = true end
    for _, fields in ipairs(of) do
      local address = table.remove(fields, 1)
      live.family = math.type(address.family) == "integer"
      local values = {address:unpack()}
      if fields.table then
        assert.same({fields.table}, values)
      else
        assert.equal(#fields, #values)
      end
      for i, name in ipairs(fields) do
        live[name] = true
        assert.equal(values[i], address[name])
      end
      for name in pairs(documented) do -- the others it has not
        local has = name == "family"
        for _, own in ipairs(fields) do has = has or own == name end
        for _, own in ipairs(fields.others or {}) do
          has = has or own == name
          live[own] = true
        end
        assert.equal(has, address[name] ~= nil, tostring(address) .. " " .. name)
      end
    end
    same(live, documented)
  end)

  it("has every constant that csrc/base/constants.h knows, in its group, and no other", function()
    local known, documented = constants(), {}
    for _, e in ipairs(entries) do
      if e.constants and e.constants[1] then
        local set = {}
        for _, name in ipairs(e.constants) do
          assert.is_nil(set[name], name)
          set[name] = true
        end
        documented[e.type:match "^bsdsocket%.([%w_]+)$"] = set
      end
    end
    same(known, documented)
    for group, set in pairs(known) do same(set, documented[group]) end
  end)

  it("has every constant of the module", function()
    local known = {}
    for _, set in pairs(constants()) do
      for name in pairs(set) do known[name] = true end
    end
    local count = 0
    for name, value in pairs(socket) do
      if math.type(value) == "integer" then
        assert(known[name], name)
        count = count + 1
      end
    end
    assert(count > 500, count)
  end)

  it("gives the module all groups of constants", function()
    local all
    for _, e in ipairs(entries) do
      if e.type == "bsdsocket.Constants" then all = e.parents end
    end
    local parents = {}
    for parent in all:gmatch "bsdsocket%.([%w_]+)" do parents[parent] = true end
    same(constants(), parents)
  end)

  it("has parameters, types and words that fit each function", function()
    for _, e in ipairs(select_entries "function") do
      local names = {}
      for _, p in ipairs(e.params) do
        names[#names + 1] = p.name
        assert(p.type ~= "", e.key)
      end
      assert.same(e.arguments, names, e.key)
      assert.equal(not modules[e.class], e.method, e.key)
      assert(e.text:find "^[%u%d`][^\n]+", e.key)
      assert(e.text:find "%.", e.key .. " has no sentence")
      for _, error in ipairs(e.errors) do assert(error.text:find "%.%)?$", e.key .. " " .. error.code) end
      local silent = e.name == "__gc" or e.name == "__close"
      assert.equal(not silent, e.returns[1] ~= nil, e.key .. ": @return")
      if e.errors[1] and not silent then -- nil, message, code has a place
        assert(#e.returns >= 3, e.key .. " can fail: it has three results")
        assert.equal("code", (e.returns[3].name == "cut" and "code" or e.returns[3].name), e.key)
      end
    end
  end)

  it("uses only types that it defines", function()
    local defined = {}
    for _, e in ipairs(entries) do
      if e.type then defined[e.type] = true end
    end
    for found in source:gmatch "[^%w_](bsdsocket%.[%u][%w_%.]*)" do
      local name = found:gsub("%.+$", "")
      assert(defined[name], name)
    end
  end)

  it("has examples that are Lua", function()
    local count = 0
    for _, e in ipairs(entries) do
      for example in ((e.text or "") .. "\n"):gmatch "```lua\n(.-)```" do
        assert(load(example, e.key or e.title))
        count = count + 1
      end
    end
    assert(count > 15, count)
  end)

  it("has every field of TCP_INFO, and no other", function()
    local live, documented = {}, {}
    local fields = helper.read "csrc/call/option.c":match "infofields%[%] = (%b{})"
    for name in fields:gmatch '{"([%w_]+)", %d}' do live[name] = true end
    for name in helper.read "csrc/call/option.c":match "static void pushinfo.-\n}":gmatch 'setinteger%(L, "([%w_]+)"' do
      live[name] = true
    end
    for _, e in ipairs(entries) do
      for _, field in ipairs(e.type == "bsdsocket.TcpInfo" and e.fields or {}) do
        documented[field.name] = true
        assert.equal("integer", field.type)
        assert(field.text ~= "", field.name)
      end
    end
    assert(live.rtt and live.snd_wscale)
    same(live, documented)
  end)

  it("has every option of csrc/call/options.h with its kind, and no other", function()
    local word = { -- kind in csrc -> the word of the reference
      SWITCH = "boolean", INTEGER = "integer", UNSIGNED = "integer", INTEGER64 = "integer", RATE = "integer",
      SECONDS = "whole seconds", MILLISECONDS = "seconds", MICROSECONDS = "seconds", TIME = "seconds",
      ADDRESS = "address", LINGER = "linger", NAME = "name", BYTES = "bytes", CREDENTIALS = "credentials",
      INFO = "info",
      INDEX = "interface", INDEX6 = "interface", NETINDEX4 = "interface", NETINDEX6 = "interface",
      INTERFACE4 = "interface", JOIN4 = "membership", LEAVE4 = "membership", JOINSOURCE4 = "membership",
      LEAVESOURCE4 = "membership", BLOCK4 = "membership", UNBLOCK4 = "membership", JOIN6 = "membership",
      LEAVE6 = "membership", ANYCAST = "membership", FRAMES = "frames", PROGRAM = "program",
      PROGRAMORFD = "program", DETACH = "nothing", COMMAND = "nothing", LIST = "list", BITLIST = "list",
      MEMINFO = "record", TXTIME = "record", WINDOW = "record", STATISTICS = "record", ROLLOVER = "record",
      GROUP = "record", INITMSG = "record", RTOINFO = "record", ASSOCINFO = "record", SACK = "record",
      ASSOCVALUE = "record", EVENT = "record", EVENTS = "record", DESCRIPTOR = "file",
    }
    local levels = {
      SO = "SOL_SOCKET", TCP = "IPPROTO_TCP", UDP = "IPPROTO_UDP", IP = "IPPROTO_IP", IPV6 = "IPPROTO_IPV6",
      ICMP = "SOL_RAW", UDPLITE = "SOL_UDPLITE", TIPC = "SOL_TIPC", SCTP = "SOL_SCTP",
      ICMP6 = "IPPROTO_ICMPV6", PACKET = "SOL_PACKET", NETLINK = "SOL_NETLINK",
    }
    local known, documented, explained = {}, {}, {}
    for name, level, kind in helper.read "csrc/call/options.h":gmatch '\n{"([%w_]+)", ([%w_]+), [%w_]+, ([%w_]+)},' do
      known[name] = ("%s: %s"):format(level, assert(word[kind], kind))
    end
    for _, e in ipairs(entries) do
      local level = levels[(e.type or ""):match "^bsdsocket%.Option%.(%w+)$"]
      for _, v in ipairs(level and e.values or {}) do
        local name = v.value:match '^"([%w_]+)"$'
        local kind, text = v.text:match "^(.-); (.+)$"
        assert(kind and text, v.value)
        local vsock = name:find "^SO_VM_SOCKETS_" -- whose level is the family's number
        documented[name] = ("%s: %s"):format(vsock and "AF_VSOCK" or level, kind)
      end
      if e.title == "Options" then
        for kind in e.text:gmatch "\n| ([%l ]+) |" do explained[kind] = true end
      end
    end
    assert(next(known))
    same(known, documented)
    for _, kind in pairs(word) do assert(explained[kind], kind) end
  end)
end)

describe("spec/failures.lua", function()
  it("has the codes of every call, and no other", function()
    local documented, rows = {}, {}
    for _, e in ipairs(select_entries "function") do
      if not e.name:find "^__" then
        local codes = {}
        for _, error in ipairs(e.errors) do codes[error.code] = true end
        if e.raises then codes.argument = true end
        documented[e.key] = sorted(codes)
      end
    end
    for name, codes in pairs(failures) do
      if name ~= "skip" then
        local set = {}
        for _, code in ipairs(codes) do
          assert.is_nil(set[code], name .. " has twice " .. code)
          set[code] = true
        end
        rows[name] = sorted(set)
      end
    end
    same(documented, rows, "spec/failures.lua")
    for name, codes in pairs(documented) do assert.same(codes, rows[name], name) end
  end)

  it("has codes that there are", function()
    for name, codes in pairs(failures) do
      for _, code in ipairs(codes) do
        assert(code == "argument" or code == "timeout" or socket[code], name .. " " .. code)
      end
    end
  end)

  it("skips only rows that it has, and says why", function()
    for row, reason in pairs(failures.skip) do
      local name, code = row:match "^(%S+) (%S+)$"
      local has = false
      for _, c in ipairs(failures[name] or {}) do has = has or c == code end
      assert(has, row)
      assert(#reason > 10, row)
    end
  end)
end)
