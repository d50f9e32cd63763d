-- Schedules whose fire time has come, the longest due first. Index: schedule_due, which only a time that stands still can bound.
SELECT s.*, coalesce($1::timestamptz, now()) AS now
FROM compline.schedule s
WHERE s.next_fire <= coalesce($1::timestamptz, now())
  -- Few: those that this process cannot read.
  AND (s.name, s.revision) NOT IN (SELECT * FROM unnest($3::text[], $4::bigint[]))
ORDER BY s.next_fire LIMIT $2::bigint
