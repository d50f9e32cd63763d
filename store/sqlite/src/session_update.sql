-- A session as it is after a refresh token was shown. Primary key.
UPDATE identity_session
SET generation = ?3, rotated_at = ?4, rotated_before = ?5, used_at = ?6, ended_why = ?7,
    ended_at = CASE WHEN ?7 IS NOT NULL THEN ?1 END
WHERE id = ?2
