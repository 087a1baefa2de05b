-- One server of many processes: examples/24_workers.lua, which starts examples/worker.lua, and docs/scaling.md, which
-- tells about them. What the page has a balancer do is for make test-scale.
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local process = require "spec.support.process"

--- The examples with one line of worker.lua changed: where they are.
local function changed(what, by)
  local dir = helper.tmpdir()
  assert.equal("", (helper.shell("cp examples/child.lua examples/24_workers.lua " .. dir)))
  local text, n = helper.read "examples/worker.lua":gsub(what, by)
  assert.equal(1, n)
  helper.save(dir .. "/worker.lua", text)
  return dir
end

--- Starts so many workers: gives the parent, their address, and the process ids, when they can be called.
local function start(count, dir)
  local parent = process.start((dir or "examples") .. "/24_workers.lua", "127.0.0.1", 0, count)
  local port = process.line(parent):match("^workers\t" .. count .. " at 127%.0%.0%.1:(%d+)$")
  local ids = {}
  for _ = 1, count do
    local n, id = process.line(parent):match "^worker (%d+)\tserves as process (%d+)$"
    ids[tonumber(n)] = id
  end
  assert.equal(count, #ids)
  return parent, socket.address("AF_INET", "127.0.0.1", math.tointeger(port)), ids
end

local function call(address)
  local client = assert(socket.connect(address, { timeout = 20 })):settimeout(20)
  return client, assert(client:read "l"):match "^worker (%d+)$"
end

local function echoes(client, text)
  assert(client:sendall(text .. "\n"))
  assert.equal(text, client:read "l")
end

--- Returns when nobody listens there any more.
local function refused(address)
  local deadline = process.deadline()
  repeat
    local s, _, code = socket.connect(address)
    if s then s:close() end
    if socket.monotime() > deadline then error("somebody listens still", 2) end
  until code == "ECONNREFUSED"
end

describe("24_workers.lua #process", function()
  it("shows that a worker that is killed is replaced, and the others go on", function()
    local program <close> = process.start("examples/24_workers.lua", "127.0.0.1", 0, 3, "show")
    local output, status = process.rest(program)
    assert.equal(0, status, output)
    local ids, events = {}, {}
    for n, id in output:gmatch "worker (%d)\tserves as process (%d+)\n" do ids[#ids + 1] = n .. id end
    for n, how in output:gmatch "worker (%d)\thas ended: ([^\n]+)\n" do events[#events + 1] = how .. " " .. n end
    assert.equal(4, #ids)
    assert.equal(4, #events)
    local victim = events[1]:match "^signal 9 (%d)$"
    assert.equal(victim, ids[4]:sub(1, 1))
    table.sort(events)
    assert.same({ "exit 0 1", "exit 0 2", "exit 0 3", "signal 9 " .. victim }, events)
    local order = {}
    for what in output:gmatch "clients\t(%C+)" do order[#order + 1] = what end
    assert.same({ "are served by all workers", "of the others have noticed nothing", "are served by the new one, too",
      "are served while the workers are to end" }, order)
  end)

  it("spreads the clients over all workers", function()
    local parent <close>, address, ids = start(2)
    local missing, deadline = { [ids[1]] = true, [ids[2]] = true }, process.deadline()
    while next(missing) and socket.monotime() < deadline do
      local client <close>, id = call(address)
      echoes(client, "hello")
      missing[id] = nil
    end
    assert.is_nil(next(missing))
    parent:kill "INT"
    process.rest(parent)
  end)

  it("starts one worker for each processor where it is not told how many", function()
    local program <close> = process.start("examples/24_workers.lua", "127.0.0.1", 0)
    local processors = helper.shell "getconf _NPROCESSORS_ONLN || getconf NPROCESSORS_ONLN":match "%d+"
    assert.match("^workers\t" .. processors .. " at ", process.line(program))
    program:kill "INT"
    process.rest(program)
  end)

  for signal, status in pairs { KILL = 137, TERM = 143, INT = 130 } do
    it("has its workers serve their clients to the end, and no others, when it ends by SIG" .. signal, function()
      local parent <close>, address = start(2)
      local clients = {}
      for i = 1, 4 do clients[i] = call(address) end
      -- what it says ends, and its status is known, when the last of them has ended
      parent:kill(signal)
      refused(address)
      for i, client in ipairs(clients) do
        echoes(client, "still here " .. i)
        client:close()
      end
      assert.same({ "", status }, { process.rest(parent) })
    end)
  end

  it("has its workers serve those, too, who have called and were not accepted yet", function()
    local parent <close>, address, ids = start(1)
    assert(os.execute("kill -STOP " .. ids[1]))
    parent:kill "KILL" -- the first that the worker will see
    local client <close> = assert(socket.connect(address, { timeout = 20 })):settimeout(20)
    assert(os.execute("kill -CONT " .. ids[1]))
    assert.equal("worker " .. ids[1], client:read "l")
    echoes(client, "hello")
    client:close()
    assert.same({ "", 137 }, { process.rest(parent) })
  end)

  it("has its workers give up clients who do not go, in the end", function()
    local parent <close>, address = start(1, changed("PATIENCE = 10", "PATIENCE = 0.1"))
    local client <close> = call(address)
    parent:kill "KILL"
    assert.equal("", client:recv())
    process.rest(parent)
  end)

  it("starts a worker that dies at once no more than once a second", function()
    local before = socket.monotime() -- of the first end we may hear late
    local parent <close> = process.start(changed("local loop = require", "os.exit(3)\n%0") .. "/24_workers.lua",
      "127.0.0.1", 0, 1)
    assert.match("^workers\t1 at ", process.line(parent))
    for _ = 1, 3 do assert.equal("worker 1\thas ended: exit 3", process.line(parent)) end
    assert.is_true(socket.monotime() - before > 2)
    parent:kill "INT"
    assert.same({ "", 130 }, { process.rest(parent) })
  end)

  it("says in one line that its port is taken, and fails", function()
    local taken <close> = assert(socket.listen("127.0.0.1", 0))
    local port = taken:getsockname().port
    local program <close> = process.start("examples/24_workers.lua", "127.0.0.1", port, 1)
    local output, status = process.rest(program)
    assert.match("^[^\n]*bind 127%.0%.0%.1:" .. port .. ": Address already in use\n$", output)
    assert.equal(1, status)
  end)

  it("goes on when clients break off", function()
    local parent <close>, address = start(1)
    for _ = 1, 3 do
      local client <close> = call(address)
      assert(client:setsockopt("SO_LINGER", 0))
      client:sendall "hello"
      client:close()
    end
    local client <close> = call(address)
    echoes(client, "hello")
    client:close()
    parent:kill "INT"
    assert.same({ "", 130 }, { process.rest(parent) })
  end)
end)

describe("docs/scaling.md", function()
  local page = helper.read "docs/scaling.md"

  it("has Lua that Lua understands", function()
    local count = 0
    for code in page:gmatch "\n```lua\n(.-\n)```\n" do
      assert(load(code))
      count = count + 1
    end
    assert.is_true(count >= 2)
  end)

  it("has a configuration of each balancer that make test-scale runs, with the measures that it speaks of", function()
    local haproxy, nginx = page:match "\n```haproxy\n(.-\n)```\n", page:match "\n```nginx\n(.-\n)```\n"
    for _, text in ipairs { haproxy, nginx } do
      local ports = {}
      for port in text:gmatch "127%.0%.0%.1:(%d+)" do ports[#ports + 1] = port end
      table.sort(ports)
      assert.equal("8000 8001 8002 8003 8004", table.concat(ports, " "))
    end
    assert.match("\n  option redispatch 1\n", haproxy)
    assert.match("\n  retries 3\n", haproxy)
  end)

  it("has no link that leads nowhere", function()
    local anchors = {}
    for heading in page:gmatch "\n#+ ([^\n]+)" do
      anchors["#" .. heading:lower():gsub("[^%w%s-]", ""):gsub(" ", "-")] = true
    end
    for target in page:gmatch "%]%(([^)]+)%)" do
      if not anchors[target] then
        local other = io.open("docs/" .. target)
        assert(other, target):close()
      end
    end
  end)
end)
