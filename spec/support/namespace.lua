-- A network of their own for specs: it has a loopback interface and nothing else, and whoever is in it may do all.
--
--   it("does this", namespace.inside(function(skip) ... end))
--
--   namespace.words()           the words of a shell command that run the command after them there; skips where it
--                               cannot be had
--   namespace.ifany(command)    the shell command that runs this one there, if it can be had
--
-- The function runs in a Lua of its own. Of the file around it there are only `socket`, the library, and `netlink`,
-- spec/support/netlink.lua; `assert` is that of all specs. `skip(reason)` is helper.skip. What follows the function in
-- the call of `inside` comes after `skip`, as strings.
local helper = require "spec.support.helper"

local namespace = {}

local RUN = [[
  package.loaded.luassert = nil
  assert = require "luassert"
  local outside = { socket = require "bsdsocket", netlink = require "spec.support.netlink", _ENV = _G }
  local skipped = {}
  local function skip(reason) error(setmetatable({ reason = reason }, skipped)) end
  local f = assert(loadfile(arg[1], "b"))
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if not name then break end
    debug.setupvalue(f, i, outside[name])
  end
  local ok, err = xpcall(function()
    local done, code = outside.netlink.up(1)
    if not done then error("lo does not come up: " .. tostring(code)) end
    f(skip, table.unpack(arg, 2))
  end, function(e) return getmetatable(e) == skipped and e or debug.traceback(tostring(e)) end)
  print(ok and "fine" or type(err) == "table" and "skip: " .. err.reason or err)
]]

local way -- the words of the shell that make one; false: none do

local function find()
  for _, words in ipairs { "unshare -n", "unshare -rn" } do
    if helper.shell(words .. " true && echo yes") == "yes\n" then return words end
  end
  return false
end

--- The words of a shell command that run the command after them there; skips where it cannot be had.
function namespace.words()
  if way == nil then way = find() end
  return way or helper.skip "no network namespace can be made here"
end

--- The shell command that runs `command` there, with loopback up; `command` itself where that cannot be had.
function namespace.ifany(command)
  if way == nil then way = find() end
  if not way then return command end
  local up = "env " .. helper.command("-e", "assert(require 'spec.support.netlink'.up(1))")
  return ("%s sh -c %s"):format(way, helper.quote(up .. " && " .. command))
end

function namespace.inside(f, ...)
  local rest = table.pack(...)
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if not name then break end
    if name ~= "socket" and name ~= "netlink" and name ~= "_ENV" then error("there is no " .. name .. " inside", 2) end
  end
  return function()
    local words = namespace.words()
    local script = helper.saved(string.dump(f))
    local output = helper.shell("exec " .. words .. " env " .. helper.command("-e", RUN, "/dev/null", script,
      table.unpack(rest)))
    local reason = output:match "^skip: ([^\n]*)\n$"
    if reason then helper.skip(reason) end
    if output ~= "fine\n" then error(output, 0) end
  end
end

return namespace
