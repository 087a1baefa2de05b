-- 22_proxy.lua: stands between clients and a server, and hands on what each side says: a relay, a load balancer or a
-- logger begins like this. Each connection has two tasks, one for each direction.
--
--   lua5.4 examples/22_proxy.lua port host [hostport]
--
-- Until Ctrl-C; `lua5.4 examples/22_proxy.lua 8080 www.example.org 80`, then `curl -H 'Host: www.example.org'
-- 127.0.0.1:8080`. Without arguments server and client are tasks of this script, and it ends.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

local HOST = "127.0.0.1" -- this machine only; "*" is for everybody
local port, target, targetport = arg[1], arg[2], arg[3] or 80

-- One buffer is filled and emptied again and again: whatever passes, no strings are made of it.
local function pass(from, to)
  local buffer = socket.buffer(65536)
  local count = from:recvinto(buffer)
  while count and count > 0 and to:sendall(buffer, nil, 1, count) do
    count = from:recvinto(buffer)
  end
  if count == 0 then
    to:shutdown "SHUT_WR" -- this side has no more to say; the other may have
  else
    from:close() -- a failure: wakes the task of the other direction, with EBADF
    to:close()
  end
end

local function serve(accepted, address)
  local client <close> = accepted
  local server <close>, message = socket.connect(target, targetport, {timeout = 10})
  if not server then return print("proxy", message) end
  print("proxy", ("%s to %s"):format(address, server:getpeername()))
  local answers = loop.spawn(pass, server, client)
  pass(client, server)
  answers:join() -- the variables live until both have ended
end

-- A server that answers in capitals when its client has said everything, so that the end has to come through, too.
local function shout(server)
  for connection in server:clients() do
    local data = assert(connection:read "a")
    assert(connection:sendall(data:upper()))
    connection:close()
  end
end

local function demo(proxy)
  local server <close> = assert(socket.listen(HOST, 0))
  target, targetport = server:getsockname():unpack()
  loop.spawn(shout, server)
  for _, text in ipairs {"hello", ("megabytes "):rep(1000000)} do
    local client <close> = assert(socket.connect(proxy:getsockname()))
    assert(client:sendall(text))
    assert(client:shutdown "SHUT_WR")
    local answer = assert(client:read "a")
    print("client", #answer .. " bytes", answer == text:upper() and "in capitals" or "WRONG")
  end
  proxy:close()
end

local function main()
  local proxy <close> = assert(socket.listen(HOST, port or 0))
  print("listen", proxy:getsockname())
  if not target then loop.spawn(demo, proxy) end
  for client, address in proxy:clients() do loop.spawn(serve, client, address) end
end

io.stdout:setvbuf "line"
loop.run(main)
