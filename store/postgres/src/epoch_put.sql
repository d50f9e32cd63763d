-- Of two that declare at once one is kept. Index: audit_epoch_pkey.
INSERT INTO compline.audit_epoch (number, common, at, note) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING
