-- Deletes what counts nothing any more. Index: caller_rate_keep_until.
WITH asked AS MATERIALIZED (
    SELECT (extract(epoch FROM coalesce($1::timestamptz, now())) * 1000000)::bigint AS present
)
DELETE FROM compline.caller_rate WHERE bucket IN (
    SELECT bucket FROM compline.caller_rate
    WHERE keep_until < (SELECT present FROM asked)
    ORDER BY keep_until
    LIMIT $2)
-- Somebody may have come meanwhile.
AND keep_until < (SELECT present FROM asked)
