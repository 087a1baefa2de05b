-- 16_vsock.lua: between a virtual machine and its host there need be no network: vsock connects them. An address is a
-- context, which says which machine, and a port. Context 1 is this machine itself, where the kernel can do that.
-- run:

-- In a checkout the library is where `make` built it; once installed it needs neither line.
package.path = package.path .. ";lua/?.lua;lua/?/init.lua"
package.cpath = package.cpath .. ";build/?.so"

local socket = require "bsdsocket"

if not socket.AF_VSOCK then return print("vsock is not known here") end

local server <close>, message = socket.socket("AF_VSOCK", "SOCK_STREAM")
if not server then return print(message) end
assert(assert(server:bind("VMADDR_CID_ANY", "VMADDR_PORT_ANY")):listen())
server:settimeout(5)
print("listening at", server:getsockname())

local client <close> = assert(socket.socket("AF_VSOCK", "SOCK_STREAM"))
client:settimeout(1)
local connected, why = client:connect("VMADDR_CID_LOCAL", server:getsockname().port)
if not connected then return print("no way to this machine itself (modprobe vsock_loopback)", why) end

local connection <close>, from = assert(server:accept())
print("a client came from context " .. from.cid, from.port == client:getsockname().port and "and its own port")
assert(client:sendall("hihihi"))
print("the server got", (assert(connection:recv())))
