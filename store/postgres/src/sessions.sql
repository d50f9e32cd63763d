-- Sessions of a user that nobody ended, the newest first, and the time. Index: identity_session_of_user.
SELECT id, user_id, seed, generation, rotated_at, rotated_before, created_at, used_at, expires_at, user_agent, source,
       ended_why, coalesce($1::timestamptz, now()) AS now
FROM compline.identity_session
WHERE user_id = $2 AND ended_at IS NULL
ORDER BY created_at DESC, id DESC
LIMIT 1000
