-- Somebody has seen it: nothing more is told but the end of a condition; an event is closed, or was before. Primary key of
-- alert.
UPDATE alert
SET acked_at = ?1, acked_by = ?3, tell_at = NULL, version = version + 1,
    closed_at = CASE WHEN nature = 'event' THEN coalesce(closed_at, ?1) END
WHERE id = ?2 AND acked_at IS NULL AND (closed_at IS NULL OR nature = 'event')
