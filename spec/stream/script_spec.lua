-- One generated script of read formats, on a file and on a socket whose bytes come in pieces: both give the same.
local socket = require "bsdsocket"
local net = require "spec.support.net"
local makerandom = require "spec.support.random"

after_each(net.close)

--- Text of about so many bytes in which every format finds something, and nothing: lines short and long, numerals
--- right and wrong, zeros, and carriage returns (of which none stands before a newline: those are the socket's own).
local function maketext(random, size)
  local numerals = {
    "0", "12", "-7", "+3", "3.25", ".5", "5.", "1e10", "-1E-3", "0x1F", "0xA.8p1", "0X1P-2", "9223372036854775807",
    "9223372036854775808", "1e400", "0x", "1e+", "nan", "-", ".", "+-1", "0xg", "1e", "..", "0x.p1",
  }
  local parts, n = {}, 0
  while n < size do
    local kind = random(20)
    local part
    if kind <= 5 then
      part = numerals[random(#numerals)] .. (random(4) > 1 and " " or "")
    elseif kind == 6 then
      part = (random(2) == 1 and "" or "0x") .. ("123456789"):rep(30):sub(1, random(190, 210))
    elseif kind <= 9 then
      part = ("\n"):rep(random(1, 2))
    elseif kind == 10 then
      part = (" \t\n\v\f\r"):sub(random(6)):rep(random(4))
    elseif kind == 11 then
      part = "\0\r\0"
    elseif kind == 12 and random(10) == 1 then
      part = ("long "):rep(random(size // 5 + 1))
    else
      part = ("words and more words"):sub(random(20)) .. (random(3) == 1 and "\n" or "")
    end
    parts[#parts + 1] = part
    n = n + #part
  end
  return (table.concat(parts):gsub("\r+\n", "\n"))
end

local function makeformat(random)
  local kind = random(100)
  if kind <= 25 then return "l" end
  if kind <= 40 then return random(2) == 1 and "L" or "*L" end
  if kind <= 65 then return "n" end
  if kind <= 72 then return 0 end
  if kind <= 90 then return random(1, 30) end
  if kind <= 92 then return random(1, 5000) end
  if kind == 93 then return "*n" end
  return "*l"
end

--- What takes bytes beside read: each gives them, or nothing.
local others = {
  recv = function(s, n) return s:recv(n) end,
  recvfrom = function(s, n) return (s:recvfrom(n)) end,
  recvinto = function(s, n)
    local buf = socket.buffer(n)
    return buf:sub(1, s:recvinto(buf) or 0)
  end,
  recvmsg = function(s, n) return (s:recvmsg(n) or {}).data end,
  recvmmsg = function(s, n) return ((s:recvmmsg(1, n) or {})[1] or {}).data end,
  ["recv with MSG_WAITALL"] = function(s, n) return s:recv(n, "MSG_WAITALL") end,
  readuntil = function(s) return s:readuntil "words" end,
  chunks = function(s, n)
    local ok, data = pcall(s:chunks(n))
    return ok and data
  end,
}

--- What cannot succeed before the end has come.
local vain = {
  function(s) return s:read "a" end,
  function(s) return s:read("l", "a") end,
  function(s) return s:read("L", 0, "a") end,
  function(s) return s:read(1 << 40) end,
  function(s) return s:readuntil "more words and no words" end,
  function(s) return s:readuntil "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n" end,
}

local names = {}
for name in pairs(others) do names[#names + 1] = name end
table.sort(names)

local function describevalues(t)
  local list = {}
  for i = 1, t.n or #t do
    local value = t[i]
    list[i] = type(value) == "string" and #value > 80 and ("%q ... (%d)"):format(value:sub(1, 80), #value)
      or ("%q"):format(value)
  end
  return "(" .. table.concat(list, ", ") .. ")"
end

local function equal(t, u)
  if t.n ~= u.n then return false end
  for i = 1, t.n do
    if t[i] ~= u[i] or math.type(t[i]) ~= math.type(u[i]) then return false end
  end
  return true
end

describe("a script of 10,000 random formats", function()
  it("gives the same on a file and on a socket whose bytes come in pieces, with timeouts between", function()
    local random, seed = makerandom()
    local formats_done, rounds = 0, 0
    while formats_done < 10000 do
      rounds = rounds + 1
      local text = maketext(random, 1 << random(0, rounds % 10 == 0 and 18 or 14))
      local piece = math.max(1 << random(0, 14), #text // 2000) -- the longest
      local file <close> = assert(io.tmpfile())
      assert(file:write(text))
      file:seek "set"
      local c, d = net.pair()
      d:setmaxline(1 << 30)
      local fed = 0
      local function feed()
        local n = random(piece)
        assert(c:sendall(text:sub(fed + 1, fed + n)))
        fed = math.min(fed + n, #text)
        if fed == #text then c:close() end
      end
      if text == "" then c:close() end
      local ended = 0
      repeat
        local formats = {}
        for i = 1, random(3) == 1 and random(1, 5) or 1 do formats[i] = makeformat(random) end
        if random(400) == 1 then formats = {"a"} end
        formats_done = formats_done + #formats
        local before = file:seek()
        local expected = table.pack(file:read(table.unpack(formats)))
        local gotten
        d:settimeout(random(50) == 1 and 0.0001 or 0)
        while true do
          gotten = table.pack(d:read(table.unpack(formats)))
          local code = gotten[3]
          if gotten[1] ~= nil or gotten.n ~= 3 or code ~= "EAGAIN" and code ~= "timeout" then break end
          if d:pending() ~= fed - before then
            error(("%d bytes are kept of %d (seed %d)"):format(d:pending(), fed - before, seed))
          elseif fed == #text then
            error(("it waits for more at the end (seed %d)"):format(seed))
          end
          for _ = 1, random(3) - 1 do -- whatever else is tried in between, and fails
            local _, message, other = vain[random(#vain)](d)
            assert(other == "EAGAIN" or other == "timeout", message)
          end
          feed()
        end
        if not equal(expected, gotten) then
          error(("seed %d, round %d, byte %d: read%s gives\n%s, a file\n%s"):format(seed, rounds, before,
            describevalues(formats), describevalues(gotten), describevalues(expected)))
        end
        if random(10) == 1 then -- another vocabulary takes its share
          local at, n = file:seek(), random(1 << random(0, 12))
          local ahead = random(2) == 1 and d:recv(n, "MSG_PEEK") or ""
          assert(ahead == text:sub(at + 1, at + #ahead), seed)
          local name = names[random(#names)]
          local data = others[name](d, n) or ""
          if data ~= text:sub(at + 1, at + #data) then
            error(("seed %d, round %d, byte %d: %s gives %q"):format(seed, rounds, at, name, data))
          end
          file:seek("cur", #data)
        end
        if file:seek() == #text and file:read(0) == nil then ended = ended + 1 end
      until ended > 5
      net.close()
    end
  end)
end)
