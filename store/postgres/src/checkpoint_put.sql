-- What was signed stays, and the next one is put behind the one that its signer had seen: under a lock, so that of two who sign at
-- once one is refused. Index: audit_checkpoint_pkey.
INSERT INTO compline.audit_checkpoint (size, at, note)
SELECT $1, $2, $3
WHERE coalesce((SELECT max(size) FROM compline.audit_checkpoint), 0) = $4 AND $1 > $4
