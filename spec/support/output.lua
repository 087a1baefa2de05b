-- busted's own output, and after it what a script can read: a line `N skipped: <reason>` for every reason for which
-- specs were skipped, and as the last line `N passed, N failed, N skipped`.
return function(options)
  local busted = require "busted"
  local isatty = io.type(io.stdout) == "file" and require "term".isatty(io.stdout)
  local handler = require(isatty and "busted.outputHandlers.utfTerminal"
    or "busted.outputHandlers.plainTerminal")(options)

  -- Later than the handler's own, which subscribed first.
  busted.subscribe({ "suite", "end" }, function()
    print()
    local reasons, count = {}, {}
    for _, pending in ipairs(handler.pendings) do
      local reason = type(pending.message) == "string" and pending.message or pending.name
      -- busted puts file and line before a reason that has none; a reason is compared as a whole
      reason = reason:gsub("^[^\n]-:%d+: ", ""):gsub("\n.*", "")
      if not count[reason] then reasons[#reasons + 1] = reason end
      count[reason] = (count[reason] or 0) + 1
    end
    for _, reason in ipairs(reasons) do print(count[reason] .. " skipped: " .. reason) end
    print(("%d passed, %d failed, %d skipped"):format(
      handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    return nil, true
  end)
  return handler
end
