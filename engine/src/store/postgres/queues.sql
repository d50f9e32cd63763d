-- Every queue that holds live jobs or is paused, with counts of its live jobs.
SELECT coalesce(c.queue, q.name) AS name, q.paused_at, q.paused_by, q.reason, c.state::text AS state,
       coalesce(c.count, 0) AS count, c.oldest
FROM compline.queue q
FULL JOIN (
    SELECT queue, state, count(*) AS count, min(run_at) FILTER (WHERE state = 'available') AS oldest
    FROM compline.job GROUP BY queue, state
) c ON c.queue = q.name
ORDER BY 1, 5
