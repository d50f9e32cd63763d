-- All of it is there and good. Primary key of upload.
UPDATE upload
SET state = 'ready', bytes = ?3, sha256 = ?4, format = ?5, is_scanned = ?6, expires_at = ?1 + ?7
WHERE id = ?2 AND state = 'receiving'
