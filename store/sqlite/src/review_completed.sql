-- A row if a job of this id within the scope (?2) has completed, which is for ever. Primary key of job_history.
SELECT 1 FROM job_history WHERE id = ?1 AND state = 'completed' AND (?2 IS NULL OR tenant = ?2)
