-- SCTP over loopback.
local helper = require "spec.support.helper"
local vm = require "spec.vm.vm"

local function sctp(family, kind, host)
  return assert(vm.socket(family, kind, "IPPROTO_SCTP"):bind(host, 0))
end

for family, host in pairs { AF_INET = "127.0.0.1", AF_INET6 = "::1" } do
  describe("SCTP SOCK_SEQPACKET over " .. family, function()
    it("is one socket for many others, each message whole and from whom it says", function()
      local server <close> = sctp(family, "SOCK_SEQPACKET", host):listen()
      local clients = {}
      finally(function() for _, s in ipairs(clients) do s:close() end end)
      local expected = {}
      for i = 1, 3 do
        clients[i] = sctp(family, "SOCK_SEQPACKET", host)
        for k = 1, 10 do
          local size = i * 200 * k
          assert.equal(size, assert(clients[i]:sendto(vm.data(i, size), server:getsockname())))
        end
        expected[clients[i]:getsockname()] = { seed = i, count = 0 }
      end
      for _ = 1, 30 do
        local got, from, cut = server:recvfrom()
        local sender = expected[from]
        sender.count = sender.count + 1
        assert.is_true(got == vm.data(sender.seed, sender.seed * 200 * sender.count))
        assert.falsy(cut)
      end
      -- and answers on the same associations
      for i = 1, 3 do
        assert(server:sendto("answer " .. i, clients[i]:getsockname()))
        local got, from = clients[i]:recvfrom()
        assert.equal("answer " .. i, got)
        assert.equal(server:getsockname(), from)
      end
    end)

    it("leaves in the socket what a short read did not take", function()
      local server <close> = sctp(family, "SOCK_SEQPACKET", host):listen()
      local client <close> = sctp(family, "SOCK_SEQPACKET", host)
      assert(client:sendto("headbody", server:getsockname()))
      assert(client:sendto("next", server:getsockname()))
      assert.equal("head", (server:recv(4)))
      assert.equal("body", (server:recv()))
      assert.equal("next", (server:recv()))
    end)
  end)

  describe("SCTP SOCK_STREAM over " .. family, function()
    it("connects two; bytes and addresses are the other end's", function()
      local listener <close> = sctp(family, "SOCK_STREAM", host):listen()
      local client <close> = sctp(family, "SOCK_STREAM", host)
      assert(client:connect(listener:getsockname()))
      local s, peer = assert(listener:accept())
      local server <close> = s:settimeout(30)
      assert.equal(client:getsockname(), peer)
      assert.equal(client:getsockname(), server:getpeername())
      assert.equal(listener:getsockname(), client:getpeername())
      assert.equal(132, server:protocol())
      local data = vm.data(1, 1 << 19)
      assert.is_true(vm.pump(client, server, data) == data)
      assert.equal(5, server:send "reply")
      assert.equal("reply", client:recv())
      client:close()
      assert.equal("", server:recv())
    end)

    it("is refused where nobody listens", function()
      local nobody <close> = sctp(family, "SOCK_STREAM", host)
      local client <close> = sctp(family, "SOCK_STREAM", host)
      helper.fails("s:connect", "ECONNREFUSED", client:connect(nobody:getsockname()))
    end)
  end)
end
