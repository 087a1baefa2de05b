-- docs/reference.md: made from types/bsdsocket.lua, and complete.
local helper = require "spec.helper"
local docs = require "tools.docs"
local loop = require "bsdsocket.loop"
local socket = require "bsdsocket"

describe("the reference", function()
  it("is up to date (else: make docs)", function()
    local same = docs.render(docs.parse(docs.source())) == helper.read(docs.PAGE)
    assert.is_true(same)
  end)

  it("has every public name", function()
    local page = helper.read(docs.PAGE)
    local words = {}
    for word in page:gmatch "[%w_]+" do words[word] = true end
    for name in pairs(socket) do assert(words[name], name) end
    for name in pairs(loop) do assert(words[name], name) end
    for _, entry in ipairs(docs.parse(docs.source())) do
      if entry.kind == "function" and not entry.name:find "^__" then
        assert(page:find("\n#### " .. entry.key .. "\n", 1, true), entry.key)
        assert(page:find("\n" .. entry.key .. "(", 1, true), entry.key)
      end
    end
  end)

  it("has no link that leads nowhere", function()
    local page = helper.read(docs.PAGE)
    local anchors = {}
    for heading in page:gmatch "\n#+ ([^\n]+)" do
      local anchor = heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")
      assert.is_nil(anchors[anchor], "two headings like " .. heading)
      anchors[anchor] = true
    end
    for target in page:gmatch "%]%(#([^)]+)%)" do assert(anchors[target], target) end
  end)

  it("is checked by tools/docs.lua --check, which leaves it alone", function()
    local before = helper.read(docs.PAGE)
    local output, status = helper.lua("tools/docs.lua", "--check")
    assert.same({"", 0}, {output, status})
    local dir = helper.tmpdir()
    assert(os.execute(("mkdir %s/types %s/docs && cp -R types/. %s/types"):format(dir, dir, dir)))
    local function docs_lua(option)
      return helper.shell(("cd %s && %s %s"):format(dir, helper.command(helper.root .. "/tools/docs.lua"), option))
    end
    output, status = docs_lua "--check"
    assert.same({"docs/reference.md is not up to date: run `make docs`\n", 1}, {output, status})
    assert.same({"", 0}, {docs_lua ""})
    assert.equal(before, helper.read(dir .. "/docs/reference.md"))
    assert.same({"", 0}, {docs_lua "--check"})
    assert(os.execute(("echo x >> %s/docs/reference.md"):format(dir)))
    output, status = docs_lua "--check"
    assert.same({"docs/reference.md is not up to date: run `make docs`\n", 1}, {output, status})
    assert.equal(before .. "x\n", helper.read(dir .. "/docs/reference.md"))
  end)
end)
