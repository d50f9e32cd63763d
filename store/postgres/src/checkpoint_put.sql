-- What was signed stays. Index: audit_checkpoint_pkey.
INSERT INTO compline.audit_checkpoint (size, at, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING
