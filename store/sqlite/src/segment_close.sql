-- Primary key of audit_segment.
INSERT INTO audit_segment (number, first, until, root, seq, ends_at, closed_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (number) DO NOTHING
