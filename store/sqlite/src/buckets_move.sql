-- Starts were taken. ?1 holds [bucket, next start, most that run] per bucket. Primary key of bucket.
INSERT INTO bucket (name, next_start, most_running)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
ON CONFLICT (name) DO UPDATE SET next_start = excluded.next_start, most_running = excluded.most_running
