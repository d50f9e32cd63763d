-- The job that holds the key takes over the new arguments and time, unless it runs. Index: job_pkey.
UPDATE compline.job j
SET args = $3::json, priority = $4::smallint, run_at = d.due, rank = d.due + ($4::smallint - 5) * interval '1 minute',
    tags = $6, metadata = $7::json,
    -- It stays in its queue and with its tenant, and so in the buckets of those.
    lane = CASE WHEN j.queue = $9 AND j.tenant IS NOT DISTINCT FROM $10 THEN $11 ELSE j.lane END,
    state = CASE WHEN j.state = 'waiting' THEN j.state
                 WHEN d.due <= c.now THEN 'available'
                 WHEN j.state = 'retryable' THEN j.state
                 ELSE 'scheduled' END
FROM (SELECT coalesce($1::timestamptz, now()) AS now) c
CROSS JOIN LATERAL (
    -- A time in the past is now: it must not be a way to the front of the queue.
    SELECT greatest(c.now, coalesce($8::timestamptz, c.now + $5::bigint * interval '1 microsecond')) AS due
) d
WHERE j.id = $2 AND j.state IN ('scheduled', 'available', 'retryable', 'waiting')
