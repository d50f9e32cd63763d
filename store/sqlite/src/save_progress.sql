-- Only for the one who holds the job. Primary keys of job and job_progress.
INSERT INTO job_progress (job_id, done, total, message, at)
SELECT id, ?3, ?4, ?5, ?6 FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?7 AND state = 'running'
ON CONFLICT (job_id) DO UPDATE
SET done = excluded.done, total = excluded.total, message = excluded.message, at = excluded.at
