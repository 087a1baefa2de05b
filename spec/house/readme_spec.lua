-- README.md and the guides of docs/ do what they say: every fenced block is run, and what it shows is what comes.
-- Each page has a translation with the same blocks, which says the same in Chinese, as far as can be seen without
-- reading it.
--
-- A block is run by the word after its fence; one without a rule here fails.
--
--   lua        a script. What it prints stands in it after `-->`, line by line. It is skipped where it needs another
--              library that is not here.
--   lua server a script that is started, and runs until the block after it is done ...
--   lua client ... which is its client. What each prints stands in it. Both have a port in place of 8001 that is free.
--   console    shell commands after `$ `, each with its output below, and comments after `# `. Commands
--              that install or take long are known to `commands` below, and checked in another way.
--   lua-repl   typed into one `lua5.4 -i`, all such blocks of a page in one session, after what the `export`
--              commands of the console blocks say. Typed is what stands after `> ` and `>> `.
--   text       drawings, for reading; each call named in one, `name()`, has to exist.
--
-- What is compared:
--   * tabs and several spaces are one space, in the page and in the output;
--   * a line `...` in the page stands for any number of lines;
--   * ports that the system chose are renamed 40001, 40002 and so on, as they come: those of `127.0.0.1:port` in
--     the output that are not in what was typed. Descriptor numbers of `socket (3, ...)` likewise from 3 on.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local process = require "spec.support.process"
local quote = helper.quote

--- A page taken apart: its `text`, its fenced `blocks`, its `prose`, which is the text without them, and its `parts`
--- in their order: blocks (which have a `kind`), headings, rows of tables, items of lists and paragraphs.
local function parse(name)
  local page = { name = name, text = helper.read(name), blocks = {}, parts = {} }
  local prose = {}
  local block, part
  local number = 0
  for line in page.text:gmatch "([^\n]*)\n" do
    number = number + 1
    local fence = line:match "^%s*```(.*)$"
    if fence and not block then
      block, part = { kind = fence, line = number }, nil
      block.page, block.before = page, page.blocks[#page.blocks]
      page.blocks[#page.blocks + 1] = block
      page.parts[#page.parts + 1] = block
    elseif fence then
      block = nil
    elseif block then
      block[#block + 1] = line
    else
      prose[#prose + 1] = line
      if line == "" then
        part = nil
      elseif part and not part[1]:find "^[#|]" and not line:find "^[#|]" and not line:find "^%d+%. " then
        part[#part + 1] = line
      else
        part = { line, line = number }
        page.parts[#page.parts + 1] = part
      end
    end
  end
  assert(not block, "a fence of " .. name .. " is not closed")
  page.prose = table.concat(prose, "\n")
  return page
end

-- The README and the guides whose blocks are run, each with its translation.
local guides = {
  { "README.md", "README.zh-TW.md" },
  { "docs/tutorial.md", "docs/tutorial.zh-TW.md" },
  { "docs/errors.md", "docs/errors.zh-TW.md" },
  { "docs/kinds.md", "docs/kinds.zh-TW.md" },
  { "docs/phrasebook.md", "docs/phrasebook.zh-TW.md" },
}
-- Guides in English only, whose blocks are checked elsewhere or not at all; their links are checked here.
local others = { "docs/scaling.md", "docs/speed.md", "docs/lua.md" }

local pages, byname, texts, proses = {}, {}, {}, {}
for _, guide in ipairs(guides) do
  for i, name in ipairs(guide) do
    byname[name] = parse(name)
    if i == 1 then
      pages[#pages + 1] = byname[name]
      texts[#texts + 1], proses[#proses + 1] = byname[name].text, byname[name].prose
    end
  end
end
local text, prose = table.concat(texts, "\n"), table.concat(proses, "\n")

---------------------------------------------------------------------------------------------------
-- Comparing

local function plain(line)
  return (line:gsub("%s+", " "):gsub(" $", ""))
end

local function lines(output)
  local list = {}
  for line in output:gsub("\n$", ""):gmatch "[^\n]*" do list[#list + 1] = line end
  if output == "" then list = {} end
  return list
end

--- A function that renames in each text it gets what varies, and remembers; `typed` is what a reader types.
local function renamer(typed)
  local ports, descriptors, nports, ndescriptors = {}, {}, 40000, 2
  return function(output)
    return (output:gsub("%f[%d]127%.0%.0%.1:(%d+)", function(port)
      if typed:find("%f[%d]" .. port .. "%f[%D]") then return end
      if not ports[port] then
        nports = nports + 1
        ports[port] = nports
      end
      return "127.0.0.1:" .. ports[port]
    end):gsub("socket %((%d+),", function(fd)
      if not descriptors[fd] then
        ndescriptors = ndescriptors + 1
        descriptors[fd] = ndescriptors
      end
      return "socket (" .. descriptors[fd] .. ","
    end))
  end
end

local function matches(expected, output, i, j)
  if i > #expected then return j > #output end
  if expected[i] == "..." then
    for k = j, #output + 1 do
      if matches(expected, output, i + 1, k) then return true end
    end
    return false
  end
  return j <= #output and plain(expected[i]) == plain(output[j]) and matches(expected, output, i + 1, j + 1)
end

--- `expected` is an array of lines, `output` a text.
local function compare(expected, output, what)
  if not matches(expected, lines(output), 1, 1) then
    error(("%s: the page shows\n%s\nand there came\n%s"):format(what, table.concat(expected, "\n"), output), 0)
  end
end

---------------------------------------------------------------------------------------------------
-- Running

local where -- a directory that looks like the checkout, the build in it; lua5.4 is in its bin
local exports = "" -- the export commands so far

setup(function()
  where = helper.tmpdir()
  local build = os.getenv "BSDSOCKET_BUILD" or "build"
  if not build:find "^/" then build = helper.root .. "/" .. build end
  local lua = helper.lua("-e", "print(arg[0])"):match "%C+"
  local output, status = helper.shell(([[
    cd %s && for f in %s/*; do case $f in */build*) ;; *) ln -s "$f" . ;; esac; done
    ln -s %s build && mkdir bin && ln -s "$(command -v %s)" bin/lua5.4
  ]]):format(where, quote(helper.root), quote(build), quote(lua)))
  assert(status == 0, output)
  for _, page in ipairs(pages) do
    for _, block in ipairs(page.blocks) do
      for _, line in ipairs(block.kind == "console" and block or {}) do
        local export = line:match "^%$ (export .*)$"
        -- one with $HOME is for what has been installed there
        if export and not export:find("$HOME", 1, true) then exports = exports .. export .. "\n" end
      end
    end
  end
end)

--- A shell command as a reader gives it; `exported` with the variables that the pages tell to export.
local function reader(command, exported)
  return (("cd %s && unset LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 LUA_INIT\n"
    .. "PATH=%s/bin:$PATH TERM=dumb COLUMNS=500; export PATH TERM COLUMNS\n%s%s"):format(
    where, where, exported and exports or "", command))
end

local function shell(command, exported)
  return helper.shell(reader(command, exported))
end

--- That make would do it; these are run by .ci/run and by spec/house/makefile_spec.lua.
local function accepted(command)
  local output, status = shell("unset MAKEFLAGS MFLAGS MAKELEVEL; "
    .. command:gsub("^make", "$(command -v gmake || command -v make) -n"))
  if status ~= 0 then error(command .. ": " .. output, 0) end
end

--- What lies under HOME as `make install` puts it there (spec/house/makefile_spec.lua) is found after the export line.
local function installed(export)
  return (shell(([[
    HOME=%s/home; export HOME; home=$HOME/.local/lib/lua/5.4/bsdsocket
    share=$HOME/.local/share/lua/5.4
    mkdir -p $home $share && cp build/bsdsocket/core.so $home && cp -R lua/* $share
    %s
    cd / && lua5.4 -e 'local from = package.searchpath("bsdsocket", package.path)
      assert(from:find(os.getenv "HOME", 1, true), from) require "bsdsocket"' 2>&1]]):format(where, export)))
end

-- What a command that is not simply run comes to: its output, where the README shows one.
local commands = {
  ["make deps demo"] = function(command)
    accepted(command)
    return "...\n" .. shell "lua5.4 examples/demo.lua"
  end,
  ["make deps test"] = accepted,
  ["make"] = accepted,
  ["make install"] = accepted,
  ["make install PREFIX=$HOME/.local"] = accepted,
  -- spec/house/rockspec_spec.lua runs it
  ["luarocks --lua-version 5.4 make"] = function() helper.read "bsdsocket-scm-1.rockspec" end,
  ["luarocks --lua-version 5.4 make --local"] = function() helper.read "bsdsocket-scm-1.rockspec" end,
  -- luarocks prints export lines for its tree; nothing here is installed in one
  ['eval "$(luarocks --lua-version 5.4 path)"'] = function() end,
  -- the blocks lua-repl go on from here
  ["lua5.4 -i"] = function() end,
}

local kinds = {}

-- Engines that a script needs, and why it is skipped without.
local engines = {
  cqueues = "cqueues for Lua 5.4 is not here", luv = "luv for Lua 5.4 is not here", copas = "copas 4 is not here",
}
-- What a script needs that has this in it, and why it is skipped without.
local privileges = {
  { '"SOCK_RAW"', "AF_INET", "SOCK_RAW", "IPPROTO_ICMP", "no privilege for raw sockets" },
  { '"AF_INET6"', "AF_INET6", "SOCK_STREAM", 0, "IPv6 is not here" },
}

--- What a script says that it prints.
local function promised(block)
  local expected = {}
  for _, line in ipairs(block) do
    expected[#expected + 1] = line:match "%-%->%s*(.*)$"
  end
  return expected
end

function kinds.lua(block)
  local engine = table.concat(block, "\n"):match 'require "(%l+)"'
  if engines[engine] and select(2, shell(("exec lua5.4 -e 'require %q'"):format(engine))) ~= 0 then
    helper.skip(engines[engine])
  end
  for _, needed in ipairs(privileges) do
    if table.concat(block, "\n"):find(needed[1], 1, true) then
      local s = socket.socket(needed[2], needed[3], needed[4]) or helper.skip(needed[5])
      s:close()
    end
  end
  local name = helper.saved(table.concat(block, "\n"), "\n")
  compare(promised(block), renamer(table.concat(block, "\n"))((shell("exec lua5.4 " .. name, true))), "script")
end

-- Run with the client that follows.
kinds["lua server"] = function(block)
  for i, other in ipairs(block.page.blocks) do
    if other == block then
      local client = block.page.blocks[i + 1]
      assert(client and client.kind == "lua client", "a server without a client after it")
    end
  end
end

kinds["lua client"] = function(block)
  local server = block.before
  assert(server and server.kind == "lua server", "a client without a server before it")
  -- Bound, but not listening: so nobody else gets this port, and the server does, as both have SO_REUSEADDR.
  local reserved <close> = assert(socket.socket())
  assert(assert(reserved:setsockopt("SO_REUSEADDR", true)):bind("127.0.0.1", 0))
  local port, prelude = tostring(reserved:getsockname().port), "io.stdout:setvbuf 'line' print 'now' "
  if not rawget(socket, "AF_NETLINK") then reserved:close() end -- other systems than Linux do not share it so
  local function saved(script, before)
    return helper.saved(before, (table.concat(script, "\n"):gsub("%f[%d]8001%f[%D]", port)), "\n")
  end
  local running <close> = process.shell("sh -c " .. quote(reader("exec lua5.4 " .. saved(server, prelude), true)))
  assert.equal("now", process.line(running))
  process.blocked(running.pid) -- in accept
  local rename = renamer(port)
  compare(promised(block), rename((shell("exec lua5.4 " .. saved(block, ""), true))), "client")
  local said = {}
  for i = 1, #promised(server) do said[i] = process.line(running) end
  compare(promised(server), rename(table.concat(said, "\n")), "server")
end

function kinds.console(block)
  local i = 1
  while i <= #block do
    while block[i]:find "^# " do i = i + 1 end
    local command = block[i]:match "^%$ (.*)$"
    if not command then error("no command: " .. block[i], 0) end
    local expected = {}
    i = i + 1
    while block[i] and not block[i]:find "^[$#] " do
      expected[#expected + 1] = block[i]
      i = i + 1
    end
    local output
    if command:find("$HOME", 1, true) and command:find "^export [%w_]+=" then
      output = installed(command)
    elseif command:find "^export [%w_]+=" then
      output = shell(command)
    elseif commands[command] then
      output = commands[command](command) or ""
    else
      error("a command that is not known here: " .. command, 0)
    end
    compare(expected, renamer(command)(output), command)
  end
end

--- What each chunk of the session shows, in order, as {typed = , expected = }.
local function chunks(list)
  local result = {}
  for _, block in ipairs(list) do
    for i, line in ipairs(block) do
      local prompt, typed = line:match "^(>>?) (.*)$"
      if prompt == ">" then
        result[#result + 1] = { typed = typed, expected = {}, block = block }
      elseif i == 1 then
        error("a session begins with a prompt: " .. line, 0)
      elseif prompt then
        result[#result].typed = result[#result].typed .. "\n" .. typed
      else
        table.insert(result[#result].expected, line)
      end
    end
  end
  return result
end

-- The session of all blocks lua-repl of a page, by the page; each block then looks at its own part.
local sessions = {}

local function runsession(page)
  local list = {}
  for _, block in ipairs(page.blocks) do
    if block.kind == "lua-repl" then list[#list + 1] = block end
  end
  local session = chunks(list)
  local MARK = [[do io.write("\1\n") end]]
  local keys, all = {}, {}
  for i, chunk in ipairs(session) do
    keys[i] = chunk.typed .. "\n" .. MARK .. "\n"
    all[i] = chunk.typed
  end
  local name = helper.saved(table.concat(keys))
  local output = shell("lua5.4 -i < " .. name .. " 2>&1", true)
  local rename = renamer(table.concat(all, "\n"))
  local i = 0
  for piece in output:gsub("^Lua [^\n]*\n", ""):gmatch "([^\1]*)\1\n" do
    i = i + 1
    -- without the prompts and, where Lua's line editor echoes it, without what was typed
    local echo = { [MARK] = true }
    for line in session[i].typed:gmatch "[^\n]+" do echo[line] = true end
    local said = {}
    for _, line in ipairs(lines(piece)) do
      line = line:gsub("^>>? ", ""):gsub("^>>? ", "")
      if not echo[line] then said[#said + 1] = line end
    end
    if said[#said] == "" and #said > #session[i].expected then said[#said] = nil end -- a prompt stood there
    session[i].said = rename(table.concat(said, "\n"))
  end
  assert(i == #session, output)
  return session
end

kinds["lua-repl"] = function(block)
  local page = block.page
  sessions[page] = sessions[page] or runsession(page)
  for _, chunk in ipairs(sessions[page]) do
    if chunk.block == block then compare(chunk.expected, chunk.said, "> " .. chunk.typed) end
  end
end

local function exists(name)
  local s <close> = socket.socket()
  return rawget(socket, name) ~= nil or s[name] ~= nil
end

function kinds.text(block)
  local count = 0
  for name in table.concat(block, "\n"):gmatch "([%w_]+)%(%)" do
    if not exists(name) then error("there is no " .. name .. "()", 0) end
    count = count + 1
  end
  assert(count > 0, "a drawing without a call: how would anybody know that it is right?")
end

---------------------------------------------------------------------------------------------------
-- Links, and two languages

--- The link to a heading, as GitHub makes it: the letters of every script stay (known here: Latin and Chinese).
local function anchor(heading)
  return "#" .. heading:lower():gsub(utf8.charpattern, function(char)
    local code = utf8.codepoint(char)
    if char == " " then return "-" end
    return (char:find "^[%w_-]$" or code >= 0x4E00 and code <= 0x9FFF) and char or ""
  end)
end

--- A link's target as seen from this checkout's root, and the heading in it: "docs/kinds.md", "#unix".
local function resolved(page, target)
  local name, heading = target:match "^([^#]*)(.*)$"
  if name == "" then return page.name, heading end
  name = (page.name:match "^.*/" or "") .. name
  return name:gsub("%f[^/%z]%w+/%.%./", ""), heading
end

--- The headings of a page: how many stand before each, by its anchor.
local function headings(page)
  local numbers, count = {}, 0
  for heading in ("\n" .. page.prose):gmatch "\n#+ ([^\n]+)" do
    local name = anchor(heading)
    assert(not numbers[name], page.name .. " has two headings like " .. heading)
    numbers[name], count = count, count + 1
  end
  return numbers
end

--- What no language changes, as a string: a block as it is; else what kind of part this is, and the code, the targets
--- of links and the numbers in it, each once and in no order. A link to a page is the same in whatever language, and a
--- heading is its number.
local function essence(part, page)
  local whole = table.concat(part, part.kind and "\n" or " ")
  if part.kind then return part.kind .. "\n" .. whole end
  local found = {}
  local function take(what)
    found[what] = true
    return " "
  end
  local rest = whole:gsub("`[^`]+`", take):gsub("%]%(([^)]+)%)", function(target)
    local name, heading = resolved(page, target)
    local linked = byname[name]
    if linked and heading ~= "" then heading = "#" .. tostring(headings(linked)[heading]) end
    return take(target:find "^https:" and target or name:gsub("%.zh%-TW", "") .. heading)
  end)
  rest:gsub("%d+", take)
  local list = {}
  for what in pairs(found) do list[#list + 1] = what end
  table.sort(list)
  local kind = whole:match "^#+" or whole:find "^|" and rest:gsub("[^|]", "") or whole:match "^%d+%." or "text"
  return kind .. ": " .. table.concat(list, ", ")
end

---------------------------------------------------------------------------------------------------

for _, page in ipairs(pages) do
  describe(page.name .. " #process", function()
    for _, block in ipairs(page.blocks) do
      it(("shows in line %d (%s) what really comes"):format(block.line, block.kind), function()
        local run = kinds[block.kind] or error("no way is known to run a block of the kind '" .. block.kind .. "'", 0)
        run(block)
      end)
    end
  end)
end

describe("README.md and the guides #process", function()
  it("have a session, a drawing, scripts, a server with its client, and commands", function()
    local count = {}
    for _, page in ipairs(pages) do
      for _, block in ipairs(page.blocks) do count[block.kind] = (count[block.kind] or 0) + 1 end
    end
    for kind in pairs(kinds) do assert.is_true((count[kind] or 0) > 0, kind) end
  end)

  -- Of a table with a column for others, the last one is ours.
  it("name no function and no method that does not exist", function()
    local ours = ("\n" .. prose .. "\n"):gsub("\n|[^\n]-([^|\n]*)|%f[\n]", "\n%1"):gsub("%.%.%. |", "")
    local s <close> = socket.socket()
    local p <close> = socket.poller()
    local owners = { socket = socket, s = s, u = s, p = p, poller = p, c = s, client = s, server = s,
      loop = require "bsdsocket.loop" }
    local count = 0
    for code in ours:gmatch "`([^`]+)`" do
      for owner, name in code:gmatch "%f[%w_]([%a_]+)[.:]([%l_]+)%(" do
        count = count + 1
        assert(owners[owner], "whose method is it? " .. code)
        assert(owners[owner][name], "it does not exist: " .. code)
      end
    end
    assert.is_true(count > 20)
  end)

  it("name no constant and no code that does not exist", function()
    local count = 0
    for code in text:gmatch '["`](%u[%u%d_]+)["`]' do
      count = count + 1
      assert(socket[code] or code == "LICENSE" or code:find "^CAP_", code)
    end
    assert.is_true(count > 30)
  end)

  it("show every example that there is", function()
    for name in helper.shell "ls examples":gmatch "%d%d_[%w_]+%.lua" do
      assert.is_truthy(prose:find("(../examples/" .. name .. ")", 1, true), name)
    end
  end)

  it("tell the cost as the benchmark demands it", function()
    local goals = helper.read "bench/instr_goals.txt"
    local instructions = goals:match "\nsend %+ recv *| *(%d+)"
    local bytes = goals:match "\nbytes of an idle socket *| *(%d+)"
    assert.match("take at most " .. instructions .. " instructions", prose)
    assert.match("an idle socket at most " .. bytes .. " bytes", prose)
  end)
end)

describe("docs/errors.md", function()
  it("has a row for each code that the reference lists", function()
    local count = 0
    for code in helper.shell "cat docs/reference.md docs/reference/*.md 2>/dev/null":gmatch "\n%* `(E[%u%d_]+)`[:,]" do
      count = count + 1
      local row = byname["docs/errors.md"].prose:find("\n|[^|]*`" .. code .. "`[^|]*|")
      assert(row, code)
    end
    assert.is_true(count > 100)
  end)
end)

describe("README.md", function()
  it("is short: at most 250 lines", function()
    assert.is_true(select(2, byname["README.md"].text:gsub("\n", "")) <= 250)
  end)
end)

local linked = {}
for _, guide in ipairs(guides) do
  for _, name in ipairs(guide) do linked[#linked + 1] = byname[name] end
end
for _, name in ipairs(others) do linked[#linked + 1] = parse(name) end

for _, page in ipairs(linked) do
  describe(page.name, function()
    it("links to what is there", function()
      for target in page.prose:gmatch "%]%(([^)]+)%)" do
        if not target:find "^https://" then
          local name, heading = resolved(page, target)
          local there = byname[name] or helper.read(name) and name:find "%.md$" and heading ~= "" and parse(name)
          assert(heading == "" or there and headings(there)[heading], target)
        end
      end
    end)
  end)
end

for _, guide in ipairs(guides) do
  local page, translation = byname[guide[1]], byname[guide[2]]
  describe(translation.name, function()
    it("has the blocks, headings and tables of " .. page.name .. ", and in each paragraph its code, links and numbers",
      function()
        for i = 1, math.max(#page.parts, #translation.parts) do
          local a, b = page.parts[i], translation.parts[i]
          local one = a and essence(a, page) or "nothing"
          local other = b and essence(b, translation) or "nothing"
          if one ~= other then
            error(("%s:%s has\n%s\nand %s:%s has\n%s"):format(page.name, a and a.line or "end", one,
              translation.name, b and b.line or "end", other), 0)
          end
        end
      end)
  end)
end
