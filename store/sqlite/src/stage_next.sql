-- When the next job is due. The first entry of index job_due.
SELECT min(run_at) FROM job WHERE state IN ('scheduled', 'retryable')
