-- Places in the audit log from which it can be read on, and readers that remember theirs.

-- Numbers of transactions begin anew when a database is loaded from a dump. Whoever migrates sees that and begins an
-- era; the default of the column below names it.
CREATE TABLE compline.era (
    number   integer     PRIMARY KEY,
    begun_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO compline.era (number) VALUES (1);

-- Constant defaults first: they rewrite no table.
ALTER TABLE compline.audit_entry ADD COLUMN era integer NOT NULL DEFAULT 0;
ALTER TABLE compline.audit_entry ALTER COLUMN era SET DEFAULT 1;
ALTER TABLE compline.audit_entry ADD COLUMN tx xid8 NOT NULL DEFAULT '0';
ALTER TABLE compline.audit_entry ALTER COLUMN tx SET DEFAULT pg_current_xact_id();
-- audit_after.sql, audit_head.sql
CREATE INDEX audit_entry_position ON compline.audit_entry (era, tx, seq);

-- Below every transaction of this database that is still open: whatever writes an entry from now on has a larger number.
-- Transactions of other databases draw from the same numbers and write none of ours; those whose database this role may
-- not see are taken for ours.
CREATE FUNCTION compline.horizon() RETURNS xid8 LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT open.tx FROM pg_snapshot_xip(pg_current_snapshot()) AS open (tx)
         WHERE NOT EXISTS (SELECT FROM pg_stat_activity a
                           WHERE a.backend_xid = open.tx::xid AND a.datname <> current_database())
         ORDER BY open.tx LIMIT 1),
        pg_snapshot_xmax(pg_current_snapshot()))
$$;

CREATE TABLE compline.follower (
    name text    PRIMARY KEY,
    era  integer NOT NULL,
    tx   xid8    NOT NULL,
    seq  bigint  NOT NULL
);
