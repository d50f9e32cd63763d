-- Whose a running job is, as the attempt that holds it asks, and what it is. Primary key of job.
SELECT kind, queue, tenant FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?3 AND state = 'running'
