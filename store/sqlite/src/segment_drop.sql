-- Primary key of audit_segment.
UPDATE audit_segment SET dropped_at = ?2 WHERE number = ?1 AND dropped_at IS NULL
