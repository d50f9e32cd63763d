-- What was decided about an alert, if it is still in the version it was decided about. $4 whether it is told, $5 of
-- how many, $6 microseconds until the next look, $7 whether it closes. Index: alert_pkey.
UPDATE compline.alert
SET version = version + 1, tellings = tellings + $4::integer, told_count = greatest(told_count, $5),
    tell_at = coalesce($1::timestamptz, now()) + $6::bigint * interval '1 microsecond',
    closed_at = CASE WHEN $7 THEN coalesce($1::timestamptz, now()) ELSE closed_at END
WHERE id = $2 AND version = $3
RETURNING tellings
