-- The steps of a job, if the attempt still holds it: no row means that it does not, a row of nothing that no
-- step was taken yet. Index: job_pkey, job_step_pkey.
SELECT s.name, s.result, s.attempt, s.at FROM compline.job j
LEFT JOIN compline.job_step s ON s.job_id = j.id
WHERE j.id = $1 AND j.fence = $2 AND j.worker = $3 AND j.state = 'running'
ORDER BY s.at, s.name
