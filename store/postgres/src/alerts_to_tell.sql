-- Alerts at which somebody has to look now. Index: alert_to_tell.
SELECT id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, closed_at, acked_at,
       acked_by, version, tellings, told_count
FROM compline.alert WHERE tell_at <= coalesce($1::timestamptz, now()) ORDER BY tell_at LIMIT $2
