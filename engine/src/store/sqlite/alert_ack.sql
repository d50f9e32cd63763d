-- Somebody has seen it: nothing more is told but the end of a condition; an event is closed. Primary key of alert.
UPDATE alert
SET acked_at = ?1, acked_by = ?3, tell_at = NULL, version = version + 1,
    closed_at = CASE WHEN nature = 'event' THEN ?1 END
WHERE id = ?2 AND closed_at IS NULL AND acked_at IS NULL
