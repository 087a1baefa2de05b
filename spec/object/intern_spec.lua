-- The set of addresses: whatever happens to it, equal ones are one object.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"

local function inet(n) return socket.address("AF_INET", ("10.0.%d.%d"):format(n // 65536, n % 256), n % 65536) end

local makers = {
  AF_INET = inet,
  AF_INET6 = function(n) return socket.address("AF_INET6", "::1", n % 65536, n // 65536) end,
  AF_UNIX = function(n) return socket.address("AF_UNIX", "/tmp/" .. n) end,
}

describe("equal addresses", function()
  for family, make in pairs(makers) do
    it("are one object, however many there are: " .. family, function()
      local known, place = {}, {}
      for n = 1, 10000 do
        known[n] = make(n)
        assert.is_nil(place[known[n]])
        place[known[n]] = n
      end
      for n = 1, 10000 do assert.are.equal(n, place[make(n)]) end
    end)
  end

  it("stay one object while the collector takes others", function()
    local kept = {}
    for n = 1, 20000 do
      local address = inet(n)
      if n % 7 == 0 then kept[n] = address end
    end
    collectgarbage()
    for n = 1, 20000 do
      local address = inet(n)
      assert.is_true(kept[n] == nil or rawequal(kept[n], address))
    end
    for n, address in pairs(kept) do assert.is_true(rawequal(address, inet(n))) end
  end)

  it("are made anew when nobody had the old one any more", function()
    local weak = setmetatable({ inet(5) }, { __mode = "v" })
    collectgarbage()
    assert.is_nil(weak[1])
    local address = inet(5)
    assert.is_true(rawequal(address, inet(5)))
  end)

  it("compare equal even where only a finalizer has brought one back", function()
    local back
    do
      local _ = setmetatable({ inet(6), inet(7) }, { __gc = function(t) back = t end })
    end
    collectgarbage()
    collectgarbage()
    assert.equal("10.0.0.6:6", tostring(back[1]))
    assert.is_true(back[1] == inet(6))
    assert.is_false(back[1] == inet(7))
    assert.is_false(back[1] == back[2])
    assert.is_true(back[2] ~= inet(6))
    assert.is_false(back[1] == io.stdout)
    local again = inet(6)
    assert.is_true(rawequal(again, inet(6)))
  end)

  it("are one object also where a finalizer makes one in the middle of a call", function()
    local output = helper.lua("-e", [[
      local socket = require "bsdsocket"
      local paths, path, made, met, two = {}, nil, nil, 0, 0
      for i = 1, 20000 do paths[i] = "/tmp/" .. i end
      local sentinel = { __gc = function() made = socket.address("AF_UNIX", path) end }
      collectgarbage("incremental", 100, 100, 5) -- in the smallest of steps
      for _ = 1, 10 do
        collectgarbage "stop" -- nothing is to end but in a call
        for _ = 1, 10000 do setmetatable({}, sentinel) end
        collectgarbage "restart"
        for i = 1, #paths do
          made, path = nil, paths[i]
          local address = socket.address("AF_UNIX", path) -- all that this allocates is the object
          if made then met = met + 1 end
          if made and made ~= address then two = two + 1 end
        end
        if met > 10 then break end
      end
      print(met > 10, two)
    ]])
    assert.are.equal("true\t0\n", output)
  end)

  it("give their room back after many", function()
    local output = helper.lua("-e", [[
      local socket = require "bsdsocket"
      local function address(n) return socket.address("AF_INET", "10.0.0." .. n // 65536, n % 65536) end
      local function count()
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      local before = count()
      local many = {}
      for n = 1, 100000 do many[n] = address(n) end
      print(many[100000] == address(100000), count() > before + 5000)
      many = nil
      for _ = 1, 40 do
        for n = 1, 10000 do address(n) end
        collectgarbage()
      end
      print(count() < before + 1000)
    ]])
    assert.are.equal("true\ttrue\ntrue\n", output)
  end)
end)
