-- Schedules whose fire time has come, the longest due first. Index: schedule_due.
SELECT s.*, coalesce($1::timestamptz, clock_timestamp()) AS now
FROM compline.schedule s
WHERE s.next_fire <= coalesce($1::timestamptz, clock_timestamp())
ORDER BY s.next_fire LIMIT $2::bigint
