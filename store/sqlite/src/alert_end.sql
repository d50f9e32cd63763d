-- Closes the alert that is open under the key (alert_open); who was told of it is told of its end. ?1 is now.
UPDATE alert
SET closed_at = ?1, text = ?3, version = version + 1, tell_at = CASE WHEN tellings > 0 THEN ?1 END
WHERE key = ?2 AND closed_at IS NULL
RETURNING id
