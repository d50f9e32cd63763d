-- Opens an alert, or adds to the one that is open under its key (alert_open). ?1 is now.
INSERT INTO alert (id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, tell_at)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?1)
ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
-- 320 digits are ten ids.
SET count = alert.count + excluded.count, jobs = unhex(substr(hex(alert.jobs) || hex(excluded.jobs), 1, 320)),
    text = excluded.text, severity = excluded.severity, kind = excluded.kind, queue = excluded.queue,
    details = excluded.details, last_at = max(alert.last_at, excluded.last_at), version = alert.version + 1
