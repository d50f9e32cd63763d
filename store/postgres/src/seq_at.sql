-- The first entry of at least this number, and when it was written. Index: audit_entry_pkey.
SELECT seq, at FROM compline.audit_entry WHERE seq >= $1 ORDER BY seq LIMIT 1
