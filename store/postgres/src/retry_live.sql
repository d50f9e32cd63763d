-- scheduled, retryable -> available now. Index: job_pkey.
UPDATE compline.job
SET state = 'available', run_at = coalesce($1::timestamptz, now()),
    rank = coalesce($1::timestamptz, now()) + (priority - 5) * interval '1 minute',
    max_attempts = CASE WHEN attempt >= max_attempts THEN least(attempt::integer + budget, 32767) ELSE max_attempts END
WHERE id = ANY ($2::uuid[]) AND state IN ('scheduled', 'retryable')
RETURNING id, queue
