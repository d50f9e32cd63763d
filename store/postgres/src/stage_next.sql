-- How long until the next job is due, in microseconds. Index: job_due.
SELECT greatest(0, (extract(epoch FROM run_at - coalesce($1::timestamptz, clock_timestamp())) * 1000000)::bigint)
FROM compline.job WHERE state IN ('scheduled', 'retryable') ORDER BY run_at LIMIT 1
