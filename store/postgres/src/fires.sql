-- Fire times of a schedule that have their job, the newest first. Index: schedule_fire_pkey.
SELECT fire_time, job_id, fired_at FROM compline.schedule_fire
WHERE schedule = $1 AND fire_time >= $2 AND fire_time < $3 AND ($5::text IS NULL OR tenant = $5)
ORDER BY fire_time DESC LIMIT $4::bigint
