-- The queues with a job to claim: one seek in job_ready per queue.
WITH RECURSIVE ready (name) AS (
    SELECT (SELECT min(queue) FROM job WHERE state = 'available')
    UNION ALL
    SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND queue > ready.name)
    FROM ready
    WHERE ready.name IS NOT NULL
)
SELECT name FROM ready WHERE name IS NOT NULL
