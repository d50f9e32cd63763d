-- A session begins.
INSERT INTO identity_session (id, user_id, seed, generation, created_at, used_at, expires_at, user_agent, source)
VALUES (?2, ?3, ?4, 0, ?1, ?1, ?1 + ?5, ?6, ?7)
