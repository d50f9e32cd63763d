-- Entries know where they come from, and stand in a tree whose root can be signed.

-- Without defaults: they rewrite no table.
ALTER TABLE compline.audit_entry ADD COLUMN request text;
ALTER TABLE compline.audit_entry ADD COLUMN source  text;

-- As in 0004 and 0007. The name of whoever enqueues carries where it was asked from: name, request and source,
-- parted by U+001F, which none of them has. Callers of the version before give a name alone, and go on working.
CREATE OR REPLACE FUNCTION compline.insert_plain(
    p_now timestamptz, p_by text, p_object text, p_ids uuid[], p_kinds text[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_run_at timestamptz[], p_after_us bigint[], p_args text[], p_tenants text[],
    p_tags text[], p_metadata text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH clock AS (SELECT coalesce(p_now, now()) AS now),
    rows AS (
        INSERT INTO compline.job
            (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, tenant, tags,
             metadata)
        SELECT r.id,
               (CASE WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END)::compline.job_state,
               r.max_attempts, r.max_attempts, r.priority, d.due + (r.priority - 5) * interval '1 minute', d.due,
               c.now, r.kind, r.queue, r.args::json, r.tenant,
               CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END,
               r.metadata::json
        FROM unnest(p_ids, p_kinds, p_queues, p_priorities, p_max_attempts, p_run_at, p_after_us, p_args, p_tenants,
                    p_tags, p_metadata)
            AS r (id, kind, queue, priority, max_attempts, run_at, after_us, args, tenant, tags, metadata)
        CROSS JOIN clock c
        CROSS JOIN LATERAL (
            -- A time in the past is now: it must not be a way to the front of the queue.
            SELECT greatest(c.now, coalesce(r.run_at, c.now + r.after_us * interval '1 microsecond')) AS due
        ) d
    )
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, request, source, jobs)
    SELECT c.now, split_part(p_by, E'\x1f', 1), 'job.enqueue', p_object, 'ok',
           nullif(split_part(p_by, E'\x1f', 2), ''), nullif(split_part(p_by, E'\x1f', 3), ''), p_ids
    FROM clock c;
END
$$;

CREATE OR REPLACE FUNCTION compline.insert_plain(
    p_now timestamptz, p_by text, p_object text, p_ids uuid[], p_kinds text[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_run_at timestamptz[], p_after_us bigint[], p_args text[], p_tenants text[],
    p_tags text[], p_metadata text[], p_lanes text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH clock AS (SELECT coalesce(p_now, now()) AS now),
    rows AS (
        INSERT INTO compline.job
            (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, tenant, tags,
             metadata, lane)
        SELECT r.id,
               (CASE WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END)::compline.job_state,
               r.max_attempts, r.max_attempts, r.priority, d.due + (r.priority - 5) * interval '1 minute', d.due,
               c.now, r.kind, r.queue, r.args::json, r.tenant,
               CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END,
               r.metadata::json, r.lane
        FROM unnest(p_ids, p_kinds, p_queues, p_priorities, p_max_attempts, p_run_at, p_after_us, p_args, p_tenants,
                    p_tags, p_metadata, p_lanes)
            AS r (id, kind, queue, priority, max_attempts, run_at, after_us, args, tenant, tags, metadata, lane)
        CROSS JOIN clock c
        CROSS JOIN LATERAL (
            SELECT greatest(c.now, coalesce(r.run_at, c.now + r.after_us * interval '1 microsecond')) AS due
        ) d
    )
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, request, source, jobs)
    SELECT c.now, split_part(p_by, E'\x1f', 1), 'job.enqueue', p_object, 'ok',
           nullif(split_part(p_by, E'\x1f', 2), ''), nullif(split_part(p_by, E'\x1f', 3), ''), p_ids
    FROM clock c;
END
$$;

-- Where the tree stands: how many leaves it has, the place of the last of them in the log, and the hashes at its
-- right edge. One row, which moves on with every batch of leaves.
CREATE TABLE compline.audit_tree (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    size  bigint  NOT NULL CHECK (size >= 0),
    era   integer NOT NULL,
    tx    xid8    NOT NULL,
    seq   bigint  NOT NULL,
    -- The first entry of the tile of leaves that is not full yet.
    first_era integer NOT NULL,
    first_tx  xid8    NOT NULL,
    first_seq bigint  NOT NULL,
    edge  bytea   NOT NULL
);

-- Full tiles of 256 hashes. Those of level 0 are hashes of leaves, and name the place of their first in the log.
CREATE TABLE compline.audit_tile (
    level  smallint NOT NULL CHECK (level >= 0),
    number bigint   NOT NULL CHECK (number >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) = 8192),
    era    integer,
    tx     xid8,
    seq    bigint,
    PRIMARY KEY (level, number),
    CHECK ((level = 0) = (seq IS NOT NULL))
);
-- tile_of.sql
CREATE INDEX audit_tile_place ON compline.audit_tile (era, tx, seq) WHERE level = 0;

-- What was signed, and how far each anchor has it.
CREATE TABLE compline.audit_checkpoint (
    size bigint      PRIMARY KEY CHECK (size >= 0),
    at   timestamptz NOT NULL,
    note text        NOT NULL
);

CREATE TABLE compline.audit_anchor (
    name  text        PRIMARY KEY,
    size  bigint      NOT NULL CHECK (size >= 0),
    at    timestamptz NOT NULL
);

-- What opens the commitments that stand for personal data in entries. To delete a row is to erase the datum: what
-- is left is a hash under a salt that nobody has.
CREATE TABLE compline.audit_opening (
    commitment text        PRIMARY KEY,
    field      text        NOT NULL,
    salt       bytea       NOT NULL CHECK (octet_length(salt) = 32),
    value      text        NOT NULL,
    -- Whose it is: all of one person is erased at once.
    subject    text        NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX audit_opening_subject ON compline.audit_opening (subject);

CREATE TRIGGER audit_tile_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.audit_tile
    FOR EACH STATEMENT EXECUTE FUNCTION compline.audit_is_append_only();
CREATE TRIGGER audit_checkpoint_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION compline.audit_is_append_only();
