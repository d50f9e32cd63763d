-- An anchor has it up to here, and never goes back. Primary key of audit_anchor.
INSERT INTO audit_anchor (name, size, at) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET size = excluded.size, at = excluded.at WHERE audit_anchor.size < excluded.size
