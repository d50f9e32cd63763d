-- Checkpoints by which a key that signs the audit log handed over to another are few, and asked for before each signature.

CREATE INDEX audit_checkpoint_handover ON audit_checkpoint (size) WHERE instr(note, char(10) || 'handover ') > 0;

-- The database was restored to an earlier state on purpose: from what size on the log goes on as another epoch, and the signed statement.
CREATE TABLE audit_epoch (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number >= 2),
    common INTEGER NOT NULL CHECK (common >= 0),
    at     INTEGER NOT NULL,
    note   TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_epoch_is_not_changed BEFORE UPDATE ON audit_epoch
BEGIN
    SELECT raise(ABORT, 'audit_epoch is append-only');
END;
CREATE TRIGGER audit_epoch_is_not_deleted BEFORE DELETE ON audit_epoch
BEGIN
    SELECT raise(ABORT, 'audit_epoch is append-only');
END;
