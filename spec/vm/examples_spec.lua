-- The examples of families that only the virtual machine's kernel has.
local helper = require "spec.support.helper"

describe("the examples in the virtual machine", function()
  local says = {
    ["14_seqpacket.lua"] = "^AF_UNIX\tone\nAF_UNIX\ttwo\nAF_UNIX\tthree\nSCTP\tone\tfrom the other one\n"
      .. "SCTP\ttwo\tfrom the other one\nSCTP\tthree\tfrom the other one\n$",
    ["15_tipc.lua"] = "^the server offers\ttipc 18888:1\n"
      .. ("the server got\t%l+\tfrom the client\nthe client got\t%u+\n"):rep(3) .. "$",
    ["16_vsock.lua"] = "^listening at\tvsock:%*:%d+\na client came from context 1\tand its own port\n"
      .. "the server got\thihihi\n$",
    ["17_protocols.lua"] = "^" .. ("AF_[%w_ ]+\thihihi\tfrom the other end\n"):rep(26) .. "$",
    ["18_broadcast.lua"] = "\nbroadcast\thello, everybody\tfrom the sender\n"
      .. "multicast\thello, group\tfrom the sender\n$",
  }
  for name, pattern in pairs(says) do
    it("have " .. name .. ", which does what it says", function()
      local output, status = helper.lua("examples/" .. name)
      assert.match(pattern, output)
      assert.equal(0, status)
    end)
  end
end)
