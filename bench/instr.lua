-- The work that bench/instr.sh counts: `instr.lua NAME N` does row NAME n times. A new row is a function
-- here and a line in bench/instr_goals.txt. "bytes of an idle socket" prints its figure itself.
local socket = require "bsdsocket"

local x = ("x"):rep(16)

--- Runs a Lua program that is not counted; its arguments are numbers.
local function other(program, ...)
  local words = {os.getenv "LUA" or "lua5.4", "-e", "'local socket = require \"bsdsocket\" " .. program .. "'", "-"}
  for i = 1, select("#", ...) do words[#words + 1] = select(i, ...) end
  return io.popen(table.concat(words, " ") .. " </dev/null", "w")
end
local rows = {}

rows["send + recv"] = function(n)
  local a, b = socket.socketpair()
  for _ = 1, n do a:send(x) b:recv(16) end
end

rows["send + recv, timeout 5 s"] = function(n)
  local a, b = socket.socketpair()
  a:settimeout(5)
  b:settimeout(5)
  for _ = 1, n do a:send(x) b:recv(16) end
end

local function udp()
  local s = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
  assert(s:bind("127.0.0.1", 0))
  return s, s:getsockname()
end

-- What the receiver has no room for is dropped.
-- With an address object.
rows["sendto, UDP"] = function(n)
  local s, _, to = udp(), udp()
  for _ = 1, n do s:sendto(x, to) end
end

rows["sendto + recvfrom, UDP"] = function(n)
  local s = udp()
  local r, to = udp()
  for _ = 1, n do s:sendto(x, to) r:recvfrom(16) end
end

rows["getsockopt by name"] = function(n)
  local s = socket.socket()
  for _ = 1, n do s:getsockopt "SO_REUSEADDR" end
end

rows["getsockopt by number"] = function(n)
  local s, level, name = socket.socket(), socket.SOL_SOCKET, socket.SO_REUSEADDR
  for _ = 1, n do s:getsockopt(level, name) end
end

rows["setsockopt by name"] = function(n)
  local s = socket.socket()
  for _ = 1, n do s:setsockopt("TCP_NODELAY", true) end
end

-- What a second process sends in lines of 64 bytes.
rows["a line of s:lines()"] = function(n)
  local server = assert(socket.listen("127.0.0.1", 0))
  local _ <close> = other([[local s = socket.connect("127.0.0.1", arg[1]) local n = tonumber(arg[2])
    s:setvbuf "full" for _ = 1, n do s:write(("x"):rep(63), "\n") end s:close()]],
    server:getsockname().port, n)
  local s, count = server:accept(), 0
  for _ in s:lines() do count = count + 1 end
  assert(count == n)
end

-- A second process connects.
rows["accept + close, TCP"] = function(n)
  local server = assert(socket.listen("127.0.0.1", 0))
  local _ <close> = other([[local address = socket.address("AF_INET", "127.0.0.1", arg[1])
    for _ = 1, tonumber(arg[2]) do socket.connect(address):close() end]], server:getsockname().port, n)
  for _ = 1, n do
    local s, address = server:accept()
    s:close()
    assert(address)
  end
end

-- Next to nothing but the call.
rows["s:close() again"] = function(n)
  local s = socket.socket()
  s:close()
  for _ = 1, n do s:close() end
end

rows["connect + accept + close, unix"] = function(n)
  local path = os.tmpname()
  os.remove(path)
  local server = assert(socket.socket("AF_UNIX"))
  local address = socket.address("AF_UNIX", path)
  assert(server:bind(address))
  assert(server:listen())
  for _ = 1, n do
    local client = socket.socket("AF_UNIX")
    client:connect(address)
    server:accept():close()
    client:close()
  end
  os.remove(path)
end

rows["socket + close"] = function(n)
  for _ = 1, n do socket.socket():close() end
end

rows["bytes of an idle socket"] = function(n)
  local all = {} -- luacheck: ignore 241 (they are to stay alive, no more)
  for i = 1, n do all[i] = false end
  collectgarbage()
  collectgarbage()
  local before = collectgarbage "count"
  for i = 1, n do all[i] = assert(socket.socket()) end
  collectgarbage()
  collectgarbage()
  print(math.ceil((collectgarbage "count" - before) * 1024 / n))
end

local name, n = ...
local row = rows[name] or error("bench/instr.lua has no row '" .. tostring(name) .. "'")
row(math.tointeger(tonumber(n)))
