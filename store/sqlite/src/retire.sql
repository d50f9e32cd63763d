-- Primary key of worker; index job_held.
UPDATE worker SET ended_at = ?2
WHERE id = ?1 AND ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM job WHERE job.worker = ?1)
