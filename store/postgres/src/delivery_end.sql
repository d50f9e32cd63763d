-- What became of a delivery, if nobody else has taken it since: $5 attempts, $6 its next state, $7 microseconds until
-- it is tried again, $8 the error. Index: alert_delivery_pkey.
UPDATE compline.alert_delivery
SET state = $6, error = $8,
    due_at = coalesce(coalesce($1::timestamptz, now()) + $7::bigint * interval '1 microsecond', due_at),
    ended_at = CASE WHEN $6 <> 'pending' THEN coalesce($1::timestamptz, now()) END
WHERE alert_id = $2 AND telling = $3 AND route = $4 AND attempts = $5 AND state = 'pending'
