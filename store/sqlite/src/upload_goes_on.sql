-- Its bytes still come. Primary key of upload.
UPDATE upload SET expires_at = ?1 + ?3 WHERE id = ?2 AND state = 'receiving'
