-- Primary key of job_progress.
SELECT done, total, message FROM job_progress WHERE job_id = ?1
