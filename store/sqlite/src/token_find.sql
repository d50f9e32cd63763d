-- A token by id, or by name, and the time. Primary key, and the unique name to come there.
SELECT t.id, t.name, t.hash, t.hash_before, t.before_until, t.permissions, t.tenant, t.networks, t.created_at,
       t.created_by, t.expires_at, t.rotated_at, t.revoked_at, t.used_at
FROM access_token AS t
WHERE t.id = coalesce(?1, (SELECT n.id FROM access_token AS n WHERE n.name = ?2))
