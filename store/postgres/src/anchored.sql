-- An anchor has it up to here, and never goes back. Index: audit_anchor_pkey.
INSERT INTO compline.audit_anchor AS a (name, size, at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET size = excluded.size, at = excluded.at WHERE a.size < excluded.size
