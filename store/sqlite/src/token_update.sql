-- A token as somebody changed it. Primary key.
UPDATE access_token
SET hash = ?2, hash_before = ?3, before_until = ?4, expires_at = ?5, rotated_at = ?6, revoked_at = ?7
WHERE id = ?1
