-- Primary key of job_progress.
DELETE FROM job_progress WHERE job_id IN (SELECT unhex(gone.value) FROM json_each(?1) AS gone)
