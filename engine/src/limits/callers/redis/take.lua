-- Takes up to ARGV[3] of the bucket KEYS[1], by the server's clock: of ARGV[2] at once and one more every ARGV[1]
-- microseconds, and before that gives back ARGV[4] that were taken and not used. The same sum as store::rates::take.
-- Answers how many were taken, and after how many microseconds all is there again; by then the key is gone.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, most, want, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local latest = now + interval * most
local base = now
local full_at = redis.call('GET', KEYS[1])
if full_at then
    -- A clock that was set back holds nobody up for longer than all takes to come again.
    base = math.max(now, math.min(tonumber(full_at) - back * interval, latest))
end
local taken = math.min(want, math.floor((latest - base) / interval))
local behind = base + taken * interval - now
if behind > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', now + behind), 'PX', math.ceil(behind / 1000))
else
    redis.call('DEL', KEYS[1])
end
return {taken, behind}
