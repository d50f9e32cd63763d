-- Makes due jobs available. Index job_due, then job's primary key.
UPDATE job
SET state = 'available'
WHERE id IN (SELECT id FROM job
             WHERE state IN ('scheduled', 'retryable') AND run_at <= ?1
             ORDER BY run_at
             LIMIT ?2)
RETURNING id, queue
