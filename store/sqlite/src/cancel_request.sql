-- Asks for running jobs to stop; the first to ask is the one who is named. Primary keys of job and cancel_request.
INSERT INTO cancel_request (job_id, at, actor, reason)
SELECT job.id, ?2, ?3, ?4
FROM json_each(?1) AS named
CROSS JOIN job ON job.id = unhex(named.value)
WHERE job.state = 'running'
ON CONFLICT (job_id) DO NOTHING
