-- What became of a delivery, if nobody else has taken it since. Primary key of alert_delivery.
-- ?1 now, ?5 attempts, ?6 its next state, ?7 when it is tried again, ?8 the error.
UPDATE alert_delivery
SET state = ?6, error = ?8, due_at = coalesce(?7, due_at), ended_at = CASE WHEN ?6 <> 'pending' THEN ?1 END
WHERE alert_id = ?2 AND telling = ?3 AND route = ?4 AND attempts = ?5 AND state = 'pending'
