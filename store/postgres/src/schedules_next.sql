-- The time, and how long until the next schedule is due, in microseconds. The first entry of index schedule_due after now.
SELECT n.now, (SELECT (extract(epoch FROM s.next_fire - n.now) * 1000000)::bigint FROM compline.schedule s
               WHERE s.next_fire > n.now ORDER BY s.next_fire LIMIT 1) AS wait
FROM (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now) n
