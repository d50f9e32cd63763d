-- The lanes of a queue with a job to claim, in a ring: behind ?4 as far as ?5, then from the first as far as ?6; ?7 of
-- them at most. None when the queue is paused, nor for a worker that was declared dead. One seek in job_ready_in_lane per
-- lane. ?1 now, ?2 worker, ?3 queue.
WITH RECURSIVE
ahead (name) AS (
    SELECT (SELECT min(lane) FROM job WHERE queue = ?3 AND state = 'available' AND lane > ?4 AND lane <= ?5)
    UNION ALL
    SELECT (SELECT min(lane) FROM job WHERE queue = ?3 AND state = 'available' AND lane > ahead.name AND lane <= ?5)
    FROM ahead
    WHERE ahead.name IS NOT NULL
    LIMIT ?7
),
around (name) AS (
    SELECT (SELECT min(lane) FROM job WHERE queue = ?3 AND state = 'available' AND lane > '' AND lane <= ?6)
    UNION ALL
    SELECT (SELECT min(lane) FROM job WHERE queue = ?3 AND state = 'available' AND lane > around.name AND lane <= ?6)
    FROM around
    WHERE around.name IS NOT NULL
    LIMIT ?7
)
SELECT name FROM (
    SELECT 1 AS part, name FROM ahead WHERE name IS NOT NULL
    UNION ALL
    SELECT 2, name FROM around WHERE name IS NOT NULL
)
WHERE EXISTS (SELECT 1 FROM worker WHERE id = ?2 AND ended_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM queue WHERE name = ?3 AND paused_at IS NOT NULL
                  AND (resume_at IS NULL OR resume_at > ?1))
ORDER BY part, name
LIMIT ?7
