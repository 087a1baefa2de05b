-- 21_scan.lua: which ports of a machine answer? Tried one after the other, each silent one would cost its full timeout;
-- so 200 tasks try at the same time. Look at machines of your own only: others may take it for a burglar's work.
--
--   lua5.4 examples/21_scan.lua [host [first [last]]]
--
-- run: 127.0.0.1 1 65535

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

local TASKS, SECONDS = 200, 1
local host = arg[1] or "127.0.0.1"
local first, last = math.tointeger(arg[2]) or 1, math.tointeger(arg[3]) or 65535

-- Called by all tasks. None is interrupted but where it waits, so nothing has to be locked.
local nextport = first - 1
local function take()
  if nextport < last then
    nextport = nextport + 1
    return nextport
  end
end

local counts, open = {refused = 0, silent = 0}, {}

local function try(address, port)
  local s <close>, message, code = socket.connect(address, port, {timeout = SECONDS})
  if code == "ECONNREFUSED" then
    counts.refused = counts.refused + 1
  elseif code == "timeout" then
    counts.silent = counts.silent + 1
  elseif not s then
    error(message, 0)
  elseif s:getsockname() == s:getpeername() then
    -- On this machine the system may choose the very port that we try as our own, and TCP lets a socket call itself.
    counts.refused = counts.refused + 1
  else
    open[#open + 1] = port
  end
end

local function scan(address)
  for port in take do try(address, port) end
end

local function main()
  -- asked once, not by each task
  local address = assert(socket.getaddrinfo(host, nil, {type = "SOCK_STREAM"}))[1].address.host
  local mine <close> = assert(socket.listen("127.0.0.1", 0)) -- so that there is one to be found here
  local start, tasks = loop.now(), {}
  for i = 1, TASKS do tasks[i] = loop.spawn(scan, address) end
  for _, task in ipairs(tasks) do
    local ok, message = task:join()
    if not ok then error(message, 0) end -- ends the other tasks, too
  end
  table.sort(open)
  for _, port in ipairs(open) do
    print(port, port == mine:getsockname().port and "this script" or socket.getservbyport(port) or "?")
  end
  print(("%d open, %d refused, %d silent in %.1f s"):format(#open, counts.refused, counts.silent, loop.now() - start))
end

io.stdout:setvbuf "line"
loop.run(main)
