-- Makes docs/reference.md from types/bsdsocket.lua and what it includes: `lua5.4 tools/docs.lua`. With --check it
-- writes nothing, and exits with 1 if the page is not what it would write.
--
-- `require "tools.docs"` gives the reader of the annotations instead: {source = annotations, parse = parse,
-- render = render}.
--
-- What it understands, in the order in which the page has it:
--   `-- # Title`, `-- ## Title` and the `-- ` lines after them   chapters and their prose
--   a block of `---` lines and the code line after it            an entry: function, class, alias or field
--   `-- @include FILE`                                           what that file has, here
-- In an entry, the list after a line `Errors:` has the codes that the call gives, `* \`CODE\`: when`, and
-- `* raises: when`. Paragraphs after it stand below the list.

local SOURCE, PAGE = "types/bsdsocket.lua", "docs/reference.md"

--- How a receiver is called in the page and in spec/support/failures.lua.
local receivers = {
  M = "socket.", Socket = "s:", Address = "address:", Poller = "p:", Buffer = "buf:", Loop = "loop.", Task = "task:",
}

--- How a metamethod is used.
local metamethods = {
  __tostring = "tostring(%s)", __len = "#%s", __close = "local %s <close>", __gc = "%s and the collector",
  __eq = "%s == other",
}

---------------------------------------------------------------------------------------------------
-- Reading

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

--- All annotations as one text.
local function annotations()
  return (read(SOURCE):gsub("%-%- @include (%S+)\n", read))
end

--- Splits `name? rest` or, without a name, `rest` into the type, which may have spaces after : , and |, and
--- what follows it.
local function splittype(text)
  local depth, quoted = 0, false
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == '"' then
      quoted = not quoted
    elseif c:find "[%(%[{<]" then
      depth = depth + 1
    elseif c:find "[%)%]}>]" then
      depth = depth - 1
    elseif c == " " and depth == 0 and not quoted and not text:find("^[:,|]", i - 1) then
      return text:sub(1, i - 1), text:sub(i + 1)
    end
  end
  return text, ""
end

local function namedtype(text)
  local name, optional, rest = text:match "^([%w_%.]+)(%??)%s+(.*)$"
  assert(name, "no name and type: " .. text)
  local type, about = splittype(rest)
  return {name = name, optional = optional == "?", type = type, text = about}
end

local readers = {}

function readers.class(entry, text)
  entry.kind = "class"
  local name, parents = text:match "^([%w_%.]+):?%s*(.*)$"
  entry.type, entry.parents = name, parents
end

function readers.alias(entry, text)
  entry.kind = "alias"
  local name, type = text:match "^([%w_%.]+)%s*(.*)$"
  entry.type, entry.is = name, type
end

function readers.field(entry, text) table.insert(entry.fields, namedtype(text)) end
function readers.param(entry, text) table.insert(entry.params, namedtype(text)) end

readers["return"] = function(entry, text)
  local type, rest = splittype(text)
  local name, about = rest:match "^([%w_%.]+)%s*(.*)$"
  table.insert(entry.returns, {type = type, name = name, text = about or ""})
end

function readers.overload(entry, text)
  local list, params = text:match "^fun(%b())", {}
  list = list:sub(2, -2)
  while list ~= "" do
    local name, optional, rest = list:match "^([%w_]+)(%??):%s*(.*)$"
    local type
    type, list = splittype((rest:gsub(", ", ",\0")):gsub(",%z", " ", 1))
    if name ~= "self" then table.insert(params, {name = name, optional = optional == "?", type = type}) end
    list = list:gsub("%z", " ")
  end
  table.insert(entry.overloads, params)
end

function readers.type(entry, text) entry.is = text end
function readers.private(entry) entry.private = true end
function readers.operator() end

--- Sorts the text of an entry into what stands before the errors, the errors, and what stands after. What is indented
--- directly below an error goes on with it.
local function readtext(entry, lines)
  local before, after = {}, {}
  local into = before
  local error -- to which the line before belongs
  for _, line in ipairs(lines) do
    local code, when = line:match "^%* `([%w_]+)`: (.*)$"
    local mistake = line:match "^%* raises: (.*)$"
    if line == "Errors:" then
      into = after
    elseif into == after and code then
      error = {code = code, text = when}
      table.insert(entry.errors, error)
    elseif into == after and mistake then
      error = {text = mistake}
      entry.raises = error
    elseif error and line:find "^  %S" then
      error.text = error.text .. "\n" .. line:sub(3)
    else
      error = nil
      into[#into + 1] = line
    end
  end
  entry.raises = entry.raises and entry.raises.text
  local function trim(list) return (table.concat(list, "\n"):gsub("^\n+", ""):gsub("\n+$", "")) end
  entry.text, entry.more = trim(before), trim(after)
end

--- The annotations of a file's text as an array of entries:
---   {kind = "chapter", level, title, text}
---   {kind = "function", class, name, key, arguments, params, returns, overloads, errors, raises, text, more, private}
---   {kind = "class", type, parents, fields, constants, text}     {kind = "alias", type, is, values, text}
---   {kind = "field", class, name, key, is, text}
local function parse(source)
  local entries, block, chapter, table_of = {}, nil, nil, nil

  local function finish(code)
    if not block then return end
    local entry = {params = {}, returns = {}, overloads = {}, fields = {}, values = {}, errors = {}, constants = {}}
    local lines = {}
    for _, line in ipairs(block) do
      local tag, rest = line:match "^@(%w+)%s*(.*)$"
      local value, about = line:match "^|%s*(%S+)%s*#?%s*(.*)$"
      if tag and tag ~= "meta" then
        assert(readers[tag], "unknown tag @" .. tag)(entry, rest)
      elseif value and entry.kind == "alias" then
        table.insert(entry.values, {value = value, text = about})
      elseif not tag then
        lines[#lines + 1] = line:gsub("^ ", "")
      end
    end
    block = nil
    readtext(entry, lines)
    local class, sign, name, arguments = code:match "^function (%w+)([.:])([%w_]+)%((.-)%) end$"
    if class then
      entry.kind, entry.class, entry.name = "function", class, name
      entry.method = sign == ":"
      entry.key = assert(receivers[class], class) .. name
      entry.arguments = {}
      for argument in arguments:gmatch "[%w_%.]+" do table.insert(entry.arguments, argument) end
    elseif code:find "^M%.[%w_]+ =" then
      entry.kind, entry.class, entry.name = "field", "M", code:match "^M%.([%w_]+)"
      entry.key = "socket." .. entry.name
    end
    if entry.kind then entries[#entries + 1] = entry end
    table_of = code:find "^local [%w_]+ = {$" and entry
  end

  for line in (source .. "\n"):gmatch "([^\n]*)\n" do
    local doc = line:match "^%-%-%-(.*)$"
    local prose = not doc and line:match "^%-%- ?(.*)$"
    if doc then
      block, chapter = block or {}, nil
      table.insert(block, doc)
    else
      finish(line)
      local level, title
      if prose then level, title = prose:match "^(##?) (.*)$" end
      if title then
        chapter = {kind = "chapter", level = #level, title = title, text = ""}
        entries[#entries + 1] = chapter
      elseif prose and chapter then
        chapter.text = chapter.text .. prose .. "\n"
      else
        chapter = nil
      end
      if table_of then
        for name in line:gmatch "([%w_]+) = int," do table.insert(table_of.constants, name) end
        if line == "}" then table_of = nil end
      end
    end
  end
  return entries
end

---------------------------------------------------------------------------------------------------
-- Writing

--- The anchor that Markdown viewers make of a heading.
local function anchor(heading)
  return "#" .. heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")
end

local function link(text, heading) return ("[%s](%s)"):format(text, anchor(heading)) end

local function short(type) return (type:gsub("bsdsocket%.", "")) end

--- `a, b [, c [, d]]`
local function signature(key, params)
  local text, open = "", 0
  for i, p in ipairs(params) do
    -- what is nil-able but stands before something needed has no bracket
    local optional = p.optional or p.name == "..."
    for k = i + 1, #params do optional = optional and (params[k].optional or params[k].name == "...") end
    if optional then
      text = text .. (i == 1 and "[" or " [, ") .. p.name
      open = open + 1
    else
      text = text .. (i == 1 and "" or ", ") .. p.name
    end
  end
  return ("%s(%s%s)"):format(key, text, ("]"):rep(open))
end

local function render(entries)
  local out = {}
  local function put(...) out[#out + 1] = table.concat {...} end

  -- where each type is explained
  local places, chapter = {}, nil
  for _, e in ipairs(entries) do
    if e.kind == "chapter" then
      chapter = e
    elseif e.kind == "class" and #e.fields == 0 and #e.constants == 0 or e.type == "bsdsocket.Address" then
      places[e.type], e.inchapter = chapter.title, true
    elseif e.type then
      places[e.type] = short(e.type)
    end
  end

  --- A type in words, with links.
  local function typetext(type, strip)
    local words = {}
    if strip then type = type:gsub("%?$", "") end
    if type:find "^%(?fun" then return "function" end
    for part in type:gmatch "[^|]+" do
      local name, array, optional = part:match "^([%w_%.]+)(%[?%]?)(%??)$"
      local text
      if name and places[name] then
        text = link(short(name), places[name]) .. (array ~= "" and " array" or "")
      else
        text = "`" .. (optional and name .. array or part) .. "`"
      end
      words[#words + 1] = text
      if optional == "?" then words[#words + 1] = "`nil`" end
    end
    return table.concat(words, " or ")
  end

  local function paragraph(text)
    if text ~= "" then put(text, "\n") end
  end

  local function row(...)
    local cells = {...}
    for i, cell in ipairs(cells) do cells[i] = cell:gsub("|", "\\|") end
    put("| ", table.concat(cells, " | "), " |")
  end

  local writers = {}

  function writers.chapter(e)
    put(("#"):rep(e == entries[1] and 1 or e.level + 1), " ", e.title, "\n")
    paragraph(e.text:gsub("^\n+", ""):gsub("\n+$", ""))
  end

  function writers.class(e)
    if e.inchapter and #e.fields == 0 then return end
    if e.constants[1] then
      put("#### `", short(e.type), e.constants[2] and (e.type:find "%.E$" and "*`" or "_*`") or "`", "\n")
      paragraph(e.text)
      local line = ""
      for _, name in ipairs(e.constants) do
        if #line + #name > 110 then
          put(line)
          line = ""
        end
        line = line .. (line == "" and "`" or " `") .. name .. "`"
      end
      put(line, "\n")
      return
    end
    if not e.inchapter then put("#### ", short(e.type), "\n") end
    paragraph(e.text)
    row("field", "type", "")
    put "|---|---|---|"
    for _, f in ipairs(e.fields) do
      row("`" .. f.name .. "`", typetext(f.type) .. (f.optional and " or `nil`" or ""), f.text)
    end
    put ""
  end

  function writers.alias(e)
    put("#### ", short(e.type), "\n")
    paragraph(e.text)
    if e.is ~= "" then put(typetext(e.is), "\n") end
    if not e.values[1] then return end
    local typed = e.type:find "Option"
    if typed then row("name", "value", "") put "|---|---|---|" end
    for _, v in ipairs(e.values) do
      if typed then
        local type, about = v.text:match "^(.-); (.*)$"
        row("`" .. v.value:gsub('"', "") .. "`", type, about)
      else
        put("* `", v.value, "`", v.text ~= "" and ": " or "", v.text)
      end
    end
    put ""
  end

  function writers.field(e)
    put("#### ", e.key, "\n")
    paragraph(e.text)
    put(typetext(e.is), "\n")
  end

  local function returns(e)
    local fails, fourth, values = false, "", {}
    for i, r in ipairs(e.returns) do
      local text, n = r.text:gsub("[;,]?%s?or the %l+ ?o?f? ?a? ?f?a?i?l?u?r?e?$", "")
      if n > 0 then fails = true end
      if r.name == "message" then
        fails = true
      elseif r.name ~= "code" then
        if e.returns[i - 1] and e.returns[i - 1].name == "code" then
          fourth = ", " .. r.name
        else
          local type = n > 0 and r.type:gsub("|string", ""):gsub("|bsdsocket%.Code", "") or r.type
          values[#values + 1] = {name = r.name, type = type, text = text, first = i == 1}
        end
      end
    end
    if not values[1] then return end
    put "**Returns**\n"
    for _, v in ipairs(values) do
      put("* ", v.name and "`" .. v.name .. "` (" or "", typetext(v.type, fails and v.first), v.name and ")" or "",
        v.text ~= "" and ": " or "", v.text)
    end
    if fails then put("* on failure `nil, message, code", fourth, "`") end
    put ""
  end

  writers["function"] = function(e)
    local meta = metamethods[e.name]
    put("#### ", meta and meta:format(e.key:match "%w+") or e.key, "\n")
    if not meta then
      put "```" -- the brackets are no Lua
      put(signature(e.key, e.params))
      for _, params in ipairs(e.overloads) do put(signature(e.key, params)) end
      put "```\n"
    end
    paragraph(e.text)
    if e.params[1] then
      put "**Parameters**\n"
      for _, p in ipairs(e.params) do
        put("* `", p.name, "` (", typetext(p.type), ")", p.text ~= "" and ": " or "", p.text)
      end
      put ""
    end
    returns(e)
    if e.errors[1] then
      put "**Errors**\n"
      for _, error in ipairs(e.errors) do put("* `", error.code, "`: ", error.text) end
      put ""
    end
    if e.raises then put("**Raises an error:** ", e.raises, "\n") end
    paragraph(e.more)
  end

  local function contents()
    local line
    local function finish()
      if line then put((line:gsub(";$", ""))) end
      line = nil
    end
    for _, e in ipairs(entries) do
      if e.kind == "chapter" and e ~= entries[1] then
        finish()
        line = ("  "):rep(e.level - 1) .. "* " .. link(e.title, e.title)
      elseif e.key and not metamethods[e.name] then
        line = line .. (line:find "%)$" and ": " or " ") .. link(e.name, e.key) .. ";"
      end
    end
    finish()
    put ""
  end

  put "<!-- Made by tools/docs.lua from types/bsdsocket.lua (`make docs`). Not to be edited by hand. -->\n"
  for i, e in ipairs(entries) do
    writers[e.kind](e)
    if i == 1 then contents() end
  end
  return (table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n*$", "\n"))
end

---------------------------------------------------------------------------------------------------

if ... == "tools.docs" then
  return {source = annotations, parse = parse, render = render, SOURCE = SOURCE, PAGE = PAGE}
end

local page = render(parse(annotations()))
if ... == "--check" then
  local there <close> = io.open(PAGE)
  if not there or there:read "a" ~= page then
    io.stderr:write(PAGE, " is not up to date: run `make docs`\n")
    os.exit(1)
  end
else
  local file <close> = assert(io.open(PAGE, "w"))
  file:write(page)
end
