-- Somebody has seen it: nothing more is told but the end of a condition; an event is closed. Index: alert_pkey.
UPDATE compline.alert
SET acked_at = coalesce($1::timestamptz, now()), acked_by = $3, tell_at = NULL, version = version + 1,
    closed_at = CASE WHEN nature = 'event' THEN coalesce($1::timestamptz, now()) END
WHERE id = $2 AND closed_at IS NULL AND acked_at IS NULL
