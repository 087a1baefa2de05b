-- bsdsocket.loop: what becomes of errors in tasks, what stderr says, and what programmers do wrong.
local helper = require "spec.support.helper"
local net = require "spec.support.net"
local tasks = require "spec.support.tasks"
local loop = require "bsdsocket.loop"

after_each(net.close)

describe("an error in a task that nobody joins #process", function()
  it("goes to stderr with its traceback, and ends that task alone", function()
    local output, status = tasks.lua [[
      local results = table.pack(loop.run(function()
        local function inner() error "oops" end
        local function outer() loop.sleep(0) inner() end
        loop.spawn(function() outer() return 1 end)
        loop.sleep(0.01)
        io.stderr:write "went on\n"
        return "results"
      end))
      io.stderr:write(results[1], "\n")
    ]]
    assert.equal(0, status, output)
    assert.match("%S+:%d+: oops\nstack traceback:\n", output)
    assert.match("in upvalue 'inner'", output)
    assert.match("in upvalue 'outer'", output)
    assert.match("went on\nresults\n$", output)
    local _, count = output:gsub("oops", "")
    assert.equal(1, count)
  end)

  it("is told while the others run on, not at the end", function()
    local output = tasks.lua [[
      loop.run(function()
        loop.spawn(function() error "oops" end)
        loop.sleep(0.05)
        io.stderr:write "later\n"
      end)
    ]]
    assert.match("oops.*later\n$", output)
  end)

  it("is told while others never rest", function()
    local output = tasks.lua [[
      loop.run(function()
        loop.spawn(function() error "oops" end)
        local start = loop.now()
        while loop.now() < start + 0.1 do loop.sleep(0) end
        io.stderr:write "later\n"
      end)
    ]]
    assert.match("oops.*later\n$", output)
  end)

  it("is told though the task has never waited, or was spawned before loop.run", function()
    for _, code in ipairs {
      "loop.spawn(error, 'oops', 0) loop.run()",
      "loop.run(function() loop.spawn(error, 'oops', 0) end)",
      "loop.run(function() loop.spawn(function() loop.spawn(error, 'oops', 0) end) end)",
    } do
      local output, status = tasks.lua(code)
      assert.equal(0, status)
      assert.match("oops\nstack traceback:\n", output)
    end
  end)

  it("is told once of each", function()
    local output = tasks.lua [[
      loop.run(function()
        for i = 1, 5 do loop.spawn(function() loop.sleep(0) error("oops " .. i, 0) end) end
      end)
    ]]
    for i = 1, 5 do
      local _, count = output:gsub("oops " .. i .. "\n", "")
      assert.equal(1, count, output)
    end
  end)

  it("that is no string is told as lua tells it", function()
    local output = tasks.lua [[
      loop.run(function()
        loop.spawn(error, setmetatable({}, { __tostring = function() return "a thing" end }))
        loop.spawn(error, {})
        loop.spawn(error, 12, 0)
        loop.spawn(error)
        loop.spawn(error, setmetatable({}, { __tostring = function() error "worse" end }))
        loop.spawn(error, setmetatable({}, { __tostring = function() return 1 end }))
        loop.sleep(0)
      end)
      io.stderr:write "ended\n"
    ]]
    assert.match("a thing", output)
    assert.match("table", output)
    assert.match("12", output)
    assert.match(helper.noerror or "nil", output)
    assert.match("ended\n$", output)
  end)

  it("is told though it has no text, and memory is not to blame for that", function()
    local output = tasks.lua [[
      loop.run(function()
        loop.spawn(error, setmetatable({}, {__tostring = function() error "no text" end}))
        loop.spawn(error, setmetatable({}, {__tostring = function() return {} end}))
        loop.spawn(error, setmetatable({}, {__tostring = function() error(setmetatable({}, {})) end}))
      end)
    ]]
    local _, count = output:gsub("error in a task: %(error object is a table value, and its __tostring fails%)\n"
      .. "stack traceback:\n", "")
    assert.equal(3, count, output)
    assert.is_nil(output:find "memory")
  end)

  it("is told, too, when it is of a <close> variable of a task that was cancelled", function()
    local output = tasks.lua [[
      loop.run(function()
        local task = loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() error "oops" end })
          loop.sleep(60)
        end)
        loop.sleep(0)
        task:cancel()
        loop.sleep(0.01)
        io.stderr:write "went on\n"
      end)
    ]]
    assert.match("oops", output)
    assert.match("went on\n$", output)
  end)

  it("is told, too, when it is of a <close> variable at the end of a failed run", function()
    local output, status = tasks.lua [[
      loop.run(function()
        loop.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() error "oops" end })
          loop.sleep(60)
        end)
        loop.sleep(0)
        error "the first"
      end)
    ]]
    assert.equal(1, status)
    assert.match("oops", output)
    assert.match("the first", output)
  end)
end)

describe("nothing goes to stderr #process", function()
  for name, code in pairs {
    ["of an error that somebody waits for"] = [[
      local task = loop.spawn(function() loop.sleep(0.005) error "oops" end)
      assert(not task:join())
    ]],
    ["of an error at once that somebody joins at once"] = [[
      assert(not loop.spawn(error, "oops"):join())
    ]],
    ["of a task that was cancelled"] = [[
      local task = loop.spawn(loop.sleep, 60)
      loop.sleep(0)
      task:cancel()
    ]],
    ["of a task that was cancelled before it began"] = [[ loop.spawn(loop.sleep, 60):cancel() ]],
    ["of a timeout"] = [[
      loop.timeout(0.001, loop.sleep, 60)
      loop.spawn(loop.timeout, 0.001, loop.sleep, 60)
    ]],
    ["of an error that is caught"] = [[ loop.spawn(pcall, error, "oops") ]],
    ["of the others that an error of f ends"] = [[
      loop.spawn(loop.sleep, 60)
      loop.sleep(0)
      error("quiet", 0)
    ]],
    ["of tasks that end well"] = [[ for i = 1, 10 do loop.spawn(loop.sleep, 0.001) end ]],
  } do
    it(name, function()
      assert.same({ "", 0 }, { tasks.lua("pcall(loop.run, function() " .. code .. " end)") })
    end)
  end
end)

describe("an error reaches", function()
  it("loop.run from its f through everything that may lie between", function()
    local thing = {}
    for _, through in ipairs {
      function() error(thing) end,
      function() loop.sleep(0) error(thing) end,
      function() loop.timeout(1, function() loop.sleep(0) error(thing) end) end,
      function() loop.wrap(function() loop.sleep(0) error(thing) end)() end,
      function() local _ <close> = setmetatable({}, { __close = function() error(thing) end }) loop.sleep(0) end,
      function()
        local ok, err = loop.spawn(function() loop.sleep(0) error(thing) end):join()
        if not ok then error(err) end
      end,
      function() string.gsub("x", "x", function() error(thing) end) end,
      function() coroutine.wrap(error)(thing) end,
    } do
      local ok, err = pcall(loop.run, through)
      assert.is_false(ok)
      assert.equal(thing, err)
    end
  end)

  it("pcall in the task, where it can be dealt with", function()
    tasks.run(function()
      local thing = {}
      for _ = 1, 3 do
        assert.same({ false, thing }, { pcall(function()
          loop.sleep(0)
          error(thing)
        end) })
        local ok, trace = xpcall(function()
          loop.sleep(0)
          error "text"
        end, debug.traceback)
        assert.is_false(ok)
        assert.match("text\nstack traceback:", trace)
      end
    end)
  end)

  it("tells its place as Lua does, after a wait, too", function()
    local a, b = net.pair()
    tasks.run(function()
      local late = loop.spawn(b.send, b, "x")
      local ok, message = pcall(function()
        assert(a:recv() == "x")
        a:recv {}
      end)
      assert.is_false(ok)
      assert.match("^[^\n]*error_spec.lua:%d+: bad argument #1 to 'recv' %(number expected, got table%)", message)
      tasks.join(late)
    end)
  end)
end)

describe("tasks that wait for each other, and for nothing else,", function()
  it("end with an error of loop.run, as nothing could wake them; then the loop can be used again", function()
    local log, closed = tasks.log()
    local ok, message = pcall(loop.run, function()
      local a, b
      a = loop.spawn(function()
        local _ <close> = closed "a"
        b:join()
      end)
      b = loop.spawn(function()
        local _ <close> = closed "b"
        a:join()
      end)
      a:join()
    end)
    assert.is_false(ok)
    assert.match("wait", message)
    table.sort(log)
    assert.same({ "a", "b" }, log)
    assert.equal("again", loop.run(function()
      loop.sleep(0.001)
      return "again"
    end))
  end)
end)

describe("loop.run inside a task", function()
  local inside = {
    ["in a task"] = function(f) f() end,
    ["in a generator"] = function(f) loop.wrap(f)() end,
    ["in a coroutine"] = function(f) coroutine.wrap(f)() end,
    ["in loop.timeout"] = function(f) loop.timeout(1, f) end,
    ["where Lua cannot yield"] = function(f) string.gsub("x", "x", function() f() end) end,
    ["in __gc"] = function(f)
      setmetatable({}, { __gc = function() f() end })
      collectgarbage()
    end,
    ["in __close"] = function(f)
      local _ <close> = setmetatable({}, { __close = function() f() end })
    end,
    ["in __close of a task that is cancelled"] = function(f)
      local task = loop.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() f() end })
        loop.sleep(60)
      end)
      tasks.settle()
      task:cancel()
    end,
  }
  for name, within in pairs(inside) do
    it("raises " .. name .. ", and the loop runs on", function()
      tasks.run(function()
        local said, ran
        within(function()
          said = helper.raises("loop.run", "loop.run: ", loop.run, function() ran = true end)
        end)
        assert.truthy(said)
        assert.is_nil(ran)
        loop.sleep(0)
      end)
    end)
  end

  it("raises in every other task as well", function()
    tasks.run(function()
      local said
      tasks.join(loop.spawn(function()
        loop.sleep(0)
        said = helper.raises("loop.run", "loop.run: ", loop.run)
      end))
      assert.truthy(said)
    end)
  end)

  it("raises for what is no function, and then runs nothing", function()
    local ran = false
    local task = loop.spawn(function() ran = true end)
    for _, value in ipairs { 1, "x", true, {} } do
      helper.raises("loop.run", "bad argument #1 to '[%w.]*run'", loop.run, value)
    end
    assert.is_false(ran)
    loop.run()
    assert.is_true(ran)
    assert.is_false(task:cancel())
  end)
end)
