-- Deletes what opens commitments that only entries of dropped segments name: made before $2 microseconds before the last of them ended.
DELETE FROM compline.audit_opening WHERE commitment IN (
    SELECT o.commitment FROM compline.audit_opening o
    WHERE o.at < (SELECT s.ends_at FROM compline.audit_segment s
                  WHERE s.dropped_at IS NOT NULL ORDER BY s.number DESC LIMIT 1) - $2 * interval '1 microsecond'
    LIMIT $1)
