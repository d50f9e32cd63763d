-- What a worker holds. Index job_held, then the primary keys of job and cancel_request.
SELECT job.id AS id, job.attempt AS attempt, job.max_attempts AS max_attempts,
       max(0, ?2 - job.claimed_at) AS ran_us, job.has_dependents AS has_dependents,
       job.unique_key IS NOT NULL AS has_key, cancel.reason AS cancel
FROM job
LEFT JOIN cancel_request AS cancel ON cancel.job_id = job.id
WHERE job.worker = ?1
ORDER BY job.id
