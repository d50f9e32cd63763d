-- Holds buckets still while it is decided who may start. Everybody locks them in this order. Index: bucket_pkey.
SELECT name, next_start, paused_until, most_running FROM compline.bucket WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE
