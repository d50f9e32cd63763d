-- Jobs of the last fire times that have not ended. The primary keys of schedule_fire and job.
SELECT f.job_id AS id
FROM (SELECT job_id, fire_time FROM schedule_fire WHERE schedule = ?1 ORDER BY fire_time DESC LIMIT ?2) AS f
JOIN job ON job.id = f.job_id
ORDER BY f.fire_time
