--- bsdsocket: BSD sockets for Lua 5.4.
-- The C core, and the calls that are made of several system calls: connect, listen, listen_fds.
-- The reference of all names is types/bsdsocket.lua.

local socket = require "bsdsocket.core" -- its table, with 1,200 constants in it, becomes the module

-- What this file uses, whatever a program makes of the module; and what is no part of the module.
local core = setmetatable({}, {__index = socket})
for _, name in ipairs {"address", "fromfd", "getaddrinfo", "monotime", "select", "socket", "strerror"} do
  core[name] = socket[name]
end
for _, name in ipairs {
  "constant", "getpid", "hintfailure", "hinttarget", "index", "listenpath", "loop", "meant", "own",
} do
  core[name], socket[name] = socket[name], nil
end
package.loaded["bsdsocket.core"] = core -- for bsdsocket.loop

local ADDRESS = getmetatable(core.address("AF_UNSPEC"))
local STAGGER = 0.25 -- RFC 8305, "Connection Attempt Delay"

---------------------------------------------------------------------------------------------------
-- Arguments

local HERE = debug.getinfo(1, "S").source

--- A mistake of the caller. Its position is that of the nearest line outside of this file: there is none at the
--- prompt, where the call is a tail call and nothing stands before it.
local function argcheck(ok, n, call, message)
  if ok then return end
  local level, position = 1, ""
  local frame
  repeat
    level = level + 1
    frame = debug.getinfo(level, "Sl")
  until not frame or frame.currentline > 0 and frame.source ~= HERE
  if frame then position = ("%s:%d: "):format(frame.short_src, frame.currentline) end
  error(("%sbad argument #%d to '%s' (%s)"):format(position, n, call, message), 0)
end

--- The type of a value as Lua's own messages name it.
local function typename(value)
  local meta = debug.getmetatable(value)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

local function isaddress(value)
  return type(value) == "userdata" and getmetatable(value) == ADDRESS
end

--- Checks a field of an options table, with the wording of csrc/base/args.c.
local function fieldcheck(ok, n, call, name, message)
  argcheck(ok, n, call, not ok and ("field '%s': %s"):format(name, message))
end

local function set(...)
  local t = {}
  for _, name in ipairs {...} do t[name] = true end
  return t
end

local constants = set("number", "string")
local switches = set("boolean", "number")

--- "number or string"
local function alternatives(types)
  if types == constants then return "integer or name of a constant" end
  if types == switches then return "boolean" end
  local names = {}
  for name in pairs(types) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " or ")
end

--- Checks an options table against `known`: name -> set of types.
local function checkoptions(opts, n, call, known)
  argcheck(opts == nil or type(opts) == "table", n, call, "table expected, got " .. typename(opts))
  for name, value in pairs(opts or {}) do
    argcheck(type(name) == "string", n, call, "its fields have names, and no " .. type(name))
    local types = known[name]
    argcheck(types, n, call, not types and core.meant(("unknown field '%s'"):format(name), name, known))
    local fits = types[isaddress(value) and "address" or type(value)]
    if types == switches and type(value) == "number" then fits = value == 0 or value == 1 end
    fieldcheck(fits, n, call, name, ("%s expected, got %s"):format(alternatives(types), typename(value)))
  end
  return opts or {}
end

local connect_options = {
  family = constants, timeout = set("number"), bind = set("string", "address"),
  nodelay = switches, keepalive = switches, type = constants, options = set("table"), flags = constants,
}

local listen_options = {
  family = constants, backlog = set("number"), reuseport = switches, v6only = switches, mode = set("number", "string"),
  options = set("table"), flags = constants,
}

--- The arguments (host, port, opts) or (address, opts): target, service or nil, opts, and how the
--- messages name it.
local function target(call, known, host, port, opts)
  if isaddress(host) then
    argcheck(opts == nil, 3, call, "an address has its port already")
    return host, nil, checkoptions(port, 2, call, known), tostring(host)
  end
  local anyhost = host == nil and call == "listen"
  argcheck(anyhost or type(host) == "string", 1, call, "host name or address expected, got " .. typename(host)
    .. core.hinttarget(host, port))
  argcheck(anyhost or not host:find("\0", 1, true), 1, call, "string contains zeros")
  argcheck(type(port) == "number" or type(port) == "string", 2, call,
    "port number or service name expected, got " .. (port == nil and "no value" or typename(port))
      .. core.hinttarget(host, port))
  if type(port) == "number" or port:find "^%d+$" then
    port = math.tointeger(tonumber(port))
    argcheck(port and port >= 0 and port <= 65535, 2, call,
      "port out of range: integer from 0 to 65535 expected")
  else
    argcheck(not port:find("\0", 1, true), 2, call, "string contains zeros")
  end
  local name = host or "*"
  name = name:match "^%[(.*:.*)%]$" or name
  if name:find(":", 1, true) then name = "[" .. name .. "]" end
  return host, port, checkoptions(opts, 3, call, known), ("%s:%s"):format(name, port)
end

--- The family that the options ask for as an integer; nil if they do not. `address`: what they are about, if it
--- is one.
local function checkfamily(family, n, call, address)
  if family == nil then return nil end
  local number, wrong = core.constant(family, "AF_", "PF_")
  fieldcheck(number, n, call, "family", wrong)
  fieldcheck(number >= 0 and number <= 65535, n, call, "family", "out of range: integer from 0 to 65535 expected")
  fieldcheck(not address or number == address.family, n, call, "family", "not that of the address")
  return number
end

--- The resolver's flags of the options, with those that the call itself gives.
local function checkflags(flags, n, call, own)
  if flags == nil then return own end
  local number, wrong = core.constant(flags, "AI_")
  fieldcheck(number, n, call, "flags", wrong)
  return number | own
end

--- The socket options as an array of {name, value}, in the order of their names. Mistakes raise here, before anything
--- is looked up or sent: a closed socket looks at its arguments as any other does.
local function checksocketoptions(options, n, call)
  local list = {}
  for name, value in pairs(options or {}) do
    fieldcheck(type(name) == "string", n, call, "options", "its fields have names, and no " .. type(name))
    list[#list + 1] = {name = name, value = value}
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  local s = list[1] and core.socket()
  if not s then return list end
  s:close()
  for _, option in ipairs(list) do
    local ok, message = pcall(s.setsockopt, s, option.name, option.value)
    local wrong = not ok and type(message) == "string" and message:match "^bad argument #%d to '[^']*' %((.*)%)$"
    fieldcheck(not wrong, n, call, "options", ("field '%s': %s"):format(option.name, wrong))
    if not ok then error(message, 0) end
  end
  return list
end

--- Sets them: true, or nil, which one failed, code.
local function setall(s, list)
  for _, option in ipairs(list) do
    local ok, _, code = s:setsockopt(option.name, option.value)
    if not ok then return nil, option.name, code end
  end
  return true
end

--- The text of a code; one that has no name is a number in digits.
local function text(code)
  return core.strerror(tonumber(code) or code)
end

--- A failure, with a message that names the call and the address itself; `option`: which one could not be set.
local function failure(call, subject, code, option)
  if option then return nil, ("%s %s: setsockopt %s: %s"):format(call, subject, option, text(code)), code end
  local hint = isaddress(subject) and core.hintfailure(call, subject, code) or ""
  return nil, ("%s %s%s: %s"):format(call, subject, hint, text(code)), code
end

--- Addresses to try for a host and a port.
local function resolve(call, host, port, family, kind, flags, timeout)
  if host == "*" or host == "" then host = nil end -- to connect to any is to connect to this machine
  local list, message, code = core.getaddrinfo(host, port,
    {family = family, type = kind, flags = flags, timeout = timeout})
  if not list then return nil, message:gsub("^getaddrinfo", call), code end
  local addresses = {}
  for i, entry in ipairs(list) do addresses[i] = entry.address end
  return addresses
end

---------------------------------------------------------------------------------------------------
-- connect

--- The families in turn, beginning with the one that the system prefers, each in its order.
local function interleave(addresses)
  local first, rest, result = {}, {}, {}
  for _, address in ipairs(addresses) do
    table.insert(address.family == addresses[1].family and first or rest, address)
  end
  for i = 1, math.max(#first, #rest) do
    result[#result + 1] = first[i]
    result[#result + 1] = rest[i]
  end
  return result
end

--- Binds where the connection is to come from. Without a port it is left to connect to find one: many connections to
--- different peers can share its number then.
local function bindfirst(s, bind, left)
  local port = isaddress(bind) and bind.port or 0
  if port == 0 and core.IP_BIND_ADDRESS_NO_PORT then s:setsockopt("IP_BIND_ADDRESS_NO_PORT", true) end
  if isaddress(bind) then return s:bind(bind) end
  return s:settimeout(left):bind(bind, 0)
end

--- A fresh socket for an attempt, with the options that are to hold from its first packet. `left`: the seconds that
--- there are for looking up the name of a host to bind to. Else nil, the option that failed if it was one, code.
local function fresh(address, opts, left)
  local s, _, code = core.socket(address.family, opts.type)
  if not s then return nil, nil, code end
  local ok, option
  ok, option, code = setall(s, opts.options)
  if ok and opts.bind then ok, _, code = bindfirst(s, opts.bind, left) end
  if ok then return s end
  s:close()
  return nil, option, code
end

--- Is it connected to itself? A TCP socket that the system gives the very port that it tries to reach, where nobody
--- listens, meets its own attempt.
local function isitself(s, address)
  local own = address.port and s:getsockname()
  return own and own.port == address.port and own == s:getpeername()
end

--- Attempts that are under way: an array of sockets, `address[s]` what each goes to. Those that are left
--- when the variable that holds it ends are closed: losers, and all of them after an error or Ctrl-C.
local attempts_meta = {
  __close = function(self)
    for _, s in ipairs(self) do s:close() end
  end,
}

local function remove(list, value)
  for i, v in ipairs(list) do
    if v == value then return table.remove(list, i) end
  end
end

--- Happy Eyeballs: one address after the other, each a stagger after the one before or as soon as that has
--- failed; the first connection wins. Gives the socket, or nil and the failures {address, code}.
local function race(addresses, opts, deadline)
  local attempts <close> = setmetatable({address = {}}, attempts_meta)
  local failures, started, stagger = {}, 0, 0

  local function left() -- no more time than there is, but 0 would be another's wish: not to wait at all
    return deadline and math.max(deadline - core.monotime(), opts.timeout > 0 and 1e-9 or 0)
  end

  local function failed(address, code, option)
    failures[#failures + 1] = {address = address, code = code, option = option}
    stagger = 0 -- no reason to wait with the next one
  end

  local function outcome(s, ok, code)
    if ok and isitself(s, attempts.address[s]) then
      ok, code = nil, "ECONNREFUSED"
      s:setsockopt("SO_LINGER", 0) -- or the port would stay taken for a minute
    end
    if ok then return remove(attempts, s) end
    if code ~= "EINPROGRESS" and code ~= "EAGAIN" then
      failed(attempts.address[s], code)
      remove(attempts, s):close()
    end
  end

  while true do
    local now = core.monotime()
    if #attempts == 0 and started == #addresses then
      return nil, failures, failures[#failures].code
    elseif deadline and now >= deadline and started > 0 then -- one try is made even under timeout 0
      for _, s in ipairs(attempts) do failed(attempts.address[s], "timeout") end
      if #attempts == 0 then failed(addresses[started + 1], "timeout") end -- its turn has not come
      return nil, failures, "timeout"
    end
    if started < #addresses and (#attempts == 0 or now >= stagger) then
      started, stagger = started + 1, now + STAGGER
      local address = addresses[started]
      local s, option, code = fresh(address, opts, left())
      if s then
        attempts[#attempts + 1], attempts.address[s] = s, address
        -- the last one, alone, needs no one to watch it
        local alone = #attempts == 1 and started == #addresses
        s:settimeout(alone and left() or not alone and 0 or nil)
        local ok, _, why = s:connect(address)
        if outcome(s, ok, why) then return s end
      else
        failed(address, code, option)
      end
    else
      local wait = started < #addresses and stagger - now or nil
      if deadline then wait = math.min(wait or math.huge, deadline - now) end
      local readable, writable, code = core.select(nil, attempts, wait)
      if not readable then return nil, failures, code end
      for _, s in ipairs(writable) do
        local ok, _, why = s:connect(attempts.address[s])
        if outcome(s, ok, why) then return s end
      end
    end
  end
end

--- socket.connect(host, port [, opts]), socket.connect(address [, opts])
function socket.connect(host, port, opts)
  local subject
  host, port, opts, subject = target("connect", connect_options, host, port, opts)
  local n = port and 3 or 2
  local timeout, bind, family = opts.timeout, opts.bind, checkfamily(opts.family, n, "connect", not port and host)
  local flags, kind = checkflags(opts.flags, n, "connect", 0), core.SOCK_STREAM
  if opts.type ~= nil then
    local wrong
    kind, wrong = core.constant(opts.type, "SOCK_")
    fieldcheck(kind, n, "connect", "type", wrong)
  end
  fieldcheck(not timeout or timeout >= 0, n, "connect", "timeout", "must not be negative or NaN")
  if isaddress(bind) then -- only its own family is reached from there
    family = family or bind.family
    fieldcheck(bind.family == (port and family or host.family), n, "connect", "bind", "an address of another family")
  end
  fieldcheck(type(bind) ~= "string" or not bind:find("\0", 1, true), n, "connect", "bind", "string contains zeros")
  fieldcheck(type(bind) ~= "string" or core.hinttarget(bind, nil) == "", n, "connect", "bind",
    "a host alone, or an address object with its port expected")
  local attempt = {timeout = timeout, bind = bind, type = kind}
  attempt.options = checksocketoptions(opts.options, n, "connect")
  for name, option in pairs {nodelay = "TCP_NODELAY", keepalive = "SO_KEEPALIVE"} do
    if opts[name] ~= nil then table.insert(attempt.options, 1, {name = option, value = opts[name]}) end
  end
  if timeout == math.huge then timeout = nil end
  local deadline = timeout and core.monotime() + timeout
  local addresses = {host}
  if port then
    local message, code
    addresses, message, code = resolve("connect", host, port, family, kind, flags, timeout)
    if not addresses then return nil, message, code end
  end
  local s, failures, code = race(interleave(addresses), attempt, deadline)
  if s then return s:settimeout(nil) end
  if #failures == 1 and tostring(failures[1].address) == subject then
    return failure("connect", failures[1].address, code, failures[1].option)
  end
  local texts = {}
  for i, f in ipairs(failures) do
    local why = f.option and ": setsockopt " .. f.option or core.hintfailure("connect", f.address, f.code)
    texts[i] = ("%s%s: %s"):format(f.address, why, text(f.code))
  end
  if #texts == 0 then return failure("connect", subject, code) end
  return nil, ("connect %s: %s"):format(subject, table.concat(texts, "; ")), code
end

---------------------------------------------------------------------------------------------------
-- listen

local function checkmode(mode, n)
  if mode == nil then return -1 end
  local number
  if type(mode) == "string" then
    number = mode:find "^0*[0-7]?[0-7]?[0-7]?[0-7]$" and tonumber(mode, 8)
  else
    number = math.tointeger(mode)
  end
  fieldcheck(number and number >= 0 and number <= 4095, n, "listen", "mode",
    "out of range: integer from 0 to 4095 or octal digits expected")
  return number
end

local function ison(switch) return switch ~= nil and switch ~= false and switch ~= 0 end

--- The path of a unix address in the file system; the abstract and the unnamed ones have none.
local function pathof(address)
  local path = address.family == core.AF_UNIX and address.path
  return path and path ~= "" and path:byte() ~= 0 and path
end

--- A listening socket on one address. `list`: the socket options.
local function listenon(address, opts, list, backlog, mode)
  local s, _, code = core.socket(address.family, core.SOCK_STREAM)
  if not s then return failure("listen", address, code) end
  local inet = address.family ~= core.AF_UNIX
  local own = {}
  if inet then own[1] = {name = "SO_REUSEADDR", value = true} end
  if inet and ison(opts.reuseport) then own[2] = {name = "SO_REUSEPORT", value = true} end
  if address.family == core.AF_INET6 and opts.v6only ~= nil then
    own[#own + 1] = {name = "IPV6_V6ONLY", value = ison(opts.v6only)}
  end
  local ok, option
  ok, option, code = setall(s, own)
  if ok then ok, option, code = setall(s, list) end
  if ok and pathof(address) then
    ok, _, code = core.listenpath(s, address, backlog, mode)
  elseif ok then
    ok, _, code = s:bind(address)
    if ok then ok, _, code = s:listen(backlog) end
  end
  if ok then return s end
  s:close()
  return failure("listen", address, code, option)
end

--- What says that a family is not to be had here, though the system knows it.
local unavailable = set("EAFNOSUPPORT", "EADDRNOTAVAIL", "EPROTONOSUPPORT")

--- socket.listen(host, port [, opts]), socket.listen(address [, opts])
function socket.listen(host, port, opts)
  host, port, opts = target("listen", listen_options, host, port, opts)
  local n = port and 3 or 2
  local family, mode = checkfamily(opts.family, n, "listen", not port and host), checkmode(opts.mode, n)
  local backlog = math.tointeger(opts.backlog or core.SOMAXCONN)
  fieldcheck(backlog and backlog <= 2147483647, n, "listen", "backlog",
    "out of range: integer up to 2147483647 expected")
  if backlog < 0 then backlog = core.SOMAXCONN end
  fieldcheck(mode == -1 or not port and pathof(host), n, "listen", "mode", "is for paths of AF_UNIX")
  local flags = checkflags(opts.flags, n, "listen", core.AI_PASSIVE)
  local list = checksocketoptions(opts.options, n, "listen")
  if not port then return listenon(host, opts, list, backlog, mode) end
  local addresses, message, code
  if host == nil or host == "*" or host == "" then
    -- every interface: one IPv6 socket takes both families, where there is IPv6
    local v6 = {v6only = opts.v6only or false, reuseport = opts.reuseport}
    if family == nil then
      local s
      addresses, message, code = resolve("listen", "::", port, core.AF_INET6, core.SOCK_STREAM, flags)
      if addresses then
        s, message, code = listenon(addresses[1], v6, list, backlog, mode)
      end
      if s then return s end
      if ison(opts.v6only) or not (unavailable[code] or code == "EAI_ADDRFAMILY" or code == "EAI_FAMILY") then
        return nil, message, code
      end
    end
    host = nil
    addresses, message, code = resolve("listen", host, port, family or core.AF_INET, core.SOCK_STREAM, flags)
  else
    addresses, message, code = resolve("listen", host, port, family, core.SOCK_STREAM, flags)
  end
  if not addresses then return nil, message, code end
  local s
  for _, address in ipairs(addresses) do -- of a name: the first that is one of ours
    s, message, code = listenon(address, opts, list, backlog, mode)
    if s then return s end
    if not unavailable[code] then break end
  end
  return nil, message, code
end

---------------------------------------------------------------------------------------------------
-- listen_fds

local FIRST = 3 -- of the descriptors that an activator passes on, those after stdin, stdout and stderr

--- What an activator has set: nil where it has not, false where that is no count.
local function count(name)
  local value = os.getenv(name)
  return value and (value:find "^%d+$" and math.tointeger(tonumber(value)) or false)
end

--- The parts of a:b:c.
local function parts(value)
  local list = {}
  for part in (value .. ":"):gmatch "([^:]*):" do list[#list + 1] = part end
  return list
end

local function invalid(name)
  return failure("listen_fds", ("%s=%s"):format(name, os.getenv(name)), "EINVAL")
end

--- The descriptors as sockets, which own them only if all can be had, by number and by name; else nil and the failure.
--- Only the first who asks finds them inheritable; to others there are none.
local function adopt(n, names)
  local sockets, kept = {}, false
  local _ <close> = setmetatable({}, {__close = function() -- memory may have run out: this needs none
    for i = 1, kept and 0 or #sockets do
      if sockets[i] then sockets[i]:setfd(-1) end
    end
  end})
  for i = 1, n do
    sockets[i] = false -- the room for it: a socket without would be left to the collector, which closes it
    local fd = FIRST + i - 1
    local s, _, code = core.fromfd(fd)
    if not s then return failure("listen_fds", "descriptor " .. fd, code) end
    sockets[i] = s
    if not s:getinheritable() then return {} end
  end
  for i, name in ipairs(names) do
    sockets[name] = sockets[name] or sockets[i]
  end
  for _, each in ipairs(sockets) do each:setinheritable(false) end
  kept = true
  return sockets
end

local taken = false -- they may be closed by now, and their numbers another's

--- socket.listen_fds()
function socket.listen_fds()
  local pid, n, names = count "LISTEN_PID", count "LISTEN_FDS", os.getenv "LISTEN_FDNAMES"
  if pid == false then return invalid "LISTEN_PID" end
  if taken or pid ~= core.getpid() or n == nil then return {} end
  if not n or n > 2147483647 - FIRST then return invalid "LISTEN_FDS" end
  if names then
    names = parts(names)
    if #names ~= n then return invalid "LISTEN_FDNAMES" end
  end
  local sockets, message, code = adopt(n, names or {})
  if not sockets then return nil, message, code end
  taken = true
  return sockets
end

-- A task that waits in one of these is told to wait in that, where the program called it.
core.own(HERE, {[socket.connect] = "connect", [socket.listen] = "listen"})

return setmetatable(socket, {__index = core.index})
