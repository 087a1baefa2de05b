-- Loaded by busted before any spec; a spec gets it by `local helper = require "spec.support.helper"`.
--
--   helper.fails(name, code, ...)      `...` are the results of a call that had to fail with that code;
--                                      gives its message and its fourth value
--   helper.raises(name, pattern, f, ...)  f(...) had to raise an error that matches; gives the error
--   helper.skip(reason)                ends a test here as skipped; each reason is a line of spec/skips.txt
--   helper.collects()                  says that in this test the collector is to close what is left open
--   helper.descriptors([highest])      how many descriptors are open, up to 255 or that one
--   helper.tmpname(), helper.tmpdir()  a free name, a new directory; both are gone after the test
--   helper.read(name)                  what a file holds
--   helper.save(name, ...)             makes a file that holds these strings
--   helper.saved(...)                  the name of one that is gone after the test
--   helper.command(...)                a shell command that runs this Lua on this checkout, for io.popen
--   helper.lua(...)                    runs it to its end: its output (stdout and stderr) and its status
--   helper.shell(command)              the same for any shell command
--   helper.installed(share, lib, ...)  runs this Lua with these directories alone on its paths, away from here
--   helper.version                     of the Lua that runs: "5.4"
--   helper.libraries                   the names that Lua's C library may have here
--   helper.noerror                     what Lua makes of the error value nil
--   helper.list(...)                   a list as long as this, with holes where there is nil
--   helper.collector(name, value)      sets "pause" or "stepmul" of the collector; gives what it was
--   helper.eager(), helper.lazy()      the collector goes a whole cycle with each bit of memory; as it was
--   helper.EAGER                       the first as code, for other processes
--   helper.exported(file)              the names that are seen from outside of a shared object, in a list
--   helper.macros(source)              iterates over the names of the macros that C source has, as the compiler sees it
--   helper.quote(text)                 text as one word of a shell command
--   helper.NO_DESCRIPTOR               why to skip, where the engine is poll, what rests on the descriptor of an engine
--   helper.engine()                    how the library was built: "epoll", "kqueue", or "poll", which has no descriptor
--   helper.root                        the checkout's directory
--   helper.instrumented                "asan" or "valgrind" where one of them watches, which takes time and memory
--
-- By itself it fails every test that leaves a descriptor open, and, when the whole suite ran, every row
-- of spec/support/failures.lua that no helper.fails or helper.raises provoked.
-- `name` is the call as spec/support/failures.lua calls it: "socket.bind", "s:bind", "buf:sub".

local busted = require "busted"

local helper = {}
-- busted runs this file instead of requiring it, and forgets between files only what is loaded later.
package.loaded["spec.support.helper"] = helper

local function capture(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "a"
  local _, how, code = pipe:close()
  return output, how == "signal" and 128 + code or code
end

function helper.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local quote = helper.quote
local root = capture "pwd -P":gsub("\n$", "")
local build = os.getenv "BSDSOCKET_BUILD" or "build"
helper.version = _VERSION:match "%d+%.%d+"
local LUA_PATH = "LUA_PATH_" .. helper.version:gsub("%.", "_")
local LUA_CPATH = "LUA_CPATH_" .. helper.version:gsub("%.", "_")

-- The names that Lua's C library may have.
helper.libraries = { "lua" .. helper.version, "lua" .. helper.version:gsub("%.", ""), "lua-" .. helper.version, "lua" }

-- Where `error(nil)` is caught.
helper.noerror = helper.version ~= "5.4" and "<no error object>" or nil

-- To 5.5 a constructor's list ends at the first nil that is followed by others; so its length is said.
function helper.list(...)
  local n = select("#", ...)
  return setmetatable({ ... }, { __len = function() return n end })
end

-- Lua 5.5 has one option for all of its parameters.
function helper.collector(name, value)
  if helper.version == "5.4" then return collectgarbage("set" .. name, value) end
  return collectgarbage("param", name, value)
end

-- The collector goes a whole cycle with each bit of memory; helper.lazy: as it was.
helper.EAGER = [[
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 1, 1000, 30)
    collectgarbage("setpause", 0)
  else
    collectgarbage "incremental"
    for name, value in pairs { pause = 0, stepmul = 0, stepsize = 1 } do collectgarbage("param", name, value) end
  end
]]
helper.eager = load(helper.EAGER)

function helper.lazy()
  if helper.version == "5.4" then return collectgarbage("incremental", 1000, 100, 13) end
  for name, value in pairs { pause = 1000, stepmul = 200, stepsize = 9600 } do collectgarbage("param", name, value) end
end

local interpreter = os.getenv "LUA"
if not interpreter or interpreter == "" then
  local first = 0
  while arg and arg[first - 1] do first = first - 1 end
  interpreter = arg and arg[first] or "lua" .. helper.version
end
-- A relative one is to work from other directories too.
if interpreter:find "^[^/]+/" then interpreter = root .. "/" .. interpreter end
helper.root = root
helper.instrumented = os.getenv "BSDSOCKET_INSTRUMENTED"

-- One and the same module for every spec; busted would load it anew for each file.
-- Where it is not built yet its own specs say so better than this file could.
pcall(require, "bsdsocket")

-- Garbage of one test is not to close, by chance, what the test left open.
collectgarbage()
helper.collector("pause", 1000)

---------------------------------------------------------------------------------------------------
-- Descriptors

local HIGHEST = 255

-- select refuses closed ones; it is asked some thousand times for each test, and /proc would take seven times as long.
local isopen
do
  local loaded, socket = pcall(require, "bsdsocket")
  if loaded then
    local try, one = socket.select, {}
    function isopen(fd)
      one[1] = fd
      local _, _, code = try(one, nil, 0)
      return code ~= "EBADF"
    end
  else
    print "spec/support/helper.lua: no way to tell which descriptors are open; leaks go unseen"
    function isopen() return false end
  end
end

local function openset(highest)
  local set = {}
  for fd = 0, highest or HIGHEST do
    if isopen(fd) then set[fd] = true end
  end
  return set
end

function helper.descriptors(highest)
  local count = 0
  for _ in pairs(openset(highest)) do count = count + 1 end
  return count
end

-- What is open now and was not then, or nil; each is told once.
local function leaked(before)
  local list = {}
  for fd in pairs(openset()) do
    if not before[fd] then
      before[fd] = true
      -- $PPID of popen's shell is this process
      local what = capture("readlink /proc/$PPID/fd/" .. fd .. " 2>&1"):gsub("\n$", "")
      -- the sanitizers keep open what they write to
      if not what:find "/build[^/]*/report%.%d+$" then
        list[#list + 1] = what ~= "" and fd .. " (" .. what .. ")" or tostring(fd)
      end
    end
  end
  table.sort(list)
  return list[1] and table.concat(list, ", ")
end

---------------------------------------------------------------------------------------------------
-- The test that runs

local current -- busted's element of it, or nil between tests
local before, filebefore
local collects = false
local temporary, kept = {}, {}

local function remove(names)
  for i = #names, 1, -1 do
    if not os.remove(names[i]) then os.execute("rm -rf " .. quote(names[i])) end
    names[i] = nil
  end
end

local function fullname(element)
  local name = element.name or element.descriptor
  local parent = busted.parent(element)
  if parent and parent.name and parent.descriptor ~= "file" then
    return fullname(parent) .. " " .. name
  end
  return name
end

busted.subscribe({ "file", "start" }, function()
  filebefore = openset()
  return nil, true
end)

-- Of a run that crashed or hung, this file names the test.
local running = build .. "/running"

busted.subscribe({ "test", "start" }, function(element)
  current = element
  local file = io.open(running, "w")
  if file then
    file:write(fullname(element), "\n")
    file:close()
  end
  return nil, true
end)

-- At the root: the first to run before a test, the last to run after it.
busted.before_each(function()
  collects = false
  before = openset()
end)

busted.after_each(function()
  local name = current and fullname(current) or "?"
  current = nil
  if collects then
    collectgarbage()
    collectgarbage()
  end
  remove(temporary)
  local list = leaked(before)
  if list then
    for fd in pairs(before) do filebefore[fd] = true end
    error("left open by '" .. name .. "': descriptor " .. list, 0)
  end
end)

busted.subscribe({ "file", "end" }, function(file)
  local list = leaked(filebefore)
  if list then error("left open by a setup of " .. file.name .. ": descriptor " .. list, 0) end
  return nil, true
end)

function helper.collects() collects = true end

function helper.skip(reason)
  current.env.pending(reason)
end

helper.NO_DESCRIPTOR = "poll has no descriptor for a select, which looks now and then"

function helper.engine()
  local p <close> = assert(require "bsdsocket".poller())
  return tostring(p):match "(%a+), 0 added"
end

local function remember(name)
  local list = current and temporary or kept
  list[#list + 1] = name
  return name
end

function helper.tmpname()
  local name = os.tmpname()
  os.remove(name)
  return remember(name)
end

function helper.tmpdir()
  local name = helper.tmpname()
  assert(os.execute("mkdir -m 700 " .. quote(name)))
  return name
end

function helper.read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

function helper.save(name, ...)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(...))
end

function helper.saved(...)
  local name = helper.tmpname()
  helper.save(name, ...)
  return name
end

---------------------------------------------------------------------------------------------------
-- Other programs

function helper.command(...)
  local words = {
    "BSDSOCKET_BUILD=" .. quote(build),
    "LUA=" .. quote(interpreter),
    LUA_PATH .. "=" .. quote(("R/lua/?.lua;R/lua/?/init.lua;R/?.lua;"):gsub("R", function() return root end)
      .. package.path),
    LUA_CPATH .. "=" .. quote((build:find "^/" and build or root .. "/" .. build) .. "/?.so;" .. package.cpath),
    quote(interpreter),
  }
  for i = 1, select("#", ...) do
    words[#words + 1] = quote((select(i, ...)))
  end
  return table.concat(words, " ")
end

-- A program that does not end is to fail its own spec (with status 124), not to hold up all of them.
local bounded = capture "command -v timeout" ~= "" and "timeout -k 5 240 " or ""

function helper.shell(command)
  return capture("exec " .. bounded .. "sh -c " .. quote(command) .. " </dev/null 2>&1")
end

function helper.macros(source)
  local name = helper.saved('#include "base/prefix.h"\n', source)
  local cc = os.getenv "CC"
  local command = ("%s -std=c99 -I csrc -x c -dM -E %s"):format(cc and cc ~= "" and cc or "cc", quote(name))
  local output, status = helper.shell(command)
  assert(status == 0, output)
  return output:gmatch "#define (%w[%w_]*) "
end

function helper.lua(...)
  return helper.shell("exec env " .. helper.command(...))
end

function helper.installed(share, lib, ...)
  local words = {
    "cd / && " .. LUA_PATH .. "=" .. quote(share .. "/?.lua;" .. share .. "/?/init.lua"),
    LUA_CPATH .. "=" .. quote(lib .. "/?.so"),
    quote(interpreter),
  }
  for i = 1, select("#", ...) do
    words[#words + 1] = quote((select(i, ...)))
  end
  return helper.shell(table.concat(words, " "))
end

function helper.exported(file)
  local seen, names = {}, helper.shell("nm -D --defined-only " .. quote(file))
  for name in names:gmatch "%x+ %a ([^\n]+)" do seen[#seen + 1] = name end
  return seen
end

---------------------------------------------------------------------------------------------------
-- Failures

local provoked = {}

local function record(name, code)
  provoked[name .. " " .. code] = true
end

function helper.fails(name, code, ...)
  local result, message, gotten, fourth = ...
  if result ~= nil then
    busted.fail(("%s returned %s; it had to fail with %s"):format(name, tostring(result), code), 2)
  elseif type(message) ~= "string" then
    busted.fail(("%s returned nil and a message that is %s"):format(name, type(message)), 2)
  elseif gotten ~= code then
    busted.fail(("%s failed with %s (%s); it had to be %s"):format(name, tostring(gotten), message, code), 2)
  end
  local own = name:match "[^.:]+$"
  if message:sub(1, #own) ~= own or message:find("^[%w_]", #own + 1) then
    busted.fail(("the message of %s has to begin with '%s': %s"):format(name, own, message), 2)
  end
  record(name, code)
  return message, fourth
end

function helper.raises(name, pattern, f, ...)
  local ok, err = pcall(f, ...)
  if ok then
    busted.fail(("%s raised no error; it had to raise '%s'"):format(name, pattern), 2)
  elseif not tostring(err):find(pattern) then
    busted.fail(("%s raised '%s'; it had to match '%s'"):format(name, tostring(err), pattern), 2)
  end
  record(name, "argument")
  return err
end

-- Any file, filter or tag asked for: then what was not provoked proves nothing.
local function whole()
  for i = 1, #arg do
    if not (arg[i] == "--ignore-lua" or arg[i]:find "^%-%-shuffle" or arg[i]:find "^%-v") then return false end
  end
  return true
end

busted.teardown(function()
  os.remove(running)
  remove(kept)
  local rows = loadfile "spec/support/failures.lua"
  if not rows or not whole() then return end
  rows = rows()
  local excused = rows.skip or {}
  local missing = {}
  for name, codes in pairs(rows) do
    for _, code in ipairs(name ~= "skip" and codes or {}) do
      local row = name .. " " .. code
      if not provoked[row] then
        if excused[row] then
          print("\nnot provoked: " .. row .. ": " .. excused[row])
        else
          missing[#missing + 1] = row
        end
      end
    end
  end
  table.sort(missing)
  if missing[1] then
    error("failures of spec/support/failures.lua that no spec provoked:\n  " .. table.concat(missing, "\n  "), 0)
  end
end)
