-- Gives a schedule its next fire time, if it is at the revision and does not rest. Primary keys of schedule and schedule_fire.
UPDATE schedule SET
    revision = revision + 1, next_fire = ?4,
    -- A time that is still to come was the last only by a clock that was ahead.
    last_fire = CASE WHEN last_fire > ?1
        THEN (SELECT max(fire_time) FROM schedule_fire WHERE schedule_fire.schedule = ?2 AND fire_time <= ?1)
        ELSE last_fire END
WHERE name = ?2 AND revision = ?3 AND enabled AND paused_at IS NULL AND retired_at IS NULL
