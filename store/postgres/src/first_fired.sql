-- When the first fire time of a schedule got its job. Index: schedule_fire_pkey.
SELECT min(fired_at) FROM compline.schedule_fire WHERE schedule = $1 AND ($2::text IS NULL OR tenant = $2)
