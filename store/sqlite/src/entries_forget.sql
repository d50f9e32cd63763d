-- Deletes the first entries of dropped segments. Primary key of audit_entry.
DELETE FROM audit_entry WHERE seq IN (
    SELECT seq FROM audit_entry
    WHERE seq <= (SELECT seq FROM audit_segment WHERE dropped_at IS NOT NULL ORDER BY number DESC LIMIT 1)
    ORDER BY seq LIMIT ?1)
