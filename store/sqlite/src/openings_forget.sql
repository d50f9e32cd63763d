-- Deletes what opens commitments that only entries of dropped segments name: made before ?2 microseconds before the last of them ended.
DELETE FROM audit_opening WHERE commitment IN (
    SELECT commitment FROM audit_opening
    WHERE at < (SELECT ends_at FROM audit_segment WHERE dropped_at IS NOT NULL ORDER BY number DESC LIMIT 1) - ?2
    LIMIT ?1)
