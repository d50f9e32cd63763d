-- A range of job_step's primary key.
SELECT name, key, result, attempt, at FROM job_step WHERE job_id = ?1 ORDER BY at, name
