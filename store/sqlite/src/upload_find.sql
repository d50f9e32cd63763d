-- One upload within whose it may be. Primary key of upload.
SELECT id, tenant, state, name, bytes, sha256, format, is_scanned, created_at, created_by, expires_at
FROM upload
WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)
