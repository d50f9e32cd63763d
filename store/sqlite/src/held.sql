-- Which of these [id, fence] worker ?2 holds, and what hangs on them. Primary keys of job and cancel_request.
SELECT held.key AS place, job.attempt AS attempt, job.has_dependents AS has_dependents,
       job.unique_key IS NOT NULL AS has_key, cancel.reason AS cancel
FROM json_each(?1) AS held
CROSS JOIN job ON job.id = unhex(held.value ->> 0)
LEFT JOIN cancel_request AS cancel ON cancel.job_id = job.id
WHERE job.fence = held.value ->> 1 AND job.worker = ?2 AND job.state = 'running'
