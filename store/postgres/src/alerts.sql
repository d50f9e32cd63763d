-- Alerts, newest first. Index: alert_opened, or alert_pkey for one.
SELECT id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, closed_at, acked_at,
       acked_by, version, tellings, told_count
FROM compline.alert
WHERE ($1::uuid IS NULL OR id = $1) AND (NOT $2::boolean OR closed_at IS NULL)
  AND ($3::text[] IS NULL OR rule = ANY ($3))
  AND ($5::timestamptz IS NULL OR (opened_at, id) < ($5, $6::uuid))
ORDER BY opened_at DESC, id DESC LIMIT $4
