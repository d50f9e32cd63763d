-- All segments of the audit log. Primary key of audit_segment.
SELECT number, first, until, root, seq, ends_at, closed_at, dropped_at FROM audit_segment ORDER BY number
