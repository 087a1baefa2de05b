-- Draws the floors of csrc from its #includes: which file of which room knows which others.
--   lua tools/floors.lua            the plan: each room with its files, and what these include of their own room
--   lua tools/floors.lua check      fails where a file includes one of a floor above its own, and where files of one floor
--                                   know each other in a circle that docs/inside.md does not name
-- A file is a name without its ending: socket.c and socket.h are one.

local FLOORS = { "base", "object", "op", "loop", "call", "" } -- from the ground up; "" is csrc itself
local level = {}
for i, name in ipairs(FLOORS) do level[name] = i end

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

--- "object/socket" -> { ["base/state"] = true, ... }
local function includes()
  local known = {}
  local list <close> = assert(io.popen "find csrc -name '*.[ch]'")
  for path in list:lines() do
    local name = path:match "^csrc/(.*)%.[ch]$"
    local knows = known[name] or {}
    known[name] = knows
    for other in read(path):gmatch '\n%s*#%s*include "([%w_/]+)%.h"' do
      if not other:find "/" and name:find "/" then other = name:match ".*/" .. other end
      if other ~= name then knows[other] = true end
    end
  end
  for _, knows in pairs(known) do
    for other in pairs(knows) do
      if not known[other] then knows[other] = nil end -- Lua's own
    end
  end
  return known
end

local function room(name) return name:match "^(.*)/" or "" end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- Those that can be come to from `name` without leaving its floor.
local function reach(known, name)
  local seen, todo = {}, { name }
  while #todo > 0 do
    for other in pairs(known[table.remove(todo)]) do
      if room(other) == room(name) and not seen[other] then
        seen[other] = true
        todo[#todo + 1] = other
      end
    end
  end
  return seen
end

--- Each circle once, as a sorted list of names.
local function circles(known)
  local reached, list, done = {}, {}, {}
  for name in pairs(known) do reached[name] = reach(known, name) end
  for _, name in ipairs(sorted(known)) do
    if reached[name][name] and not done[name] then
      local circle = {}
      for other in pairs(reached[name]) do
        if reached[other][name] then
          circle[other] = true
          done[other] = true
        end
      end
      list[#list + 1] = sorted(circle)
    end
  end
  return list
end

local function check(known)
  local good = true
  local function wrong(...)
    print(string.format(...))
    good = false
  end
  for _, name in ipairs(sorted(known)) do
    local floor = level[room(name)]
    if not floor then wrong("csrc/%s is in no room that tools/floors.lua knows", name) end
    for _, other in ipairs(floor and sorted(known[name]) or {}) do
      if (level[room(other)] or 0) > floor then wrong("csrc/%s goes up to csrc/%s.h", name, other) end
    end
  end
  local map = read "docs/inside.md"
  for _, circle in ipairs(circles(known)) do
    local names = table.concat(circle, ", ")
    if not map:find("`" .. names .. "`", 1, true) then
      wrong("a circle that docs/inside.md does not name: `%s`", names)
    end
  end
  return good
end

local function draw(known)
  for i = #FLOORS, 1, -1 do
    print(FLOORS[i] == "" and "csrc" or "csrc/" .. FLOORS[i])
    for _, name in ipairs(sorted(known)) do
      if room(name) == FLOORS[i] then
        local beside = {}
        for other in pairs(known[name]) do
          if room(other) == room(name) then beside[other:match "[^/]+$"] = true end
        end
        print(("  %-14s %s"):format(name:match "[^/]+$", table.concat(sorted(beside), " ")))
      end
    end
  end
  for _, circle in ipairs(circles(known)) do print("a circle: " .. table.concat(circle, ", ")) end
end

if arg[1] == "check" then
  os.exit(check(includes()))
else
  draw(includes())
end
