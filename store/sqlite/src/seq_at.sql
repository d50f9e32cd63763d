-- The first entry of at least this number, and when it was written. Primary key of audit_entry.
SELECT seq, at FROM audit_entry WHERE seq >= ?1 ORDER BY seq LIMIT 1
