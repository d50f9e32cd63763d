-- Messages of an alert that were to go out later, if nobody acknowledged it. Index: alert_delivery_pkey.
DELETE FROM compline.alert_delivery
WHERE alert_id = $2 AND state = 'pending' AND attempts = 0 AND due_at > coalesce($1::timestamptz, now())
