-- The plain audit log: append-only by triggers. A later migration makes it tamper-evident.

CREATE TABLE audit_entry (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    tenant  TEXT,
    -- Transitions of many jobs in one transaction are one entry that names them all: ids of 16 bytes, end to end.
    jobs    BLOB    CHECK (jobs IS NULL OR length(jobs) % 16 = 0),
    details TEXT    CHECK (details IS NULL OR json_valid(details))
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit_entry
BEGIN
    SELECT raise(ABORT, 'audit_entry is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit_entry
BEGIN
    SELECT raise(ABORT, 'audit_entry is append-only');
END;

-- INSERT OR REPLACE deletes without asking the trigger above, unless recursive triggers are on.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit_entry
WHEN EXISTS (SELECT 1 FROM audit_entry WHERE seq = NEW.seq)
BEGIN
    SELECT raise(ABORT, 'audit_entry is append-only');
END;
