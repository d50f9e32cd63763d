-- Closes the alert that is open under the key; who was told of it is told of its end. Index: alert_open.
UPDATE compline.alert
SET closed_at = coalesce($1::timestamptz, now()), text = $3, version = version + 1,
    tell_at = CASE WHEN tellings > 0 THEN coalesce($1::timestamptz, now()) END
WHERE key = $2 AND closed_at IS NULL
RETURNING id
