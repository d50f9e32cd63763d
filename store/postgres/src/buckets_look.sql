-- The time, and how many jobs run in each of the buckets $2. In a statement of its own, after the locks: one that waited
-- for them would see the jobs as they were before. From worker to worker of those that run limited; the condition on the
-- lane is told from the index, without a look at the rows that have ended and stand in it still.
-- Index: job_held.
WITH RECURSIVE holder (worker) AS (
    SELECT (SELECT j.worker + 0 FROM compline.job j WHERE j.worker + 0 IS NOT NULL AND j.lane IS NOT NULL
            ORDER BY j.worker + 0 LIMIT 1)
    WHERE cardinality($2::text[]) > 0
    UNION ALL
    SELECT (SELECT j.worker + 0 FROM compline.job j WHERE j.worker + 0 IS NOT NULL AND j.worker + 0 > h.worker AND j.lane IS NOT NULL
            ORDER BY j.worker + 0 LIMIT 1)
    FROM holder h WHERE h.worker IS NOT NULL
),
held AS (
    SELECT l.lane, count(*) AS running
    FROM holder h CROSS JOIN LATERAL (
        SELECT j.lane FROM compline.job j
        WHERE j.worker + 0 IS NOT NULL AND j.worker + 0 = h.worker AND j.lane IS NOT NULL
        OFFSET 0
    ) l
    GROUP BY l.lane
)
SELECT coalesce($1::timestamptz, clock_timestamp()) AS now, r.bucket, r.running
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT b.bucket, sum(held.running)::bigint AS running
    FROM held
    CROSS JOIN LATERAL unnest(string_to_array(split_part(held.lane, E'\n\t', 1), E'\n')) AS b (bucket)
    WHERE b.bucket = ANY ($2::text[])
    GROUP BY b.bucket
) r ON true
