-- The steps of a job, if the attempt still holds it: no row means that it does not, a row of nothing that no
-- step was taken yet. Primary key of job, a range of job_step's.
SELECT step.name, step.key, step.result, step.attempt, step.at FROM job
LEFT JOIN job_step AS step ON step.job_id = job.id
WHERE job.id = ?1 AND job.fence = ?2 AND job.worker = ?3 AND job.state = 'running'
ORDER BY step.at, step.name
