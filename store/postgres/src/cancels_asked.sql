-- Jobs within the scope of whoever asks ($1) that were asked to stop. Index: job_pkey.
SELECT job_id FROM compline.cancel_request c
WHERE $1::text IS NULL OR EXISTS (SELECT FROM compline.job j WHERE j.id = c.job_id AND j.tenant = $1)
