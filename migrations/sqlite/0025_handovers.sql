-- Checkpoints by which a key that signs the audit log handed over to another are few, and asked for before each signature.

CREATE INDEX audit_checkpoint_handover ON audit_checkpoint (size) WHERE instr(note, char(10) || 'handover ') > 0;
