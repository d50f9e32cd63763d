-- Locks the schedule for one firing and advances it, if it is at the revision. A run or a backfill ($3 is null) only
-- moves the revision on, so that a tick that has not seen its jobs decides anew. Index: schedule_pkey.
UPDATE compline.schedule s SET
    revision = s.revision + 1,
    next_fire = CASE WHEN $3::bigint IS NULL THEN s.next_fire ELSE $4::timestamptz END,
    last_fire = greatest(s.last_fire, $5::timestamptz),
    missed = s.missed + $6,
    last_error = CASE WHEN $3::bigint IS NULL THEN s.last_error ELSE $7 END,
    error_at = CASE WHEN $3::bigint IS NULL THEN s.error_at
                    WHEN $7::text IS NOT NULL THEN coalesce($1::timestamptz, now()) END
WHERE s.name = $2 AND ($3::bigint IS NULL OR s.revision = $3)
RETURNING s.revision
