-- Alerts, newest first: alert_opened, or the primary key for one. ?3 is a JSON list.
SELECT id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, closed_at, acked_at,
       acked_by, version, tellings, told_count
FROM alert
WHERE (?1 IS NULL OR id = ?1) AND (NOT ?2 OR closed_at IS NULL)
      AND (?3 IS NULL OR rule IN (SELECT value FROM json_each(?3)))
      AND (?5 IS NULL OR (opened_at, id) < (?5, ?6))
ORDER BY opened_at DESC, id DESC LIMIT ?4
