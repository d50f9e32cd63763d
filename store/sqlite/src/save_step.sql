-- Only for the one who holds the job. Primary keys of job and job_step.
INSERT INTO job_step (job_id, name, key, result, attempt, at)
SELECT id, ?3, ?4, ?5, ?6, ?7 FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?8 AND state = 'running'
ON CONFLICT (job_id, name) DO UPDATE
SET key = excluded.key, result = excluded.result, attempt = excluded.attempt, at = excluded.at
