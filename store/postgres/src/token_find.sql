-- A token by id, or by name, and the time. Index: access_token_pkey, and access_token_name to come there.
SELECT t.id, t.name, t.hash, t.hash_before, t.before_until, t.permissions, t.tenant, t.networks, t.created_at,
       t.created_by, t.expires_at, t.rotated_at, t.revoked_at, t.used_at, coalesce($1::timestamptz, now()) AS now
FROM compline.access_token AS t
WHERE t.id = coalesce($2::uuid, (SELECT n.id FROM compline.access_token AS n WHERE n.name = $3))
