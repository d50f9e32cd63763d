-- Alerts at which somebody has to look now: alert_to_tell. ?1 is now, ?2 how many.
SELECT id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, closed_at, acked_at,
       acked_by, version, tellings, told_count
FROM alert WHERE tell_at <= ?1 ORDER BY tell_at LIMIT ?2
