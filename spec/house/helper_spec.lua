-- The helper watches every other spec; here it is watched: fixtures run in a busted of their own.
local helper = require "spec.support.helper"
local quote = helper.quote

-- Runs spec/x_spec.lua of a new directory, with the given text, and other files by name.
local function run(text, files, options)
  local dir = helper.tmpdir()
  assert(os.execute("mkdir -p " .. dir .. "/spec/support"))
  files = files or {}
  files["spec/x_spec.lua"] = "local helper = require 'spec.support.helper'\n" .. text
  files[".busted"] = ("return { _all = { helper = 'R/helper.lua', output = 'R/output.lua' } }")
    :gsub("R", function() return helper.root .. "/spec/support" end)
  for name, content in pairs(files) do
    helper.save(dir .. "/" .. name, content)
  end
  local output, status = helper.shell("cd " .. dir .. " && "
    .. helper.command(helper.root .. "/spec/run.lua", table.unpack(options or {})))
  return output, status, output:match "([^\n]*)\n$"
end

describe("the helper #process", function()
  it("passes a test that closes what it opens", function()
    local output, status, last = run [[
      it("opens", function() local f <close> = io.open("/dev/null") end)
    ]]
    assert.equal(0, status, output)
    assert.equal("1 passed, 0 failed, 0 skipped", last)
  end)

  it("fails a test that leaves a descriptor open", function()
    local output, status, last = run [[
      describe("a", function()
        it("leaks", function() left = io.open("/dev/null") end)
        it("does not", function() end)
      end)
    ]]
    assert.equal(1, status)
    assert.match("left open by 'a leaks': descriptor %d+ %(/dev/null%)", output)
    assert.equal("2 passed, 1 failed, 0 skipped", last)
  end)

  it("fails a file whose setup leaves a descriptor open", function()
    local output, status = run [[
      setup(function() left = io.open("/dev/null") end)
      it("does nothing", function() end)
    ]]
    assert.equal(1, status)
    assert.match("left open by a setup of [^\n]*x_spec.lua: descriptor %d+ %(/dev/null%)", output)
  end)

  it("lets a setup's descriptor live until its teardown", function()
    local output, status = run [[
      setup(function() kept = io.open("/dev/null") end)
      teardown(function() kept:close() end)
      it("does nothing", function() end)
    ]]
    assert.equal(0, status, output)
  end)

  it("counts what only the collector would close, but where the test says so", function()
    local output, status, last = run [[
      it("drops", function() io.open("/dev/null") end)
      it("drops and says so", function() helper.collects() io.open("/dev/null") end)
    ]]
    assert.equal(1, status)
    assert.match("left open by 'drops'", output)
    assert.equal("2 passed, 1 failed, 0 skipped", last)
  end)

  it("prints the reason of each skip", function()
    local output, status, last = run [[
      it("is skipped", function() helper.skip("the moon is full") end)
    ]]
    assert.equal(0, status)
    assert.match("\n1 skipped: the moon is full\n", output)
    assert.equal("0 passed, 0 failed, 1 skipped", last)
  end)

  it("skips for reasons alone that spec/skips.txt has", function()
    local reasons, count = {}, 0
    for line in helper.read "spec/skips.txt":gmatch "[^\n]+" do reasons[line] = true end
    local found = helper.shell "grep -rho 'helper.skip[( ]*\"[^\"]*\"' --include=*.lua spec"
    for reason in found:gmatch '"([^\n]*)"' do
      if reason ~= "the moon is full" then
        assert.is_true(reasons[reason], reason)
        count = count + 1
      end
    end
    assert.is_true(count > 50)
  end)

  it("knows a failure when it sees one", function()
    local output, status, last = run [[
      it("is one", function()
        local message, taken = helper.fails("s:sendall", "EPIPE", nil, "sendall 1.2.3.4:5: Broken pipe", "EPIPE", 7)
        assert.equal("sendall 1.2.3.4:5: Broken pipe", message)
        assert.equal(7, taken)
      end)
      it("returned a value", function() helper.fails("s:bind", "EBADF", true) end)
      it("has no message", function() helper.fails("s:bind", "EBADF", nil, nil, "EBADF") end)
      it("has another code", function() helper.fails("s:bind", "EBADF", nil, "bind: no", "EPIPE") end)
      it("has another's message", function() helper.fails("s:bind", "EBADF", nil, "binder: no", "EBADF") end)
      it("raises", function() helper.raises("s:bind", "bad", error, "bad argument") end)
      it("raises no error", function() helper.raises("s:bind", "bad", print) end)
      it("raises another", function() helper.raises("s:bind", "bad", error, "worse") end)
    ]]
    assert.equal(1, status)
    assert.equal("2 passed, 6 failed, 0 skipped", last, output)
  end)

  it("fails a whole run in which a row of spec/support/failures.lua was not provoked", function()
    local rows = { ["spec/support/failures.lua"] = [[
      return {
        ["s:bind"] = { "EBADF", "EACCES", "argument", "EPIPE" },
        skip = { ["s:bind EPIPE"] = "nobody knows how" },
      }
    ]] }
    local text = [[
      it("fails", function() helper.fails("s:bind", "EBADF", nil, "bind: Bad file descriptor", "EBADF") end)
      it("raises", function() helper.raises("s:bind", "bad", error, "bad argument") end)
    ]]
    local output, status, last = run(text, rows)
    assert.equal(1, status)
    assert.match("no spec provoked:\n  s:bind EACCES\n", output)
    assert.match("not provoked: s:bind EPIPE: nobody knows how\n", output)
    assert.equal("2 passed, 1 failed, 0 skipped", last)

    output, status = run(text, rows, { "spec/x_spec.lua" })
    assert.equal(0, status, output)
    output, status = run(text, rows, { "--filter=fails" })
    assert.equal(0, status, output)
  end)

  it("removes temporary files and directories after the test", function()
    local output, status = run [[
      local name, dir
      it("makes them", function()
        name, dir = helper.tmpname(), helper.tmpdir()
        assert(io.open(name, "w")):close()
        assert(io.open(dir .. "/x", "w")):close()
      end)
      it("finds none", function()
        assert.is_nil(io.open(name))
        assert.is_nil(io.open(dir .. "/x"))
      end)
    ]]
    assert.equal(0, status, output)
  end)

  it("runs Lua 5.4 and other programs", function()
    local output, status = helper.lua("-e", "print(_VERSION)")
    assert.same({ "Lua 5.4\n", 0 }, { output, status })
    output, status = helper.lua("-e", "io.stderr:write 'x' os.exit(7)")
    assert.same({ "x", 7 }, { output, status })
    output, status = helper.shell "echo a; kill -9 $$"
    assert.same({ "a\n", 137 }, { output, status })
    assert.equal("it's", (helper.shell("printf %s " .. quote "it's")))
  end)
end)
