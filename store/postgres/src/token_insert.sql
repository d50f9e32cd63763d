-- A token, unless one has or had its name. Index: access_token_name.
INSERT INTO compline.access_token (id, name, hash, permissions, tenant, networks, created_at, created_by, expires_at)
VALUES ($2, $3, $4, $5, $6, $7, coalesce($1::timestamptz, now()), $8,
        coalesce($1::timestamptz, now()) + $9::bigint * interval '1 microsecond')
ON CONFLICT DO NOTHING
