-- As buckets_lock.sql, for a worker that claims from queue $4: no row when the queue is paused or the worker was declared dead, which
-- the shared lock on its row orders against. It stands before the locks of buckets, as in all other claims. Index: bucket_pkey.
WITH alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $3 AND w.ended_at IS NULL FOR SHARE
),
held AS MATERIALIZED (
    SELECT name, next_start, paused_until, most_running FROM compline.bucket
    WHERE name = ANY ($2::text[])
      AND EXISTS (SELECT FROM alive)
      AND NOT EXISTS (SELECT FROM compline.queue q WHERE q.name = $4 AND q.paused_at IS NOT NULL
                      AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, clock_timestamp())))
    ORDER BY name FOR UPDATE
)
SELECT name, next_start, paused_until, most_running, coalesce($1::timestamptz, clock_timestamp()) AS now FROM held
