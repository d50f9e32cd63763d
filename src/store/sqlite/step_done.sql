-- Is the job held, and is the step done already? Primary keys of job and job_step.
SELECT EXISTS (SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND state = 'running') AS held,
       EXISTS (SELECT 1 FROM job_step WHERE job_id = ?1 AND name = ?3 AND result IS NOT NULL) AS done
