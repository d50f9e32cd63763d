-- The last entry of audit_entry's primary key, or of those that were.
SELECT coalesce(max(seq), 0) FROM audit_entry
