-- Look-ups of names in tasks of bsdsocket.loop. The resolver is the system's own; in a network of its own it asks a
-- name server that is a task of the same loop: so it answers only if nobody blocks the thread.
local helper = require "spec.support.helper"
local nameserver = require "spec.support.nameserver"
local trace = require "spec.support.trace"

local PRELUDE = [[
  io.stdout:setvbuf "line"
  local socket, loop = require "bsdsocket", require "bsdsocket.loop"
  assert(require "spec.support.netlink".up(1))
  local server = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
  assert(server:bind("127.0.0.1", 53))

  -- Answers questions; names that begin with "never" get no answer, and those with "no" are not there.
  local function serve()
    while true do
      local packet, from = assert(server:recvfrom())
      local stop = packet:find("\0", 13, true)
      local question, name = packet:sub(13, stop + 4), packet:sub(14, 13 + packet:byte(13))
      local kind = packet:byte(stop + 2)
      local answer
      if name == "no" then
        answer = packet:sub(1, 2) .. "\x81\x83\0\1\0\0\0\0\0\0" .. question
      elseif name ~= "never" and kind == 1 then
        answer = packet:sub(1, 2) .. "\x81\x80\0\1\0\1\0\0\0\0" .. question .. "\xc0\x0c\0\1\0\1\0\0\0\9\0\4\127\0\0\5"
      elseif name ~= "never" and kind == 12 then
        answer = packet:sub(1, 2) .. "\x81\x80\0\1\0\1\0\0\0\0" .. question
          .. "\xc0\x0c\0\12\0\1\0\0\0\9\0\12\5there\4test\0"
      elseif name ~= "never" then -- no such kind of address
        answer = packet:sub(1, 2) .. "\x81\x80\0\1\0\0\0\0\0\0" .. question
      end
      if answer then assert(server:sendto(answer, from)) end
    end
  end

  local function run(f)
    return loop.run(function()
      local serving = loop.spawn(serve)
      local result = f()
      serving:cancel()
      return result
    end)
  end
]]

--- What the code says where the name server is.
local function says(expected, code)
  local output, status = helper.shell(nameserver.there(helper.command(helper.saved(PRELUDE, code))))
  assert.equal(expected, output)
  assert.equal(0, status)
end

describe("in a task a look-up lets the others run, the name server among them: #process", function()
  for name, case in pairs {
    getaddrinfo = { "127.0.0.5:80\n", [[
      print(assert(socket.getaddrinfo("a.test", 80, { type = "SOCK_STREAM" }))[1].address)
    ]] },
    getnameinfo = { "there.test\thttp\n", [[
      print(assert(socket.getnameinfo(socket.address("AF_INET", "127.0.0.5", 80))))
    ]] },
    ["socket.connect"] = { "127.0.0.5\n", [[
      local listener = assert(socket.listen("127.0.0.5", 0))
      local s <close> = assert(socket.connect("a.test", listener:getsockname().port))
      print(s:getpeername().host)
    ]] },
    ["s:connect"] = { "127.0.0.5\n", [[
      local listener = assert(socket.listen("127.0.0.5", 0))
      local s <close> = assert(socket.socket())
      print(assert(s:connect("a.test", listener:getsockname().port)):getpeername().host)
    ]] },
    ["s:bind"] = { "127.0.0.5\n", [[
      local s <close> = assert(socket.socket())
      print(assert(s:bind("a.test", 0)):getsockname().host)
    ]] },
    ["socket.listen"] = { "127.0.0.5\n", [[
      local s <close> = assert(socket.listen("a.test", 0))
      print(s:getsockname().host)
    ]] },
    ["s:sendto"] = { "hello\n", [[
      local r <close> = assert(assert(socket.socket("AF_INET", "SOCK_DGRAM")):bind("127.0.0.5", 0))
      local s <close> = assert(socket.socket("AF_INET", "SOCK_DGRAM"))
      assert(s:sendto("hello", "a.test", r:getsockname().port))
      print((r:recv()))
    ]] },
    ["socket.address"] = { "127.0.0.5:80\n", [[
      print(assert(socket.address("AF_INET", "a.test", 80)))
    ]] },
  } do
    it(name, function() says(case[1], "run(function()" .. case[2] .. "end)") end)
  end

  it("many at a time, more than there are threads", function()
    says("100\n", [[
      run(function()
        local list, found = {}, 0
        for i = 1, 100 do
          list[i] = loop.spawn(function()
            local info = assert(socket.getaddrinfo("a" .. i .. ".test", 80, { family = "AF_INET" }))
            if info[1].address.host == "127.0.0.5" then found = found + 1 end
          end)
        end
        for _, task in ipairs(list) do assert(task:join()) end
        print(found)
      end)
    ]])
  end)

  it("its failure comes back", function()
    says("EAI_NONAME\nEAI_NONAME\n", [[
      run(function()
        print((select(3, socket.getaddrinfo("no.test", 80, { family = "AF_INET" }))))
        print((select(3, socket.connect("no.test", 80, { family = "AF_INET" }))))
      end)
    ]])
  end)
end)

describe("in a task a look-up that gets no answer #process", function()
  it("ends at its timeout, and meanwhile others run", function()
    says("timeout\ntimeout\ntimeout\ntrue\n", [[
      run(function()
        local ticks = 0
        local ticking = loop.spawn(function()
          while true do
            loop.sleep(0.001)
            ticks = ticks + 1
          end
        end)
        local function takes(seconds, f, ...)
          local start = socket.monotime()
          print((select(3, f(...))))
          local took = socket.monotime() - start
          assert(took >= seconds and took < seconds + 1, took)
        end
        takes(0.05, socket.getaddrinfo, "never.test", 80, { timeout = 0.05 })
        takes(0.05, socket.connect, "never.test", 80, { timeout = 0.05 })
        local s <close> = assert(socket.socket()):settimeout(0.05)
        takes(0.05, s.connect, s, "never.test", 80)
        for _ = 1, 20 do -- others may need the machine
          if ticks <= 10 then socket.getaddrinfo("never.test", 80, { timeout = 0.05 }) end
        end
        print(ticks > 10)
        ticking:cancel()
      end)
    ]])
  end)

  it("is ended by loop.timeout and by cancel, and loop.run does not wait for it", function()
    says("timeout\tclosed\nfalse\tcancelled\ttrue\ntrue\n", [[
      local start = socket.monotime()
      run(function()
        local closed
        local function look()
          local _ <close> = setmetatable({}, { __close = function() closed = "closed" end })
          socket.getaddrinfo("never.test", 80)
        end
        print((select(3, loop.timeout(0.02, look))), closed)
        closed = nil
        local task = loop.spawn(look)
        loop.sleep(0.01)
        task:cancel()
        local ok, why = task:join()
        print(ok, why, closed == "closed")
      end)
      print(socket.monotime() - start < 2)
    ]])
  end)

  it("is left behind by a run that fails", function()
    says("oops\ntrue\nfine\n", [[
      local start = socket.monotime()
      local ok, message = pcall(run, function()
        loop.spawn(socket.getaddrinfo, "never.test", 80)
        loop.sleep(0.01)
        error("oops", 0)
      end)
      print(message)
      print(socket.monotime() - start < 2)
      collectgarbage()
      collectgarbage()
      print(run(function()
        assert(socket.getaddrinfo("a.test", 80, { family = "AF_INET" }))
        return "fine"
      end))
    ]])
  end)

  it("under timeout 0 is told at once", function()
    says("EAGAIN\n", [[
      run(function() print((select(3, socket.getaddrinfo("a.test", 80, { timeout = 0 })))) end)
    ]])
  end)

  it("in a coroutine that is no task raises an error that names loop.wrap; in a generator it is well", function()
    says("false\ttrue\n127.0.0.5\n", [[
      run(function()
        local function look() return socket.getaddrinfo("a.test", 80, { family = "AF_INET" })[1].address.host end
        local ok, message = pcall(coroutine.wrap(look))
        print(ok, message:find "loop%.wrap" ~= nil)
        print(loop.wrap(look)())
      end)
    ]])
  end)
end)

it("a task in socket.select is not woken by the look-ups of others #strace #process", function()
  if helper.engine() == "poll" then helper.skip(helper.NO_DESCRIPTOR) end
  local lists = trace [[
    local loop = require "bsdsocket.loop"
    loop.run(function()
      local a, b = socket.socketpair()
      local selecting = loop.spawn(socket.select, {a}, nil)
      loop.sleep(0)
      begin()
      for _ = 1, 5 do socket.getaddrinfo("localhost", 80, { family = "AF_INET" }) end
      loop.sleep(0)
      done()
      b:send "x"
      assert(select(2, selecting:join())[1] == a)
      a:close()
      b:close()
    end)
  ]]
  assert.equal(1, #lists)
  assert.is_nil((" " .. lists[1] .. " "):match " poll ", lists[1])
end)
