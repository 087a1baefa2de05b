-- 26_files.lua: a server of files. The client writes a name; the answer is the length of that file in a line, and then
-- the file, which sendfile sends without it passing through Lua: 10 bytes or 10 gigabytes.
--
--   lua5.4 examples/26_files.lua [port [directory]]
--
-- Until Ctrl-C; fetch one by `echo README.md | nc 127.0.0.1 8001`. Without a port a client of this script asks for this
-- script, and it ends.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

local port, directory = arg[1], arg[2] or "."
local here, this = arg[0]:match "^(.*)/([^/]*)$"

local function answer(connection)
  connection:setmaxline(255) -- nobody's name is longer, and a stranger may send anything
  local name = assert(connection:read "l")
  -- Only what lies in this directory: no slash, and nothing that is hidden.
  local file <close> = name:find "^[^/.][^/]*$" and io.open(directory .. "/" .. name, "rb") or nil
  if not file or select(2, file:read(0)) then -- a directory can be opened, but not read
    return assert(connection:write("no such file\n"))
  end
  local size = file:seek "end"
  assert(connection:setvbuf "full") -- the line does not go alone, but along with the file
  assert(connection:write(size, "\n"))
  return assert(connection:sendfile(file, 0, size))
end

local function serve(guest, address)
  local connection <close> = guest
  connection:settimeout(60)
  local ok, what = pcall(answer, connection)
  if ok then what = math.type(what) and "took " .. what .. " bytes" or "asked in vain" end
  print(address, what)
  if not ok and tostring(what):find "interrupted!" then error(what, 0) end
end

local function main()
  local server <close> = assert(socket.listen("127.0.0.1", port or 0))
  if port then
    print("listening at", server:getsockname())
    for connection, address in server:clients() do serve(connection, address) end
  end

  directory = here or "."
  for _, name in ipairs { this or arg[0], "nothing.txt", "../README.md" } do
    local client <close> = assert(socket.connect(server:getsockname()))
    assert(client:write(name, "\n"))
    serve(server:accept(), "client")
    local size = client:read "n" -- nil where no number comes
    local line = assert(client:read "l")
    local data = size and client:read(size)
    local file <close> = size and io.open(directory .. "/" .. name, "rb")
    print(name, not size and line or data == file:read "a" and "came as it is" or "came otherwise")
  end
end

io.stdout:setvbuf "line"
main()
