-- 02_client.lua: connects to the server of 01_server.lua, sends a word, prints the answer; again and again.
--
--   lua5.4 examples/02_client.lua [host [port [rounds]]]
--
-- Without rounds it runs until Ctrl-C, and rests for a second after each round.
-- run by: demo.lua

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local host, port, rounds = arg[1] or "localhost", arg[2] or 8001, tonumber(arg[3]) or math.huge

local function main()
  for _ = 1, rounds do
    local client <close> = assert(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0)) -- 0: its usual protocol, TCP
    print("socket")
    local connected, message, code = client:connect(host, port)
    if code == "ECONNREFUSED" then -- no mistake of this program: one line is enough
      io.stderr:write(message, " (is the server running? lua5.4 examples/01_server.lua starts it)\n")
      os.exit(1, true)
    end
    assert(connected, message)
    print("connect", tostring(client:getsockname()) .. " to " .. tostring(client:getpeername()))
    assert(client:send("hihihi"))
    print("send", "hihihi")
    local buf = assert(client:recv(1024))
    print("recv", buf)
    client:close()
    print("close")
    if rounds == math.huge then socket.select(nil, nil, 1) end -- waits for nothing, but for a second
  end
end

io.stdout:setvbuf "line"
main()
