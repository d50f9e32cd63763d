-- Buckets at rest: their next start has passed and nothing pauses them. A bucket that is not there is one at rest.
-- Walks over the buckets, as many as there are keys in use.
DELETE FROM compline.bucket WHERE name = ANY (ARRAY(
    SELECT b.name FROM compline.bucket b
    WHERE coalesce(b.next_start, 0) < $1::bigint
      AND (b.paused_until IS NULL OR b.paused_until <= to_timestamp($1 / 1000000000.0))
    LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
