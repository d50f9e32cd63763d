-- Queues with something to claim, not paused, one index probe per queue. Index: job_ready.
WITH RECURSIVE q AS (
    (SELECT queue FROM compline.job WHERE state = 'available' ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.queue > q.queue
            ORDER BY j.queue LIMIT 1)
    FROM q WHERE q.queue IS NOT NULL
)
SELECT queue FROM q WHERE queue IS NOT NULL
  AND NOT EXISTS (SELECT FROM compline.queue p WHERE p.name = q.queue AND p.paused_at IS NOT NULL)
