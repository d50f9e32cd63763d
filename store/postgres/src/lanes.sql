-- The lanes of a queue with a job to claim, in a ring: behind $4 as far as $5, then from the first as far as $6; $7 of
-- them at most. None when the queue is paused, nor for a worker that was declared dead, which the shared lock on its row
-- orders against. Index: job_ready_in_lane, one look per lane.
WITH RECURSIVE
alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $2 AND w.ended_at IS NULL FOR SHARE
),
open AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM alive)
       AND NOT EXISTS (SELECT FROM compline.queue q WHERE q.name = $3 AND q.paused_at IS NOT NULL
                       AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, clock_timestamp()))) AS yes
),
ahead (lane, place) AS (
    SELECT (SELECT j.lane FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NOT NULL AND j.lane > $4::text
              AND j.lane <= $5::text
            ORDER BY j.lane LIMIT 1), 1::bigint
    FROM open WHERE yes
    UNION ALL
    SELECT (SELECT j.lane FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NOT NULL AND j.lane > a.lane
              AND j.lane <= $5::text
            ORDER BY j.lane LIMIT 1), a.place + 1
    FROM ahead a WHERE a.lane IS NOT NULL AND a.place < $7::bigint
),
around (lane, place) AS (
    SELECT (SELECT j.lane FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NOT NULL AND j.lane <= $6::text
            ORDER BY j.lane LIMIT 1), f.place
    FROM (SELECT 1 + count(lane) AS place FROM ahead) f, open WHERE yes AND f.place <= $7::bigint
    UNION ALL
    SELECT (SELECT j.lane FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NOT NULL AND j.lane > a.lane
              AND j.lane <= $6::text
            ORDER BY j.lane LIMIT 1), a.place + 1
    FROM around a WHERE a.lane IS NOT NULL AND a.place < $7::bigint
)
SELECT lane FROM (
    SELECT lane, place FROM ahead WHERE lane IS NOT NULL
    UNION ALL
    SELECT lane, place FROM around WHERE lane IS NOT NULL
) ring
ORDER BY place
