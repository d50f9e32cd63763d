-- Deletes the memory of fire times long gone. Index schedule_fire_fired_at.
DELETE FROM schedule_fire WHERE (schedule, fire_time) IN (
    SELECT schedule, fire_time FROM schedule_fire WHERE fired_at < ?1 ORDER BY fired_at LIMIT ?2
)
