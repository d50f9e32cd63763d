-- Checkpoints by which a key that signs the audit log handed over to another are few, and asked for before each signature.

CREATE INDEX audit_checkpoint_handover ON compline.audit_checkpoint (size)
    WHERE position(E'\nhandover ' IN note) > 0;
