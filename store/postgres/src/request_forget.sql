-- Deletes what was asked long ago, the oldest first; uses request_at.
DELETE FROM compline.request WHERE key = ANY (ARRAY(
    SELECT key FROM compline.request
    WHERE at < coalesce($1::timestamptz, now()) - $2 * interval '1 microsecond'
    ORDER BY at LIMIT $3
    FOR UPDATE SKIP LOCKED))
