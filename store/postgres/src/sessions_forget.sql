-- Deletes sessions whose time is long over. Index: identity_session_expires.
DELETE FROM compline.identity_session WHERE id IN (
    SELECT id FROM compline.identity_session
    WHERE expires_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
    ORDER BY expires_at
    LIMIT $3)
