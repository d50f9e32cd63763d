-- Deletes the first entries of dropped segments. Index: audit_entry_position.
DELETE FROM compline.audit_entry WHERE ctid = ANY (ARRAY(
    SELECT e.ctid FROM compline.audit_entry e
    WHERE (e.era, e.tx, e.seq) <= (SELECT s.era, s.tx, s.seq FROM compline.audit_segment s
                                   WHERE s.dropped_at IS NOT NULL ORDER BY s.number DESC LIMIT 1)
    ORDER BY e.era, e.tx, e.seq LIMIT $1 FOR UPDATE SKIP LOCKED))
