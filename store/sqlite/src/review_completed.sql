-- A row if a job of this id has completed, which is for ever. Primary key of job_history.
SELECT 1 FROM job_history WHERE id = ?1 AND state = 'completed'
