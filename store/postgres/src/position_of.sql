-- Where an entry stands. Index: audit_entry_pkey.
SELECT era, tx::text::bigint AS tx, seq FROM compline.audit_entry WHERE seq = $1
