-- A row if the attempt holds its job. Primary key of job.
SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?3 AND state = 'running'
