-- The jobs of a worker that was declared dead: available again, or discarded when that was the last
-- attempt. Index: job_held.
WITH lost AS (
    SELECT id, attempt >= max_attempts AS spent, claimed_at, attempt, fence FROM compline.job
    WHERE worker + 0 = $2 AND state = 'running' FOR UPDATE
),
attempts AS (
    INSERT INTO compline.job_attempt
        (job_id, fence, attempt, ending, worker, claimed_at, finished_at, ran_us, error)
    SELECT id, fence, attempt, 'lost', $2, claimed_at, coalesce($1::timestamptz, now()),
           greatest(0, (extract(epoch FROM coalesce($1::timestamptz, now()) - claimed_at) * 1000000)::bigint),
           'lease expired'
    FROM lost
),
freed AS (
    UPDATE compline.job j SET state = 'available', worker = NULL, claimed_at = NULL
    FROM lost l WHERE j.id = l.id AND NOT l.spent
)
SELECT id, spent FROM lost ORDER BY id
