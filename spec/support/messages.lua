-- What the specs of sendmsg and recvmsg share: a sender with its receiver, and the control data of a message.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local socket = require "bsdsocket"
local luassert = require "luassert"

local messages = {}

--- Two sockets: the second receives from the first, which has the address that comes third.
local function dgram(family, host, type)
  local receiver = assert(assert(socket.socket(family, type or "SOCK_DGRAM")):bind(host, 0))
  local sender = assert(assert(socket.socket(family, type or "SOCK_DGRAM")):bind(host, 0))
  net.keep(assert(sender:connect(receiver:getsockname())), receiver)
  return sender, receiver, sender:getsockname()
end

function messages.udp() return dgram("AF_INET", "127.0.0.1") end

function messages.udp6()
  local s = socket.socket("AF_INET6", "SOCK_DGRAM")
  if not s or not s:bind("::1", 0) then helper.skip "IPv6 is not here" end
  s:close()
  return dgram("AF_INET6", "::1")
end

--- A function that gives them, over unix sockets of that type.
function messages.unix(kind)
  return function()
    local dir = helper.tmpdir()
    local receiver = net.keep(assert(assert(socket.socket("AF_UNIX", kind)):bind(dir .. "/r")))
    local sender = net.keep(assert(assert(socket.socket("AF_UNIX", kind)):bind(dir .. "/s")))
    if kind ~= "SOCK_DGRAM" then
      assert(receiver:listen())
      assert(sender:connect(receiver:getsockname()))
      receiver = net.keep((assert(receiver:accept())))
    else
      assert(sender:connect(receiver:getsockname()))
    end
    return sender, receiver, sender:getsockname()
  end
end

--- The entries of a kind in a message: the value of the only one, and its raw data.
function messages.control(m, level, type)
  local found
  for _, c in ipairs(m.control) do
    if c.level == socket[level] and c.type == socket[type] then
      luassert.is_nil(found)
      found = c
    end
  end
  if not found then error(("no %s among %d entries"):format(type, #m.control), 2) end
  luassert.equal("string", _G.type(found.data))
  return found.value, found.data
end

--- One for sendmsg.
function messages.entry(level, type, value) return {level = level, type = type, value = value} end

--- How many descriptors are open, also where hundreds were received.
function messages.descriptors() return helper.descriptors(1023) end

return messages
