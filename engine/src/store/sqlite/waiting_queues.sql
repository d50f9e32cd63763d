-- Queues whose first job is due since before ?2, and no job of which was claimed after ?2. A claim takes the first, so
-- a queue that moves has another first job at the next look. A job that is limited waits for that. A few seeks in job_ready and job_held per queue.
WITH RECURSIVE ready (queue) AS (
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NULL)
    UNION ALL
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NULL AND queue > ready.queue)
    FROM ready
    WHERE ready.queue IS NOT NULL
)
SELECT ready.queue AS queue, head.id AS id, ?1 - head.run_at AS waits_us
FROM ready
CROSS JOIN job AS head ON head.id = (
    SELECT job.id FROM job WHERE job.state = 'available' AND job.lane IS NULL AND job.queue = ready.queue
    ORDER BY job.tenant, job.rank LIMIT 1)
WHERE head.run_at < ?2
      AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.name = ready.queue AND queue.paused_at IS NOT NULL
                      AND (queue.resume_at IS NULL OR queue.resume_at > ?1))
      AND NOT EXISTS (SELECT 1 FROM job AS busy
                      WHERE busy.worker IS NOT NULL AND busy.queue = ready.queue AND busy.claimed_at > ?2)
ORDER BY ready.queue
