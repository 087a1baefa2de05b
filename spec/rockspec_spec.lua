-- The rockspec: it names every source, and luarocks makes of it what works once installed.
local helper = require "spec.helper"

local rockspec = {}
assert(loadfile("bsdsocket-scm-1.rockspec", "t", rockspec))()

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  table.sort(list)
  return list
end

describe("the rockspec", function()
  it("lists every C file", function()
    assert.same(lines(helper.shell "find csrc -name '*.c'"), rockspec.build.modules["bsdsocket.core"].sources)
  end)

  it("lists every Lua file, each under the name that require knows", function()
    local modules = {}
    for _, file in ipairs(lines(helper.shell "find lua -name '*.lua'")) do
      modules[file:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")] = file
    end
    local listed = {}
    for name, file in pairs(rockspec.build.modules) do
      if type(file) == "string" then listed[name] = file end
    end
    assert.same(modules, listed)
  end)

  it("has `make test` for its test", function()
    assert.same({ type = "command", command = "make test" }, rockspec.test)
  end)

  describe("under luarocks #process #slow", function()
    local program, dir

    -- A copy, since luarocks leaves its objects among the sources; no server to ask; and not in PATH the
    -- Lua of `make asan`, beside which luarocks would look for the headers.
    local function luarocks(words)
      local path = os.getenv "PATH":gsub("^[^:]*/build[^/:]*/bin:", "")
      return helper.shell(("cd %s && PATH=%s %s --lua-version %s --only-server=http://127.0.0.1:9 %s")
        :format(dir, helper.quote(path), program, helper.version, words))
    end

    local function works(tree)
      local share, lib = tree .. "/share/lua/" .. helper.version, tree .. "/lib/lua/" .. helper.version
      local output, status = helper.installed(share, lib, "-e",
        "local socket = require 'bsdsocket' print(socket._VERSION) assert(socket.socket()):close()")
      assert.equal(0, status, output)
      assert.match("^bsdsocket %d+%.%d+%.%d+\n$", output)
    end

    local function prepare()
      local find = "command -v luarocks-" .. helper.version .. " || command -v luarocks"
      program = helper.shell(find):match "%S+"
      if not program then helper.skip "luarocks is not here" end
      dir = helper.tmpdir()
      local output, status = helper.shell("cp -R bsdsocket-scm-1.rockspec csrc lua " .. dir .. "/ && find "
        .. dir .. "/csrc -name '*.o' -delete")
      assert.equal(0, status, output)
    end

    it("is made and installed by `luarocks make`", function()
      prepare()
      local output, status = luarocks "make --tree tree CFLAGS=-fPIC"
      assert.equal(0, status, output)
      works(dir .. "/tree")
      -- luarocks compiles with flags of its own
      local file = ("%s/tree/lib/lua/%s/bsdsocket/core.so"):format(dir, helper.version)
      assert.same({ "luaopen_bsdsocket_core" }, helper.exported(file))
    end)

    it("is packed by `luarocks make --pack-binary-rock`, and installed from the pack", function()
      prepare()
      local output, status = luarocks "make --pack-binary-rock CFLAGS=-fPIC"
      assert.equal(0, status, output)
      output, status = luarocks "install --tree tree ./bsdsocket-scm-1.*.rock"
      assert.equal(0, status, output)
      works(dir .. "/tree")
    end)
  end)
end)
