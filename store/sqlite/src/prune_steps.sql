-- Ranges of job_step's primary key.
DELETE FROM job_step WHERE job_id IN (SELECT unhex(gone.value) FROM json_each(?1) AS gone)
