-- The Makefile as a user meets it. Nothing is built in the checkout itself: each spec has a copy.
local helper = require "spec.helper"
local quote = helper.quote

-- A run of the specs is often a child of make: what that make was told is not for this one.
local MAKE = [[env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u PREFIX -u DESTDIR -u CFLAGS -u LDFLAGS -u CPPFLAGS \
  -u LUADIR -u SODIR -u LUA_INCDIR -u LUA_V -u CI -u WERROR -u SPEC -u ARGS -u BSDSOCKET_BUILD \
  $(command -v gmake || command -v make) ]]

local function make(dir, words)
  return helper.shell("cd " .. quote(dir) .. " && " .. MAKE .. words)
end

local function makefile() return helper.read "Makefile" end

local function targets()
  local list, text = {}, makefile():gsub("\\\n", " ")
  for name in text:match "\n%.PHONY:([^\n]*)":gmatch "%S+" do
    if name ~= "FORCE" then list[#list + 1] = name end
  end
  return list
end

local function copy()
  local dir = helper.tmpdir()
  local output, status = helper.shell("cp -R Makefile csrc lua tools types examples spec bench " .. dir)
  assert.equal(0, status, output)
  return dir
end

describe("the Makefile #process #slow", function()
  it("tells of every target in make help", function()
    local help, status = make(".", "help")
    assert.equal(0, status)
    assert.is_true(#targets() > 15)
    for _, name in ipairs(targets()) do
      assert.match("\n  make " .. name:gsub("%-", "%%-") .. " +%S", "\n" .. help)
    end
  end)

  it("can say what it would do for every target, and then does nothing", function()
    local dir = copy()
    for _, name in ipairs(targets()) do
      local output, status = make(dir, "-n " .. name)
      assert.equal(0, status, name .. ": " .. output)
    end
    assert.equal("", (helper.shell("cd " .. dir .. " && ls -d build* 2>/dev/null")))
  end)

  it("asks the machine nothing while it is read", function()
    assert.is_nil(makefile():match "%$%(shell[^)]")
  end)

  it("has no variable of its own where the benchmark is told something by the environment", function()
    local count = 0
    for name in helper.read "bench/run.lua":match "^.-\n\n":gmatch "([%u]+)=" do
      assert.is_nil(("\n" .. makefile()):find("\n" .. name .. " *[:?]?="), name)
      count = count + 1
    end
    assert.is_true(count >= 5)
  end)

  it("builds again what changed, and only that", function()
    local dir = copy()
    assert(os.execute("cd " .. dir .. " && rm -rf csrc && mkdir -p csrc"))
    local function write(name, text)
      helper.save(dir .. "/csrc/" .. name, text)
    end
    write("a.h", "extern int a;\n")
    write("a.c", '#include "a.h"\nint a;\n')
    write("b.c", "extern int b;\nint b;\n")
    local function compiled(words)
      local output, status = make(dir, words)
      assert.equal(0, status, output)
      local list = {}
      for name in output:gmatch "csrc/(%w+%.c)\n" do list[#list + 1] = name end
      return table.concat(list, " ")
    end
    assert.equal("a.c b.c", compiled "all")
    assert.equal("", compiled "all")
    assert(os.execute("touch " .. dir .. "/csrc/a.h"))
    assert.equal("a.c", compiled "all")
    assert.equal("a.c b.c", compiled "CFLAGS=-O0 all BUILD=build-other")
    assert.equal("", compiled "CFLAGS=-O0 all BUILD=build-other")
    assert.equal("a.c b.c", compiled "CFLAGS=-O1 all BUILD=build-other")
    -- the flags are shown when they change, and when they are asked for
    local function shown(words) return (make(dir, words):find("flags in build-new: ", 1, true)) ~= nil end
    assert.is_false(shown "BUILD=build-new build-new/flags")
    assert.is_false(shown "BUILD=build-new build-new/flags")
    assert.is_true(shown "BUILD=build-new V=1 build-new/flags")
    assert.is_true(shown "BUILD=build-new CFLAGS=-O1 build-new/flags")
    -- what luarocks leaves goes, too
    assert(os.execute("cd " .. dir .. " && mkdir bsdsocket && touch bsdsocket/core.so csrc/a.o"))
    assert.equal(0, (select(2, make(dir, "clean"))))
    assert.equal("", (helper.shell("cd " .. dir .. " && ls -d bsdsocket csrc/*.o 2>/dev/null")))
    assert.equal("", (helper.shell("cd " .. dir .. " && ls -d build* 2>/dev/null")))
  end)

  -- a copy with one source of its own
  local function tiny(text)
    local dir = copy()
    assert(os.execute("cd " .. dir .. " && rm -rf csrc && mkdir csrc"))
    helper.save(dir .. "/csrc/a.c", text)
    return dir
  end

  it("makes errors of warnings for WERROR=1 alone: what others' compilers say stops nobody", function()
    local dir = tiny "int f (unsigned n);\nint f (unsigned n) { return n; }\n"
    local output, status = make(dir, "CI=true WERROR=0 BUILD=build-ci")
    assert.equal(0, status, output)
    assert.match("warning:", output)
    output, status = make(dir, "WERROR=1 BUILD=build-error")
    assert.not_equal(0, status)
    assert.match("error:", output)
  end)

  it("hands CPPFLAGS to the compiler, and builds again when they change", function()
    local dir = tiny "#ifndef FORTY_TWO\n#error FORTY_TWO is not there\n#endif\nextern int a;\nint a = FORTY_TWO;\n"
    assert.not_equal(0, (select(2, make(dir, "all"))))
    for _, value in ipairs { 42, 43 } do
      local output, status = make(dir, "CPPFLAGS=-DFORTY_TWO=" .. value)
      assert.equal(0, status, output)
      assert.match("csrc/a%.c\n", output)
    end
  end)

  it("builds again for other headers of Lua", function()
    local dir, other = tiny "#include <lua.h>\nextern int a;\nint a = LUA_VERSION_NUM;\n", helper.tmpdir()
    local include = helper.shell "sh tools/find.sh include":match "[^\n]+"
    assert(os.execute(("cp %s/lua*.h %s/lauxlib.h %s"):format(quote(include), quote(include), other)))
    local function built(words) return (make(dir, words):find("csrc/a.c\n", 1, true)) ~= nil end
    assert.is_true(built "all")
    assert.is_false(built "all")
    assert.is_true(built("LUA_INCDIR=" .. other))
    assert.is_false(built("LUA_INCDIR=" .. other))
  end)

  it("installs where LUADIR and SODIR say, below DESTDIR, and uninstalls there", function()
    local dir, dest = tiny "extern int a;\nint a;\n", helper.tmpdir()
    local where = " DESTDIR=" .. dest .. " LUADIR=/a/lua SODIR=/b/so"
    local output, status = make(dir, "install" .. where)
    assert.equal(0, status, output)
    assert.equal("b/so/bsdsocket/core.so\n", (helper.shell("cd " .. dest .. " && find b -type f")))
    assert.match("a/lua/bsdsocket/init%.lua\n", (helper.shell("cd " .. dest .. " && find a -type f")))
    output, status = make(dir, "uninstall" .. where)
    assert.equal(0, status, output)
    assert.equal("", (helper.shell("find " .. dest .. " -type f")))
  end)

  it("finds and installs for the version that LUA_V names", function()
    local dir = helper.tmpdir()
    for version, defines in pairs {
      ["5.4"] = "#define LUA_VERSION_NUM\t\t504\n",
      ["5.5"] = "#define LUA_VERSION_MAJOR_N\t5\n#define LUA_VERSION_MINOR_N\t5\n"
        .. "#define LUA_VERSION_NUM  (LUA_VERSION_MAJOR_N * 100 + LUA_VERSION_MINOR_N)\n",
    } do
      assert(os.execute(("mkdir -p %s/%s"):format(dir, version)))
      helper.save(("%s/%s/lua.h"):format(dir, version), defines)
      helper.save(("%s/%s/lua"):format(dir, version), "#!/bin/sh\nprintf 'Lua " .. version .. "'\n")
      assert(os.execute(("chmod +x %s/%s/lua"):format(dir, version)))
    end
    for _, asked in ipairs { "5.4", "5.5" } do
      for _, there in ipairs { "5.4", "5.5" } do
        local at = dir .. "/" .. there
        for what, given in pairs { lua = "LUA=" .. at .. "/lua", include = "LUA_INCDIR=" .. at } do
          local output, status = helper.shell(("LUA_V=%s %s sh tools/find.sh %s"):format(asked, given, what))
          assert.equal(asked == there and 0 or 1, status, output)
          if asked == there then
            assert.equal(given:match "=(.*)" .. "\n", output)
          else
            assert.match("Lua " .. asked:gsub("%.", "%%."), output)
          end
        end
      end
    end
    local output = make(".", "-n install LUA_V=5.5 DESTDIR=/x")
    assert.match('/x/usr/local/lib/lua/5%.5"?/bsdsocket/core%.so', output)
    assert.match("/x/usr/local/share/lua/5%.5/", output)
    assert.is_nil(output:find("lua/5.4", 1, true))
  end)

  it("installs under DESTDIR and PREFIX what works there, and uninstalls all of it", function()
    local dir, dest = copy(), helper.tmpdir()
    local where = (" DESTDIR=%s PREFIX=/opt/lua CFLAGS=-O0 LUA_V=%s"):format(dest, helper.version)
    local output, status = make(dir, "install" .. where)
    assert.equal(0, status, output)
    local version = helper.version
    local share, lib = dest .. "/opt/lua/share/lua/" .. version, dest .. "/opt/lua/lib/lua/" .. version

    local expected = helper.shell("cd lua && find . -name '*.lua' | sed 's,^\\.,share/lua/" .. version .. ",' ; "
      .. "echo lib/lua/" .. version .. "/bsdsocket/core.so")
    local found = helper.shell("cd " .. dest .. "/opt/lua && find . -type f | sed 's,^\\./,,'")
    local function sorted(text)
      local list = {}
      for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
      table.sort(list)
      return list
    end
    assert.same(sorted(expected), sorted(found))

    output, status = helper.installed(share, lib, "-e",
      "local socket = require 'bsdsocket' print(socket._VERSION) assert(socket.socket()):close()")
    assert.equal(0, status, output)
    assert.match("^bsdsocket %d+%.%d+%.%d+\n$", output)

    assert.same({ "luaopen_bsdsocket_core" }, helper.exported(lib .. "/bsdsocket/core.so"))

    output, status = make(dir, "uninstall" .. where)
    assert.equal(0, status, output)
    assert.equal("", (helper.shell("find " .. dest .. " -type f -o -name bsdsocket")))
  end)
end)
