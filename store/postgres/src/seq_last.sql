-- The largest number of an entry. Index: audit_entry_pkey.
SELECT seq FROM compline.audit_entry ORDER BY seq DESC LIMIT 1
