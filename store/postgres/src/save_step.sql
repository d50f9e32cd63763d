-- Remembers a step, if the attempt still holds the job. The shared lock orders this against the job's
-- loss: once a rescue has taken the job, no step of the old attempt is written. Index: job_pkey.
WITH held AS (
    SELECT id FROM compline.job WHERE id = $1 AND fence = $2 AND worker = $8 AND state = 'running' FOR SHARE
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT $7, 'worker:' || $8, 'job.step', $3, CASE WHEN $5::text IS NULL THEN 'begun' ELSE 'done' END, ARRAY[held.id]
    FROM held
)
INSERT INTO compline.job_step AS s (job_id, name, key, result, attempt, at)
SELECT held.id, $3, $4, $5::json, $6, $7 FROM held
ON CONFLICT (job_id, name) DO UPDATE SET result = excluded.result, attempt = excluded.attempt, at = excluded.at
