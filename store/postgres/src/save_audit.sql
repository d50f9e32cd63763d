-- Writes down what the attempt did, if it still holds the job. The shared lock orders this against the job's
-- loss, as in save_step.sql. Index: job_pkey.
WITH held AS (
    SELECT FROM compline.job WHERE id = $1 AND fence = $2 AND worker = $3 AND state = 'running' FOR SHARE
)
INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, details, request, source)
SELECT coalesce($4::timestamptz, $5::timestamptz, now()), $6, $7, $8, $9, $10, $11::json, $12, $13 FROM held
