-- The tenant of a running job, as the attempt that holds it asks, and whether the job has named the upload. Primary keys of
-- job and upload_use.
SELECT tenant, EXISTS (SELECT 1 FROM upload_use AS x WHERE x.upload_id = ?4 AND x.job_id = ?1) AS holds
FROM job
WHERE id = ?1 AND fence = ?2 AND worker = ?3 AND state = 'running'
