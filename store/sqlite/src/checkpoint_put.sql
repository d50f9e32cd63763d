-- What was signed stays, and the next one is put behind the one that its signer had seen. Primary key of audit_checkpoint.
INSERT INTO audit_checkpoint (size, at, note)
SELECT ?1, ?2, ?3
WHERE coalesce((SELECT max(size) FROM audit_checkpoint), 0) = ?4 AND ?1 > ?4
