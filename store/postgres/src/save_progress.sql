-- How far the attempt is, if it still holds the job. Index: job_pkey.
INSERT INTO compline.job_progress AS p (job_id, done, total, message, at)
SELECT id, $3, $4, $5, coalesce($6::timestamptz, now()) FROM compline.job
WHERE id = $1 AND fence = $2 AND worker = $7 AND state = 'running'
ON CONFLICT (job_id) DO UPDATE SET done = excluded.done, total = excluded.total, message = excluded.message,
    at = excluded.at
