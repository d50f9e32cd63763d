-- Buckets at rest: their next start has passed and nothing pauses them. A bucket that is not there is one at rest.
-- Walks over the buckets, as many as there are keys in use. ?1 now in nanoseconds, ?2 how many.
DELETE FROM bucket WHERE name IN (
    SELECT name FROM bucket
    WHERE coalesce(next_start, 0) < ?1 AND (paused_until IS NULL OR paused_until <= ?1 / 1000)
    LIMIT ?2)
