-- Deletes what is known of doors at which nothing happened for long. Index: identity_failure_last.
DELETE FROM compline.identity_failure WHERE door IN (
    SELECT door FROM compline.identity_failure
    WHERE last_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
    ORDER BY last_at
    LIMIT $3)
