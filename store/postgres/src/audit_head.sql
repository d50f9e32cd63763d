-- The place before which nothing can be written any more. `unsure` when a transaction has ended since the statement
-- began: nobody says any more of which database it was, and the place may be before what is written already.
SELECT (SELECT max(number) FROM compline.era) AS era, compline.horizon()::text::bigint AS tx, 0::bigint AS seq,
       EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS open (tx)
               WHERE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.backend_xid = open.tx::xid)) AS unsure
