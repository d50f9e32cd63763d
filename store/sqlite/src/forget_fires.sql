-- Deletes the memory of fire times long gone, but of the first of each schedule: it says
-- since when there were others, also when the schedule was deleted. Index schedule_fire_fired_at, primary key.
DELETE FROM schedule_fire WHERE (schedule, fire_time) IN (
    SELECT o.schedule, o.fire_time FROM schedule_fire AS o
    WHERE o.fired_at < ?1
      AND EXISTS (SELECT 1 FROM schedule_fire AS n WHERE n.schedule = o.schedule
                  AND (n.fired_at, n.fire_time) < (o.fired_at, o.fire_time))
    ORDER BY o.fired_at LIMIT ?2
)
