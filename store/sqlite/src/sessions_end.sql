-- Ends the sessions of a user, save one, or one alone. Index: identity_session_of_user.
UPDATE identity_session
SET ended_at = ?1, ended_why = ?5
WHERE user_id = ?2 AND ended_at IS NULL AND (?3 IS NULL OR id <> ?3) AND (?4 IS NULL OR id = ?4)
