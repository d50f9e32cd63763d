-- The audit log is kept by segments: closed when everything in them is signed and anchored, dropped when their time is over.

CREATE TABLE audit_segment (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number >= 0),
    -- Its leaves are those from `first` on and before `until`, of which `root` was signed.
    first      INTEGER NOT NULL CHECK (first >= 0),
    until      INTEGER NOT NULL CHECK (until > first),
    root       TEXT    NOT NULL,
    -- The last of its entries.
    seq        INTEGER NOT NULL,
    -- When the checkpoint was signed that it ends with.
    ends_at    INTEGER NOT NULL,
    closed_at  INTEGER NOT NULL,
    dropped_at INTEGER
) STRICT;

-- An entry may go when its segment was dropped, and in no other way.
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit_entry
WHEN NOT EXISTS (SELECT 1 FROM audit_segment WHERE dropped_at IS NOT NULL AND OLD.seq <= seq)
BEGIN
    SELECT raise(ABORT, 'audit_entry is append-only');
END;

CREATE TRIGGER audit_segment_is_dropped_once BEFORE UPDATE ON audit_segment
WHEN OLD.dropped_at IS NOT NULL
     OR (OLD.number, OLD.first, OLD.until, OLD.root, OLD.seq, OLD.ends_at, OLD.closed_at)
        IS NOT (NEW.number, NEW.first, NEW.until, NEW.root, NEW.seq, NEW.ends_at, NEW.closed_at)
BEGIN
    SELECT raise(ABORT, 'audit_segment is not changed, save that a segment is dropped');
END;
CREATE TRIGGER audit_segment_is_not_deleted BEFORE DELETE ON audit_segment
BEGIN
    SELECT raise(ABORT, 'audit_segment is not changed, save that a segment is dropped');
END;
