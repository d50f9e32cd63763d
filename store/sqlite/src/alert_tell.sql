-- What was decided about an alert, if it is still in the version it was decided about. Primary key of alert.
-- ?1 now, ?4 whether it is told, ?5 of how many, ?6 when to look again, ?7 whether it closes.
UPDATE alert
SET version = version + 1, tellings = tellings + ?4, told_count = max(told_count, ?5), tell_at = ?6,
    closed_at = CASE WHEN ?7 THEN ?1 ELSE closed_at END
WHERE id = ?2 AND version = ?3
RETURNING tellings
