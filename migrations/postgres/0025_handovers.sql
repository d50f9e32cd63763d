-- Checkpoints by which a key that signs the audit log handed over to another are few, and asked for before each signature.

CREATE INDEX audit_checkpoint_handover ON compline.audit_checkpoint (size)
    WHERE position(E'\nhandover ' IN note) > 0;

-- The database was restored to an earlier state on purpose: from what size on the log goes on as another epoch, and the signed statement.
CREATE TABLE compline.audit_epoch (
    number bigint      PRIMARY KEY CHECK (number >= 2),
    common bigint      NOT NULL CHECK (common >= 0),
    at     timestamptz NOT NULL,
    note   text        NOT NULL
);
CREATE TRIGGER audit_epoch_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.audit_epoch
    FOR EACH STATEMENT EXECUTE FUNCTION compline.audit_is_append_only();
