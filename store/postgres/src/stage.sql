-- scheduled, retryable -> available for what is due. Index: job_due.
WITH staged AS (
    UPDATE compline.job SET state = 'available'
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM compline.job
        WHERE state IN ('scheduled', 'retryable') AND run_at <= coalesce($1::timestamptz, now())
        ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, queue
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'system', 'job.stage', 'job', 'available', array_agg(id)
    FROM staged HAVING count(*) > 0
)
SELECT count(*) AS count, array_agg(DISTINCT queue) AS queues FROM staged
