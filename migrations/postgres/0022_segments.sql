-- The audit log is kept by segments: closed when everything in them is signed and anchored, dropped when their time is over.

CREATE TABLE compline.audit_segment (
    number   bigint      PRIMARY KEY CHECK (number >= 0),
    -- Its leaves are those from `first` on and before `until`, of which `root` was signed.
    first    bigint      NOT NULL CHECK (first >= 0),
    until    bigint      NOT NULL CHECK (until > first),
    root     text        NOT NULL,
    -- Where the last of its entries stands.
    era      integer     NOT NULL,
    tx       xid8        NOT NULL,
    seq      bigint      NOT NULL,
    -- When the checkpoint was signed that it ends with.
    ends_at  timestamptz NOT NULL,
    closed_at  timestamptz NOT NULL,
    dropped_at timestamptz
);

-- An entry may go when its segment was dropped, and in no other way.
CREATE FUNCTION compline.audit_goes_by_segments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM compline.audit_segment s
               WHERE s.dropped_at IS NOT NULL AND (OLD.era, OLD.tx, OLD.seq) <= (s.era, s.tx, s.seq)) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'compline.audit_entry is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

DROP TRIGGER audit_is_append_only ON compline.audit_entry;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR TRUNCATE ON compline.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION compline.audit_is_append_only();
CREATE TRIGGER audit_goes_by_segments BEFORE DELETE ON compline.audit_entry
    FOR EACH ROW EXECUTE FUNCTION compline.audit_goes_by_segments();

CREATE FUNCTION compline.audit_segment_is_dropped_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.dropped_at IS NULL
       AND to_jsonb(OLD) - 'dropped_at' = to_jsonb(NEW) - 'dropped_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'compline.audit_segment is not changed, save that a segment is dropped'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_segment_is_dropped_once BEFORE UPDATE OR DELETE ON compline.audit_segment
    FOR EACH ROW EXECUTE FUNCTION compline.audit_segment_is_dropped_once();
