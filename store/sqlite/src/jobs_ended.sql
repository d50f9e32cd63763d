-- The start of a listing of ended jobs; jobs.rs adds the conditions. Primary key of job_history, from the
-- newest, or index job_history_not_completed.
SELECT id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, claimed_at,
       finished_at, worker, tenant, tags, metadata, args, result, ran_us, error
FROM job_history AS job
WHERE true
