-- When a token was last shown, if that is long enough after what is written. Primary key.
UPDATE access_token SET used_at = ?1 WHERE id = ?2 AND coalesce(used_at <= ?1 - ?3, TRUE)
