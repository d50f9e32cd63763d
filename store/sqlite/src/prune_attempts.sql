-- Ranges of job_attempt's primary key.
DELETE FROM job_attempt WHERE job_id IN (SELECT unhex(gone.value) FROM json_each(?1) AS gone)
