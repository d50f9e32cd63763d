-- How attempts ended, written while the job still says when they began. Primary keys of job and job_attempt.
-- ?1 holds [job, attempt, ending, ran_us, error, log] per attempt, ?2 is now.
INSERT INTO job_attempt (job_id, fence, attempt, ending, worker, claimed_at, finished_at, ran_us, error, log)
SELECT job.id, job.fence, told.value ->> 1, told.value ->> 2, job.worker, job.claimed_at, ?2, told.value ->> 3,
       told.value ->> 4, told.value ->> 5
FROM json_each(?1) AS told
CROSS JOIN job ON job.id = unhex(told.value ->> 0)
