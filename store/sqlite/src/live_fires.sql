-- The schedule's own jobs of the last fire times that have not ended. The primary keys of schedule_fire and job.
SELECT f.job_id AS id
FROM (SELECT job_id, fire_time FROM schedule_fire WHERE schedule = ?1 ORDER BY fire_time DESC LIMIT ?2) AS f
JOIN job ON job.id = f.job_id
-- A fire time may have met the unique key of somebody else's job.
WHERE job.metadata ->> 'schedule' = ?1
ORDER BY f.fire_time
