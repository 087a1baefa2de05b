-- The examples of the file face: what they print, and what their servers do with clients that are not theirs.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local process = require "spec.support.process"

local HOST = "127.0.0.1"

local shown = {
  ["25_lines.lua"] = [[
the first answer	done
the next word	blue	and its newline
a number	42
another answer	what?
]],
  ["26_files.lua"] = [[
client	took %d bytes
26_files.lua	came as it is
client	asked in vain
nothing.txt	no such file
client	asked in vain
../README.md	no such file
]],
  ["27_buffers.lua"] = [[
before flush	recv: timed out	timeout
after flush	3893
half a line	read: timed out	timeout
a line	one line
the answer	read: timed out	timeout
the question	what is 6 times 7?
the answer	42
too early	read: timed out	timeout
waiting	8	bytes
complete	never give up
any call gets the rest	by	e
too long	read: Message too long	EMSGSIZE
read otherwise	xxxxxxxxxxxxxxxxxxxx;	and more
the end	no newline	nil	true
]],
}

--- An example that serves until it is ended, and its port.
local function server(...)
  local program = process.start(...)
  local port = process.line(program):match "^listening at\t127%.0%.0%.1:(%d+)$"
  return program, assert(math.tointeger(tonumber(port)))
end

local function connect(port)
  return assert(socket.connect(HOST, port, { timeout = 5 })):settimeout(5)
end

describe("the examples of the file face #process", function()
  for name, expected in pairs(shown) do
    it("have " .. name .. ", which shows what it says", function()
      local output, status = helper.lua("examples/" .. name)
      assert.equal(expected:format(#helper.read("examples/" .. name)), output)
      assert.equal(0, status)
    end)
  end

  it("have a server of lines, which goes on whatever a client does, and ends at Ctrl-C", function()
    local program <close>, port = server("examples/25_lines.lua", 0)
    for _, case in ipairs {
      { "set a b c\nget a\nadd 1 x\nquit\nget a\n", "done\nb c\n1\n", "has left" },
      { "get a\nget b", "b c\nthere is no such name\n", "has left" },
      { "\n \r\n?\n", "what?\nwhat?\nwhat?\n", "has left" },
      { ("x"):rep((1 << 20) + 1), "", "lines: Message too long" },
    } do
      local s <close> = connect(port)
      assert(s:write(case[1]))
      s:shutdown "SHUT_WR"
      local came = s:read "a" -- what was not read may break the connection
      assert.is_true(came == case[2] or case[2] == "")
      local from, how = process.line(program):match "^(%S+)\t(.*)$"
      assert.equal(tostring(s:getsockname()), from)
      assert.match(case[3] .. "$", how)
    end
    local broken = connect(port)
    local from = tostring(broken:getsockname())
    assert(broken:setsockopt("SO_LINGER", 0))
    broken:close()
    local line = process.line(program)
    assert.equal(from, line:match "^%S+")
    assert.match("lines: Connection reset by peer$", line)
    local s <close> = connect(port)
    assert(s:write "get a\n")
    assert.equal("b c", s:read())
    process.blocked(program.pid)
    program:kill "INT"
    process.stopped(program)
  end)

  it("have a server of files, which sends what lies in its directory and nothing else", function()
    local dir = helper.tmpdir()
    assert.equal("", (helper.shell("cd " .. dir .. " && mkdir sub && echo secret >.hidden && echo secret >sub/file")))
    local large = ("0123456789"):rep(500000)
    for name, data in pairs { large = large, empty = "", ["with a space"] = "hello" } do
      helper.save(dir .. "/" .. name, data)
    end
    local program <close>, port = server("examples/26_files.lua", 0, dir)
    local function fetch(name)
      local s <close> = connect(port)
      assert(s:write(name, "\n"))
      local first, rest = s:read("l", "a")
      return process.line(program):match "\t(.*)$", first, rest
    end
    local said, size, data = fetch "large"
    assert.same({ "took 5000000 bytes", "5000000" }, { said, size })
    assert.is_true(data == large)
    assert.same({ "took 0 bytes", "0", "" }, { fetch "empty" })
    assert.same({ "took 5 bytes", "5", "hello" }, { fetch "with a space" })
    for _, name in ipairs {
      "nothing", "", ".", "..", ".hidden", "sub", "sub/file", "./large", "../" .. dir:match "[^/]*$" .. "/large",
      dir .. "/large", "/etc/passwd", "sub/../large",
    } do
      assert.same({ "asked in vain", "no such file", "" }, { fetch(name) })
    end

    local s <close> = connect(port)
    assert(s:write(("x"):rep(1000)))
    assert.match("read: Message too long$", process.line(program))
    local silent <close> = connect(port)
    silent:shutdown "SHUT_WR"
    assert.is_truthy(process.line(program)) -- no name at all
    assert.same({ "took 5 bytes", "5", "hello" }, { fetch "with a space\r" })
    process.blocked(program.pid)
    program:kill "INT"
    assert.equal("", process.stopped(program))
  end)
end)
