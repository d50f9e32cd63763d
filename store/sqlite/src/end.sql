-- Copies ended jobs to the history; end_live.sql takes them from the live ones in the same transaction.
-- Primary keys of job and job_history.
-- ?1 holds [job, state, attempts taken back, ran_us, error, result] per job, ?2 is now, ?3 the worker if
-- it was a report that ended them.
INSERT INTO job_history (id, state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at,
                         claimed_at, finished_at, ran_us, kind, queue, unique_key, unique_release, tenant, tags,
                         metadata, error, args, lane, result)
SELECT job.id, ending.value ->> 1, job.fence, ?3, job.attempt - (ending.value ->> 2), job.max_attempts,
       job.budget, job.priority, job.run_at, job.created_at, job.claimed_at, ?2, ending.value ->> 3, job.kind,
       job.queue, job.unique_key, job.unique_release, job.tenant, job.tags, job.metadata, ending.value ->> 4,
       job.args, job.lane, ending.value ->> 5
FROM json_each(?1) AS ending
CROSS JOIN job ON job.id = unhex(ending.value ->> 0)
