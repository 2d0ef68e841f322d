-- Adds revoked tokens to the set, unless the set was replaced in the meantime.
-- KEYS: the set, its freshness. ARGV: the member that must be in the set; the time up to which the set is
-- complete, in seconds, or '' if more tokens follow; when its freshness ends, in
-- milliseconds; then pairs of a member and its expiry, in seconds.
-- Returns 1, or 0 if the set was lost.
local set, fresh, mark, complete = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if not redis.call('ZSCORE', set, mark) then return 0 end
for at = 4, #ARGV, 2 do
  redis.call('ZADD', set, 'GT', ARGV[at + 1], ARGV[at])
end
if complete ~= '' then
  if mark ~= 'complete' then redis.call('ZREM', set, mark) end
  redis.call('ZADD', set, 'GT', complete, 'complete')
  -- An hour exceeds any clock difference.
  redis.call('ZREMRANGEBYSCORE', set, '-inf', complete - 3600)
  redis.call('SET', fresh, 1, 'PXAT', ARGV[3])
end
return 1
