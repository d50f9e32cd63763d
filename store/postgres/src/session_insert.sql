-- A session begins.
INSERT INTO compline.identity_session
       (id, user_id, seed, generation, created_at, used_at, expires_at, user_agent, source)
SELECT $2, $3, $4, 0, n.now, n.now, n.now + $5::bigint * interval '1 microsecond', $6, $7
FROM (SELECT coalesce($1::timestamptz, now()) AS now) AS n
