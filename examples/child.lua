-- child.lua: another program, running beside this one. Its lines are read under a deadline, so that nobody
-- waits for ever, and it is ended when it is no longer wanted. No example itself: demo.lua and run.lua use it.
local socket = require "bsdsocket"

local child = {}
child.__index = child

--- text as one word of a shell command
function child.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Starts a shell command; what it prints, errors too, is read by `line`.
function child.start(command)
  -- The shell prints its process id, and then becomes the program.
  local pipe = assert(io.popen("echo $$; exec " .. command .. " 2>&1"))
  pipe:setvbuf "no" -- lines read ahead would lie where select does not see them
  return setmetatable({pipe = pipe, pid = pipe:read "l", begun = ""}, child)
end

--- The next line; nil at the end of the output, or when there was none before the deadline, and then "timeout".
function child:line(deadline)
  while true do -- byte by byte: nobody knows whether the rest of a line will ever come
    local readable = assert(socket.select({self.pipe}, nil, math.max(0, deadline - socket.monotime())))
    if not readable[1] then return nil, "timeout" end
    local byte = self.pipe:read(1)
    local line = self.begun
    if byte and byte ~= "\n" then
      self.begun = line .. byte
    else
      self.begun = ""
      return (byte or line ~= "") and line or nil
    end
  end
end

--- Waits for the end of a program whose output has ended: its exit status, 128 + n if signal n ended it.
function child:wait()
  local pipe = self.pipe
  if not pipe then return end
  self.pipe = nil
  local _, how, code = pipe:close()
  return how == "signal" and 128 + code or code
end

function child:kill(signal)
  return self.pipe and os.execute("kill -" .. (signal or "KILL") .. " " .. self.pid .. " 2>/dev/null")
end

function child:__close()
  self:kill()
  self:wait()
end

return child
