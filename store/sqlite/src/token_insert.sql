-- A token, unless one has or had its name. Index: the unique name.
INSERT INTO access_token (id, name, hash, permissions, tenant, networks, created_at, created_by, expires_at)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?1, ?8, ?1 + ?9)
ON CONFLICT DO NOTHING
