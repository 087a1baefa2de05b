-- docs/reference.md: made from types/bsdsocket.lua, and complete.
local helper = require "spec.support.helper"
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

  -- The fenced blocks of a text: {language, text}, without what each line begins with in the source.
  local function blocks(text)
    local list, open, prefix = {}, nil, nil
    for line in text:gmatch "([^\n]*)\n" do
      local before, language = line:match "^([%- ]*)```(%l*)$"
      if open and before then
        list[#list + 1] = { language = open.language, text = table.concat(open, "\n") .. "\n" }
        open = nil
      elseif before then
        open, prefix = { language = language }, before
      elseif open then
        assert(line:sub(1, #prefix) == prefix or line == prefix:gsub(" +$", ""), line)
        open[#open + 1] = line:sub(#prefix + 1)
      end
    end
    assert.is_nil(open)
    return list
  end

  it("has each example as its source has it, and each is Lua", function()
    local function examples(text)
      local list = {}
      for _, block in ipairs(blocks(text)) do
        if block.language == "lua" then list[#list + 1] = block.text end
      end
      return list
    end
    local source, page = examples(docs.source()), examples(helper.read(docs.PAGE))
    assert(#source > 30)
    for i, text in ipairs(page) do
      assert(load(text), text)
      assert.equal(source[i], text)
    end
    assert.equal(#source, #page)
  end)

  it("has an example below a list of errors whole, and what follows an error with it", function()
    local page = docs.render(docs.parse([[
-- # Title

-- # Another

---@class bsdsocket
local M = {}

--- Text.
---
--- Errors:
--- * `EBADF`: it is closed,
---   or was.
--- * raises: a mistake,
---   of any kind.
---
--- ```lua
--- f(function()
---   return {
---
---     x = 1,
---   }
--- end)
--- ```
---
---   An indented line after a blank one is nobody's error.
---@return nil
function M.f() end
]]))
    assert(page:find("\n* `EBADF`: it is closed,\nor was.\n", 1, true), page)
    assert(page:find("**Raises an error:** a mistake,\nof any kind.\n", 1, true), page)
    assert(page:find("\n```lua\nf(function()\n  return {\n\n    x = 1,\n  }\nend)\n```\n", 1, true), page)
    assert(page:find("\n  An indented line after a blank one is nobody's error.\n", 1, true), page)
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
