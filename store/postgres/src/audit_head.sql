-- The place before which nothing can be written any more: the oldest transaction that is open and may be of this database,
-- or the next there will be. What ended since the statement began writes no more; that is asked last, when it is known of
-- which database the open ones are. With it the next number and all that were open, by which a reader that begins here
-- knows what others had written behind this place before.
WITH open AS MATERIALIZED (
    SELECT x.tx
    FROM pg_snapshot_xip(pg_current_snapshot()) AS x (tx)
    LEFT JOIN pg_stat_activity a ON a.backend_xid = x.tx::xid
    WHERE a.datname IS NULL OR a.datname = current_database()
)
SELECT (SELECT max(number) FROM compline.era) AS era,
       coalesce((SELECT o.tx FROM open o
                 WHERE pg_xact_status(o.tx) = 'in progress'
                 ORDER BY o.tx LIMIT 1),
                pg_snapshot_xmax(pg_current_snapshot()))::text::bigint AS tx,
       0::bigint AS seq,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
       (SELECT coalesce(array_agg(o.tx::text::bigint ORDER BY o.tx), '{}') FROM open o) AS open
