-- A row if the attempt that holds a record still runs. Primary key of job.
SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND state = 'running'
