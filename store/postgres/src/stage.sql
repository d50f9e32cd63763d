-- scheduled, retryable -> available for what is due. Index: job_due.
WITH staged AS (
    UPDATE compline.job SET state = 'available'
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM compline.job
        WHERE state IN ('scheduled', 'retryable') AND run_at <= coalesce($1::timestamptz, now())
        ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING queue
)
SELECT count(*) AS count, array_agg(DISTINCT queue) AS queues FROM staged
