-- Queues whose first job is due since before ?2, and no job of which was claimed after ?2. A claim takes the first, so
-- a queue that moves has another first job at the next look. A job that is limited may wait for that: it counts where its
-- buckets would let it start and no limited job runs anywhere. A few seeks in job_ready, job_ready_in_lane
-- and job_held per queue.
WITH RECURSIVE ready (queue) AS (
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NULL)
    UNION ALL
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NULL AND queue > ready.queue)
    FROM ready
    WHERE ready.queue IS NOT NULL
),
limited (queue) AS (
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NOT NULL)
    UNION ALL
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NOT NULL AND queue > limited.queue)
    FROM limited
    WHERE limited.queue IS NOT NULL
),
heads (queue, id, run_at) AS (
    SELECT ready.queue, head.id, head.run_at
    FROM ready
    CROSS JOIN job AS head ON head.id = (
        SELECT job.id FROM job WHERE job.state = 'available' AND job.lane IS NULL AND job.queue = ready.queue
        ORDER BY job.tenant, job.rank LIMIT 1)
    UNION ALL
    SELECT limited.queue, head.id, head.run_at
    FROM limited
    CROSS JOIN job AS head ON head.id = (
        SELECT job.id FROM job WHERE job.state = 'available' AND job.lane IS NOT NULL AND job.queue = limited.queue
        ORDER BY job.lane, job.rank LIMIT 1)
    WHERE NOT EXISTS (SELECT 1 FROM job WHERE worker IS NOT NULL AND lane IS NOT NULL)
          AND NOT EXISTS (SELECT 1 FROM bucket
                          WHERE (paused_until > ?1 OR next_start > ?1 * 1000)
                                AND instr(char(10) || head.lane || char(10), char(10) || bucket.name || char(10)) > 0)
)
SELECT heads.queue AS queue, heads.id AS id, max(?1 - heads.run_at) AS waits_us
FROM heads
WHERE heads.run_at < ?2
      AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.name = heads.queue AND queue.paused_at IS NOT NULL
                      AND (queue.resume_at IS NULL OR queue.resume_at > ?1))
      AND NOT EXISTS (SELECT 1 FROM job AS busy
                      WHERE busy.worker IS NOT NULL AND busy.queue = heads.queue AND busy.claimed_at > ?2)
GROUP BY heads.queue
ORDER BY heads.queue
