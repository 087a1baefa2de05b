-- tools/port.sh, by which `make port` builds and runs the library as on other systems: its parts, and the page that
-- tells what came of them. They take twenty minutes and fetch what they need, so none is run here.
local helper = require "spec.support.helper"

local function set(text, pattern)
  local list = {}
  for name in text:gmatch(pattern) do list[name] = true end
  return list
end

describe("make port", function()
  local parts = set(helper.read "tools/port.sh":match "PARTS='([^']*)'", "%S+")

  it("has a file for each part", function()
    for part in pairs(parts) do assert.truthy(helper.read("tools/port/" .. part .. ".sh"), part) end
  end)

  it("has a row for each part in docs/systems.md, and for no other", function()
    assert.same(parts, set(helper.read "docs/systems.md", "\n| `(%w+)` |"))
  end)

  it("is named by make help with its parts", function()
    local help = helper.shell "make help":match "make port +([^\n]*)"
    for part in pairs(parts) do assert.truthy(help:find(part, 1, true), part) end
  end)

  it("says which parts there are, for a name that is none", function()
    local output, status = helper.shell "PART=windows bash tools/port.sh"
    assert.equal(2, status)
    assert.match("^port: there is no part windows; these are: bare ", output)
  end)

  it("counts a part that fails, and one that does not say how many passed", function()
    local dir = helper.tmpdir()
    assert(os.execute(("mkdir -p %s/tools/port && cp tools/port.sh %s/tools && cp tools/port/common.sh %s/tools/port")
      :format(dir, dir, dir)))
    helper.save(dir .. "/tools/port/bare.sh", "check good true\ncheck bad false\nleave_out 'a reason'\ncounts\n")
    helper.save(dir .. "/tools/port/musl.sh", "exit 0\n")
    local output, status = helper.shell("cd " .. dir .. " && PART='bare musl' bash tools/port.sh")
    assert.equal(1, status)
    assert.match("\nok: good\nnot ok: bad\n\n1 skipped: a reason\n1 passed, 1 failed, 1 skipped\n", output)
    assert.match("\n1 passed, 2 failed, 1 skipped\n$", output)
  end)
end)
