-- Takes ARGV[3] of what the store has set aside for the bucket KEYS[1], by the server's clock. ARGV, in microseconds but
-- for the third: from one start to the next, how much earlier than its own time one may begin, how many, how far ahead
-- anything is set aside, and how little must be left for more to be fetched.
-- Answers 1 when they are taken; 2 when they are taken and the caller is to fetch more; 0 and how long to wait; -1 when
-- there is nothing left. With 2 and -1 comes the server's time.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, lead, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local furthest, little = tonumber(ARGV[4]), tonumber(ARGV[5])
local stretch = redis.call('HMGET', KEYS[1], 'next', 'last', 'fetched')
if not stretch[1] then
    return {-1, now}
end
local last = tonumber(stretch[2])
local after = math.max(tonumber(stretch[1]), now) + count * interval
-- A clock that was set back would make the stretch longer than it is.
if after > last or last - now > furthest then
    return {-1, now}
end
local earliest = after - interval - lead
if earliest > now then
    return {0, earliest - now}
end
redis.call('HSET', KEYS[1], 'next', string.format('%.0f', after))
-- One fetches; if nothing comes of it, the next.
if last - after < little and now - tonumber(stretch[3] or 0) > little / 2 then
    redis.call('HSET', KEYS[1], 'fetched', string.format('%.0f', now))
    return {2, now}
end
return {1, 0}
