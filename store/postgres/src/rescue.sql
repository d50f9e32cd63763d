-- The jobs of a worker that was declared dead: available again, or to be discarded when that was the last attempt. Those
-- that end, by that or because somebody asked for it, are had with $3, and of them the ones in $4 if any are named. What
-- somebody else's transaction has is left for another time. Index: job_held.
WITH lost AS (
    SELECT j.id, j.attempt >= j.max_attempts AS spent, j.claimed_at, j.attempt, j.fence FROM compline.job j
    WHERE j.worker + 0 = $2 AND j.state = 'running' AND ($4::uuid[] IS NULL OR j.id = ANY ($4))
      AND (j.attempt >= j.max_attempts
           OR EXISTS (SELECT FROM compline.cancel_request c WHERE c.job_id = j.id)) = $3
    FOR UPDATE OF j SKIP LOCKED
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
