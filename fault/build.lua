-- Builds the C files of this directory for the specs that need them, by the compiler that built the library.
-- local alloc = require "fault.build" "alloc"    nil if there is no compiler; else the module, once built
-- local engine = require "fault.build" ("engine", "-DBS_ENGINE_POLL")    the same, built with such flags
local helper = require "spec.helper"

local built = {}

return function(name, flags)
  flags = flags or ""
  local key = name .. flags
  if built[key] then return built[key] end
  local dir = helper.tmpdir()
  local output, status = helper.shell(([[
    cd %s && include=$(sh tools/find.sh include) || exit
    case $(uname -s) in Darwin) how='-bundle -undefined dynamic_lookup' ;; *) how=-shared ;; esac
    ${CC:-cc} -std=c99 -g -O1 -DBS_ASSERT -Wall -Wextra -Icsrc -I"$include" -fPIC $how %s -o %s/%s.so fault/%s.c
  ]]):format(helper.quote(helper.root), flags, dir, name, name))
  if status == 127 then return nil end
  assert(status == 0, output)
  built[key] = assert(package.loadlib(("%s/%s.so"):format(dir, name), "luaopen_" .. name))()
  return built[key]
end
