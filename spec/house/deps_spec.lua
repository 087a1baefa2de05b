-- tools/deps.sh on machines of several kinds: a directory of programs stands for each; its managers only
-- tell what they were asked for.
local helper = require "spec.support.helper"

local TOOLS = "sh grep uname ls cut sed dirname cat env"

-- Runs it where there are no programs but TOOLS and those given: name = what it prints.
local function deps(programs, target)
  local dir = helper.tmpdir()
  assert.equal("", (helper.shell(("for t in %s; do ln -s $(command -v $t) %s/$t; done"):format(TOOLS, dir))))
  for name, says in pairs(programs) do
    helper.save(dir .. "/" .. name, "#!/bin/sh\n" .. says .. "\n")
  end
  helper.shell("chmod +x " .. dir .. "/*")
  return helper.shell(("sh=$(command -v sh); PATH=%s LUA= CC= $sh tools/deps.sh %s"):format(dir, target or ""))
end

local function manager(name)
  return ('echo "%s: $*"'):format(name)
end

local root, user = "echo 0", "echo 1000"

describe("make deps #process", function()
  it("does nothing and says so where nothing is missing", function()
    local dir = helper.tmpdir()
    helper.shell(([[cd %s && for m in apt-get apk dnf pacman brew sudo; do
      echo 'echo called' > $m && chmod +x $m
    done]]):format(dir))
    local output, status = helper.shell("PATH=" .. dir .. ":$PATH sh tools/deps.sh")
    assert.equal("deps: nothing is missing for make demo\n", output)
    assert.equal(0, status)
  end)

  for name, words in pairs {
    ["apt-get"] = "install .*gcc libc6%-dev make lua5.4",
    apk = "add gcc musl%-dev linux%-headers make lua5.4",
    dnf = "install .*gcc make lua",
    pacman = "%-S.* gcc make lua",
  } do
    it("has " .. name .. " install what is missing, as root", function()
      -- apt's words go to a file: what it prints itself is nobody's concern
      local log = helper.tmpname()
      local says = manager(name) .. " >> " .. log
      helper.shell(": > " .. log)
      local output, status = deps { [name] = says, id = root }
      assert.match("^deps: missing for make demo: a C compiler, make, Lua 5.4[,\n]", output)
      assert.match(name:gsub("%-", "%%-") .. ": .*" .. words, (helper.shell("cat " .. log)))
      -- and is not content when it installed nothing
      assert.match("still missing, please install by hand: a C compiler", output)
      assert.equal(1, status)

      helper.shell(": > " .. log)
      deps { [name] = "exit 99", id = user, sudo = 'echo "sudo $*" >> ' .. log }
      assert.match("^sudo [^\n]*" .. name:gsub("%-", "%%-") .. " .*" .. words, (helper.shell("cat " .. log)))

      output = deps { [name] = says, id = user }
      assert.match("neither root nor sudo here: please have %w+ install: [^\n]*make", output)
    end)
  end

  it("has brew install without sudo", function()
    local output = deps { brew = manager "brew", id = user, sudo = "exit 99" }
    assert.match("\nbrew: install make lua\n", output)
  end)

  it("names what is to be installed by hand where it knows no manager", function()
    local output, status = deps { id = root }
    assert.match("no apt%-get, apk, dnf, pacman or brew here: please install these by hand", output)
    assert.match("by hand: a C compiler, make, Lua 5.4[,\n]", output)
    assert.equal(1, status)
  end)

  it("asks for four things for the demo, and brings busted with the test", function()
    local log = helper.tmpname()
    local here = { ["apt-get"] = manager "apt-get" .. " >> " .. log, id = root }
    deps(here, "demo")
    assert.is_nil((helper.shell("cat " .. log):find("busted", 1, true)))
    deps(here, "test")
    assert.match("install .*lua%-busted luarocks", (helper.shell("cat " .. log)))
    local makefile = helper.shell "make -n deps demo"
    assert.is_nil(makefile:find("deps.sh test", 1, true))
    assert.truthy(helper.shell "make -n deps test":find("deps.sh test", 1, true))
  end)

  it("goes on without what is only good to have", function()
    local here = "exit 0"
    local output, status = deps({ id = root, luacheck = here, gcc = here, clang = here }, "lint")
    assert.match("missing for make lint: clang%-format 14\n", output)
    assert.match("going on without clang%-format 14\n", output)
    assert.equal(0, status)
  end)
end)
