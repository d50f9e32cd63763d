-- Gives a schedule its next fire time, if it is at the revision and does not rest. Index: schedule_pkey, schedule_fire_pkey.
UPDATE compline.schedule s SET
    revision = s.revision + 1, next_fire = $4::timestamptz,
    -- A time that is still to come was the last only by a clock that was ahead.
    last_fire = CASE WHEN s.last_fire > n.now
        THEN (SELECT max(f.fire_time) FROM compline.schedule_fire f WHERE f.schedule = s.name AND f.fire_time <= n.now)
        ELSE s.last_fire END
FROM (SELECT coalesce($1::timestamptz, now()) AS now) n
WHERE s.name = $2 AND s.revision = $3 AND s.enabled AND s.paused_at IS NULL AND s.retired_at IS NULL
RETURNING s.revision
