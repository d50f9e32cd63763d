-- A session as it is after a refresh token was shown. Index: identity_session_pkey.
UPDATE compline.identity_session
SET generation = $3, rotated_at = $4, rotated_before = $5, used_at = $6, ended_why = $7,
    ended_at = CASE WHEN $7::text IS NOT NULL THEN coalesce($1::timestamptz, now()) END
WHERE id = $2
