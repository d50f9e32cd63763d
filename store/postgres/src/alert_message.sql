-- What is to be sent of a telling by one route, in $6 microseconds.
INSERT INTO compline.alert_delivery (alert_id, telling, route, message, due_at)
VALUES ($2, $3, $4, $5::json, coalesce($1::timestamptz, now()) + $6::bigint * interval '1 microsecond')
