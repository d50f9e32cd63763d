-- Jobs that wait for a time run now. Primary key of job.
UPDATE job
SET state = 'available', run_at = ?2, rank = ?2 + (priority - 5) * 60000000
WHERE id IN (SELECT unhex(named.value) FROM json_each(?1) AS named)
RETURNING queue
