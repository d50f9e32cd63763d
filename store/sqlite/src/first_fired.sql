-- When the first fire time of a schedule got its job. Primary key of schedule_fire.
SELECT min(fired_at) FROM schedule_fire WHERE schedule = ?1 AND (?2 IS NULL OR tenant = ?2)
