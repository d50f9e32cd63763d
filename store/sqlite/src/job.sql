-- One job, alive or ended, with the error of its last attempt. Primary keys of job, job_history and job_attempt.
SELECT id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, claimed_at,
       NULL AS finished_at, worker, tenant, tags, metadata, args, NULL AS result, NULL AS ran_us,
       (SELECT error FROM job_attempt WHERE job_id = job.id ORDER BY fence DESC LIMIT 1) AS error
FROM job
WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)
UNION ALL
SELECT id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, claimed_at,
       finished_at, worker, tenant, tags, metadata, args, result, ran_us, error
FROM job_history
WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)
