-- Whether there is such an entry. Primary key of audit_entry.
SELECT seq FROM audit_entry WHERE seq = ?1
