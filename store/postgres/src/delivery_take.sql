-- Takes deliveries by the route $4 that are due; they are due again after $3 microseconds. Index: alert_delivery_due.
UPDATE compline.alert_delivery
SET attempts = attempts + 1, due_at = coalesce($1::timestamptz, now()) + $3::bigint * interval '1 microsecond'
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM compline.alert_delivery
    WHERE state = 'pending' AND due_at <= coalesce($1::timestamptz, now()) AND route = $4
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING alert_id, telling, route, message, attempts
