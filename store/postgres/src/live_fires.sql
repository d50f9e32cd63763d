-- The schedule's own jobs of the last fire times that have not ended. Index: the primary keys.
SELECT f.job_id
FROM (SELECT job_id, fire_time FROM compline.schedule_fire WHERE schedule = $1 ORDER BY fire_time DESC LIMIT $2::bigint) f
JOIN compline.job j ON j.id = f.job_id
-- A fire time may have met the unique key of somebody else's job.
WHERE j.metadata ->> 'schedule' = $1
ORDER BY f.fire_time
