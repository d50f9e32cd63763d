-- Notes that the store set a stretch of the rate aside for the bucket KEYS[1]. ARGV: how far it begins and ends from the
-- store's present, and this server's time before the store was asked, in microseconds; its two ends as the store calls them.
-- The store's present lay between then and now. So the stretch begins by the later of the two and ends by the earlier, and
-- nothing is given out that the store might give to others. What a slow answer costs is lost, but for a stretch that goes on
-- where the last one ends: between the two lies nothing.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local from, upto = now + tonumber(ARGV[1]), tonumber(ARGV[3]) + tonumber(ARGV[2])
local stretch = redis.call('HMGET', KEYS[1], 'next', 'last', 'ends')
-- A later stretch may have come first.
if stretch[2] and tonumber(stretch[2]) >= upto then
    return 0
end
if stretch[3] == ARGV[4] then
    from = tonumber(stretch[1])
elseif stretch[1] then
    from = math.max(from, tonumber(stretch[1]))
end
if upto <= from then
    return 0
end
redis.call('HSET', KEYS[1], 'next', string.format('%.0f', from), 'last', string.format('%.0f', upto), 'ends', ARGV[5])
redis.call('PEXPIRE', KEYS[1], math.max(math.ceil((upto - now) / 1000), 1) + 1000)
return 1
