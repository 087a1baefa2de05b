-- From rounds to figures: medians of ratios, and how sure they are.
local statistics = {}

-- The probability that the interval holds the true median is at least this.
statistics.CONFIDENCE = 0.90

--- How many of the smallest and of the largest of n values are beyond the interval. For n independent values the
--- number of those below the median is binomial, whatever their distribution (a "sign test" interval).
local function beyond(n)
  local chance, below, k = 0.5 ^ n, 0, 0 -- of exactly k values below; of at most k; k
  while 1 - 2 * (below + chance) >= statistics.CONFIDENCE do
    below = below + chance
    chance = chance * (n - k) / (k + 1)
    k = k + 1
  end
  return math.max(k - 1, 0)
end

--- The median of an array of numbers, and both ends of its interval: {median, low, high}.
function statistics.median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local n, k = #sorted, beyond(#sorted)
  return { median = (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2, low = sorted[k + 1], high = sorted[n - k] }
end

--- The ratios of two arrays, round by round: the speed of the second, where that of the first is 1.
function statistics.ratio(first, second)
  local ratios = {}
  for i, value in ipairs(first) do ratios[i] = value / second[i] end
  return statistics.median(ratios)
end

return statistics
