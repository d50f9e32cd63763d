-- Schedules whose fire time has come, the longest due first. Index: schedule_due, which only a time that stands still can bound.
SELECT s.*, coalesce($1::timestamptz, now()) AS now
FROM compline.schedule s
WHERE s.next_fire <= coalesce($1::timestamptz, now())
ORDER BY s.next_fire LIMIT $2::bigint
