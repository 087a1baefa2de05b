-- 01_server.lua: waits for clients, prints what each one sends, and answers.
--
--   lua5.4 examples/01_server.lua [host [port [rounds]]]
--
-- Without rounds it runs until Ctrl-C. Port 0 lets the system choose a free one; the first line says which.
-- run by: demo.lua

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local host, port, rounds = arg[1] or "127.0.0.1", arg[2] or 8001, tonumber(arg[3]) or math.huge

local function handle_request(connection)
  local answer = "hello, " .. tostring(connection:getpeername())
  local sent, message = connection:sendall(answer)
  print("send", sent and answer or message)
end

local function main()
  local server <close> = assert(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0)) -- 0: its usual protocol, TCP
  assert(server:setsockopt("SO_REUSEADDR", true)) -- else the port rests for a minute after each run
  assert(server:bind(host, port))
  assert(server:listen(5))
  print("socket, bind, listen", server:getsockname())

  for _ = 1, rounds do
    print("accept", "waiting for a client")
    local connection, address = assert(server:accept())
    print("accept", tostring(address) .. " came")
    local buf, message = connection:recv(1024)
    print("recv", buf or message)
    handle_request(connection)
    connection:close()
    print("close", "connection")
  end
end

io.stdout:setvbuf "line"
main()
