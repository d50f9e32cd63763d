-- What was signed of larger trees, the smallest first. Primary key of audit_checkpoint.
SELECT size, at, note FROM audit_checkpoint WHERE size > ?1 ORDER BY size LIMIT ?2
