-- A token as somebody changed it. Index: access_token_pkey.
UPDATE compline.access_token
SET hash = $2, hash_before = $3, before_until = $4, expires_at = $5, rotated_at = $6, revoked_at = $7
WHERE id = $1
