-- What was sent of an alert. Primary key of alert_delivery.
SELECT telling, route, state, attempts, due_at, ended_at, error FROM alert_delivery
WHERE alert_id = ?1 ORDER BY telling, route
