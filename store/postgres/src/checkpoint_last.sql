-- What was signed of the largest tree. Index: audit_checkpoint_pkey.
SELECT size, at, note FROM compline.audit_checkpoint ORDER BY size DESC LIMIT 1
