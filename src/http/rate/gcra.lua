-- Counts one try at each key, in order, until one has had too many (GCRA).
-- KEYS: the keys. ARGV: microseconds between two tries, tries at once.
-- Answers with 0, or the microseconds to wait. A key is the time, in microseconds of this
-- server's clock, at which its allowance is whole again.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
for _, key in ipairs(KEYS) do
  local whole = math.max(tonumber(redis.call('GET', key) or 0), now) + every
  local wait = whole - burst * every - now
  if wait > 0 then return wait end
  redis.call('SET', key, string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
end
return 0
