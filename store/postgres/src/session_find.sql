-- A session, and the time. Index: identity_session_pkey.
SELECT id, user_id, seed, generation, rotated_at, rotated_before, created_at, used_at, expires_at, user_agent, source,
       ended_why, coalesce($1::timestamptz, now()) AS now
FROM compline.identity_session
WHERE id = $2
