-- All segments of the audit log. Index: audit_segment_pkey.
SELECT number, first, until, root, era, tx::text::bigint AS tx, seq, ends_at, closed_at, dropped_at
FROM compline.audit_segment ORDER BY number
