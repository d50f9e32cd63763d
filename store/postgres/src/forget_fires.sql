-- Deletes the memory of fire times long gone, but of the first of each schedule: it says
-- since when there were others, also when the schedule was deleted. Index: schedule_fire_fired_at, schedule_fire_pkey.
DELETE FROM compline.schedule_fire f
USING (
    SELECT o.schedule, o.fire_time FROM compline.schedule_fire o
    WHERE o.fired_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
      AND EXISTS (SELECT FROM compline.schedule_fire n WHERE n.schedule = o.schedule
                  AND (n.fired_at, n.fire_time) < (o.fired_at, o.fire_time))
    ORDER BY o.fired_at LIMIT $3::bigint
) old
WHERE f.schedule = old.schedule AND f.fire_time = old.fire_time
