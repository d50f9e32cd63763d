-- Opens an alert, or adds to the one that is open under its key. Index: alert_open.
INSERT INTO compline.alert AS a
    (id, key, rule, nature, severity, kind, queue, text, count, jobs, details, opened_at, last_at, tell_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::json, $13, $14, coalesce($1::timestamptz, now()))
ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
SET count = a.count + excluded.count, jobs = (a.jobs || excluded.jobs)[1:10], text = excluded.text,
    severity = excluded.severity, kind = excluded.kind, queue = excluded.queue, details = excluded.details,
    last_at = greatest(a.last_at, excluded.last_at), version = a.version + 1
