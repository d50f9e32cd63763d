-- The largest number of an entry. Primary key of audit_entry.
SELECT seq FROM audit_entry ORDER BY seq DESC LIMIT 1
