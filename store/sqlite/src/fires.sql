-- Fire times of a schedule that have their job, the newest first. Primary key of schedule_fire.
SELECT fire_time, job_id, fired_at FROM schedule_fire
WHERE schedule = ?1 AND fire_time >= ?2 AND fire_time < ?3 AND (?5 IS NULL OR tenant = ?5)
ORDER BY fire_time DESC LIMIT ?4
