-- The place before which nothing can be written any more: the oldest transaction that is open and may be of this database,
-- or the next there will be. What ended since the statement began writes no more; that is asked last, when it is known of
-- which database the open ones are.
WITH open AS MATERIALIZED (
    SELECT x.tx, a.datname
    FROM pg_snapshot_xip(pg_current_snapshot()) AS x (tx)
    LEFT JOIN pg_stat_activity a ON a.backend_xid = x.tx::xid
)
SELECT (SELECT max(number) FROM compline.era) AS era,
       coalesce((SELECT o.tx FROM open o
                 WHERE (o.datname IS NULL OR o.datname = current_database()) AND pg_xact_status(o.tx) = 'in progress'
                 ORDER BY o.tx LIMIT 1),
                pg_snapshot_xmax(pg_current_snapshot()))::text::bigint AS tx,
       0::bigint AS seq
