-- Is the job held, and what did the step give if it is done already? Primary keys of job and job_step.
SELECT EXISTS (SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?4 AND state = 'running') AS held,
       (SELECT result FROM job_step WHERE job_id = ?1 AND name = ?3) AS done
