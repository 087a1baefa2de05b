-- The examples of bsdsocket.loop as their readers run them: to their end, and as servers with clients of all kinds.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local process = require "spec.support.process"
local namespace = require "spec.support.namespace"

local HOST = "127.0.0.1"

--- A server, and the port that it listens on.
local function server(name, ...)
  local program = process.start("examples/" .. name, ...)
  local port = process.line(program):match "^listen\t127%.0%.0%.1:(%d+)$"
  return program, math.tointeger(port)
end

local function connect(port)
  return assert(socket.connect(HOST, port, { timeout = 5 })):settimeout(10)
end

--- Ends a server as its user does; `said` is what it still had to say.
local function interrupt(program, said)
  process.blocked(program.pid)
  program:kill "INT"
  assert.equal(said or "", process.stopped(program))
end

describe("the examples of loops #process", function()
  for name, pattern in pairs {
    ["19_echo.lua"] = "^listen\t127%.0%.0%.1:%d+\nparty\t100 guests heard 400 echoes in %d+%.%d s\n$",
    ["20_chatroom.lua"] = "^listen\t127%.0%.0%.1:%d+\n" .. [[
room	Ada came
room	Bob came
Ada reads	Bob came
room	Eve came
Bob reads	Eve came
Ada reads	Eve came
Bob reads	Ada: here is Ada
Eve reads	Ada: here is Ada
Ada reads	Bob: here is Bob
Eve reads	Bob: here is Bob
Ada reads	Eve: here is Eve
Bob reads	Eve: here is Eve
room	Bob left
Ada reads	Bob left
Eve reads	Bob left
room	Ada left
Eve reads	Ada left
room	Eve left
$]],
    ["22_proxy.lua"] = "^listen\t(127%.0%.0%.1:%d+)\nproxy\t127%.0%.0%.1:%d+ to 127%.0%.0%.1:%d+\n"
      .. "client\t5 bytes\tin capitals\nproxy\t127%.0%.0%.1:%d+ to 127%.0%.0%.1:%d+\n"
      .. "client\t10000000 bytes\tin capitals\n$",
    ["23_http.lua"] = "^listen\t127%.0%.0%.1:%d+\n" .. [[
client	GET / HTTP/1.1	200 OK	<!doctype html><title>hello</title><p>Hello from Lua!</p>
client	HEAD / HTTP/1.1	200 OK%s
client	GET /nowhere HTTP/1.1	404 Not Found	no such page
client	POST / HTTP/1.1	200 OK	<!doctype html><title>hello</title><p>Hello from Lua!</p>
client	hihihi	400 Bad Request	Bad Request
client	the server has closed the connection
$]],
  } do
    it("have " .. name .. ", which says what it does", function()
      local program <close> = process.start("examples/run.lua", name)
      assert.equal("== ", process.line(program):sub(1, 3))
      local output, status = process.rest(program)
      assert.match(pattern, output)
      assert.equal(0, status)
    end)
  end

  for name, arguments in pairs {
    ["19_echo.lua"] = { 0 },
    ["20_chatroom.lua"] = { 0 },
    ["22_proxy.lua"] = { 0, HOST, 1 },
    ["23_http.lua"] = { 0 },
  } do
    it("have " .. name .. ", which ends at Ctrl-C without a traceback, with a client or without", function()
      for clients = 0, 1 do
        local program <close>, port = server(name, table.unpack(arguments))
        local s <close> = clients == 1 and connect(port) or nil
        local said = ""
        if s and name:find "proxy" then
          said = process.line(program) -- nobody is behind it
          assert.equal("proxy\tconnect 127.0.0.1:1: Connection refused", said)
          said = ""
        elseif s and name:find "http" then
          assert(s:write "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          assert.match("^HTTP/1.1 200 OK\r\n", s:readuntil "\r\n\r\n")
        elseif s and name:find "echo" then
          assert(s:write "x")
          assert.equal("x", s:recv())
        end
        interrupt(program, said)
      end
    end)
    it("have " .. name .. ", which says in its first line that its port is taken, and fails", function()
      local taken <close> = assert(socket.listen(HOST, 0))
      local program <close> = process.start("examples/" .. name, taken:getsockname().port,
        table.unpack(arguments, 2))
      local output, status = process.rest(program)
      assert.match("^[^\n]*listen 127%.0%.0%.1:%d+: Address already in use\n", output)
      assert.equal(1, status)
    end)
  end
end)

describe("the echo server #process", function()
  it("goes on when clients break off", function()
    local program <close>, port = server("19_echo.lua", 0)
    for _ = 1, 3 do
      local s <close> = connect(port)
      assert(s:write "hello")
      assert(s:setsockopt("SO_LINGER", 0))
    end
    local s <close> = connect(port)
    assert(s:write "hello")
    assert.equal("hello", s:recv())
    interrupt(program)
  end)
end)

describe("the chat room #process", function()
  local function enter(port, name)
    local s = connect(port)
    assert.equal("your name, please", s:read "l")
    assert(s:write(name, "\n"))
    return s
  end

  it("throws out who does not read what is said, and the others hear the rest", function()
    local program <close>, port = server("20_chatroom.lua", 0)
    local _ <close> = enter(port, "deaf")
    local ada <close> = enter(port, "Ada")
    repeat until process.line(program) == "room\tAda came"
    local bob <close> = enter(port, "Bob")
    assert.equal("Bob came", ada:read "l")
    local line, count = ("x"):rep(900), 0
    repeat
      count = count + 1
      assert(bob:write(line, "\n"))
      local heard = assert(ada:read "l")
      assert(count < 100000, "nobody is thrown out")
    until heard ~= "Bob: " .. line
    assert(bob:write "still here\n")
    repeat local heard = assert(ada:read "l") until heard == "Bob: still here"
    for _, name in ipairs { "Bob came", "deaf left" } do
      assert.equal("room\t" .. name, process.line(program))
    end
    interrupt(program)
  end)

  it("lets nobody write to the others' terminals what is no text, nor lines without a bound", function()
    local program <close>, port = server("20_chatroom.lua", 0)
    local ada <close> = enter(port, "Ada")
    assert.equal("room\tAda came", process.line(program))
    local bob <close> = enter(port, "B\27[2Job")
    assert.equal("B?[2Job came", ada:read "l")
    assert.equal("room\tB?[2Job came", process.line(program))
    assert(bob:write("\7\n", ("x"):rep(2000)))
    assert.equal("B?[2Job: ?", ada:read "l")
    assert.equal("B?[2Job left", ada:read "l")
    assert.equal("room\tB?[2Job left", process.line(program))
    interrupt(program)
  end)
end)

describe("the port scanner #process", function()
  --- What the code says in a network of its own, where no other program is met, nor called to its surprise.
  local function alone(code)
    local output, status = helper.shell("exec " .. namespace.words() .. " env " .. helper.command("-e",
      "require 'spec.support.netlink'.up(1) local socket = require 'bsdsocket'\n" .. code))
    assert.equal(0, status, output)
    return output
  end

  it("finds what listens, and no more", function()
    local output = alone [[
      local one <close> = assert(socket.listen("127.0.0.1", 2000))
      local two <close> = assert(socket.listen("127.0.0.1", 2700))
      local bound <close> = assert(socket.socket()):bind("127.0.0.1", 2300)
      for _, last in ipairs { 2700, 2000 } do
        arg = { [0] = "examples/21_scan.lua", "127.0.0.1", 2000, last }
        dofile "examples/21_scan.lua"
      end
    ]]
    local all, first = output:match "^(.-\n%d+ open[^\n]*\n)(.*)$"
    assert.match("^2000\t[^\n]*\n2700\t[^\n]*\n2 open, 699 refused, 0 silent in %d+%.%d s\n$", all)
    assert.match("^2000\t[^\n]*\n1 open, 0 refused, 0 silent in %d+%.%d s\n$", first)
  end)

  it("does not take a socket that has called itself for an open port", function()
    -- a hundred ports to choose from: now and then the one that is tried is chosen as its own
    local output, status = helper.shell("exec " .. namespace.words() .. " sh -c " .. helper.quote(
      "echo 2000 2099 > /proc/sys/net/ipv4/ip_local_port_range && exec env "
      .. helper.command("-e", [[
        arg = { [0] = "examples/21_scan.lua", "127.0.0.1", 2000, 2099 }
        require "spec.support.netlink".up(1)
        for _ = 1, 10 do dofile "examples/21_scan.lua" end
      ]])))
    assert.equal(0, status, output)
    for open in output:gmatch "(%d+) open" do assert.is_true(tonumber(open) <= 1, output) end -- the script's own
  end)

  it("says in its first line why it cannot go on", function()
    local output, status = helper.lua("examples/21_scan.lua", "no.such.host.invalid")
    assert.match("^[^\n]*examples/21_scan.lua:%d+: getaddrinfo no%.such%.host%.invalid: ", output)
    assert.equal(1, status)
  end)
end)

describe("the proxy #process", function()
  it("hands on the end of the stream in one direction, and breaks off where one side does", function()
    local target <close> = assert(socket.listen(HOST, 0))
    target:settimeout(10)
    local program <close>, port = server("22_proxy.lua", 0, HOST, target:getsockname().port)
    local client <close> = connect(port)
    local upstream <close> = assert(target:accept()):settimeout(10)
    assert(client:write "question")
    assert(client:shutdown "SHUT_WR")
    assert.equal("question", upstream:read "a")
    assert(upstream:write "answer")
    upstream:close()
    assert.equal("answer", client:read "a")

    local second <close> = connect(port)
    local other <close> = assert(target:accept()):settimeout(10)
    assert(other:setsockopt("SO_LINGER", 0))
    other:close()
    local data, _, code = second:recv()
    assert.is_true(data == "" or code == "ECONNRESET")
    process.line(program)
    process.line(program)
    interrupt(program)
  end)
end)

---------------------------------------------------------------------------------------------------

describe("the web server #process", function()
  local program, port

  setup(function() program, port = server("23_http.lua", 0, 0.5) end)
  teardown(function() program:__close() end)

  local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

  --- What comes for these pieces, until the server closes: an array of {status, body}. `shut`: the client has
  --- nothing more to say.
  local function ask(pieces, shut)
    local s <close> = connect(port)
    for _, piece in ipairs(pieces) do s:sendall(piece) end
    if shut then s:shutdown "SHUT_WR" end
    local answers = {}
    while true do
      local head = s:readuntil "\r\n\r\n"
      if not head or head == "" then return answers end
      local status, length = head:match "^HTTP/1%.1 (%d+) %u", tonumber(head:match "\r\nContent%-Length: (%d+)\r\n")
      assert(status, head)
      if status ~= "100" then assert.match("\r\nDate: %u%l%l, %d%d %u%l%l %d+ %d%d:%d%d:%d%d GMT\r\n", head) end
      local body = s:read(pieces.head and 0 or length or 0)
      answers[#answers + 1] = status .. (head:find "\r\nConnection: close\r\n" and " close" or "")
      if length and length > 0 and not pieces.head then assert.equal(length, #body) end
    end
  end

  for name, row in pairs {
    ["one request"] = { { GET }, "200" },
    ["many on one connection, sent at once"] = { { GET:rep(5) }, "200", "200", "200", "200", "200" },
    ["bytes one at a time"] = { { GET:match(("(.)"):rep(#GET)) }, "200" },
    ["Connection: close, and what follows it"] = {
      { "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", GET }, "200 close" },
    ["HTTP/1.0"] = { { "GET / HTTP/1.0\r\n\r\n" }, "200 close" },
    ["HTTP/1.9"] = { { "GET / HTTP/1.9\r\nHost: a\r\n\r\n" }, "200" },
    ["a page that is not there"] = { { "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n", GET }, "404", "200" },
    ["a query"] = { { "GET /?x HTTP/1.1\r\nHost: a\r\n\r\n" }, "200" },
    ["an empty line before a request"] = { { "\r\n", GET, "\r\n", GET }, "200", "200" },
    ["a body that is skipped"] = {
      { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", ("x"):rep(200000), GET }, "200", "200" },
    ["a client that waits until its body is wanted"] = {
      { "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "hi" }, "100", "200" },
    ["HEAD"] = { { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", head = true }, "200" },
    ["no request"] = { { "hihihi\r\n\r\n", GET }, "400 close" },
    ["bytes of all kinds"] = { { "\0\255\r\n\r\n" }, "400 close" },
    ["TLS"] = { { "\22\3\1\2\0\1\0\1\r\n\r\n" }, "400 close" },
    ["lines that end in a newline alone"] = { { "GET / HTTP/1.1\nHost: a\n\n\r\n\r\n" }, "400 close" },
    ["spaces that do not belong there"] = { { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" }, "400 close" },
    ["no host"] = { { "GET / HTTP/1.1\r\n\r\n" }, "400 close" },
    ["a field without a colon"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n" }, "400 close" },
    ["a space before the colon"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo : 1\r\n\r\n" }, "400 close" },
    ["a field that is folded"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo: 1\r\n 2\r\n\r\n" }, "400 close" },
    ["a zero in a field"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo: \0\r\n\r\n" }, "400 close" },
    ["a return in a field"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo: 1\r2\r\n\r\n" }, "400 close" },
    ["a length that is no number"] = { { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n" }, "400 close" },
    ["two lengths"] = {
      { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx" }, "400 close" },
    ["a huge length"] = {
      { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. ("9"):rep(400) .. "\r\n\r\n" }, "413 close" },
    ["a body that is too large"] = {
      { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n" }, "413 close" },
    ["chunks"] = { { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" }, "501 close" },
    ["a method that it has not"] = { { "BREW / HTTP/1.1\r\nHost: a\r\n\r\n" }, "501 close" },
    ["HTTP/2"] = { { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }, "505 close" },
    ["a head of 8 KiB"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo: " .. ("x"):rep(8192 - 30) .. "\r\n\r\n" }, "200" },
    ["a head of more"] = {
      { "GET / HTTP/1.1\r\nHost: a\r\nfoo: " .. ("x"):rep(8192 - 29) .. "\r\n\r\n" }, "431 close" },
    ["a head of very much more"] = { { "GET / HTTP/1.1\r\nHost: a\r\nfoo: " .. ("x"):rep(500000) }, "431 close" },
    ["nothing"] = { {} },
    ["an end in the middle"] = { { "GET / HTTP/1.1\r\n" } },
    ["an end in the body"] = { { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx" } },
  } do
    it("gives its due to " .. name, function()
      assert.same({ table.unpack(row, 2) }, ask(row[1], true))
    end)
  end

  it("waits for no client longer than it says: for a request, its head, its body", function()
    for data, expected in pairs {
      [""] = {}, [GET] = { "200" }, ["GET / HTTP"] = { "408 close" },
      ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"] = { "408 close" },
    } do
      local start = socket.monotime()
      assert.same(expected, ask { data })
      local took = socket.monotime() - start
      assert(took >= 0.4 and took < 5, took)
    end
  end)

  it("does not fall for a body that comes byte by byte, nor for a client that never reads", function()
    local s <close> = connect(port)
    assert(s:write "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    local start = socket.monotime()
    s:settimeout(0.05)
    local answer
    repeat
      s:send "x"
      answer = s:recv()
      assert(socket.monotime() - start < 10, "it reads for ever")
    until answer
    assert.match("^HTTP/1.1 408 ", answer)

    local deaf <close> = connect(port)
    local code
    start = socket.monotime()
    repeat
      code = select(3, deaf:send(GET:rep(100)))
      assert(socket.monotime() - start < 10, "it answers for ever")
    until code
    assert.is_true(code == "EPIPE" or code == "ECONNRESET", code)
  end)

  it("serves the others meanwhile", function()
    local idle = {}
    for i = 1, 200 do idle[i] = connect(port) end
    assert.same({ "200" }, ask({ GET }, true))
    for _, s in ipairs(idle) do s:close() end
  end)

  it("talks to curl", function()
    if helper.shell "curl --version":sub(1, 5) ~= "curl " then helper.skip "curl is not here" end
    local url = ("http://%s:%d/"):format(HOST, port)
    local output, status = helper.shell(("curl -sS -w '%%{http_code} %%{num_connects}\\n' %s %sx"):format(url, url))
    assert.same({ "<!doctype html><title>hello</title><p>Hello from Lua!</p>\n200 1\nno such page\n404 0\n", 0 },
      { output, status })
    assert.match("^HTTP/1.1 200 OK\r\n", (helper.shell("curl -sSI " .. url)))
    assert.equal("200", (helper.shell("head -c 1000000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' "
      .. "-H 'Expect: 100-continue' --data-binary @- " .. url)))
    assert.equal("413", (helper.shell("head -c 1100000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' "
      .. "--data-binary @- " .. url)))
  end)

  it("talks to wrk, and no request fails", function()
    if not helper.shell "wrk -v":find "^wrk " then helper.skip "wrk is not here" end
    local output, status = helper.shell(("wrk -t 1 -c 50 -d 1 http://%s:%d/"):format(HOST, port))
    assert.equal(0, status, output)
    assert.is_true(tonumber(output:match "(%d+) requests in") > 100, output)
    assert.not_match("errors", output)
    assert.not_match("Non%-2xx", output)
  end)

  it("is still there after all that, and has said nothing about it", function()
    interrupt(program)
  end)
end)
