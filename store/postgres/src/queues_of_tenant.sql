-- Queues that hold live jobs of a tenant ($2), with counts of those. Who paused a queue, and why, is not the tenant's to know.
SELECT c.queue AS name, q.paused_at, NULL::text AS paused_by, NULL::text AS reason, q.resume_at, c.state::text AS state,
       c.count, c.oldest
FROM (
    SELECT queue, state, count(*) AS count, min(run_at) FILTER (WHERE state = 'available') AS oldest
    FROM compline.job WHERE tenant = $2 GROUP BY queue, state
) c
LEFT JOIN compline.queue q ON q.name = c.queue
 AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, clock_timestamp()))
ORDER BY 1, 6
