-- What system calls a piece of a script makes.
--
--   trace(code, meanwhile, ...)   runs `code` under strace with `...` as its arguments. For each part of it between
--                                 begin() and done() gives the names of its system calls, memory's left out, in
--                                 one string with spaces. meanwhile(n), if given, is called at the n-th begin().
--   trace.output                  the last trace
local helper = require "spec.helper"

local trace = {}

local memory = {brk = true, mmap = true, munmap = true, mremap = true, madvise = true}

local function run(_, code, meanwhile, ...)
  if not os.execute "strace -o /dev/null true 2>/dev/null" then
    helper.skip "strace is not here, or may not look at other processes"
  end
  local script, output = helper.tmpname(), helper.tmpname()
  local file <close> = assert(io.open(script, "w"))
  file:write([[
    local socket = require "bsdsocket"
    io.stdout:setvbuf "full"
    local function begin() io.write "(\n" io.flush() end
    local function done() io.write ")\n" io.flush() end
  ]], code)
  file:close()
  local pipe <close> = assert(io.popen("exec 2>&1; strace -o " .. output .. " env " .. helper.command(script, ...)))
  local n = 0
  for line in pipe:lines() do
    if line == "(" then
      n = n + 1
      if meanwhile then meanwhile(n) end
    elseif line ~= ")" then
      error(line .. "\n" .. pipe:read "a")
    end
  end
  local lists, current, lines = {}, nil, {}
  for line in io.lines(output) do
    local name = line:match "^([%w_]+)%("
    lines[#lines + 1] = line
    if name == "write" and line:find '^write%(1, "[()]\\n"' then
      current = line:find('"(', 1, true) and {} or nil
      lists[#lists + 1] = current
    elseif name and current and not memory[name] then
      current[#current + 1] = name
    end
  end
  for i, list in ipairs(lists) do lists[i] = table.concat(list, " ") end
  trace.output = table.concat(lines, "\n")
  return lists
end

return setmetatable(trace, {__call = run})
