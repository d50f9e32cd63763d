-- A row if the attempt holds its job. The shared lock orders what it writes against the job's loss, as in
-- save_step.sql. Index: job_pkey.
SELECT 1 FROM compline.job WHERE id = $1 AND fence = $2 AND worker = $3 AND state = 'running' FOR SHARE
