-- running -> completed for plain first successes on whose end nothing hangs. Primary keys of job,
-- cancel_request and job_history; finish_live.sql takes the jobs from the live ones in the same transaction.
-- ?1 holds [job, fence, ran_us, result] per report, ?2 is now, ?3 the worker.
INSERT INTO job_history (id, state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at,
                         claimed_at, finished_at, ran_us, kind, queue, tenant, tags, metadata, args, lane, result)
SELECT job.id, 'completed', job.fence, job.worker, job.attempt, job.max_attempts, job.budget, job.priority,
       job.run_at, job.created_at, job.claimed_at, ?2, report.value ->> 2, job.kind, job.queue, job.tenant,
       job.tags, job.metadata, job.args, job.lane, report.value ->> 3
FROM json_each(?1) AS report
CROSS JOIN job ON job.id = unhex(report.value ->> 0)
WHERE job.fence = report.value ->> 1 AND job.state = 'running' AND job.worker = ?3
      AND job.has_dependents = 0 AND job.unique_key IS NULL
      AND NOT EXISTS (SELECT 1 FROM cancel_request AS cancel WHERE cancel.job_id = job.id)
RETURNING id
