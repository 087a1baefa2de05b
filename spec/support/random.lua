-- Numbers by chance, the same again when a failure has to be seen again: BSDSOCKET_SEED=1234 make test SPEC=...
--
--   local random, seed = require "spec.support.random" ()    random(m), random(m, n): as math.random; the seed is to be
--                                                    told in the message of a failure
return function()
  local seed = tonumber(os.getenv "BSDSOCKET_SEED") or os.time()
  local state = seed * 0x9E3779B97F4A7C15 | 1
  local function random(m, n)
    if not n then m, n = 1, m end
    -- xorshift64: busted shuffles with math.random, which is not to be seeded by others
    state = state ~ state << 13
    state = state ~ state >> 7
    state = state ~ state << 17
    return m + (state >> 11) % (n - m + 1)
  end
  return random, seed
end
