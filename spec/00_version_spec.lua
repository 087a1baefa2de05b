-- First, so that a run under another Lua says so before anything else does.
describe("the specs", function()
  it("run under Lua 5.4", function()
    assert.equal("Lua 5.4", _VERSION)
  end)
end)
