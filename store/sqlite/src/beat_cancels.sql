-- Jobs of this worker that somebody wants cancelled. Requests are few and short-lived: all of them, then
-- job's primary key.
SELECT cancel.job_id AS id, cancel.reason AS reason
FROM cancel_request AS cancel
CROSS JOIN job ON job.id = cancel.job_id
WHERE job.worker = ?1
