-- What system calls a piece of a script makes.
--
--   trace(code, meanwhile, ...)   runs `code` under strace with `...` as its arguments. For each part of it between
--                                 begin() and done() gives the names of its system calls, memory's left out, in
--                                 one string with spaces; and as a second result, for each part the array of what
--                                 strace wrote of them. meanwhile(n), if given, is called at the n-th begin().
--   trace.needs()                 skips the test where nothing can be traced
local helper = require "spec.support.helper"

local trace = {}

local memory = {brk = true, mmap = true, munmap = true, mremap = true, madvise = true}

function trace.needs()
  -- what watches makes calls of its own
  if helper.instrumented or not os.execute "strace -o /dev/null true 2>/dev/null" then
    helper.skip "strace is not here, or may not look at other processes"
  end
end

local function run(_, code, meanwhile, ...)
  trace.needs()
  local output = helper.tmpname()
  local script = helper.saved([[
    local socket = require "bsdsocket"
    io.stdout:setvbuf "full"
    local function begin() io.write "(\n" io.flush() end
    local function done() io.write ")\n" io.flush() end
  ]], code)
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
  local names, lines, current = {}, {}, nil
  for line in io.lines(output) do
    local name = line:match "^([%w_]+)%("
    if name == "write" and line:find '^write%(1, "[()]\\n"' then
      current = line:find('"(', 1, true) and #names + 1 or nil
      if current then names[current], lines[current] = {}, {} end
    elseif name and current and not memory[name] then
      table.insert(names[current], name)
      table.insert(lines[current], line)
    end
  end
  for i, list in ipairs(names) do names[i] = table.concat(list, " ") end
  return names, lines
end

return setmetatable(trace, {__call = run})
