-- A range of job_attempt's primary key.
SELECT attempt, ending, worker, claimed_at, finished_at, ran_us, error, log
FROM job_attempt
WHERE job_id = ?1
ORDER BY fence
