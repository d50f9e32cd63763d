-- As pause_bucket.sql; a pause that ends later stays. Primary key of bucket.
INSERT INTO bucket (name, paused_until, paused_by, reason) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE
SET paused_until = excluded.paused_until, paused_by = excluded.paused_by, reason = excluded.reason
WHERE bucket.paused_until IS NULL OR bucket.paused_until < excluded.paused_until
