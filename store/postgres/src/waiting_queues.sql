-- Queues whose first job is due for longer than $2 microseconds, and no job of which was claimed for as long. A claim
-- takes the first, so a queue that moves has another first job at the next look. A job that is limited may wait for that:
-- it counts where its buckets would let it start and no limited job runs anywhere. A few index probes per queue,
-- and where no limited job runs, a walk over the index of those that run.
-- Index: job_ready, job_ready_by_tenant, job_ready_in_lane, job_held.
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
),
lq AS (
    SELECT (SELECT queue FROM compline.job WHERE state = 'available' AND lane IS NOT NULL ORDER BY queue LIMIT 1) AS queue
    UNION ALL
    SELECT (SELECT j.queue FROM compline.job j WHERE j.state = 'available' AND j.lane IS NOT NULL AND j.queue > lq.queue
            ORDER BY j.queue LIMIT 1)
    FROM lq WHERE lq.queue IS NOT NULL
),
heads AS (
    SELECT q.queue, head.id, head.run_at
    FROM q
    CROSS JOIN LATERAL (
        SELECT id, run_at FROM (
            (SELECT j.id, j.run_at FROM compline.job j
             WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NULL AND j.queue = q.queue
             ORDER BY j.rank, j.id LIMIT 1)
            UNION ALL
            (SELECT j.id, j.run_at FROM compline.job j
             WHERE j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.queue = q.queue
             ORDER BY j.tenant, j.rank, j.id LIMIT 1)
        ) both_sorts ORDER BY run_at LIMIT 1
    ) head
    UNION ALL
    SELECT lq.queue, head.id, head.run_at
    FROM clock, lq
    CROSS JOIN LATERAL (
        SELECT j.id, j.run_at, j.lane FROM compline.job j
        WHERE j.state = 'available' AND j.lane IS NOT NULL AND j.queue = lq.queue
        ORDER BY j.lane, j.rank, j.id LIMIT 1
    ) head
    WHERE NOT EXISTS (SELECT FROM compline.job r WHERE r.worker + 0 IS NOT NULL AND r.lane IS NOT NULL)
      AND NOT EXISTS (SELECT FROM compline.bucket b WHERE b.name = ANY (string_to_array(head.lane, E'\n'))
                      AND (b.paused_until > clock.now OR b.next_start > extract(epoch FROM clock.now) * 1000000000))
)
SELECT DISTINCT ON (heads.queue)
       heads.queue, heads.id, (extract(epoch FROM clock.now - heads.run_at) * 1000000)::bigint AS waits_us
FROM clock, heads
WHERE heads.run_at < clock.before
  AND NOT EXISTS (SELECT FROM compline.queue p WHERE p.name = heads.queue AND p.paused_at IS NOT NULL
                  AND (p.resume_at IS NULL OR p.resume_at > clock.now))
  AND NOT EXISTS (SELECT FROM compline.job r
                  WHERE r.worker + 0 IS NOT NULL AND r.queue = heads.queue AND r.claimed_at > clock.before)
ORDER BY heads.queue, heads.run_at
