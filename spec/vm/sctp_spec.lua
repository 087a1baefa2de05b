local socket = require "bsdsocket"

describe("SCTP over loopback", function()
  it("is there", function()
    local s <close> = assert(socket.socket("AF_INET", "SOCK_STREAM", "IPPROTO_SCTP"))
    assert.equal(132, s:protocol())
  end)
end)
