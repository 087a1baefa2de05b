-- The benchmark's own arithmetic, and that each of its workloads is done to the end by C and by this library.
-- What the figures are is not asked here.
local helper = require "spec.support.helper"
local config = require "bench.workloads"
local json = require "bench.json"
local pair = require "bench.pair"
local here = require "bench.here"
local report = require "bench.report"
local statistics = require "bench.statistics"

describe("the statistics of the benchmark", function()
  local function upto(n)
    local values = {}
    for i = 1, n do values[i] = (i * 7) % n + 1 end -- 7 and n have no common factor: each once
    return values
  end

  it("take the middle value, and the interval that holds the true one nine times of ten", function()
    -- of 15 values: P(fewer than 4 of 15 coins show heads) = 0.018, of 5: 0.059; so the fourth from each end
    assert.same({ median = 8, low = 4, high = 12 }, statistics.median(upto(15)))
    assert.same({ median = 10.5, low = 6, high = 15 }, statistics.median(upto(20)))
    assert.same({ median = 15.5, low = 11, high = 20 }, statistics.median(upto(30)))
  end)

  it("give all there is where the values are few", function()
    assert.same({ median = 2, low = 1, high = 3 }, statistics.median(upto(3)))
    assert.same({ median = 5, low = 5, high = 5 }, statistics.median { 5 })
  end)

  it("compare round by round: half the time is twice the speed", function()
    assert.same({ median = 2, low = 2, high = 2 }, statistics.ratio({ 2, 4, 6 }, { 1, 2, 3 }))
  end)
end)

describe("the results of the benchmark", function()
  it("are the same after they were written and read", function()
    local all = { n = { 1, 0.25, -3 }, s = 'a "b"\\n\n\\u0041', list = { { yes = true }, { no = false } }, none = {} }
    assert.same(all, json.decode(json.encode(all)))
  end)

  it("are refused where they are cut", function()
    assert.error(function() json.decode '{"a": [1, 2' end)
    assert.error(function() json.decode '{"a": "b' end)
    assert.error(function() json.decode "" end)
  end)

  local function judged(goal, most, ours, again)
    local rounds = { C = { seconds = { 1, 1, 1 } }, ["C again"] = { seconds = again or { 1, 1, 1 } },
      bsdsocket = { seconds = ours, bytes = ours } }
    local figures = report.figures { title = "x", rounds = rounds, goal = goal, most = most }
    return figures[#figures].verdict
  end

  it("meet a goal that their interval reaches, and miss another", function()
    assert.equal("met", judged(1, nil, { 2, 4 / 3, 1 }))
    assert.equal("MISSED", judged(1, nil, { 2, 4 / 3, 1.01 }))
    assert.equal("met", judged(nil, { bytes = 5 }, { 5, 7, 8 }))
    assert.equal("MISSED", judged(nil, { bytes = 4 }, { 5, 7, 8 }))
    assert.is_nil(judged(nil, nil, { 1, 1, 1 }))
  end)

  it("tell nothing where C itself varied too much, unless all of the interval is on one side", function()
    local noise = { 1, 1, 0.8 }
    assert.equal("noise", judged(1, nil, { 2, 4 / 3, 1 }, noise))
    assert.equal("MISSED", judged(1, nil, { 2, 4 / 3, 1.01 }, noise))
    assert.equal("met", judged(1, nil, { 1, 0.9, 0.8 }, noise))
  end)
end)

describe("each workload of the benchmark #process", function()
  local dir

  setup(function()
    dir = helper.tmpdir()
    local output, status = helper.shell(("mkdir %s/bench && for p in c counterpart; do "
      .. "${CC:-cc} -std=c99 -Icsrc -o %s/bench/$p bench/$p.c bench/net.c || exit; done"):format(dir, dir))
    assert.equal(0, status, output)
  end)

  local function finished(library, workload)
    local command = (library.command:gsub("%u+", { LUA = here.LUA, BUILD = dir }))
    local build = here.BUILD
    here.BUILD = dir
    local values, message = pair.run(workload, command, here.count(workload), "")
    here.BUILD = build
    assert(values, message)
    assert.is_true(values.seconds > 0)
    assert.is_true(values.operations > 0)
  end

  local function named(name)
    for _, library in ipairs(config.libraries) do
      if library.name == name then return library end
    end
  end

  local c, ours = named "C", named "bsdsocket"
  for _, workload in ipairs(config.workloads) do
    local short = { count = workload.name == "lines" and 10240 or 2560 }
    if workload.connections then short.connections = 100 end
    setmetatable(short, { __index = workload })
    if not workload.alone then
      it("is done by C: " .. workload.title, function() finished(c, short) end)
    end
    it("is done by bsdsocket: " .. workload.title, function() finished(ours, short) end)
  end
end)
