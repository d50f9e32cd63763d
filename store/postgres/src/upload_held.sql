-- The tenant of a running job, as the attempt that holds it asks, and whether the job has named the upload. The shared lock
-- orders this against the job's loss, as in save_step.sql. Indexes: job_pkey, upload_use_pkey.
SELECT j.tenant, EXISTS (SELECT FROM compline.upload_use AS x WHERE x.upload_id = $4 AND x.job_id = $1) AS holds
FROM compline.job AS j
WHERE j.id = $1 AND j.fence = $2 AND j.worker = $3 AND j.state = 'running'
FOR SHARE OF j
