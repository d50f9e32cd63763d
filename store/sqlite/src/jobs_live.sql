-- The start of a listing of live jobs; jobs.rs adds the conditions. Primary key of job, from the newest.
SELECT id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, claimed_at,
       NULL AS finished_at, worker, tenant, tags, metadata, args, NULL AS result, NULL AS ran_us,
       (SELECT error FROM job_attempt WHERE job_id = job.id ORDER BY fence DESC LIMIT 1) AS error
FROM job
WHERE true
