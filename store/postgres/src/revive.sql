-- cancelled, discarded -> available: the job comes back from the history with its steps and its fence.
-- Index: job_history_pkey.
WITH back AS (
    DELETE FROM compline.job_history WHERE id = ANY ($2::uuid[]) AND state IN ('cancelled', 'discarded')
    RETURNING *
)
INSERT INTO compline.job
    (id, state, fence, attempt, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, unique_key,
     unique_release, tenant, tags, metadata, lane)
SELECT id, 'available', fence, attempt,
       CASE WHEN attempt >= max_attempts THEN least(attempt::integer + budget, 32767) ELSE max_attempts END,
       budget, priority, coalesce($1::timestamptz, now()) + (priority - 5) * interval '1 minute',
       coalesce($1::timestamptz, now()), created_at, kind, queue, args, unique_key, unique_release, tenant, tags, metadata,
       lane
FROM back
RETURNING id, queue
