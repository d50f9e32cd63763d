-- What was signed stays. Primary key of audit_checkpoint.
INSERT INTO audit_checkpoint (size, at, note) VALUES (?1, ?2, ?3) ON CONFLICT (size) DO NOTHING
