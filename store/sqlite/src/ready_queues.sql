-- The queues with a job to claim, limited or not, paused ones left out: a seek in job_ready and one in
-- job_ready_in_lane per queue. ?1 now.
WITH RECURSIVE ready (name) AS (
    SELECT min(q) FROM (
        SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NULL) AS q
        UNION ALL
        SELECT (SELECT min(queue) FROM job WHERE state = 'available' AND lane IS NOT NULL)
    )
    UNION ALL
    SELECT (
        SELECT min(q) FROM (
            SELECT (SELECT min(queue) FROM job
                    WHERE state = 'available' AND lane IS NULL AND queue > ready.name) AS q
            UNION ALL
            SELECT (SELECT min(queue) FROM job
                    WHERE state = 'available' AND lane IS NOT NULL AND queue > ready.name)
        )
    )
    FROM ready
    WHERE ready.name IS NOT NULL
)
SELECT name FROM ready WHERE name IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM queue AS paused WHERE paused.name = ready.name AND paused.paused_at IS NOT NULL
                  AND (paused.resume_at IS NULL OR paused.resume_at > ?1))
