-- Deletes the memory of fire times long gone. Index: schedule_fire_fired_at.
DELETE FROM compline.schedule_fire f
USING (
    SELECT schedule, fire_time FROM compline.schedule_fire
    WHERE fired_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
    ORDER BY fired_at LIMIT $3::bigint
) old
WHERE f.schedule = old.schedule AND f.fire_time = old.fire_time
