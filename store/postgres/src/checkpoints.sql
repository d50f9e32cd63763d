-- What was signed of larger trees, the smallest first. Index: audit_checkpoint_pkey.
SELECT size, at, note FROM compline.audit_checkpoint WHERE size > $1 ORDER BY size LIMIT $2
