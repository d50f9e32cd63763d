-- What was sent of an alert. Index: alert_delivery_pkey.
SELECT telling, route, state, attempts, due_at, ended_at, error FROM compline.alert_delivery
WHERE alert_id = $1 ORDER BY telling, route
