-- Ended jobs run again: same id, the fence grows on, and as many attempts as at first where they were used up.
-- Primary keys of job_history and job.
INSERT INTO job (id, state, fence, attempt, max_attempts, budget, priority, rank, run_at, created_at, kind,
                 queue, unique_key, unique_release, tenant, tags, metadata, args, lane)
SELECT ended.id, 'available', ended.fence, ended.attempt,
       CASE WHEN ended.attempt >= ended.max_attempts THEN min(ended.attempt + ended.budget, 32767)
            ELSE ended.max_attempts END,
       ended.budget, ended.priority, ?2 + (ended.priority - 5) * 60000000, ?2, ended.created_at, ended.kind,
       ended.queue, ended.unique_key, ended.unique_release, ended.tenant, ended.tags, ended.metadata, ended.args,
       ended.lane
FROM json_each(?1) AS named
CROSS JOIN job_history AS ended ON ended.id = unhex(named.value)
RETURNING queue
