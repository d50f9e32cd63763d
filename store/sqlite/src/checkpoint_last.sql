-- What was signed of the largest tree. Primary key of audit_checkpoint.
SELECT size, at, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1
