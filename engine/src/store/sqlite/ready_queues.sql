-- The queues with a job to claim, paused ones left out: one seek in job_ready per queue.
WITH RECURSIVE ready (name) AS (
    SELECT (SELECT min(queue) FROM job WHERE state = 'available')
    UNION ALL
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND queue > ready.name)
    FROM ready
    WHERE ready.name IS NOT NULL
)
SELECT name FROM ready WHERE name IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM queue AS paused WHERE paused.name = ready.name AND paused.paused_at IS NOT NULL)
