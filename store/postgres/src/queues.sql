-- Every queue that holds live jobs or is paused, with counts of its live jobs. One whose pause is over at $1 is not paused.
SELECT coalesce(c.queue, q.name) AS name, q.paused_at, q.paused_by, q.reason, q.resume_at, c.state::text AS state,
       coalesce(c.count, 0) AS count, c.oldest
FROM (
    SELECT k.name, p.paused_at, p.paused_by, p.reason, p.resume_at FROM compline.queue k
    LEFT JOIN compline.queue p ON p.name = k.name
     AND (p.resume_at IS NULL OR p.resume_at > coalesce($1::timestamptz, clock_timestamp()))
) q
FULL JOIN (
    SELECT queue, state, count(*) AS count, min(run_at) FILTER (WHERE state = 'available') AS oldest
    FROM compline.job GROUP BY queue, state
) c ON c.queue = q.name
ORDER BY 1, 6
