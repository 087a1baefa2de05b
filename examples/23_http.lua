-- 23_http.lua: a web server, which says hello. It speaks as much HTTP/1.1 as a browser, curl or wrk wants: many
-- requests on one connection, some sent before the last was answered, HEAD, bodies (which are skipped). What a
-- stranger sends is not trusted: each piece of it has a bound, and so has the time that it may take.
--
--   lua5.4 examples/23_http.lua [port [seconds]]
--
-- Until Ctrl-C; look at http://127.0.0.1:8080 in a browser. As port "demo" a client of this script asks, and it ends.
-- run: demo

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"
local loop = require "bsdsocket.loop"

local HOST = "127.0.0.1" -- this machine only; "*" is for everybody
local HEAD, BODY = 8192, 1 << 20 -- the most bytes of a request's head, and of its body
local demo = arg[1] == "demo"
local port, SECONDS = demo and 0 or arg[1] or 8080, tonumber(arg[2]) or 10 -- for a head, for a body, for an answer

local reasons = {
  [200] = "OK", [400] = "Bad Request", [404] = "Not Found", [408] = "Request Timeout", [413] = "Content Too Large",
  [431] = "Request Header Fields Too Large", [501] = "Not Implemented", [505] = "HTTP Version Not Supported",
}
local pages = {["/"] = "<!doctype html><title>hello</title><p>Hello from Lua!</p>\n"}
local methods = {GET = true, HEAD = true, POST = true}

-- The head of a request as a table; nil and a status where it is none.
local function parse(head)
  local method, path, version, position = head:match "^\r?\n?([%w!#$%%&'*+.^_`|~-]+) (%g+) HTTP/(%d%.%d)\r\n()"
  if not method then return nil, 400 end
  if not version:find "^1" then return nil, 505 end
  local fields = {}
  while not head:find("^\r\n", position) do
    local name, value, after = head:match("^([%w!#$%%&'*+.^_`|~-]+):[ \t]*([^\r\n\0]-)[ \t]*\r\n()", position)
    if not name then return nil, 400 end
    name = name:lower()
    fields[name] = fields[name] and fields[name] .. "," .. value or value
    position = after
  end
  local length = fields["content-length"] or "0"
  if not length:find "^%d+$" or version ~= "1.0" and not fields.host then return nil, 400 end
  if fields["transfer-encoding"] then return nil, 501 end -- its body would end elsewhere
  if #length > 9 or tonumber(length) > BODY then return nil, 413 end
  return {
    method = method, path = path:match "^[^?]*", length = tonumber(length),
    waits = (fields.expect or ""):lower() == "100-continue",
    last = version == "1.0" or ("," .. (fields.connection or "") .. ","):lower():find ",[ \t]*close[ \t]*,",
  }
end

local stamp, date
local function today()
  local now = os.time()
  if now ~= stamp then stamp, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
  return date
end

-- Goes into the socket's buffer: answers to requests that came together leave together, when we wait for the next.
local function answer(connection, status, page, last, nobody)
  return connection:write("HTTP/1.1 ", status, " ", reasons[status], "\r\nDate: ", today(),
    "\r\nContent-Type: text/html\r\nContent-Length: ", #page, last and "\r\nConnection: close" or "", "\r\n\r\n",
    nobody and "" or page)
end

local function skip(connection, length)
  while length > 0 do
    local data, message, code = connection:recv(math.min(length, 65536))
    if not data then return nil, message, code end
    if data == "" then return nil, "the client left", "EOF" end
    length = length - #data
  end
  return true
end

-- One request; true if there may be another. Else false, with a status where the client should know why.
local function handle(connection)
  local head, _, why = connection:readuntil("\r\n\r\n", HEAD)
  if not head then
    if why == "timeout" and connection:pending() == 0 then return false end -- it had nothing more to ask
    return false, why == "EMSGSIZE" and 431 or why == "timeout" and 408
  end
  if head:sub(-4) ~= "\r\n\r\n" then return false end -- it left in the middle
  local request, status = parse(head)
  if not request then return false, status end
  if request.length > 0 then
    if request.waits then connection:write "HTTP/1.1 100 Continue\r\n\r\n" end
    -- The socket's timeout is for one call, and a call gives what is there: byte by byte it would take for ever.
    local ok, _, code = loop.timeout(SECONDS, skip, connection, request.length)
    if not ok then return false, code == "timeout" and 408 end
  end
  if not methods[request.method] then return false, 501 end
  local page = pages[request.path]
  local sent = answer(connection, page and 200 or 404, page or "no such page\n", request.last, request.method == "HEAD")
  return sent and not request.last
end

local function serve(accepted)
  local connection <close> = accepted
  connection:settimeout(SECONDS):setvbuf "full"
  local more, status
  repeat more, status = handle(connection) until not more
  if status then answer(connection, status, reasons[status] .. "\n", true) end
  -- To close with bytes unread is to break off, and then the answer might be lost on its way. So first the client is
  -- told that this was all, and has a second to see it.
  if connection:shutdown "SHUT_WR" then loop.timeout(1, skip, connection, math.huge) end
end

-- Tells what comes back for each request; the first three are sent at once.
local function ask(server)
  local requests = {
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nhihihi",
    "hihihi\r\n\r\n",
  }
  local client <close> = assert(socket.connect(server:getsockname()))
  assert(client:write(table.unpack(requests, 1, 3)))
  for i, request in ipairs(requests) do
    if i > 3 then assert(client:write(request)) end
    local head = assert(client:readuntil "\r\n\r\n")
    local length = request:find "^HEAD" and 0 or tonumber(head:match "Content%-Length: (%d+)")
    local page = assert(client:read(length))
    print("client", request:match "^[^\r]+", head:match "^HTTP/1.1 ([^\r]+)", page:match "%C*")
  end
  print("client", client:read(1) == nil and "the server has closed the connection")
  server:close() -- the loop of `clients` ends
end

local function main()
  local server <close> = assert(socket.listen(HOST, port))
  print("listen", server:getsockname())
  if demo then loop.spawn(ask, server) end
  for connection in server:clients() do loop.spawn(serve, connection) end
end

io.stdout:setvbuf "line"
loop.run(main)
