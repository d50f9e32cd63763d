-- The time, and how many jobs run in each of the buckets $2. In a statement of its own, after the locks: one that waited
-- for them would see the jobs as they were before. Index: job_running_in_lane; as long as there are jobs that run limited.
SELECT coalesce($1::timestamptz, clock_timestamp()) AS now, r.bucket, r.running
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT b.bucket, sum(l.running)::bigint AS running
    FROM (SELECT lane, count(*) AS running FROM compline.job
          WHERE state = 'running' AND lane IS NOT NULL AND cardinality($2::text[]) > 0 GROUP BY lane) l
    CROSS JOIN LATERAL unnest(string_to_array(split_part(l.lane, E'\n\t', 1), E'\n')) AS b (bucket)
    WHERE b.bucket = ANY ($2::text[])
    GROUP BY b.bucket
) r ON true
