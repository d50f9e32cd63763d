-- Attempts that ended without ending the job. Primary key of job.
-- ?1 holds [job, state, attempts taken back, run_at or null for as it was, parents] per job.
UPDATE job
SET state = next.state, worker = NULL, claimed_at = NULL, attempt = job.attempt - next.back,
    waits_for = next.parents,
    run_at = coalesce(next.run_at, job.run_at),
    rank = coalesce(next.run_at + (job.priority - 5) * 60000000, job.rank)
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS state, value ->> 2 AS back, value ->> 3 AS run_at,
             value ->> 4 AS parents
      FROM json_each(?1)) AS next
WHERE job.id = next.id
RETURNING state, queue
