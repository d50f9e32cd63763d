-- A session, and the time. Primary key.
SELECT id, user_id, seed, generation, rotated_at, rotated_before, created_at, used_at, expires_at, user_agent, source,
       ended_why, ?1 AS now
FROM identity_session
WHERE id = ?2
