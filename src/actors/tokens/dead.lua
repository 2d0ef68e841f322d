-- Adds dead tokens to the set, if it still is the one that the caller means.
-- KEYS: the set, its freshness. ARGV: the member that must be in the set; the time that the set is
-- complete to, in seconds, or '' while there is more to come; when its freshness ends, in
-- milliseconds; then pairs of a member and its end, in seconds.
-- Answers with 1, or with 0 when the set was lost meanwhile.
local set, fresh, mark, complete = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if not redis.call('ZSCORE', set, mark) then return 0 end
for at = 4, #ARGV, 2 do
  redis.call('ZADD', set, 'GT', ARGV[at + 1], ARGV[at])
end
if complete ~= '' then
  if mark ~= 'complete' then redis.call('ZREM', set, mark) end
  redis.call('ZADD', set, 'GT', complete, 'complete')
  -- An hour is more than any clock's error.
  redis.call('ZREMRANGEBYSCORE', set, '-inf', complete - 3600)
  redis.call('SET', fresh, 1, 'PXAT', ARGV[3])
end
return 1
