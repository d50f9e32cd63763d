-- Queues with something to claim, limited or not, that are not paused: three index probes per queue. $1 now.
-- Index: job_ready, job_ready_by_tenant, job_ready_in_lane.
WITH RECURSIVE q AS (
    SELECT least(
        (SELECT queue FROM compline.job WHERE state = 'available' AND tenant IS NULL AND lane IS NULL
         ORDER BY queue LIMIT 1),
        (SELECT queue FROM compline.job WHERE state = 'available' AND tenant IS NOT NULL AND lane IS NULL
         ORDER BY queue LIMIT 1),
        (SELECT queue FROM compline.job WHERE state = 'available' AND lane IS NOT NULL ORDER BY queue LIMIT 1)
    ) AS queue
    UNION ALL
    SELECT least(
        (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.tenant IS NULL AND j.lane IS NULL
           AND j.queue > q.queue
         ORDER BY j.queue LIMIT 1),
        (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.tenant IS NOT NULL AND j.lane IS NULL
           AND j.queue > q.queue
         ORDER BY j.queue LIMIT 1),
        (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.lane IS NOT NULL AND j.queue > q.queue
         ORDER BY j.queue LIMIT 1)
    )
    FROM q WHERE q.queue IS NOT NULL
)
SELECT queue FROM q WHERE queue IS NOT NULL
  AND NOT EXISTS (SELECT FROM compline.queue p WHERE p.name = q.queue AND p.paused_at IS NOT NULL
                  AND (p.resume_at IS NULL OR p.resume_at > coalesce($1::timestamptz, clock_timestamp())))
