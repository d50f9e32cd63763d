-- Uploads, the newest first. Primary key of upload, backwards.
SELECT id, tenant, state, name, bytes, sha256, format, is_scanned, created_at, created_by, expires_at
FROM upload
WHERE (?1 IS NULL OR id < ?1) AND (?3 IS NULL OR tenant = ?3)
ORDER BY id DESC
LIMIT ?2
