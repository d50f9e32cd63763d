-- Advances a schedule, if it is at the revision. A run or a backfill (?3 is null) only moves the revision on, so that
-- a tick that has not seen its jobs decides anew. Primary key of schedule.
UPDATE schedule SET
    revision = revision + 1,
    next_fire = CASE WHEN ?3 IS NULL THEN next_fire ELSE ?4 END,
    last_fire = nullif(max(coalesce(last_fire, -1), coalesce(?5, -1)), -1),
    missed = missed + ?6,
    last_error = CASE WHEN ?3 IS NULL THEN last_error ELSE ?7 END,
    error_at = CASE WHEN ?3 IS NULL THEN error_at WHEN ?7 IS NOT NULL THEN ?1 END
WHERE name = ?2 AND (?3 IS NULL OR revision = ?3) AND (?8 IS NULL OR tenant = ?8)
RETURNING revision
