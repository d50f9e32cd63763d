-- Whose a running job is, as the attempt that holds it asks, and what it is. The shared lock orders what follows against the job's loss,
-- as in save_step.sql. Index: job_pkey.
SELECT j.kind, j.queue, j.tenant
FROM compline.job AS j
WHERE j.id = $1 AND j.fence = $2 AND j.worker = $3 AND j.state = 'running'
FOR SHARE
