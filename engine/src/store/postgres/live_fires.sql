-- Jobs of the last fire times that have not ended. Index: the primary keys.
SELECT f.job_id
FROM (SELECT job_id, fire_time FROM compline.schedule_fire WHERE schedule = $1 ORDER BY fire_time DESC LIMIT $2::bigint) f
JOIN compline.job j ON j.id = f.job_id
ORDER BY f.fire_time
