-- Deletes sessions whose time is long over. Index: identity_session_expires.
DELETE FROM identity_session WHERE id IN (
    SELECT id FROM identity_session
    WHERE expires_at < ?1 - ?2
    ORDER BY expires_at
    LIMIT ?3)
