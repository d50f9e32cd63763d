-- running -> completed for plain first successes: the job moves to the history in this statement.
-- Index: job_pkey, one look-up per report.
WITH ended AS (
    DELETE FROM compline.job j
    USING unnest($3::uuid[], $4::integer[], $5::bigint[], $6::text[]) AS r (id, fence, ran_us, result)
    WHERE j.id = r.id AND j.fence = r.fence AND j.state = 'running' AND j.worker = $2
    RETURNING j.*, r.ran_us, r.result
),
history AS (
    INSERT INTO compline.job_history
        (id, state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at, claimed_at, finished_at,
         ran_us, kind, queue, args, unique_key, unique_release, tenant, tags, metadata, lane, result)
    SELECT id, 'completed', fence, worker, attempt, max_attempts, budget, priority, run_at, created_at, claimed_at,
           coalesce($1::timestamptz, now()), ran_us, kind, queue, args, unique_key, unique_release, tenant, tags, metadata,
           lane, result::json
    FROM ended
),
keys AS (
    DELETE FROM compline.unique_key k USING ended e
    WHERE e.unique_key IS NOT NULL AND k.key = e.unique_key AND k.job_id = e.id AND k.release = 'at_end'
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'worker:' || $2, 'job.finish', 'job', 'completed', array_agg(id)
    FROM ended HAVING count(*) > 0
)
SELECT count(*) AS ended, array_agg(id) FILTER (WHERE has_dependents) AS parents FROM ended
