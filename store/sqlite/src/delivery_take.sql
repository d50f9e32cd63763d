-- Takes deliveries by the route ?4 that are due (alert_delivery_due), ?2 at most; they are due again at ?3. ?1 is now.
UPDATE alert_delivery SET attempts = attempts + 1, due_at = ?3
WHERE (alert_id, telling, route) IN (
    SELECT alert_id, telling, route FROM alert_delivery
    WHERE state = 'pending' AND due_at <= ?1 AND route = ?4 ORDER BY due_at LIMIT ?2
)
RETURNING alert_id, telling, route, message, attempts
