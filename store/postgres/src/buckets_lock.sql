-- Holds buckets still while it is decided who may start, and tells the time when all of them are held: that of the last row.
-- Everybody locks them in this order. Index: bucket_pkey.
WITH held AS MATERIALIZED (
    SELECT name, next_start, paused_until, most_running FROM compline.bucket WHERE name = ANY ($2::text[]) ORDER BY name FOR UPDATE
)
SELECT name, next_start, paused_until, most_running, coalesce($1::timestamptz, clock_timestamp()) AS now FROM held
