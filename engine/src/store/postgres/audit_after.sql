-- Entries behind a position, oldest first. Index: audit_entry_position.
--
-- Of this era only those of transactions below every one that is still open: no other entry can come to stand among
-- them. One that somebody keeps open holds the readers up, and nobody else.
SELECT era, tx::text::bigint AS tx, seq, at, actor, action, object, outcome, tenant, jobs, details
FROM compline.audit_entry
WHERE (era, tx, seq) > ($1::integer, $2::bigint::text::xid8, $3::bigint)
  AND (tx < (SELECT compline.horizon()) OR era < (SELECT max(number) FROM compline.era))
ORDER BY era, tx, seq
LIMIT $4::bigint
