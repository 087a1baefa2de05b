-- First, so that a run under another Lua says so before anything else does.
describe("the specs", function()
  it("run under the Lua that LUA_V names, 5.4 unless it does", function()
    assert.equal("Lua " .. (os.getenv "LUA_V" or "5.4"), _VERSION)
  end)
end)
