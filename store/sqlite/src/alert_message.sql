-- What is to be sent of a telling by one route, at ?1. Primary key of alert_delivery.
INSERT INTO alert_delivery (alert_id, telling, route, message, due_at) VALUES (?2, ?3, ?4, ?5, ?1)
