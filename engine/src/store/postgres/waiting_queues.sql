-- Queues whose first job is due for longer than $2 microseconds, and no job of which was claimed for as long. A claim
-- takes the first, so a queue that moves has another first job at the next look. A job that is limited waits for that. A few index probes per queue.
-- Index: job_ready, job_ready_by_tenant, job_held.
WITH RECURSIVE clock AS (
    SELECT coalesce($1::timestamptz, now()) AS now,
           coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond' AS before
),
q AS (
    SELECT least(
        (SELECT queue FROM compline.job WHERE state = 'available' AND lane IS NULL AND tenant IS NULL
         ORDER BY queue LIMIT 1),
        (SELECT queue FROM compline.job WHERE state = 'available' AND lane IS NULL AND tenant IS NOT NULL
         ORDER BY queue LIMIT 1)
    ) AS queue
    UNION ALL
    SELECT least(
        (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NULL
           AND j.queue > q.queue
         ORDER BY j.queue LIMIT 1),
        (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL
           AND j.queue > q.queue
         ORDER BY j.queue LIMIT 1)
    )
    FROM q WHERE q.queue IS NOT NULL
)
SELECT q.queue, head.id, (extract(epoch FROM clock.now - head.run_at) * 1000000)::bigint AS waits_us
FROM clock, q
CROSS JOIN LATERAL (
    SELECT id, run_at FROM (
        (SELECT j.id, j.run_at FROM compline.job j
         WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NULL AND j.queue = q.queue ORDER BY j.rank, j.id LIMIT 1)
        UNION ALL
        (SELECT j.id, j.run_at FROM compline.job j
         WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.queue = q.queue
         ORDER BY j.tenant, j.rank, j.id LIMIT 1)
    ) heads ORDER BY run_at LIMIT 1
) head
WHERE head.run_at < clock.before
  AND NOT EXISTS (SELECT FROM compline.queue p WHERE p.name = q.queue AND p.paused_at IS NOT NULL
                  AND (p.resume_at IS NULL OR p.resume_at > clock.now))
  AND NOT EXISTS (SELECT FROM compline.job r
                  WHERE r.worker + 0 IS NOT NULL AND r.queue = q.queue AND r.claimed_at > clock.before)
ORDER BY q.queue
