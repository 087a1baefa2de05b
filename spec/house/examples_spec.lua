-- The examples as their readers run them: each alone, the server and the client against each other, the demo.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local process = require "spec.support.process"
local namespace = require "spec.support.namespace"

local HOST = "127.0.0.1"

--- The server of the first example, waiting for its first client, and its address.
local function server(...)
  local program = process.start("examples/01_server.lua", HOST, 0, ...)
  local at = process.line(program):match "^socket, bind, listen\t(127%.0%.0%.1:%d+)$"
  assert.equal("accept\twaiting for a client", process.line(program))
  return program, at, tonumber(at:match "%d+$")
end

--- What it prints for one client.
local function served(from)
  return ("accept\t%s came\nrecv\thihihi\nsend\thello, %s\nclose\tconnection\n"):format(from, from)
end

--- An address of this machine where nobody listens, for as long as the socket is open.
local function nobody()
  local s = assert(assert(socket.socket()):bind(HOST, 0))
  return s, s:getsockname()
end

--- A directory with a copy of the examples, `changes` (name -> function from text to text) made to them.
local function copy(changes)
  local dir = helper.tmpdir()
  assert.equal("", (helper.shell("cp examples/*.lua " .. dir)))
  for name, change in pairs(changes) do
    local before = helper.read(dir .. "/" .. name)
    local after = change(before)
    assert.are_not.equal(before, after)
    helper.save(dir .. "/" .. name, after)
  end
  return dir
end

describe("the server #process", function()
  it("and the client talk for as many rounds as they are told", function()
    local program <close>, at, port = server(3)
    local client <close> = process.start("examples/02_client.lua", "localhost", port, 3)
    local output, status = process.rest(client)
    assert.equal(0, status, output)
    local clients = {}
    for from in output:gmatch "connect\t(%S+) to" do clients[#clients + 1] = from end
    assert.equal(3, #clients)
    local said, heard = {}, {}
    for i, from in ipairs(clients) do
      said[i] = ("socket\nconnect\t%s to %s\nsend\thihihi\nrecv\thello, %s\nclose\n"):format(from, at, from)
      heard[i] = served(from)
    end
    assert.equal(table.concat(said), output)
    assert.same({ table.concat(heard, "accept\twaiting for a client\n"), 0 }, { process.rest(program) })
  end)

  it("goes on when a client hangs up or breaks off", function()
    local program <close>, _, port = server(3)
    for _, linger in ipairs { false, 0 } do
      local s <close> = assert(socket.connect(HOST, port))
      if linger then assert(s:setsockopt("SO_LINGER", linger)) end
      s:close()
    end
    local s <close> = assert(socket.connect(HOST, port, { timeout = 5 })):settimeout(5)
    assert(s:sendall "hihihi")
    local from = tostring(s:getsockname())
    assert.equal("hello, " .. from, s:recv(1024))
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    assert.equal(served(from), output:sub(-#served(from)))
  end)

  it("says in its first line that its port is taken, and fails", function()
    local taken <close> = assert(socket.listen(HOST, 0))
    local port = taken:getsockname().port
    local program <close> = process.start("examples/01_server.lua", HOST, port)
    local output, status = process.rest(program)
    assert.match("^[^\n]*bind 127%.0%.0%.1:" .. port .. ": Address already in use\n", output)
    assert.equal(1, status)
  end)

  for _, when in ipairs { "before any client came", "after a client was served" } do
    it("ends at Ctrl-C without a traceback, and its port is free again, " .. when, function()
      local program <close>, at, port = server()
      if when:find "after" then
        local s <close> = assert(socket.connect(HOST, port)):settimeout(5)
        assert(s:sendall "hihihi")
        assert.equal("hello, " .. tostring(s:getsockname()), s:recv())
        assert.equal("", s:recv()) -- the server closes first: its end rests a while in the system
        for line in (served(s:getsockname()) .. "accept\twaiting for a client\n"):gmatch "[^\n]+" do
          assert.equal(line, process.line(program))
        end
      end
      process.blocked(program.pid)
      program:kill "INT"
      assert.equal("", process.stopped(program))

      local again <close> = process.start("examples/01_server.lua", HOST, port, 0)
      assert.same({ "socket, bind, listen\t" .. at .. "\n", 0 }, { process.rest(again) })
    end)
  end
end)

describe("the client #process", function()
  it("rests a second between rounds where it goes on for ever, and not where it was told how many", function()
    local program <close>, _, port = server(100)
    net.sometime(function()
      local before = socket.monotime()
      local client <close> = process.start("examples/02_client.lua", HOST, port, 2)
      assert.equal(0, (select(2, process.rest(client))))
      local took = socket.monotime() - before
      return took < 1, took
    end)
    local before = socket.monotime() -- of when it says "close" we may hear late
    local forever <close> = process.start("examples/02_client.lua", HOST, port)
    repeat local line = process.line(forever) until line == "close"
    assert.equal("socket", process.line(forever))
    assert.is_true(socket.monotime() - before > 1)
    forever:kill "INT"
    process.rest(forever)
    program:kill()
  end)

  it("says in one line what to do when no server is there, and fails", function()
    local s <close>, at = nobody()
    local program <close> = process.start("examples/02_client.lua", HOST, at.port)
    local output, status = process.rest(program)
    assert.equal(("socket\nconnect %s: Connection refused (is the server running? %s)\n"):format(at,
      "lua5.4 examples/01_server.lua starts it"), output)
    assert.equal(1, status)
    s:close()
  end)

  it("ends at Ctrl-C without a traceback, even where the server never answers", function()
    local silent <close> = assert(socket.listen(HOST, 0))
    local program <close> = process.start("examples/02_client.lua", HOST, silent:getsockname().port)
    for _, step in ipairs { "socket", "connect", "send" } do
      assert.equal(step, process.line(program):match "^%a+")
    end
    process.blocked(program.pid)
    program:kill "INT"
    assert.equal("", process.stopped(program))
  end)
end)

describe("the demo #process", function()
  -- who does what in a round; what else happens in between is the other side's
  local round = [[
server accept  waiting for a client
client socket
client connect CLIENT to SERVER
server accept  CLIENT came
client send    hihihi
server recv    hihihi
server send    hello, CLIENT
client recv    hello, CLIENT
server close    connection
client close
]]

  it("shows five rounds in the order in which one thing leads to the next, and succeeds", function()
    local program <close> = process.start("examples/demo.lua")
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    local at = output:match "^server | socket, bind, listen (127%.0%.0%.1:%d+)\n"
    local expected = { "server socket, bind, listen " .. at .. "\n" }
    for from in output:gmatch "connect +(%S+) to" do
      expected[#expected + 1] = round:gsub("SERVER", at):gsub("CLIENT", from)
    end
    assert.equal(6, #expected)
    expected[7] = "5 rounds, and every answer came back right\n"
    local function plain(text) return (text:gsub(" | ", " "):gsub(" +", " ")) end
    assert.equal(plain(table.concat(expected)), plain(output))
  end)

  local function fails(changes, pattern)
    local program <close> = process.start(copy(changes) .. "/demo.lua")
    local output, status = process.rest(program)
    assert.match(pattern, output)
    assert.equal(1, status)
    -- none of the two is left behind: the server, had it not been ended, would wait for ever
    local port = output:match "socket, bind, listen 127%.0%.0%.1:(%d+)"
    if port then helper.fails("socket.connect", "ECONNREFUSED", socket.connect(HOST, tonumber(port))) end
  end

  local function replace(what, by)
    return function(text) return (text:gsub(what, by)) end
  end

  it("fails when an answer is wrong", function()
    fails({ ["01_server.lua"] = replace("sendall%(answer%)", "sendall('hello, stranger')") },
      "recv     hello, stranger\n.*the demo failed: the client should have said")
  end)

  it("fails when the client leaves early", function()
    fails({ ["02_client.lua"] = replace("for _ = 1, rounds", "for _ = 1, rounds - 1") },
      "the demo failed: the client is silent")
  end)

  it("fails when the server does not answer, and does not wait for ever", function()
    fails({
      ["01_server.lua"] = replace("handle_request%(connection%)\n    ", "connection:recv()\n"),
      ["demo.lua"] = replace("SECONDS = 5, 20", "SECONDS = 5, 0.5"),
    }, "the demo failed: the server is silent %(timeout%)")
  end)

  it("fails when the server cannot start", function()
    fails({ ["01_server.lua"] = replace("server:listen%(5%)", "nil, 'no luck today'") },
      "no luck today\nthe demo failed: ")
  end)

  it("fails when a side ends with another status than 0", function()
    fails({ ["02_client.lua"] = function(text) return text .. "os.exit(7)\n" end },
      "the demo failed: the client ended with status 7\n$")
  end)

  it("ends at Ctrl-C without a traceback, and so do both sides", function()
    local dir = copy { ["01_server.lua"] = replace("handle_request%(connection%)\n    ", "connection:recv()\n") }
    local program <close> = process.start(dir .. "/demo.lua")
    local line, port
    repeat
      line = process.line(program)
      port = port or line:match "127%.0%.0%.1:(%d+)"
    until line:find "server | recv"
    process.blocked(program.pid)
    program:kill "INT"
    assert.same({ "", 130 }, { process.rest(program) })
    helper.fails("socket.connect", "ECONNREFUSED", socket.connect(HOST, tonumber(port)))
  end)
end)

describe("the examples #process", function()
  local names = {}
  for name in helper.shell "ls examples":gmatch "%d%d_[%w_]+%.lua" do names[#names + 1] = name end

  it("are run alone where run.lua is told which", function()
    for _, name in ipairs { "03_udp.lua", "04_socketpair.lua" } do
      local program <close> = process.start("examples/run.lua", name)
      local output, status = process.rest(program)
      assert.equal(0, status, output)
      assert.match("^== " .. name .. "[^\n]*\n[^=]", output)
      assert.is_nil(output:find("\n== ", 1, true))
    end
  end)

  local function fails(text, pattern)
    local dir = copy {}
    helper.save(dir .. "/00_broken.lua", text)
    local program <close> = process.start(dir .. "/run.lua")
    local output, status = process.rest(program)
    assert.match(pattern, output)
    assert.equal(1, status)
  end

  it("fail as a whole where one fails, and nothing is run after it", function()
    fails("-- run: some words\nprint(...)\nos.exit(3)\n",
      "^== 00_broken.lua some words\nsome\twords\n00_broken.lua ended with status 3\n$")
    fails("-- run:\nerror 'no luck'\n", "no luck\n.*\n00_broken.lua ended with status 1\n$")
  end)

  it("fail where one does not say how it is run", function()
    fails("print 'no run line'\n", "^00_broken.lua does not say how to run it: ")
  end)

  it("have no server left behind where one hangs", function()
    local port
    for _, seconds in ipairs { "0.3", "3", "15" } do -- it may be slow to begin
      local dir = copy { ["run.lua"] = function(text) return (text:gsub("SECONDS = 60", "SECONDS = " .. seconds)) end }
      helper.save(dir .. "/00_hangs.lua", [[
        -- it says so, and then waits for ever
        local server = require "bsdsocket".listen("127.0.0.1", 0)
        io.stdout:setvbuf "line"
        print(server:getsockname().port)
        server:accept()
]], "-- run:\n")
      local program <close> = process.start(dir .. "/run.lua")
      local output, status = process.rest(program)
      assert.equal(1, status)
      port = output:match("^== 00_hangs.lua\n(%d*)\n?00_hangs.lua did not end within " .. seconds .. " s\n$")
      assert.truthy(port, output)
      if port ~= "" then break end
    end
    helper.fails("socket.connect", "ECONNREFUSED", socket.connect(HOST, math.tointeger(port)))
  end)

  it("are all run by run.lua, and need no environment in a checkout that was built", function()
    assert.is_true(#names >= 16)
    -- the checkout as far as a user sees it; the build may have another name here
    local dir, build = helper.tmpdir(), os.getenv "BSDSOCKET_BUILD" or "build"
    if not build:find "^/" then build = helper.root .. "/" .. build end
    -- no port of this machine that another program has just now is to be called
    local examples = copy { ["21_scan.lua"] = function(text) return (text:gsub("1 65535\n", "1 1023\n")) end }
    assert.equal("", (helper.shell(("cd %s && ln -s %s examples && ln -s %s/lua . && ln -s %s build"):format(
      dir, examples, helper.root, build))))
    local lua = helper.lua("-e", "print(arg[0])"):match "%C+"
    -- and others' traffic may be more than a packet socket has room for
    local output, status = helper.shell(namespace.ifany(
      ("cd %s && unset LUA_PATH LUA_PATH_5_4 LUA_PATH_5_5 LUA_CPATH LUA_CPATH_5_4 LUA_CPATH_5_5; exec %s %s")
        :format(dir, helper.quote(lua), "examples/run.lua")))
    assert.equal(0, status, output)
    assert.match("5 rounds, and every answer came back right\n", output)
    local ran = {}
    for name in output:gmatch "%f[^\n\0]== (%S+)" do ran[#ran + 1] = name end
    assert.same({ "demo.lua", table.unpack(names, 3) }, ran)
    assert.is_nil((output .. "== "):match "%f[^\n\0]== (%S+)[^\n]*\n== ") -- each says something
  end)
end)

-- What the examples of raw sockets print: with all privileges, and with none.
describe("the examples of other families #process", function()
  local raw = { -- name, what it prints, what it prints where it may not
    {
      "08_ping.lua", "^22 bytes from 127%.0%.0%.1: seq 1, [%d.]+ ms\n22 bytes from 127%.0%.0%.1: seq 2, [%d.]+ ms\n"
        .. "22 bytes from ::1: seq 1, [%d.]+ ms\n22 bytes from ::1: seq 2, [%d.]+ ms\n$",
      "cannot ping 127.0.0.1:\nsocket AF_INET SOCK_DGRAM (not in net.ipv4.ping_group_range): Permission denied\n"
        .. "socket AF_INET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\n"
        .. "cannot ping ::1:\nsocket AF_INET6 SOCK_DGRAM (not in net.ipv4.ping_group_range): Permission denied\n"
        .. "socket AF_INET6 SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\n",
    },
    {
      "09_traceroute.lua", "^1\t127%.0%.0%.1  [%d.]+ ms\n$",
      "cannot hear the answers: socket AF_INET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\n",
    },
    {
      "10_raw_header.lua",
      "^sent\t41 bytes:\t45000029000100004011%x*\nreceived\tbuilt by hand\tfrom 127%.0%.0%.99:4242\n$",
      "cannot send raw packets: socket AF_INET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\n",
    },
    {
      "12_packet.lua", "^watching\tinterface 1 ETH_P_ALL[^\n]*\nlo\tout\t48 bytes\tprotocol 0x0800\thihihi\n"
        .. "lo\tin\t48 bytes\tprotocol 0x0800\thihihi\n$",
      "cannot watch: socket AF_PACKET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted\n",
    },
    {
      "12_packet.lua SOCK_DGRAM", "^watching\tinterface 1 ETH_P_ALL[^\n]*\nlo\tout\t34 bytes\tprotocol 0x0800\thihihi\n"
        .. "lo\tin\t34 bytes\tprotocol 0x0800\thihihi\n$",
      "cannot watch: socket AF_PACKET SOCK_DGRAM (needs CAP_NET_RAW): Operation not permitted\n",
    },
    {
      "13_multicast.lua", "^ada and bob listen to\t239%.1%.2%.3:%d+\nada reads\thello, group\n"
        .. "bob reads\thello, group\nbob leaves\nada reads\twho is there%?\nbob reads\tnil\trecv: [^\n]*\n$",
    },
    {
      "18_broadcast.lua", "^not asked for\tsendto 127%.255%.255%.255:%d+ %(.-SO_BROADCAST%): Permission denied\n"
        .. "broadcast\thello, everybody\tfrom the sender\n"
        .. "no multicast here\tno interface has it and an IPv6 address\n$",
    },
  }
  local UP = "require 'spec.support.netlink'.up(1) dofile(table.remove(arg, 1))"

  -- The script and its arguments, from a row's first column.
  local function words(name)
    local list = {}
    for word in ("examples/" .. name):gmatch "%S+" do list[#list + 1] = word end
    return table.unpack(list)
  end

  for _, row in ipairs(raw) do
    local name, pattern, forbidden = table.unpack(row)
    it("have " .. name .. ", which does what it says in a network of its own", function()
      local output, status = helper.shell("exec " .. namespace.words() .. " env "
        .. helper.command("-e", UP, "/dev/null", words(name)))
      assert.match(pattern, output)
      assert.equal(0, status)
    end)
    if forbidden then
      it("have " .. name .. ", which says what privilege is missing", function()
        local become = helper.shell "id -u" == "0\n" and "setpriv --reuid 65534 --regid 65534 --clear-groups " or ""
        local output, status = helper.shell("exec " .. namespace.words() .. " sh -c " .. helper.quote("exec " .. become
          .. "env " .. helper.command(words(name))))
        if not output:find "SOCK_" then helper.skip "no other user can be had here" end
        assert.same({ forbidden, 0 }, { output, status })
      end)
    end
  end

  it("have 18_broadcast.lua, which finds an interface with multicast", function()
    local output, status = helper.shell("exec " .. namespace.words() .. " env " .. helper.command("-e", [[
      require "spec.support.netlink".up(1)
      require "spec.support.netlink".pair(function() print "no veth" os.exit(true) end)
      dofile(arg[1])
    ]], "/dev/null", "examples/18_broadcast.lua"))
    if output == "no veth\n" then helper.skip "no veth here" end
    assert.match("\nbroadcast\thello, everybody\tfrom the sender\nmulticast\thello, group\tfrom the sender\n$", output)
    assert.equal(0, status)
  end)

  for _, kind in ipairs { "SOCK_RAW", "SOCK_DGRAM" } do
    it("have 11_netlink.lua, which lists the interfaces, with " .. kind, function()
      if not socket.AF_NETLINK then helper.skip "not Linux" end
      local output, status = helper.lua("examples/11_netlink.lua", kind)
      assert.equal(0, status)
      local list = {}
      for index, name in output:gmatch "(%d+)\t(%S+)\t%l+\tmtu %d+\t[%x:]*\n" do
        list[#list + 1] = { index = tonumber(index), name = name }
      end
      local known = socket.if_nameindex()
      for _, l in ipairs { list, known } do table.sort(l, function(a, b) return a.index < b.index end) end
      assert.same(known, list)
    end)
  end
end)

-- What 17_protocols.lua prints: by the kind of socket, what came of it.
describe("17_protocols.lua #process", function()
  local function lines(output)
    local list, count = {}, 0
    for what, came in output:gmatch "(%C+)\t(%C[^\n]*)\n" do
      list[what], count = came, count + 1
    end
    assert.equal(26, count, output)
    return list
  end

  local RIGHT = "hihihi\tfrom the other end"
  local everywhere = { "AF_INET SOCK_STREAM IPPROTO_TCP", "AF_INET SOCK_DGRAM IPPROTO_UDP", "AF_UNIX SOCK_STREAM 0",
    "AF_UNIX SOCK_DGRAM 0", "AF_UNIX SOCK_SEQPACKET 0", "AF_UNIX SOCK_RAW 0" }

  it("carries a message over each kind of socket, or shows why there is none, and goes on", function()
    local output, status = helper.shell("exec " .. namespace.words() .. " env " .. helper.command("-e",
      "require 'spec.support.netlink'.up(1) dofile(arg[1])", "/dev/null", "examples/17_protocols.lua"))
    assert.equal(0, status, output)
    local list = lines(output)
    for _, what in ipairs(everywhere) do assert.equal(RIGHT, list[what], what) end
    for _, what in ipairs { "AF_INET SOCK_RAW IPPROTO_IGMP", "AF_INET SOCK_RAW 253" } do
      assert.equal(RIGHT, list[what], what) -- in a namespace one may
    end
    for what, came in pairs(list) do
      if came ~= RIGHT then assert.match("^%l+ [^\n]+: %u[^\n:]+$", came, what) end
    end
  end)

  it("shows what may not be had without privileges", function()
    local become = helper.shell "id -u" == "0\n" and "setpriv --reuid 65534 --regid 65534 --clear-groups " or ""
    local output, status = helper.shell("exec " .. become .. "env " .. helper.command "examples/17_protocols.lua")
    if not output:find "SOCK_" then helper.skip "no other user can be had here" end
    assert.equal(0, status, output)
    local list = lines(output)
    for _, what in ipairs(everywhere) do assert.equal(RIGHT, list[what], what) end
    assert.equal("socket AF_INET SOCK_RAW (needs CAP_NET_RAW): Operation not permitted", list["AF_INET SOCK_RAW 253"])
  end)

  for what, change in pairs {
    ["data"] = { "sendto%(MESSAGE", "sendto(MESSAGE:upper()", "HIHIHI" },
    ["an address"] = { "return data, from, client", "return data, from, server", "hihihi" },
  } do
    it("fails where wrong " .. what .. " came", function()
      local dir = copy { ["17_protocols.lua"] = function(text) return (text:gsub(change[1], change[2])) end }
      local output, status = helper.lua(dir .. "/17_protocols.lua")
      local list = lines(output)
      assert.match("^" .. change[3] .. "\tWRONG: from 127.0.0.1:%d+, not 127.0.0.1:%d+$",
        list["AF_INET SOCK_DGRAM IPPROTO_UDP"])
      assert.equal(RIGHT, list["AF_INET SOCK_STREAM IPPROTO_TCP"])
      assert.equal(1, status)
    end)
  end
end)
