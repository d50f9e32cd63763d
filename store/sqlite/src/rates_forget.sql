-- Deletes what counts nothing any more. Index: caller_rate_keep_until.
DELETE FROM caller_rate WHERE bucket IN (
    SELECT bucket FROM caller_rate
    WHERE keep_until < ?1
    ORDER BY keep_until
    LIMIT ?2)
