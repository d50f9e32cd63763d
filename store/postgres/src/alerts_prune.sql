-- Alerts that closed more than $2 microseconds ago, with their deliveries. Index: alert_opened, alert_delivery_pkey.
WITH gone AS (
    DELETE FROM compline.alert WHERE id IN (
        SELECT id FROM compline.alert
        WHERE opened_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
          AND closed_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
        ORDER BY opened_at LIMIT $3
    )
    RETURNING id
),
deliveries AS (DELETE FROM compline.alert_delivery d USING gone g WHERE d.alert_id = g.id)
SELECT count(*) FROM gone
