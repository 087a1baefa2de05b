-- Tells where this Lua finds the modules that are named as arguments, with all that is below them: lines
-- `from to`, each of two files or two directories, so that /lua/?.lua, /lua/?/init.lua and /lua/?.so find
-- them again. What Lua would take comes first.

local function exists(name)
  local file <close> = io.open(name)
  return file ~= nil
end

local told = {}

local function tell(from, to)
  if not exists(from) then return false end
  if not told[from] then print(from, to) end
  told[from] = true
  return true
end

for _, name in ipairs(arg) do
  local found = false
  for top, ending in (package.path .. ";" .. package.cpath):gmatch "([^;?]*)%?([^;?]*)" do
    if not ending:find "/" then found = tell(top .. name .. ending, name .. ending) or found end
    -- all of the directory, init.lua too; never one of the current directory that happens to be called so
    if top ~= "./" then found = tell(top .. name .. "/.", name) or found end
  end
  if not found then
    io.stderr:write("Lua's module ", name, " is not here\n")
    os.exit(1)
  end
end
