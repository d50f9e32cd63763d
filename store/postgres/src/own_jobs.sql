-- Those of these jobs ($1) that are this tenant's ($2), alive or ended. Index: job_pkey, job_history_pkey.
SELECT id FROM compline.job WHERE id = ANY ($1) AND tenant = $2
UNION ALL
SELECT id FROM compline.job_history WHERE id = ANY ($1) AND tenant = $2
