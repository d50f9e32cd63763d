-- Of two that declare at once one is kept. Index: primary key of audit_epoch.
INSERT INTO audit_epoch (number, common, at, note) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number) DO NOTHING
